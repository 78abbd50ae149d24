"""Loaders of training: each sample is a pure function of (seed, epoch, index).

Which worker makes a sample, and how many there are, changes nothing; a resumed run draws what an unbroken one would.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import lightning as L
from torch.utils.data import DataLoader, Dataset, Sampler

from ssm_net.core.workers import quick_processes
from ssm_net.train.batches import collate


class EpochDataset(Dataset[Any], ABC):
    """Samples, of which an epoch has a fixed number n: item ``epoch * n + i`` is the i-th of an epoch."""

    @abstractmethod
    def __len__(self) -> int: ...

    def complete(self, batch: Any) -> Any:
        """A batch of samples as the networks take it, on the device it is on; a complete one as it is."""
        return batch

    def batch_of(self, samples: Sequence[Any]) -> Any:
        """Samples as a complete batch."""
        return self.complete(collate(samples))


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


class TrainingData(L.LightningDataModule):
    """Training and validation loaders. Workers are forkserver processes: zarr's codecs may hang after a fork."""

    def __init__(self, train: EpochDataset, held: EpochDataset, batch_size: int, workers: int) -> None:
        super().__init__()
        self.train, self.held, self.batch_size, self.workers = train, held, batch_size, workers

    def loader(self, data: EpochDataset, sampler: Iterable[int] | None) -> DataLoader[Any]:
        # Channels are made on the device of the networks; where that is the CPU, by the loader's processes.
        on_cpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cpu"
        return DataLoader(
            data,
            collate_fn=data.batch_of if on_cpu and self.workers else collate,
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            multiprocessing_context=quick_processes() if self.workers else None,
        )

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        return self.train.complete(batch)

    def train_dataloader(self) -> DataLoader[Any]:
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        return self.loader(self.train, EpochSampler(len(self.train), rank, world))

    def val_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.held, None)
