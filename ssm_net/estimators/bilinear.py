"""Bilinear interpolation of the coarse field, its gaps filled from neighbours: the estimate without downscaling."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.estimators.interface import SUBGRID_STD, Estimate, plain
from ssm_net.grid import Window, upsample
from ssm_net.inputs.channels import PackedPixels
from ssm_net.inputs.reading import CoarseDay
from ssm_net.inputs.scaling import NO_FEATURES, Scaling

USUAL_ERROR = 0.04  # m3 m-3, of an observation whose error is not known


@dataclass(frozen=True)
class Bilinear:
    """The coarse field, gaps filled from neighbours, interpolated."""

    ratio: int
    name: str = "bilinear"
    halo: int = 0
    lags: int = 6
    lookahead: int = 0
    scaling: Scaling = NO_FEATURES
    updates: bool = False

    @property
    def needs(self) -> list[str]:
        return []

    def context(self, coarse: CoarseDay) -> tuple[Tensor, Tensor]:
        field = fill_coarse_gaps(coarse.ssm)
        return field, coarse_error(coarse)

    def estimate(self, context: tuple[Tensor, Tensor], pixels: PackedPixels, window: Window) -> Estimate:
        field, error = (upsample(c, self.ratio, window) for c in context)
        return plain(field, error**2, SUBGRID_STD)


def fill_coarse_gaps(ssm: Tensor, reach: int = 6) -> Tensor:
    """A coarse field without gaps, (R, C): observed cells as they are, gaps from neighbours in space and time.

    ``ssm`` (L, R, C), lag 0 first. A gap takes the gaussian-weighted mean of what was observed near it today and on
    the days before (a day counts as far as one cell); with nothing within ``reach`` cells, the mean of all; NaN where
    nothing was observed.
    """
    lags, rows, cols = ssm.shape
    observed = torch.isfinite(ssm)
    value = torch.nan_to_num(ssm)
    total, weight = torch.zeros(rows, cols), torch.zeros(rows, cols)
    ky, kx = _kernel(rows, reach).to(ssm), _kernel(cols, reach).to(ssm)
    for lag in range(lags):
        w = 0.6**lag
        total = total + w * (ky @ (value[lag] * observed[lag]) @ kx.T)
        weight = weight + w * (ky @ observed[lag].to(ssm) @ kx.T)
    overall = value.sum() / observed.sum() if bool(observed.any()) else torch.tensor(torch.nan)
    near = torch.where(weight > 1e-6, total / weight, overall)
    return torch.where(observed[0], ssm[0], near)


def _kernel(n: int, reach: int) -> Tensor:
    d = torch.arange(n)[:, None] - torch.arange(n)[None]
    return torch.exp(-0.5 * d.float() ** 2) * (d.abs() <= reach)


def coarse_error(coarse: CoarseDay) -> Tensor:
    """Standard error of ``fill_coarse_gaps``, (R, C) m3 m-3: the observation's own, in a gap twice the usual."""
    usual = float(torch.nan_to_num(coarse.sigma, nan=USUAL_ERROR).mean())
    return torch.nan_to_num(coarse.sigma, nan=2 * usual)
