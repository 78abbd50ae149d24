"""Making a stored day again: the one safe way, and the days that need it.

Days rest on the days before them (thermal memory, reflectance, antecedent rain), and maps of them are published. So a
stored day is never replaced by itself. ``prepare`` with ``revise=true`` is the only way: it withdraws the first day
that has to be made again and **all stored days after it**, and makes them anew as a higher revision; ``infer`` with
``revise=true`` then makes their maps again. It does so for

* days that late-arriving granules belong to;
* days from ``start`` to ``end`` whose stored fields are damaged;
* days whose status file is gone or damaged while days after them are stored.

Damaged static maps are written again too, from the same files; no day is made again for them.

What is not safe is refused or made harmless. Deleting a status file takes no revision back: its number is kept in
``revision/``, so the last days of a record are made again as a new revision by any ``prepare``, and a day with stored
days after it is refused without ``revise=true``. Days whose granules are no longer in raw/ are not withdrawn. A cube
that is deleted and prepared anew begins at revision 1, so its maps need a new folder.
"""

from __future__ import annotations

import bisect
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ssm_net.config import PrepareConfig, days_between
from ssm_net.core.clock import OVERPASSES
from ssm_net.core.days import ONE_DAY, runs
from ssm_net.cube.json_files import CubeError, DamagedError
from ssm_net.cube.store import Cube
from ssm_net.ingest.catalog import RawFiles
from ssm_net.prepare.day_plan import DayPlan
from ssm_net.prepare.errors import PrepareError
from ssm_net.prepare.late_granules import late_granules
from ssm_net.prepare.products import CubeProducts
from ssm_net.prepare.store_day import observed_kinds
from ssm_net.prepare.thermal_state import require_state

log = logging.getLogger(__name__)

LISTED = 5  # file names in a message
LOOKED_BACK = 64  # days before a day that may have used one of its granules: 60 of rain, 56 of a composite


@dataclass(frozen=True)
class Remake:
    """The stored days that have to be made again, by the reason."""

    late: Mapping[dt.date, Sequence[str]] = field(default_factory=dict)  # with the names of the late granules
    damaged: Mapping[dt.date, str] = field(default_factory=dict)  # with the error
    without_status: Sequence[dt.date] = ()
    damaged_static: Mapping[str, str] = field(default_factory=dict)  # maps, with the error
    used: frozenset[str] = frozenset()  # names of the files that stored days were made of, since ``read_again_since``

    def days(self) -> list[dt.date]:
        return sorted({*self.late, *self.damaged, *self.without_status})

    def first(self) -> dt.date | None:
        """The day from which on all stored days are made again."""
        return min(self.days(), default=None)

    def report(self, revise: bool) -> None:
        """Log what was found, and what is done about it."""
        for error in (*self.damaged.values(), *self.damaged_static.values()):
            log.warning("%s", error)
        if self.without_status:
            log.warning("no status of %s, which later days rest on", runs(self.without_status))
        if self.late:
            files = sorted({name for names in self.late.values() for name in names})
            listed = ", ".join(files[:LISTED]) + (f" and {len(files) - LISTED} more" if len(files) > LISTED else "")
            if revise:
                log.warning("late granules of %s: %s", runs(sorted(self.late)), listed)
            else:
                log.warning(
                    "late granules of %s are not used: %s; these days stay as they are. revise=true makes them and all "
                    "days after them again, as a new revision", runs(sorted(self.late)), listed,
                )  # fmt: skip
        if revise and (first := self.first()) is not None:
            log.warning("%s and all days after it are made again, as a new revision", first)


def find_remake(cfg: PrepareConfig, cube: Cube, products: CubeProducts, files: RawFiles) -> Remake:
    """The days of ``cube`` that have to be made again, by the ``files`` of raw/. Damage is looked for with
    ``revise=true`` only, in the days from ``cfg.start`` to ``cfg.end``, each of which is read for it.

    Raises ``CubeError`` where a status is gone that later days rest on, and ``revise`` is not set.
    """
    statuses: dict[dt.date, dict[str, Any]] = {}
    done = cube.done_days()
    since = read_again_since(cube)
    there = {day for day in done if day < since}
    for day in done[bisect.bisect_left(done, since) :]:
        try:
            statuses[day] = cube.status(day) or {}
            there.add(day)
        except DamagedError as err:
            log.warning("%s", err)
    without_status = [day for day in cube.days if done and day <= done[-1] and day not in there]
    if without_status and not cfg.revise:
        raise CubeError(
            f"{cube.path} holds no status of {runs(without_status)}, which later days rest on: give revise=true, and "
            "these days and all days after them are made again, as a new revision"
        )
    used = frozenset(name for status in statuses.values() for name in status.get("files", ()))
    # A day is made again from the pixels of the day before it.
    kept = {day for day in statuses if day > cube.pixels_since}
    late = {d: names for d, names in late_granules(cfg, cube, products, statuses, files).items() if d in kept}
    if not cfg.revise:
        return Remake(late, used=used)
    wanted = set(days_between(cfg.start, cfg.end))
    damaged = {day: error for day in kept if day in wanted and (error := damage_of_day(cube, day))}
    return Remake(late, damaged, without_status, damaged_static_maps(cube), used)


def read_again_since(cube: Cube) -> dt.date:
    """The first day whose granules may be looked at again. In a record that keeps the pixels of its last days only no
    day before them is made again, so that looking at raw/ takes no longer as the record grows."""
    since = cube.pixels_since
    return since if since == dt.date.min else since - LOOKED_BACK * ONE_DAY


def damage_of_day(cube: Cube, day: dt.date) -> str:
    """The error of reading what is stored of ``day``, each variable once; empty where all can be read."""
    try:
        for name in cube.fine:
            cube.read_packed(name, day)
        for name in cube.coarse:
            cube.read_coarse(name, day)
        state = cube.state(day)
        for k in OVERPASSES:
            if f"lst_{k}" in cube.fine:
                require_state(cube, day, k, state)
    except DamagedError as err:
        return str(err)
    return ""


def damaged_static_maps(cube: Cube) -> dict[str, str]:
    """The static maps that are damaged, with the error of reading each."""
    errors = {}
    for name in cube.static:
        try:
            cube.read_static(name)
            cube.read_static_cell(name)
        except DamagedError as err:
            errors[name] = str(err)
    return errors


def require_granules(cube: Cube, first: dt.date, plans: Mapping[dt.date, DayPlan]) -> None:
    """Raise ``PrepareError`` where a stored day from ``first`` on was made of a kind of granule that raw/ has none of
    any more: made again, the day would lose that observation."""
    lost: dict[str, list[dt.date]] = defaultdict(list)
    for day in cube.done_days():
        if day < first:
            continue
        try:
            status = cube.status(day) or {}
        except DamagedError:
            continue
        there = plans[day].kinds()
        # Another platform stands in for the one that a cube began with.
        there |= {kind for kind in observed_kinds(cube) if f"{kind}_target_offset" in cube.coarse
                  and f"other_{kind}" in there}  # fmt: skip
        for kind in set(observed_kinds(cube)) - set(status.get("missing", ())) - there:
            lost[kind].append(day)
    if lost:
        kinds = "; ".join(f"{kind} on {runs(days)}" for kind, days in sorted(lost.items()))
        raise PrepareError(
            f"{cube.path}: days from {first} on would be made again, but raw/ holds no granule any more of {kinds}: "
            "put these files back, or leave the cube as it is"
        )
