"""Tiles of static maps as archives deliver them, each on its own grid, read window by window.

GeoTIFFs, SRTM heights (``.hgt``), both also inside a zip archive as they are downloaded, and HDF-EOS grids of MODIS.
Opening a tile reads its header at most.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ssm_net.core.files import stamp
from ssm_net.ingest import signature
from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.eos_metadata import geobox_of, grids_of
from ssm_net.ingest.hdf4_apart import open_hdf4, read_window
from ssm_net.ingest.quantities import Linear, Quantity
from ssm_net.ingest.ranges import conversion
from ssm_net.ingest.raster import GranuleError, naming_damage
from ssm_net.ingest.static_products import PLAIN, Meaning

REMEDY = "download it again, or remove it: the maps are then made without it"
HGT_SIZES = {2 * rows * cols: (rows, cols) for rows, cols in ((3601, 3601), (1201, 1201), (3601, 1801))}
HGT_VOID = -32768
HGT_KEPT = 6  # heights of so many tiles are kept while neighbouring windows are read, 26 MB each
EQUAL_AREA = "EPSG:6933"
_CORNER = re.compile(r"([ns])(\d{2})([ew])(\d{3})", re.I)

Span = tuple[int, int, int, int]  # row0, row1, col0, col1 of a grid


@dataclass(frozen=True)
class StaticTile:
    """A tile of a map: the file, or the ``member`` of a zip archive that it is, and what its numbers mean."""

    path: Path
    meaning: Meaning = PLAIN
    member: str = ""
    edition: float = 0.0

    @property
    def name(self) -> str:
        """The name of the tile's file, also where it lies in an archive."""
        return Path(self.member).name if self.member else self.path.name


@dataclass(frozen=True)
class OpenTile:
    """A tile on its own grid: ``stored`` reads the numbers of a window (y, x), float32, NaN where they are declared
    missing. ``encoding`` holds the unit that counts, and the scale of the file."""

    tile: StaticTile
    geobox: GeoBox
    encoding: Encoding
    stored: Callable[[Span], np.ndarray] = field(repr=False)

    def linear(self, quantity: Quantity) -> Linear:
        """Factor and offset from stored numbers to the unit of the quantity. Raises ``GranuleError`` as
        ``conversion``."""
        factor, offset = conversion(quantity, self.encoding)
        return self.encoding.scale * factor, self.encoding.offset * factor + offset

    def values(self, window: Span, quantity: Quantity) -> np.ndarray:
        """The values of a window in the unit of ``quantity``, (y, x) float32, NaN where missing; their range is not
        checked. Raises ``GranuleError`` where the file is damaged."""
        meaning = self.tile.meaning
        values = self.stored(window)
        for fill in meaning.fills:
            values[values == np.float32(fill)] = np.nan
        if meaning.classes:
            missing = np.isnan(values)
            values = np.isin(values, np.array(meaning.classes, np.float32)).astype(np.float32)
            values[missing] = np.nan
            return values
        if meaning.per_cell:
            values /= self._cell_areas(window)
            return values
        factor, offset = self.linear(quantity)
        if factor != 1.0:
            values *= np.float32(factor)
        if offset != 0.0:
            values += np.float32(offset)
        return values

    def _cell_areas(self, window: Span) -> np.ndarray:
        """Square metres of the cells of each row of a window, (y, 1) float32."""
        a, rows = self.geobox.affine, np.arange(window[0], window[1] + 1)
        if self.geobox.crs is not None and self.geobox.crs.projected:
            return np.full((len(rows) - 1, 1), abs(a.a * a.e), np.float32)
        x, y = Transformer.from_crs(str(self.geobox.crs), EQUAL_AREA, always_xy=True).transform(
            np.full(len(rows), a.a), np.clip(a.f + a.e * rows, -90, 90)
        )
        return (np.abs(np.diff(y)) * abs(x[0]))[:, None].astype(np.float32)


def open_tile(tile: StaticTile) -> OpenTile:
    """A tile with its grid. Raises ``GranuleError`` where the file is damaged, of another format, or lies nowhere."""
    with naming_damage(tile.path):
        if tile.member:
            _zip(tile.path).close()  # what is wrong with the archive itself is said of it
        name = tile.name.lower()
        if name.endswith(".hgt"):
            return _open_hgt(tile)
        if name.endswith(".hdf"):
            return _open_hdf(tile)
        return _open_geotiff(tile)


def members_of(path: Path) -> list[str]:
    """The names of the files in a zip archive. Raises ``GranuleError`` where it is damaged."""
    with naming_damage(path), _zip(path) as archive:
        return [info.filename for info in archive.infolist() if not info.is_dir()]


