"""A random forest from cell means to soil moisture, its leaves sized by cross-validation over blocks of cells.

Neighbouring cells and successive days are alike, so that out-of-bag errors favour leaves which know single
cells by heart; whole blocks of cells left out do not. Source: Breiman (2001), Mach. Learn. 45.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.ensemble import RandomForestRegressor
from torch import Tensor

from ssm_net.estimators.coarse_to_fine import CoarseToFine, Law
from ssm_net.estimators.interface import EstimatorError
from ssm_net.estimators.training_set import SEED, TrainingSet
from ssm_net.inputs.reading import CoarseDay

TRIED = 1 / 3  # of the features, at each split: the usual share for regression


@dataclass(frozen=True)
class ForestSize:
    """Number of ``trees``, of those of each forest in the cross-validation, and the fewest samples of a leaf that are
    tried in it."""

    trees: int = 100
    trees_to_choose: int = 30
    leaves: tuple[int, ...] = (2, 5, 10, 20, 50)


FULL_SIZE = ForestSize()


def fit_forest(
    x: np.ndarray, y: np.ndarray, fold: np.ndarray, seed: int, size: ForestSize = FULL_SIZE
) -> RandomForestRegressor:
    """``x`` (n, F), ``y`` (n,) m3 m-3, ``fold`` (n,) the number of each sample's block group. Deterministic by seed.

    Raises ``EstimatorError`` where all samples fall into one block group.
    """
    error = {leaf: _error(x, y, fold, _forest(size.trees_to_choose, leaf, seed)) for leaf in size.leaves}
    best = min(size.leaves, key=error.__getitem__)
    return _forest(size.trees, best, seed).fit(x, y)


def predict(forest: RandomForestRegressor, x: np.ndarray) -> np.ndarray:
    """``x`` (F, ...) to soil moisture (...), float32."""
    flat = np.ascontiguousarray(x.reshape(len(x), -1).T, "float32")
    return forest.predict(flat).astype("float32").reshape(x.shape[1:])


def _error(x: np.ndarray, y: np.ndarray, fold: np.ndarray, forest: RandomForestRegressor) -> float:
    """Mean squared error of samples whose blocks were not trained on."""
    total = 0.0
    for k in np.unique(fold):
        held = fold == k
        if held.all():
            raise EstimatorError("the samples fall into one block: nothing is left to train on while one is held out")
        forest.fit(x[~held], y[~held])
        total += float(((forest.predict(x[held]) - y[held]) ** 2).sum())
    return total / len(y)


def _forest(trees: int, leaf: int, seed: int) -> RandomForestRegressor:
    # One thread: with more, the order in which trees are added up changes the last digits from run to run.
    return RandomForestRegressor(trees, min_samples_leaf=leaf, max_features=TRIED, random_state=seed, n_jobs=1)


class Forest(CoarseToFine):
    """A random forest from the features and the season to soil moisture."""

    MOST_SAMPLES = 50_000

    def __init__(self, training_set: TrainingSet, size: ForestSize = FULL_SIZE) -> None:
        super().__init__(training_set, "forest")
        x, y, fold = (torch.cat(part) for part in zip(*self._samples(), strict=True))
        sample = np.random.default_rng(SEED).permutation(len(y))[: self.MOST_SAMPLES]
        self.forest: RandomForestRegressor = fit_forest(
            x[sample].numpy(), y[sample].numpy(), fold[sample].numpy(), SEED, size
        )

    def _samples(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for day in self.training_set.some_days():
            coarse = self.training_set.read(day)
            labels = self.training_set.labels(coarse)
            yield (
                _with_season(coarse.features, coarse)[:, labels].T,
                coarse.ssm[0][labels],
                self.training_set.fold[labels],
            )

    def law(self, coarse: CoarseDay) -> Law:
        return lambda x, window: torch.from_numpy(predict(self.forest, _with_season(x, coarse).numpy()))


def _with_season(x: Tensor, coarse: CoarseDay) -> Tensor:
    return torch.cat([x, coarse.season[:, None, None].expand(2, *x.shape[1:])])
