"""Writers of static maps as archives deliver them: tiles of NASADEM and Copernicus DEM, MOD44W, SoilGrids, GHSL and
WorldCover, with the names, grids, units and fill values of these products.

Source: the products' user guides, as listed in ``ssm_net.ingest.static_products``. The numbers in the names of tiles of
SoilGrids and GHSL are counted from the domain's corner: how the archives count is of no use to a reader.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from scipy.ndimage import map_coordinates

from ssm_net.core.files import write_whole
from ssm_net.grid import Domain, row_blocks
from ssm_net.ingest.modis_tiles import LEFT, RADIUS, TILE_SIDE, TOP, tile_names
from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.land import Maps
from ssm_net.simulate.writers.hdfeos import EosFile, EosLayer, Placement, write_eos

HOMOLOSINE = "+proj=igh +lat_0=0 +lon_0=0 +datum=WGS84 +units=m +no_defs"
SRTM_FROM, SRTM_TO = -56, 60  # degrees of latitude that the shuttle saw
COPERNICUS_COLUMNS = (
    (50, 1.0),
    (60, 1.5),
    (70, 2.0),
    (80, 3.0),
    (85, 5.0),
    (90, 10.0),
)  # below a latitude: narrower by
WATER_YEAR = 2021
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])  # spreads pixels of water evenly


@dataclass(frozen=True)
class FineMap:
    """A map of a domain, (y, x) on its fine grid, that is sampled on other grids."""

    domain: Domain
    values: Array

    def on(self, geobox: GeoBox) -> Array:
        """Interpolated at the pixels of ``geobox``, (y, x) float32; beyond the domain the nearest edge."""
        out = np.empty(tuple(geobox.shape), np.float32)
        grid, box, a = self.domain.grid, self.domain.fine.boundingbox, geobox.affine
        forth = Transformer.from_crs(str(geobox.crs), grid.crs, always_xy=True)
        cols = a.c + a.a * (np.arange(out.shape[1]) + 0.5)
        if geobox.crs is not None and geobox.crs.geographic:  # rows and columns of both grids are parallel
            lat = a.f + a.e * (np.arange(out.shape[0]) + 0.5)
            east, north = forth.transform(cols, 0 * cols)[0], forth.transform(0 * lat, lat)[1]
            down = _interpolated(self.values, (box.top - north) / grid.pixel - 0.5)
            return _interpolated(down.T, (east - box.left) / grid.pixel - 0.5).T
        for rows in row_blocks(out.shape):
            y = a.f + a.e * (np.arange(rows.start, rows.stop) + 0.5)
            east, north = forth.transform(*np.meshgrid(cols, y))
            at = [(box.top - north) / grid.pixel - 0.5, (east - box.left) / grid.pixel - 0.5]
            out[rows] = map_coordinates(self.values, at, order=1, mode="nearest", output=np.float32)
        return out


def write_static_tiles(folder: Path, domain: Domain, maps: Maps) -> None:
    """The maps of a world as tiles: NASADEM, or Copernicus DEM beyond what the shuttle saw; MOD44W; SoilGrids."""
    _, south, _, north = domain.bounds_lonlat()
    write_elevation = write_nasadem if SRTM_FROM <= south and north <= SRTM_TO else write_copernicus
    write_elevation(folder, FineMap(domain, maps.elevation))
    write_mod44w(folder, FineMap(domain, maps.water))
    for name in ("sand", "clay"):
        write_soilgrids(folder, name, FineMap(domain, getattr(maps, name)))


def write_nasadem(folder: Path, elevation: FineMap, side: int = 3601) -> list[Path]:
    """``NASADEM_HGT_n30e100.zip`` of each degree: heights of ``side`` x ``side`` points, m, in ``n30e100.hgt``. The
    archive has 3601 a side; 1201 is the older 3 seconds of arc."""
    paths = []
    for south, west in _degrees(elevation.domain, 1):
        place = f"{'n' if south >= 0 else 's'}{abs(south):02d}{'e' if west >= 0 else 'w'}{abs(west):03d}"
        paths.append(path := folder / f"NASADEM_HGT_{place}.zip")
        if path.exists():
            continue
        step = 1 / (side - 1)
        geobox = GeoBox((side, side), Affine(step, 0, west - step / 2, 0, -step, south + 1 + step / 2),
                        "EPSG:4326")  # fmt: skip
        heights = np.rint(elevation.on(geobox)).astype(">i2")
        write_whole(path, _zipped({f"{place}.hgt": heights.tobytes(), f"{place}.num": bytes(side)}))
    return paths


def write_copernicus(folder: Path, elevation: FineMap, arc: int = 30) -> list[Path]:
    """``Copernicus_DSM_COG_30_N60_00_E025_00_DEM.tif`` of each degree, m: GLO-90 (``arc`` 30), or GLO-30 (``arc`` 10).
    Beyond 50 degrees its tiles have fewer columns."""
    paths = []
    for south, west in _degrees(elevation.domain, 1):
        narrower = next(n for below, n in COPERNICUS_COLUMNS if min(abs(south), abs(south + 1)) < below)
        rows = 36000 // arc
        cols = round(rows / narrower)
        place = f"{'N' if south >= 0 else 'S'}{abs(south):02d}_00_{'E' if west >= 0 else 'W'}{abs(west):03d}_00"
        # Its pixels are centred on whole seconds of arc: half a pixel off the degree.
        affine = Affine(1 / cols, 0, west - 0.5 / cols, 0, -1 / rows, south + 1 + 0.5 / rows)
        geobox = GeoBox((rows, cols), affine, "EPSG:4326")
        paths.append(path := folder / f"Copernicus_DSM_COG_{arc}_{place}_DEM.tif")
        _write_geotiff(path, geobox, elevation, lambda values: values)
    return paths


def write_mod44w(folder: Path, water: FineMap) -> list[Path]:
    """MOD44W of each MODIS tile: 0 land, 1 water, 250 beyond the domain, of which nothing is simulated."""
    paths = []
    for name in sorted(tile_names(water.domain)):
        paths.append(path := folder / f"MOD44W.A{WATER_YEAR}001.{name}.061.{WATER_YEAR + 1}067083512.hdf")
        if path.exists():
            continue
        h, v = int(name[1:3]), int(name[4:])
        left, top = LEFT + h * TILE_SIDE, TOP - v * TILE_SIDE
        mask = _water_mask(water, left, top)
        quality = np.where(mask == 250, 10, 1).astype(np.uint8)
        layers = [EosLayer("water_mask", mask, {"long_name": ("water_mask", "CHAR"), "valid_range": ([0, 1], "UINT8"),
                                                "_FillValue": (250, "UINT8")}),
                  EosLayer("water_mask_QA", quality, {"long_name": ("water_mask_QA", "CHAR"),
                                                      "_FillValue": (10, "UINT8")})]  # fmt: skip
        placement = Placement(mask.shape, (left, top), (left + TILE_SIDE, top - TILE_SIDE), (h, v))
        year = dt.date(WATER_YEAR, 1, 1).isoformat(), dt.date(WATER_YEAR, 12, 31).isoformat()
        write_eos(path, EosFile("MOD44W_250m_GRID", placement, "MOD44W", 61, "Terra", *year), layers)
    return paths


def _water_mask(water: FineMap, left: float, top: float) -> NDArray[np.uint8]:
    """The mask of a MODIS tile: as many pixels of water as the map has in each place."""
    domain, side = water.domain, 4800
    pixel, box, step = TILE_SIDE / side, domain.fine.boundingbox, domain.grid.pixel
    lat = np.degrees((top - pixel * (np.arange(side) + 0.5)) / RADIUS)
    forth = Transformer.from_crs("EPSG:4326", domain.grid.crs, always_xy=True)
    down = (box.top - forth.transform(0 * lat, lat)[1]) / step - 0.5
    rows = np.flatnonzero((down >= -0.5) & (down < water.values.shape[0] - 0.5))
    x = left + pixel * (np.arange(side) + 0.5)
    lon = np.degrees(x / (RADIUS * np.cos(np.radians(lat[rows, None]))))
    across = (lon * forth.transform(1.0, 0.0)[0] - box.left) / step - 0.5
    at = [np.broadcast_to(down[rows, None], across.shape), across]
    least = (BAYER[np.ix_(rows % 4, np.arange(side) % 4)] + 0.5) / BAYER.size
    wet = map_coordinates(water.values, at, order=1, mode="nearest", output=np.float32) > least
    inside = (across >= -0.5) & (across < water.values.shape[1] - 0.5)
    mask = np.full((side, side), 250, np.uint8)
    mask[rows] = np.where(inside, wet, 250)
    return mask


def write_soilgrids(folder: Path, name: str, percent: FineMap) -> list[Path]:
    """Tiles of ``sand`` or ``clay`` of SoilGrids: 250 m in Goode's homolosine projection, int16 g/kg."""
    paths = []
    for row, col, geobox in _blocks(percent.domain, HOMOLOSINE, 250.0, 450):
        block = f"tileSG-{row:03d}-{col:03d}"
        paths.append(path := folder / f"{name}_0-5cm_mean" / block / f"{block}_1-1.tif")
        _write_geotiff(path, geobox, percent, lambda values: np.rint(values * 10).astype(np.int16), -32768)
    return paths


