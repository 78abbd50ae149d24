"""The mosaic of a day as a cloud-optimised GeoTIFF in degrees."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
import xarray as xr
from affine import Affine
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.warp import Resampling, reproject
from rasterio.windows import Window

from ssm_net.dateline import HALF_TURN
from ssm_net.formats.attributes import global_attributes
from ssm_net.formats.colours import colour_steps
from ssm_net.formats.netcdf import DAILY_ATTRIBUTES, FLAGS, LATITUDE, LONGITUDE, grid_mapping
from ssm_net.formats.product import DAILY_VARIABLES, FILL, SCALE, UNITS, Mosaic, MosaicError, pack

PIXEL_DEGREES = 0.01
GRID_FROM_DATELINE = "+proj=cea +lat_ts=30 +lon_0=180 +datum=WGS84 +units=m +no_defs"  # EPSG:6933, turned
GEOGRAPHIC = "EPSG:4326"
NETCDF_ONLY = ("Conventions", "domain_window", "coarse_grid", "standard_name_vocabulary", "cdm_data_type")
GEOTIFF_BANDS = {  # scale and units
    "ssm": (float(f"{SCALE:g}"), UNITS),
    "ssm_uncertainty": (float(f"{SCALE:g}"), UNITS),
    "flags": (1.0, "1"),
}


def encode_geotiff(mosaic: Mosaic) -> bytes:
    """The bytes of the file: int16 bands ``ssm``, ``ssm_uncertainty`` (1e-4 m3 m-3) and ``flags``, fill -32768.

    All three bands are in one file, so that a day is complete with one rename; flags need 10 of the 16 bits. The same
    mosaic gives the same bytes.
    """
    bands, transform = to_degrees(mosaic)
    count, height, width = bands.shape
    profile = {
        "driver": "GTiff",
        "count": count,
        "height": height,
        "width": width,
        "dtype": "int16",
        "nodata": int(FILL),
        "crs": GEOGRAPHIC,
        "transform": transform,
    }
    with MemoryFile() as plain, MemoryFile() as cog:
        with plain.open(**profile) as dst:
            dst.write(bands)
            dst.descriptions = tuple(GEOTIFF_BANDS)
            dst.scales = tuple(scale for scale, _ in GEOTIFF_BANDS.values())
            dst.units = tuple(units for _, units in GEOTIFF_BANDS.values())
            dst.update_tags(**geotiff_tags(mosaic))
            for band, name in enumerate(GEOTIFF_BANDS, 1):
                dst.update_tags(band, **band_tags(name))
        # Overviews by nearest: a mean of flags or of fill values has no meaning.
        rasterio.shutil.copy(
            plain.name, cog.name, driver="COG", compress="DEFLATE", predictor="YES", overview_resampling="NEAREST"
        )
        return cog.read()


def geotiff_attributes(path: Path) -> dict[str, str]:
    """The file's own tags, and its ``grid``, all text. Raises ``MosaicError`` where it is not a GeoTIFF."""
    try:
        with rasterio.open(path) as file:
            tags = {key: value for key, value in file.tags().items() if key != "AREA_OR_POINT"}  # of GDAL
            return tags | {
                "grid": f"{file.height} x {file.width} from {file.transform.c:.2f} E {file.transform.f:.2f} N"
            }
    except RasterioError as err:
        raise _not_a_geotiff(path, err) from err


def geotiff_layout(path: Path) -> xr.Dataset:
    """A file's packed dataset without its day: variables (time, lat, lon) of no days and coordinates.

    Raises ``MosaicError`` where it is not a GeoTIFF in degrees.
    """
    try:
        with rasterio.open(path) as file:
            (height, width), transform, names = file.shape, file.transform, file.descriptions
    except RasterioError as err:
        raise _not_a_geotiff(path, err) from err
    if names != DAILY_VARIABLES:
        raise _not_a_geotiff(path, ValueError(f"bands {', '.join(map(str, names))}"))
    lat = transform.f + transform.e * (np.arange(height) + 0.5)
    lon = transform.c + transform.a * (np.arange(width) + 0.5)
    variables = {
        name: (
            ("time", "lat", "lon"),
            np.empty((0, height, width), np.uint16 if name == "flags" else np.int16),
            {key: value for key, value in attrs.items() if key != "coordinates"},
        )
        for name, attrs in DAILY_ATTRIBUTES.items()
    }
    coords = {
        "lat": ("lat", lat, LATITUDE | {"axis": "Y"}),
        "lon": ("lon", lon, LONGITUDE | {"axis": "X"}),
        "crs": ((), np.int32(0), grid_mapping(GEOGRAPHIC, transform)),
    }
    return xr.Dataset(variables, coords)


