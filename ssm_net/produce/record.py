"""How a record stands: ``produce.json`` next to its maps, for the eyes of whoever watches over it, and of a program."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from ssm_net.cube.json_files import write_json

FILE = "produce.json"
State = Literal["running", "up to date", "waiting", "outage", "failed"]
TEMPORARY = 75  # EX_TEMPFAIL of sysexits.h: a failure that is expected to pass, "the user is invited to retry"


@dataclass(frozen=True)
class RecordStatus:
    """``state``: running, up to date, waiting (for granules), outage (an archive did not give all) or failed; ``first``
    and ``last`` day that has a map, and the ``last_final``; ``next`` the day to be made next and what it is
    ``waiting_for``; ``kept_since``: the first day from which on the cube holds all pixels; ``error`` is the message of
    an outage or a failure."""

    state: State
    first: str | None = None
    last: str | None = None
    last_final: str | None = None
    next: str | None = None
    waiting_for: tuple[str, ...] = ()
    kept_since: str | None = None
    error: str = ""
    written: str = ""

    @property
    def exit_code(self) -> int:
        """Of the command: 0, or ``TEMPORARY`` where the same command, given later, is expected to do more."""
        return TEMPORARY if self.state == "outage" else 0

    def write(self, folder: Path) -> RecordStatus:
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        status = replace(self, written=now)
        write_json(folder / FILE, asdict(status))
        return status
