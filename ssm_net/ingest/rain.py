"""Reader of rain: its sum between two moments, from files of any latitude/longitude grid and accumulation period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox

from ssm_net.core.files import stamp
from ssm_net.ingest import latlon
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.quantities import RAIN
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError, Raster
from ssm_net.ingest.resample import regrid

NAMES = (
    "precipitation", "precip", "precipitationcal", "total_precipitation", "tp", "pr", "prcp", "rain", "rainfall",
    "prec", "ppt", "rr",
)  # fmt: skip
MM = {"mm": 1.0, "kg m-2": 1.0, "kg/m2": 1.0, "kg m**-2": 1.0, "m": 1000.0, "cm": 10.0, "mm/day": 1.0, "mm d-1": 1.0,
      "mm day-1": 1.0, "mm/d": 1.0}  # fmt: skip
MM_PER_SECOND = {"kg m-2 s-1": 1.0, "kg m**-2 s**-1": 1.0, "mm s-1": 1.0, "mm/s": 1.0, "mm/h": 1 / 3600,
                 "mm/hr": 1 / 3600, "mm h-1": 1 / 3600, "m s-1": 1000.0, "m/s": 1000.0}  # fmt: skip
PER_DAY = ("mm/day", "mm d-1", "mm day-1", "mm/d")
ONE_SECOND = np.timedelta64(1, "s")


def rain_between(granules: Sequence[Granule], t0: np.datetime64, t1: np.datetime64, geobox: GeoBox) -> np.ndarray:
    """Rain from ``t0`` to ``t1`` (UTC) on ``geobox``: (y, x) mm float32, bilinear.

    Each accumulation counts in proportion to the fraction of its own interval that lies in [t0, t1]. NaN where less
    than half of [t0, t1] is covered.

    Raises ``GranuleError`` where a file is damaged, states no units of rain, or two accumulations overlap in time.
    """
    t0, t1 = t0.astype("datetime64[s]"), t1.astype("datetime64[s]")
    assert t0 < t1, f"no time between {t0} and {t1}"
    sums: list[Raster] = []
    covers: list[Raster] = []
    taken: list[tuple[np.datetime64, np.datetime64, Granule]] = []
    for granule in {g.path: g for g in granules}.values():
        added = _contribution(granule, t0, t1, taken)
        if added is not None:
            for total, cover in zip(*added, strict=True):
                _add(sums, covers, total, cover)
    out = np.full(tuple(geobox.shape), np.nan, np.float32)
    for total, cover in zip(sums, covers, strict=True):
        # Weighted means on the source grid first: NaN pixels of one file do not spread over the others.
        rain = Raster(np.where(cover.data >= 0.5, total.data, np.nan).astype(np.float32), total.geobox)
        np.copyto(out, regrid([rain], geobox, "bilinear"), where=np.isnan(out))
    return out


def _contribution(
    granule: Granule, t0: np.datetime64, t1: np.datetime64, taken: list[tuple[np.datetime64, np.datetime64, Granule]]
) -> tuple[tuple[Raster, ...], tuple[Raster, ...]] | None:
    """One file's (rain in mm, covered fraction of [t0, t1]) on its own grid; None where it has nothing between them."""
    path = granule.path
    header = _header(path, stamp(path))
    within = (header.bounds[:, 0] < t1) & (header.bounds[:, 1] > t0)
    if not within.any():
        return None
    total = np.zeros((header.grid.lat.size, header.grid.lon.size))
    cover = np.zeros_like(total)
    for step in np.flatnonzero(within):
        start, end = header.bounds[step]
        for other_start, other_end, other in taken:
            if min(end, other_end) - max(start, other_start) > ONE_SECOND:
                raise GranuleError(path, f"its rain of {start} to {end} is also in {other.path}",
                                   layer=header.name, remedy="keep one of the two")  # fmt: skip
        taken.append((start, end, granule))
        mm = _step(path, stamp(path), int(step))
        both = (min(end, t1) - max(start, t0)) / ONE_SECOND
        known = np.isfinite(mm)
        total += np.where(known, mm, 0.0) * both / ((end - start) / ONE_SECOND)
        cover += known * both / ((t1 - t0) / ONE_SECOND)
    return latlon.rasters(header.grid, total), latlon.rasters(header.grid, cover)


@dataclass(frozen=True)
class _Header:
    """The contents of a file: start and end of each step, its grid, the names of the rain variable and its time axis,
    and, where it has one step only, the rain itself, (lat, lon) mm."""

    bounds: np.ndarray
    grid: latlon.Axes
    name: str
    time_name: str | None
    only: np.ndarray | None


# A file serves the days next to its own, too, and opening one takes longer than reading it.
@lru_cache(8)
def _header(path: Path, at: tuple[int, int]) -> _Header:
    """The header of a file as it was ``at`` its stamp."""
    with latlon.open_netcdf(path) as dataset:
        bounds, grid = latlon.intervals(path, dataset), latlon.axes(path, dataset)
        name = latlon.find_variable(path, dataset, NAMES, "rain")
        time_name = next((t for t in latlon.TIME_NAMES if t in dataset[name].dims), None)
        only = _field(path, dataset, name, time_name, grid, bounds, 0) if len(bounds) == 1 else None
        return _Header(bounds, grid, name, time_name, only)


@lru_cache(4)
def _step(path: Path, at: tuple[int, int], step: int) -> np.ndarray:
    """Rain of one step, (lat, lon) mm over its interval, NaN where missing."""
    header = _header(path, at)
    if header.only is not None:
        return header.only
    with latlon.open_netcdf(path) as dataset:
        return _field(path, dataset, header.name, header.time_name, header.grid, header.bounds, step)


def _field(
    path: Path, dataset: xr.Dataset, name: str, time_name: str | None, grid: latlon.Axes, bounds: np.ndarray, step: int
) -> np.ndarray:
    start, end = bounds[step]
    at = dataset[[name]].isel({time_name: [step]}) if time_name else dataset[[name]]
    factor = _to_mm(path, dataset[name], (end - start) / ONE_SECOND)
    mm = plausible(latlon.field(path, at, name, grid), RAIN, path, name, linear=(factor, 0.0))
    return np.maximum(mm, 0, out=mm).astype(np.float32)  # up to eight are cached, and may cover the globe


def _add(sums: list[Raster], covers: list[Raster], total: Raster, cover: Raster) -> None:
    """Add to the sum on the same grid, or begin a new one."""
    for n, known in enumerate(sums):
        if known.geobox == total.geobox:
            sums[n] = Raster(known.data + total.data, known.geobox)
            covers[n] = Raster(covers[n].data + cover.data, known.geobox)
            return
    sums.append(total)
    covers.append(cover)


def _to_mm(path: object, variable: xr.DataArray, seconds: float) -> float:
    """The factor from a stored number to mm over its interval. Raises ``GranuleError`` where the units are unknown."""
    units = " ".join(str(variable.attrs.get("units", "")).split())
    if units in PER_DAY:
        return seconds / 86400
    if units in MM:
        return MM[units]
    if units in MM_PER_SECOND:
        return MM_PER_SECOND[units] * seconds
    raise GranuleError(str(path), f"units {units!r} are not known for rain (mm, m, kg m-2, mm/day, kg m-2 s-1 ...)",
                       layer=str(variable.name), remedy="set its units attribute")  # fmt: skip
