"""NetCDF files on any regular latitude/longitude grid: a variable of a day as rasters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from ssm_net.grid import Domain
from ssm_net.ingest import signature, time_axis
from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.naming import day_in_name
from ssm_net.ingest.raster import GranuleError, Raster

ENGINES = {signature.HDF5: "h5netcdf", signature.CLASSIC: "scipy", signature.CDF5: "netcdf4"}
VERSIONS = ("expver",)  # dimensions along which a file holds the same hours twice, the final ones first (ERA5, ERA5T)
ONE_SECOND = np.timedelta64(1, "s")


@contextmanager
def open_netcdf(path: Path) -> Iterator[xr.Dataset]:
    """A NetCDF file as it is stored, nothing decoded: NetCDF-4 by h5netcdf, NetCDF-3 by scipy, CDF-5 by netCDF4 where
    that is installed, chosen by the signature.

    Raises ``GranuleError`` where it is none of these, which says what it is, or damaged.
    """
    kind = signature.require(path, "a NetCDF file", *ENGINES)
    if kind == signature.CDF5 and find_spec("netCDF4") is None:
        raise GranuleError(path, "a CDF-5 file (64-bit data), which needs the package netCDF4",
                           remedy=f"pip install netCDF4, or {signature.to_netcdf4(path)}")  # fmt: skip
    try:
        if kind == signature.HDF5:
            with h5py.File(path) as file:  # h5netcdf leaves a trace on the screen where one of these fails
                file.attrs.get("_nc3_strict")
        dataset = xr.open_dataset(path, engine=ENGINES[kind], mask_and_scale=False, decode_times=False)
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


def encoding_of(path: Path, variable: xr.DataArray) -> Encoding:
    """What the attributes of a variable say of its numbers."""
    return Encoding(path, str(variable.name), variable.attrs)


def physical_values(path: Path, variable: xr.DataArray, fills: Sequence[float] = ()) -> np.ndarray:
    """A variable in physical units, float64, NaN where missing, by ``Encoding.decode``. Raises ``GranuleError``."""
    try:
        data = np.asarray(variable.values)
    except (OSError, ValueError, RuntimeError, KeyError) as err:
        raise GranuleError(path, f"damaged or cut short ({err})", layer=str(variable.name)) from err
    return encoding_of(path, variable).decode(data, fills)


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
        centres = physical_values(path, dataset[name])
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

    Of several versions of the same hours (``expver`` of ERA5) the first with a value counts.

    Raises ``GranuleError`` where the day is not in the file, or dimensions other than time, lat, lon are longer than 1.
    """
    variable = dataset[name]
    time_name = next((t for t in time_axis.TIME_NAMES if t in variable.dims), None)
    if time_name is not None and day is not None:
        stamps = time_axis.times(path, dataset)
        if stamps.size:
            index = np.flatnonzero(stamps.astype("datetime64[D]") == np.datetime64(day, "D"))
            if index.size == 0:
                held = ", ".join(str(d) for d in np.unique(stamps.astype("datetime64[D]"))[:3])
                raise GranuleError(path, f"holds {held}, not this day", layer=name, day=day,
                                   remedy="rename it after the day it holds, or remove it")  # fmt: skip
            variable = variable.isel({time_name: index[0]})
    versions = [dim for dim in variable.dims if dim in VERSIONS]
    for dim in variable.dims:
        if dim not in (grid.lat_dim, grid.lon_dim, *versions):
            if variable.sizes[dim] != 1:
                raise GranuleError(path, f"has {variable.sizes[dim]} values along {dim}", layer=name, day=day,
                                   remedy=f"give a file with one value along {dim}, or remove it")  # fmt: skip
            variable = variable.isel({dim: 0})
    values = physical_values(path, variable.transpose(*versions, grid.lat_dim, grid.lon_dim))
    for dim in versions:
        order = np.argsort(dataset[dim].values.astype(str)) if dim in dataset.coords else range(len(values))
        first, *others = (values[n] for n in order)
        for other in others:
            np.copyto(first, other, where=np.isnan(first))
        values = first
    return values


