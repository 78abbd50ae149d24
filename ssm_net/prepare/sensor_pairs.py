"""Statistics of two sensors on the days that both observed: moments of each cell, the gain of the region, noise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

GAIN_RANGE = (0.4, 2.5)
LAG = dt.timedelta(1)  # of the instrumental variable
LAGGED_PAIRS = 300  # of the region, at least, for a gain by instrumental variable

Pair = tuple[dt.date, np.ndarray, np.ndarray]


def moments(pairs: Sequence[Pair]) -> tuple[np.ndarray, ...]:
    """Number of pairs, means and variances of x and y, each (R, C)."""
    shape = pairs[0][1].shape if pairs else (0, 0)
    n, sx, sy, sxx, syy = (np.zeros(shape) for _ in range(5))
    for _, x, y in pairs:
        both = np.isfinite(x) & np.isfinite(y)
        a, b = np.where(both, x, 0.0).astype(float), np.where(both, y, 0.0).astype(float)
        n += both
        sx, sy, sxx, syy = sx + a, sy + b, sxx + a * a, syy + b * b
    m = np.maximum(n, 1)
    mx, my = sx / m, sy / m
    return n, mx, my, np.maximum(sxx / m - mx**2, 0), np.maximum(syy / m - my**2, 0)


def lagged_gain(pairs: Sequence[Pair], mx: np.ndarray, my: np.ndarray, region_ratio: float) -> float | None:
    """The gain of the region by instrumental variable; noise, which does not last from day to day, has no part in it.

    The instrument is the mean anomaly of both sensors on the day before or after: it goes with the soil of the day, and
    with no error of it. None where too few pairs have such a day.
    """
    xz, yz, count = 0.0, 0.0, 0
    anomalies: dict[dt.date, np.ndarray] = {}
    for day, x, y in pairs:
        both = np.stack([region_ratio * (x - mx), y - my])
        known = np.isfinite(both)
        mean = np.where(known, both, 0).sum(0) / np.maximum(known.sum(0), 1)
        anomalies[day] = np.where(known.any(0), mean, np.nan).astype(np.float32)
    for day, x, y in pairs:
        for neighbour in (day - LAG, day + LAG):
            if neighbour in anomalies:
                z = anomalies[neighbour]
                use = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
                xz += float(((x - mx)[use] * z[use]).sum())
                yz += float(((y - my)[use] * z[use]).sum())
                count += int(use.sum())
    if count < LAGGED_PAIRS or xz <= 0 or yz <= 0:
        return None
    return float(np.clip(yz / xz, *GAIN_RANGE))


def pooled_variance(pairs: Sequence[Pair], gain: np.ndarray, mx: np.ndarray, my: np.ndarray) -> float:
    """Variance of y - gain x about its mean in a cell, over all cells: the noise of both sensors."""
    total, count = 0.0, 0
    for _, x, y in pairs:
        residual = (y - my) - gain * (x - mx)
        known = np.isfinite(residual)
        total += float((residual[known] ** 2).sum())
        count += int(known.sum())
    return total / max(count, 1)
