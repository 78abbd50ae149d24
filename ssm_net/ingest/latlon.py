"""NetCDF files on any regular latitude/longitude grid: a variable of a day as rasters, and the time axis."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from ssm_net.grid import Domain
from ssm_net.ingest.naming import day_in_name
from ssm_net.ingest.raster import GranuleError, Raster

TIME_NAMES = ("time", "valid_time", "t")
ONE_UTC_DAY = np.timedelta64(1, "D")


@contextmanager
def open_netcdf(path: Path) -> Iterator[xr.Dataset]:
    """A NetCDF file, decoded only in its times: NetCDF-4 by h5netcdf, NetCDF-3 by scipy, chosen by the signature.

    Raises ``GranuleError`` where it is neither, or damaged.
    """
    if not path.is_file():
        raise GranuleError(path, "no such file")
    with open(path, "rb") as file:
        head = file.read(4)
    if head == b"\x89HDF":
        engine = "h5netcdf"
    elif head in (b"CDF\x01", b"CDF\x02"):
        engine = "scipy"
    else:
        raise GranuleError(path, "not a NetCDF file")
    try:
        if engine == "h5netcdf":
            with h5py.File(path):  # h5netcdf leaves a trace on the screen where this fails
                pass
        dataset = xr.open_dataset(path, engine=engine, mask_and_scale=False, decode_timedelta=False)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as err:
        raise GranuleError(path, f"not a whole NetCDF file ({err})") from err
    with dataset:
        yield dataset


def find_variable(path: Path, dataset: xr.Dataset, names: Sequence[str], what: str) -> str:
    """The first of ``names`` that is in the file, whatever its case. Raises ``GranuleError``."""
    lower = {str(name).lower(): str(name) for name in dataset.variables}
    for name in names:
        if name.lower() in lower:
            return lower[name.lower()]
    raise GranuleError(path, f"holds no {what} (looked for {', '.join(names)}; found {', '.join(sorted(lower))})")


def physical_values(path: Path, variable: xr.DataArray) -> np.ndarray:
    """A variable in physical units, float64, NaN where missing.

    Numbers outside the stored valid range are missing, too: those between it and the fill value are class codes.
    """
    try:
        data = np.asarray(variable.values)
    except (OSError, ValueError, RuntimeError, KeyError) as err:
        raise GranuleError(path, f"damaged or cut short ({err})", layer=str(variable.name)) from err
    attributes = variable.attrs
    bad = np.zeros(data.shape, bool)
    for key in ("_FillValue", "missing_value"):
        if key in attributes:
            bad |= np.isin(data, np.atleast_1d(attributes[key]))
    low, high = np.ravel(attributes.get("valid_range", (-np.inf, np.inf)))
    low = float(np.ravel(attributes.get("valid_min", low))[0])
    high = float(np.ravel(attributes.get("valid_max", high))[0])
    out = data.astype(np.float64)
    out[bad | (out < low) | (out > high)] = np.nan
    scale = float(np.ravel(attributes.get("scale_factor", 1.0))[0])
    return out * scale + float(np.ravel(attributes.get("add_offset", 0.0))[0])


@dataclass(frozen=True)
class Axes:
    """The grid of a file: names of its dimensions and its cell centres, degrees, as stored."""

    lat_dim: str
    lon_dim: str
    lat: np.ndarray
    lon: np.ndarray


def axes(path: Path, dataset: xr.Dataset) -> Axes:
    """Regular one-dimensional latitudes and longitudes. Raises ``GranuleError`` where they are something else."""
    lat_name = find_variable(path, dataset, ("lat", "latitude", "nav_lat", "y"), "latitude")
    lon_name = find_variable(path, dataset, ("lon", "longitude", "nav_lon", "x"), "longitude")
    centres_of = []
    for name in (lat_name, lon_name):
        centres = np.asarray(dataset[name].values, np.float64)
        if centres.ndim != 1 or centres.size < 2:
            raise GranuleError(path, f"has shape {centres.shape}; a regular grid with one axis is needed", layer=name)
        step = (centres[-1] - centres[0]) / (centres.size - 1)
        ideal = centres[0] + step * np.arange(centres.size)
        if not np.isfinite(step) or step == 0 or np.abs(centres - ideal).max() > 0.02 * abs(step):
            raise GranuleError(path, "is not evenly spaced", layer=name)
        centres_of.append(ideal)
    return Axes(str(dataset[lat_name].dims[0]), str(dataset[lon_name].dims[0]), *centres_of)


def rasters(grid: Axes, field: np.ndarray) -> tuple[Raster, ...]:
    """A field (lat, lon) as rasters, north up, longitudes within -180..180.

    One raster, or two where the field crosses 180 degrees without going around the world.
    """
    lat, lon = grid.lat, grid.lon
    if lat[0] < lat[-1]:
        lat, field = lat[::-1], field[::-1]
    if lon[0] > lon[-1]:
        lon, field = lon[::-1], field[:, ::-1]
    dx, dy = (lon[-1] - lon[0]) / (lon.size - 1), (lat[0] - lat[-1]) / (lat.size - 1)
    east = lon > 180
    parts = [(lon[~east], field[:, ~east]), (lon[east] - 360, field[:, east])]
    parts = [p for p in parts if p[0].size]
    if len(parts) == 2 and abs(parts[0][0][0] - parts[1][0][-1] - dx) < 0.02 * dx:
        parts = [(np.concatenate([parts[1][0], parts[0][0]]), np.concatenate([parts[1][1], parts[0][1]], 1))]
    out = []
    for west, data in parts:
        affine = Affine(dx, 0.0, west[0] - dx / 2, 0.0, -dy, lat[0] + dy / 2)
        out.append(Raster(np.ascontiguousarray(data, np.float32), GeoBox(data.shape, affine, "EPSG:4326")))
    return tuple(out)


def field(path: Path, dataset: xr.Dataset, name: str, grid: Axes, day: dt.date | None = None) -> np.ndarray:
    """One variable as (lat, lon) float64, NaN where missing; of ``day`` where the file has a time axis.

    Raises ``GranuleError`` where the day is not in the file, or dimensions other than time, lat, lon are longer than 1.
    """
    variable = dataset[name]
    time_name = next((t for t in TIME_NAMES if t in variable.dims), None)
    if time_name is not None and day is not None:
        stamps = np.asarray(dataset[time_name].values)
        if np.issubdtype(stamps.dtype, np.datetime64):
            index = np.flatnonzero(stamps.astype("datetime64[D]") == np.datetime64(day, "D"))
            if index.size == 0:
                held = ", ".join(str(d) for d in np.unique(stamps.astype("datetime64[D]"))[:3])
                raise GranuleError(path, f"holds {held}, not this day", layer=name, day=day,
                                   remedy="rename it after the day it holds, or remove it")  # fmt: skip
            variable = variable.isel({time_name: index[0]})
    for dim in variable.dims:
        if dim not in (grid.lat_dim, grid.lon_dim):
            if variable.sizes[dim] != 1:
                raise GranuleError(path, f"has {variable.sizes[dim]} values along {dim}", layer=name, day=day)
            variable = variable.isel({dim: 0})
    return physical_values(path, variable.transpose(grid.lat_dim, grid.lon_dim))


def times(path: Path, dataset: xr.Dataset) -> np.ndarray:
    """The time axis, datetime64[s] UTC; empty where the file has none."""
    name = next((t for t in TIME_NAMES if t in dataset.variables), None)
    if name is None:
        return np.empty(0, "datetime64[s]")
    stamps = np.atleast_1d(dataset[name].values)
    if not np.issubdtype(stamps.dtype, np.datetime64):
        return np.empty(0, "datetime64[s]")
    return stamps.astype("datetime64[s]")


def intervals(path: Path, dataset: xr.Dataset) -> np.ndarray:
    """Start and end of the period that each time step covers: (n, 2) datetime64[s] UTC.

    By the bounds the time axis names; else by the CF attributes ``time_coverage_start`` and ``_end`` of a file with one
    step; else the whole UTC day of each time (of the file name where the file has no time). Raises ``GranuleError``
    where several steps fall into one day and there are no bounds.
    """
    stamps = times(path, dataset)
    name = next((t for t in TIME_NAMES if t in dataset.variables), None)
    bounds = dataset[name].attrs.get("bounds") or dataset[name].encoding.get("bounds") if name else None
    bounds = next((b for b in (bounds, "time_bnds", "time_bounds") if b and b in dataset.variables), None)
    if bounds is not None:
        edges = np.asarray(dataset[bounds].values).reshape(-1, 2)
        if not np.issubdtype(edges.dtype, np.datetime64):
            edges = xr.decode_cf(xr.Dataset({"b": (("n", "two"), edges, dict(_time_units(dataset, name)))}))["b"].values
        return edges.astype("datetime64[s]")
    if stamps.size == 0:
        day = day_in_name(path.name)
        if day is None:
            raise GranuleError(path, "neither a time axis nor its name states its day")
        stamps = np.array([np.datetime64(day, "s")])
    covered = [_moment(dataset.attrs.get(f"time_coverage_{edge}")) for edge in ("start", "end")]
    if stamps.size == 1 and covered[0] is not None and covered[1] is not None:
        begin, end = covered[0], covered[1]
        end = end + np.timedelta64(1, "s") if str(end).endswith("59") else end
        # Some files state the coverage of their whole record there.
        if begin < end <= begin + 32 * ONE_UTC_DAY and begin <= stamps[0] <= end:
            return np.array([[begin, end]])
    start = stamps.astype("datetime64[D]")
    if np.unique(start).size != start.size:
        raise GranuleError(path, "several steps a day and no bounds of time", remedy="give its time axis bounds (CF)")
    return np.stack([start, start + ONE_UTC_DAY], 1).astype("datetime64[s]")


def days_in(path: Path) -> tuple[dt.date, ...]:
    """The UTC days that a file covers, wholly or in part."""
    with open_netcdf(path) as dataset:
        out: set[dt.date] = set()
        for start, end in _day_ranges(path, dataset):
            day = start
            while day <= end:
                out.add(day.astype(dt.date))
                day = day + ONE_UTC_DAY
    return tuple(sorted(out))


def _day_ranges(path: Path, dataset: xr.Dataset) -> Iterator[tuple[np.datetime64, np.datetime64]]:
    bounded = any("bounds" in {**dataset[t].attrs, **dataset[t].encoding} for t in TIME_NAMES if t in dataset.variables)
    if bounded or "time_bnds" in dataset.variables:
        for start, end in intervals(path, dataset):
            yield start.astype("datetime64[D]"), (end - np.timedelta64(1, "s")).astype("datetime64[D]")
        return
    stamps = times(path, dataset)
    for start in stamps if stamps.size else intervals(path, dataset)[:, 0]:
        yield start.astype("datetime64[D]"), start.astype("datetime64[D]")


def _time_units(dataset: xr.Dataset, name: str | None) -> Iterator[tuple[str, str]]:
    if name is not None:
        for key in ("units", "calendar"):
            value = dataset[name].encoding.get(key) or dataset[name].attrs.get(key)
            if value:
                yield key, value


def _moment(text: object) -> np.datetime64 | None:
    """An ISO date and time, with or without dashes and colons; None where ``text`` is something else."""
    digits = re.sub(r"\D", "", str(text))[:14] if text is not None else ""
    if len(digits) not in (8, 14):
        return None
    digits = digits.ljust(14, "0")
    try:
        return np.datetime64(dt.datetime.strptime(digits, "%Y%m%d%H%M%S"), "s")
    except ValueError:
        return None


def overlaps(grid: Axes, domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Fraction of each coarse row that a latitude covers, (R, n_lat), and of each column a longitude, (C, n_lon)."""
    to_grid = Transformer.from_crs("EPSG:4326", domain.grid.crs, always_xy=True)
    dlat, dlon = grid.lat[1] - grid.lat[0], grid.lon[1] - grid.lon[0]
    edges_lat = np.clip(np.append(grid.lat - dlat / 2, grid.lat[-1] + dlat / 2), -90, 90)
    _, y = to_grid.transform(np.zeros_like(edges_lat), edges_lat)
    per_degree = to_grid.transform(1.0, 0.0)[0]  # x is linear in longitude
    x = np.append(grid.lon - dlon / 2, grid.lon[-1] + dlon / 2) * per_degree
    r0, r1, c0, c1 = domain.window
    g = domain.grid
    rows = g.top - np.arange(r0, r1 + 1) * g.cell
    cols = g.left + np.arange(c0, c1 + 1) * g.cell
    across = sum(_covered(cols, x + turn * 360 * per_degree) for turn in (-1, 0, 1))  # longitudes 0..360 or -180..180
    return _covered(rows, y), np.asarray(across)


def _covered(cells: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Fraction of each cell that each part covers: (cells, parts), from the edges of both, in either direction."""
    low, high = np.minimum(cells[:-1], cells[1:])[:, None], np.maximum(cells[:-1], cells[1:])[:, None]
    start, end = np.minimum(parts[:-1], parts[1:])[None], np.maximum(parts[:-1], parts[1:])[None]
    return np.clip(np.minimum(high, end) - np.maximum(low, start), 0, None) / (high - low)
