"""The random forest: deterministic, and sized by blocks that were not trained on."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from ssm_net.estimators import forest

SMALL = forest.ForestSize(trees=10, trees_to_choose=10, leaves=(1, 60))


def test_the_same_seed_gives_the_same_forest() -> None:
    rng = np.random.default_rng(0)
    x, fold = rng.normal(size=(200, 3)).astype("float32"), np.arange(200) % 4
    y = 0.2 + 0.05 * np.sign(x[:, 0])
    one, two = (forest.fit_forest(x, y, fold, 1, SMALL) for _ in range(2))
    field = rng.normal(size=(3, 5, 7)).astype("float32")
    np.testing.assert_array_equal(forest.predict(one, field), forest.predict(two, field))
    assert forest.predict(one, field).shape == (5, 7)
    assert np.abs(forest.predict(one, field) - (0.2 + 0.05 * np.sign(field[0]))).mean() < 0.02


def test_leaves_that_know_single_blocks_are_not_chosen() -> None:
    """The target is a number of each block's own: inside the blocks it can be learned by heart, across them not."""
    rng = np.random.default_rng(1)
    fold = np.repeat(np.arange(4), 100)
    block = np.repeat(rng.permutation(40), 10).astype("float32")
    x = block[:, None] + rng.normal(0, 0.01, (400, 1)).astype("float32")
    y = rng.normal(size=40)[np.repeat(np.arange(40), 10)]
    assert forest.fit_forest(x, y, fold, 1, SMALL).min_samples_leaf == 60


def test_one_block_cannot_be_cross_validated() -> None:
    with pytest.raises(ValueError, match="one block"):
        forest.fit_forest(np.zeros((10, 2)), np.zeros(10), np.zeros(10), 1)
