"""Reader of a day's granules: what they give on the grid. It needs no other day, so days may be read in parallel."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from ssm_net.config import EngineConfig
from ssm_net.core.ahead import prefetched
from ssm_net.core.clock import HOURS, OVERPASSES, hour_bands, is_wide, overpass_utc
from ssm_net.core.files import write_whole
from ssm_net.core.reading_mark import ENDS
from ssm_net.core.workers import in_order, those_that_kill
from ssm_net.cube.spacing import spacing
from ssm_net.cube.variables import API_DAYS
from ssm_net.ingest import flag_costs
from ssm_net.ingest.account import Remark, collecting, remark
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.fine import read_lst, read_reflectance
from ssm_net.ingest.flag_costs import Cost
from ssm_net.ingest.notes import collected
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.reanalysis import read_reanalysis
from ssm_net.ingest.ssm import CoarseSSM, by_record, read_ssm
from ssm_net.ingest.usable import read_those_that_can
from ssm_net.prepare.antecedent_rain import RainSum, fading
from ssm_net.prepare.day_plan import DayPlan
from ssm_net.prepare.products import known_product

T = TypeVar("T")
Views = tuple[np.ndarray, np.ndarray]  # LST and its standard error, (y, x) K
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ObservedDay:
    """A day as observed, on the grid: arrays (y, x) or, for ``ssm``, (R, C); ``None`` where no granule was usable.

    ``lst`` is by overpass, ``other_lst`` by overpass and platform: LST and its error, K. ``reflectance`` is by
    variable. Who stores the day takes out what is stored, so that it is not held any longer.
    """

    day: dt.date
    ssm: CoarseSSM | None
    lst: dict[str, Views | None]
    other_lst: dict[str, Mapping[str, Views | None]]
    air: Mapping[str, tuple[np.ndarray, np.ndarray] | None]  # temperature (K) and radiation (W m-2) at the overpasses
    reflectance: dict[str, np.ndarray] | None
    rain: np.ndarray | None  # mm, of the day, in its own spacing, NaN where it is not known
    antecedent: RainSum  # of it and of days before it that no stored day counted
    files: tuple[str, ...]
    problems: tuple[str, ...]
    left_out: Mapping[str, int]  # files that could not be read, with their size in bytes
    missing_tiles: tuple[str, ...]  # "product tile (kind)" of tiles that see the domain
    flags: Mapping[str, Cost] = field(default_factory=dict)  # what quality flags cost, "product: flag (effect)"
    remarks: tuple[Remark, ...] = ()  # of readers, for the account
    other_ssm: tuple[CoarseSSM, ...] = ()  # of other sensors than ``ssm``, where the day is their consensus

    @property
    def all_ssm(self) -> tuple[CoarseSSM, ...]:
        """Of each sensor."""
        return () if self.ssm is None else (self.ssm, *self.other_ssm)


def read_granules(plan: DayPlan) -> ObservedDay:
    """Read and warp the granules of a day. What cannot be read is named in ``problems`` and left out; an older version
    of such a file is used in its place, where there is one."""
    with collecting() as remarks, flag_costs.collected() as costs:
        observed = _read(plan)
    used = {path: g.product for of_kind in plan.granules.values() for g in of_kind for path in (g.path, *g.older)
            if path.name in observed.files}  # fmt: skip
    return replace(observed, flags=flag_costs.of_day(costs, used), remarks=tuple(dict.fromkeys(remarks)))


def _read(plan: DayPlan) -> ObservedDay:
    problems: list[str] = []
    files: list[str] = []
    left_out: dict[str, int] = {}
    fine = plan.domain.fine
    of_rain = fine.zoom_out(spacing("rain", plan.domain.ratio))
    west, _, east, _ = plan.domain.bounds_lonlat()
    middle = (west + east) / 2 if is_wide((west, east)) else None

    def read_usable(granules: Sequence[Granule], read: Callable[[Sequence[Granule]], T]) -> T | None:
        """``read`` of those granules that can be read; None where there are none."""
        with collected() as made:  # by all tries: a file that is cached is not read again
            out, used, bad = read_those_that_can(granules, read)
        products = {path: g.product for g in granules for path in (g.path, *g.older)}
        newest = {path: g.path.name for g in granules for path in g.older}
        for err in bad:
            problems.append(str(err))
            left_out[err.path.name] = _size(err.path)
            remark(Remark(products[err.path], err.what, err.path.name, expected=True))  # the problem is the warning
        for g in used:
            files.append(g.path.name)
            if g.path in newest:
                problems.append(f"{g.path}: this older version of {newest[g.path]} is used in its place")
        for note in made:
            if any(g.path == note.path for g in used):
                what = f"layer {note.layer!r}: {note.what}"
                remark(Remark(products[note.path], what, note.path.name, left_out=False, detail=note.detail,
                              expected=note.expected))  # fmt: skip
        return out

    def say_of(usable: Sequence[Granule]) -> Callable[[str], None]:
        return lambda text: remark(Remark(usable[0].product, text, things="days", left_out=False))

    def air_at(usable: Sequence[Granule], hour: float) -> tuple[np.ndarray, np.ndarray] | None:
        return _air(usable, plan, hour, say_of(usable))

    def rain_of(usable: Sequence[Granule], start: np.datetime64, end: np.datetime64) -> np.ndarray:
        return rain_between(usable, start, end, of_rain, plan.rain_day, say_of(usable), middle)

    granules = plan.granules

    def read_views(k: str, kind: str, of_platform: str | None = None) -> Views | None:
        """LST of an overpass, of all granules of ``kind`` or those of one platform; None where it has no file."""

        def chosen(of_kind: Sequence[Granule]) -> list[Granule]:
            return [g for g in of_kind if of_platform in (None, known_product(g.product).platform)]

        got = read_usable(chosen(granules.get(kind, ())), lambda g: read_lst(g, k, fine, plan.day, plan.modis_day))
        by_chance = not chosen(plan.certain().get(kind, ()))
        return None if by_chance and got is not None and not np.isfinite(got[0]).any() else got

    lst = {k: read_views(k, f"lst_{k}") for k in OVERPASSES}
    other_lst: dict[str, Mapping[str, Views | None]] = {
        k: {p: read_views(k, f"other_lst_{k}", p) for p in _platforms(granules.get(f"other_lst_{k}", ()))}
        for k in OVERPASSES
    }
    air = {k: read_usable(granules.get(f"air_{k}", ()), lambda g, k=k: air_at(g, HOURS[k]))  # type: ignore[misc]
           for k in OVERPASSES}  # fmt: skip
    rain, antecedent = sum_rain(read_usable(i.granules, lambda g, i=i: rain_of(g, i.start, i.end))  # type: ignore[misc]
                                 for i in plan.rain)  # fmt: skip
    records = by_record(granules.get("ssm", ())) if plan.together else [granules.get("ssm", ())]
    read = (read_usable(of_one, lambda g: read_ssm(g, plan.domain, plan.sigma_ssm, plan.day)) for of_one in records)
    seen = [one for one in read if one is not None]
    reflectance = read_usable(
        granules.get("reflectance", ()), lambda g: read_reflectance(g, fine, plan.day, plan.composite_since)
    )
    return ObservedDay(
        day=plan.day, ssm=seen[0] if seen else None, lst=lst, other_lst=other_lst, air=air, reflectance=reflectance,
        rain=rain, antecedent=antecedent, files=tuple(sorted(set(files))), problems=tuple(problems), left_out=left_out,
        missing_tiles=plan.missing_tiles, other_ssm=tuple(seen[1:]),
    )  # fmt: skip


def _platforms(granules: Sequence[Granule]) -> list[str]:
    return list(dict.fromkeys(known_product(g.product).platform for g in granules))


def _air(
    granules: Sequence[Granule], plan: DayPlan, hour: float, say: Callable[[str], None]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Air temperature and radiation at a local solar ``hour``, as of ``read_reanalysis``; of a wide domain band by
    band, NaN where the files do not have the hour of a band."""
    west, _, east, _ = plan.domain.bounds_lonlat()
    if not is_wide((west, east)):
        return read_reanalysis(granules, overpass_utc(plan.day, (west + east) / 2, hour), plan.domain, say)
    out = np.full((2, *plan.domain.coarse_shape), np.nan, np.float32)
    for cols, lon in hour_bands(plan.domain.lonlat(coarse=True)[0]):
        got = read_reanalysis(granules, overpass_utc(plan.day, lon, hour), plan.domain, say)
        if got is not None:
            out[..., cols] = np.stack(got)[..., cols]
    return (out[0], out[1]) if np.isfinite(out[0]).any() else None