def write_ghsl(folder: Path, fraction: FineMap, side: int = 10000) -> list[Path]:
    """Tiles of GHS-BUILT-S of 2020: built-up m2 of each cell of 100 m, Mollweide, uint16; of ``side`` cells a side (the
    archive's have 10000)."""
    paths = []
    for row, col, geobox in _blocks(fraction.domain, "ESRI:54009", 100.0, side):
        paths.append(path := folder / f"GHS_BUILT_S_E2020_GLOBE_R2023A_54009_100_V1_0_R{row}_C{col}.tif")
        _write_geotiff(path, geobox, fraction, lambda values: np.rint(values * 10000).astype(np.uint16), 65535)
    return paths


def write_jrc_occurrence(folder: Path, fraction: FineMap, rows: int = 4000) -> list[Path]:
    """Tiles of 10 degrees of JRC water occurrence, percent, uint8; of ``rows`` rows (the archive's have 40000)."""
    paths = []
    for south, west in _degrees(fraction.domain, 10):
        place = f"{abs(west)}{'E' if west >= 0 else 'W'}_{abs(south + 10)}{'N' if south + 10 >= 0 else 'S'}"
        geobox = GeoBox((rows, rows), Affine(10 / rows, 0, west, 0, -10 / rows, south + 10), "EPSG:4326")
        paths.append(path := folder / f"occurrence_{place}v1_4_2021.tif")
        _write_geotiff(path, geobox, fraction, lambda values: np.rint(values * 100).astype(np.uint8), 255)
    return paths


