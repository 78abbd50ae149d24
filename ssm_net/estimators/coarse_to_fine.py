"""The tuned classics behind the estimators' interface: GWR and the random forest, coarse to fine, residual returned.

They are fitted when they are made, from the cube alone (``training_set``); their settings are chosen by leaving
cells or blocks of cells out, never on a truth.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ssm_net.cube.variables import API_DAYS
from ssm_net.estimators import gwr_fit
from ssm_net.estimators.classics import complete
from ssm_net.estimators.interface import SUBGRID_STD, Estimate, plain
from ssm_net.estimators.training_set import LAGS, MOST_DAYS, SEED, TrainingSet
from ssm_net.grid import Window, block_mean, upsample
from ssm_net.inputs.channels import StoredPixels
from ssm_net.inputs.reading import CoarseDay

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

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
            complete(coarse.ssm) - block_mean(trend, self.ratio, self.training_set.land.float())
        )
        error = torch.nan_to_num(coarse.sigma, nan=2 * float(torch.nan_to_num(coarse.sigma, nan=0.04).mean()))
        return trend, residual, error

    def estimate(self, context: tuple[Tensor, Tensor, Tensor], pixels: StoredPixels, window: Window) -> Estimate:
        trend, residual, error = context
        y0, y1, x0, x1 = window
        mean = trend[y0:y1, x0:x1] + upsample(residual, self.ratio, window)
        return plain(mean, upsample(error, self.ratio, window) ** 2, SUBGRID_STD)


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
            raise ValueError(f"gwr needs one of {', '.join(self.PREDICTORS)}, and {training_set.cube.path} gives none")
        self.day = functools.lru_cache(maxsize=max(self.POOLED) + 1)(self._day)
        errors = self._errors(training_set.days[-MOST_DAYS:])
        self.bandwidth, self.pooled, self.ridge = min(errors, key=errors.__getitem__)

    def _day(self, day: dt.date) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Predictors (P, R, C), anomaly and weight (R, C), which cells are labels, and the mean that was taken off."""
        coarse = self.training_set.read(day)
        field = complete(coarse.ssm)
        seen = torch.isfinite(coarse.ssm[0])
        weight = torch.where(seen, 1.0, self.FILLED) * ((coarse.land > 0.5) & torch.isfinite(field))
        mean = field.nanmean()
        x = gwr_fit.with_intercept(coarse.features[self.chosen])
        return x, field - mean, weight, self.training_set.labels(coarse), mean

    def _errors(self, days: tuple[dt.date, ...]) -> dict[tuple[float, int, float], float]:
        """Mean squared error of left-out cells by (bandwidth, pooled, ridge)."""
        total = dict.fromkeys(itertools.product(self.BANDWIDTHS, self.POOLED, self.RIDGES), 0.0)
        parts: dict[float, list[gwr_fit.Normal]] = {bandwidth: [] for bandwidth in self.BANDWIDTHS}
        for day in days:
            x, y, weight, scored, _ = self._day(day)
            for bandwidth, last in parts.items():
                last.append(gwr_fit.normal_equations(x, y, weight, bandwidth, self.BUFFER))
                del last[: -max(self.POOLED)]
                for pooled, penalty in itertools.product(self.POOLED, self.RIDGES):
                    beta = gwr_fit.coefficients(_total(last[-pooled:]), penalty)
                    left_out = ((beta * x).sum(0) - y)[scored]
                    total[bandwidth, pooled, penalty] += float((left_out**2).sum())
        return total

    def law(self, coarse: CoarseDay) -> Law:
        last = [coarse.day - dt.timedelta(n) for n in range(self.pooled)]
        days = [self.day(d) for d in last if self.training_set.cube.done(d)]
        beta = gwr_fit.coefficients(
            _total([gwr_fit.normal_equations(*d[:3], self.bandwidth) for d in days]), self.ridge
        )
        beta[0] += days[0][4]

        def law(x: Tensor, window: Window) -> Tensor:
            here = upsample(beta, self.ratio, window)
            return here[0] + (here[1:] * x[self.chosen]).sum(0)

        return law


def _total(parts: list[gwr_fit.Normal]) -> gwr_fit.Normal:
    return functools.reduce(gwr_fit.Normal.__add__, parts)


class Forest(CoarseToFine):
    """A random forest from the features and the season to soil moisture."""

    MOST_SAMPLES = 50_000

    def __init__(self, training_set: TrainingSet) -> None:
        super().__init__(training_set, "forest")
        from ssm_net.estimators.forest_fit import fit_forest

        x, y, fold = (torch.cat(part) for part in zip(*self._samples(), strict=True))
        some = np.random.default_rng(SEED).permutation(len(y))[: self.MOST_SAMPLES]
        self.forest: RandomForestRegressor = fit_forest(x[some].numpy(), y[some].numpy(), fold[some].numpy(), SEED)

    def _samples(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for day in self.training_set.some_days():
            coarse = self.training_set.read(day)
            here = self.training_set.labels(coarse)
            yield _with_season(coarse.features, coarse)[:, here].T, coarse.ssm[0][here], self.training_set.fold[here]

    def law(self, coarse: CoarseDay) -> Law:
        from ssm_net.estimators.forest_fit import predict

        return lambda x, window: torch.from_numpy(predict(self.forest, _with_season(x, coarse).numpy()))


def _with_season(x: Tensor, coarse: CoarseDay) -> Tensor:
    return torch.cat([x, coarse.season[:, None, None].expand(2, *x.shape[1:])])
