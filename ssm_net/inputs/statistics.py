"""Scaling statistics: mean, standard deviation and range of each feature, accumulated over days, cubes or worlds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.cube.store import CHUNK, Cube
from ssm_net.inputs import features
from ssm_net.inputs.reading import read_coarse, read_stored, variables
from ssm_net.inputs.scaling import NO_FEATURES, Scaling

STRIDE = 7  # pixels between those that statistics are taken from
CONSTANT = 1e-6  # of the mean, at least 1: a standard deviation below it is rounding


@dataclass(frozen=True)
class FeatureMoments:
    """Number, sum, sum of squares, least and greatest of each feature's finite values, each (F,) float64; they add
    up."""

    count: Tensor
    total: Tensor
    squares: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def none(cls, features: int) -> FeatureMoments:
        """Before any value."""
        zero = torch.zeros(features, dtype=torch.float64)
        return cls(zero, zero, zero, zero + torch.inf, zero - torch.inf)

    @classmethod
    def of(cls, x: Tensor) -> FeatureMoments:
        """Of values (F, ...), NaN where missing."""
        x = x.flatten(1).double()
        known = torch.isfinite(x)
        value = torch.where(known, x, 0.0)
        low, high = torch.where(known, x, torch.inf).amin(1), torch.where(known, x, -torch.inf).amax(1)
        return cls(known.sum(1).double(), value.sum(1), (value**2).sum(1), low, high)

    def __add__(self, other: FeatureMoments) -> FeatureMoments:
        return FeatureMoments(
            self.count + other.count, self.total + other.total, self.squares + other.squares,
            torch.minimum(self.low, other.low), torch.maximum(self.high, other.high),
        )  # fmt: skip

    def as_one(self) -> FeatureMoments:
        """The same means with the weight of a single value, so that samples of any size count alike; of a feature
        without values nothing."""
        n = self.count.clamp(min=1)
        return FeatureMoments(self.count / n, self.total / n, self.squares / n, self.low, self.high)

    def scaling(self, names: Sequence[str], first: dt.date, last: dt.date) -> Scaling:
        """Mean, standard deviation and range of the features ``names`` (F,) over the days ``first`` .. ``last``. A
        constant feature has the deviation 1: its channel stays 0. One without any value has no range."""
        n = self.count.clamp(min=1e-12)
        mean = self.total / n
        std = (self.squares / n - mean**2).clamp(min=0).sqrt()
        std = torch.where(std > CONSTANT * mean.abs().clamp(min=1), std, 1.0)
        low, high = (torch.where(self.count > 0, limit, 0.0) for limit in (self.low, self.high))
        of_mean, of_std, least, most = (tuple(v.tolist()) for v in (mean, std, low, high))
        return Scaling(tuple(names), of_mean, of_std, least, most, str(first), str(last))


def compute_scaling(
    cube: Cube, days: Sequence[dt.date], most_days: int = 24, *, classics: bool = False, exclude: Sequence[str] = ()
) -> Scaling:
    """Scaling of all features that the cube allows but those to ``exclude``, over every 7th pixel each way of about
    ``most_days`` of ``days``, evenly chosen."""
    names = [n for n in features.available(variables(cube), classics=classics) if n not in exclude]
    needed = features.needed(names)
    height, width = cube.domain.fine_shape
    moments = FeatureMoments.none(len(names))
    for day in days[:: max(1, len(days) // most_days)]:
        background = read_coarse(cube, day, 1, NO_FEATURES).background
        for y in range(0, height, CHUNK):
            window = (y, min(y + CHUNK, height), 0, width)
            pixels = read_stored(cube, day, window, needed, background).thinned(-y % STRIDE, STRIDE)
            moments += FeatureMoments.of(features.stack(names, pixels.variables()))
    return moments.scaling(names, days[0], days[-1])
