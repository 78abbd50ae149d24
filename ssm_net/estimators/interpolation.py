"""Interpolation of the coarse field, plain and guided by heat and greenness (DISPATCH)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.estimators import classics
from ssm_net.estimators.interface import SUBGRID_STD, Estimate, plain
from ssm_net.grid import Window, upsample
from ssm_net.inputs.channels import StoredPixels
from ssm_net.inputs.reading import CoarseDay
from ssm_net.inputs.scaling import NO_FEATURES, Scaling
from ssm_net.lst.gap_filling import LAPSE


@dataclass(frozen=True)
class Bilinear:
    """The coarse field, gaps filled from neighbours, interpolated."""

    ratio: int
    name: str = "bilinear"
    halo: int = 0
    lags: int = 6
    scaling: Scaling = NO_FEATURES
    updates: bool = False

    @property
    def needs(self) -> list[str]:
        return []

    def context(self, coarse: CoarseDay) -> tuple[Tensor, Tensor]:
        field = classics.complete(coarse.ssm)
        error = torch.nan_to_num(coarse.sigma, nan=2 * float(torch.nan_to_num(coarse.sigma, nan=0.04).mean()))
        return field, error

    def estimate(self, context: tuple[Tensor, Tensor], pixels: StoredPixels, window: Window) -> Estimate:
        field, error = (upsample(c, self.ratio, window) for c in context)
        return plain(field, error**2, SUBGRID_STD)


@dataclass(frozen=True)
class Dispatch(Bilinear):
    """DISPATCH/SEE on the same all-weather LST and reflectance that the network is given."""

    name: str = "dispatch"
    elevation: bool = True

    @property
    def needs(self) -> list[str]:
        return ["lst_day", "nir", "red", *(["elevation"] if self.elevation else [])]

    def estimate(self, context: tuple[Tensor, Tensor], pixels: StoredPixels, window: Window) -> Estimate:
        field, error = (upsample(c, self.ratio, window) for c in context)
        fine = pixels.variables()
        lst = fine["lst_day"] + (LAPSE * torch.nan_to_num(fine["elevation"]) if self.elevation else 0.0)
        ndvi = (fine["nir"] - fine["red"]) / (fine["nir"] + fine["red"]).clamp(min=1e-3)
        mean = classics.dispatch(field, lst, ndvi, self.ratio)
        return plain(mean.clamp(0.01, 0.6), error**2, SUBGRID_STD)
