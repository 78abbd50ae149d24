"""A mosaic day as a cloud-optimised GeoTIFF in degrees."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.warp import Resampling, reproject

from ssm_net.formats.product import FILL, SCALE, UNITS, Mosaic, pack

STEP = 0.01  # degrees
CRS = "EPSG:4326"
BANDS = (  # name, scale, units
    ("ssm", float(f"{SCALE:g}"), UNITS),
    ("ssm_uncertainty", float(f"{SCALE:g}"), UNITS),
    ("flags", 1.0, "1"),
)


def encode(mosaic: Mosaic) -> bytes:
    """The bytes of the file: int16 bands ``ssm``, ``ssm_uncertainty`` (1e-4 m3 m-3) and ``flags``, fill -32768.

    All three are one file, so that a day is one rename: a flag needs 10 of the 16 bits. The same mosaic gives the
    same bytes.
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
        "crs": CRS,
        "transform": transform,
    }
    with MemoryFile() as plain, MemoryFile() as cog:
        with plain.open(**profile) as dst:
            dst.write(bands)
            dst.descriptions = tuple(name for name, _, _ in BANDS)
            dst.scales = tuple(scale for _, scale, _ in BANDS)
            dst.units = tuple(units for _, _, units in BANDS)
            dst.update_tags(**{key: str(value) for key, value in tags(mosaic).items()})
        # Overviews by nearest: a mean of flags or of fill values has no meaning.
        rasterio.shutil.copy(
            plain.name, cog.name, driver="COG", compress="DEFLATE", predictor="YES", overview_resampling="NEAREST"
        )
        return cog.read()


def attributes(path: Path) -> dict[str, str]:
    """The file's tags. Raises ``ValueError`` where it is not a GeoTIFF."""
    try:
        with rasterio.open(path) as file:
            own: dict[str, str] = file.tags()
            return own
    except RasterioError as err:
        raise ValueError(f"{path}: not a GeoTIFF of ssm_net ({err}); remove it and run infer.py again") from err


def tags(mosaic: Mosaic) -> dict[str, str | int | float]:
    from ssm_net.formats.netcdf import FLAGS

    own = {
        "title": f"Daily 1 km surface soil moisture, {mosaic.domain.name}, {mosaic.day}, resampled to {STEP} degree",
        "day": f"{mosaic.day}, night overpass, about 01:30 local solar time",
        "flag_masks": ",".join(str(mask) for mask in FLAGS["flag_masks"]),
        "flag_meanings": str(FLAGS["flag_meanings"]),
    }
    return own | mosaic.attrs


def to_degrees(mosaic: Mosaic) -> tuple[np.ndarray, Affine]:
    """Packed bands (3, H, W) on whole hundredths of a degree, and their transform.

    Values are bilinear over what is there, flags those of the nearest pixel; a pixel has a value where its nearest
    pixel has one, so that coasts stay where the flags have them.
    """
    west, south, east, north = mosaic.domain.bounds_lonlat()
    eps = 1e-6  # of a pixel: a bound on a pixel's edge does not pull in the next
    left, top = math.floor(west / STEP + eps), math.ceil(north / STEP - eps)
    width, height = math.ceil(east / STEP - eps) - left, top - math.floor(south / STEP + eps)
    transform = Affine(STEP, 0.0, left * STEP, 0.0, -STEP, top * STEP)

    def warp(source: np.ndarray, fill: float | np.int16, how: Resampling) -> np.ndarray:
        out = np.full((height, width), fill, source.dtype)
        reproject(
            source,
            out,
            src_transform=mosaic.domain.fine.affine,
            src_crs=mosaic.domain.grid.crs,
            src_nodata=fill,
            dst_transform=transform,
            dst_crs=CRS,
            dst_nodata=fill,
            resampling=how,
        )
        return out

    layers = []
    for values in (mosaic.ssm, mosaic.sigma):
        there = warp(np.isfinite(values).astype(np.int16), FILL, Resampling.nearest) == 1
        layers.append(pack(np.where(there, warp(values, np.nan, Resampling.bilinear), np.float32(np.nan))))
    layers.append(warp(mosaic.flags.astype(np.int16), FILL, Resampling.nearest))
    return np.stack(layers), transform
