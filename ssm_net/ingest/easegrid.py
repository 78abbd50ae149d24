"""Readers of coarse soil moisture on the EASE-Grid itself: maps (NNsm, SMAP L3) and lists of cells (SMAP L2, points).

Every value is placed by the row and column that the file states, or by its latitude and longitude, so that a
transposed or upside-down map cannot go wrong silently.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from pathlib import Path

import numpy as np
import xarray as xr
from pyproj import Transformer

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.core.radiometers import BY_CODE
from ssm_net.grid import Domain, Grid
from ssm_net.ingest import latlon
from ssm_net.ingest.naming import moment_in_name
from ssm_net.ingest.raster import GranuleError

log = logging.getLogger(__name__)

LAT = ("lat", "latitude")
LON = ("lon", "longitude")
NOT_VALUES = re.compile(r"uncert|error|err$|flag|qual|qc|std|count|num|time|option|dca|scv|sigma", re.I)
SSM_NAME = re.compile(r"soil_?moisture|^s?sm(_|$)|^ssm|^vsm|(_|^)sm$", re.I)
SMAP_HOUR = BY_CODE[4].overpass
NOON_2000 = np.datetime64("2000-01-01T12:00:00", "s")  # from which SMAP counts seconds
NIGHT_NAME = re.compile(r"desc|night|(?<![a-z])(d|am|0130)(?![a-z])", re.I)


def read_map(path: Path, domain: Domain) -> np.ndarray:
    """Soil moisture of a NetCDF map or point list on the coarse cells of ``domain``: (R, C) m3 m-3, NaN where missing.

    Names of the variable and coordinates may vary; of several overpasses the night (descending) one is used, and the
    choice logged. Cells that occur twice in a point list are averaged. Values are not checked for range here.

    Raises ``GranuleError`` where there is no soil moisture, or the coordinates are not those of the grid.
    """
    with latlon.open_netcdf(path) as dataset:
        lat_name = latlon.find_variable(path, dataset, LAT, "latitude")
        lon_name = latlon.find_variable(path, dataset, LON, "longitude")
        lat = _coordinate(dataset[lat_name])
        lon = _coordinate(dataset[lon_name])
        name = _variable(path, dataset, {lat_name, lon_name})
        data = np.squeeze(latlon.physical_values(path, dataset[name]))
        units = str(dataset[name].attrs.get("units", ""))
    if units.strip().startswith("%"):
        data = data / 100
    data = np.where(data <= -9000, np.nan, data)
    if lat.ndim == 1 and data.ndim == 1 and lat.shape == lon.shape == data.shape:
        row, _ = _rows(lat, domain.grid)
        col, _ = _cols(lon, domain.grid)
        return cells_from_points(domain, row, col, data)
    if lat.ndim == 2:
        if lon.shape != lat.shape or data.shape not in (lat.shape, lat.shape[::-1]):
            raise GranuleError(path, f"shapes {lat.shape}, {lon.shape}, {data.shape} do not match", layer=name)
        along = 0 if np.nanmax(np.ptp(lat, axis=0)) > 0 and np.nanmax(np.ptp(lat, axis=1)) == 0 else 1
        lat, lon = (lat[:, 0], lon[0]) if along == 0 else (lat[0], lon[:, 0])
    if data.shape == (lon.size, lat.size) and lat.size != lon.size:
        data = data.T
    elif data.shape != (lat.size, lon.size):
        raise GranuleError(path, f"has shape {data.shape} for {lat.size} latitudes, {lon.size} longitudes", layer=name)
    row, off_row = _rows(lat, domain.grid)
    col, off_col = _cols(lon, domain.grid)
    if max(off_row, off_col) > 0.25 or np.unique(row).size != row.size or np.unique(col).size != col.size:
        raise GranuleError(path, f"its coordinates are not cell centres of the {domain.grid.cell / 1000:.0f} km grid",
                           layer=name, remedy="put it into the folder of its product")  # fmt: skip
    rows, cols = np.meshgrid(row, col, indexing="ij")
    return cells_from_points(domain, rows.ravel(), cols.ravel(), data.ravel())


def read_smap(path: Path, domain: Domain, day: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SMAP L2 or L3 passive HDF5: soil moisture and its standard error, m3 m-3, and the hours from the night overpass
    of ``day`` to its observation, each (R, C), NaN where missing.

    Only recommended retrievals (bit 0 of ``retrieval_qual_flag`` clear) within the stated valid range are used, of L3
    those of the morning (06:00) map; of both the cells whose nearest night overpass, about 01:30 local solar time, is
    that of ``day``: a file of L3 is of a UTC day, and holds the 06:00 of the next local day east of 90 E. The moment of
    a cell is that in the file; where it has none, 06:00 local solar time (L3) or the time in its name (L2).

    Raises ``GranuleError`` where the file is damaged or holds no such group.
    """
    import h5py

    if not path.is_file():
        raise GranuleError(path, "no such file")
    try:
        with h5py.File(path, "r") as file:
            names = ("Soil_Moisture_Retrieval_Data_AM", "Soil_Moisture_Retrieval_Data")
            name = next((n for n in names if n in file), None)
            if name is None:
                raise GranuleError(path, f"holds no group {' or '.join(names)}", day=day)
            group = file[name]
            missing = [n for n in ("soil_moisture", "retrieval_qual_flag") if n not in group]
            if missing:
                raise GranuleError(path, "is missing", layer=missing[0], day=day)
            ssm = _smap_values(group["soil_moisture"])
            recommended = (group["retrieval_qual_flag"][()] & 1) == 0
            error = _smap_values(group["soil_moisture_error"]) if "soil_moisture_error" in group else ssm * np.nan
            if ssm.ndim == 2:
                rows, cols = np.indices(ssm.shape)
                if ssm.shape != (domain.grid.rows, domain.grid.cols):
                    raise GranuleError(path, f"a map of {ssm.shape}, not of the 36 km grid", layer=name, day=day)
            else:
                rows = group["EASE_row_index"][()].astype(np.int64)
                cols = group["EASE_column_index"][()].astype(np.int64)
            hours = _hours_from_night(group, ssm.shape, day, path, domain.grid)
    except (OSError, KeyError, RuntimeError) as err:
        raise GranuleError(path, f"not a whole SMAP HDF5 file ({err})", day=day) from err
    recommended &= np.abs(hours) < 12
    ssm = np.where(recommended, ssm, np.nan)
    error = np.where(recommended & (error > 0), error, np.nan)
    hours = np.where(np.isfinite(ssm), hours, np.nan)
    flat = rows.ravel(), cols.ravel()
    value, sigma, off = (cells_from_points(domain, *flat, field.ravel()) for field in (ssm, error, hours))
    return value, sigma, off


