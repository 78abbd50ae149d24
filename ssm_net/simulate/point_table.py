"""The table of points inside cells: how soil moisture and LST vary in there, with memory, distance and each other.

The same quantities were computed from 26 stations of the OzNet network (Yanco, south-east Australia; Smith et al. 2012,
Water Resources Research 48, W07701) with MODIS LST and NDVI at each of them, 2016-2020. Worlds must be able to look
like that table, and lie on both sides of it. An anomaly is a point's value less the mean over the points of its cell.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MIN_POINTS = 5  # of a cell on a day, fewer give no anomaly
FEWEST_PAIRS = 200  # values below which a statistic is not estimated
SSM_LAGS = (1, 4, 8, 16, 30, 60)  # days
LST_LAGS = (1, 2, 4, 8, 16, 30, 60)
MEMORIES = (4, 30, 365)  # e-folding, days
DISTANCES = (0.8, 1.3, 2.0, 3.2, 5.0, 7.5, 14.0, 28.0)  # km, bounds of the classes of distance
DISTANCE_CLASSES = (1.0, 1.6, 2.5, 4.0, 6.0, 9.0, 20.0)  # their middles
TABLE_LAPSE = 6e-3  # K m-1, by which LST is reduced to one height

# Measured at the stations named above.
REAL: dict[str, float] = {
    "SM inside the cell, sd": 0.058, "SM static, sd": 0.032, "SM dynamic, sd": 0.049,
    "SM e-folding, days": 37.0,
    "SM acf 1 d": 0.95, "SM acf 4 d": 0.80, "SM acf 8 d": 0.70, "SM acf 16 d": 0.56, "SM acf 30 d": 0.49,
    "SM acf 60 d": 0.30,
    "LST inside the cell, sd": 1.22, "LST static, sd": 0.31, "LST dynamic, sd": 1.18,
    "LST acf 1 d": 0.32, "LST acf 2 d": 0.41, "LST acf 4 d": 0.37, "LST acf 8 d": 0.32, "LST acf 16 d": 0.36,
    "LST acf 30 d": 0.32, "LST acf 60 d": 0.17, "LST acf 2 d - 1 d": 0.09, "LST acf 16 d - 8 d": 0.04,
    "r(LST, SM)": -0.155, "r(LST, SM) dynamic": -0.085, "r of period means": -0.57,
    "r with LST memory of 4 d": -0.18, "r with LST memory of 30 d": -0.20, "r with LST memory of 365 d": -0.26,
    "r(LST, SM) warm season": -0.24, "r(LST, SM) cool season": 0.01,
    "r(SM, clay map)": -0.08, "r(SM, NDVI)": 0.10,
    "SM half-variance 1 km": 2.4e-3, "SM half-variance 1.6 km": 3.3e-3, "SM half-variance 2.5 km": 4.9e-3,
    "SM half-variance 4 km": 3.6e-3, "SM half-variance 6 km": 4.1e-3, "SM half-variance 9 km": 4.6e-3,
    "SM half-variance 20 km": 3.4e-3,
    "LST half-variance 1 km": 1.2, "LST half-variance 1.6 km": 0.8, "LST half-variance 6 km": 1.7,
    "LST half-variance 20 km": 2.8,
}  # fmt: skip


@dataclass(frozen=True)
class PointSeries:
    """Series at points of cells, NaN where missing: ``ssm`` m3 m-3, ``lst`` K by day and ``ndvi``, (T, cells, points);
    ``clay``, ``elevation`` (m) as maps have them and ``y``, ``x`` (km), (cells, points); ``warm`` (T,) bool, the half
    year of the local summer."""

    ssm: Array
    lst: Array
    ndvi: Array
    clay: Array
    elevation: Array
    y: Array
    x: Array
    warm: NDArray[np.bool_]


def point_table(points: PointSeries) -> dict[str, float]:
    """Each row of the table; NaN where too few values are there to estimate it. Days must follow each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are NaN
        moisture = anomalies(points.ssm)
        heat = anomalies(points.lst + TABLE_LAPSE * points.elevation)
        return {
            **_spread("SM", moisture),
            "SM e-folding, days": e_folding(_dynamic(moisture)),
            **{f"SM acf {lag} d": autocorrelation(_dynamic(moisture), lag) for lag in SSM_LAGS},
            **_spread("LST", heat),
            **_lst_memory(_dynamic(heat)),
            **_links(points, moisture, heat),
            **_half_variances("SM", points, moisture, DISTANCE_CLASSES),
            **_half_variances("LST", points, heat, (1.0, 1.6, 6.0, 20.0)),
        }


def anomalies(values: Array) -> Array:
    """Values (T, cells, points) less the mean over the points of their cell; NaN where fewer than ``MIN_POINTS``."""
    enough = np.isfinite(values).sum(-1, keepdims=True) >= MIN_POINTS
    return np.where(enough, values - np.nanmean(values, -1, keepdims=True), np.nan)


