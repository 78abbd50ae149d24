"""A regression of each pixel by itself, fitted through the footprint: the estimator that a network must beat.

    mu(p) = base(p) + w^T phi(z_p),    w = argmin sum_c ((H mu)(c) - y(c))^2 / n + ridge |w|^2

z holds the pixel's features and the coarse context with its own cell's observation hidden; phi is linear terms and
random Fourier features of z; ``base`` is the first context. Because mu is linear in w, the footprint mean of phi is all
that the fit needs, and it has a closed form.
Sources: random features, Rahimi & Recht (2007), NeurIPS 20; regression on aggregates, Law et al. (2018), NeurIPS 31.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ssm_net.estimators.interface import EstimatorError
from ssm_net.inputs.phases import PHASES, phase_of_cells

REACH = 3  # cells each way that a context looks
PRIOR = 0.05  # weight of the climatological mean in a context; an observation in the cell itself would weigh 1
SPREAD = 0.06  # m3 m-3, brings contexts to order one
COSINES = 256
RIDGES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


@dataclass(frozen=True)
class Scale:
    """How fast the weight of an observation fades: e-folding in cells and in days."""

    cells: float
    days: float


def contexts(ssm: Tensor, mean: float, scales: Sequence[Scale]) -> Tensor:
    """Means of the observations around each cell with each phase's of the day hidden, (phase, scale, R, C), m3 m-3.

    ``ssm`` (L, R, C), lag 0 first, NaN where there is none; ``mean`` (m3 m-3) is what they fall back to.
    """
    lags, rows, cols = ssm.shape
    phase = phase_of_cells(rows, cols)
    visible = ssm[None].repeat(PHASES, 1, 1, 1)
    for p in range(PHASES):
        visible[p, 0] = torch.where(phase == p, torch.nan, ssm[0])
    observed = torch.isfinite(visible).float()
    anomaly = torch.nan_to_num(visible - mean)
    d = torch.arange(-REACH, REACH + 1).float()
    far, lag = torch.sqrt(d[:, None] ** 2 + d[None] ** 2), torch.arange(lags).float()[:, None, None]
    w = torch.stack([torch.exp(-far / s.cells - lag / s.days) for s in scales])
    return mean + F.conv2d(anomaly, w, padding=REACH) / (F.conv2d(observed, w, padding=REACH) + PRIOR)


def own_phase(context: Tensor) -> Tensor:
    """Each cell's context with its own phase hidden: (phase, scale, R, C) to (scale, R, C)."""
    phase = phase_of_cells(*context.shape[-2:])
    index = phase.expand(1, *context.shape[1:])
    return context.gather(0, index)[0]


@dataclass(frozen=True)
class RandomFeatures:
    """phi of n inputs: 1, the inputs, and cosines of random projections. ``frequency`` (n, K), ``shift`` (K,)."""

    frequency: Tensor
    shift: Tensor

    @classmethod
    def draw(cls, inputs: int, seed: int) -> RandomFeatures:
        """Those of a gaussian kernel whose length is the usual distance of two points, sqrt(``inputs``)."""
        random = torch.Generator().manual_seed(seed)
        frequency = torch.randn(inputs, COSINES, generator=random) / math.sqrt(inputs)
        return cls(frequency, 2 * math.pi * torch.rand(COSINES, generator=random))

    @property
    def size(self) -> int:
        return 1 + len(self.frequency) + COSINES

    def __call__(self, z: Tensor) -> Tensor:
        """(n, y, x) of order one to (size, y, x); all cosines together weigh as much as all inputs together."""
        flat = z.flatten(1)
        wave = torch.cos(self.frequency.T @ flat + self.shift[:, None])
        wave = wave * math.sqrt(2 * len(self.frequency) / COSINES)
        return torch.cat([torch.ones_like(flat[:1]), flat, wave]).reshape(self.size, *z.shape[1:])


@dataclass(frozen=True)
class Gram:
    """What a least-squares fit needs to know of n samples (a: (n, K), t: (n,)); they add up. float64."""

    n: int
    aa: Tensor
    at: Tensor
    tt: Tensor

    @classmethod
    def of(cls, a: Tensor, t: Tensor) -> Gram:
        a, t = a.double(), t.double()
        return cls(len(t), a.T @ a, a.T @ t, t @ t)

    def __add__(self, other: Gram) -> Gram:
        return Gram(self.n + other.n, self.aa + other.aa, self.at + other.at, self.tt + other.tt)

    def solve(self, ridge: float) -> Tensor:
        """Weights (K,) float64; the first, the intercept, is not shrunk."""
        penalty = torch.full_like(self.at, ridge)
        penalty[0] = 1e-9
        return torch.linalg.solve(self.aa / self.n + torch.diag(penalty), self.at / self.n)

    def squared_error(self, w: Tensor) -> float:
        """Sum over the samples of (a w - t)^2."""
        return float(self.tt - 2 * w @ self.at + w @ self.aa @ w)


def choose_ridge(folds: Sequence[Gram]) -> tuple[float, float]:
    """The ridge with the least error in folds that were not fitted, and that error's mean square.

    Raises ``EstimatorError`` where fewer than two folds have samples.
    """
    folds = [f for f in folds if f.n]
    if len(folds) < 2:
        raise EstimatorError("cross-validation needs observations in at least two blocks of cells")
    n = sum(f.n for f in folds)

    def error(ridge: float) -> float:
        total = 0.0
        for k, held in enumerate(folds):
            rest = [f for i, f in enumerate(folds) if i != k]
            total += held.squared_error(sum(rest[1:], rest[0]).solve(ridge))
        return total / n

    errors = {ridge: error(ridge) for ridge in RIDGES}
    best = min(RIDGES, key=errors.__getitem__)
    return best, errors[best]
