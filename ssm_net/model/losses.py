"""Terms of the aggregate loss, whose label is the coarse observation.

``(H mu)(c)`` is compared with the observation y(c) where there is one, in a beta-NLL (Seitzer et al. 2022, ICLR) whose
variance is that of the background's footprint mean plus that of the observation. No 1 km value is ever a label.
"""

from __future__ import annotations

import torch
from torch import Tensor


def beta_nll(mean: Tensor, variance: Tensor, target: Tensor, beta: float) -> Tensor:
    """Gaussian negative log-likelihood, each term weighted by ``variance ** beta`` (no gradient through the weight)."""
    nll = 0.5 * (variance.log() + (target - mean) ** 2 / variance)
    return nll * variance.detach() ** beta


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``x`` where ``mask``; 0 if the mask is empty. NaN outside the mask reaches neither sum nor gradient."""
    return torch.where(mask, x, 0.0).sum() / mask.sum().clamp(min=1)


def subgrid_excess(mu: Tensor, land: Tensor, ratio: int, prior_std: float) -> Tensor:
    """Excess of each cell's sub-grid variance over its prior, in units of the prior, (..., R, C).

    ``mu`` (..., y, x) m3 m-3, ``land`` (..., y, x) bool, ``prior_std`` m3 m-3. An aggregate does not constrain the
    variance inside cells: without a prior the network over-disperses.
    """
    *lead, height, width = mu.shape
    cells = (*lead, height // ratio, ratio, width // ratio, ratio)
    w = land.to(mu).reshape(*land.shape[:-2], *cells[-4:])
    m = mu.reshape(cells)
    n = w.sum((-3, -1), keepdim=True).clamp(min=1)
    centred = (m - (m * w).sum((-3, -1), keepdim=True) / n) * w
    variance = (centred**2).sum((-3, -1)) / n[..., 0, :, 0]
    return torch.relu(variance / prior_std**2 - 1)
