"""Reader of static maps: GeoTIFFs of elevation, soil texture and water fraction."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import rasterio
import rasterio.warp
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from ssm_net.ingest.raster import GranuleError

log = logging.getLogger(__name__)


def read_static(raw: Path, geobox: GeoBox) -> dict[str, np.ndarray]:
    """Each ``raw/static/*.tif`` by its stem on ``geobox``: (y, x) float32, NaN where it has no value.

    The first band, averaged where the source is finer than ``geobox``, otherwise bilinear. Empty without a folder.

    Raises ``GranuleError`` where a file is damaged, has no CRS, or does not cover any of ``geobox``.
    """
    out = {}
    for path in sorted(p for p in (Path(raw) / "static").glob("*") if p.suffix.lower() in (".tif", ".tiff")):
        out[path.stem] = _read(path, geobox)
    return out


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