def read_geotiff_window(path: Path, place: int, name: str, rows: slice, cols: slice) -> np.ndarray:
    """Packed pixels (rows, cols) of the band ``name``; flags as uint16, 0 outside the domain. ``place`` is always 0.

    Raises ``MosaicError`` where the file is damaged.
    """
    assert place == 0, "a GeoTIFF holds one day"
    try:
        with rasterio.open(path) as file:
            counts = file.read(DAILY_VARIABLES.index(name) + 1, window=Window.from_slices(rows, cols))
    except RasterioError as err:
        raise _not_a_geotiff(path, err) from err
    return np.where(counts == FILL, 0, counts).astype(np.uint16) if name == "flags" else counts


def _not_a_geotiff(path: Path, err: Exception) -> MosaicError:
    return MosaicError(f"{path}: not a GeoTIFF of ssm_net ({err}); remove it and run infer.py again")


def geotiff_tags(mosaic: Mosaic) -> dict[str, str]:
    """The file's tags: the global attributes of the day, with what differs in degrees."""
    in_degrees = {
        "title": f"{global_attributes(mosaic)['title']}, resampled to {PIXEL_DEGREES} degree",
        "day": f"{mosaic.day}, night overpass, about 01:30 local solar time",
        "flag_masks": ",".join(str(mask) for mask in FLAGS["flag_masks"]),
        "flag_meanings": str(FLAGS["flag_meanings"]),
        "geospatial_lat_resolution": f"{PIXEL_DEGREES} degree",
        "geospatial_lon_resolution": f"{PIXEL_DEGREES} degree",
        "grid_name": f"{GEOGRAPHIC}, {PIXEL_DEGREES} degree, resampled from the 1 km EASE-Grid 2.0",
    }
    own = {key: value for key, value in global_attributes(mosaic).items() if key not in NETCDF_ONLY}
    return {key: str(value) for key, value in (own | in_degrees | mosaic.attrs).items()}


def band_tags(name: str) -> dict[str, str]:
    """The tags of a band: what it is, and how its counts are read; those of ``ssm`` hold the colour table."""
    attrs = DAILY_ATTRIBUTES[name]
    tags = {key: str(attrs[key]) for key in ("standard_name", "long_name", "coverage_content_type")}
    if name == "flags":
        masks = zip(attrs["flag_masks"].tolist(), str(attrs["flag_meanings"]).split(), strict=True)
        return tags | {"flags": ", ".join(f"{mask} {meaning}" for mask, meaning in masks)}
    table = ", ".join(f"{value:g} {colour}" for value, colour in colour_steps())
    return tags | ({"colour_table": table} if name == "ssm" else {})


def to_degrees(mosaic: Mosaic) -> tuple[np.ndarray, Affine]:
    """Packed bands (3, height, width) on whole hundredths of a degree, and their transform.

    Values are bilinear over the valid pixels, flags those of the nearest pixel. A pixel is valid where its nearest
    pixel of the mosaic is, so that coasts are the same in values and flags. Across the dateline longitudes run on
    beyond 180: the file is one picture, which GDAL and QGIS place there.
    """
    west, south, east, north = mosaic.domain.bounds_lonlat()
    eps = 1e-6  # of a pixel: a bound on a pixel's edge does not add the next pixel
    left, top = math.floor(west / PIXEL_DEGREES + eps), math.ceil(north / PIXEL_DEGREES - eps)
    width, height = math.ceil(east / PIXEL_DEGREES - eps) - left, top - math.floor(south / PIXEL_DEGREES + eps)
    transform = Affine(PIXEL_DEGREES, 0.0, left * PIXEL_DEGREES, 0.0, -PIXEL_DEGREES, top * PIXEL_DEGREES)
    crs, placed = mosaic.domain.grid.crs, mosaic.domain.fine.affine
    if mosaic.domain.crosses_dateline:  # the same grid counted from 180 degrees: a projection ends half a turn away
        crs, placed = GRID_FROM_DATELINE, Affine.translation(-HALF_TURN, 0.0) @ placed

    def warp(source: np.ndarray, fill: float | np.int16, resampling: Resampling) -> np.ndarray:
        out = np.full((height, width), fill, source.dtype)
        reproject(
            source,
            out,
            src_transform=placed,
            src_crs=crs,
            src_nodata=fill,
            dst_transform=transform,
            dst_crs=GEOGRAPHIC,
            dst_nodata=fill,
            resampling=resampling,
        )
        return out

    layers = []
    for values in (mosaic.ssm, mosaic.sigma):
        valid = warp(np.isfinite(values).astype(np.int16), FILL, Resampling.nearest) == 1
        layers.append(pack(np.where(valid, warp(values, np.nan, Resampling.bilinear), np.float32(np.nan))))
    layers.append(warp(mosaic.flags.astype(np.int16), FILL, Resampling.nearest))
    return np.stack(layers), transform
