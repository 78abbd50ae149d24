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
from ssm_net.ingest.raster import GranuleError

HOUR = np.timedelta64(3600, "s")
NEAREST = np.timedelta64(5400, "s")  # the largest distance of a time step from the overpass
AIR = ("t2m", "2m_temperature", "air_temperature", "tas")
SUN = ("ssrd", "surface_solar_radiation_downwards")


def read_reanalysis(
    granules: Sequence[Granule], when: np.datetime64, domain: Domain
) -> tuple[np.ndarray, np.ndarray] | None:
    """Air temperature at 2 m (K) and shortwave radiation (W m-2, the mean of the hour before) at ``when`` (UTC), (R, C)
    float32; radiation is NaN where no file has it. None where no file holds the hour.

    Raises ``GranuleError`` where a file is damaged, without air temperature, or in other units than kelvins.
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
            air = _step(granule, dataset, name, grid, at)
            if np.nanmedian(air) < 180:
                raise GranuleError(granule.path, f"has a median of {np.nanmedian(air):.0f}, not kelvins", layer=name,
                                   day=granule.day, remedy="give air temperature in K")  # fmt: skip
            sun = np.full_like(air, np.nan)
            radiation = next((n for n in SUN if n in dataset.variables), None)
            if radiation is not None:
                sun = _hourly(granule, dataset, radiation, grid, stamps, at)
            down, across = latlon.overlaps(grid, domain)
            return _means(down, air, across), _means(down, sun, across)
    return None


def _step(granule: Granule, dataset: xr.Dataset, name: str, grid: latlon.Axes, at: int) -> np.ndarray:
    variable = dataset[name]
    time = next(d for d in variable.dims if d not in (grid.lat_dim, grid.lon_dim))
    return latlon.physical_values(
        granule.path, variable.isel({time: at}).squeeze().transpose(grid.lat_dim, grid.lon_dim)
    )


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