def _size(path: Path) -> int:
    """Bytes; 0 of a file that went away."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def sum_rain(fields: Iterable[np.ndarray | None]) -> tuple[np.ndarray | None, RainSum]:
    """The first of some days of rain (mm, the latest first, NaN where missing), and their sums by ``API_DAYS``, each of
    which fades in its own time. A day is let go before the next is read: the first of a record counts sixty."""
    first, n, sums = None, -1, dict[str, np.ndarray]()
    known: np.ndarray | bool = False
    unknown: dict[str, np.ndarray | float] = dict.fromkeys(API_DAYS, 0.0)
    for n, mm in enumerate(fields):
        first = mm if n == 0 else first
        missing = None if mm is None else np.isnan(mm)
        if mm is None or missing is None or missing.all():
            # Days before the latest of which no file tells anything count as dry: a record begins there, or a season.
            unknown = {name: 1 - fading(name) for name in API_DAYS} if n == 0 else unknown
            continue
        complete = not missing.any()
        known = True if complete or known is True else known | ~missing
        if not complete:
            mm = np.where(missing, np.float32(0), mm)
        for name, memory in API_DAYS.items():
            faded = np.float32(np.exp(-n / memory)) * mm if n else mm
            sums[name] = sums[name] + faded if name in sums else faded
            if not complete:
                unknown[name] = unknown[name] + missing * np.float32((1 - fading(name)) * fading(name, n))
    return first, RainSum(sums, unknown, known, n + 1)


def read_ahead(plans: Sequence[DayPlan], workers: int, engine: EngineConfig, mark: Path) -> Iterator[ObservedDay]:
    """Days in order; with more than one worker, read by processes (pyhdf is not thread-safe) a few days ahead.

    One worker reads in a thread of this process, a day while the caller works on the one before it. ``mark``, a file
    that names the day being read, stays where that ends the process: the next run then reads in a process of its own,
    which may die, and finds the file that is to blame.
    """
    if workers > 1 or engine.name != "local":
        yield from in_order(read_granules, plans, engine, workers, _read_without_fatal)
        return
    if mark.exists():
        log.warning("the last run ended while it read %s: granules are read by a process of its own this time",
                    mark.read_bytes()[:10].decode(errors="replace"))  # fmt: skip
        yield from in_order(read_granules, plans, engine, workers, _read_without_fatal)
        mark.unlink(missing_ok=True)
        return
    read = partial(_read_marked, mark)
    for stretch in _stretches(plans):
        yield from prefetched(map(read, stretch))


def _stretches(plans: Sequence[DayPlan]) -> Iterator[list[DayPlan]]:
    """The days that are read ahead one after the other: one with reflectance begins anew, once the day before it is
    stored, since six more fields of a country would not fit in 4 GiB beside that."""
    stretch: list[DayPlan] = []
    for plan in plans:
        if stretch and "reflectance" in plan.granules:
            yield stretch
            stretch = []
        stretch.append(plan)
    yield stretch


def _read_marked(mark: Path, plan: DayPlan) -> ObservedDay:
    write_whole(mark, str(plan.day).encode())
    try:
        return read_granules(plan)
    finally:
        mark.unlink(missing_ok=True)


def _read_without_fatal(plan: DayPlan) -> ObservedDay:
    """A day over which the process that reads it dies: granule by granule, in processes of their own, and then without
    those over which they die. Raises ``WorkerError`` where it dies all the same."""
    granules = {g.path: g for of_kind in plan.granules.values() for g in of_kind}
    granules |= {g.path: g for interval in plan.rain for g in interval.granules}
    log.warning("%s: the process that reads this day ends; its %d files are read one by one", plan.day, len(granules))
    fatal = set(those_that_kill(partial(_read_one, plan), sorted(granules)))
    (observed,) = in_order(read_granules, [_only(plan, set(granules) - fatal)], EngineConfig(), 1)
    bad = [GranuleError(path, ENDS, day=plan.day) for path in sorted(fatal)]
    return replace(
        observed, problems=(*observed.problems, *map(str, bad)),
        left_out={**observed.left_out, **{err.path.name: _size(err.path) for err in bad}},
    )  # fmt: skip


def _read_one(plan: DayPlan, path: Path) -> None:
    read_granules(_only(plan, {path}))


def _only(plan: DayPlan, paths: Collection[Path]) -> DayPlan:
    """The plan of a day with the granules of these files alone."""
    granules = {kind: kept for kind, of_kind in plan.granules.items()
                if (kept := tuple(g for g in of_kind if g.path in paths))}  # fmt: skip
    rain = tuple(replace(i, granules=tuple(g for g in i.granules if g.path in paths)) for i in plan.rain)
    return replace(plan, granules=granules, rain=rain)
