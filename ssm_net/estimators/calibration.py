"""Calibration of the networks' stated variance on withheld observations, regime by regime.

An innovation, observation less background, has the variance P + R, where P is the variance of the background's
footprint mean and R that of the observation. What the squared innovations leave after R is P as measured; its ratio to
P as stated is the factor. Regimes are ground whose LST was seen on the day or lay under cloud, and days with or without
observations nearby. No truth at 1 km is needed. An aggregate says nothing of the error inside cells: pre-trained
networks state too little of it in worlds whose laws they were not trained on, by a factor measured in such worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ssm_net.inputs.reading import CoarseDay
from ssm_net.model.network import KERNEL

LEAST_P = 0.2  # of Var(innovation): an R that is stated too large must not close the update
PRIOR_COUNT = 30  # innovations that the factor of all regimes together counts for in that of one


def any_near(ssm: Tensor) -> Tensor:
    """Cells (R, C) with an observation within the reach of the networks, ``ssm`` (L, R, C)."""
    observed = torch.isfinite(ssm).any(0)[None].float()
    return max_pool2d(observed, KERNEL, stride=1, padding=KERNEL // 2)[0] > 0


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
    """Withheld observations against their backgrounds, each (n,): ``innovation`` and ``sigma`` of the observation (m3
    m-3), the ``stated`` variance of the footprint mean, the fraction of the cell whose LST was ``seen``; and the same
    innovation and stated variance with every observation of the day withheld."""

    innovation: Tensor
    sigma: Tensor
    stated: Tensor
    seen: Tensor
    innovation_alone: Tensor
    stated_alone: Tensor


def calibrate(withheld: Innovations, *, least: float, inside: float, level: float) -> Calibration:
    """Factors that make the stated variance the measured one, regime by regime, each shrunk to that of all regimes
    together where it rests on few innovations. None is below ``least``; ``inside`` and ``level`` are known
    otherwise."""
    everywhere = torch.ones_like(withheld.seen, dtype=torch.bool)

    def factor(innovation: Tensor, stated: Tensor, which: Tensor) -> float:
        squared, r = innovation[which] ** 2, withheld.sigma[which] ** 2
        p = torch.maximum(squared.mean() - r.mean(), LEAST_P * squared.mean())
        return float(p / stated[which].mean())

    overall = factor(withheld.innovation, withheld.stated, everywhere)

    def shrunk(which: Tensor) -> float:
        n = int(which.sum())
        of_regime = factor(withheld.innovation, withheld.stated, which) if n else overall
        return max((n * of_regime + PRIOR_COUNT * overall) / (n + PRIOR_COUNT), least)

    alone = max(factor(withheld.innovation_alone, withheld.stated_alone, everywhere) / max(overall, least), 1.0)
    return Calibration(shrunk(withheld.seen >= 0.5), shrunk(withheld.seen < 0.5), alone, inside, level)
