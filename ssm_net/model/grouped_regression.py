"""Normal equations of a regression whose residuals share a random bias within groups.

    r(i) = s(i) w + b(g(i)) + e(i),    b ~ N(0, bias^2),  e ~ N(0, sigma^2)

Days of one cell are not independent observations of its soil's level: the radiometer is wrong there all the time.
Source: generalised least squares with random effects, Henderson (1975), Biometrics 31.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_SIGMA = 1e-3  # m3 m-3, of e where it is estimated


def grouped_normal_equations(
    slope: Tensor, residual: Tensor, group: Tensor, sigma: float | None, bias: float
) -> tuple[Tensor, Tensor]:
    """Gram matrix (D, D) and moment (D,) of n residuals with the groups' random biases eliminated.

    ``slope`` (n, D), ``residual`` (n,) in float64, ``group`` (n,) numbers; ``sigma`` and ``bias`` are standard
    deviations (m3 m-3). Without ``sigma`` it is estimated from the variation within groups.
    """
    number = int(group.max()) + 1
    count = torch.zeros(number, dtype=torch.float64).index_add_(0, group, torch.ones_like(residual))
    total = torch.zeros(number, dtype=torch.float64).index_add_(0, group, residual)
    slopes = torch.zeros(number, slope.shape[1], dtype=torch.float64).index_add_(0, group, slope)
    if sigma is None:
        within = residual - (total / count.clamp(min=1))[group]
        sigma = float(within.square().mean().sqrt().clamp(min=LEAST_SIGMA))
    shrunk = 1 / (count + (sigma / bias) ** 2)
    gram = slope.T @ slope - slopes.T @ (slopes * shrunk[:, None])
    moment = slope.T @ residual - slopes.T @ (total * shrunk)
    return gram / sigma**2, moment / sigma**2
