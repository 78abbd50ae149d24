"""The standard error of gap-filled LST, calibrated every day on observations that are withheld.

A part of the day's clear-sky observations is filled as if it were under cloud. The errors there give the standard
error of filling near observations and far from all of them, and from day to day a fading mean of both is carried on.
"""

from __future__ import annotations

import datetime as dt

import torch
from torch import Tensor

from ssm_net.grid import expand
from ssm_net.lst.inpainting import block_side, distance_to_data

FIRST_ERROR = (1.0, 3.0)  # K, near observations and far from all of them, before it could be measured
LEAST_ERROR = 0.1  # K
ERROR_DECAY = 0.5  # weight that the error measured on earlier days keeps, a day
LEAST_WITHHELD = 100  # pixels, below which a day's error is not measured
SHRINK = 0.3  # weight of the prior that an anomaly is zero, in clear-sky observations
SAMPLE = 100_000  # withheld pixels that a quantile is taken of
ONE_SIGMA = 0.68  # of all errors lie within one standard error


def relative_variance(weight: Tensor) -> Tensor:
    """Variance of filling where the memory holds ``weight`` observations, relative to a memory that holds many."""
    return 1 + SHRINK / (weight + SHRINK)


def withheld(like: Tensor, day: dt.date, ratio: int) -> Tensor:
    """Half of the pixels, (y, x) bool, in turns from day to day: those at which filling is tried out.

    Of four cells one is withheld entirely and two in squares of a quarter: gaps of two sizes.
    """
    half = block_side(ratio, ratio / 2)
    rows, cols = (torch.arange(n // half, device=like.device) for n in like.shape)
    turn = (rows[:, None] // (ratio // half) + 2 * (cols // (ratio // half)) + day.toordinal()) % 4
    return expand((turn == 0) | ((turn % 2 == 1) & ((rows[:, None] + cols) % 2 == 0)), half)


def measured_error(missed: Tensor, weight: Tensor, shown: Tensor, hidden: Tensor, ratio: int) -> tuple[float, float]:
    """The error of filling (K) near observations and far from all of them.

    ``missed`` (n,) K are the errors at the pixels ``hidden`` (y, x), whose memory holds ``weight`` (n,) observations,
    when only the pixels ``shown`` (y, x) were given.
    """
    return _near_and_far(missed.abs() / torch.sqrt(relative_variance(weight)), distance_to_data(shown, ratio)[hidden])


def fading_mean(before: float, now: float, kept: float) -> float:
    """A fading geometric mean, K: over days of large and of small errors it is the middle; their mean is not."""
    return float(before**kept * max(now, LEAST_ERROR) ** (1 - kept))


def _near_and_far(missed: Tensor, distance: Tensor) -> tuple[float, float]:
    """The error at a distance of 0 and of 1, from an even choice of some 100,000 of ``missed`` (n,).

    A straight line over ``distance`` (n,) through the 68 % quantiles of ``missed`` in the nearer and in the farther
    half, raised or lowered until 68 % of all lie below it.
    """
    every = max(1, missed.numel() // SAMPLE)
    missed, distance = missed[::every], distance[::every]
    far = distance > distance.median()
    if not bool(far.any()):
        one = float(torch.quantile(missed, ONE_SIGMA))
        return one, one
    lo, hi = (float(torch.quantile(missed[half], ONE_SIGMA)) for half in (~far, far))
    at_lo, at_hi = float(distance[~far].mean()), float(distance[far].mean())
    slope = max(hi - lo, 0.0) / max(at_hi - at_lo, 0.1)
    near = max(lo - slope * at_lo, lo / 3)
    level = float(torch.quantile(missed / (near + slope * distance).clamp(min=1e-3), ONE_SIGMA))
    return level * near, level * (near + slope)
