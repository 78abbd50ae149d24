"""Scores of the error: RMSE, bias, correlation, of pixels and of pixels' courses in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ssm_net.evaluate.metrics.algebra import UNIT, Comparison, Metric, Statistic
from ssm_net.evaluate.metrics.statistics import Histogram, Moments


@dataclass(frozen=True)
class Values(Statistic):
    """Moments of truth and estimate."""

    def sums(self, pair: Comparison, where: np.ndarray) -> Moments:
        return Moments.of(pair.reference.field, pair.estimate, where)


@dataclass(frozen=True)
class PixelSeries(Statistic):
    """Moments of each pixel over days, float32 arrays of the fine grid."""

    def sums(self, pair: Comparison, where: np.ndarray) -> Moments:
        return Moments.per_pixel(pair.reference.field, pair.estimate, where)


@dataclass(frozen=True)
class JointHistogram(Statistic):
    """Counts of truth and estimate, for the scatter plot."""

    def sums(self, pair: Comparison, where: np.ndarray) -> Histogram:
        return Histogram.of(pair.reference.field, pair.estimate, where)


VALUES, PIXEL_SERIES, JOINT_HISTOGRAM = Values(), PixelSeries(), JointHistogram()


@dataclass(frozen=True)
class Count(Metric):
    """Pixels and days that count."""

    name: str = "n"
    statistic: Statistic = VALUES
    digits: int = 0

    def value(self, sums: Moments) -> int:
        return int(sums.n)


@dataclass(frozen=True)
class Rmse(Metric):
    """Root mean square error."""

    name: str = "RMSE"
    statistic: Statistic = VALUES
    about: str = "Smaller is better"
    unit: str = UNIT

    def value(self, sums: Moments) -> float:
        return float(sums.rmse)


@dataclass(frozen=True)
class UnbiasedRmse(Metric):
    """RMSE without the mean error (Entekhabi et al. 2010, J. Hydrometeorol. 11, 832)."""

    name: str = "ubRMSE"
    statistic: Statistic = VALUES
    about: str = "RMSE without the mean error"
    unit: str = UNIT

    def value(self, sums: Moments) -> float:
        return float(sums.ubrmse)


@dataclass(frozen=True)
class Bias(Metric):
    """Mean of estimate minus truth."""

    name: str = "bias"
    statistic: Statistic = VALUES
    title: str = "Bias"
    about: str = "Mean of estimate minus truth"
    unit: str = UNIT

    def value(self, sums: Moments) -> float:
        return float(sums.bias)


@dataclass(frozen=True)
class Correlation(Metric):
    """Pearson's correlation; NaN where one of the two does not vary."""

    name: str = "R"
    statistic: Statistic = VALUES
    title: str = "Correlation"
    about: str = "Over all pixels and days; 1 is best"
    digits: int = 3
    target: float = 1.0

    def value(self, sums: Moments) -> float:
        return float(sums.r)


@dataclass(frozen=True)
class TemporalUnbiasedRmse(Metric):
    """Mean over pixels of the ubRMSE of their courses in time, of pixels with at least ``MIN_DAYS`` days."""

    MIN_DAYS: ClassVar[int] = 10  # fewer say nothing about a pixel's course in time
    name: str = "temporal ubRMSE"
    statistic: Statistic = PIXEL_SERIES
    unit: str = UNIT

    def value(self, sums: Moments) -> float:
        enough = sums.n >= self.MIN_DAYS
        return float(sums.ubrmse[enough].mean(dtype="float64")) if enough.any() else float("nan")


@dataclass(frozen=True)
class TemporalCorrelation(Metric):
    """Mean over pixels of the correlation of their courses in time, of pixels with at least ``MIN_DAYS`` days."""

    MIN_DAYS: ClassVar[int] = TemporalUnbiasedRmse.MIN_DAYS
    name: str = "temporal R"
    statistic: Statistic = PIXEL_SERIES
    digits: int = 3
    target: float = 1.0

    def value(self, sums: Moments) -> float:
        r = sums.r[sums.n >= self.MIN_DAYS]
        r = r[np.isfinite(r)]
        return float(r.mean(dtype="float64")) if r.size else float("nan")


ERROR = (Rmse(), UnbiasedRmse(), Bias(), Correlation())
IN_TIME = (TemporalUnbiasedRmse(), TemporalCorrelation())
