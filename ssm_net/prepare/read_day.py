"""Reader of a day's granules: what they give on the grid. It needs no other day, so days may be read in parallel."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ssm_net.config import EngineConfig
from ssm_net.core.clock import HOURS, OVERPASSES, overpass_utc
from ssm_net.core.workers import in_order
from ssm_net.cube.variables import API_DAYS
from ssm_net.ingest.account import Remark, collecting, remark
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
    """A day as observed, on the grid: arrays (y, x) or, for ``ssm``, (R, C); ``None`` where no granule was usable."""

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
    remarks: tuple[Remark, ...] = ()  # of readers, for the account


def read_granules(plan: DayPlan) -> ObservedDay:
    """Read and warp the granules of a day. What cannot be read is named in ``problems`` and left out; an older version
    of such a file is used in its place, where there is one."""
    with collecting() as remarks:
        observed = _read(plan)
    return replace(observed, remarks=tuple(dict.fromkeys(remarks)))


def _read(plan: DayPlan) -> ObservedDay:
    problems: list[str] = []
    files: list[str] = []
    left_out: dict[str, int] = {}
    fine = plan.domain.fine

    def read_usable(granules: Sequence[Granule], read: Callable[[Sequence[Granule]], T]) -> T | None:
        """``read`` of those granules that can be read; None where there are none."""
        usable = list(granules)
        while usable:
            try:
                out = read(usable)
            except GranuleError as err:
                bad = next((g for g in usable if g.path == err.path), None)
                if bad is None:
                    raise
                problems.append(str(err))
                left_out[bad.path.name] = _size(bad.path)
                remark(Remark(bad.product, err.what, bad.path.name, expected=True))  # the problem is the warning
                instead = [replace(bad, path=path, older=bad.older[n:]) for n, path in enumerate(bad.older, 1)][:1]
                problems.extend(
                    f"{g.path}: this older version of {bad.path.name} is used in its place" for g in instead
                )
                at = usable.index(bad)
                usable[at : at + 1] = instead
                usable = [g for g in usable if g.path != err.path]
            else:
                files.extend(g.path.name for g in usable)
                return out
        return None

    granules = plan.granules
    lst = {k: read_usable(granules.get(f"lst_{k}", ()), lambda g, k=k: read_lst(g, k, fine)) for k in OVERPASSES}  # type: ignore[misc]
    other_lst = {k: read_usable(granules.get(f"other_lst_{k}", ()), lambda g, k=k: read_lst(g, k, fine))  # type: ignore[misc]
                 for k in OVERPASSES}  # fmt: skip
    west, _, east, _ = plan.domain.bounds_lonlat()
    moment = {k: overpass_utc(plan.day, (west + east) / 2, hour) for k, hour in HOURS.items()}
    air = {k: read_usable(granules.get(f"air_{k}", ()), lambda g, k=k: read_reanalysis(g, moment[k], plan.domain))  # type: ignore[misc]
           for k in OVERPASSES}  # fmt: skip
    rain, antecedent = _sum_rain(read_usable(i.granules, lambda g, i=i: rain_between(g, i.start, i.end, fine))  # type: ignore[misc]
                                 for i in plan.rain)  # fmt: skip
    ssm = read_usable(granules.get("ssm", ()), lambda g: read_ssm(g, plan.domain, plan.sigma_ssm))
    reflectance = read_usable(granules.get("reflectance", ()), lambda g: read_reflectance(g, fine))
    return ObservedDay(
        day=plan.day, ssm=ssm, lst=lst, other_lst=other_lst, air=air, reflectance=reflectance, rain=rain,
        antecedent=antecedent, files=tuple(sorted(set(files))), problems=tuple(problems), left_out=left_out,
        missing_tiles=plan.missing_tiles,
    )  # fmt: skip


def _size(path: Path) -> int:
    """Bytes; 0 of a file that went away."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sum_rain(fields: Iterable[np.ndarray | None]) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """The first of some days of rain (mm, the latest first), and their sums by ``API_DAYS``, each of which fades in its
    own time. A day is let go before the next is read: the first of a record counts sixty."""
    first, sums = None, dict[str, np.ndarray]()
    for n, mm in enumerate(fields):
        if n == 0:
            first = mm
        if mm is None:
            continue
        np.copyto(mm, 0, where=np.isnan(mm))
        for name, memory in API_DAYS.items():
            faded = np.float32(np.exp(-n / memory)) * mm if n else mm
            sums[name] = sums[name] + faded if name in sums else faded
    return first, sums


def read_ahead(plans: Sequence[DayPlan], workers: int, engine: EngineConfig) -> Iterator[ObservedDay]:
    """Days in order; with more than one worker, read by processes (pyhdf is not thread-safe) a few days ahead."""
    if workers == 1 and engine.name == "local":
        yield from map(read_granules, plans)
    else:
        yield from in_order(read_granules, plans, engine, workers)
