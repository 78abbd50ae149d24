"""Geographically weighted regression on the coarse grid: a linear law a cell, fitted to the cells around it.

    beta_c = argmin sum_j w_cj (y_j - beta^T x_j)^2 + ridge |beta|^2,    w_cj = exp(-d_cj^2 / (2 b^2))

Sources: Brunsdon et al. (1996), Geogr. Anal. 28; with the observations of several days in one fit, Huang et al.
(2010), Int. J. Geogr. Inf. Sci. 24. The kernel is separable, so that the normal equations of all cells are two matrix
products, and their solution is one batched solve.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST = 1e-6  # ridge of the intercept: none, but for a cell that no observation reaches


@dataclass(frozen=True)
class Normal:
    """Normal equations of every cell, float64: ``gram`` (R, C, P, P), ``moment`` (R, C, P). They add up over days."""

    gram: Tensor
    moment: Tensor

    def __add__(self, other: Normal) -> Normal:
        return Normal(self.gram + other.gram, self.moment + other.moment)


def with_intercept(x: Tensor) -> Tensor:
    """Predictors (F, R, C) with ones before them, (1 + F, R, C)."""
    return torch.cat([torch.ones_like(x[:1]), x])


def normal_equations(x: Tensor, y: Tensor, weight: Tensor, bandwidth: float, buffer: int | None = None) -> Normal:
    """One day's part. ``x`` (P, R, C) starts with the intercept; ``y`` and ``weight`` (R, C), ``y`` finite where
    ``weight`` > 0; ``bandwidth`` in cells. With ``buffer`` the square of cells within that distance of a cell, its own
    among them, is left out of its fit.
    """
    x, y, weight = x.double(), torch.nan_to_num(y).double(), weight.double()
    rows, cols = y.shape
    xx, xy = x[:, None] * x[None] * weight, x * (y * weight)

    def spread(f: Tensor, reach: int | None) -> Tensor:
        return _kernel(rows, bandwidth, reach) @ f @ _kernel(cols, bandwidth, reach).T

    gram, moment = spread(xx, None), spread(xy, None)
    if buffer is not None:
        gram, moment = gram - spread(xx, buffer), moment - spread(xy, buffer)
    return Normal(gram.permute(2, 3, 0, 1), moment.permute(1, 2, 0))


def coefficients(normal: Normal, ridge: float) -> Tensor:
    """beta of every cell, (P, R, C) float32, the intercept first and not shrunk."""
    penalty = torch.full(normal.moment.shape[-1:], ridge, dtype=torch.float64)
    penalty[0] = LEAST
    beta = torch.linalg.solve(normal.gram + torch.diag(penalty), normal.moment)
    return beta.permute(2, 0, 1).float()


def _kernel(n: int, bandwidth: float, reach: int | None) -> Tensor:
    d = torch.arange(n)[:, None] - torch.arange(n)[None]
    w = torch.exp(-0.5 * (d.double() / bandwidth) ** 2)
    return w if reach is None else w * (d.abs() <= reach)
