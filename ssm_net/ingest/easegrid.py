"""Reader of coarse soil moisture on the 36 km EASE-Grid itself, as NetCDF: maps (NNsm, SMAP) and lists of cells.

Every value is placed by the row and column that the file states, or by its latitude and longitude, so that a
transposed or upside-down map cannot go wrong silently.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pyproj import Transformer

from ssm_net.grid import Domain, Grid
from ssm_net.ingest import latlon, ssm_flags
from ssm_net.ingest.quantities import SOIL_MOISTURE
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.volumetric import volumetric

log = logging.getLogger(__name__)

LAT = ("lat", "latitude")
LON = ("lon", "longitude")
OF_GROUP = re.compile(r"^soil_moisture_retrieval_data(_am|_pm)?[_/.]", re.I)  # a conversion may begin names with it
NOT_VALUES = re.compile(r"uncert|error|err$|flag|qual|qc|std|count|num|time|option|dca|scv|sigma", re.I)
SSM_NAME = re.compile(r"soil_?moisture|^s?sm(_|$)|^ssm|^vsm|(_|^)sm$", re.I)
FILL = -9999.0  # of NNsm and SMAP, whether they say so or not
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
        name = soil_moisture_variable(path, dataset, {lat_name, lon_name})
        encoding = latlon.encoding_of(path, dataset[name])
        data = np.squeeze(latlon.physical_values(path, dataset[name], [FILL]))
        flags = ssm_flags.layers(
            product_name, [str(n) for n in dataset.variables],
            lambda n: np.squeeze(latlon.physical_values(path, dataset[n])), beside=name,
        )  # fmt: skip
    linear = volumetric(encoding)

    def on_cells(row: np.ndarray, col: np.ndarray, values: np.ndarray, flags: ssm_flags.Layers) -> np.ndarray:
        """What flags leave, and then the range: values that a product itself takes away are no sign of another unit."""
        good = ssm_flags.usable(path, product_name, flags, inside(domain, row, col, values))
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


def inside(domain: Domain, row: Any, col: Any, values: np.ndarray) -> np.ndarray:
    """Where there is a value in a cell of the domain, bool."""
    r0, r1, _, _ = domain.window
    return np.isfinite(values) & (row >= r0) & (row < r1) & (domain.columns_of(col) >= 0)


def cells_from_points(domain: Domain, row: np.ndarray, col: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Values at global rows and columns as (R, C) float32 of ``domain``: the mean where a cell occurs twice."""
    r0, _, _, _ = domain.window
    shape = domain.coarse_shape
    keep = inside(domain, row, col, value)
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


def soil_moisture_variable(path: Path, dataset: xr.Dataset, coordinates: set[str]) -> str:
    """The name of the soil moisture to read; of several, the night's. Raises ``GranuleError`` where there is none."""
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
