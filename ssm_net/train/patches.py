"""Training samples: a day and a window of cells, each a pure function of (seed, epoch, index).

Which worker makes a sample, and how many there are, changes nothing; a resumed run draws what an unbroken one would.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from ssm_net.cube.store import Cube
from ssm_net.grid import Window, interpolation_matrix
from ssm_net.inputs.channels import StoredPixels, as_tensor, channels, dry_when_hot
from ssm_net.inputs.phases import phase_of_cells
from ssm_net.inputs.reading import padded, read_coarse, stored, usable
from ssm_net.inputs.scaling import NO_FEATURES, Scaling
from ssm_net.inputs.split import Split

MARGIN = 4  # coarse cells of context around a patch: the reach of the coarse branch
MOST_HIDDEN = 0.5  # of the day's observations, drawn uniformly: practice for orbit gaps
KEEP_BYTES = 2**31  # of decoded pixels a process keeps


class Samples(Dataset[dict[str, Any]], ABC):
    """Samples of which there is a number, an epoch's: item ``epoch * n + i`` is the i-th of an epoch."""

    @abstractmethod
    def __len__(self) -> int: ...

    def complete(self, batch: dict[str, Any]) -> dict[str, Any]:
        """What is left to do of a batch of samples, on the device it is on; of a complete one nothing."""
        return batch

    def whole(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Samples as a complete batch."""
        return self.complete(default_collate(list(samples)))


class Patches(Samples):
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
        *,
        lags: int,
        halo: int,
        patch: int,
        cells: bool,
        seed: int | None,
    ) -> None:
        self.cube, self.days, self.labels, self.scaling = cube, tuple(days), tuple(labels), scaling
        self.lags, self.halo, self.seed = lags, halo, seed
        rows, cols = cube.domain.coarse_shape
        self.size = min(patch, rows), min(patch, cols)
        self.around = min(patch + 2 * MARGIN, rows), min(patch + 2 * MARGIN, cols)
        self.names = stored(usable(cube, scaling.present))
        self.cells = scaling if cells else NO_FEATURES
        # Where every patch is the whole domain, its pixels are read once and kept, if there is room for all days.
        height, width = cube.domain.fine_shape
        small = len(self.days) * len(self.names) * height * width * 2 <= KEEP_BYTES
        self.kept: dict[int, dict[str, Tensor]] | None = {} if self.size == (rows, cols) and small else None
        self.land = cube.land()  # a byte a pixel, of the whole domain: cheaper than a window's maps a sample

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, key: int) -> dict[str, Any]:
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

    def sample(self, which: int, row: int, col: int, hide: Tensor) -> dict[str, Any]:
        """The patch with its upper left cell at ``row``, ``col``; ``hide`` (R, C) observations are not shown.

        Its pixels are as stored: ``complete`` makes channels of them.
        """
        day, ratio = self.days[which], self.cube.domain.ratio
        rows, cols = self.cube.domain.coarse_shape
        (height, width), (tall, wide) = self.size, self.around
        r0 = min(max(row - (tall - height) // 2, 0), rows - tall)
        c0 = min(max(col - (wide - width) // 2, 0), cols - wide)
        near = (slice(r0, r0 + tall), slice(c0, c0 + wide))
        here = (slice(row, row + height), slice(col, col + width))

        coarse = read_coarse(self.cube, day, self.lags, self.cells)
        shown = coarse.without(hide)
        window = (row * ratio, (row + height) * ratio, col * ratio, (col + width) * ratio)
        inside, pad = padded(window, self.halo, self.cube.domain.fine_shape)
        whole = torch.nn.functional.pad(torch.ones(inside[1] - inside[0], inside[3] - inside[2], dtype=torch.bool), pad)
        h = self.halo
        rows_up = range((row - r0) * ratio - h, (row - r0 + height) * ratio + h)
        cols_up = range((col - c0) * ratio - h, (col - c0 + width) * ratio + h)
        pixels = self._pixels(which, inside, pad)
        # A footprint that leaves the patch is not scored, except where it leaves the domain too.
        edge = torch.zeros(rows, cols, dtype=torch.bool)
        rows_in = slice(row + (row > 0), row + height - (row + height < rows))
        edge[rows_in, col + (col > 0) : col + width - (col + width < cols)] = True
        score = edge & torch.from_numpy(self.labels[which]) & torch.isfinite(coarse.ssm[0]) & (coarse.land > 0.5)
        return {
            "stored": pixels,
            "inside": whole,
            "background": {k: field[near] for k, field in coarse.background.items()},
            "land": self.land[window[0] : window[1], window[2] : window[3]],
            "cells": coarse.features[:, *near],
            "ssm": shown.ssm[:, *near],
            "phase": phase_of_cells(tall, wide, r0, c0),
            "up_y": interpolation_matrix(rows_up, tall, ratio),  # with the halo
            "up_x": interpolation_matrix(cols_up, wide, ratio),
            "place": torch.arange(rows * cols).reshape(rows, cols)[here],
            "target": torch.nan_to_num(coarse.ssm[0][here]),
            "target_sigma": torch.nan_to_num(coarse.sigma[here], nan=1.0),
            "target_phase": phase_of_cells(height, width, row, col),
            "score": score[here],
        }

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

    def complete(self, batch: dict[str, Any]) -> dict[str, Any]:
        """With the channels ``x`` (B, F, y, x), halo and all, and the ``gate`` (B, y, x) where heat tells of dry soil,
        made of what the samples hold as stored."""
        if "stored" not in batch:
            return batch
        stored_, inside, background = (batch.pop(k) for k in ("stored", "inside", "background"))
        up_y, up_x, h = batch["up_y"], batch["up_x"], self.halo
        backgrounds = {k: up_y @ field @ up_x.mT for k, field in background.items()}
        inner = (slice(None), slice(h, inside.shape[1] - h), slice(h, inside.shape[2] - h))
        x = channels(StoredPixels(stored_, backgrounds), self.scaling, inside)
        day = backgrounds["day"][inner] if "day" in backgrounds else None
        gate = dry_when_hot(x[:, :, h : x.shape[2] - h, h : x.shape[3] - h], day, self.scaling)
        up = {"up_y": up_y[:, h : up_y.shape[1] - h], "up_x": up_x[:, h : up_x.shape[1] - h]}
        return {**batch, **up, "x": x, "gate": gate}


class EpochSampler(Sampler[int]):
    """Keys ``epoch * n + i``, so that a sample knows its epoch; this rank's share of them."""

    def __init__(self, n: int, rank: int = 0, world: int = 1) -> None:
        self.n, self.rank, self.world, self.epoch = n, rank, world, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.epoch * self.n + self.rank, (self.epoch + 1) * self.n, self.world))

    def __len__(self) -> int:
        return len(range(self.rank, self.n, self.world))


