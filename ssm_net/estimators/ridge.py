"""The ridge on random features behind the estimators' interface: the strong baseline, without a network."""

from __future__ import annotations

import functools
import itertools

import torch
from torch import Tensor

from ssm_net.estimators import random_features
from ssm_net.estimators.interface import Estimate
from ssm_net.estimators.training_set import FOLDS, LAGS, SEED, TrainingSet
from ssm_net.grid import Window, interpolation_matrix
from ssm_net.inputs import features
from ssm_net.inputs.channels import PackedPixels, channels_and_extrapolated
from ssm_net.inputs.phases import upsample_by_phase
from ssm_net.inputs.reading import CoarseDay


class Ridge:
    """Random features of a pixel and of its coarse context, the own value left out, fitted through the footprint.

    The first context is as sharp as predicts the observations best, the second looks further in space and time. The
    variance of the background is what cross-validation's innovations leave after the observations' error; where that
    claims more than ``1 - LEAST`` of it, part of the claimed error is one that neighbours share and predict.
    """

    name = "ridge"
    updates = True
    halo = 0
    lags = LAGS
    lookahead = 0
    STRIDE = 3  # every third pixel each way stands for a footprint
    CELLS, DAYS = (0.5, 0.8, 1.2, 2.0), (1.0, 2.0, 4.0, 8.0)  # scales tried for the first context
    WIDER, LONGER = 2.0, 4.0  # of the second context
    LEAST = 0.5
    UNRESOLVED = 0.04  # m3 m-3; what a pixel by itself leaves unexplained inside a cell

    def __init__(self, training_set: TrainingSet) -> None:
        self.training_set, self.scaling, self.ratio = training_set, training_set.scaling, training_set.cube.domain.ratio
        self.needs = features.needed(training_set.scaling.names)
        days = [training_set.read(day) for day in training_set.some_days()]
        labelled = [(coarse, training_set.labels(coarse)) for coarse in days]
        self.mean = float(torch.cat([coarse.ssm[0][labels] for coarse, labels in labelled]).mean())
        first = min(itertools.starmap(random_features.Scale, itertools.product(self.CELLS, self.DAYS)),
                    key=lambda scale: self._innovation(labelled, scale))  # fmt: skip
        self.scales = (first, random_features.Scale(self.WIDER * first.cells, self.LONGER * first.days))
        self.phi = random_features.RandomFeatures.draw(len(self.scaling.names) + len(self.scales), SEED)
        folds = self._folds(labelled)
        penalty, error = random_features.choose_ridge(folds)
        self.ridge, self.innovation = penalty, error**0.5
        self.weight = functools.reduce(random_features.Gram.__add__, folds).solve(penalty).float()
        observation = torch.cat([coarse.sigma[labels] for coarse, labels in labelled])
        self.variance = max(error - float((observation**2).mean()), self.LEAST * error)

    def _innovation(self, days: list[tuple[CoarseDay, Tensor]], scale: random_features.Scale) -> float:
        """Mean squared distance of a context of that scale alone from the observations it does not see."""
        miss = [
            (random_features.own_phase(random_features.contexts(coarse.ssm, self.mean, [scale]))[0] - coarse.ssm[0])[
                labels
            ]
            for coarse, labels in days
        ]
        return float((torch.cat(miss) ** 2).mean())

    def _folds(self, days: list[tuple[CoarseDay, Tensor]]) -> list[random_features.Gram]:
        """Footprint means of phi against observation less footprint mean of base, by group of blocks."""
        samples = [self.footprints(coarse) for coarse, _ in days]
        out = []
        for k in range(FOLDS):
            a, t = [], []
            for (phi, base), (coarse, labels) in zip(samples, days, strict=True):
                in_fold = labels & (self.training_set.fold == k)
                a.append(phi[:, in_fold].T)
                t.append((coarse.ssm[0] - base)[in_fold])
            out.append(random_features.Gram.of(torch.cat(a), torch.cat(t)))
        return out

    def footprints(self, coarse: CoarseDay, stride: int = STRIDE) -> tuple[Tensor, Tensor]:
        """Footprint mean of phi (K, R, C) and of the base (R, C), each cell's from the run with its phase hidden; every
        ``stride``-th pixel each way stands for a footprint."""
        (rows, cols), h = self.training_set.cube.domain.coarse_shape, self.training_set.h.thinned(stride)
        context = random_features.contexts(coarse.ssm, self.mean, self.scales)
        up_x = interpolation_matrix(range(cols * self.ratio), cols, self.ratio)[h.sample]
        sums = torch.zeros(len(context), self.phi.size + 2, rows, cols)
        for window, x in self.training_set.bands(coarse):
            up_y = interpolation_matrix(range(*window[:2]), rows, self.ratio)[h.sample]
            for p, hidden in enumerate(context):
                up = up_y @ hidden @ up_x.T
                phi = self.phi(self._inputs(x[:, h.sample, h.sample], up))
                sums[p] += h.sums(torch.cat([phi, up[:1]]), window)
        own = h.mean_of_sums(random_features.own_phase(sums))
        return own[:-1], own[-1]

    def _inputs(self, x: Tensor, context: Tensor) -> Tensor:
        return torch.cat([x, (context - self.mean) / random_features.SPREAD])

    def context(self, coarse: CoarseDay) -> tuple[Tensor, Tensor]:
        """Contexts with each phase hidden, (phase, scale, R, C), and where any observation was near, (R, C)."""
        observed = torch.isfinite(coarse.ssm).any(0)[None].float()
        reach = random_features.REACH
        near = torch.nn.functional.max_pool2d(observed, 2 * reach + 1, stride=1, padding=reach)[0] > 0
        return random_features.contexts(coarse.ssm, self.mean, self.scales), near

    def estimate(self, context: tuple[Tensor, Tensor], pixels: PackedPixels, window: Window) -> Estimate:
        by_phase, near = context
        x, far = channels_and_extrapolated(pixels, self.scaling)
        up = upsample_by_phase(by_phase, self.ratio, window)
        z = self._inputs(x, up)
        # A row of cells at a time: all of a tile's random features would take a gigabyte.
        rise = torch.cat([torch.einsum("k,kyx->yx", self.weight, self.phi(part)) for part in z.split(self.ratio, 1)])
        y0, y1, x0, x1 = (n // self.ratio for n in window)
        alone = (~near[y0:y1, x0:x1]).repeat_interleave(self.ratio, 0).repeat_interleave(self.ratio, 1)
        inside = torch.full_like(rise, self.UNRESOLVED**2)
        return Estimate(up[0] + rise, torch.full_like(rise, self.variance), inside, far | alone)
