"""A random forest from cell means to soil moisture, its leaves sized by cross-validation over blocks of cells.

Cells beside each other and days after each other are alike, so that out-of-bag errors favour leaves which know single
cells by heart; whole blocks of cells left out do not. Source: Breiman (2001), Mach. Learn. 45.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestRegressor

TREES, TREES_TO_CHOOSE = 100, 30
LEAVES = (2, 5, 10, 20, 50)  # fewest samples of a leaf
TRIED = 1 / 3  # of the features, at each split: the usual share for regression


def fit_forest(x: np.ndarray, y: np.ndarray, fold: np.ndarray, seed: int) -> RandomForestRegressor:
    """``x`` (n, F), ``y`` (n,) m3 m-3, ``fold`` (n,) the number of each sample's block group. Deterministic by seed."""
    error = {leaf: _error(x, y, fold, leaf, seed) for leaf in LEAVES}
    best = min(LEAVES, key=error.__getitem__)
    return _forest(TREES, best, seed).fit(x, y)


def predict(forest: RandomForestRegressor, x: np.ndarray) -> np.ndarray:
    """``x`` (F, ...) to soil moisture (...), float32."""
    flat = np.ascontiguousarray(x.reshape(len(x), -1).T, "float32")
    return forest.predict(flat).astype("float32").reshape(x.shape[1:])


def _error(x: np.ndarray, y: np.ndarray, fold: np.ndarray, leaf: int, seed: int) -> float:
    """Mean squared error of samples whose blocks were not trained on."""
    total = 0.0
    for k in np.unique(fold):
        held = fold == k
        if held.all():
            raise ValueError("the samples fall into one block: nothing is left to train on while one is held out")
        forest = _forest(TREES_TO_CHOOSE, leaf, seed).fit(x[~held], y[~held])
        total += float(((forest.predict(x[held]) - y[held]) ** 2).sum())
    return total / len(y)


def _forest(trees: int, leaf: int, seed: int) -> RandomForestRegressor:
    # One thread: with more, the order in which trees are added up changes the last digits from run to run.
    return RandomForestRegressor(trees, min_samples_leaf=leaf, max_features=TRIED, random_state=seed, n_jobs=1)
