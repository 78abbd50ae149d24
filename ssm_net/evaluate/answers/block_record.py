"""Sums by pentad and block of cells as arrays, and scores of them with intervals from drawn blocks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ssm_net.evaluate.answers.answer import Estimate, within
from ssm_net.evaluate.metrics.blocks import side_of
from ssm_net.evaluate.referees.block_bootstrap import Resampling

WIDTH = 2  # cells along a side of the blocks that are drawn: wider than a footprint; larger where sums are
LEAST_BLOCKS = 2

Totals = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class BlockRecord:
    """Sums of D pentads, ``first`` their first days, at P blocks of cells of a grid ``shape`` (R, C): ``sums`` maps a
    name to an array (D, P)."""

    first: tuple[dt.date, ...]
    shape: tuple[int, int]
    drawn_as: np.ndarray  # (P,) the block that a block of sums is drawn with
    sums: dict[str, np.ndarray]

    @classmethod
    def of(cls, pentads: Mapping[dt.date, Mapping[str, np.ndarray]], coarse_shape: tuple[int, int]) -> BlockRecord:
        """Of the sums of each pentad, arrays (R, C) by name, in a domain of ``coarse_shape`` cells."""
        first = tuple(sorted(pentads))
        names = list(pentads[first[0]])
        shape = pentads[first[0]][names[0]].shape
        step = WIDTH if side_of(coarse_shape) == 1 else 1
        row, col = np.indices(shape) // step
        sums = {name: np.array([pentads[day][name].ravel() for day in first]) for name in names}
        return cls(first, (shape[0], shape[1]), (row * shape[1] + col).ravel(), sums)

    def of_month(self, month: int) -> BlockRecord:
        """The pentads of a calendar month, of all years."""
        keep = [i for i, day in enumerate(self.first) if day.month == month]
        first = tuple(self.first[i] for i in keep)
        return BlockRecord(first, self.shape, self.drawn_as, {k: v[keep] for k, v in self.sums.items()})

    def only(self, cells: np.ndarray) -> BlockRecord:
        """The blocks of cells (P,) bool; the grid's shape no longer holds."""
        return BlockRecord(self.first, (1, int(cells.sum())), self.drawn_as[cells],
                           {k: v[:, cells] for k, v in self.sums.items()})  # fmt: skip

    def total(self, name: str) -> np.ndarray:
        """By block of cells over all days, (R, C)."""
        return self.sums[name].sum(0).reshape(self.shape)


@dataclass(frozen=True)
class DrawnScores:
    """DrawnScores with 95 % intervals, and the numbers of blocks of days and of cells that were drawn."""

    of: dict[str, Estimate]
    day_blocks: int
    cell_blocks: int


def scores_with_intervals(
    record: BlockRecord, score: Callable[[Totals], Mapping[str, np.ndarray]], limits: Mapping[str, tuple[float, float]]
) -> DrawnScores:
    """What ``score`` makes of the totals of ``record``, with intervals from drawn blocks of days and of cells.

    ``score`` takes totals by name, arrays of any one shape, and gives scores of that shape; ``limits`` are the least
    and the greatest value of some of them. Blocks without a pair (``n``) are not drawn.
    With a single block of days and of cells there is no interval.
    """
    used = record.sums["n"].sum(0) > 0
    kept = record.only(used)
    draws = Resampling.of(np.array([day.toordinal() for day in kept.first]), kept.drawn_as)
    starts = np.flatnonzero(np.diff(draws.block, prepend=-1))
    drawn = {
        name: ((draws.days @ np.add.reduceat(values, starts, axis=0)) * draws.stations).sum(1)
        for name, values in kept.sums.items()
    }
    values = score({name: np.asarray(values.sum()) for name, values in kept.sums.items()})
    day_blocks, cell_blocks = len(starts), len(np.unique(kept.drawn_as))
    wider, samples = widening(day_blocks, cell_blocks), score(drawn)
    of = {name: interval(float(values[name]), np.asarray(samples[name]), wider) for name in values}
    of |= {name: within(of[name], *ends) for name, ends in limits.items() if name in of}
    return DrawnScores(of, day_blocks, cell_blocks)


def widening(*blocks: int) -> float:
    """By how much the interval of few blocks is too narrow: Student's t for the normal, and n / (n - 1), of the fewest
    that are drawn; NaN where there is one block of each kind, which tells nothing of the others."""
    several = [n for n in blocks if n >= LEAST_BLOCKS]
    if not several:
        return float("nan")
    n = min(several)
    return float(stats.t.ppf(0.975, n - 1) / stats.norm.ppf(0.975) * np.sqrt(n / (n - 1)))


def interval(value: float, drawn: np.ndarray, wider: float, level: float = 0.95) -> Estimate:
    """The value with the interval that holds ``level`` of what was ``drawn``, made ``wider``."""
    if not np.isfinite(value) or not np.isfinite(wider) or not np.isfinite(drawn).any():
        return Estimate(value)
    low, high = np.nanquantile(drawn, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(value, value - wider * max(value - float(low), 0.0), value + wider * max(float(high) - value, 0.0))
