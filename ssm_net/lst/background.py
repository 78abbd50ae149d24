"""The background LST of an overpass: smooth clear-sky LST of the surroundings at sea level, and its uncertainty.

It is a wide normalised convolution of the day's clear-sky observations, reduced to sea level, with the expected value
(yesterday's, moved by the annual cycle and by the weather of a reanalysis) as a weak prior. It is wider than the
radiometer's footprint on purpose: anomalies against it vary between coarse cells too, which is what an aggregate loss
learns from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.grid import as_number
from ssm_net.lst.annual_cycle import Cycle
from ssm_net.lst.filling_error import ONE_SIGMA, SAMPLE, fading_mean

PRIOR_WEIGHT = 0.02  # of the expected background, relative to surroundings that are observed completely
REFERENCE = 285.0  # K, subtracted so that sums of float32 kelvins keep their precision
FIRST_WEATHER = (
    2.4  # K a day that a background moves, before it was measured: synoptic weather of 4 K, autocorrelation 0.8
)
AUTOCORRELATION = 0.9  # of the error of an expected background from one day to the next: weather comes and goes
WEATHER_DECAY = 0.9  # weight that earlier days keep in ``BackgroundLST.weather``, a day


@dataclass(frozen=True)
class BackgroundLST:
    """``lst`` (row, col) K, NaN where nothing was ever observed; ``sigma`` (row, col) K, how far it may have moved
    since it was observed; ``weather`` K, by how much it moves in a day; ``cycle``, its annual cycle."""

    lst: Tensor
    sigma: Tensor
    weather: float
    cycle: Cycle


def smooth(
    values: Tensor, observed: Tensor, prior: Tensor | None, ratio: int, sigma: float, reference: float = REFERENCE
) -> tuple[Tensor, Tensor]:
    """The mean of ``values`` (y, x) where ``observed``, (row, col), and the fraction of it that rests on them, 0..1.

    The mean is a Gaussian one, ``sigma`` coarse cells wide; the rest of its weight is that of ``prior`` (row, col).
    Differences are taken from ``reference``. NaN where there is neither an observation nor a prior.
    """
    height, width = values.shape
    cells = (height // ratio, ratio, width // ratio, ratio)
    counted = as_number(observed, values.dtype)
    total = (values - reference).nan_to_num_().mul_(counted).reshape(cells).sum((1, 3)) / ratio**2
    count = counted.reshape(cells).sum((1, 3)) / ratio**2
    ky, kx = _smoother(cells[0], sigma).to(total), _smoother(cells[2], sigma).to(total)
    total, count = ky @ total @ kx.T, ky @ count @ kx.T
    observed_count = count
    if prior is not None:
        known = torch.isfinite(prior)
        total = total + PRIOR_WEIGHT * torch.where(known, prior - reference, 0.0)
        count = count + PRIOR_WEIGHT * known.to(count)
    mean = torch.where(count > 0, total / count + reference, torch.nan)
    return mean, observed_count / count.clamp(min=1e-9)


def uncertainty(
    before: BackgroundLST, days: int, lst: Tensor, expected: Tensor, fraction: Tensor
) -> tuple[Tensor, float]:
    """``sigma`` (row, col) and ``weather`` of a background ``days`` after the one ``before``, K.

    ``lst`` is the new background and ``expected`` what was expected of it (row, col); ``fraction`` of it rests on the
    day's observations. The weather is learned where the background was observed after it had been expected.
    """
    kept = AUTOCORRELATION ** (2 * days)
    grown = torch.sqrt(kept * before.sigma**2 + (1 - kept) / (1 - AUTOCORRELATION**2) * before.weather**2)
    weather, moved = before.weather, (lst - expected).abs()[(fraction > 0.5) & torch.isfinite(expected)]
    if days == 1 and moved.numel():
        now = float(torch.quantile(moved[:: max(1, moved.numel() // SAMPLE)], ONE_SIGMA))
        weather = fading_mean(weather, now, WEATHER_DECAY)
    return (1 - fraction) * grown, weather


def _smoother(n: int, sigma: float) -> Tensor:
    distance = torch.arange(n, dtype=torch.float32)[:, None] - torch.arange(n, dtype=torch.float32)[None]
    # With a trace of all cells, so that the far side of an ocean has some value: a NaN would spread from there.
    w = torch.exp(-0.5 * (distance / sigma) ** 2) + 1e-6
    return w / w.sum(1, keepdim=True)
