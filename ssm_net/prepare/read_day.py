"""A day's granules: which they are, and what they give on the grid. Nothing here leans on another day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ssm_net.config import EngineConfig
from ssm_net.core.clock import HOURS, OVERPASSES, overpass_utc
from ssm_net.core.workers import in_order
from ssm_net.cube.variables import API_DAYS
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.fine import read_lst, read_reflectance
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.reanalysis import read_reanalysis
from ssm_net.ingest.ssm import CoarseSSM, read_ssm
from ssm_net.prepare.day_plan import DayPlan

T = TypeVar("T")


@dataclass(frozen=True)
class ObservedDay:
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


def read_granules(work: DayPlan) -> ObservedDay:
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
    return ObservedDay(
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


def read_ahead(tasks: Sequence[DayPlan], workers: int, engine: EngineConfig) -> Iterator[ObservedDay]:
    """Days in order; with more than one worker, read by processes (pyhdf is not thread-safe) a few days ahead."""
    if workers == 1 and engine.name == "local":
        yield from map(read_granules, tasks)
    else:
        yield from in_order(read_granules, tasks, engine, workers)
