"""The update: today's coarse observation enters after the network, with the weight it deserves.

    theta = mu + g K (y - H mu),    K = P / (P + R)

P is the variance of the background's error seen through the footprint, R that of the observation. K = 0 where there is
no observation, so every day is complete. Increments are spread by bilinear interpolation, not in blocks. ``exact``
takes K = 1 to its end: the mean of each observed cell becomes the observation, inside the bounds.
Sources: Kalman (1960); the bounded shift extends the constraint layers of Harder et al. (2023), JMLR 24.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ssm_net.grid import Footprint, block_mean, expand, upsample

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


def exact(mu: Tensor, observed: Tensor, land: Tensor, ratio: int, low: float, high: float) -> Tensor:
    """Shift the logits of each observed cell until its land mean is the observation; float64, (y, x).

    First the smooth increments of ``update`` with K = 1, so that little is left to shift in blocks; then a bracketed
    Newton search a cell. An observation outside ``(low, high)`` is taken at the nearest value inside. Afterwards
    ``|mean - observed| <= 1e-6`` in every observed cell with land, and ``low <= theta <= high`` everywhere.
    """
    x = torch.nan_to_num(mu.double(), nan=(low + high) / 2)
    weight = land.double()
    has = torch.isfinite(observed) & (block_mean(weight, ratio) > 0)
    target = torch.nan_to_num(observed.double(), nan=(low + high) / 2).clamp(low + 1e-6, high - 1e-6)
    for _ in range(3):
        left = torch.where(has, target - torch.nan_to_num(block_mean(x, ratio, weight)), 0.0)
        x = (x + upsample(left, ratio)).clamp(low + 1e-9, high - 1e-9)

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
