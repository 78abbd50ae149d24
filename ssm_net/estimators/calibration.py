"""By how much the networks' stated variance must be multiplied, told by observations that they were not shown.

Innovations, observation less background, have the variance P + R where the background's is P (of its footprint mean)
and the observation's R. Their excess over R, and over what the networks state, is told apart by regime: ground that was
seen on the day or lay under cloud, and days whose observations nearby are there or are missing altogether. No truth at
1 km is needed. Of the error inside cells no aggregate can tell: there, networks trained beforehand are known to state
too little in worlds whose laws they have not seen, by a factor found in such worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ssm_net.inputs.reading import CoarseDay
from ssm_net.model.network import KERNEL

LEAST_PART = 0.2  # of Var(innovation) is P at least: a stated R that is too large must not close the update
FEW = 30  # innovations that the scale of all regimes together is worth beside those of one


def any_near(ssm: Tensor) -> Tensor:
    """Cells (R, C) with an observation within the reach of the networks, ``ssm`` (L, R, C)."""
    seen = torch.isfinite(ssm).any(0)[None].float()
    return max_pool2d(seen, KERNEL, stride=1, padding=KERNEL // 2)[0] > 0


@dataclass(frozen=True)
class Calibration:
    """Factors of the stated variance that a cell shares: where the ground was seen, where it was not, and the further
    factor where no observation of the day was near; the factor of that inside cells, ``inside``; and the error of the
    ``level`` of the whole domain (m3 m-3), which the sensor's lasting bias leaves and no observation lessens."""

    clear: float = 1.0
    cloudy: float = 1.0
    alone: float = 1.0
    inside: float = 1.0
    level: float = 0.0

    def scale(self, coarse: CoarseDay) -> Tensor:
        """The factor of each cell on that day, (R, C)."""
        by_sky = self.cloudy + (self.clear - self.cloudy) * coarse.seen
        return torch.where(any_near(coarse.ssm[:1]), by_sky, by_sky * self.alone)


@dataclass(frozen=True)
class Innovations:
    """Withheld observations against their backgrounds, each (n,): ``innovation`` and ``sigma`` of the observation
    (m3 m-3), the ``stated`` variance of the footprint mean, the part of the cell ``seen``; and the same innovation and
    stated variance with every observation of the day withheld."""

    innovation: Tensor
    sigma: Tensor
    stated: Tensor
    seen: Tensor
    innovation_alone: Tensor
    stated_alone: Tensor


def calibrate(found: Innovations, *, least: float, inside: float, level: float) -> Calibration:
    """Factors that make the stated variance the measured one, regime by regime, each drawn to that of all together
    where it rests on few innovations. None is below ``least``; ``inside`` and ``level`` are known otherwise."""
    everywhere = torch.ones_like(found.seen, dtype=torch.bool)

    def factor(innovation: Tensor, stated: Tensor, which: Tensor) -> float:
        squared, r = innovation[which] ** 2, found.sigma[which] ** 2
        p = torch.maximum(squared.mean() - r.mean(), LEAST_PART * squared.mean())
        return float(p / stated[which].mean())

    whole = factor(found.innovation, found.stated, everywhere)

    def drawn(which: Tensor) -> float:
        n = int(which.sum())
        mine = factor(found.innovation, found.stated, which) if n else whole
        return max((n * mine + FEW * whole) / (n + FEW), least)

    alone = max(factor(found.innovation_alone, found.stated_alone, everywhere) / max(whole, least), 1.0)
    return Calibration(drawn(found.seen >= 0.5), drawn(found.seen < 0.5), alone, inside, level)
