"""Kalman update of the background by the day's coarse observations, after the network.

    theta = mu + g K (y - H mu),    K = P / (P + R)

P is the error variance of the background's footprint mean, R that of the observation; K = 0 where there is no
observation, so every day is complete. g is bilinear interpolation, so that no block edges appear. ``exact`` is the
limit K = 1: the mean of each observed cell becomes the observation, inside the bounds.
Sources: Kalman (1960); the bounded shift extends the constraint layers of Harder et al. (2023), JMLR 24.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ssm_net.grid import Window, block_mean, expand, upsample

EXACT_TOLERANCE = 1e-7  # m3 m-3, in float64
EXACT_ROUNDS = 60


def gain(background_variance: Tensor, observation_variance: Tensor) -> Tensor:
    """K of each cell, (R, C), 0 where there is no observation (NaN)."""
    k = background_variance / (background_variance + observation_variance)
    return torch.nan_to_num(k).clamp(0, 1)


def increments(background: Tensor, variance: Tensor, observed: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Increment of the mean of each cell (m3 m-3), and K, both (R, C), of which pixels get the bilinear interpolation.

    ``background`` and its ``variance`` are means over footprints, ``observed`` and ``sigma`` (m3 m-3) NaN where there
    is none; all (R, C). The updated mean is mu + g increment, the updated variance that of mu times 1 - g K.
    """
    k = gain(variance, sigma**2)
    return k * torch.nan_to_num(observed - background), k


def exact(
    fields: Sequence[tuple[Window, Tensor, Tensor]], observed: Tensor, ratio: int, low: float, high: float
) -> Iterator[Tensor]:
    """Shift the logits of each observed cell until its land mean is the observation; float64, (y, x) of each field.

    ``fields`` are the parts of a domain, each its window (whole cells), mean (m3 m-3) and land (bool). Smooth
    increments with K = 1 come first, so that the shift in blocks is small; then a bracketed Newton search in each cell.
    An observation outside ``(low, high)`` is clipped. Afterwards ``|mean - observed| <= 1e-6`` in every observed cell
    with land, and ``low <= theta <= high`` everywhere.
    """
    middle = (low + high) / 2
    target = torch.nan_to_num(observed.double(), nan=middle).clamp(low + 1e-6, high - 1e-6)
    steps: list[Tensor] = []  # increments so far, (R, C) each

    def smooth(mu: Tensor, window: Window) -> Tensor:
        x = torch.nan_to_num(mu.double(), nan=middle)
        for step in steps:
            x = (x + upsample(step, ratio, window)).clamp(low + 1e-9, high - 1e-9)
        return x

    for _ in range(3):
        residual = torch.zeros_like(target)
        for window, mu, land in fields:
            cells = _cells(window, ratio)
            residual[cells] = target[cells] - block_mean(smooth(mu, window), ratio, land.double())
        steps.append(torch.where(torch.isfinite(observed), torch.nan_to_num(residual), 0.0))  # NaN: a cell without land
    for window, mu, land in fields:
        cells = _cells(window, ratio)
        observed_cells = torch.isfinite(observed[cells])
        yield _shifted_to(smooth(mu, window), target[cells], observed_cells, land.double(), (low, high))


def _shifted_to(x: Tensor, target: Tensor, has: Tensor, weight: Tensor, bounds: tuple[float, float]) -> Tensor:
    """``x`` (y, x) with the logits of each cell that ``has`` a ``target`` (R, C) shifted until its weighted mean is
    the target."""
    low, high = bounds
    ratio = len(x) // len(target)
    has = has & (block_mean(weight, ratio) > 0)
    z = torch.logit((x - low) / (high - low))
    delta = torch.zeros_like(target)
    lo, hi = torch.full_like(target, -60.0), torch.full_like(target, 60.0)
    for _ in range(EXACT_ROUNDS):
        s = torch.sigmoid(z + expand(delta, ratio))
        error = block_mean(low + (high - low) * s, ratio, weight) - target
        error = torch.where(has, torch.nan_to_num(error), 0.0)
        if float(error.abs().max()) <= EXACT_TOLERANCE:
            break
        hi, lo = torch.where(error > 0, delta, hi), torch.where(error < 0, delta, lo)
        slope = (high - low) * torch.nan_to_num(block_mean(s * (1 - s), ratio, weight))
        newton = delta - error / slope.clamp(min=1e-12)
        inside = (newton > lo) & (newton < hi)
        delta = torch.where(error == 0, delta, torch.where(inside, newton, (lo + hi) / 2))
    return low + (high - low) * torch.sigmoid(z + expand(delta, ratio))


def _cells(window: Window, ratio: int) -> tuple[slice, slice]:
    y0, y1, x0, x1 = (n // ratio for n in window)
    return slice(y0, y1), slice(x0, x1)
