"""Means over the land of coarse cells, of what a day stores of its pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ssm_net.cube.spacing import read_at_pixels
from ssm_net.cube.variables import FINE
from ssm_net.grid import CACHE_PIXELS, Domain, Window, as_number, block_mean, finite, row_blocks

LEAST_SEEN = 0.25  # of a cell's land, below which the views of a platform have no mean


def cell_means(domain: Domain, name: str, packed: np.ndarray, land: Tensor) -> np.ndarray:
    """Means (R, C) of the fine variable ``name``, ``packed`` in its own spacing, over ``land`` (y, x) bool; NaN where
    there is none. Some rows at a time: a country's values are never unpacked together."""

    def stored(part: Window | None) -> np.ndarray:
        y0, y1, x0, x1 = part or (0, packed.shape[0], 0, packed.shape[1])
        return packed[y0:y1, x0:x1]

    means = []
    for rows in row_blocks(domain.fine_shape, 4 * CACHE_PIXELS, domain.ratio):
        at_pixels = read_at_pixels(stored, name, domain, (rows.start, rows.stop, 0, domain.fine_shape[1]))
        means.append(block_mean(torch.from_numpy(FINE[name].unpack(at_pixels)), domain.ratio, land[rows]))
    return torch.cat(means).numpy()


def mean_where_seen(lst: Tensor, ratio: int, land: Tensor) -> np.ndarray:
    """Cell means (R, C) of LST (y, x) over ``land``, NaN where less than a quarter of a cell's land was seen."""
    seen = block_mean(as_number(finite(lst)), ratio, land)
    return torch.where(seen >= LEAST_SEEN, block_mean(lst, ratio, land), torch.nan).numpy()
