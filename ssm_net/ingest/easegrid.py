"""Readers of coarse soil moisture on the EASE-Grid itself: maps (NNsm, SMAP L3) and lists of cells (SMAP L2, points).

Every value is placed by the row and column that the file states, or by its latitude and longitude, so that a
transposed or upside-down map cannot go wrong silently.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pyproj import Transformer

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.core.radiometers import BY_CODE
from ssm_net.grid import Domain, Grid
from ssm_net.ingest import latlon, signature, ssm_flags
from ssm_net.ingest.encoding import Encoding, attributes_of
from ssm_net.ingest.naming import moment_in_name
from ssm_net.ingest.quantities import SOIL_MOISTURE, SOIL_MOISTURE_ERROR, Linear, Quantity
from ssm_net.ingest.ranges import conversion, plausible
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.volumetric import volumetric

log = logging.getLogger(__name__)

LAT = ("lat", "latitude")
LON = ("lon", "longitude")
GROUPS = ("Soil_Moisture_Retrieval_Data_AM", "Soil_Moisture_Retrieval_Data")  # of SMAP
OF_GROUP = re.compile(r"^soil_moisture_retrieval_data(_am|_pm)?[_/.]", re.I)  # a conversion may begin names with it
NOT_VALUES = re.compile(r"uncert|error|err$|flag|qual|qc|std|count|num|time|option|dca|scv|sigma", re.I)
SSM_NAME = re.compile(r"soil_?moisture|^s?sm(_|$)|^ssm|^vsm|(_|^)sm$", re.I)
FILL = -9999.0  # of NNsm and SMAP, whether they say so or not
SMAP_HOUR = BY_CODE[4].overpass
NOON_2000 = np.datetime64("2000-01-01T12:00:00", "s")  # from which SMAP counts seconds
NIGHT_NAME = re.compile(r"desc|night|(?<![a-z])(d|am|0130)(?![a-z])", re.I)


def read_map(path: Path, domain: Domain, product_name: str) -> np.ndarray:
    """Soil moisture of a NetCDF map or point list on the coarse cells of ``domain``: (R, C) m3 m-3, NaN where missing.

    Names of the variable and coordinates may vary; of several overpasses the night (descending) one is used, and the
    choice logged. Cells that occur twice in a point list are averaged. Values that a quality flag of the product takes
    away (``ssm_flags``) are missing, under whatever names a conversion gave to its layers, and so are values outside
    the range of soil moisture, as ``plausible`` says.

    Raises ``GranuleError`` where there is no soil moisture, or the coordinates are not those of the grid, and as
    ``plausible`` where most values are no soil moisture.
    """
    with latlon.open_netcdf(path) as dataset:
        lat_name = latlon.find_variable(path, dataset, LAT, "latitude")
        lon_name = latlon.find_variable(path, dataset, LON, "longitude")
        lat = _coordinate(path, dataset[lat_name])
        lon = _coordinate(path, dataset[lon_name])
        name = _variable(path, dataset, {lat_name, lon_name})
        encoding = latlon.encoding_of(path, dataset[name])
        data = np.squeeze(latlon.physical_values(path, dataset[name], [FILL]))
        flags = ssm_flags.layers(
            product_name, [str(n) for n in dataset.variables],
            lambda n: np.squeeze(latlon.physical_values(path, dataset[n])), beside=name,
        )  # fmt: skip
    linear = volumetric(encoding)

    def on_cells(row: np.ndarray, col: np.ndarray, values: np.ndarray, flags: ssm_flags.Layers) -> np.ndarray:
        """What flags leave, and then the range: values that a product itself takes away are no sign of another unit."""
        good = ssm_flags.usable(path, product_name, flags, _inside(domain, row, col, values))
        kept = plausible(np.where(good, values, np.nan), SOIL_MOISTURE, path, name, linear=linear)
        return cells_from_points(domain, row.ravel(), col.ravel(), kept.ravel())

    if lat.ndim == 1 and data.ndim == 1 and lat.shape == lon.shape == data.shape:
        row, _ = _rows(lat, domain.grid)
        col, _ = _cols(lon, domain.grid)
        return on_cells(row, col, data, flags)
    if lat.ndim == 2:
        if lon.shape != lat.shape or data.shape not in (lat.shape, lat.shape[::-1]):
            raise GranuleError(path, f"shapes {lat.shape}, {lon.shape}, {data.shape} do not match", layer=name)
        along = 0 if np.nanmax(np.ptp(lat, axis=0)) > 0 and np.nanmax(np.ptp(lat, axis=1)) == 0 else 1
        lat, lon = (lat[:, 0], lon[0]) if along == 0 else (lat[0], lon[:, 0])
    if data.shape == (lon.size, lat.size) and lat.size != lon.size:
        data, flags = data.T, {names: stored.T for names, stored in flags.items()}
    elif data.shape != (lat.size, lon.size):
        raise GranuleError(path, f"has shape {data.shape} for {lat.size} latitudes, {lon.size} longitudes", layer=name)
    row, off_row = _rows(lat, domain.grid)
    col, off_col = _cols(lon, domain.grid)
    if max(off_row, off_col) > 0.25 or np.unique(row).size != row.size or np.unique(col).size != col.size:
        raise GranuleError(path, f"its coordinates are not cell centres of the {domain.grid.cell / 1000:.0f} km grid",
                           layer=name, remedy="put it into the folder of its product")  # fmt: skip
    rows, cols = np.meshgrid(row, col, indexing="ij")
    return on_cells(rows, cols, data, flags)


def read_smap(path: Path, domain: Domain, day: dt.date) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """SMAP L2 or L3 passive HDF5: soil moisture and its standard error, m3 m-3, and the hours from the night overpass
    of ``day`` to its observation, each (R, C), NaN where missing.

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
            group = file[name]
            missing = [n for n in ("soil_moisture", "retrieval_qual_flag") if n not in group]
            if missing:
                raise GranuleError(path, "is missing", layer=missing[0], day=day)
            ssm, linear = _smap_values(path, group, "soil_moisture", SOIL_MOISTURE)
            error, error_linear = np.full_like(ssm, np.nan), linear
            if "soil_moisture_error" in group:
                error, error_linear = _smap_values(path, group, "soil_moisture_error", SOIL_MOISTURE_ERROR)
            if ssm.ndim == 2:
                rows, cols = np.indices(ssm.shape)
                if ssm.shape != (domain.grid.rows, domain.grid.cols):
                    raise GranuleError(path, f"a map of {ssm.shape}, not of the 36 km grid", layer=name, day=day)
            else:
                rows = group["EASE_row_index"][()].astype(np.int64)
                cols = group["EASE_column_index"][()].astype(np.int64)
            hours = _hours_from_night(path, group, ssm.shape, day, domain)
            flags = ssm_flags.layers("SMAP", list(group), lambda n: group[n][()])
    except (OSError, KeyError, RuntimeError) as err:
        raise GranuleError(path, f"not a whole SMAP HDF5 file ({err})", day=day) from err
    of_night = np.abs(hours) < 12
    recommended = of_night & ssm_flags.usable(path, "SMAP", flags, of_night & _inside(domain, rows, cols, ssm))
    ssm = plausible(np.where(recommended, ssm, np.nan), SOIL_MOISTURE, path, "soil_moisture", linear=linear)
    error = np.where(recommended, error, np.nan)
    error = plausible(error, SOIL_MOISTURE_ERROR, path, "soil_moisture_error", linear=error_linear)
    error = np.where(error > 0, error, np.nan)
    hours = np.where(np.isfinite(ssm), hours, np.nan)
    flat = rows.ravel(), cols.ravel()
    value, sigma, off = (cells_from_points(domain, *flat, field.ravel()) for field in (ssm, error, hours))
    return value, sigma, off


