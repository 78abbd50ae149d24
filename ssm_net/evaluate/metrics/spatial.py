"""Sums that describe a field in space: variation inside coarse cells, steps at cell edges and seams, spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ssm_net.evaluate.metrics.statistics import Sums, divide


def blocks(x: np.ndarray, ratio: int) -> np.ndarray:
    """(R*ratio, C*ratio) seen as (R, ratio, C, ratio), without a copy."""
    return x.reshape(x.shape[0] // ratio, ratio, x.shape[1] // ratio, ratio)


def cell_mean(x: np.ndarray, where: np.ndarray, ratio: int) -> np.ndarray:
    """Mean of the pixels of each cell that count, (R, C) float64; NaN where none does."""
    total = np.where(blocks(where, ratio), blocks(x, ratio), 0).sum((1, 3), dtype="float64")
    return divide(total, blocks(where, ratio).sum((1, 3)).astype("float64"))


def subgrid(x: np.ndarray, where: np.ndarray, ratio: int) -> np.ndarray:
    """Departures of ``x`` (Ny, Nx) from the mean of each coarse cell over ``where``; 0 elsewhere."""
    anomaly = blocks(x, ratio) - cell_mean(x, where, ratio)[:, None, :, None].astype(x.dtype)
    return np.where(where, anomaly.reshape(x.shape), 0)


STD_BINS = np.linspace(0.0, 0.5, 21)  # cell mean, m3 m-3


@dataclass(frozen=True)
class SubgridSpread(Sums):
    """Variance inside coarse cells, by the cell's true mean (``STD_BINS``): the hump of Famiglietti et al. (2008)."""

    n: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, anomaly: np.ndarray, mean: np.ndarray, where: np.ndarray, ratio: int) -> SubgridSpread:
        """``anomaly`` from ``subgrid``; ``mean`` (R, C) picks the bin. Cells less than half full do not count."""
        variance = cell_mean(anomaly**2, where, ratio)
        full = blocks(where, ratio).mean((1, 3)) >= 0.5
        which = np.clip(np.digitize(mean[full], STD_BINS) - 1, 0, len(STD_BINS) - 2)
        size = len(STD_BINS) - 1
        return cls(
            np.bincount(which, minlength=size).astype("float64"),
            np.bincount(which, weights=variance[full], minlength=size),
        )

    @property
    def std(self) -> np.ndarray:
        return np.sqrt(divide(self.variance, self.n))


def _steps(x: np.ndarray, where: np.ndarray, every: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """|Difference of neighbours| down the rows, then along them: line, count of pairs that both count, sum.

    Line k lies between pixels k - 1 and k; of the lines each ``every``-th.
    """
    for a, ok in ((x, where), (x.T, where.T)):
        low, high = np.s_[every - 1 : -1 : every], np.s_[every::every]
        both = ok[low] & ok[high]
        step = np.where(both, np.abs(a[high] - a[low]), 0)
        yield np.arange(every, a.shape[0], every), both.sum(1), step.sum(1, dtype="float64")


@dataclass(frozen=True)
class Blockiness(Sums):
    """Sums of |difference of neighbours| across the edges of coarse cells, and inside cells."""

    n_edge: np.ndarray
    edge: np.ndarray
    n_inside: np.ndarray
    inside: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, where: np.ndarray, ratio: int) -> Blockiness:
        """``x`` (Ny, Nx) on cells of ``ratio`` x ``ratio`` pixels."""
        sums = np.zeros(4)
        for line, count, total in _steps(x, where):
            edge = line % ratio == 0
            sums += [count[edge].sum(), total[edge].sum(), count[~edge].sum(), total[~edge].sum()]
        return cls(*(np.asarray(v) for v in sums))

    @property
    def index(self) -> float:
        """Mean |gradient| across cell edges over that inside: 1 where the coarse grid leaves no trace."""
        return float(divide(divide(self.edge, self.n_edge), divide(self.inside, self.n_inside)))


@dataclass(frozen=True)
class Seams(Sums):
    """Sums of |difference of neighbours| across the seams of tiles, and across the other edges of coarse cells."""

    n_seam: np.ndarray
    seam: np.ndarray
    n_edge: np.ndarray
    edge: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, where: np.ndarray, ratio: int, tile: int) -> Seams:
        """``x`` (Ny, Nx) made in tiles of ``tile`` cells a side, from the upper left corner on."""
        sums = np.zeros(4)
        for line, count, total in _steps(x, where, ratio):
            seam = line % (ratio * tile) == 0
            sums += [count[seam].sum(), total[seam].sum(), count[~seam].sum(), total[~seam].sum()]
        return cls(*(np.asarray(v) for v in sums))

    @property
    def index(self) -> float:
        """Mean |gradient| across seams over that across other cell edges, so that traces of the coarse grid do not
        count: 1 where tiles leave none. NaN with a single tile, or tiles of one cell, when there is nothing to compare.
        """
        return float(divide(divide(self.seam, self.n_seam), divide(self.edge, self.n_edge)))


@dataclass(frozen=True)
class Spectrum(Sums):
    """Power by wavenumber ring, summed over square windows of 8 x 8 coarse cells (the window fixes the rings)."""

    n: np.ndarray
    power: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, where: np.ndarray, ratio: int, cells: int = 8) -> Spectrum | None:
        """All windows at least 90 % of whose pixels count, the rest of them set to the window's mean.

        The mean is taken out and a Hann taper applied; None where no window is full enough.
        """
        cells = min(cells, x.shape[0] // ratio, x.shape[1] // ratio)
        side = cells * ratio
        rows, cols = x.shape[0] // side, x.shape[1] // side
        taper = np.outer(np.hanning(side), np.hanning(side))
        freq = np.fft.fftfreq(side) * side
        ring = np.rint(np.hypot(freq[:, None], freq)).astype(int)
        count = np.bincount(ring.ravel())[: side // 2 + 1]
        n, power = np.zeros(()), np.zeros(side // 2 + 1)
        for i in range(rows):
            for j in range(cols):
                part = np.s_[i * side : (i + 1) * side, j * side : (j + 1) * side]
                ok = where[part]
                if ok.mean() < 0.9:
                    continue
                a = np.where(ok, x[part] - x[part][ok].mean(dtype="float64"), 0) * taper
                spectrum = np.abs(np.fft.fft2(a)) ** 2
                power += np.bincount(ring.ravel(), spectrum.ravel())[: side // 2 + 1] / count
                n = n + 1
        return cls(n, power) if n else None

    @property
    def mean(self) -> np.ndarray:
        """Mean power of each ring; ring k has a wavelength of side / k pixels."""
        return self.power / self.n

    @property
    def wavelength(self) -> np.ndarray:
        """Wavelength of each ring in pixels (km at 1 km), infinite for ring 0."""
        side = 2 * (len(self.power) - 1)
        return np.divide(side, np.arange(len(self.power)), out=np.full(len(self.power), np.inf),
                         where=np.arange(len(self.power)) > 0)  # fmt: skip

    def slope(self, longest: float = 72.0, shortest: float = 4.0) -> float:
        """Slope of log power against log wavenumber between two wavelengths, pixels."""
        pick = (self.wavelength <= longest) & (self.wavelength >= shortest) & (self.mean > 0)
        if pick.sum() < 3:
            return float("nan")
        return float(np.polyfit(-np.log(self.wavelength[pick]), np.log(self.mean[pick]), 1)[0])
