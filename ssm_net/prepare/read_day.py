"""A day's granules: which they are, and what they give on the grid. Nothing here leans on another day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ssm_net.config import EngineConfig, PrepareConfig
from ssm_net.core.clock import HOURS, OVERPASSES, overpass_utc, utc_day
from ssm_net.core.workers import in_order
from ssm_net.cube.variables import API_DAYS
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Catalog, Granule
from ssm_net.ingest.fine import read_lst, read_reflectance
from ssm_net.ingest.modis_tiles import tile_names
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.reanalysis import read_reanalysis
from ssm_net.ingest.ssm import CoarseSSM, read_ssm
from ssm_net.prepare.products import Sources, known_product

T = TypeVar("T")


@dataclass(frozen=True)
class Interval:
    """A day of rain: its bounds in UTC and the granules that may hold it."""

    start: np.datetime64
    end: np.datetime64
    granules: tuple[Granule, ...]


@dataclass(frozen=True)
class Task:
    """All that reading one day needs."""

    day: dt.date
    domain: Domain
    granules: Mapping[str, tuple[Granule, ...]]  # by what is made of them: ssm, lst_day, other_lst_day, reflectance ..
    rain: tuple[Interval, ...]  # from one night overpass to the next, the latest first
    sigma_ssm: float
    missing_tiles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Day:
    """A day on the grid as it was seen: arrays (y, x) or, for ``ssm``, (R, C); ``None`` where no granule was usable."""

    day: dt.date
    ssm: CoarseSSM | None
    lst: Mapping[str, tuple[np.ndarray, np.ndarray] | None]
    other_lst: Mapping[str, tuple[np.ndarray, np.ndarray] | None]
    air: Mapping[str, tuple[np.ndarray, np.ndarray] | None]  # temperature (K) and radiation (W m-2) at the overpasses
    reflectance: Mapping[str, np.ndarray] | None
    rain: np.ndarray | None  # mm, of the day, 0 where nothing is known
    antecedent: Mapping[str, np.ndarray]  # mm, by API_DAYS: of it and of days before it that no stored day counted
    files: tuple[str, ...]
    problems: tuple[str, ...]
    left_out: Mapping[str, int]  # files that could not be read, with their size in bytes
    missing_tiles: tuple[str, ...]  # "product tile (kind)" of tiles that see the domain


def task(
    cfg: PrepareConfig, domain: Domain, found: Catalog, sources: Sources, day: dt.date, rain_days: int = 1
) -> Task:
    """Which granules make ``day``; it counts the rain of ``rain_days`` days, from one night overpass to the next."""
    west, _, east, _ = domain.bounds_lonlat()
    lon = (west + east) / 2
    granules: dict[str, tuple[Granule, ...]] = {}
    for name in sources.ssm:
        if "ssm" not in granules and day in found.get(name, {}):
            granules["ssm"] = found[name][day]
    for name, prefix in [*((n, "lst") for n in sources.lst), *((n, "other_lst") for n in sources.other_lst)]:
        p = known_product(name)
        for k, hour in HOURS.items():
            if p.layer(f"lst_{k}"):
                utc = p.family == "hdfeos" and cfg.modis_day == "utc"
                filed = utc_day(day, hour, lon) if utc else day
                if filed in found.get(name, {}):
                    granules[f"{prefix}_{k}"] = granules.get(f"{prefix}_{k}", ()) + found[name][filed]
    for k, hour in HOURS.items():
        utc_date = utc_day(day, hour, lon)
        air = tuple(g for name in sources.reanalysis for g in found.get(name, {}).get(utc_date, ()))
        if air:
            granules[f"air_{k}"] = air
    for name in sources.reflectance:
        if day in found.get(name, {}):
            granules["reflectance"] = found[name][day]
    overpass = overpass_utc(day, lon)
    rain = []
    for n in range(rain_days if sources.rain else 0):
        end = overpass - np.timedelta64(n, "D")
        # East of Greenwich the rain before 01:30 fell on the UTC day before, and began on the one before that.
        utc_days = [day - dt.timedelta(days=n + back) for back in (2, 1, 0)]
        near = {g.path: g for name in sources.rain for d in utc_days for g in found.get(name, {}).get(d, ())}
        rain.append(Interval(end - np.timedelta64(1, "D"), end, tuple(near.values())))
    return Task(day, domain, granules, tuple(rain), cfg.sigma_ssm, _missing_tiles(domain, granules))


def _missing_tiles(domain: Domain, granules: Mapping[str, Sequence[Granule]]) -> tuple[str, ...]:
    """The MODIS tiles that see the domain and have no granule, of the products that have any that day."""
    have: dict[tuple[str, str], set[str]] = {}
    for kind, found in granules.items():
        for granule in found:
            if known_product(granule.product).family == "hdfeos" and granule.tile:
                have.setdefault((kind, granule.product), set()).add(granule.tile)
    return tuple(f"{name} {tile} ({kind})" for (kind, name), tiles in sorted(have.items())
                 for tile in sorted(tile_names(domain) - tiles))  # fmt: skip


def read_day(work: Task) -> Day:
    """Read and warp the granules of a day. What cannot be read is named in ``problems`` and left out."""
    problems: list[str] = []
    files: list[str] = []
    left_out: dict[str, int] = {}
    fine = work.domain.fine

    def careful(granules: Sequence[Granule], read: Callable[[Sequence[Granule]], T]) -> T | None:
        left = list(granules)
        while left:
            try:
                out = read(left)
            except GranuleError as err:
                if not any(g.path == err.path for g in left):
                    raise
                problems.append(str(err))
                left_out[Path(err.path).name] = Path(err.path).stat().st_size
                left = [g for g in left if g.path != err.path]
            else:
                files.extend(g.path.name for g in left)
                return out
        return None

    given = work.granules
    lst = {k: careful(given.get(f"lst_{k}", ()), lambda g, k=k: read_lst(g, k, fine)) for k in OVERPASSES}  # type: ignore[misc]
    other = {k: careful(given.get(f"other_lst_{k}", ()), lambda g, k=k: read_lst(g, k, fine)) for k in OVERPASSES}  # type: ignore[misc]
    west, _, east, _ = work.domain.bounds_lonlat()
    when = {k: overpass_utc(work.day, (west + east) / 2, hour) for k, hour in HOURS.items()}
    air = {k: careful(given.get(f"air_{k}", ()), lambda g, k=k: read_reanalysis(g, when[k], work.domain))  # type: ignore[misc]
           for k in OVERPASSES}  # fmt: skip
    rain, antecedent = _rain(careful(i.granules, lambda g, i=i: rain_between(g, i.start, i.end, fine))  # type: ignore[misc]
                             for i in work.rain)  # fmt: skip
    return Day(
        work.day,
        careful(given.get("ssm", ()), lambda g: read_ssm(g, work.domain, work.sigma_ssm)),
        lst,
        other,
        air,
        careful(given.get("reflectance", ()), lambda g: read_reflectance(g, fine)),
        rain,
        antecedent,
        tuple(sorted(set(files))),
        tuple(problems),
        left_out,
        work.missing_tiles,
    )


def _rain(fallen: Iterable[np.ndarray | None]) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """The first of some days of rain, the latest first, and their sums, each of which fades in its own time; a day is
    let go before the next is read: the first of a record counts sixty."""
    first, sums = None, dict[str, np.ndarray]()
    for n, mm in enumerate(fallen):
        if n == 0:
            first = mm
        if mm is None:
            continue
        np.copyto(mm, 0, where=np.isnan(mm))
        for name, memory in API_DAYS.items():
            faded = np.float32(np.exp(-n / memory)) * mm if n else mm
            sums[name] = sums[name] + faded if name in sums else faded
    return first, sums


def read_ahead(tasks: Sequence[Task], workers: int, engine: EngineConfig) -> Iterator[Day]:
    """Days in order; with more than one worker, read by processes (pyhdf is not thread-safe) a few days ahead."""
    if workers == 1 and engine.name == "local":
        yield from map(read_day, tasks)
    else:
        yield from in_order(read_day, tasks, engine, workers)
