"""Reader of half orbits of the AMSR-E/AMSR2 unified land product (NSIDC ``AU_Land``, level 2B, HDF-EOS5 points).

The layout was confirmed in public readers of native files (hdfeos.org's example for AMSR_E_L2_Land_V11, and others for
AMSR_U2_L2_Land_B02): one table below ``HDFEOS/POINTS/*/Data``, a row for each 25 km cell of EASE-Grid in the swath,
with ``Time`` (seconds since 1993), ``Latitude``, ``Longitude`` and the results of two retrievals, each with its quality
flag. Fill is -9999 in all. The unit, g/cm3, is a mass of water in a volume of soil: the same number as m3 m-3.

``SoilMoistureSCA`` (single channel algorithm) is read, and the other retrieval (``NPD``) never stands in for it: it
varies several times less (Mladenova et al. 2014, Remote Sens. Environ. 144, 197), and a mixture of both has no scale.
A flag of 0 is a good retrieval. What its other values mean was not to be had from a public source: they are taken for
no retrieval.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.grid import Domain
from ssm_net.ingest import signature, ssm_flags
from ssm_net.ingest.cell_means import box_means
from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.moments import TAI_93, hours_from_night, nowhere, of_another_day, of_day
from ssm_net.ingest.naming import amsr_in_name
from ssm_net.ingest.quantities import SOIL_MOISTURE
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError

PRODUCT = "AU_Land"
POINTS, TABLE = "HDFEOS/POINTS", "Combined NPD and SCA Output Fields"
RETRIEVAL, FLAG = "SoilMoistureSCA", "RetrievalQualityFlagSCA"
CELL = 25067.525  # m, side of a cell of the 25 km EASE-Grid
FILL = -9999.0


def read_half_orbit(path: Path, domain: Domain, day: dt.date) -> tuple[np.ndarray, np.ndarray]:
    """Soil moisture (m3 m-3) of the cells that were seen on ``day`` in local solar time, and the hours from its night
    overpass to their observation, each (R, C) float32, NaN where missing. The product states no error.

    A cell is the mean of the 25 km cells that overlap it, weighted by how much. Raises ``GranuleError`` where the file
    is damaged, not named as the archive names it, or holds no such table.
    """
    named = amsr_in_name("au_land", path.name)
    if named is None:
        raise GranuleError(path, "not named as the archive names half orbits, which tells sensor and pass", day=day,
                           remedy="give it the name of the archive")  # fmt: skip
    columns = _columns(path, day)
    lat, lon = columns["Latitude"], columns["Longitude"]
    placed = (np.abs(lat) <= 90) & (np.abs(lon) <= 360)
    lat, lon, ssm, flag = lat[placed], lon[placed], columns[RETRIEVAL][placed], columns[FLAG][placed]
    hours = hours_from_night(columns["Time"][placed], TAI_93, domain.same_turn(lon), day)
    seen = of_day(hours, by_day=named[1])
    west, south, east, north = domain.bounds_lonlat()
    near = (lat >= south) & (lat <= north) & ((lon - west) % 360 <= east - west)
    if of_another_day(np.isfinite(ssm) & near, seen):
        value, _, off = nowhere(domain)
        return value, off
    flags: ssm_flags.Layers = {(FLAG.lower(),): np.where(np.isfinite(flag), flag != 0, np.nan)}
    good = seen & ssm_flags.usable(path, PRODUCT, flags, np.isfinite(ssm) & seen & near)
    ssm = plausible(np.where(good, ssm, np.nan), SOIL_MOISTURE, path, RETRIEVAL, day)
    value, off = box_means(domain, lon, lat, CELL, (ssm, hours))
    return value, off


def _columns(path: Path, day: dt.date) -> dict[str, np.ndarray]:
    """The columns of the table that are used, float64 (n,), NaN where missing."""
    import h5py

    signature.require(path, "a half orbit of AU_Land (HDF-EOS5)", signature.HDF5)
    try:
        with h5py.File(path, "r") as file:
            table = _table(path, file, day)[()]
    except (OSError, KeyError, RuntimeError) as err:
        raise GranuleError(path, f"not a whole HDF5 file ({err})", day=day) from err
    wanted = ("Time", "Latitude", "Longitude", RETRIEVAL, FLAG)
    missing = [name for name in wanted if name not in (table.dtype.names or ())]
    if missing:
        raise GranuleError(path, "is missing", layer=missing[0], day=day)
    return {name: Encoding(path, name, {}).decode(table[name].ravel(), [FILL]) for name in wanted}


def _table(path: Path, file: Any, day: dt.date) -> Any:
    """The table of the one set of points in the file."""
    import h5py

    if POINTS in file and isinstance(file[POINTS], h5py.Group):
        for name in file[POINTS]:
            where = f"{POINTS}/{name}/Data/{TABLE}"
            if where in file and isinstance(file[where], h5py.Dataset):
                return file[where]
    raise GranuleError(path, f"holds no points with a table {TABLE!r}", day=day,
                       remedy="get files of AU_Land (level 2B, .he5)")  # fmt: skip
