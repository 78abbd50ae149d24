"""What the days of a step lack, from the archives: what came, and which days have to wait for what did not.

``fetch.json`` next to the maps remembers what an archive did not give, so that no day is made of a part of its
granules: the first day of a download that was cut off, and each file that is left, with the day on which it was first
asked for in vain. A file that has not come ``wait`` days later is given up, and the days go without it.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssm_net.config import DownloadConfig, ProduceConfig
from ssm_net.core.days import ONE_DAY
from ssm_net.cube.json_files import read_json, write_json
from ssm_net.download import download
from ssm_net.download.errors import DownloadError, FilesLeftError, SetUpError

log = logging.getLogger(__name__)
FILE = "fetch.json"
NAMED = 5  # files that a message names


@dataclass(frozen=True)
class LeftFile:
    """A file that did not come: its first ``day``, None of a static map; it has been asked for ``since`` a day."""

    day: dt.date | None
    since: dt.date


@dataclass(frozen=True)
class FetchRecord:
    """``begun``: the first day of a download that was cut off, None where none was; ``left``: files by name."""

    begun: dt.date | None = None
    left: Mapping[str, LeftFile] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> FetchRecord:
        """Raises ``CubeError`` where the file is damaged."""
        if not (folder / FILE).exists():
            return cls()
        remedy = "remove it, and the archives are asked for everything again"
        stored = read_json(folder / FILE, remedy, "begun", "left")
        files = stored["left"].items()
        left = {name: LeftFile(_day(of["day"]), dt.date.fromisoformat(of["since"])) for name, of in files}
        return cls(_day(stored["begun"]), left)

    def write(self, folder: Path) -> FetchRecord:
        """There whole, or not at all; no file where there is nothing to remember."""
        if self == FetchRecord():
            (folder / FILE).unlink(missing_ok=True)
        else:
            left = {name: {"day": _text(of.day), "since": str(of.since)} for name, of in self.left.items()}
            write_json(folder / FILE, {"begun": _text(self.begun), "left": left})
        return self

    def whole_before(self, today: dt.date, wait: int, begun: bool) -> dt.date:
        """The day before which nothing is left. Views of a file are of the day before it at the earliest; static maps
        count until the record is ``begun``."""
        first = [dt.date.max, self.begun or dt.date.max]
        for file in self.left.values():
            if (today - file.since).days > wait:
                continue
            if file.day is not None:
                first.append(file.day - ONE_DAY)
            elif not begun:
                first.append(dt.date.min)
        return min(first)

    def given_up(self, today: dt.date, wait: int) -> list[str]:
        """The names of the files that the days go without."""
        return sorted(name for name, file in self.left.items() if (today - file.since).days > wait)


@dataclass(frozen=True)
class Fetched:
    """``outage``: why not all came, empty where all did; ``whole_before``: the day before which nothing is left;
    ``complete``: whether the archives have said what they hold, so that a granule that is not there does not exist."""

    outage: str = ""
    whole_before: dt.date = dt.date.max
    complete: bool = True

    @property
    def holds_up(self) -> bool:
        """Whether days have to wait, so that no more needs to be asked for in this run."""
        return not self.complete or self.whole_before < dt.date.max


NOT_ASKED = Fetched()


def fetch(cfg: ProduceConfig, first: dt.date, last: dt.date, today: dt.date, begun: bool) -> Fetched:
    """Download what the days from ``first`` to ``last`` lack; ``begun``: days before them are in the cube.

    A fault of an archive is told, not raised. Raises ``SetUpError`` where a library or the login is missing,
    ``OSError`` where the disk is or gets full.
    """
    folder, raw = Path(cfg.mosaics), Path(cfg.raw)
    raw.mkdir(parents=True, exist_ok=True)
    before = FetchRecord.read(folder)
    FetchRecord(min(first, before.begun or first), before.left).write(folder)
    settings = DownloadConfig(
        raw=cfg.raw, start=str(first), end=str(last), domain=cfg.domain, products=cfg.products, lead=0,
        connections=cfg.connections, tries=cfg.tries, pause=cfg.pause, earthdata=cfg.earthdata,
    )  # fmt: skip
    outage, complete = "", True
    try:
        download(settings, **({"rain_before": 1} if begun else {}))
        record = FetchRecord()
    except FilesLeftError as err:
        since = {name: file.since for name, file in before.left.items()}
        record = FetchRecord(None, {name: LeftFile(day, since.get(name, today)) for name, day in err.files.items()})
        outage = str(err)
    except SetUpError:
        before.write(folder)
        raise
    except DownloadError as err:  # before anything was fetched
        record, outage, complete = before, str(err), False
    record.write(folder)
    if outage:
        log.warning("the archives did not give all: %s", outage)
    if given_up := record.given_up(today, cfg.wait):
        log.warning("%d files have not come for more than wait=%d days, and days are made without them: %s",
                    len(given_up), cfg.wait, ", ".join(given_up[:NAMED]))  # fmt: skip
    # A cube keeps the products that it began with, so that none begins before the archives could be asked.
    whole_before = record.whole_before(today, cfg.wait, begun) if complete or begun else dt.date.min
    return Fetched(outage, whole_before, complete)


def _day(text: Any) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)


def _text(day: dt.date | None) -> str | None:
    return None if day is None else str(day)
