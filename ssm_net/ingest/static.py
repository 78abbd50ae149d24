"""Reader of static maps: elevation, soil texture, water and built-up fraction, of one GeoTIFF each or of tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.warp
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ssm_net.core import scratch
from ssm_net.core.reading_mark import ENDS, ReadingMark
from ssm_net.dateline import crosses, sides
from ssm_net.ingest import signature
from ssm_net.ingest.account import Remark
from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.quantities import FRACTION, TEXTURE, Quantity, of_static_map
from ssm_net.ingest.ranges import conversion, has_impossible, plausible, require_size
from ssm_net.ingest.raster import GranuleError, naming_damage
from ssm_net.ingest.static_files import OWN, STATIC, StaticFiles, StaticMap, find_static
from ssm_net.ingest.static_mosaic import read_tiles

REMEDY = "download it again, or remove it: the maps are then made without it"
STRIP = 2**24  # pixels of a map that are read at a time
WITHOUT = {
    "elevation": "LST is not corrected for height, and today's LST is no predictor",
    "sand": "the networks do without it",
    "clay": "the networks do without it",
    "water_fraction": "lakes and sea count as land",
    "urban": "built-up areas are not masked",
}  # what follows for a map that is not given
MARGIN = 8  # pixels around the domain: more than any kernel reaches


def read_static(raw: Path, geobox: GeoBox, mark: Path | None = None) -> dict[str, np.ndarray]:
    """Each map of ``raw/static`` by its name on ``geobox``: (y, x) float32, NaN where it has no value.

    The first band, averaged where the source is finer than ``geobox``, otherwise bilinear. Empty without a folder.
    Which file is which map, and what is left out, is said by ``find_static``.

    Maps whose unit and range are known (elevation, sand, clay, silt, water_fraction, urban) are brought to their unit
    where the file states another, and their impossible values are missing, as ``plausible`` says.

    ``mark``: where the files that are being read are named, for the case that one of them ends the process.

    Raises ``GranuleError`` where a file is damaged, has no CRS, does not cover any of ``geobox``, or is in another unit
    than its name asks for.
    """
    maps, out = find_static(raw).maps, {}
    reading = ReadingMark.at(mark, partial(_read_file, maps, geobox))
    if reading.fatal:
        raise GranuleError(min(reading.fatal), ENDS, remedy=REMEDY)
    for name, files in sorted(maps.items()):
        with reading.over(tile.path for tile in files.tiles):
            out[name] = _read_map(name, files, geobox)
    return out


def _read_map(name: str, files: StaticMap, geobox: GeoBox) -> np.ndarray:
    return read_tiles(name, files, geobox) if files.source else _read(files.tiles[0].path, geobox)


def _read_file(maps: Mapping[str, StaticMap], geobox: GeoBox, path: Path) -> None:
    """Read one file of the maps, as a map of its own."""
    for name, files in maps.items():
        if tiles := tuple(tile for tile in files.tiles if tile.path == path):
            _read_map(name, replace(files, tiles=tiles), geobox)


def sources_of(found: StaticFiles) -> list[Remark]:
    """The source and unit of each map, and what follows where one is not given."""
    remarks = [_source(name, files) for name, files in sorted(found.maps.items())]
    return remarks + [
        Remark(STATIC, f"not given: {consequence}", name, things="maps", left_out=False, expected=True)
        for name, consequence in WITHOUT.items()
        if name not in found.maps
    ]


def _source(name: str, files: StaticMap) -> Remark:
    """What a map was made of, and the unit that it was brought to."""
    quantity, stated = of_static_map(name), files.tiles[0].meaning.words
    unit = quantity.unit or ("a fraction, 0 .. 1" if quantity is FRACTION else "")
    source = "" if files.source in ("", OWN) else f" of {files.source}"
    brought = f", brought from {stated}" if stated and stated != quantity.unit else ""
    what = f"{name}{source}" + (f", in {unit}{brought}" if unit else "")
    paths = list(dict.fromkeys(tile.path.name for tile in files.tiles))
    things = "tiles" if files.source else "files"
    return Remark(STATIC, what, paths[0], len(files.tiles), things, left_out=False, expected=True)


def _read(path: Path, geobox: GeoBox) -> np.ndarray:
    with naming_damage(path):  # rasterio raises errors of GDAL as they are where a transformation fails
        return _values(path, geobox)


def _values(path: Path, geobox: GeoBox) -> np.ndarray:
    quantity = of_static_map(path.stem)
    try:
        with rasterio.open(path, driver="GTiff") as source:  # GDAL goes by content: no list of other files
            if source.crs is None:
                raise GranuleError(path, "has no coordinate reference system", remedy="write one into it (gdal_edit)")
            out = _onto(source, _checked_source(source, path, geobox, quantity), geobox)
            encoding = _encoding(path, source)
    except RasterioError as err:
        what, remedy = signature.other_kind(path) or (f"not a whole GeoTIFF ({err})", REMEDY)
        raise GranuleError(path, what, remedy=remedy) from err
    if np.isnan(out).all():
        raise GranuleError(path, "has no value inside the domain", remedy="give a file that covers the domain")
    out = out * np.float32(encoding.scale) + np.float32(encoding.offset)
    factor, offset = conversion(quantity, encoding)
    if (factor, offset) != (1.0, 0.0):
        out = out * np.float32(factor) + np.float32(offset)
    require_size(out, quantity, path, path.stem, remedies=_remedies(path))
    return out


def _encoding(path: Path, source: Any) -> Encoding:
    """Scale, offset and unit of the first band."""
    return Encoding(path, path.stem, {"scale_factor": source.scales[0], "add_offset": source.offsets[0],
                                      "units": source.units[0] or ""})  # fmt: skip


def _onto(source: Any, checked: tuple[np.ndarray, Affine] | None, geobox: GeoBox) -> np.ndarray:
    """The first band of ``source``, or what was ``checked`` of it, on ``geobox``: float32, NaN where missing."""
    out = np.full(tuple(geobox.shape), np.nan, np.float32)
    crs = str(geobox.crs)
    to_target = rasterio.warp.calculate_default_transform(source.crs, crs, source.width, source.height, *source.bounds)[
        0
    ]
    finer = abs(to_target.a) < 0.75 * abs(geobox.affine.a)
    how = {"dst_crs": crs, "dst_nodata": np.nan,
           "resampling": Resampling.average if finer else Resampling.bilinear}  # fmt: skip
    for cols, side in sides(geobox):
        part = np.full(tuple(side.shape), np.nan, np.float32)
        how["dst_transform"] = side.affine
        if checked is None:
            rasterio.warp.reproject(rasterio.band(source, 1), part, src_nodata=source.nodata, **how)
        else:
            values, transform = checked
            rasterio.warp.reproject(values, part, src_transform=transform, src_crs=source.crs, src_nodata=np.nan, **how)
        out[:, cols] = part
    return out


def _checked_source(source: Any, path: Path, geobox: GeoBox, quantity: Quantity) -> tuple[np.ndarray, Affine] | None:
    """The part of a map around ``geobox`` with its impossible values missing, float32, and its transform; None where
    there are none: a mean over pixels must not hold a -32768. Raises ``GranuleError`` as ``plausible``."""
    window = _window(source, geobox)
    encoding = _encoding(path, source)
    linear = conversion(quantity, encoding)
    linear = encoding.scale * linear[0], encoding.offset * linear[0] + linear[1]
    rows, end = max(STRIP // window.width, 256), window.row_off + window.height
    strips = [Window(window.col_off, row, window.width, min(rows, end - row))
              for row in range(window.row_off, end, rows)]  # fmt: skip
    if not any(has_impossible(_strip(source, strip), quantity, linear) for strip in strips):
        return None
    values = scratch.empty((window.height, window.width), np.float32)
    for strip in strips:
        at = strip.row_off - window.row_off
        values[at : at + strip.height] = _strip(source, strip)
    checked = plausible(values, quantity, path, path.stem, linear=linear, remedies=_remedies(path))
    # Back to stored numbers, which are those of a map without impossible values.
    np.copyto(values, np.nan, where=np.isnan(checked))
    return values, source.window_transform(window)


def _remedies(path: Path) -> dict[str, str]:
    """How to bring a map to its unit, by the unit that it is likely to be in."""

    def scaled(top: int, wanted: int) -> str:
        return (
            f"convert it: gdal_translate -ot Float32 -scale 0 {top} 0 {wanted} {path.name} NEW.tif, and give the new "
            "file the name of this one"
        )

    percent_or_fraction = 100 if of_static_map(path.stem) is TEXTURE else 1
    return {
        "g/kg": scaled(1000, 100),
        "percent": scaled(100, 1),
        "bytes (0 .. 255)": scaled(255, 1),
        "fractions (0 .. 1)": scaled(1, 100),
        "g/kg or per mille": scaled(1000, percent_or_fraction),
    }


def _strip(source: Any, strip: Window) -> np.ndarray:
    """Stored numbers of some rows, float32, NaN where they are declared missing."""
    return source.read(1, window=strip, masked=True).astype(np.float32).filled(np.nan)


def _window(source: Any, geobox: GeoBox) -> Window:
    """The part of ``source`` that ``geobox`` may need: all of it where the corners of ``geobox`` do not tell."""
    whole = Window(0, 0, source.width, source.height)
    if crosses(geobox):
        return whole
    try:
        bounds = rasterio.warp.transform_bounds(str(geobox.crs), source.crs, *geobox.boundingbox.bbox, densify_pts=99)
    except RasterioError:
        return whole
    if not np.isfinite(bounds).all() or bounds[0] >= bounds[2]:
        return whole
    left, bottom, right, top = bounds
    corners = np.array([~source.transform @ at for at in ((left, top), (right, top), (left, bottom), (right, bottom))])
    size = np.array([source.width, source.height])
    first = np.clip(np.floor(corners.min(0)) - MARGIN, 0, size).astype(int)
    last = np.clip(np.ceil(corners.max(0)) + MARGIN, 0, size).astype(int)
    if (last <= first).any():  # it covers nothing of the domain
        return whole
    return Window(int(first[0]), int(first[1]), *map(int, last - first))
