"""The grid of the maps of a folder, seen from places in degrees."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import shapely
import xarray as xr
from odc.geo.geom import Geometry
from pyproj import Transformer

from ssm_net.dateline import CORNERS, GRID_CRS, PER_DEGREE, near, wrapped
from ssm_net.formats.geotiff import GEOGRAPHIC


@dataclass(frozen=True)
class MapGrid:
    """Rows from north to south and columns from west to east, in metres of ``crs`` or, of GeoTIFFs, in degrees.

    ``lon`` (columns,) and ``lat`` (rows,) are the centres of pixels in degrees, longitudes running on beyond 180 across
    the dateline; ``corner`` is the upper left corner and ``pixel`` the sides of a pixel, (x, y), both as ``crs`` has
    them.
    """

    crs: str
    corner: tuple[float, float]
    pixel: tuple[float, float]
    lon: np.ndarray
    lat: np.ndarray

    @classmethod
    def of(cls, maps: xr.Dataset) -> MapGrid:
        """The grid of what ``open_mosaics`` returns."""
        geographic = "x" not in maps.dims
        x, y = (np.asarray(maps[name].values, float) for name in (("lon", "lat") if geographic else ("x", "y")))
        crs = GEOGRAPHIC if geographic else str(json.loads(maps.attrs["coarse_grid"])["crs"])
        pixel = (x[-1] - x[0]) / (x.size - 1), (y[0] - y[-1]) / (y.size - 1)
        corner = x[0] - pixel[0] / 2, y[0] + pixel[1] / 2
        lon, lat = (np.asarray(maps[name].values, float) for name in ("lon", "lat"))
        return cls(crs, corner, pixel, np.where(lon < lon[0], lon + 360, lon), lat)

    @property
    def shape(self) -> tuple[int, int]:
        return self.lat.size, self.lon.size

    @property
    def size_km(self) -> tuple[float, float]:
        """Width and height of a pixel on the equal-area grid, km, in the middle of the maps."""
        if self.crs != GEOGRAPHIC:
            return self.pixel[0] / 1000, self.pixel[1] / 1000
        to_grid = Transformer.from_crs(GEOGRAPHIC, GRID_CRS, always_xy=True)
        _, y = to_grid.transform(np.zeros(2), np.array([self.lat[0], self.lat[-1]]))
        return self.pixel[0] * PER_DEGREE / 1000, float(y[0] - y[1]) / (self.lat.size - 1) / 1000

    def xy(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places in degrees as the grid counts them."""
        lon, lat = near(lon, float(self.lon.mean())), np.asarray(lat, float)
        if self.crs == GEOGRAPHIC:
            return lon, lat
        x, y = (np.asarray(v) for v in Transformer.from_crs(GEOGRAPHIC, self.crs, always_xy=True).transform(lon, lat))
        return (lon * PER_DEGREE if self.crs == GRID_CRS else x), y

    def pixels_of(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row and column of the pixel that each place (degrees) lies in, and whether it lies inside the maps, (n,)."""
        x, y = self.xy(lon, lat)
        with np.errstate(invalid="ignore"):
            col = np.floor((x - self.corner[0]) / self.pixel[0])
            row = np.floor((self.corner[1] - y) / self.pixel[1])
            inside = (row >= 0) & (row < self.shape[0]) & (col >= 0) & (col < self.shape[1])
        return np.where(inside, row, 0).astype(int), np.where(inside, col, 0).astype(int), inside

    def centres(self, rows: np.ndarray, cols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Longitude (-180 to 180) and latitude of the centres of pixels, degrees."""
        return wrapped(self.lon[cols]), self.lat[rows]

    def placed(self, area: Geometry) -> shapely.Geometry:
        """An area of any reference system as the grid counts it; long straight edges get points in between."""
        step = max(area.boundingbox.span_x, area.boundingbox.span_y) / CORNERS
        to_degrees = Transformer.from_crs(str(area.crs), GEOGRAPHIC, always_xy=True)

        def moved(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self.xy(*(np.asarray(v) for v in to_degrees.transform(x, y)))

        return shapely.make_valid(shapely.transform(area.segmented(step).geom, moved, interleaved=False))