def days_in(path: Path, around: int = 0) -> tuple[dt.date, ...]:
    """The UTC days that a file covers, wholly or in part; where it states no intervals, those of its time stamps (of
    its name where it has none) and ``around`` days before and after each. Raises ``GranuleError``."""
    with open_netcdf(path) as dataset:
        stated = time_axis.stated_intervals(path, dataset)
        if stated is None:
            stamps = stamps_of(path, dataset).astype("datetime64[D]")
            first, last = stamps - around, stamps + around
        else:
            first, last = stated[:, 0].astype("datetime64[D]"), (stated[:, 1] - ONE_SECOND).astype("datetime64[D]")
    days = {day for start, end in zip(first, last, strict=True) for day in np.arange(start, end + 1)}
    return tuple(day.astype(dt.date) for day in sorted(days))


def seconds_since(
    path: Path, dataset: xr.Dataset, name: str, grid: Axes, day: dt.date, origin: np.datetime64
) -> np.ndarray:
    """A field of moments, (lat, lon) float64 seconds after ``origin`` (UTC), NaN where missing.

    The variable is a time of its own, or counts from the file's time in its units (``dtime`` of ESA CCI). Raises
    ``GranuleError`` where these are unknown, or the file states no time.
    """
    units = str(dataset[name].attrs.get("units", "seconds")).strip().lower()
    if "since" in units:
        unit, zero = time_axis.unit_and_origin(path, dataset[name])
        return field(path, dataset, name, grid, day) * unit + float((zero - origin) / ONE_SECOND)
    per = time_axis.SECONDS.get(units) or time_axis.SECONDS.get(units.removesuffix("s"))
    base = time_axis.times(path, dataset)
    if per is None or base.size == 0:
        what = f"counts in {units!r}" if per is None else "counts from the time of the file, which states none"
        raise GranuleError(path, what, layer=name, day=day, remedy="use files as the archive delivers them")
    of_day = base[base.astype("datetime64[D]") == np.datetime64(day, "D")]
    first = of_day[0] if of_day.size else base[0]
    return field(path, dataset, name, grid, day) * per + float((first - origin) / np.timedelta64(1, "s"))


def stamps_of(path: Path, dataset: xr.Dataset) -> np.ndarray:
    """The moments of the steps, (n,) datetime64[s] UTC: of the time axis, else of the day in the file name.

    Raises ``GranuleError`` where there is neither.
    """
    stamps = time_axis.times(path, dataset)
    if stamps.size == 0:
        day = day_in_name(path.name)
        if day is None:
            raise GranuleError(path, "neither a time axis nor its name states its day")
        stamps = np.array([np.datetime64(day, "s")])
    return stamps


def overlaps(grid: Axes, domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Fraction of each coarse row that a latitude covers, (R, n_lat), and of each column a longitude, (C, n_lon)."""
    to_grid = Transformer.from_crs("EPSG:4326", domain.grid.crs, always_xy=True)
    dlat, dlon = grid.lat[1] - grid.lat[0], grid.lon[1] - grid.lon[0]
    edges_lat = np.clip(np.append(grid.lat - dlat / 2, grid.lat[-1] + dlat / 2), -90, 90)
    _, y = to_grid.transform(np.zeros_like(edges_lat), edges_lat)
    per_degree = to_grid.transform(1.0, 0.0)[0]  # x is linear in longitude
    x = np.append(grid.lon - dlon / 2, grid.lon[-1] + dlon / 2) * per_degree
    return overlaps_of_edges(y, x, domain)


def overlaps_of_edges(y: np.ndarray, x: np.ndarray, domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """As ``overlaps``, from the edges of rows ``y`` (n_lat + 1,) and columns ``x`` (n_lon + 1,) in metres of the grid
    of ``domain``."""
    turn_of = 360 * Transformer.from_crs("EPSG:4326", domain.grid.crs, always_xy=True).transform(1.0, 0.0)[0]
    r0, r1, c0, c1 = domain.window
    g = domain.grid
    rows = g.top - np.arange(r0, r1 + 1) * g.cell
    cols = g.left + np.arange(c0, c1 + 1) * g.cell
    across = sum(_covered(cols, x + turn * turn_of) for turn in (-1, 0, 1))  # longitudes 0..360 or -180..180
    return _covered(rows, y), np.asarray(across)


def _covered(cells: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Fraction of each cell that each part covers: (cells, parts), from the edges of both, in either direction."""
    low, high = np.minimum(cells[:-1], cells[1:])[:, None], np.maximum(cells[:-1], cells[1:])[:, None]
    start, end = np.minimum(parts[:-1], parts[1:])[None], np.maximum(parts[:-1], parts[1:])[None]
    return np.clip(np.minimum(high, end) - np.maximum(low, start), 0, None) / (high - low)
