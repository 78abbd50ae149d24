"""The MODIS land grid: its sinusoidal projection, and the names of the tiles that cover a domain.

Source: the MODIS Land tile grid, a sphere of 6371007.181 m cut in 36 x 18 tiles of 10 degrees.
"""

from __future__ import annotations

import functools

import numpy as np
from pyproj import Transformer

from ssm_net.grid import Domain

RADIUS = 6371007.181  # m, of the sphere
SINUSOIDAL = f"+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R={RADIUS} +units=m +no_defs"
TILE_SIDE = 1111950.5196666666  # of a tile, metres
LEFT, TOP = -20015109.354, 10007554.677
EVERY_PIXEL = 6  # pixels that are looked up, one in so many and the last: a narrower sliver of a tile is no loss


@functools.lru_cache(maxsize=4)
def tile_names(domain: Domain) -> frozenset[str]:
    """Names (``h25v05``) of the tiles that hold a pixel of ``domain``."""
    y, x = (np.asarray(domain.fine.coordinates[dim].values) for dim in domain.fine.dims)
    y, x = np.append(y[::EVERY_PIXEL], y[-1]), np.append(x[::EVERY_PIXEL], x[-1])
    to_tiles = Transformer.from_crs(domain.grid.crs, SINUSOIDAL, always_xy=True)
    east, north = to_tiles.transform(*np.meshgrid(x, y))
    h, v = np.floor((east - LEFT) / TILE_SIDE), np.floor((TOP - north) / TILE_SIDE)
    known = np.isfinite(h) & np.isfinite(v)
    pairs = np.unique(np.stack([h[known], v[known]]).astype(int), axis=1)
    return frozenset(f"h{a:02d}v{b:02d}" for a, b in pairs.T)