def cells_from_points(domain: Domain, row: np.ndarray, col: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Values at global rows and columns as (R, C) float32 of ``domain``: the mean where a cell occurs twice."""
    r0, r1, c0, c1 = domain.window
    shape = domain.coarse_shape
    keep = (row >= r0) & (row < r1) & (col >= c0) & (col < c1) & np.isfinite(value)
    cell = (row[keep] - r0) * shape[1] + col[keep] - c0
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, value[keep], minlength=shape[0] * shape[1])
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean.reshape(shape).astype(np.float32)


def _coordinate(variable: xr.DataArray) -> np.ndarray:
    data = np.squeeze(np.asarray(variable.values, np.float64))
    return np.where(np.abs(data) > 360, np.nan, data)


def _rows(lat: np.ndarray, grid: Grid) -> tuple[np.ndarray, float]:
    """Row of each latitude (-1 where there is none), and the largest distance from a cell's centre, cells."""
    _, y = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(np.zeros_like(lat), lat)
    return _index((grid.top - y) / grid.cell - 0.5, grid.rows)


def _cols(lon: np.ndarray, grid: Grid) -> tuple[np.ndarray, float]:
    wrapped = (lon + 180) % 360 - 180
    x, _ = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(wrapped, np.zeros_like(lon))
    return _index((x - grid.left) / grid.cell - 0.5, grid.cols)


def _index(position: np.ndarray, count: int) -> tuple[np.ndarray, float]:
    inside = np.isfinite(position) & (position > -0.5) & (position < count - 0.5)
    nearest = np.where(inside, np.rint(np.where(inside, position, 0)), -1).astype(np.int64)
    off = np.abs(position - nearest)[inside]
    return nearest, float(off.max()) if off.size else float("inf")


def _variable(path: Path, dataset: xr.Dataset, coordinates: set[str]) -> str:
    """The soil moisture to read; of several, the night's."""
    names = [str(n) for n in dataset.data_vars if str(n) not in coordinates and dataset[n].ndim > 0]
    candidates = [n for n in names if SSM_NAME.search(n) and not NOT_VALUES.search(n)]
    if not candidates:
        raise GranuleError(path, f"holds no soil moisture (found {', '.join(sorted(names)) or 'nothing'})")
    plain = [n for n in candidates if n.lower() in ("soil_moisture", "sm", "ssm", "soilmoisture")]
    night = [n for n in candidates if NIGHT_NAME.search(n)]
    name = (night or plain or candidates)[0]
    if len(candidates) > 1:
        log.info("%s: took %s of %s", path, name, ", ".join(candidates))
    return name


def _smap_values(dataset: object) -> np.ndarray:
    data = np.asarray(dataset[()], np.float64)  # type: ignore[index]
    attributes = dataset.attrs  # type: ignore[attr-defined]
    low, high = float(attributes.get("valid_min", -np.inf)), float(attributes.get("valid_max", np.inf))
    data[(data == float(attributes.get("_FillValue", -9999.0))) | (data < low) | (data > high)] = np.nan
    return data


def _hours_from_night(group: object, shape: tuple[int, ...], day: dt.date, path: Path, grid: Grid) -> np.ndarray:
    """Hours from the night overpass of ``day`` (01:30 local solar time) to each observation, of ``shape``; NaN where
    there is none."""
    lon = _longitudes(group, shape, grid)
    since = np.full(shape, np.nan)  # hours of UTC since the midnight that begins the day
    midnight = np.datetime64(day, "s")
    if "tb_time_seconds" in group:  # type: ignore[operator]
        seconds = _smap_values(group["tb_time_seconds"])  # type: ignore[index]
        since = seconds / 3600 + float((NOON_2000 - midnight) / np.timedelta64(1, "h"))
    elif "tb_time_utc" in group:  # type: ignore[operator]
        text = group["tb_time_utc"][()].astype("U19")  # type: ignore[index]
        known = [t if t[:2] in ("19", "20") else "NaT" for t in text.ravel().tolist()]
        since = ((np.array(known, "datetime64[s]") - midnight) / np.timedelta64(1, "h")).reshape(shape)
    else:
        since = np.full(shape, _named_hours(path, day))
        if len(shape) == 2:
            since += (SMAP_HOUR - lon / 15) % 24
    return since + lon / 15 - NIGHT_HOUR


def hours_of_smap_map(path: Path, domain: Domain, day: dt.date) -> np.ndarray:
    """Hours from the night overpass of ``day`` to the 06:00 (local solar time) in a map of the UTC day that its name
    states, (R, C) float32."""
    lon, _ = domain.lonlat(coarse=True)
    hours = _named_hours(path, day) + (SMAP_HOUR - lon / 15) % 24 + lon / 15 - NIGHT_HOUR
    return np.broadcast_to(hours.astype(np.float32), domain.coarse_shape)


def _named_hours(path: Path, day: dt.date) -> float:
    """Hours of UTC from the midnight that begins ``day`` to the moment in the name of a file."""
    moment = moment_in_name(path.name)
    if moment is None:
        raise GranuleError(path, "no time of observation, in the file or in its name", day=day)
    return float((moment - np.datetime64(day, "s")) / np.timedelta64(1, "h"))


def _longitudes(group: object, shape: tuple[int, ...], grid: Grid) -> np.ndarray:
    """Longitudes of the cells of a group, of ``shape``; of a map those of the grid."""
    if len(shape) == 2:
        columns = np.asarray(grid.geobox().coordinates["x"].values)
        lon, _ = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(columns, np.zeros_like(columns))
        return np.broadcast_to(lon, shape)
    return np.asarray(group["longitude"][()], np.float64)  # type: ignore[index]
