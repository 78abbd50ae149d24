"""Coarse-to-fine regression with residual return: a law between cells, applied to pixels.

GWR and the random forest are such laws. They are fitted when they are made, from the cube alone (``training_set``);
their settings are chosen by leaving cells or blocks of cells out, never on a truth.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from ssm_net.estimators.bilinear import coarse_error, fill_coarse_gaps
from ssm_net.estimators.interface import SUBGRID_STD, Estimate, plain
from ssm_net.estimators.training_set import LAGS, TrainingSet
from ssm_net.grid import Window, block_mean, upsample
from ssm_net.inputs.channels import PackedPixels
from ssm_net.inputs.reading import CoarseDay

# Soil moisture (y, x), m3 m-3, of the pixels of a window with the normalised features (F, y, x).
Law = Callable[[Tensor, Window], Tensor]


class CoarseToFine(ABC):
    """A law learned between cells, applied to pixels; what it misses of the coarse field is returned bilinearly.

    theta(p) = f(x_p) + I[y - <f(x)>](p). Where a cell was not observed, y is the field completed from its neighbours
    in space and time, as for ``bilinear``: on the synthetic worlds that is better in orbit gaps than to interpolate
    residuals. I is plain interpolation, so a cell's mean comes near the observation and not onto it: the nodes that
    would bring it there double the observation's noise and cost a tenth in RMSE.
    """

    updates = False
    halo = 0
    lags = LAGS
    lookahead = 0

    def __init__(self, training_set: TrainingSet, name: str) -> None:
        self.training_set, self.name, self.scaling = training_set, name, training_set.scaling
        self.ratio = training_set.cube.domain.ratio
        self.needs: list[str] = []  # ``context`` reads the whole day: a pixel needs its neighbour cells' residuals

    @abstractmethod
    def law(self, coarse: CoarseDay) -> Law:
        """f on that day."""

    def context(self, coarse: CoarseDay) -> tuple[Tensor, Tensor, Tensor]:
        """f of all pixels (y, x), the residual of the cells (R, C) and the error of the coarse field (R, C)."""
        law = self.law(coarse)
        trend = torch.cat([law(x, window) for window, x in self.training_set.bands(coarse)])
        residual = torch.nan_to_num(
            fill_coarse_gaps(coarse.ssm) - block_mean(trend, self.ratio, self.training_set.land.float())
        )
        return trend, residual, coarse_error(coarse)

    def estimate(self, context: tuple[Tensor, Tensor, Tensor], pixels: PackedPixels, window: Window) -> Estimate:
        trend, residual, error = context
        y0, y1, x0, x1 = window
        mean = trend[y0:y1, x0:x1] + upsample(residual, self.ratio, window)
        return plain(mean, upsample(error, self.ratio, window) ** 2, SUBGRID_STD)
