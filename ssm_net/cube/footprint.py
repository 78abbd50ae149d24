"""The observation operator H: means of fine fields over the radiometer's footprints, land pixels only.

One implementation for all that compare a fine field with a coarse observation: last-layer regression, the fitted
baselines, the update and the evaluation. ``mean`` is of a field of the whole domain. A field that comes in windows
(tiles, bands of rows) takes ``sums``, which add up over windows that cover the domain once, and ``mean_of_sums`` of the
total. ``thinned`` lets every n-th pixel stand for a footprint.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.footprint import Footprint
from ssm_net.grid import Window


@dataclass(frozen=True)
class ObservationOperator:
    """Footprint weights of a domain and its production mask ``land`` (Ny, Nx) bool.

    ``stride``: only every ``stride``-th pixel each way counts, from the middle of the first ``stride`` on.
    """

    weights: Footprint
    land: Tensor
    stride: int = 1

    def thinned(self, stride: int) -> ObservationOperator:
        """The same operator from every ``stride``-th pixel each way, where ``stride`` divides the pixels of a cell's
        side; its fields are those of the pixels ``sample`` picks."""
        assert self.stride == 1, "thin the whole operator, once"
        first = stride // 2
        rows, cols = self.weights.rows[:, first::stride], self.weights.cols[:, first::stride]
        return ObservationOperator(Footprint(rows, cols), self.land[first::stride, first::stride], stride)

    def to(self, device: torch.device) -> ObservationOperator:
        """The same operator on ``device``."""
        weights = Footprint(self.weights.rows.to(device), self.weights.cols.to(device))
        return ObservationOperator(weights, self.land.to(device), self.stride)

    @property
    def sample(self) -> slice:
        """The pixels along an axis of a window of whole cells that count."""
        return slice(self.stride // 2, None, self.stride)

    def mean(self, field: Tensor, least: float = 0.0) -> Tensor:
        """H of a field of the whole domain, (Ny, Nx) to (R, C).

        Land pixels count where the field is finite. NaN where they make up less than ``least`` of a footprint, or
        where there are none.
        """
        counts = (self.land & torch.isfinite(field)).float()
        total, weight = (self.weights.forward(x) for x in (torch.nan_to_num(field).float() * counts, counts))
        return torch.where((weight > 0) & (weight >= least), total / weight, torch.nan)

    def sums(self, fields: Tensor, window: Window) -> Tensor:
        """What the land pixels of ``window`` (y0, y1, x0, x1 of whole cells) add to H of the fields (K, y, x): weighted
        sums, then the sum of the weights, (K + 1, R, C). NaN pixels count as 0."""
        y0, y1, x0, x1 = (n // self.stride for n in window)
        land = self.land[y0:y1, x0:x1].to(fields)
        return self.weights.part(torch.cat([torch.nan_to_num(fields) * land, land[None]]), (y0, y1, x0, x1))

    @staticmethod
    def mean_of_sums(sums: Tensor) -> Tensor:
        """H of the fields, (..., K, R, C), of the total of ``sums`` (..., K + 1, R, C); NaN where there is no land."""
        return sums[..., :-1, :, :] / sums[..., -1:, :, :]
