"""The radiometer's footprint: coarse values as weighted means of fine pixels, by small matrices along the two axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.errors import ConfigError
from ssm_net.grid import Window


@dataclass(frozen=True)
class Footprint:
    """The sensor operator H: coarse values as weighted means of fine pixels, separable in rows and columns.

    ``rows`` is (R, Ny) and ``cols`` (C, Nx); each of their rows sums to 1: where a footprint reaches beyond the
    domain, its weights inside are normalised. ``forward`` is H.
    """

    rows: Tensor
    cols: Tensor

    @classmethod
    def gaussian(cls, coarse_shape: tuple[int, int], ratio: int, fwhm: float) -> Footprint:
        """Gaussian beam; ``fwhm`` in fine pixels (km at 1 km). Cut at three sigma."""
        sigma = fwhm / (2 * math.sqrt(2 * math.log(2)))
        return cls(*(_gaussian_axis(n, ratio, sigma) for n in coarse_shape))

    @classmethod
    def box(cls, coarse_shape: tuple[int, int], ratio: int) -> Footprint:
        """The plain mean of the cell."""
        return cls(*(torch.eye(n).repeat_interleave(ratio, 1) / ratio for n in coarse_shape))

    @classmethod
    def of(cls, kind: str, coarse_shape: tuple[int, int], ratio: int, fwhm: float) -> Footprint:
        """``kind`` is ``gaussian`` or ``box``; ``fwhm`` counts only for the gaussian. Raises ``ConfigError``."""
        if kind == "box":
            return cls.box(coarse_shape, ratio)
        if kind == "gaussian":
            return cls.gaussian(coarse_shape, ratio, fwhm)
        raise ConfigError(f"footprint {kind!r}: choose gaussian or box")

    def to(self, like: Tensor) -> Footprint:
        """The same operator in the type and on the device of ``like``."""
        return Footprint(self.rows.to(like), self.cols.to(like))

    def forward(self, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """H x: (..., Ny, Nx) to (..., R, C).

        With ``weight`` (land mask, >= 0) each footprint is the weighted mean over what counts; NaN where nothing does.
        """
        if weight is None:
            return self.rows @ x @ self.cols.T
        weight = weight.to(x)
        return (self.rows @ (x * weight) @ self.cols.T) / (self.rows @ weight @ self.cols.T)

    def part(self, x: Tensor, window: Window) -> Tensor:
        """The contribution of the pixels ``x`` (y, x) of ``window`` to an unweighted H x, (R, C).

        The sum over windows that cover the domain once equals ``forward``.
        """
        y0, y1, x0, x1 = window
        return self.rows[:, y0:y1] @ x @ self.cols[:, x0:x1].T


def _gaussian_axis(cells: int, ratio: int, sigma: float) -> Tensor:
    pixel = torch.arange(cells * ratio, dtype=torch.float64) + 0.5
    centre = (torch.arange(cells, dtype=torch.float64) + 0.5) * ratio
    d = (pixel[None] - centre[:, None]) / sigma
    w = torch.exp(-0.5 * d**2) * (d.abs() <= 3)
    return (w / w.sum(1, keepdim=True)).float()
