"""Reader of a reanalysis: air temperature and sunlight at the hour of an overpass, on the coarse cells.

Hourly ``t2m`` (K) and, optionally, ``ssrd`` (J m-2) as the Climate Data Store gives them, in one file or in two. In
ERA5-Land radiation accumulates from 00 UTC of each day, in ERA5 it is of the hour before (ECMWF, data documentation,
"accumulations"): the values tell which.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.core.files import stamp
from ssm_net.grid import Domain
from ssm_net.ingest import latlon, time_axis
from ssm_net.ingest.accumulation import since_midnight
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.quantities import AIR_TEMPERATURE, RADIATION
from ssm_net.ingest.ranges import conversion, plausible

log = logging.getLogger(__name__)

HOUR = np.timedelta64(3600, "s")
NEAREST = np.timedelta64(5400, "s")  # the largest distance of a time step from the overpass
AIR = ("t2m", "2m_temperature", "air_temperature", "tas")
SUN = ("ssrd", "surface_solar_radiation_downwards", "avg_sdswrf", "msdwswrf")


def read_reanalysis(
    granules: Sequence[Granule], when: np.datetime64, domain: Domain, say: Callable[[str], None] = log.warning
) -> tuple[np.ndarray, np.ndarray] | None:
    """Air temperature at 2 m (K) and shortwave radiation (W m-2, the mean of the hour before) at ``when`` (UTC), (R, C)
    float32; radiation is NaN where no file has it, and ``say`` hears why where a file has it at other hours only. None
    where no file holds the hour, which is said, too.

    Raises ``GranuleError`` where a file is damaged, no file has air temperature, or in units that cannot be brought to
    K.
    """
    when = when.astype("datetime64[s]")
    if granules and not any(_holds(g, AIR) for g in granules):
        with latlon.open_netcdf(granules[0].path) as dataset:
            latlon.find_variable(granules[0].path, dataset, AIR, "air temperature")
    for granule in granules:
        if not _holds(granule, AIR):
            continue
        with latlon.open_netcdf(granule.path) as dataset:
            stamps = time_axis.times(granule.path, dataset)
            if not stamps.size or np.abs(stamps - when).min() > NEAREST:
                continue
            grid = latlon.axes(granule.path, dataset)
            name = latlon.find_variable(granule.path, dataset, AIR, "air temperature")
            at = int(np.abs(stamps - when).argmin())
            air = plausible(
                _step(granule, dataset, name, grid, at), AIR_TEMPERATURE, granule.path, name, granule.day,
                linear=conversion(AIR_TEMPERATURE, latlon.encoding_of(granule.path, dataset[name])),
            )  # fmt: skip
            mean_air = _means(grid, domain, air)
        sun = _radiation([granule, *(g for g in granules if g is not granule)], stamps[at], domain, say)
        return mean_air, np.full_like(mean_air, np.nan) if sun is None else sun
    if granules:
        say("no step of the reanalysis lies within 1.5 hours of an overpass: it is not used there; download all hours")
    return None


def _holds(granule: Granule, names: Sequence[str]) -> bool:
    return any(name in _variables(granule.path, stamp(granule.path)) for name in names)


@lru_cache(64)
def _variables(path: Path, at: tuple[int, int]) -> frozenset[str]:
    """The names of the variables of a file, lower case."""
    with latlon.open_netcdf(path) as dataset:
        return frozenset(str(name).lower() for name in dataset.variables)


def _radiation(
    granules: Sequence[Granule], hour: np.datetime64, domain: Domain, say: Callable[[str], None]
) -> np.ndarray | None:
    """The mean of the hour that ends at ``hour``, (R, C) W m-2, from the first file that has it, else None."""
    without_hour = []
    for granule in granules:
        if not _holds(granule, SUN):
            continue
        with latlon.open_netcdf(granule.path) as dataset:
            grid = latlon.axes(granule.path, dataset)
            name = latlon.find_variable(granule.path, dataset, SUN, "radiation")
            stamps = time_axis.times(granule.path, dataset)
            mean = _of_the_hour(granule, dataset, name, grid, stamps, hour)
        if mean is not None:
            return _means(grid, domain, plausible(mean, RADIATION, granule.path, name, granule.day))
        without_hour.append(granule)
    if without_hour:
        say(
            "radiation of the reanalysis is not used: its sum of the hour before an overpass takes hourly steps, which "
            "the files do not have there; download all hours"
        )
    return None


def _of_the_hour(
    granule: Granule, dataset: xr.Dataset, name: str, grid: latlon.Axes, stamps: np.ndarray, hour: np.datetime64
) -> np.ndarray | None:
    """Mean of the hour that ends at ``hour``, (lat, lon) W m-2; None where the file does not have it."""
    found = np.flatnonzero(stamps == hour)
    if not found.size:
        return None
    at = int(found[0])
    until = _step(granule, dataset, name, grid, at)
    if str(dataset[name].attrs.get("units", "")).strip().lower().startswith("w"):
        return until  # a mean already
    if not _since_midnight(granule.path, stamp(granule.path), name):
        return until / 3600
    if (stamps[at] - stamps[at].astype("datetime64[D]")) / HOUR == 1:  # the first of the day
        return until / 3600
    before = np.flatnonzero(stamps == hour - HOUR)
    if not before.size:
        return None
    return (until - _step(granule, dataset, name, grid, int(before[0]))) / 3600


@lru_cache(16)
def _since_midnight(path: Path, at: tuple[int, int], name: str) -> bool:
    """Whether radiation is a sum since 00 UTC: by its values or, where they do not tell, in all but ERA5 by its
    name."""
    with latlon.open_netcdf(path) as dataset:
        told = since_midnight(path, dataset, name, latlon.axes(path, dataset), time_axis.times(path, dataset))
        marks = " ".join(str(v) for v in (path.name, *dataset.attrs.values(), *dataset[name].attrs.values())).lower()
    return told if told is not None else "land" in marks or re.search(r"era[-_ ]?5", marks) is None


def _step(granule: Granule, dataset: xr.Dataset, name: str, grid: latlon.Axes, at: int) -> np.ndarray:
    """One step of a variable, (lat, lon) in its units."""
    axis = next((d for d in dataset[name].dims if d in time_axis.TIME_NAMES), None)
    one = dataset[[name]].isel({axis: [at]}) if axis is not None else dataset[[name]]
    return latlon.field(granule.path, one, name, grid)


def _means(grid: latlon.Axes, domain: Domain, field: np.ndarray) -> np.ndarray:
    """The means of a field (lat, lon) over coarse cells, (R, C) float32, NaN where less than a quarter is known."""
    down, across = latlon.overlaps(grid, domain)
    known = np.isfinite(field)
    weight = down @ known.astype(float) @ across.T
    total = down @ np.where(known, field, 0.0) @ across.T
    out = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0.25)
    return out.astype(np.float32)
