"""Reader of rain: its sum between two moments, from files of any latitude/longitude grid and accumulation period."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import lru_cache
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from ssm_net.config.rain_day import RainDay
from ssm_net.core.files import stamp
from ssm_net.dateline import PER_DEGREE, near
from ssm_net.ingest import latlon, time_axis
from ssm_net.ingest.accumulation import since_midnight
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.quantities import RAIN
from ssm_net.ingest.rain_products import ERA5, ERA5_LAND, rain_product
from ssm_net.ingest.rain_steps import ONE_SECOND, RainHeader, RainStep, Say, rain_steps
from ssm_net.ingest.rain_units import mm_per_unit
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError, Raster
from ssm_net.ingest.resample import regrid

log = logging.getLogger(__name__)

NAMES = (
    "precipitation", "precip", "precipitationcal", "total_precipitation", "tp", "pr", "prcp", "rain", "rainfall",
    "prec", "ppt", "rr", "rainf_f_tavg", "rainf_tavg", "rainf",
)  # fmt: skip
Interval = tuple[np.datetime64, np.datetime64]
SECONDS_PER_DEGREE = 240  # of local solar time


def rain_between(
    granules: Sequence[Granule],
    t0: np.datetime64,
    t1: np.datetime64,
    geobox: GeoBox,
    rain_day: RainDay | None = None,
    say: Say = log.warning,
    middle: float | None = None,
) -> np.ndarray:
    """Rain from ``t0`` to ``t1`` (UTC) on ``geobox``: (y, x) mm float32, bilinear.

    With ``middle`` the two are of that longitude (degrees), and every column of a grid has them at the same local solar
    time: an hour earlier 15 degrees to the east.

    Each accumulation counts in proportion to the fraction of its own interval that lies in [t0, t1]. NaN where less
    than half of [t0, t1] is covered. ``rain_day`` tells where intervals lie that the files do not state; ``say`` hears
    what had to be guessed.

    Raises ``GranuleError`` where a file is damaged, states no units of rain, or two accumulations overlap in time.
    """
    t0, t1 = t0.astype("datetime64[s]"), t1.astype("datetime64[s]")
    assert t0 < t1, f"no time between {t0} and {t1}"
    sums: list[Raster] = []
    covers: list[Raster] = []
    headers = [_header(path, stamp(path)) for path in {g.path: None for g in granules}]
    reach = 0.0 if middle is None else geobox.shape[1] / 2 * abs(geobox.affine.a) / PER_DEGREE
    most = np.timedelta64(math.ceil(reach * SECONDS_PER_DEGREE), "s")
    within = [s for s in rain_steps(headers, rain_day, say) if s.start < t1 + most and s.end > t0 - most]
    _refuse_overlaps(within)
    with _OpenFiles() as files:
        for _, steps in groupby(within, key=lambda s: s.header.path):
            steps_of = list(steps)
            lon = steps_of[0].header.grid.lon
            early = 0.0 if middle is None else np.clip(near(lon, middle) - middle, -reach, reach) * SECONDS_PER_DEGREE
            for total, cover in zip(*_contribution(steps_of, t0, t1, early, files), strict=True):
                _add(sums, covers, total, cover)
    # Weighted means on the source grid first: NaN pixels of one file do not spread over the others.
    rain = [Raster(np.where(cover.data >= 0.5, total.data, np.nan).astype(np.float32), total.geobox)
            for total, cover in zip(sums, covers, strict=True)]  # fmt: skip
    return regrid(rain, geobox, "bilinear")


def rain_intervals(
    paths: Sequence[Path], rain_day: RainDay | None
) -> dict[Path, list[tuple[np.datetime64, np.datetime64]]]:
    """The intervals (UTC) that the steps of each file cover. Raises ``GranuleError``."""
    out: dict[Path, list[tuple[np.datetime64, np.datetime64]]] = {path: [] for path in paths}
    for step in rain_steps([_header(path, stamp(path)) for path in paths], rain_day, lambda _: None):
        out[step.header.path].append((step.start, step.end))
    return out


def _refuse_overlaps(steps: Sequence[RainStep]) -> None:
    order = sorted(range(len(steps)), key=lambda n: steps[n].start)
    for before, after in pairwise(order):
        if steps[before].end - steps[after].start > ONE_SECOND:
            first, second = steps[min(before, after)], steps[max(before, after)]
            raise GranuleError(
                second.header.path, f"its rain of {second.start} to {second.end} is also in {first.header.path}",
                layer=second.header.name, remedy="keep one of the two",
            )  # fmt: skip


def _contribution(
    steps: Sequence[RainStep], t0: np.datetime64, t1: np.datetime64, early: np.ndarray | float, files: _OpenFiles
) -> tuple[tuple[Raster, ...], tuple[Raster, ...]]:
    """The (rain in mm, covered fraction of [t0, t1]) of the steps of one file, on its own grid, whose
    columns have the two ``early`` seconds before the time."""
    grid = steps[0].header.grid
    whole = (t1 - t0) / ONE_SECOND
    total = np.zeros((grid.lat.size, grid.lon.size))
    cover = np.zeros_like(total)
    for step in steps:
        mm = _mm(step, files)
        start, end = ((at - t0) / ONE_SECOND + early for at in (step.start, step.end))
        both = np.maximum(np.minimum(end, whole) - np.maximum(start, 0.0), 0.0)
        known = np.isfinite(mm)
        total += np.where(known, mm, 0.0) * both / ((step.end - step.start) / ONE_SECOND)
        cover += known * both / whole
    return latlon.rasters(grid, total), latlon.rasters(grid, cover)


def _mm(step: RainStep, files: _OpenFiles) -> np.ndarray:
    """Rain over the interval of a step, (lat, lon) mm, NaN where missing."""
    header = step.header
    factor = mm_per_unit(header.units, float((step.end - step.start) / ONE_SECOND))
    if factor is None:
        raise GranuleError(header.path, f"units {header.units!r} are not known for rain (mm, m, kg m-2, mm/day, "
                           "mm h-1, kg m-2 s-1 ...)", layer=header.name, remedy="set its units attribute")  # fmt: skip

    def amount(header: RainHeader, at: int) -> np.ndarray:
        return plausible(files.step(header, at).copy(), RAIN, header.path, header.name, linear=(factor, 0.0))

    mm = amount(header, step.step)
    if step.less is not None:
        mm = mm - amount(*step.less)
    return np.maximum(mm, 0).astype(np.float32)  # packing may let a sum that stands still fall by a little


# A file serves the days next to its own, too, and opening one takes longer than reading it.
@lru_cache(8)
def _opened(path: Path, at: tuple[int, int]) -> tuple[RainHeader, np.ndarray | None]:
    """The header of a file as it was ``at`` its stamp and, where it has one step only, its values, (lat, lon)."""
    with latlon.open_netcdf(path) as dataset:
        stamps, grid = latlon.stamps_of(path, dataset), latlon.axes(path, dataset)
        stated = time_axis.stated_intervals(path, dataset)
        name = latlon.find_variable(path, dataset, NAMES, "rain")
        variable = dataset[name]
        time_name = next((t for t in time_axis.TIME_NAMES if t in variable.dims), None)
        marks = " ".join(str(v) for v in (path.name, name, *dataset.attrs.values(), *variable.attrs.values()))
        step_type = str(variable.attrs.get("GRIB_stepType", "")).lower()
        units = " ".join(str(variable.attrs.get("units", "")).split())
        product = rain_product(marks)
        if product == ERA5 and abs(grid.lat[1] - grid.lat[0]) < 0.15:  # 0.1 degrees; ERA5 has 0.25
            product = ERA5_LAND
        header = RainHeader(
            path, stamps if stated is None else stated[:, 1], stated, grid, name, time_name, units, product,
            since_midnight=False, backward=step_type in ("accum", "avg"),
        )  # fmt: skip
        if stated is None and mm_per_unit(units, 1.0) == mm_per_unit(units, 2.0):  # an amount, not a rate
            if step_type == "accum" or product in (ERA5, ERA5_LAND):
                header = replace(header, since_midnight=_since_midnight(path, dataset, header))
        only = _field(path, dataset, header, 0) if header.stamps.size == 1 else None
        return header, only


@lru_cache(512)
def _header(path: Path, at: tuple[int, int]) -> RainHeader:
    return _opened(path, at)[0]


class _OpenFiles(ExitStack):
    """Files that are read step after step, each opened once, and the last steps that were read."""

    def __init__(self) -> None:
        super().__init__()
        self.datasets: dict[Path, xr.Dataset] = {}
        self.last: dict[tuple[Path, int], np.ndarray] = {}

    def step(self, header: RainHeader, step: int) -> np.ndarray:
        """The stored numbers of one step, (lat, lon) float32, NaN where missing."""
        path, key = header.path, (header.path, step)
        if header.stamps.size == 1 and (only := _opened(path, stamp(path))[1]) is not None:
            return only
        if key not in self.last:
            if path not in self.datasets:
                self.datasets[path] = self.enter_context(latlon.open_netcdf(path))
            self.last = dict([*self.last.items()][-1:])
            self.last[key] = _field(path, self.datasets[path], header, step)
        return self.last[key]


def _field(path: Path, dataset: xr.Dataset, header: RainHeader, step: int) -> np.ndarray:
    at = dataset[[header.name]].isel({header.time_name: [step]}) if header.time_name else dataset[[header.name]]
    return latlon.field(path, at, header.name, header.grid).astype(np.float32)  # cached, and may cover the globe


def _since_midnight(path: Path, dataset: xr.Dataset, header: RainHeader) -> bool:
    """Whether values are sums since 00 UTC: as they tell themselves; else in ERA5-Land, and where each step is a 00:00,
    which alone would be useless of any other."""
    told = since_midnight(path, dataset, header.name, header.grid, header.stamps)
    if told is not None:
        return told
    if header.product is not None:
        return header.product == ERA5_LAND
    return bool((header.stamps == header.stamps.astype("datetime64[D]")).all())


def _add(sums: list[Raster], covers: list[Raster], total: Raster, cover: Raster) -> None:
    """Add to the sum on the same grid, or begin a new one."""
    for n, known in enumerate(sums):
        if known.geobox == total.geobox:
            sums[n] = Raster(known.data + total.data, known.geobox)
            covers[n] = Raster(covers[n].data + cover.data, known.geobox)
            return
    sums.append(total)
    covers.append(cover)
