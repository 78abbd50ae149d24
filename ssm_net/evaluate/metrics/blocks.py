"""Sums by block of days and of cells: what intervals of the report's first numbers are drawn from.

Errors of neighbouring pixels and of successive days are alike, so a score's interval cannot count pixels. Sums are kept
by pentad and by coarse cell (of large domains by 4 x 4 cells), and whole blocks of them are drawn.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from ssm_net.evaluate.metrics.algebra import Binning, Comparison, ScoredDay, Statistic
from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.metrics.spatial import blocks
from ssm_net.evaluate.metrics.statistics import Sums

PENTAD = 5  # days; they begin anew each month, the last one has what is left
MANY_CELLS = 1024  # a domain of more keeps its sums by SIDE x SIDE cells
SIDE = 4
HALF_WIDTH_90 = float(ndtri(0.95))  # of a 90 % interval, in standard errors


def side_of(coarse_shape: tuple[int, int]) -> int:
    """Cells along a side of the blocks in which a domain's sums are kept."""
    rows, cols = coarse_shape
    return SIDE if rows * cols > MANY_CELLS and rows % SIDE == cols % SIDE == 0 else 1


def first_of_pentad(day: dt.date) -> dt.date:
    return day.replace(day=1 + PENTAD * min((day.day - 1) // PENTAD, 5))


@dataclass(frozen=True)
class Pentads(Binning):
    """By stratum of the sky and pentad; labels are those of ``pentad_label``."""

    strata: tuple[str, ...] = ("all",)
    column: str = "pentad"

    def bins(self, day: ScoredDay) -> Iterator[tuple[str, np.ndarray | None]]:
        for stratum, mask in SKY.bins(day):
            if stratum in self.strata:
                yield pentad_label(stratum, day.day), mask


def pentad_label(stratum: str, day: dt.date) -> str:
    """The stratum and the first day of the pentad: "clear 2018-06-06"."""
    return f"{stratum} {first_of_pentad(day)}"


def label_parts(label: str) -> tuple[str, dt.date]:
    stratum, first = label.rsplit(" ", 1)
    return stratum, dt.date.fromisoformat(first)


@dataclass(frozen=True)
class ErrorBlocks(Sums):
    """Number of pairs and sum of squared errors, (m3 m-3)^2, by block of cells, (R, C) each."""

    n: np.ndarray
    ee: np.ndarray

    @classmethod
    def of(cls, error: np.ndarray, where: np.ndarray, step: int) -> ErrorBlocks:
        """Of a field of errors (Ny, Nx) where ``where``, in blocks of ``step`` x ``step``."""
        return cls(_sum(where, step), _sum(np.where(where, error, 0) ** 2, step))


@dataclass(frozen=True)
class PatternBlocks(Sums):
    """By block of cells, (R, C) each: second moments of the departures from cell means, truth x and estimate y; pairs
    with an uncertainty, and those ``inside`` their 90 % interval."""

    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray
    stated: np.ndarray
    inside: np.ndarray


@dataclass(frozen=True)
class BlockErrors(Statistic):
    """Squared errors by block of cells."""

    def sums(self, pair: Comparison, where: np.ndarray) -> ErrorBlocks:
        return ErrorBlocks.of(pair.estimate - pair.reference.field, where, _step(pair))


@dataclass(frozen=True)
class BlockPatterns(Statistic):
    """The pattern inside cells, and how often the stated interval holds, by block of cells."""

    def sums(self, pair: Comparison, where: np.ndarray) -> PatternBlocks:
        step, x, y = _step(pair), np.where(where, pair.reference.anomaly, 0), np.where(where, pair.anomaly, 0)
        stated = np.zeros(where.shape, bool) if pair.sigma is None else where & (np.nan_to_num(pair.sigma) > 0)
        inside = stated.copy()
        if pair.sigma is not None:
            inside[stated] = (np.abs(pair.estimate - pair.reference.field) <= HALF_WIDTH_90 * pair.sigma)[stated]
        return PatternBlocks(*(_sum(v, step) for v in (x * x, y * y, x * y, stated, inside)))


def _step(pair: Comparison) -> int:
    rows, cols = (n // pair.reference.ratio for n in pair.estimate.shape)
    return pair.reference.ratio * side_of((rows, cols))


def _sum(field: np.ndarray, step: int) -> np.ndarray:
    return blocks(field, step).sum((1, 3), dtype="float64")


PENTADS, SKY_PENTADS = Pentads(), Pentads(SKY.labels)
BLOCK_ERRORS, BLOCK_PATTERNS = BlockErrors(), BlockPatterns()
RESAMPLED: tuple[tuple[Binning, Statistic], ...] = ((SKY_PENTADS, BLOCK_ERRORS), (PENTADS, BLOCK_PATTERNS))
