"""Classical estimators, in their plain form: what every map is measured against.

``bilinear`` interpolates the coarse field. ``dispatch`` spreads it by the soil evaporative efficiency seen in LST and
NDVI (Merlin et al. 2008, 2013): theta = theta_c + a theta_p (SEE - <SEE>), theta_p = theta_c / <SEE>.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ssm_net.grid import block_mean, expand

NDVI_SOIL, NDVI_FULL = 0.15, 0.90
# a of the linear form. Public implementations use 0.5, 1 over-disperses. Chosen on the truth of the demonstration
# world, in the baseline's favour: a classic should be given its best.
DAMPING = 0.3
END_MEMBERS = (0.02, 0.98)  # robust minimum and maximum of soil temperature in a cell


def complete(ssm: Tensor, reach: int = 6) -> Tensor:
    """A coarse field without holes, (R, C): observed cells as they are, gaps from neighbours in space and time.

    ``ssm`` (L, R, C), lag 0 first. A gap takes the gaussian-weighted mean of what was observed near it today and on
    the days before (a day counts as far as one cell); with nothing within ``reach`` cells, the mean of all; NaN where
    nothing at all was seen.
    """
    lags, rows, cols = ssm.shape
    seen = torch.isfinite(ssm)
    value = torch.nan_to_num(ssm)
    total, weight = torch.zeros(rows, cols), torch.zeros(rows, cols)
    ky, kx = _kernel(rows, reach).to(ssm), _kernel(cols, reach).to(ssm)
    for lag in range(lags):
        w = 0.6**lag
        total = total + w * (ky @ (value[lag] * seen[lag]) @ kx.T)
        weight = weight + w * (ky @ seen[lag].to(ssm) @ kx.T)
    everywhere = value.sum() / seen.sum() if bool(seen.any()) else torch.tensor(torch.nan)
    near = torch.where(weight > 1e-6, total / weight, everywhere)
    return torch.where(seen[0], ssm[0], near)


def _kernel(n: int, reach: int) -> Tensor:
    d = torch.arange(n)[:, None] - torch.arange(n)[None]
    return torch.exp(-0.5 * d.float() ** 2) * (d.abs() <= reach)


def soil_evaporative_efficiency(lst: Tensor, ndvi: Tensor, ratio: int) -> Tensor:
    """SEE in [0, 1] at each pixel, (y, x), NaN where unknown.

    Soil temperature is LST less the canopy's part, the canopy at the mean of the cell's end-members; the end-members
    are robust extremes of the soil temperature in each coarse cell. ``lst`` (K) should be elevation-corrected.
    """
    cover = ((ndvi - NDVI_SOIL) / (NDVI_FULL - NDVI_SOIL)).clamp(0, 0.8)
    low, high = _cell_quantiles(lst, ratio)
    canopy = expand((low + high) / 2, ratio)
    soil = (lst - cover * canopy) / (1 - cover)
    soil_low, soil_high = _cell_quantiles(soil, ratio)
    low_up, high_up = expand(soil_low, ratio), expand(soil_high, ratio)
    return ((high_up - soil) / (high_up - low_up).clamp(min=0.5)).clamp(0, 1)


def _cell_quantiles(x: Tensor, ratio: int) -> tuple[Tensor, Tensor]:
    height, width = x.shape
    cells = x.reshape(height // ratio, ratio, width // ratio, ratio).permute(0, 2, 1, 3).flatten(2)
    low, high = torch.nanquantile(cells, torch.tensor(END_MEMBERS).to(x), dim=2)
    return low, high


def dispatch(coarse_up: Tensor, lst: Tensor, ndvi: Tensor, ratio: int) -> Tensor:
    """Downscaled soil moisture at the pixels, (y, x); ``coarse_up`` (m3 m-3) the interpolated coarse field.

    Where SEE is unknown the estimate is ``coarse_up``.
    """
    see = soil_evaporative_efficiency(lst, ndvi, ratio)
    mean = expand(block_mean(see, ratio), ratio)
    spread = DAMPING * coarse_up / mean.clamp(min=0.1) * (see - mean)
    return coarse_up + torch.nan_to_num(spread)
