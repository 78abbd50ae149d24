"""Scores of the variation inside coarse cells: correlation and spread there, spectrum, traces of cells and of tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ssm_net.evaluate.metrics.algebra import UNIT, Comparison, Metric, Statistic
from ssm_net.evaluate.metrics.spatial import Blockiness, Seams, Spectrum, SubgridSpread
from ssm_net.evaluate.metrics.statistics import Moments


@dataclass(frozen=True)
class InsideCells(Statistic):
    """Moments of the departures from the means of coarse cells, of truth and estimate.

    The means are taken over all pixels that count, and the departures then sorted into bins.
    """

    def sums(self, pair: Comparison, where: np.ndarray) -> Moments:
        return Moments.of(pair.reference.anomaly, pair.anomaly, where)


@dataclass(frozen=True)
class SpreadByWetness(Statistic):
    """Variance inside cells by the cell's true mean."""

    of_truth: ClassVar[bool] = True

    def sums(self, pair: Comparison, where: np.ndarray) -> SubgridSpread:
        truth = pair.reference
        return SubgridSpread.of(pair.anomaly, truth.cell_mean, where, truth.ratio)


@dataclass(frozen=True)
class CellEdges(Statistic):
    """Steps across the edges of coarse cells and inside cells."""

    of_truth: ClassVar[bool] = True

    def sums(self, pair: Comparison, where: np.ndarray) -> Blockiness:
        return Blockiness.of(pair.estimate, where, pair.reference.ratio)


@dataclass(frozen=True)
class TileSeams(Statistic):
    """Steps across the seams of the tiles in which the maps were made; nothing where the tiles are unknown."""

    of_truth: ClassVar[bool] = True

    def sums(self, pair: Comparison, where: np.ndarray) -> Seams | None:
        if pair.tile is None:
            return None
        return Seams.of(pair.estimate, where, pair.reference.ratio, pair.tile)


@dataclass(frozen=True)
class PowerSpectrum(Statistic):
    """Power by wavelength. Fourier transforms of more days cost time and change the mean spectrum little."""

    of_truth: ClassVar[bool] = True
    most_days: ClassVar[int | None] = 12

    def sums(self, pair: Comparison, where: np.ndarray) -> Spectrum | None:
        return Spectrum.of(pair.estimate, where, pair.reference.ratio)


INSIDE_CELLS, SPREAD_BY_WETNESS, POWER_SPECTRUM = InsideCells(), SpreadByWetness(), PowerSpectrum()


@dataclass(frozen=True)
class SubgridCorrelation(Metric):
    """Correlation of the departures from the cell means."""

    name: str = "sub-grid R"
    statistic: Statistic = INSIDE_CELLS
    title: str = "Sub-grid correlation"
    about: str = "Correlation inside 36 km cells, whose means are taken out; 1 is best"
    digits: int = 3
    target: float = 1.0

    def value(self, sums: Moments) -> float:
        return float(sums.r)


@dataclass(frozen=True)
class SubgridSpreadRatio(Metric):
    """Standard deviation inside cells over that of the truth."""

    name: str = "sub-grid std ratio"
    statistic: Statistic = INSIDE_CELLS
    title: str = "Sub-grid spread"
    about: str = "Standard deviation inside cells over that of the truth; 1 is best"
    digits: int = 2
    target: float = 1.0

    def value(self, sums: Moments) -> float:
        return float(sums.std_y / sums.std_x) if sums.std_x > 0 else math.nan


@dataclass(frozen=True)
class SubgridStd(Metric):
    """Root mean variance inside cells at least half of which count."""

    name: str = "sub-grid std"
    statistic: Statistic = SPREAD_BY_WETNESS
    unit: str = UNIT

    def value(self, sums: SubgridSpread) -> float:
        cells = sums.n.sum()
        return float((sums.variance.sum() / cells) ** 0.5) if cells else math.nan


@dataclass(frozen=True)
class SpectralSlope(Metric):
    """Slope of log power against log wavenumber."""

    name: str = "spectral slope"
    statistic: Statistic = POWER_SPECTRUM
    digits: int = 2

    def value(self, sums: Spectrum) -> float:
        return sums.slope()


@dataclass(frozen=True)
class BlockIndex(Metric):
    """Mean step across cell edges over that inside cells: 1 where no trace of the coarse grid is left."""

    name: str = "block index"
    statistic: Statistic = CellEdges()
    digits: int = 3
    target: float = 1.0

    def value(self, sums: Blockiness) -> float:
        return sums.index


@dataclass(frozen=True)
class SeamIndex(Metric):
    """Mean step across tile seams over that across other cell edges; it does not apply to maps of a single tile, nor to
    maps that do not say in which tiles they were made."""

    missing: ClassVar[float | None] = None
    name: str = "seam index"
    statistic: Statistic = TileSeams()
    digits: int = 3
    target: float = 1.0

    def value(self, sums: Seams) -> float | None:
        return sums.index if sums.n_seam else None


INSIDE = (SubgridCorrelation(), SubgridSpreadRatio())
TEXTURE = (SubgridStd(), SpectralSlope(), BlockIndex(), SeamIndex())
