"""The standard error of gap-filled LST, calibrated every day on observations that are withheld.

A part of the day's clear-sky observations is filled as if it were under cloud: under the day's own clouds, moved to
other places, and in whole coarse cells. The errors there give the standard error of filling at evenly spaced distances
to data, and from day to day a fading mean of them is carried on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ssm_net.grid import expand

DISTANCES = 6  # at which the error is measured, from 0 to 1 (``distance_to_data``)
FIRST_ERROR = (1.0, 3.0)  # K, near observations and far from all of them, before it could be measured
LEAST_ERROR = 0.1  # K
ERROR_DECAY = 0.5  # weight that the error measured on earlier days keeps, a day
LEAST_WITHHELD = 100  # pixels, below which an error is not measured
STRIP = 12  # coarse cells: rows of a strip in which filling is tried out
STRIPS_A_DAY = 4  # of so many strips one is tried out on a day
SHRINK = 0.3  # weight of the prior that an anomaly is zero, in clear-sky observations
SAMPLE = 100_000  # withheld pixels that a quantile is taken of
ONE_SIGMA = 0.68  # of all errors lie within one standard error


def relative_variance(weight: Tensor) -> Tensor:
    """Variance of filling where the memory holds ``weight`` observations, relative to a memory that holds many."""
    return 1 + SHRINK / (weight + SHRINK)


def tried_rows(height: int, day: dt.date, ratio: int) -> Iterator[slice]:
    """The rows of a field ``height`` rows high in which filling is tried out on ``day``: all of a small one, strips in
    turns of a country."""
    strips = max(1, height // (STRIP * ratio))
    edges = [height // ratio * n // strips * ratio for n in range(strips + 1)]
    turn = day.toordinal() % STRIPS_A_DAY
    chosen = range(strips) if strips < STRIPS_A_DAY else range(turn, strips, STRIPS_A_DAY)
    return (slice(edges[n], edges[n + 1]) for n in chosen)


def withheld(seen: Tensor, day: dt.date, ratio: int) -> Tensor:
    """The pixels (y, x) at which filling is tried out: where the clouds of the day would be if they were a quarter, a
    half or three quarters of the field away, and one coarse cell in four, in turns from day to day."""
    (height, width), turn = seen.shape, day.toordinal()
    moved = 1 + turn % 3
    clouds = torch.roll(~seen, (moved * height // 4, moved * width // 4), (0, 1))
    rows, cols = (torch.arange(n // ratio, device=seen.device) for n in seen.shape)
    return clouds | expand((rows[:, None] + 2 * cols + turn) % 4 == 0, ratio)


def error_at(distance: Tensor, error: Sequence[float]) -> Tensor:
    """The error (K) at each ``distance`` to data, by lines between those of evenly spaced distances from 0 to 1."""
    out = torch.full_like(distance, error[0])
    step = 1 / (len(error) - 1)
    for n in range(len(error) - 1):
        out += (error[n + 1] - error[n]) * ((distance - n * step) / step).clamp_(0, 1)
    return out


def measured_error(missed: Tensor, weight: Tensor, distance: Tensor, before: Sequence[float]) -> tuple[float, ...]:
    """The error of filling (K) at ``DISTANCES`` distances, never less far from data than near.

    ``missed`` (n,) K are the errors of withheld pixels, whose memory holds ``weight`` (n,) observations, at these
    distances (n,) to the data that were left. A distance at which too few were withheld has the error of ``before``, in
    proportion to that of the nearest distance that was measured.
    """
    missed = missed.abs() / torch.sqrt(relative_variance(weight))
    place = (distance * (DISTANCES - 1)).round()
    expected = at_distances(before)
    now = np.full(DISTANCES, np.nan)
    for n in range(DISTANCES):
        there = missed[place == n]
        if there.numel() >= LEAST_WITHHELD:
            now[n] = float(torch.quantile(there[:: max(1, there.numel() // SAMPLE)], ONE_SIGMA)) / expected[n]
    known = np.flatnonzero(np.isfinite(now))
    if not len(known):
        return tuple(expected)
    nearest = known[np.abs(np.arange(DISTANCES)[:, None] - known).argmin(1)]
    return tuple(np.maximum.accumulate(now[nearest] * expected).tolist())


def at_distances(error: Sequence[float]) -> list[float]:
    """The errors at ``DISTANCES`` distances, from those at any number of evenly spaced ones."""
    return np.interp(np.linspace(0, 1, DISTANCES), np.linspace(0, 1, len(error)), error).tolist()


def fading_mean(before: float, now: float, kept: float) -> float:
    """A fading geometric mean, K: over days of large and of small errors it is the middle; their mean is not."""
    return float(before**kept * max(now, LEAST_ERROR) ** (1 - kept))
