"""Which tiles of the MODIS land grid see a domain.

Source: the MODIS Land tile grid, a sphere of 6371007.181 m cut in 36 x 18 tiles of 10 degrees.
"""

from __future__ import annotations

import functools

import numpy as np
from pyproj import Transformer

from ssm_net.grid import Domain

SINUSOIDAL = "+proj=sinu +R=6371007.181 +units=m +no_defs"
SIDE = 1111950.5196666666  # of a tile, metres
LEFT, TOP = -20015109.354, 10007554.677
STEP = 6  # of the pixels, every so many are asked, and the last: a narrower sliver of a tile is no loss


@functools.lru_cache(maxsize=4)
def tiles_of(domain: Domain) -> frozenset[str]:
    """Names (``h25v05``) of the tiles that hold a pixel of ``domain``."""
    y, x = (np.asarray(domain.fine.coordinates[dim].values) for dim in domain.fine.dims)
    y, x = np.append(y[::STEP], y[-1]), np.append(x[::STEP], x[-1])
    to_tiles = Transformer.from_crs(domain.grid.crs, SINUSOIDAL, always_xy=True)
    east, north = to_tiles.transform(*np.meshgrid(x, y))
    h, v = np.floor((east - LEFT) / SIDE), np.floor((TOP - north) / SIDE)
    known = np.isfinite(h) & np.isfinite(v)
    pairs = np.unique(np.stack([h[known], v[known]]).astype(int), axis=1)
    return frozenset(f"h{a:02d}v{b:02d}" for a, b in pairs.T)
