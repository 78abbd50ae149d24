"""Readers of daily maps on any grid: GeoTIFF, NetCDF, and HDF5 with latitudes and longitudes.

NSIDC-0779 (SMAP at 1 km): ``NSIDC-0779_EASE2_G1km_SMAP_SM_DS_yyyymmdd.tif`` with two bands, the first of 6:00, the
second of 18:00 local solar time, as users of its files describe them (github.com/jiashenyue, Tech Note 2); whether a
file is of a UTC day, as those of SMAP's level 3 are, is taken from these. China 1 km (Song et al. 2022, Earth Syst.
Sci. Data 14, 2613): ``SM_yyyyddd.h5``, HDF5, of the midnight of its day, as its page at the National Tibetan Plateau
Data Center says (data e1f24e35-6235-40b2-b3d7-677dfb249e39). The names of its layers were not found in public: the
reader takes the one map of soil moisture, and the latitudes and longitudes, that a file holds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import rasterio
import xarray as xr
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.ingest import latlon, signature, time_axis
from ssm_net.ingest.easegrid import LAT, LON, NOT_VALUES, SSM_NAME, soil_moisture_variable
from ssm_net.ingest.encoding import Encoding, attributes_of
from ssm_net.ingest.moments import hours_of_utc_map
from ssm_net.ingest.naming import day_in_name
from ssm_net.ingest.raster import REMEDY, GranuleError, naming_damage
from ssm_net.peers.sample import Places, Sample, nowhere, soil_moisture

NSIDC_HOURS = (6.0, 18.0)  # local solar time of the bands of NSIDC-0779
NO_GRID = "give it as GeoTIFF, or as NetCDF with latitude and longitude"


def read_geotiff(path: Path, places: Places) -> Sequence[Sample]:
    """The first band of a daily GeoTIFF at ``places``, of the night of the day in its name.

    Raises ``GranuleError`` where it is damaged, has no CRS, or its name no day.
    """
    with _opened(path) as source:
        return [Sample.of_night(_band(path, source, 1, places), _day(path), places)]


def read_nsidc_0779(path: Path, places: Places) -> Sequence[Sample]:
    """Both bands of NSIDC-0779 at ``places``, each of its hour. Raises ``GranuleError`` as ``read_geotiff``."""
    day, out = _day(path), []
    with _opened(path) as source:
        for number, hour in zip(range(1, source.count + 1), NSIDC_HOURS, strict=False):
            since = hours_of_utc_map(path, places.lon, day, hour) + NIGHT_HOUR - places.lon / 15
            moment = np.datetime64(day, "s") + np.round(since * 3600).astype("timedelta64[s]")
            out.append(Sample(_band(path, source, number, places), moment))
    return out


def _opened(path: Path) -> Any:
    try:
        return rasterio.open(path, driver="GTiff")
    except RasterioError as err:
        what, remedy = signature.other_kind(path) or (f"not a whole GeoTIFF ({err})", REMEDY)
        raise GranuleError(path, what, remedy=remedy) from err


def _band(path: Path, source: Any, number: int, places: Places) -> np.ndarray:
    """Soil moisture of the pixels that hold ``places``, (P,)."""
    if source.crs is None:
        raise GranuleError(path, "has no coordinate reference system", remedy="write one into it (gdal_edit)")
    col, row = (np.floor(v).astype(np.int64) for v in ~source.transform @ places.xy(source.crs.to_string()))
    inside = np.flatnonzero((col >= 0) & (col < source.width) & (row >= 0) & (row < source.height))
    stored = np.full(places.size, np.nan)
    height, width = source.block_shapes[number - 1]
    block = row[inside] // height * source.width + col[inside] // width
    order = np.argsort(block, kind="stable")
    _, first = np.unique(block[order], return_index=True)
    with naming_damage(path):
        for at in np.split(inside[order], first[1:]) if inside.size else ():  # each block is read once
            top, left = row[at[0]] // height * height, col[at[0]] // width * width
            window = Window(left, top, min(width, source.width - left), min(height, source.height - top))
            pixels = np.ma.filled(source.read(number, window=window, masked=True).astype(float), np.nan)
            stored[at] = pixels[row[at] - top, col[at] - left]
    encoding = Encoding(path, f"band {number}", {"scale_factor": source.scales[number - 1],
                                                 "add_offset": source.offsets[number - 1],
                                                 "units": source.units[number - 1] or ""})  # fmt: skip
    return soil_moisture(stored, encoding)


def read_netcdf(path: Path, places: Places) -> Sequence[Sample]:
    """Soil moisture of a NetCDF file at ``places``: of each step of its time axis, or of the day in its name.

    One step a day is of the night of its day; of several, each is of its moment. Raises ``GranuleError`` where it is
    damaged, or on a grid without latitudes and longitudes that belong to its rows and columns.
    """
    with latlon.open_netcdf(path) as dataset:
        names = [latlon.find_variable(path, dataset, known, what)
                 for known, what in ((LAT, "latitude"), (LON, "longitude"))]  # fmt: skip
        name = soil_moisture_variable(path, dataset, set(names))
        lat, lon = (latlon.physical_values(path, dataset[n]) for n in names)
        variable = dataset[name]
        time = next((t for t in time_axis.TIME_NAMES if t in variable.dims), None)
        stamps = time_axis.times(path, dataset) if time is not None else np.empty(0, "datetime64[s]")
        if time is None or not stamps.size:
            stamps = np.array([_day(path)], "datetime64[s]")
        days = stamps.astype("datetime64[D]")
        out = []
        for step, (stamp, day) in enumerate(zip(stamps, days, strict=True)):
            layer = variable if time is None else variable.isel({time: step})
            values = _at_places(path, name, _plane(path, layer), (lat, lon), places,
                                latlon.encoding_of(path, variable))  # fmt: skip
            if (days == day).sum() == 1:
                out.append(Sample.of_night(values, day.astype(dt.date), places))
            else:
                out.append(Sample(values, np.full(places.size, stamp, "datetime64[s]")))
    return out


def _plane(path: Path, layer: xr.DataArray) -> np.ndarray:
    with naming_damage(path):
        return np.squeeze(np.asarray(layer.values))


def read_china_1km(path: Path, places: Places) -> Sequence[Sample]:
    """The map of a ``SM_yyyyddd.h5`` at ``places``, of the night of its day.

    Raises ``GranuleError`` where it holds no one map of soil moisture, or no latitudes and longitudes.
    """
    signature.require(path, "an HDF5 file", signature.HDF5)
    with naming_damage(path), h5py.File(path, "r") as file:
        layers = dict(_numbers(file))
        lat, lon = (_axis(path, layers, known, what) for known, what in ((LAT, "latitudes"), (LON, "longitudes")))
        maps = {n: d for n, d in layers.items() if len(np.squeeze(np.empty(d.shape, bool)).shape) == 2
                and n.rpartition("/")[2].lower() not in (*LAT, *LON)}  # fmt: skip
        named = {n: d for n, d in maps.items() if SSM_NAME.search(n.rpartition("/")[2])}
        chosen = named or {n: d for n, d in maps.items() if not NOT_VALUES.search(n.rpartition("/")[2])}
        if len(chosen) != 1:
            raise GranuleError(path, f"holds {len(chosen)} maps that may be soil moisture ({', '.join(layers)})",
                               remedy=NO_GRID)  # fmt: skip
        ((name, layer),) = chosen.items()
        values = _at_places(path, name, np.squeeze(layer[()]), (lat, lon), places,
                            Encoding(path, name, attributes_of(layer)))  # fmt: skip
    return [Sample.of_night(values, _day(path), places)]


def _numbers(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and layers of all numbers below a group."""
    for name, item in group.items():
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf":
            yield f"{prefix}{name}", item
        elif isinstance(item, h5py.Group):
            yield from _numbers(item, f"{prefix}{name}/")


