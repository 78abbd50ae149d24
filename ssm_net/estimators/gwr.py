"""Geographically weighted regression on the coarse grid: a linear law a cell, fitted to the cells around it.

    beta_c = argmin sum_j w_cj (y_j - beta^T x_j)^2 + ridge |beta|^2,    w_cj = exp(-d_cj^2 / (2 b^2))

Sources: Brunsdon et al. (1996), Geogr. Anal. 28; with the observations of several days in one fit, Huang et al.
(2010), Int. J. Geogr. Inf. Sci. 24. The kernel is separable, so that the normal equations of all cells are two matrix
products, and their solution is one batched solve.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.cube.variables import API_DAYS
from ssm_net.estimators.bilinear import fill_coarse_gaps
from ssm_net.estimators.coarse_to_fine import CoarseToFine, Law
from ssm_net.estimators.interface import EstimatorError
from ssm_net.estimators.training_set import MOST_DAYS, TrainingSet
from ssm_net.grid import Window, upsample
from ssm_net.inputs.reading import CoarseDay

LEAST = 1e-6  # ridge of the intercept: none, but for a cell that no observation reaches


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations of every cell, float64: ``gram`` (R, C, P, P), ``moment`` (R, C, P). They add up over days."""

    gram: Tensor
    moment: Tensor

    def __add__(self, other: NormalEquations) -> NormalEquations:
        return NormalEquations(self.gram + other.gram, self.moment + other.moment)


def with_intercept(x: Tensor) -> Tensor:
    """Predictors (F, R, C) with ones before them, (1 + F, R, C)."""
    return torch.cat([torch.ones_like(x[:1]), x])


def normal_equations(
    x: Tensor, y: Tensor, weight: Tensor, bandwidth: float, buffer: int | None = None
) -> NormalEquations:
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
    return NormalEquations(gram.permute(2, 3, 0, 1), moment.permute(1, 2, 0))


def coefficients(normal: NormalEquations, ridge: float) -> Tensor:
    """beta of every cell, (P, R, C) float32, the intercept first and not shrunk."""
    penalty = torch.full(normal.moment.shape[-1:], ridge, dtype=torch.float64)
    penalty[0] = LEAST
    beta = torch.linalg.solve(normal.gram + torch.diag(penalty), normal.moment)
    return beta.permute(2, 0, 1).float()


def _kernel(n: int, bandwidth: float, reach: int | None) -> Tensor:
    d = torch.arange(n)[:, None] - torch.arange(n)[None]
    w = torch.exp(-0.5 * (d.double() / bandwidth) ** 2)
    return w if reach is None else w * (d.abs() <= reach)


class GWR(CoarseToFine):
    """Geographically weighted regression of the day on the features of ``PREDICTORS`` that the cube gives.

    Bandwidth, ridge and the number of days in one fit are chosen by predicting cells from a fit without the cells
    within ``BUFFER`` of them. Without that buffer, cross-validation takes the narrowest kernel, which interpolates
    well and knows no slope.
    """

    PREDICTORS = (
        "lst_day_today", "lst_day_memory", "lst_night_memory", "lst_day", "lst_night", "ndvi", "ndwi", "swir_index",
        "rain", *API_DAYS, "elevation", "sand", "clay",
    )  # fmt: skip
    BANDWIDTHS = (1.0, 2.0, 4.0, 8.0)  # cells
    RIDGES = (1.0, 10.0, 100.0)  # in observations of a feature of unit variance
    POOLED = (1, 5, 15)  # days that one fit takes its cells from
    BUFFER = 2  # cells
    FILLED = 0.3  # weight of a cell without observation, at the completed field's value

    def __init__(self, training_set: TrainingSet) -> None:
        super().__init__(training_set, "gwr")
        self.chosen = [i for i, n in enumerate(training_set.scaling.names) if n in self.PREDICTORS]
        if not self.chosen:
            raise EstimatorError(
                f"gwr needs one of {', '.join(self.PREDICTORS)}, and {training_set.cube.path} gives none"
            )
        self.day = functools.lru_cache(maxsize=max(self.POOLED) + 1)(self._day)
        errors = self._errors(training_set.days[-MOST_DAYS:])
        self.bandwidth, self.pooled, self.ridge = min(errors, key=errors.__getitem__)

    def _day(self, day: dt.date) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Predictors (P, R, C), anomaly and weight (R, C), which cells are labels, and the mean that was taken off."""
        coarse = self.training_set.read(day)
        field = fill_coarse_gaps(coarse.ssm)
        observed = torch.isfinite(coarse.ssm[0])
        weight = torch.where(observed, 1.0, self.FILLED) * ((coarse.land > 0.5) & torch.isfinite(field))
        mean = field.nanmean()
        x = with_intercept(coarse.features[self.chosen])
        return x, field - mean, weight, self.training_set.labels(coarse), mean

    def _errors(self, days: tuple[dt.date, ...]) -> dict[tuple[float, int, float], float]:
        """Mean squared error of left-out cells by (bandwidth, pooled, ridge)."""
        total = dict.fromkeys(itertools.product(self.BANDWIDTHS, self.POOLED, self.RIDGES), 0.0)
        parts: dict[float, list[NormalEquations]] = {bandwidth: [] for bandwidth in self.BANDWIDTHS}
        for day in days:
            x, y, weight, scored, _ = self._day(day)
            for bandwidth, last in parts.items():
                last.append(normal_equations(x, y, weight, bandwidth, self.BUFFER))
                del last[: -max(self.POOLED)]
                for pooled, penalty in itertools.product(self.POOLED, self.RIDGES):
                    beta = coefficients(_total(last[-pooled:]), penalty)
                    left_out = ((beta * x).sum(0) - y)[scored]
                    total[bandwidth, pooled, penalty] += float((left_out**2).sum())
        return total

    def law(self, coarse: CoarseDay) -> Law:
        last = [coarse.day - dt.timedelta(n) for n in range(self.pooled)]
        days = [self.day(d) for d in last if self.training_set.cube.done(d)]
        beta = coefficients(_total([normal_equations(*d[:3], self.bandwidth) for d in days]), self.ridge)
        beta[0] += days[0][4]

        def law(x: Tensor, window: Window) -> Tensor:
            at_pixels = upsample(beta, self.ratio, window)
            return at_pixels[0] + (at_pixels[1:] * x[self.chosen]).sum(0)

        return law


def _total(parts: list[NormalEquations]) -> NormalEquations:
    return functools.reduce(NormalEquations.__add__, parts)
