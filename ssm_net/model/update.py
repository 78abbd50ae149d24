"""The update: today's coarse observation enters after the network, with the weight it deserves.

    theta = mu + g K (y - H mu),    K = P / (P + R)

P is the variance of the background's error seen through the footprint, R that of the observation. K = 0 where there is
no observation, so every day is complete. Increments are spread by bilinear interpolation, not in blocks. ``exact``
takes K = 1 to its end: the mean of each observed cell becomes the observation, inside the bounds.
Sources: Kalman (1960); the bounded shift extends the constraint layers of Harder et al. (2023), JMLR 24.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ssm_net.grid import Footprint, Window, block_mean, expand, upsample

EXACT_TOLERANCE = 1e-7  # m3 m-3, in float64
EXACT_ROUNDS = 60


def gain(background_variance: Tensor, observation_variance: Tensor) -> Tensor:
    """K of each cell, (R, C), 0 where there is no observation (NaN)."""
    k = background_variance / (background_variance + observation_variance)
    return torch.nan_to_num(k).clamp(0, 1)


def update(
    mu: Tensor,
    variance: Tensor,
    observed: Tensor,
    sigma: Tensor,
    footprint: Footprint,
    land: Tensor,
    ratio: int,
) -> tuple[Tensor, Tensor]:
    """Precision-weighted update of a day, the whole domain at once; inference takes the same steps tile by tile.

    ``mu`` (m3 m-3) and ``variance`` of the background are (y, x); ``observed`` and its ``sigma`` (R, C), NaN where
    there is none; ``land`` (y, x) bool. Returns the updated mean and variance; water pixels come back changed too and
    are masked by the caller.
    """
    weight = land.to(mu)
    background, p = (footprint.forward(torch.nan_to_num(x), weight) for x in (mu, variance))
    increment, k = increments(background, p, observed, sigma)
    return mu + upsample(increment, ratio), variance * (1 - upsample(k, ratio))


def increments(background: Tensor, variance: Tensor, observed: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """What to add to the mean of each cell, and K; ``background`` and its ``variance`` are means over footprints, all
    (R, C), NaN where there is none."""
    k = gain(variance, sigma**2)
    return k * torch.nan_to_num(observed - background), k


def exact(
    fields: Sequence[tuple[Window, Tensor, Tensor]], observed: Tensor, ratio: int, low: float, high: float
) -> Iterator[Tensor]:
    """Shift the logits of each observed cell until its land mean is the observation; float64, (y, x) of each field.

    ``fields`` are the parts of a domain, each its window (whole cells), mean (m3 m-3) and land (bool). First the
    smooth increments of ``update`` with K = 1, so that little is left to shift in blocks; then a bracketed Newton
    search a cell. An observation outside ``(low, high)`` is taken at the nearest value inside. Afterwards
    ``|mean - observed| <= 1e-6`` in every observed cell with land, and ``low <= theta <= high`` everywhere.
    """
    middle = (low + high) / 2
    target = torch.nan_to_num(observed.double(), nan=middle).clamp(low + 1e-6, high - 1e-6)
    lefts: list[Tensor] = []

    def smooth(mu: Tensor, window: Window) -> Tensor:
        x = torch.nan_to_num(mu.double(), nan=middle)
        for left in lefts:
            x = (x + upsample(left, ratio, window)).clamp(low + 1e-9, high - 1e-9)
        return x

    for _ in range(3):
        left = torch.zeros_like(target)
        for window, mu, land in fields:
            cells = _cells(window, ratio)
            left[cells] = target[cells] - block_mean(smooth(mu, window), ratio, land.double())
        lefts.append(torch.where(torch.isfinite(observed), torch.nan_to_num(left), 0.0))  # no land, no mean
    for window, mu, land in fields:
        cells = _cells(window, ratio)
        yield _settled(smooth(mu, window), target[cells], torch.isfinite(observed[cells]), land.double(), low, high)


def _settled(x: Tensor, target: Tensor, has: Tensor, weight: Tensor, low: float, high: float) -> Tensor:
    """``x`` (y, x) with the logits of each cell that ``has`` a ``target`` (R, C) shifted until its weighted mean is
    that."""
    ratio = len(x) // len(target)
    has = has & (block_mean(weight, ratio) > 0)
    z = torch.logit((x - low) / (high - low))
    delta = torch.zeros_like(target)
    lo, hi = torch.full_like(target, -60.0), torch.full_like(target, 60.0)
    for _ in range(EXACT_ROUNDS):
        s = torch.sigmoid(z + expand(delta, ratio))
        miss = block_mean(low + (high - low) * s, ratio, weight) - target
        miss = torch.where(has, torch.nan_to_num(miss), 0.0)
        if float(miss.abs().max()) <= EXACT_TOLERANCE:
            break
        hi, lo = torch.where(miss > 0, delta, hi), torch.where(miss < 0, delta, lo)
        slope = (high - low) * torch.nan_to_num(block_mean(s * (1 - s), ratio, weight))
        newton = delta - miss / slope.clamp(min=1e-12)
        inside = (newton > lo) & (newton < hi)
        delta = torch.where(miss == 0, delta, torch.where(inside, newton, (lo + hi) / 2))
    return low + (high - low) * torch.sigmoid(z + expand(delta, ratio))


def _cells(window: Window, ratio: int) -> tuple[slice, slice]:
    y0, y1, x0, x1 = (n // ratio for n in window)
    return slice(y0, y1), slice(x0, x1)
