"""Crops of MODIS and VIIRS products as NetCDF, as AppEEARS and OPeNDAP servers deliver them: many days in one file, on
the sinusoidal grid or in latitude and longitude.

Layers have the dimensions (time, y, x): ``ydim``/``xdim`` (AppEEARS, sinusoidal), ``lat``/``lon`` (AppEEARS,
geographic) or ``YDim``/``XDim`` (OPeNDAP); coordinates are metres or degrees. Their names are those of the product,
with other signs than letters and digits as ``_`` (``_1_km_16_days_NDVI``), or with the grid in front
(``VNP_Grid_1km_2D_..``).
AppEEARS makes a file a resolution (``VNP09GA.002_500m_aid0001.nc`` beside ``.._1km_..``): the quality layers of one
count for the other. Numbers are packed, with the CF attributes of the file, or unpacked.

Sources: the request forms and user guide of AppEEARS; its output as read by public code (adammwilson/DataScienceData;
ptaconet/modisfast for OPeNDAP). That the time axis of AppEEARS counts in the calendar ``julian``, and the attributes of
its ``crs``, are from memory.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from ssm_net.ingest import latlon, time_axis
from ssm_net.ingest.modis_tiles import LEFT, RADIUS, SINUSOIDAL, TILE_SIDE, TOP
from ssm_net.ingest.raster import GranuleError, naming_damage

GEOGRAPHIC = "EPSG:4326"
RESOLUTION = re.compile(r"_(500m|1km)_", re.I)
NATIVE = "request it in the native projection or in geographic coordinates"


@dataclass(frozen=True)
class CropFile:
    """An open crop: ``layers`` by name, and those of quality in the file ``beside`` it; ``mappings`` are the attributes
    of its grid mappings, by name."""

    path: Path
    layers: Mapping[str, xr.DataArray]
    beside: Mapping[str, xr.DataArray]
    mappings: Mapping[str, Mapping[str, Any]]

    def find(self, names: Sequence[str], *, quality: bool = False) -> str | None:
        for name in names:
            for layers in (self.layers, self.beside) if quality else (self.layers,):
                found = [own for own in layers if _is_called(own, name)]
                if found:
                    return min(found, key=len)
        return None

    def geobox(self, name: str) -> GeoBox:
        layer = self._layer(name)
        return _pixels(self.path, layer, _projection(self.path, layer, self.mappings))[0]

    def window(self, name: str, rows: slice, cols: slice) -> tuple[np.ndarray, Mapping[str, Any]]:
        layer = self._layer(name)
        _, down, right = _pixels(self.path, layer, _projection(self.path, layer, self.mappings))
        with naming_damage(self.path):
            data = np.asarray(layer.values)[:: 1 if down else -1, :: 1 if right else -1][rows, cols]
        attributes = {str(key): value for key, value in layer.attrs.items()}
        return np.ascontiguousarray(data, data.dtype.newbyteorder("=")), attributes

    def _layer(self, name: str) -> xr.DataArray:
        return self.layers[name] if name in self.layers else self.beside[name]


@contextmanager
def open_crop(path: Path, day: dt.date | None) -> Iterator[CropFile]:
    """A crop, open, at ``day``; None where it holds one day only, or only names are asked for.

    Raises ``GranuleError`` where it is damaged or does not hold ``day``.
    """
    with ExitStack() as open_files:
        dataset = open_files.enter_context(latlon.open_netcdf(path))
        beside: Mapping[str, xr.DataArray] = {}
        if (other := _of_other_resolution(path)) is not None:
            beside = _layers(other, open_files.enter_context(latlon.open_netcdf(other)), day)
        mappings = {str(k): v.attrs for k, v in dataset.variables.items() if "grid_mapping_name" in v.attrs}
        yield CropFile(path, _layers(path, dataset, day), beside, mappings)


def days_of(path: Path) -> tuple[dt.date, ...]:
    """The days of a crop; empty where it has no time axis. Raises ``GranuleError``."""
    with latlon.open_netcdf(path) as dataset:
        stamps = time_axis.times(path, dataset).astype("datetime64[D]")
    return tuple(day.astype(dt.date) for day in np.unique(stamps))


def area_of(path: Path) -> str:
    """The pixels of a crop in words, which differ between crops of different areas or resolutions. Raises
    ``GranuleError`` where no layer has rows and columns."""
    with open_crop(path, None) as crop:
        for name in crop.layers:
            box = crop.geobox(name)
            a, (rows, cols) = box.affine, box.shape
            return f"crop {a.c:.4f} {a.f:.4f} {rows}x{cols}"
    raise GranuleError(path, "holds no layer with rows and columns", remedy="remove it, or download it again")


def _layers(path: Path, dataset: xr.Dataset, day: dt.date | None) -> dict[str, xr.DataArray]:
    """The layers with rows and columns, at ``day``."""
    out: dict[str, xr.DataArray] = {}
    step = _step(path, dataset, day)
    for key, layer in dataset.variables.items():
        times = [dim for dim in layer.dims if dim in time_axis.TIME_NAMES]
        if layer.ndim - len(times) != 2 or not np.issubdtype(layer.dtype, np.number):
            continue
        array = dataset[key].isel(dict.fromkeys(times, step))
        if array.dims[0] in dataset.coords and array.dims[1] in dataset.coords:
            out[str(key)] = array
    return out


def _step(path: Path, dataset: xr.Dataset, day: dt.date | None) -> int:
    stamps = time_axis.times(path, dataset).astype("datetime64[D]")
    if day is None or stamps.size == 0:
        return 0
    at = np.flatnonzero(stamps == np.datetime64(day, "D"))
    if at.size == 0:
        raise GranuleError(path, f"holds {stamps.min()} .. {stamps.max()}, not this day", day=day)
    return int(at[0])


def _is_called(own: str, name: str) -> bool:
    plain, wanted = _plain(own), _plain(name)
    return plain == wanted or plain.endswith("_" + wanted)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _of_other_resolution(path: Path) -> Path | None:
    match = RESOLUTION.search(path.name)
    if match is None:
        return None
    other = {"500m": "1km", "1km": "500m"}[match[1].lower()]
    beside = path.with_name(f"{path.name[: match.start(1)]}{other}{path.name[match.end(1) :]}")
    return beside if beside.is_file() else None


def _projection(path: Path, layer: xr.DataArray, mappings: Mapping[str, Mapping[str, Any]]) -> str:
    """The projection of a layer: by its grid mapping, else by its coordinates. Raises ``GranuleError``."""
    stated = mappings.get(str(layer.attrs.get("grid_mapping"))) or next(iter(mappings.values()), {})
    name = str(stated.get("grid_mapping_name", "")).lower()
    if name == "sinusoidal":
        radius = float(np.ravel(stated.get("semi_major_axis", stated.get("earth_radius", RADIUS)))[0])
        middle = float(np.ravel(stated.get("longitude_of_central_meridian", 0.0))[0])
        if abs(radius - RADIUS) > 1 or middle:
            raise GranuleError(path, f"is sinusoidal on a sphere of {radius} m around {middle} E, not that of MODIS",
                               layer=str(layer.name), remedy=NATIVE)  # fmt: skip
        return SINUSOIDAL
    if name == "latitude_longitude":
        return GEOGRAPHIC
    if name:
        raise GranuleError(path, f"is in the projection {name}", layer=str(layer.name), remedy=NATIVE)
    largest = max(float(np.abs(layer[dim].values).max()) for dim in layer.dims)
    return GEOGRAPHIC if largest <= 360 else SINUSOIDAL


def _pixels(path: Path, layer: xr.DataArray, crs: str) -> tuple[GeoBox, bool, bool]:
    """The pixels of a layer, north up, and whether its rows go down and its columns right as it is stored."""
    (top, step_y), (left, step_x) = (_first_and_step(path, layer, n) for n in (0, 1))
    rows, cols = layer.shape
    down, right = step_y < 0, step_x > 0
    if not down:
        top += (rows - 1) * step_y
    if not right:
        left += (cols - 1) * step_x
    step_x, step_y = abs(step_x), abs(step_y)
    if crs == SINUSOIDAL:
        left, step_x = _on_lattice(path, layer, left - LEFT, step_x)
        top, step_y = _on_lattice(path, layer, TOP - top, step_y)
        left, top = LEFT + left, TOP - top
    else:
        if left > 180:
            left -= 360
        left, top = left - step_x / 2, top + step_y / 2
        if left + cols * step_x > 180 + 1e-6:
            raise GranuleError(path, "crosses the dateline", layer=str(layer.name),
                               remedy="request the area on either side of it by itself")  # fmt: skip
    return GeoBox((rows, cols), Affine(step_x, 0.0, left, 0.0, -step_y, top), crs), down, right


def _first_and_step(path: Path, layer: xr.DataArray, axis: int) -> tuple[float, float]:
    """The first coordinate along an axis, and the step to the next. Raises ``GranuleError``."""
    name = str(layer.dims[axis])
    values = np.asarray(layer[name].values, np.float64)
    if values.size < 2:
        raise GranuleError(path, "has a single row or column of pixels", layer=name, remedy="request a larger area")
    step = (values[-1] - values[0]) / (values.size - 1)
    if (
        not np.isfinite(step)
        or not step
        or np.abs(values - values[0] - step * np.arange(values.size)).max() > 0.02 * abs(step)
    ):
        raise GranuleError(path, "is not evenly spaced", layer=name)
    return float(values[0]), float(step)


def _on_lattice(path: Path, layer: xr.DataArray, at: float, step: float) -> tuple[float, float]:
    """Where the first pixel begins, and its side, both as MODIS tiles have them; metres from the corner of the grid.

    AppEEARS states the middle of pixels, some OPeNDAP servers their upper left corner: the lattice shows which.
    """
    number = round(TILE_SIDE / step)
    pixel = TILE_SIDE / number if number else step
    if abs(step - pixel) > 1e-3 * step or number % 1200:
        raise GranuleError(path, f"has pixels of {step:.1f} m, not those of MODIS tiles", layer=str(layer.name),
                           remedy=NATIVE)  # fmt: skip
    part = at / pixel
    nearest, inside = round(part), part - round(part)
    if abs(inside) < 0.1:
        return nearest * pixel, pixel
    if abs(abs(inside) - 0.5) < 0.1:
        return np.floor(part) * pixel, pixel
    raise GranuleError(path, "lies between the pixels of MODIS tiles: it was resampled", layer=str(layer.name),
                       remedy=NATIVE)  # fmt: skip
