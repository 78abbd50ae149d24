"""Training samples from simulated worlds: thinned pixels of a day with their 1 km truth, and random corruptions.

Observations are hidden and groups of features removed at random, so that the networks learn to do without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ssm_net.grid import expand, interpolation_matrix
from ssm_net.inputs.phases import phase_of_cells
from ssm_net.inputs.scaling import Scaling
from ssm_net.pretrain.samples import NEIGHBOURHOOD, THINNING, World
from ssm_net.train.batches import CoarseWindow, TensorValue
from ssm_net.train.data_module import EpochDataset
from ssm_net.train.leave_own_out import MOST_HIDDEN

PART = 4  # cells a side of the part of a world whose pixels make one sample; the context is that of the whole world
OBSERVATION_DROPOUT = 0.1  # of the samples have no observation of the day at all: practice for orbit gaps
MODALITY_DROPOUT = 0.15  # of the samples lack one group of features: practice for cubes without that product
GROUPS = (("rain", "api"), ("ndvi", "ndwi", "swir", "reflectance"), ("sand", "clay"), ("lst_night",), ("lst_day",),
          ("relief",))  # fmt: skip


@dataclass(frozen=True)
class TruthBatch(TensorValue):
    """Thinned pixels of a day, one sample or a batch: channels ``x`` (.., F, y K, x K) of K x K pixels around each,
    ``truth`` (m3 m-3) where ``known`` (bool), and the phase 0..3 of each pixel's cell."""

    SHAPES: ClassVar = {"truth": "y x", "known": "y x", "pixel_phase": "y x"}
    x: Tensor
    truth: Tensor
    known: Tensor
    pixel_phase: Tensor
    coarse: CoarseWindow

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.x.shape[-2:] == tuple(NEIGHBOURHOOD * n for n in self.truth.shape[-2:]), (
            self.x.shape,
            self.truth.shape,
        )


@dataclass(frozen=True)
class _Day:
    """A world's day before a part of it is cut out: pixels ``x`` and ``truth``, cells ``cells``, ``ssm`` and ``label``
    (bool), and the weights ``up_y`` and ``up_x`` from cells to pixels."""

    x: Tensor
    truth: Tensor
    cells: Tensor
    ssm: Tensor
    label: Tensor
    up_y: Tensor
    up_x: Tensor

    def turned(self, turn: int) -> _Day:
        """Mirrored and transposed by the bits of ``turn``, 0..7."""
        fields, up_y, up_x = [self.x, self.truth, self.cells, self.ssm, self.label], self.up_y, self.up_x
        if turn & 1:
            fields, up_x = [f.flip(-1) for f in fields], up_x.flip(0, 1)
        if turn & 2:
            fields, up_y = [f.flip(-2) for f in fields], up_y.flip(0, 1)
        if turn & 4 and self.ssm.shape[-2] == self.ssm.shape[-1]:
            fields, up_y, up_x = [f.transpose(-1, -2) for f in fields], up_x, up_y
        x, truth, cells, ssm, label = fields
        return _Day(x, truth, cells, ssm, label, up_y, up_x)

    def part(self, row: int, col: int, height: int, width: int) -> TruthBatch:
        """The pixels of ``height`` x ``width`` cells from ``row``, ``col`` on, with the whole world's context."""
        per = len(self.up_y) // self.ssm.shape[1]  # pixels kept of a cell, each way
        ys, xs = slice(row * per, (row + height) * per), slice(col * per, (col + width) * per)
        phase = phase_of_cells(*self.ssm.shape[1:])
        cells = (slice(row, row + height), slice(col, col + width))
        truth = self.truth[ys, xs]
        x = self.x[
            :, ys.start * NEIGHBOURHOOD : ys.stop * NEIGHBOURHOOD, xs.start * NEIGHBOURHOOD : xs.stop * NEIGHBOURHOOD
        ]
        return TruthBatch(
            x=x.contiguous(),
            truth=torch.nan_to_num(truth),
            known=torch.isfinite(truth) & expand(self.label[cells], per),
            pixel_phase=expand(phase[cells], per),
            coarse=CoarseWindow(
                self.ssm.contiguous(), self.cells.contiguous(), phase,
                self.up_y[ys].contiguous(), self.up_x[xs].contiguous(),
            ),
        )  # fmt: skip


class TruthSamples(EpochDataset):
    """Days of worlds of one size; a pixel is a label where ``labels`` of its world, (T, R, C) bool, are true.

    With ``seed=None`` nothing is drawn: item i is the i-th day, the whole world, every observation visible but the own.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        scaling: Scaling,
        *,
        ratio: int,
        lags: int,
        labels: Sequence[Tensor] | None = None,
        seed: int | None,
    ) -> None:
        self.worlds, self.scaling, self.ratio, self.lags, self.seed = worlds, scaling, ratio, lags, seed
        self.labels = labels or [torch.ones_like(w.ssm, dtype=torch.bool) for w in worlds]
        self.days = [(i, t) for i, w in enumerate(worlds) for t in range(len(w.ssm)) if bool(self.labels[i][t].any())]

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, key: int) -> TruthBatch:
        if self.seed is None:
            day = self._day(*self.days[key])
            return day.part(0, 0, *day.ssm.shape[1:])
        epoch, index = divmod(key, len(self))
        order = np.random.default_rng(np.random.SeedSequence([self.seed, epoch])).permutation(len(self))
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, epoch, index]))
        return self._corrupted(self._day(*self.days[int(order[index])]), rng)

    def _day(self, which: int, t: int) -> _Day:
        world = self.worlds[which]
        rows, cols = world.ssm.shape[1:]
        per = self.ratio // THINNING
        ssm = torch.full((self.lags, rows, cols), torch.nan)
        n = min(t + 1, self.lags)
        ssm[:n] = world.ssm[t - n + 1 : t + 1].flip(0)
        up_y, up_x = (
            interpolation_matrix(range(size * self.ratio), size, self.ratio)[int(first) :: THINNING][: size * per]
            for size, first in zip((rows, cols), world.offset[t], strict=True)
        )
        x, cells = self.scaling(world.x[t].float()), self.scaling(world.cells[t])
        return _Day(x, world.truth[t].float(), cells, ssm, self.labels[which][t], up_y, up_x)

    def _corrupted(self, day: _Day, rng: np.random.Generator) -> TruthBatch:
        """A random part of the day, with observations hidden, a group of features removed, and the world turned."""
        rows, cols = day.ssm.shape[1:]
        height, width = min(PART, rows), min(PART, cols)
        row, col = int(rng.integers(rows - height + 1)), int(rng.integers(cols - width + 1))
        hide = torch.from_numpy(rng.random((rows, cols)) < rng.uniform(0, MOST_HIDDEN))
        without_observation, without_group = rng.random() < OBSERVATION_DROPOUT, rng.random() < MODALITY_DROPOUT
        turn = int(rng.integers(8))
        day.ssm[0] = torch.where(hide | without_observation, torch.nan, day.ssm[0])
        if without_group:
            group = GROUPS[int(rng.integers(len(GROUPS)))]
            removed = [i for i, name in enumerate(self.scaling.names) if name.startswith(group)]
            day.x[removed], day.cells[removed] = 0, 0
        # Weather comes from one side, but nothing that is learned may depend on which.
        return day.turned(turn).part(row, col, height, width)
