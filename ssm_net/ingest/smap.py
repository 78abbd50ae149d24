"""Reader of SMAP's passive soil moisture, HDF5: maps of a UTC day (L3) and half orbits (L2), at 36 km and at 9 km.

The enhanced products (SPL3SMP_E, SPL2SMP_E) sample the same radiometer every 9 km. Each value is still seen through a
footprint of about 33 km (Chan et al. 2018, Remote Sens. Environ. 204, 931): no finer observation. The sixteen of a
coarse cell are averaged, each by the part of its footprint that lies in the cell; what comes out is about 40 km wide,
and its error is the mean of theirs, not a fourth of it. Layers and flags are those of the 36 km products; the 9 km grid
(1624 x 3856) nests in the 36 km grid.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.core.radiometers import BY_CODE
from ssm_net.grid import Domain
from ssm_net.ingest import easegrid, signature, ssm_flags
from ssm_net.ingest.cell_means import parts_of_footprint, weighted_means
from ssm_net.ingest.encoding import Encoding, attributes_of
from ssm_net.ingest.moments import hours_from_night, hours_of_utc_map, named_hours, nowhere, of_another_day, of_day
from ssm_net.ingest.naming import is_enhanced
from ssm_net.ingest.quantities import SOIL_MOISTURE, SOIL_MOISTURE_ERROR, Linear, Quantity
from ssm_net.ingest.ranges import conversion, plausible
from ssm_net.ingest.raster import GranuleError

GROUPS = ("Soil_Moisture_Retrieval_Data_AM", "Soil_Moisture_Retrieval_Data")
SMAP_HOUR = BY_CODE[4].overpass
NOON_2000 = np.datetime64("2000-01-01T12:00:00", "s")  # from which SMAP counts seconds
FINER = 4  # cells of the enhanced grid along a coarse cell
FOOTPRINT = 33e3  # m, full width at half maximum


@dataclass(frozen=True)
class _Values:
    """Retrievals of a file: soil moisture and its error as stored, hours from the night overpass, longitudes, and the
    global rows and columns of their cells, coarse or ``finer`` times finer; all of one shape."""

    ssm: np.ndarray
    error: np.ndarray
    linear: Linear
    error_linear: Linear
    hours: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    flags: ssm_flags.Layers
    finer: int


def read_smap(path: Path, domain: Domain, day: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Soil moisture and its standard error, m3 m-3, and the hours from the night overpass of ``day`` to its
    observation, each (R, C), NaN where missing.

    Only retrievals that their flags allow (recommended, not frozen: see the table of products) within the stated valid
    range are used, of L3 those of the morning (06:00) map; of both the cells whose nearest night overpass, about 01:30
    local solar time, is that of ``day``: a file of L3 is of a UTC day, and holds the 06:00 of the next local day east
    of 90 E. The moment of a cell is that in the file; where it has none, 06:00 local solar time (L3) or the time in its
    name (L2).

    Raises ``GranuleError`` where the file is damaged or holds no such group.
    """
    import h5py

    signature.require(path, "a SMAP HDF5 file", signature.HDF5)
    try:
        with h5py.File(path, "r") as file:
            name = next((n for n in GROUPS if n in file), None)
            if name is None:
                raise GranuleError(path, f"holds no group {' or '.join(GROUPS)}", day=day)
            got = _values(path, name, file[name], domain, day)
    except (OSError, KeyError, RuntimeError) as err:
        raise GranuleError(path, f"not a whole SMAP HDF5 file ({err})", day=day) from err
    seen = of_day(got.hours)
    rows, cols = got.rows // got.finer, got.cols // got.finer
    if of_another_day(np.isfinite(got.ssm) & easegrid.inside(domain, rows, cols, got.ssm), seen):
        return nowhere(domain)
    recommended = seen & ssm_flags.usable(path, "SMAP", got.flags, seen & easegrid.inside(domain, rows, cols, got.ssm))
    ssm = plausible(np.where(recommended, got.ssm, np.nan), SOIL_MOISTURE, path, "soil_moisture", linear=got.linear)
    error = np.where(recommended, got.error, np.nan)
    error = plausible(error, SOIL_MOISTURE_ERROR, path, "soil_moisture_error", linear=got.error_linear)
    error = np.where(error > 0, error, np.nan)
    hours = np.where(np.isfinite(ssm), got.hours, np.nan)
    flat = rows.ravel(), cols.ravel()
    fields = [field.ravel() for field in (ssm, error, hours)]
    if got.finer > 1:
        parts = parts_of_footprint(FINER, domain.grid.cell / FINER, FOOTPRINT)
        weight = (parts[got.rows % FINER] * parts[got.cols % FINER]).ravel()
        value, sigma, off = weighted_means(domain, *flat, weight, fields)
    else:
        value, sigma, off = (easegrid.cells_from_points(domain, *flat, field) for field in fields)
    return value, sigma, off


