"""Thermal memories of a pixel: fading means of its clear-sky LST anomalies against the surroundings.

    m(t) = (d w(t-1) m(t-1) + v s a(t)) / w(t),   w(t) = d w(t-1) + v s^2,   d = exp(-days / e-folding)

a is the anomaly (K), v how much the view counts (0 where there is none), and s the height of the sun. The fast memory
(four days, s = 1) is the state that still carries the moisture of the last days under cloud. The slow memory (a year)
carries what lasts: land use, irrigation, drainage. Dry ground warms in proportion to the sun, so an anomaly is that of
the pixel at full sun times s, and the weighted mean is its least-squares estimate: views of a high sun count most.

A record of the past knows the days that followed, too: their views enter the fast memory as those of the days before
do, the less the further off they are (``with_days_ahead``).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from ssm_net.lst.sun import sine_of_sun

SLOW_DAYS = 365.0  # e-folding of the slow memory; the attributes of a cube's variables tell it
LEAST_SUN = 0.1  # of the sine of the sun's height


class Views(NamedTuple):
    """The views of a day: how much each is ``counted``, 0 where there is none, and its clear-sky ``anomaly`` (K) times
    that, (y, x); of cells, the means of both."""

    anomaly: Tensor
    counted: Tensor


class Memory(NamedTuple):
    """``mean`` K and its ``weight``, the fading number of views, both (y, x); 0 where nothing was ever seen."""

    mean: Tensor
    weight: Tensor

    @classmethod
    def empty(cls, like: Tensor) -> Memory:
        return cls(torch.zeros_like(like), torch.zeros_like(like))

    def faded(self, days: int, e_folding: float) -> Memory:
        """The same memory ``days`` later: the mean lasts, its weight fades."""
        return Memory(self.mean, self.weight * math.exp(-days / e_folding))

    def with_views(self, anomaly: Tensor, counted: Tensor, sun: Tensor | float = 1.0) -> Memory:
        """The memory with the day's ``anomaly`` (K, finite) where ``counted`` (how much a view counts) is above 0."""
        weight = self.weight + counted * sun**2
        mean = (self.weight * self.mean + counted * sun * anomaly) / weight
        return Memory(mean.nan_to_num_(0.0, math.inf, -math.inf), weight)  # 0 / 0 where nothing was ever seen

    def with_days_ahead(self, following: Iterable[tuple[int, Views]], e_folding: float) -> Memory:
        """The memory of both sides of a day, with the views of days after it, each with the number of days to it. The
        mean is NaN where nothing was seen."""
        weight = torch.nan_to_num(self.weight)
        total = torch.nan_to_num(self.mean) * weight
        for days, views in following:
            fading = math.exp(-days / e_folding)
            total, weight = total + fading * views.anomaly, weight + fading * views.counted
        return Memory(total / weight, weight)


def sun_height(latitude: Tensor, day: dt.date, hour: float) -> Tensor:
    """Sine of the sun's height as a view is weighted by it, at least ``LEAST_SUN``; arguments as of ``sine_of_sun``."""
    return sine_of_sun(latitude, day, hour).clamp(min=LEAST_SUN)