def _zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as err:
        what, _ = signature.other_kind(path) or ("", "")
        what = what if what and "zip" not in what else f"not a whole zip archive ({err})"
        raise GranuleError(path, what, remedy=REMEDY) from err


# ---- GeoTIFF --------------------------------------------------------------------------------------------------------


def _open_geotiff(tile: StaticTile) -> OpenTile:
    # GDAL goes by content: a file of this name must not be a list of other files, or of addresses.
    path = tile.path
    where = f"/vsizip/{{{path.resolve()}}}/{tile.member}" if tile.member else str(path)

    def opened() -> Any:
        try:
            return rasterio.open(where, driver="GTiff")
        except RasterioError as err:
            what, remedy = (not tile.member and signature.other_kind(path)) or (f"not a whole GeoTIFF ({err})", REMEDY)
            raise GranuleError(path, what, layer=tile.member, remedy=remedy) from err

    def stored(window: Span) -> np.ndarray:
        row0, row1, col0, col1 = window
        with naming_damage(path), opened() as source:
            read = source.read(1, window=Window(col0, row0, col1 - col0, row1 - row0), masked=True)
        return read.astype(np.float32).filled(np.nan)

    with opened() as source:
        if source.crs is None:
            raise GranuleError(path, "has no coordinate reference system", remedy="write one into it (gdal_edit)")
        if source.transform.is_identity:
            raise GranuleError(path, "has no corners: it lies nowhere on Earth", remedy=REMEDY)
        geobox = GeoBox((source.height, source.width), source.transform, source.crs.to_wkt())
        stated = {"scale_factor": source.scales[0], "add_offset": source.offsets[0],
                  "units": source.units[0] or tile.meaning.unit}  # fmt: skip
    return OpenTile(tile, geobox, Encoding(path, tile.name, stated), stored)


# ---- heights of SRTM ------------------------------------------------------------------------------------------------


def _open_hgt(tile: StaticTile) -> OpenTile:
    corner = _CORNER.match(tile.name)
    if corner is None:
        raise GranuleError(tile.path, "its name does not tell its corner (N30E100.hgt)", layer=tile.member,
                           remedy="give it the name that its archive gave it")  # fmt: skip
    north, lat, east, lon = corner.groups()
    south, west = int(lat) * (1 if north in "nN" else -1), int(lon) * (1 if east in "eE" else -1)
    rows, cols = HGT_SIZES.get(_hgt_bytes(tile), (0, 0))
    if not rows:
        raise GranuleError(tile.path, f"has {_hgt_bytes(tile):,} bytes, which no file of SRTM heights has",
                           layer=tile.member, remedy=REMEDY)  # fmt: skip
    step_y, step_x = 1 / (rows - 1), 1 / (cols - 1)  # the outer rows and columns lie on the edges of the tile
    affine = Affine(step_x, 0, west - step_x / 2, 0, -step_y, south + 1 + step_y / 2)
    geobox = GeoBox((rows, cols), affine, "EPSG:4326")

    def stored(window: Span) -> np.ndarray:
        row0, row1, col0, col1 = window
        heights = _heights(tile, stamp(tile.path))[row0:row1, col0:col1]
        values = heights.astype(np.float32)
        values[heights == HGT_VOID] = np.nan
        return values

    return OpenTile(tile, geobox, Encoding(tile.path, tile.name, {"units": tile.meaning.unit}), stored)


def _hgt_bytes(tile: StaticTile) -> int:
    if not tile.member:
        return tile.path.stat().st_size
    with _zip(tile.path) as archive:
        return archive.getinfo(tile.member).file_size


@lru_cache(HGT_KEPT)
def _heights(tile: StaticTile, at: tuple[int, int]) -> np.ndarray:
    """The heights of a tile as its file was ``at`` its stamp, (y, x) big-endian int16."""
    with naming_damage(tile.path):
        if tile.member:
            with _zip(tile.path) as archive:
                content = archive.read(tile.member)  # checks the checksum of the archive
        else:
            content = tile.path.read_bytes()
        return np.frombuffer(content, ">i2").reshape(HGT_SIZES[len(content)])


# ---- HDF-EOS --------------------------------------------------------------------------------------------------------


def _open_hdf(tile: StaticTile) -> OpenTile:
    path, layer = tile.path, tile.meaning.layer
    geobox = geobox_of(path, grids_of(path), layer)

    def stored(window: Span) -> np.ndarray:
        row0, row1, col0, col1 = window
        with open_hdf4(path) as file:
            data, _ = read_window(path, file, layer, geobox.shape, (slice(row0, row1), slice(col0, col1)))
        return data.astype(np.float32)

    return OpenTile(tile, geobox, Encoding(path, layer, {}), stored)
