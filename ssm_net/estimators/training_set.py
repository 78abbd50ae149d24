"""The training set of the fitted baselines: days and cells of the cube, with their pixels.

Days and cells are those that a network with the default settings would be trained on (``inputs.split``). The fits stay
in memory. The same cube gives the same estimator; a longer cube gives another one, so make a series that is to be
compared in one run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ssm_net.config import TrainConfig
from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.store import Cube
from ssm_net.estimators.interface import EstimatorError
from ssm_net.grid import Window
from ssm_net.inputs import features
from ssm_net.inputs.channels import channels
from ssm_net.inputs.reading import CoarseDay, read_coarse, read_stored
from ssm_net.inputs.scaling import Scaling
from ssm_net.inputs.split import split
from ssm_net.inputs.statistics import compute_scaling

SEED = 1
FOLDS = 5
MOST_DAYS = 60  # of the training days that a fit reads
LAGS = 12  # days of observations behind a coarse field
BAND_CELLS = 4  # coarse rows whose pixels are read at once: the cube's chunk


@dataclass(frozen=True)
class TrainingSet:
    """What the fits share: the cube, its observation operator, the statistics of its features, the training days
    with observations, the cells (R, C) bool that may be labels, and the group of blocks of each, (R, C) 0..FOLDS-1."""

    cube: Cube
    h: ObservationOperator
    scaling: Scaling
    days: tuple[dt.date, ...]
    cells: Tensor
    fold: Tensor

    @classmethod
    def of(cls, cube: Cube) -> TrainingSet:
        """Raises ``EstimatorError`` where the cube holds no day with an observation."""
        days = [d for d in cube.days_with_pixels() if (cube.status(d) or {}).get("observed", 0) > 0]
        if not days:
            raise EstimatorError(
                f"{cube.path}: no day with a coarse observation; was its product in raw/? See prepare.py"
            )
        shape, given = cube.domain.coarse_shape, TrainConfig
        parts = split(days, shape, given.validation_fraction, given.validation_days, given.seed)
        return cls(
            cube,
            cube.footprint(),
            compute_scaling(cube, parts.train_days, classics=True),
            parts.train_days,
            torch.from_numpy(~parts.held_cells),
            _block_folds(shape),
        )

    @property
    def land(self) -> Tensor:
        """The production mask, (y, x) bool."""
        return self.h.land

    def read(self, day: dt.date) -> CoarseDay:
        return read_coarse(self.cube, day, LAGS, self.scaling)

    def some_days(self) -> tuple[dt.date, ...]:
        return self.days[:: -(-len(self.days) // MOST_DAYS)]

    def labels(self, coarse: CoarseDay) -> Tensor:
        """Cells (R, C) whose observation of the day may be learned from."""
        return self.cells & torch.isfinite(coarse.ssm[0]) & (coarse.land > 0.5)

    def bands(self, coarse: CoarseDay) -> Iterator[tuple[Window, Tensor]]:
        """The day's pixels in bands of whole cells: the window and its channels (F, y, x)."""
        rows, cols = self.cube.domain.coarse_shape
        ratio = self.cube.domain.ratio
        for r in range(0, rows, BAND_CELLS):
            window = (r * ratio, min(r + BAND_CELLS, rows) * ratio, 0, cols * ratio)
            needed = features.needed(self.scaling.names)
            yield window, channels(read_stored(self.cube, coarse.day, window, needed, coarse.background), self.scaling)


def _block_folds(shape: tuple[int, int]) -> Tensor:
    """Groups of blocks of cells, (R, C); the blocks are as large as those of ``ssm_net.inputs.split``."""
    side = 4 if min(shape) >= 24 else 2
    rows, cols = -(-shape[0] // side), -(-shape[1] // side)
    order = np.random.default_rng(np.random.SeedSequence([SEED, 11])).permutation(rows * cols) % FOLDS
    folds = np.kron(order.reshape(rows, cols), np.ones((side, side), int))
    return torch.from_numpy(folds[: shape[0], : shape[1]].copy())
