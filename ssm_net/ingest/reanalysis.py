"""Reader of a reanalysis: air temperature and sunlight at the hour of an overpass, on the coarse cells.

ERA5-Land as the Climate Data Store gives it: hourly ``t2m`` (K) and, optionally, ``ssrd`` (J m-2), which
accumulates from 00 UTC of each day (ECMWF, ERA5-Land data documentation, "accumulations").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ssm_net.grid import Domain
from ssm_net.ingest import latlon
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.quantities import AIR_TEMPERATURE, RADIATION
from ssm_net.ingest.ranges import conversion, plausible

HOUR = np.timedelta64(3600, "s")
NEAREST = np.timedelta64(5400, "s")  # the largest distance of a time step from the overpass
AIR = ("t2m", "2m_temperature", "air_temperature", "tas")
SUN = ("ssrd", "surface_solar_radiation_downwards")


def read_reanalysis(
    granules: Sequence[Granule], when: np.datetime64, domain: Domain
) -> tuple[np.ndarray, np.ndarray] | None:
    """Air temperature at 2 m (K) and shortwave radiation (W m-2, the mean of the hour before) at ``when`` (UTC), (R, C)
    float32; radiation is NaN where no file has it. None where no file holds the hour.

    Raises ``GranuleError`` where a file is damaged, without air temperature, or in units that cannot be brought to K.
    """
    when = when.astype("datetime64[s]")
    for granule in granules:
        with latlon.open_netcdf(granule.path) as dataset:
            stamps = latlon.times(granule.path, dataset)
            if not stamps.size or np.abs(stamps - when).min() > NEAREST:
                continue
            grid = latlon.axes(granule.path, dataset)
            name = latlon.find_variable(granule.path, dataset, AIR, "air temperature")
            at = int(np.abs(stamps - when).argmin())
            air = plausible(
                _step(granule, dataset, name, grid, at), AIR_TEMPERATURE, granule.path, name, granule.day,
                linear=conversion(AIR_TEMPERATURE, latlon.encoding_of(granule.path, dataset[name])),
            )  # fmt: skip
            sun = np.full_like(air, np.nan)
            radiation = next((n for n in SUN if n in dataset.variables), None)
            if radiation is not None:
                sun = _hourly(granule, dataset, radiation, grid, stamps, at)
                sun = plausible(sun, RADIATION, granule.path, radiation, granule.day)
            down, across = latlon.overlaps(grid, domain)
            return _means(down, air, across), _means(down, sun, across)
    return None


def _step(granule: Granule, dataset: xr.Dataset, name: str, grid: latlon.Axes, at: int) -> np.ndarray:
    times = {time: at for time in latlon.TIME_NAMES if time in dataset[name].dims}
    return latlon.field(granule.path, dataset.isel(times), name, grid)


def _hourly(
    granule: Granule, dataset: xr.Dataset, name: str, grid: latlon.Axes, stamps: np.ndarray, at: int
) -> np.ndarray:
    """Mean of the hour before step ``at``, W m-2, NaN where the step before is not an hour earlier."""
    until = _step(granule, dataset, name, grid, at)
    hour = (stamps[at] - stamps[at].astype("datetime64[D]")) / HOUR
    if hour == 1:  # the first of the day
        return until / 3600
    if at == 0 or stamps[at] - stamps[at - 1] != HOUR:
        return np.full_like(until, np.nan)
    return (until - _step(granule, dataset, name, grid, at - 1)) / 3600


def _means(down: np.ndarray, field: np.ndarray, across: np.ndarray) -> np.ndarray:
    known = np.isfinite(field)
    weight = down @ known.astype(float) @ across.T
    total = down @ np.where(known, field, 0.0) @ across.T
    out = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0.25)
    return out.astype(np.float32)