def has_groups(path: Path) -> bool:
    """Whether a file is SMAP's own HDF5, whatever it is called: a copy of it as NetCDF keeps its groups."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return any(name in file for name in GROUPS)


def _inside(domain: Domain, row: Any, col: Any, values: np.ndarray) -> np.ndarray:
    """Where there is a value in a cell of the domain, bool."""
    r0, r1, _, _ = domain.window
    return np.isfinite(values) & (row >= r0) & (row < r1) & (domain.columns_of(col) >= 0)


def cells_from_points(domain: Domain, row: np.ndarray, col: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Values at global rows and columns as (R, C) float32 of ``domain``: the mean where a cell occurs twice."""
    r0, _, _, _ = domain.window
    shape = domain.coarse_shape
    keep = _inside(domain, row, col, value)
    cell = (row[keep] - r0) * shape[1] + domain.columns_of(col[keep])
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, value[keep], minlength=shape[0] * shape[1])
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean.reshape(shape).astype(np.float32)


def _coordinate(path: Path, variable: xr.DataArray) -> np.ndarray:
    data = np.squeeze(latlon.physical_values(path, variable))
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
    layers = {n: OF_GROUP.sub("", n) for n in names}
    candidates = [n for n in names if SSM_NAME.search(layers[n]) and not NOT_VALUES.search(layers[n])]
    if not candidates:
        raise GranuleError(path, f"holds no soil moisture (found {', '.join(sorted(names)) or 'nothing'})")
    plain = [n for n in candidates if n.lower() in ("soil_moisture", "sm", "ssm", "soilmoisture")]
    night = [n for n in candidates if NIGHT_NAME.search(n)]
    name = (night or plain or candidates)[0]
    if len(candidates) > 1:
        log.info("%s: took %s of %s", path, name, ", ".join(candidates))
    return name


def _smap_values(path: Path, group: Any, name: str, quantity: Quantity) -> tuple[np.ndarray, Linear]:
    """The values of a layer, and what brings them to the unit of ``quantity``."""
    encoding = Encoding(path, name, attributes_of(group[name]))
    return encoding.decode(group[name][()], [FILL]), conversion(quantity, encoding)


def _hours_from_night(path: Path, group: Any, shape: tuple[int, ...], day: dt.date, domain: Domain) -> np.ndarray:
    """Hours from the night overpass of ``day`` (01:30 local solar time) to each observation, of ``shape``; NaN where
    there is none."""
    lon = domain.same_turn(_longitudes(group, shape, domain.grid))
    since = np.full(shape, np.nan)  # hours of UTC since the midnight that begins the day
    midnight = np.datetime64(day, "s")
    if "tb_time_seconds" in group:
        encoding = Encoding(path, "tb_time_seconds", attributes_of(group["tb_time_seconds"]))
        seconds = encoding.decode(group["tb_time_seconds"][()], [FILL])
        since = seconds / 3600 + float((NOON_2000 - midnight) / np.timedelta64(1, "h"))
    elif "tb_time_utc" in group:
        text = group["tb_time_utc"][()].astype("U19")
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


def _longitudes(group: Any, shape: tuple[int, ...], grid: Grid) -> np.ndarray:
    """Longitudes of the cells of a group, of ``shape``; of a map those of the grid."""
    if len(shape) == 2:
        columns = np.asarray(grid.geobox().coordinates["x"].values)
        lon, _ = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(columns, np.zeros_like(columns))
        return np.broadcast_to(lon, shape)
    return np.asarray(group["longitude"][()], np.float64)
