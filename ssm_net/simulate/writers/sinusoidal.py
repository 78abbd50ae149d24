"""MODIS sinusoidal tiles that cover a domain, and the fine grid sampled at their pixels.

Source of the constants: the MODIS Land tile grid, a sphere of 6371007.181 m cut in 36 x 18 tiles of 10 degrees.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.ndimage import map_coordinates

from ssm_net.dateline import HALF_TURN
from ssm_net.grid import Domain
from ssm_net.ingest.modis_tiles import LEFT, RADIUS, SINUSOIDAL, TILE_SIDE, TOP
from ssm_net.simulate.world.fields import Array


@dataclass(frozen=True, eq=False)
class SinusoidalTile:
    """One tile, and the window of its pixels (``rows``, ``cols``) that covers its part of the domain.

    ``y``, ``x`` are the fractional fine row and column of each pixel of the window, ``inside`` those in the domain.
    """

    h: int
    v: int
    size: int  # pixels a side: 1200 at 1 km, 2400 at 500 m
    rows: slice
    cols: slice
    y: NDArray[np.float32]
    x: NDArray[np.float32]
    inside: NDArray[np.bool_]

    @property
    def name(self) -> str:
        return f"h{self.h:02d}v{self.v:02d}"

    @property
    def corners(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Upper left and lower right (x, y), metres."""
        left, top = LEFT + self.h * TILE_SIDE, TOP - self.v * TILE_SIDE
        return (left, top), (left + TILE_SIDE, top - TILE_SIDE)

    def nearest(self, field: NDArray) -> NDArray:
        """The fine pixel under each pixel of the window; outside the domain the nearest edge."""
        row = np.clip(np.rint(self.y), 0, field.shape[0] - 1).astype(int)
        col = np.clip(np.rint(self.x), 0, field.shape[1] - 1).astype(int)
        return field[row, col]

    def linear(self, field: Array) -> Array:
        """The fine field interpolated at each pixel of the window; outside the domain the nearest edge."""
        return map_coordinates(field, [self.y, self.x], order=1, mode="nearest", output=np.float32)

    def full(self, window: NDArray, fill: int) -> NDArray:
        """The whole tile: ``window`` where the domain is, ``fill`` elsewhere."""
        out = np.full((self.size, self.size), fill, window.dtype)
        out[self.rows, self.cols] = np.where(self.inside, window, np.asarray(fill, window.dtype))
        return out


@functools.lru_cache(maxsize=4)  # of two domains, at 1 km and at 500 m
def sinusoidal_tiles(domain: Domain, size: int) -> tuple[SinusoidalTile, ...]:
    """The tiles of ``size`` pixels a side that hold any pixel of the domain; read them only, others use them too."""
    west, _, east, _ = domain.bounds_lonlat()
    if not domain.crosses_dateline:
        return tuple(_tiles_between(domain, size, west, east))
    return (*_tiles_between(domain, size, west, 180.0), *_tiles_between(domain, size, -180.0, east - 360))


def _tiles_between(domain: Domain, size: int, west: float, east: float) -> list[SinusoidalTile]:
    """Those between two longitudes on one side of the dateline."""
    left, bottom, right, top = domain.fine.boundingbox
    forth = Transformer.from_crs("EPSG:4326", SINUSOIDAL, always_xy=True)
    _, south, _, north = domain.bounds_lonlat()
    lat = np.linspace(south, north, 65)
    edge_x, edge_y = forth.transform(np.repeat([[west, east]], 65, 0), np.repeat(lat[:, None], 2, 1))
    h_range = range(int((edge_x.min() - LEFT) // TILE_SIDE), int((edge_x.max() - LEFT) // TILE_SIDE) + 1)
    v_range = range(int((TOP - edge_y.max()) // TILE_SIDE), int((TOP - edge_y.min()) // TILE_SIDE) + 1)
    back = Transformer.from_crs(SINUSOIDAL, domain.grid.crs, always_xy=True)
    pixel = TILE_SIDE / size
    tiles = []
    for v in v_range:
        for h in h_range:
            x = LEFT + h * TILE_SIDE + (np.arange(size) + 0.5) * pixel
            y = TOP - v * TILE_SIDE - (np.arange(size) + 0.5) * pixel
            ex, ey = back.transform(*np.meshgrid(x, y))
            if domain.crosses_dateline:  # a tile's corner beyond the dateline is no place on Earth
                ex = np.where(ex < left, ex + 2 * HALF_TURN, ex)
                ex[np.abs(x)[None] > np.pi * RADIUS * np.cos(y / RADIUS)[:, None]] = np.inf
            inside = (ex >= left) & (ex < right) & (ey > bottom) & (ey <= top)
            if not inside.any():
                continue
            rows, cols = (slice(int(i[0]), int(i[-1]) + 1) for i in (np.flatnonzero(inside.any(a)) for a in (1, 0)))
            ex, ey, inside = ex[rows, cols], ey[rows, cols], inside[rows, cols]
            fine_y = ((top - ey) / domain.grid.pixel - 0.5).astype(np.float32)
            fine_x = ((ex - left) / domain.grid.pixel - 0.5).astype(np.float32)
            tiles.append(SinusoidalTile(h, v, size, rows, cols, fine_y, fine_x, inside))
    return tiles