def has_groups(path: Path) -> bool:
    """Whether a file is SMAP's own HDF5, whatever it is called: a copy of it as NetCDF keeps its groups."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return any(name in file for name in GROUPS)


def _values(path: Path, name: str, group: Any, domain: Domain, day: dt.date) -> _Values:
    missing = [n for n in ("soil_moisture", "retrieval_qual_flag") if n not in group]
    if missing:
        raise GranuleError(path, "is missing", layer=missing[0], day=day)
    shape, grid = group["soil_moisture"].shape, domain.grid
    sides = {(grid.rows * n, grid.cols * n): n for n in (1, FINER)}
    take: Any = ()
    if len(shape) == 2:
        if shape not in sides:
            raise GranuleError(path, f"a map of {shape}, not of the 36 km or the 9 km grid", layer=name, day=day)
        finer = sides[shape]
        if finer > 1:  # the rows of the domain alone: the map holds six million cells
            take = np.s_[domain.window[0] * finer : domain.window[1] * finer]
        rows, cols = np.meshgrid(np.arange(shape[0])[take], np.arange(shape[1]), indexing="ij")
    else:
        rows = group["EASE_row_index"][()].astype(np.int64)
        cols = group["EASE_column_index"][()].astype(np.int64)
        beyond = (rows >= grid.rows).any() or (cols >= grid.cols).any()
        finer = FINER if is_enhanced(path.name) or beyond else 1
    ssm, linear = _layer(path, group, "soil_moisture", SOIL_MOISTURE, take)
    error, error_linear = np.full_like(ssm, np.nan), linear
    if "soil_moisture_error" in group:
        error, error_linear = _layer(path, group, "soil_moisture_error", SOIL_MOISTURE_ERROR, take)
    lon = _longitudes(group, domain, finer, ssm.shape)
    flags = ssm_flags.layers("SMAP", list(group), lambda n: group[n][take])
    hours = _hours(path, group, lon, day, take)
    return _Values(ssm, error, linear, error_linear, hours, rows, cols, flags, finer)


def _layer(path: Path, group: Any, name: str, quantity: Quantity, take: Any) -> tuple[np.ndarray, Linear]:
    """The values of a layer, and what brings them to the unit of ``quantity``."""
    encoding = Encoding(path, name, attributes_of(group[name]))
    return encoding.decode(group[name][take], [easegrid.FILL]), conversion(quantity, encoding)


def _hours(path: Path, group: Any, lon: np.ndarray, day: dt.date, take: Any) -> np.ndarray:
    """Hours from the night overpass of ``day`` (01:30 local solar time) to each observation at the longitudes ``lon``;
    NaN where there is none."""
    midnight = np.datetime64(day, "s")
    if "tb_time_seconds" in group:
        encoding = Encoding(path, "tb_time_seconds", attributes_of(group["tb_time_seconds"]))
        return hours_from_night(encoding.decode(group["tb_time_seconds"][take], [easegrid.FILL]), NOON_2000, lon, day)
    if "tb_time_utc" in group:
        text = group["tb_time_utc"][take].astype("U19")
        known = [t if t[:2] in ("19", "20") else "NaT" for t in text.ravel().tolist()]
        since = ((np.array(known, "datetime64[s]") - midnight) / np.timedelta64(1, "s")).reshape(lon.shape)
        return hours_from_night(since, midnight, lon, day)
    if lon.ndim == 2:
        return hours_of_utc_map(path, lon, day, SMAP_HOUR)
    return hours_from_night(np.full(lon.shape, named_hours(path, day) * 3600), midnight, lon, day)


def hours_of_map(path: Path, domain: Domain, day: dt.date) -> np.ndarray:
    """Hours from the night overpass of ``day`` to the 06:00 (local solar time) in a map of the UTC day that its name
    states, (R, C) float32."""
    lon, _ = domain.lonlat(coarse=True)
    hours = hours_of_utc_map(path, lon, day, SMAP_HOUR)
    return np.broadcast_to(hours.astype(np.float32), domain.coarse_shape)


def _longitudes(group: Any, domain: Domain, finer: int, shape: tuple[int, ...]) -> np.ndarray:
    """Longitudes of the cells of a group, degrees, of ``shape``; of a map those of the grid."""
    if len(shape) == 2:
        cols = domain.grid.cols * finer
        return np.broadcast_to(domain.same_turn((np.arange(cols) + 0.5) * 360 / cols - 180), shape)
    return domain.same_turn(np.asarray(group["longitude"][()], np.float64))