def _dynamic(anomaly: Array) -> Array:
    return anomaly - np.nanmean(anomaly, 0)


def _spread(name: str, anomaly: Array) -> dict[str, float]:
    static = np.broadcast_to(np.nanmean(anomaly, 0), anomaly.shape)[np.isfinite(anomaly)]
    return {
        f"{name} inside the cell, sd": float(np.nanstd(anomaly)),
        f"{name} static, sd": float(static.std()) if static.size else math.nan,
        f"{name} dynamic, sd": float(np.nanstd(_dynamic(anomaly))),
    }


def autocorrelation(dynamic: Array, lag: int) -> float:
    """Correlation of anomalies with those ``lag`` days later, over all points."""
    return correlation(dynamic[:-lag], dynamic[lag:]) if len(dynamic) > 2 * lag else math.nan


def e_folding(dynamic: Array) -> float:
    """Days after which the autocorrelation falls below 1/e, linear between days; NaN where it does not."""
    before = 1.0
    for lag in range(1, min(len(dynamic) // 2, 400)):
        now = autocorrelation(dynamic, lag)
        if now < 1 / math.e:
            return lag - 1 + (before - 1 / math.e) / (before - now)
        before = now
    return math.nan


def correlation(x: Array, y: Array) -> float:
    """Correlation over the values that both have; NaN where fewer than ``FEWEST_PAIRS`` are."""
    x, y = np.broadcast_arrays(x, y)
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < FEWEST_PAIRS or x[both].std() == 0 or y[both].std() == 0:
        return math.nan
    return float(np.corrcoef(x[both], y[both])[0, 1])


def memory(anomaly: Array, days: float) -> Array:
    """Exponentially weighted mean of the anomalies up to each day, (T, cells, points); ``days`` its e-folding."""
    keep = math.exp(-1 / days)
    total, weight, out = np.zeros(anomaly.shape[1:]), np.zeros(anomaly.shape[1:]), np.empty_like(anomaly)
    for t, today in enumerate(anomaly):
        present = np.isfinite(today)
        total = keep * total + np.where(present, today, 0)
        weight = keep * weight + present
        out[t] = total / weight
    return out


def _lst_memory(dynamic: Array) -> dict[str, float]:
    acf = {lag: autocorrelation(dynamic, lag) for lag in LST_LAGS}
    rows = {f"LST acf {lag} d": r for lag, r in acf.items()}
    return {**rows, "LST acf 2 d - 1 d": acf[2] - acf[1], "LST acf 16 d - 8 d": acf[16] - acf[8]}


def _links(points: PointSeries, moisture: Array, heat: Array) -> dict[str, float]:
    """Correlations of soil moisture with LST, its memories, the clay map and NDVI."""
    warm = points.warm
    means = [np.nanmean(field, 0).ravel() for field in (heat, moisture)]
    finite = np.isfinite(means[0]) & np.isfinite(means[1])
    of_means = float(np.corrcoef(means[0][finite], means[1][finite])[0, 1]) if finite.sum() > 3 else math.nan
    return {
        "r(LST, SM)": correlation(heat, moisture),
        "r(LST, SM) dynamic": correlation(_dynamic(heat), _dynamic(moisture)),
        "r of period means": of_means,
        **{f"r with LST memory of {days} d": correlation(memory(heat, days), moisture) for days in MEMORIES},
        "r(LST, SM) warm season": correlation(heat[warm], moisture[warm]),
        "r(LST, SM) cool season": correlation(heat[~warm], moisture[~warm]),
        "r(SM, clay map)": correlation(moisture, (points.clay - points.clay.mean(-1, keepdims=True))[None]),
        "r(SM, NDVI)": correlation(moisture, anomalies(points.ndvi)),
    }


def _half_variances(name: str, points: PointSeries, anomaly: Array, classes: Sequence[float]) -> dict[str, float]:
    """Half the mean squared difference of two points of a cell, by their distance in km."""
    first, second = np.triu_indices(anomaly.shape[2], 1)
    distance = np.hypot(points.y[:, first] - points.y[:, second], points.x[:, first] - points.x[:, second])
    half = 0.5 * (anomaly[..., first] - anomaly[..., second]) ** 2
    rows = {}
    for low, high, middle in zip(DISTANCES[:-1], DISTANCES[1:], DISTANCE_CLASSES, strict=True):
        if middle in classes:
            within = half[:, (distance >= low) & (distance < high)]
            enough = np.isfinite(within).sum() >= FEWEST_PAIRS
            rows[f"{name} half-variance {middle:g} km"] = float(np.nanmean(within)) if enough else math.nan
    return rows