class PatchData(L.LightningDataModule):
    """Training and validation loaders. Workers are forkserver processes: zarr's codecs may hang after a fork."""

    def __init__(self, train: Samples, held: Samples, batch_size: int, workers: int) -> None:
        super().__init__()
        self.train, self.held, self.batch_size, self.workers = train, held, batch_size, workers

    def loader(self, data: Samples, sampler: Iterable[int] | None) -> DataLoader[Any]:
        # Channels are made on the device of the networks; where that is this processor, by the loader's processes.
        here = self.trainer is not None and self.trainer.strategy.root_device.type == "cpu"
        return DataLoader(
            data,
            collate_fn=data.whole if here and self.workers else None,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            multiprocessing_context="forkserver" if self.workers else None,
        )

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        return self.train.complete(batch)

    def train_dataloader(self) -> DataLoader[Any]:
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        return self.loader(self.train, EpochSampler(len(self.train), rank, world))

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.held, None)


def patch_data(
    cube: Cube, split: Split, scaling: Scaling, *, lags: int, halo: int, patch: int, cells: bool, batch_size: int,
    workers: int, seed: int,
) -> PatchData:  # fmt: skip
    """Train on the cells not held out of the days not held out; validate on the rest of both."""
    every = np.ones(cube.domain.coarse_shape, bool)
    kwargs: dict[str, Any] = {"lags": lags, "halo": halo, "patch": patch, "cells": cells}
    train = Patches(cube, split.train_days, [~split.held_cells] * len(split.train_days), scaling, seed=seed, **kwargs)
    # Held cells on some of the days trained on tell of space, every cell of the held days of time.
    seen_days = split.train_days[:: max(1, len(split.train_days) // max(1, len(split.held_days)))]
    labels = [split.held_cells] * len(seen_days) + [every] * len(split.held_days)
    held = Patches(cube, [*seen_days, *split.held_days], labels, scaling, seed=None, **kwargs)
    return PatchData(train, held, batch_size, workers)
