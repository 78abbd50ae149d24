"""The annual cycle of a region's clear-sky LST, learned day by day from whatever days there are.

    region(t) = c0 + c1 cos(2 pi t) + c2 sin(2 pi t) + weather,    t in years

by ridge regression whose normal equations grow with each day that has a view, in blocks of ``CELLS`` coarse cells that
share what they saw. While nothing is seen, the region moves by what the cycle moves. A short record has little to say
of a year: the ridge holds the amplitude back, and the step is small.
Source: annual temperature cycles, Bechtel (2012), Int. J. Appl. Earth Obs. Geoinf. 18.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CELLS = 12  # coarse cells a side of a block, 430 km: an annual cycle is a matter of climate
RIDGE = (1e-3, 20.0, 20.0)  # days of prior belief: none in the level, some in a cycle of no amplitude
LEVEL = 285.0  # K, taken off so that sums keep their precision


@dataclass(frozen=True)
class Cycle:
    """Normal equations of each block: ``gram`` (Y, X, 3, 3) and ``moment`` (Y, X, 3), float64."""

    gram: Tensor
    moment: Tensor

    @classmethod
    def none(cls, shape: tuple[int, int]) -> Cycle:
        """Nothing seen yet, of (R, C) coarse cells."""
        blocks = tuple(-(-n // CELLS) for n in shape)
        return cls(torch.zeros(*blocks, 3, 3, dtype=torch.float64), torch.zeros(*blocks, 3, dtype=torch.float64))

    def step(self, since: dt.date, to: dt.date, shape: tuple[int, int]) -> Tensor:
        """By how much the cycle moves between two days, (R, C) K."""
        change = _basis(to) - _basis(since)
        law = torch.linalg.solve(self.gram + torch.diag(torch.tensor(RIDGE, dtype=torch.float64)), self.moment)
        moved = (law @ change).float()
        return moved.repeat_interleave(CELLS, 0).repeat_interleave(CELLS, 1)[: shape[0], : shape[1]]

    def learn(self, day: dt.date, region: Tensor, seen: Tensor) -> Cycle:
        """With a day's ``region`` (R, C) K, believed by the part ``seen`` (R, C, 0..1) of each cell."""
        known = torch.isfinite(region)
        weight = _blocks(torch.where(known, seen, 0.0))
        value = _blocks(torch.where(known, seen * torch.nan_to_num(region - LEVEL), 0.0))
        basis = _basis(day)
        share = weight.clamp(max=1.0) / weight.clamp(min=1e-9)  # a day counts once, however much of it was seen
        gram = self.gram + weight.clamp(max=1.0)[..., None, None] * torch.outer(basis, basis)
        return Cycle(gram, self.moment + (share * value)[..., None] * basis)

    def to_json(self) -> dict[str, Any]:
        return {"gram": self.gram.tolist(), "moment": self.moment.tolist()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Cycle:
        return cls(*(torch.tensor(stored[k], dtype=torch.float64) for k in ("gram", "moment")))


def _basis(day: dt.date) -> Tensor:
    angle = 2 * math.pi * (day - dt.date(2000, 1, 1)).days / 365.25
    return torch.tensor([1.0, math.cos(angle), math.sin(angle)], dtype=torch.float64)


def _blocks(cells: Tensor) -> Tensor:
    """Sums over the blocks, (Y, X) float64; those at the edge may be smaller."""
    rows, cols = (-n % CELLS for n in cells.shape)
    whole = torch.nn.functional.pad(cells.double(), (0, cols, 0, rows))
    height, width = whole.shape
    return whole.reshape(height // CELLS, CELLS, width // CELLS, CELLS).sum((1, 3))
