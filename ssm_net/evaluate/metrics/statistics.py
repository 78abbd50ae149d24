"""Sums that merge by addition: moments, interval counts, histograms.

A score of a year is the sum of the scores of its days, in any order and any grouping, so no list of pixels is ever
kept. x is the truth and y the estimate throughout; soil moisture in m3 m-3.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from typing import Self, TypeVar

import numpy as np
from scipy.special import ndtr, ndtri

K = TypeVar("K", bound=Hashable)
S = TypeVar("S", bound="Sums")


@dataclass(frozen=True)
class Sums:
    """A value made of numbers or arrays that merge by addition."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def merge(a: Mapping[K, S], b: Mapping[K, S]) -> dict[K, S]:
    """Sums under the same key added, the others kept."""
    return {**a, **{k: a[k] + v if k in a else v for k, v in b.items()}}


@dataclass(frozen=True)
class Moments(Sums):
    """First and second moments of pairs: each field a number, or an array with one entry a pixel."""

    n: np.ndarray
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray
    ee: np.ndarray  # of y - x: kept as well, because their difference would lose digits

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, where: np.ndarray | None = None) -> Moments:
        """All pairs of ``x`` and ``y`` (same shape) where ``where``, in float64. What is picked must be finite."""
        if where is not None:
            x, y = x[where], y[where]
        x, y = np.asarray(x, "float64").ravel(), np.asarray(y, "float64").ravel()
        e = y - x
        n = np.float64(x.size)
        return cls(*(np.asarray(v) for v in (n, x.sum(), y.sum(), x @ x, y @ y, x @ y, e @ e)))

    @classmethod
    def per_pixel(cls, x: np.ndarray, y: np.ndarray, where: np.ndarray) -> Moments:
        """One pair a pixel, arrays of the shape of ``x`` in float32: to be added up over days."""
        x, y = (np.where(where, v, 0).astype("float32") for v in (x, y))
        return cls(where.astype("float32"), x, y, x * x, y * y, x * y, (y - x) ** 2)

    @classmethod
    def zero(cls) -> Moments:
        return cls(*(np.zeros(()) for _ in range(7)))

    @property
    def bias(self) -> np.ndarray:
        """Mean of y - x."""
        return divide(self.y - self.x, self.n)

    @property
    def rmse(self) -> np.ndarray:
        return np.sqrt(divide(self.ee, self.n))

    @property
    def ubrmse(self) -> np.ndarray:
        """Standard deviation of y - x: sqrt(RMSE^2 - bias^2) (Entekhabi et al. 2010, J. Hydrometeorol. 11, 832)."""
        return np.sqrt(np.maximum(divide(self.ee, self.n) - self.bias**2, 0))

    @property
    def std_x(self) -> np.ndarray:
        """0 where x varies by no more than rounding does."""
        return _std(self.n, self.x, self.xx)

    @property
    def std_y(self) -> np.ndarray:
        return _std(self.n, self.y, self.yy)

    @property
    def r(self) -> np.ndarray:
        """Pearson's correlation; NaN where x or y does not vary."""
        cov = divide(self.xy, self.n) - divide(self.x, self.n) * divide(self.y, self.n)
        return np.clip(divide(cov, self.std_x * self.std_y), -1, 1)


FLAT = 1e-6  # m3 m-3: a hundredth of a count of the files


def _std(n: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Standard deviation from the sums of ``n`` values and of their squares.

    The difference of two sums keeps some rounding even where nothing varies: that is taken as 0, or a constant would
    be given a correlation.
    """
    square = divide(second, n)
    variance = square - divide(first, n) ** 2
    rounding = np.maximum(FLAT**2, 64 * np.finfo(second.dtype).eps * square)
    return np.sqrt(np.where(variance <= rounding, 0, variance))


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, NaN where b is 0."""
    return np.divide(a, b, out=np.full(np.broadcast_shapes(np.shape(a), np.shape(b)), np.nan), where=np.asarray(b) != 0)


LEVELS = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.8, 0.9, 0.95])
_HALF_WIDTH = ndtri(0.5 + LEVELS / 2)  # 0.994 sigma for 68 %, 1.645 for 90 %


@dataclass(frozen=True)
class Intervals(Sums):
    """How the stated uncertainty fits the errors: ``inside[i]`` counts pairs in the central interval ``LEVELS[i]``."""

    n: np.ndarray
    inside: np.ndarray
    crps_sum: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, sigma: np.ndarray, where: np.ndarray | None = None) -> Intervals:
        """Pairs where ``sigma`` > 0; a pair without an uncertainty does not count."""
        ok = np.isfinite(sigma) & (sigma > 0)
        if where is not None:
            ok &= where
        s = np.asarray(sigma[ok], "float64")
        z = (np.asarray(x[ok], "float64") - y[ok]) / s
        # Sorted once, each level is one bisection instead of a pass over the pixels.
        inside = np.searchsorted(np.sort(np.abs(z)), _HALF_WIDTH, side="right")
        return cls(*(np.asarray(v) for v in (np.float64(s.size), inside, crps_gaussian(z, s).sum(), s @ s)))

    @classmethod
    def zero(cls) -> Intervals:
        return cls(np.zeros(()), np.zeros(len(LEVELS)), np.zeros(()), np.zeros(()))

    @property
    def coverage(self) -> np.ndarray:
        """Fraction of the truth inside each central interval of ``LEVELS``."""
        return divide(self.inside, self.n)

    def coverage_at(self, level: float) -> float:
        return float(self.coverage[int(np.argmin(np.abs(LEVELS - level)))])

    @property
    def crps(self) -> float:
        """Mean continuous ranked probability score, m3 m-3."""
        return float(divide(self.crps_sum, self.n))

    @property
    def rms_sigma(self) -> float:
        """Root mean square of the stated uncertainty, m3 m-3: to be compared with the RMSE."""
        return float(np.sqrt(divide(self.variance, self.n)))


def crps_gaussian(z: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """CRPS of N(y, sigma) with z = (x - y) / sigma (Gneiting et al. 2005, Mon. Weather Rev. 133, 1098, eq. 5)."""
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return sigma * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))


HISTOGRAM_EDGES = np.linspace(0.0, 0.6, 61)  # m3 m-3


@dataclass(frozen=True)
class Histogram(Sums):
    """Counts of (truth, estimate) on ``HISTOGRAM_EDGES`` squared; what lies outside counts in the outermost bin."""

    count: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, where: np.ndarray) -> Histogram:
        first, width = HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[1] - HISTOGRAM_EDGES[0]
        last = len(HISTOGRAM_EDGES) - 2
        i, j = (np.clip(((v[where] - first) / width).astype(int), 0, last) for v in (x, y))
        return cls(np.bincount(i * (last + 1) + j, minlength=(last + 1) ** 2).reshape(last + 1, last + 1))
