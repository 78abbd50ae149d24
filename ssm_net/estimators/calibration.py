"""Calibration of the stated variance against innovations on withheld observations.

Innovations, observation less background, have the variance P + R where P is the error variance of the background's
footprint mean and R that of the observation. Factors bring the stated P to the measured one, regime by regime: LST seen
on the day or gap-filled, and days with or without observations nearby. No truth at 1 km is needed. An aggregate cannot
tell the error inside cells: there, networks pretrained on simulated worlds are known to state too little in worlds
whose laws they have not seen, by a factor measured in such worlds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ssm_net.inputs.reading import CoarseDay
from ssm_net.model.network import KERNEL

LEAST_FRACTION = 0.2  # of Var(innovation) is P at least: a stated R that is too large must not disable the update
SHRINKAGE_COUNT = 30  # innovations that the factor of all regimes together counts for next to those of one regime


def any_near(ssm: Tensor) -> Tensor:
    """Cells (R, C) bool with an observation within the reach of the networks, of ``ssm`` (L, R, C)."""
    observed = torch.isfinite(ssm).any(0)[None].float()
    return max_pool2d(observed, KERNEL, stride=1, padding=KERNEL // 2)[0] > 0


@dataclass(frozen=True)
class Calibration:
    """Factors of the stated variance that a cell shares: ``clear`` where LST was seen, ``cloudy`` where it was not, and
    a further one (``alone``) where no observation of the day was near; the factor of the variance ``inside`` cells; and
    the error of the ``level`` of the whole domain (m3 m-3), which the sensor's lasting bias causes and no observation
    reduces."""

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
    (m3 m-3), the stated ``variance`` of the footprint mean, the fraction of the cell ``seen``; and the innovation and
    the stated variance with every observation of the day hidden."""

    innovation: Tensor
    sigma: Tensor
    variance: Tensor
    seen: Tensor
    innovation_day_hidden: Tensor
    variance_day_hidden: Tensor

    @classmethod
    def joined(cls, several: Sequence[Innovations]) -> Innovations:
        """All of them as one."""
        return cls(*(torch.cat([getattr(one, f.name) for one in several]) for f in fields(cls)))


def calibrate(innovations: Innovations, *, least: float, inside: float, level: float) -> Calibration:
    """Factors that make the stated variance the measured one, regime by regime, each shrunk to that of all together
    where it rests on few innovations. None is below ``least``; ``inside`` and ``level`` are passed through."""
    i = innovations
    everywhere = torch.ones_like(i.seen, dtype=torch.bool)

    def factor(innovation: Tensor, variance: Tensor, which: Tensor) -> float:
        squared, r = innovation[which] ** 2, i.sigma[which] ** 2
        p = torch.maximum(squared.mean() - r.mean(), LEAST_FRACTION * squared.mean())
        return float(p / variance[which].mean())

    overall = factor(i.innovation, i.variance, everywhere)

    def shrunk(which: Tensor) -> float:
        n = int(which.sum())
        of_regime = factor(i.innovation, i.variance, which) if n else overall
        return max((n * of_regime + SHRINKAGE_COUNT * overall) / (n + SHRINKAGE_COUNT), least)

    day_hidden = factor(i.innovation_day_hidden, i.variance_day_hidden, everywhere)
    alone = max(day_hidden / max(overall, least), 1.0)
    return Calibration(shrunk(i.seen >= 0.5), shrunk(i.seen < 0.5), alone, inside, level)
