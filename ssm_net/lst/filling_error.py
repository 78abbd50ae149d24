"""The standard error of gap-filled LST, calibrated every day on observations that are withheld.

A part of the day's clear-sky observations is filled as if it were under cloud: under the day's own clouds, moved to
other places, in half of the field. The other half stays as it is, or what is left would be much sparser than what the
day's gaps are filled from. The errors there give the standard error of filling at evenly spaced distances to data, and
from day to day a fading mean of them is carried on. Between those distances the variance is a line: a membrane's grows
with the logarithm of distance, as ``distance_to_data`` does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ssm_net.grid import expand

DISTANCES = 6  # at which the error is measured, from 0 to 1 (``distance_to_data``)
FIRST_ERROR = (0.4, 2.4)  # K, among observations and far from all of them, before it could be measured
ALIKE = (0.03, 0.06, 0.2, 0.7, 2.1, 4.8)  # coarse cells: at each of the distances, how far errors are much the same
DOUBT = 0.3  # errors of their own at which one of the distances counts as much as all of them together
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
    half or three quarters of the field away, in every second coarse cell, in turns from day to day. None where neither
    turn leaves enough both to try out and to fill from."""
    (height, width), turn = seen.shape, day.toordinal()
    moved = 1 + turn % 3
    clouds = torch.roll(~seen, (moved * height // 4, moved * width // 4), (0, 1))
    rows, cols = (torch.arange(n // ratio, device=seen.device) for n in seen.shape)
    for half in (turn, turn + 1):
        hidden = clouds & expand((rows[:, None] + cols + half) % 2 == 0, ratio) & seen
        tried = int(hidden.sum())
        if tried >= LEAST_WITHHELD and int(seen.sum()) - tried >= LEAST_WITHHELD:
            return hidden
    return torch.zeros_like(seen)


def error_at(distance: Tensor, error: Sequence[float]) -> Tensor:
    """The error (K) at each ``distance`` to data; its variance lies on lines between those of evenly spaced distances
    from 0 to 1."""
    variance = [e**2 for e in error]
    out = torch.full_like(distance, variance[0])
    step = 1 / (len(error) - 1)
    for n in range(len(error) - 1):
        out += (variance[n + 1] - variance[n]) * ((distance - n * step) / step).clamp_(0, 1)
    return out.sqrt_()


def measured_error(
    missed: Tensor, weight: Tensor, distance: Tensor, before: Sequence[float], ratio: int
) -> tuple[float, ...]:
    """The error of filling (K) at ``DISTANCES`` distances, never less far from data than near.

    ``missed`` (n,) K are the errors of withheld pixels, whose memory holds ``weight`` (n,) observations, at these
    distances (n,) to the data that were left. The error at each distance is that of ``before`` times a factor: what was
    measured there, drawn towards that of all distances the more, the fewer errors of their own (``ALIKE``) it rests on.
    """
    expected = torch.sqrt(relative_variance(weight)) * error_at(distance, before)
    relative = missed.abs() / expected
    place = (distance * (DISTANCES - 1)).round()
    factors, own = np.zeros(DISTANCES), np.zeros(DISTANCES)
    for n in range(DISTANCES):
        there = relative[place == n]
        if there.numel() >= LEAST_WITHHELD:
            quantile = float(torch.quantile(there[:: max(1, there.numel() // SAMPLE)], ONE_SIGMA))
            factors[n], own[n] = np.log(max(quantile, 1e-3)), there.numel() / max(1.0, (ALIKE[n] * ratio) ** 2)
    if not own.any():
        return tuple(at_distances(before))
    common = np.average(factors, weights=own / (own + DOUBT))
    factor = np.exp((own * factors + DOUBT * common) / (own + DOUBT))
    return tuple(np.maximum.accumulate(factor * at_distances(before)).tolist())


def at_distances(error: Sequence[float]) -> list[float]:
    """The errors at ``DISTANCES`` distances, from those at any number of evenly spaced ones."""
    return error_at(torch.linspace(0, 1, DISTANCES, dtype=torch.float64), error).tolist()


def fading_mean(before: float, now: float, kept: float) -> float:
    """A fading geometric mean, K: over days of large and of small errors it is the middle; their mean is not."""
    return float(before**kept * max(now, LEAST_ERROR) ** (1 - kept))