def write_worldcover(folder: Path, classes: FineMap, rows: int = 3600) -> list[Path]:
    """Tiles of 3 degrees of ESA WorldCover, of numbers of classes, uint8; of ``rows`` rows (the archive's have
    36000)."""
    paths = []
    for south, west in _degrees(classes.domain, 3):
        place = f"{'N' if south >= 0 else 'S'}{abs(south):02d}{'E' if west >= 0 else 'W'}{abs(west):03d}"
        geobox = GeoBox((rows, rows), Affine(3 / rows, 0, west, 0, -3 / rows, south + 3), "EPSG:4326")
        paths.append(path := folder / f"ESA_WorldCover_10m_2021_v200_{place}_Map.tif")
        _write_geotiff(path, geobox, classes, lambda values: (np.rint(values / 10) * 10).astype(np.uint8), 0)
    return paths


def _degrees(domain: Domain, step: int) -> Iterator[tuple[int, int]]:
    """South-west corners (latitude, longitude) of the tiles of ``step`` degrees that hold any of the domain."""
    west, south, east, north = domain.bounds_lonlat()
    for lat in range(math.floor(south / step) * step, math.ceil(north / step) * step, step):
        for lon in range(math.floor(west / step) * step, math.ceil(east / step) * step, step):
            yield lat, (lon + 180) % 360 - 180


def _blocks(domain: Domain, crs: str, pixel: float, side: int) -> Iterator[tuple[int, int, GeoBox]]:
    """Tiles of ``side`` pixels of another projection that hold the domain, with row and column numbers."""
    box = domain.fine.extent.to_crs(crs, resolution=16 * domain.grid.pixel).boundingbox
    size = pixel * side
    left, top = math.floor(box.left / size) * size, math.ceil(box.top / size) * size
    for row in range(math.ceil((top - box.bottom) / size)):
        for col in range(math.ceil((box.right - left) / size)):
            affine = Affine(pixel, 0, left + col * size, 0, -pixel, top - row * size)
            yield row + 1, col + 1, GeoBox((side, side), affine, crs)


def _write_geotiff(path, geobox, field: FineMap, packed, nodata=None) -> None:  # type: ignore[no-untyped-def]
    """``field`` on ``geobox``, as ``packed`` makes stored numbers of it, in a tiled GeoTIFF, if there is none."""
    if path.exists():
        return
    stored: NDArray = packed(field.on(geobox))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with rasterio.open(part, "w", driver="GTiff", height=geobox.shape[0], width=geobox.shape[1], count=1,
                       dtype=stored.dtype.name, crs=str(geobox.crs), transform=geobox.affine, nodata=nodata,
                       compress="deflate", tiled=True, blockxsize=256, blockysize=256) as file:  # fmt: skip
        file.write(stored, 1)
    os.replace(part, path)


def _interpolated(values: Array, at: NDArray[np.float64]) -> Array:
    """Rows of ``values`` (y, x) at fractional positions, the outermost ones held, (len(at), x) float32."""
    at = np.clip(at, 0, len(values) - 1)
    low = np.minimum(at.astype(int), len(values) - 2)
    part = (at - low).astype(np.float32)[:, None]
    return values[low] * (1 - part) + values[low + 1] * part


def _zipped(members: dict[str, bytes]) -> bytes:
    """A zip archive, the same bytes each time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 2, 13, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 1)
    return content.getvalue()
