"""The split into training and held-out data: by blocks of coarse cells and by time, never by random pixels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Split:
    """``train_days`` end before ``held_days`` begin; ``held_cells`` (R, C) bool are never a label in training."""

    train_days: tuple[dt.date, ...]
    held_days: tuple[dt.date, ...]
    held_cells: np.ndarray

    @property
    def name(self) -> str:
        """Names the days that statistics for this split are computed from."""
        return f"{self.train_days[0]:%Y%m%d}_{self.train_days[-1]:%Y%m%d}"


def split(days: Sequence[dt.date], shape: tuple[int, int], cells: float, last_days: float, seed: int) -> Split:
    """Hold out about ``cells`` of the domain in blocks, and the last part ``last_days`` of the period.

    Blocks are 4 x 4 cells (150 km) where the domain has 24 cells or more a side, else 2 x 2.
    """
    keep = max(1, len(days) - round(len(days) * last_days))
    side = 4 if min(shape) >= 24 else 2
    rows, cols = -(-shape[0] // side), -(-shape[1] // side)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 7]))
    blocks = np.zeros(rows * cols, bool)
    if cells > 0:
        blocks[rng.permutation(blocks.size)[: max(1, round(cells * blocks.size))]] = True
    held = np.kron(blocks.reshape(rows, cols), np.ones((side, side), bool))[: shape[0], : shape[1]]
    return Split(tuple(days[:keep]), tuple(days[keep:]), held.astype(bool))
