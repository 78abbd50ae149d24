"""Training samples from a cube: a day and a window of cells, each a pure function of (seed, epoch, index).

Pixels stay integers as the cube stores them until a batch is on its device, where channels are made of them at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ssm_net.cube.store import Cube
from ssm_net.grid import Window, interpolation_matrix
from ssm_net.inputs.channels import PackedPixels, as_tensor, channels, dry_when_hot
from ssm_net.inputs.phases import phase_of_cells
from ssm_net.inputs.reading import padded, read_coarse, stored, usable
from ssm_net.inputs.scaling import NO_FEATURES, Scaling
from ssm_net.inputs.split import Split
from ssm_net.train.batches import CellTargets, CoarseWindow, PatchBatch, PatchSample, StoredPixels
from ssm_net.train.data_module import EpochDataset, TrainingData
from ssm_net.train.leave_own_out import MOST_HIDDEN

CONTEXT_MARGIN = 4  # coarse cells of context around a patch: the reach of the coarse branch
KEEP_BYTES = 2**31  # of decoded pixels a process keeps


@dataclass(frozen=True)
class PatchShape:
    """What a patch holds: ``side`` in coarse cells, ``halo`` of its pixels, ``lags`` days of observations and
    ``lookahead`` days after the day, and ``cells``: whether cell means of the features are given to the coarse
    branch."""

    side: int
    halo: int
    lags: int
    cells: bool
    lookahead: int = 0


class Patches(EpochDataset):
    """Samples of ``days``; a label is an observed cell where ``labels`` (R, C) is true.

    With ``seed=None`` (validation) nothing is drawn: item i is day i, on the patch in the domain's middle, with every
    observation visible but the scored phase.
    """

    def __init__(
        self,
        cube: Cube,
        days: Sequence[dt.date],
        labels: Sequence[np.ndarray],
        scaling: Scaling,
        shape: PatchShape,
        *,
        seed: int | None,
    ) -> None:
        self.cube, self.days, self.labels, self.scaling = cube, tuple(days), tuple(labels), scaling
        self.lags, self.lookahead, self.halo, self.seed = shape.lags, shape.lookahead, shape.halo, seed
        rows, cols = cube.domain.coarse_shape
        self.size = min(shape.side, rows), min(shape.side, cols)
        self.around = min(shape.side + 2 * CONTEXT_MARGIN, rows), min(shape.side + 2 * CONTEXT_MARGIN, cols)
        self.names = stored(usable(cube, scaling.present))
        self.cells = scaling if shape.cells else NO_FEATURES
        # Where every patch is the whole domain, its pixels are read once and kept, if there is room for all days.
        height, width = cube.domain.fine_shape
        fits = len(self.days) * len(self.names) * height * width * 2 <= KEEP_BYTES
        self.kept: dict[int, dict[str, Tensor]] | None = {} if self.size == (rows, cols) and fits else None
        self.land = cube.land()  # a byte a pixel, of the whole domain: cheaper than a window's maps a sample

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, key: int) -> PatchSample:
        rows, cols = self.cube.domain.coarse_shape
        if self.seed is None:
            which, row, col = key, (rows - self.size[0]) // 2, (cols - self.size[1]) // 2
            hide = np.zeros((rows, cols), bool)
        else:
            epoch, index = divmod(key, len(self))
            order = np.random.default_rng(np.random.SeedSequence([self.seed, epoch])).permutation(len(self))
            rng = np.random.default_rng(np.random.SeedSequence([self.seed, epoch, index]))
            which = int(order[index])
            row, col = (int(rng.integers(n - s + 1)) for n, s in zip((rows, cols), self.size, strict=True))
            hide = rng.random((rows, cols)) < rng.uniform(0, MOST_HIDDEN)
        return self.sample(which, row, col, torch.from_numpy(hide))

    def sample(self, which: int, row: int, col: int, hide: Tensor) -> PatchSample:
        """The patch with its upper left cell at ``row``, ``col``; ``hide`` (R, C) observations are not shown."""
        day, ratio = self.days[which], self.cube.domain.ratio
        rows, cols = self.cube.domain.coarse_shape
        (height, width), (tall, wide), h = self.size, self.around, self.halo
        # Upper left cell of the coarse window around the patch.
        top = min(max(row - (tall - height) // 2, 0), rows - tall)
        left = min(max(col - (wide - width) // 2, 0), cols - wide)
        near = (slice(top, top + tall), slice(left, left + wide))
        patch = (slice(row, row + height), slice(col, col + width))

        coarse = read_coarse(self.cube, day, self.lags, self.cells, self.lookahead)
        window = (row * ratio, (row + height) * ratio, col * ratio, (col + width) * ratio)
        inside, pad = padded(window, h, self.cube.domain.fine_shape)
        in_domain = torch.ones(inside[1] - inside[0], inside[3] - inside[2], dtype=torch.bool)
        pixels = self._pixels(which, inside, pad)
        land = self.land[window[0] : window[1], window[2] : window[3]]
        score = self._whole_footprints(row, col) & torch.from_numpy(self.labels[which])
        score &= torch.isfinite(coarse.ssm[0]) & (coarse.land > 0.5)
        rows_up = range((row - top) * ratio - h, (row - top + height) * ratio + h)
        cols_up = range((col - left) * ratio - h, (col - left + width) * ratio + h)
        return PatchSample(
            StoredPixels(pixels, torch.nn.functional.pad(in_domain, pad),
                         {k: field[near] for k, field in coarse.background.items()}),
            CoarseWindow(
                ssm=coarse.without(hide).observations[:, *near], cells=coarse.cells[:, *near],
                phase=phase_of_cells(tall, wide, top, left),
                up_y=interpolation_matrix(rows_up, tall, ratio), up_x=interpolation_matrix(cols_up, wide, ratio),
            ),
            land,
            CellTargets(
                value=torch.nan_to_num(coarse.ssm[0][patch]), sigma=torch.nan_to_num(coarse.sigma[patch], nan=1.0),
                phase=phase_of_cells(height, width, row, col),
                place=torch.arange(rows * cols).reshape(rows, cols)[patch], score=score[patch],
            ),
        )  # fmt: skip

    def _whole_footprints(self, row: int, col: int) -> Tensor:
        """Cells (R, C) bool of a patch whose footprint it holds, or which only leaves it where it leaves the domain."""
        rows, cols = self.cube.domain.coarse_shape
        height, width = self.size
        held = torch.zeros(rows, cols, dtype=torch.bool)
        inner_rows = slice(row + (row > 0), row + height - (row + height < rows))
        held[inner_rows, col + (col > 0) : col + width - (col + width < cols)] = True
        return held

    def _pixels(self, which: int, window: Window, pad: tuple[int, int, int, int]) -> dict[str, Tensor]:
        """Variables of a window and ``pad`` pixels beyond the domain around it, as stored, (y, x)."""
        if self.kept is not None and which in self.kept:
            return self.kept[which]
        left, right, top, bottom = pad
        out = {}
        for name in self.names:
            static = name in self.cube.static
            packed = (
                self.cube.read_static(name, window) if static else self.cube.read_packed(name, self.days[which], window)
            )
            out[name] = as_tensor(np.pad(packed, ((top, bottom), (left, right))) if any(pad) else packed)
        if self.kept is not None:
            self.kept[which] = out
        return out

    def complete(self, batch: PatchSample | PatchBatch) -> PatchBatch:
        """A batch of samples with the channels and the gate of the physics constraint that its stored pixels give."""
        if isinstance(batch, PatchBatch):
            return batch
        pixels, coarse, h = batch.pixels, batch.coarse, self.halo
        backgrounds = {k: coarse.up_y @ field @ coarse.up_x.mT for k, field in pixels.background.items()}
        height, width = pixels.inside.shape[1:]
        inner = (slice(None), slice(h, height - h), slice(h, width - h))
        x = channels(PackedPixels(pixels.variables, backgrounds), self.scaling, pixels.inside)
        day = backgrounds["day"][inner] if "day" in backgrounds else None
        gate = dry_when_hot(x[:, :, h : height - h, h : width - h], day, self.scaling)
        coarse = replace(coarse, up_y=coarse.up_y[:, h : height - h], up_x=coarse.up_x[:, h : width - h])
        return PatchBatch(x, gate, batch.land, coarse, batch.target)


def patch_data(
    cube: Cube, split: Split, scaling: Scaling, shape: PatchShape, *, batch_size: int, workers: int, seed: int
) -> TrainingData:
    """Train on the cells not held out of the days not held out; validate on the rest of both."""
    train = Patches(
        cube, split.train_days, [~split.held_cells] * len(split.train_days), scaling, shape, seed=seed
    )  # fmt: skip
    # Cells held out on some of the training days measure the error in space, all cells of the days held out in time.
    some_days = split.train_days[:: max(1, len(split.train_days) // max(1, len(split.held_days)))]
    all_cells = np.ones(cube.domain.coarse_shape, bool)
    labels = [split.held_cells] * len(some_days) + [all_cells] * len(split.held_days)
    held = Patches(cube, [*some_days, *split.held_days], labels, scaling, shape, seed=None)
    return TrainingData(train, held, batch_size, workers)
