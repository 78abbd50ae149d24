"""Scores of the stated uncertainty: how much of the truth the intervals hold, and how wide they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssm_net.evaluate.metrics.algebra import UNIT, Comparison, Metric, Statistic
from ssm_net.evaluate.metrics.statistics import LEVELS, Intervals


@dataclass(frozen=True)
class StatedIntervals(Statistic):
    """Errors in parts of the stated standard error, of the pixels that state one."""

    def sums(self, pair: Comparison, where: np.ndarray) -> Intervals:
        assert pair.sigma is not None
        return Intervals.of(pair.reference.field, pair.estimate, pair.sigma, where)


STATED = StatedIntervals()


@dataclass(frozen=True)
class IntervalCoverage(Metric):
    """Fraction of the truth inside the central interval whose level is ``target``."""

    name: str = "coverage 90"
    statistic: Statistic = STATED
    digits: int = 3
    target: float = 0.9

    def value(self, sums: Intervals) -> float:
        return sums.coverage_at(self.target)


@dataclass(frozen=True)
class Crps(Metric):
    """Continuous ranked probability score of the value and its uncertainty (Gneiting et al. 2005)."""

    name: str = "CRPS"
    statistic: Statistic = STATED
    about: str = "Scores the value and its uncertainty together; smaller is better"
    unit: str = UNIT

    def value(self, sums: Intervals) -> float:
        return sums.crps


@dataclass(frozen=True)
class StatedUncertainty(Metric):
    """Root mean square of the stated standard error: to be compared with the RMSE."""

    name: str = "stated uncertainty"
    statistic: Statistic = STATED
    unit: str = UNIT

    def value(self, sums: Intervals) -> float:
        return sums.rms_sigma


COVERAGE = tuple(
    IntervalCoverage(f"coverage {100 * level:.0f}", title=f"In the {100 * level:.0f} % interval", target=level,
                     about=f"Fraction of the truth inside; {level:.2f} is best")
    for level in (0.68, 0.9)
)  # fmt: skip
UNCERTAINTY = (*COVERAGE, Crps(), StatedUncertainty())
ALL_LEVELS = tuple(IntervalCoverage(f"{level:.0%}", target=float(level)) for level in LEVELS)
