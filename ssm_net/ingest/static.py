"""Reader of static maps: GeoTIFFs of elevation, soil texture and water fraction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
import rasterio.warp
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.static_files import find_static

log = logging.getLogger(__name__)


def read_static(raw: Path, geobox: GeoBox) -> dict[str, np.ndarray]:
    """Each map of ``raw/static`` by its name on ``geobox``: (y, x) float32, NaN where it has no value.

    The first band, averaged where the source is finer than ``geobox``, otherwise bilinear. Empty without a folder.
    Which file is which map, and what is left out, is said by ``find_static``.

    Raises ``GranuleError`` where a file is damaged, has no CRS, or does not cover any of ``geobox``.
    """
    return {name: _mosaic(paths, geobox) for name, paths in sorted(find_static(raw).maps.items())}


def _mosaic(paths: Sequence[Path], geobox: GeoBox) -> np.ndarray:
    """One map from its tiles: the mean where two meet. Raises ``GranuleError`` where no tile covers ``geobox``."""
    if len(paths) == 1:
        return _read(paths[0], geobox)
    total = np.zeros(tuple(geobox.shape), np.float32)
    count = np.zeros(tuple(geobox.shape), np.uint8)
    for path in paths:
        if not _touches(path, geobox):
            continue
        values = _read(path, geobox)
        known = np.isfinite(values)
        total[known] += values[known]
        count += known
    if not count.any():
        raise GranuleError(paths[0], f"none of its {len(paths)} tiles has a value inside the domain",
                           remedy="give tiles that cover the domain")  # fmt: skip
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _touches(path: Path, geobox: GeoBox) -> bool:
    """Whether a tile and ``geobox`` share some area; True where the file cannot be asked, so that reading says why."""
    try:
        with rasterio.open(path) as source:
            if source.crs is None:
                return True
            left, bottom, right, top = rasterio.warp.transform_bounds(source.crs, str(geobox.crs), *source.bounds)
    except RasterioError:
        return True
    box, pixel = geobox.boundingbox, abs(geobox.affine.a)
    wide, high = min(right, box.right) - max(left, box.left), min(top, box.top) - max(bottom, box.bottom)
    return bool(wide > pixel and high > pixel)


def _read(path: Path, geobox: GeoBox) -> np.ndarray:
    out = np.full(tuple(geobox.shape), np.nan, np.float32)
    crs = str(geobox.crs)
    try:
        with rasterio.open(path) as source:
            if source.crs is None:
                raise GranuleError(path, "has no coordinate reference system", remedy="write one into it (gdal_edit)")
            to_target = rasterio.warp.calculate_default_transform(
                source.crs, crs, source.width, source.height, *source.bounds
            )[0]
            finer = abs(to_target.a) < 0.75 * abs(geobox.affine.a)
            rasterio.warp.reproject(
                rasterio.band(source, 1),
                out,
                src_nodata=source.nodata,
                dst_transform=geobox.affine,
                dst_crs=crs,
                dst_nodata=np.nan,
                resampling=Resampling.average if finer else Resampling.bilinear,
            )
            factor, offset = source.scales[0], source.offsets[0]
    except RasterioError as err:
        raise GranuleError(path, f"not a whole GeoTIFF ({err})", remedy="download it again") from err
    if np.isnan(out).all():
        raise GranuleError(path, "has no value inside the domain", remedy="give a file that covers the domain")
    missing = float(np.isnan(out).mean())
    if missing > 0:
        log.info("%s: no value on %.1f %% of the pixels", path, 100 * missing)
    return out * np.float32(factor) + np.float32(offset)
