"""How much of the error of a pixel is left in a mean over an area: the mean correlation between the area's pixels.

The error of a pixel has three parts. Inside a cell it changes over a few kilometres; what a cell shares changes from
cell to cell, over the width of a footprint; what the region shares is the same everywhere. The variance of the mean of
pixels with weights w is the sum over all pairs of w_i w_j C_ij. For each part the correlation of two pixels falls off
exponentially with their distance, and the variance is taken as that of the area's mean pixel: what is left of it is

    r = sum_ij w_i w_j exp(-d_ij / range),    1 for a point, 0 for an endless area

Source of the formula: block kriging, e.g. Chiles and Delfiner (2012), Geostatistics, 2nd ed., section 2.4. The ranges
were measured in simulated worlds: docs/extract.md.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import fftconvolve

INSIDE_RANGE_KM = 3.5
CELL_RANGE_KM = 75.0
LARGEST_SIDE = 512  # pixels; larger areas are taken in squares of pixels, whose errors count as one


def mean_correlation(
    rows: np.ndarray, cols: np.ndarray, weights: np.ndarray, size_km: tuple[float, float], range_km: float
) -> float:
    """r of an area: its pixels' ``rows``, ``cols`` and ``weights`` (sum 1), each (n,); ``size_km`` is a pixel's width
    and height."""
    if len(rows) == 1:
        return 1.0
    y, x = rows - rows.min(), cols - cols.min()
    step = math.ceil((max(int(y.max()), int(x.max())) + 1) / LARGEST_SIDE)
    y, x = y // step, x // step
    field = np.zeros((int(y.max()) + 1, int(x.max()) + 1))
    np.add.at(field, (y, x), weights)
    by_distance = fftconvolve(field, field[::-1, ::-1])  # sum of w_i w_j of the pairs that are so far apart
    height, width = field.shape
    dy = np.arange(-height + 1, height)[:, None] * step * size_km[1]
    dx = np.arange(-width + 1, width)[None, :] * step * size_km[0]
    return float(np.clip((by_distance * np.exp(-np.hypot(dy, dx) / range_km)).sum(), 0, 1))
