"""Reader of SMOS-IC soil moisture: level 3 maps of the morning (ascending) pass on the 25 km EASE-Grid 2.0.

Layers, units and the meaning of the flag: the public reader of TU Wien for version 105 (``TUW-GEO/smos``,
``docs/varnames.rst``): ``Soil_Moisture`` and ``Soil_Moisture_StdError`` in m3 m-3, ``Quality_Flag`` 0 good, 1 not
recommended, 2 missing, ``Days`` since 2000-01-01 and ``UTC_Seconds`` of the day; 584 x 1388 cells. Other products of
SMOS (CATDS, BEC, level 2) are refused: their layers were not to be had from public sources beyond doubt.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.core.radiometers import BY_CODE
from ssm_net.grid import Domain
from ssm_net.ingest import latlon, ssm_flags
from ssm_net.ingest.cell_means import CellWeights
from ssm_net.ingest.moments import hours_from_night, hours_of_utc_map, nowhere, of_another_day, of_day
from ssm_net.ingest.quantities import SOIL_MOISTURE, SOIL_MOISTURE_ERROR
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.volumetric import volumetric

PRODUCT = "SMOS"
SHAPE = (584, 1388)  # cells of the global 25 km EASE-Grid 2.0
SSM, ERROR, FLAG = "Soil_Moisture", "Soil_Moisture_StdError", "Quality_Flag"
MIDNIGHT_2000 = np.datetime64("2000-01-01T00:00:00", "s")
SMOS_HOUR = BY_CODE[16].overpass


def read_smos(path: Path, domain: Domain, day: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Soil moisture and its standard error, m3 m-3, and the hours from the night overpass of ``day`` to its
    observation, each (R, C) float32, NaN where missing; of the cells that were seen on ``day``, in local solar time.

    Raises ``GranuleError`` where the file is damaged or not of this kind.
    """
    with latlon.open_netcdf(path) as dataset:
        missing = [name for name in ("lat", "lon", SSM, FLAG) if name not in dataset.variables]
        if missing:
            raise GranuleError(path, "is missing: no file of SMOS-IC, version 105", layer=missing[0], day=day,
                               remedy="get the daily files of the ascending pass that hold Quality_Flag")  # fmt: skip
        lat, lon = (latlon.physical_values(path, dataset[name]) for name in ("lat", "lon"))
        if (lat.size, lon.size) != SHAPE or dataset[SSM].shape != SHAPE:
            what = f"a map of {lat.size} x {lon.size}, not of the global 25 km EASE-Grid 2.0"
            raise GranuleError(path, what, day=day, remedy="get whole files, not cut or resampled ones")
        weights = CellWeights.of_centres(lat, lon, domain)
        rows, cols = weights.spans()
        dims = dataset[SSM].dims
        part, weights = dataset.isel({dims[0]: rows, dims[1]: cols}), weights.within(rows, cols)
        ssm, flag = (latlon.physical_values(path, part[name]) for name in (SSM, FLAG))
        linear = volumetric(latlon.encoding_of(path, dataset[SSM]))
        error = latlon.physical_values(path, part[ERROR]) if ERROR in part.variables else np.full(ssm.shape, np.nan)
        hours = _hours(path, part, np.broadcast_to(domain.same_turn(lon[cols]), ssm.shape), day)
    seen = of_day(hours)
    known = np.isfinite(ssm) & weights.inside
    if of_another_day(known, seen):
        return nowhere(domain)
    there = known & seen
    good = seen & ssm_flags.usable(path, PRODUCT, {(FLAG.lower(),): flag}, there)
    ssm = plausible(np.where(good, ssm, np.nan), SOIL_MOISTURE, path, SSM, day, linear=linear)
    error = plausible(np.where(good, error, np.nan), SOIL_MOISTURE_ERROR, path, ERROR, day, linear=linear)
    value, sigma, off = weights.means(ssm, np.where(error > 0, error, np.nan), hours)
    return value, sigma, off


def _hours(path: Path, part: xr.Dataset, lon: np.ndarray, day: dt.date) -> np.ndarray:
    """Hours from the night overpass of ``day`` to each observation; by the hour of the pass where no time is told."""
    if not {"Days", "UTC_Seconds"} <= {str(name) for name in part.variables}:
        return hours_of_utc_map(path, lon, day, SMOS_HOUR)
    days, seconds = (latlon.physical_values(path, part[name]) for name in ("Days", "UTC_Seconds"))
    return hours_from_night(days * 86400 + seconds, MIDNIGHT_2000, lon, day)