def _axis(path: Path, layers: dict[str, Any], known: Sequence[str], what: str) -> np.ndarray:
    name = next((n for n in layers if n.rpartition("/")[2].lower() in known), None)
    if name is None:
        raise GranuleError(path, f"holds no {what} (it holds {', '.join(layers) or 'nothing'})", remedy=NO_GRID)
    return np.asarray(layers[name][()], float)


def _at_places(
    path: Path, name: str, plane: np.ndarray, where: tuple[np.ndarray, np.ndarray], places: Places, encoding: Encoding
) -> np.ndarray:
    """Soil moisture (P,) of the pixels of a ``plane`` that hold ``places``; ``where`` are latitudes and longitudes, of
    its rows and columns or of each pixel. Raises ``GranuleError`` where these belong to no rows and columns."""
    lat, lon = (np.squeeze(v) for v in where)
    if lat.ndim == 2 and lat.shape == lon.shape == plane.shape:
        if np.nanmax(np.ptp(lat, axis=0)) < np.nanmax(np.ptp(lat, axis=1)):
            plane, lat, lon = plane.T, lat.T, lon.T
        spread = np.nanmax(np.nanmax(lat, 1) - np.nanmin(lat, 1)), np.nanmax(np.nanmax(lon, 0) - np.nanmin(lon, 0))
        step = np.nanmedian(np.abs(np.diff(lat, axis=0))), np.nanmedian(np.abs(np.diff(lon, axis=1)))
        if spread[0] > step[0] / 10 or spread[1] > step[1] / 10:
            raise GranuleError(path, "its rows and columns are no parallels and meridians", layer=name, remedy=NO_GRID)
        lat, lon = np.nanmean(lat, 1), np.nanmean(lon, 0)
    if lat.ndim != 1 or lon.ndim != 1 or lat.size < 2 or lon.size < 2:
        raise GranuleError(path, f"latitudes {lat.shape} and longitudes {lon.shape} belong to no grid", layer=name,
                           remedy=NO_GRID)  # fmt: skip
    if plane.shape == (lon.size, lat.size) and lat.size != lon.size:
        plane = plane.T
    if plane.shape != (lat.size, lon.size):
        raise GranuleError(path, f"has shape {plane.shape} for {lat.size} latitudes, {lon.size} longitudes", layer=name,
                           remedy=NO_GRID)  # fmt: skip
    row, col, inside = places.on_axes(lat, lon)
    out = nowhere(places)
    out[inside] = soil_moisture(plane[row[inside], col[inside]], encoding)
    return out


def _day(path: Path) -> dt.date:
    day = day_in_name(path.name)
    if day is None:
        raise GranuleError(path, "its name states no day", remedy="give it a name with its day (yyyymmdd)")
    return day
