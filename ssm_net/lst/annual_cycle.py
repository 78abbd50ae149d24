"""The annual cycle of a region's clear-sky LST, learned day by day from whatever days there are.

    region(t) = c0 + c1 cos(2 pi t) + c2 sin(2 pi t) + weather,    t in years

by ridge regression whose normal equations grow with each day that has a view, in blocks of ``CELLS`` coarse cells that
share what they saw. While nothing is seen, the region moves by what the cycle moves. A short record has little to say
of a year: the ridge holds the cycle to that of its latitude, 0.3 K a degree about the middle of July, or of January in
the south, which is about what the seasons of land are (10 K at 35 degrees, 18 K at 60). Where a reanalysis tells the
air's temperature, its weather, what it moved by more than its own cycle did, is the region's too, degree by degree.
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
RIDGE = (1e-3, 20.0, 20.0)  # days of prior belief: none in the level, some in the cycle of the latitude
AMPLITUDE, WARMEST = 0.3, 196  # K a degree of latitude, and the day of the year it is for in the north
LEVEL = 285.0  # K, taken off so that sums keep their precision


@dataclass(frozen=True)
class Cycle:
    """Normal equations of each block, with the belief before any view: ``gram`` (Y, X, 3, 3) and ``moment`` (Y, X, 3),
    float64."""

    gram: Tensor
    moment: Tensor

    @classmethod
    def before_any(cls, latitude: Tensor) -> Cycle:
        """Nothing seen yet, of coarse cells at ``latitude`` (R, C), degrees."""
        count = _blocks(torch.ones_like(latitude))
        angle = 2 * math.pi * WARMEST / 365.25
        law = count.new_tensor([0.0, AMPLITUDE * math.cos(angle), AMPLITUDE * math.sin(angle)])
        ridge = count.new_tensor(RIDGE)
        gram = torch.diag(ridge).expand(*count.shape, 3, 3)
        return cls(gram, (_blocks(latitude) / count)[..., None] * ridge * law)

    def step(self, since: dt.date, to: dt.date, shape: tuple[int, int]) -> Tensor:
        """By how much the cycle moves between two days, (R, C) K."""
        change = self.gram.new_tensor(_basis(to)) - self.gram.new_tensor(_basis(since))
        law = torch.linalg.solve(self.gram, self.moment)
        moved = (law @ change).float()
        return moved.repeat_interleave(CELLS, 0).repeat_interleave(CELLS, 1)[: shape[0], : shape[1]]

    def learn(self, day: dt.date, background: Tensor, seen: Tensor) -> Cycle:
        """With a day's ``background`` (R, C) K, believed by the part ``seen`` (R, C, 0..1) of each cell."""
        known = torch.isfinite(background)
        weight = _blocks(torch.where(known, seen, 0.0))
        value = _blocks(torch.where(known, seen * torch.nan_to_num(background - LEVEL), 0.0))
        basis = self.gram.new_tensor(_basis(day))
        share = weight.clamp(max=1.0) / weight.clamp(min=1e-9)  # a day counts once, however much of it was seen
        gram = self.gram + weight.clamp(max=1.0)[..., None, None] * torch.outer(basis, basis)
        return Cycle(gram, self.moment + (share * value)[..., None] * basis)

    def to_json(self) -> dict[str, Any]:
        return {"gram": self.gram.tolist(), "moment": self.moment.tolist()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Cycle:
        return cls(*(torch.tensor(stored[k], dtype=torch.float64) for k in ("gram", "moment")))


@dataclass(frozen=True)
class AirMemory:
    """What a day leaves of the air at an overpass: its temperature at sea level (R, C) K, and its annual cycle."""

    temperature: Tensor
    cycle: Cycle

    @classmethod
    def first(cls, day: dt.date, temperature: Tensor, latitude: Tensor) -> AirMemory:
        cycle = Cycle.before_any(latitude)
        return cls(temperature, cycle.learn(day, temperature, torch.ones_like(temperature)))

    def follow(self, since: dt.date, day: dt.date, temperature: Tensor | None) -> tuple[Tensor, AirMemory]:
        """By how much the air moved more than its cycle, (R, C) K, and the state that ``day`` leaves.

        Without a ``temperature`` the weather stays as it was: nothing moved.
        """
        shape = (self.temperature.shape[0], self.temperature.shape[1])
        expected = self.temperature + self.cycle.step(since, day, shape)
        if temperature is None:
            return torch.zeros_like(expected), AirMemory(expected, self.cycle)
        now = torch.where(torch.isfinite(temperature), temperature, expected)
        cycle = self.cycle.learn(day, temperature, torch.ones_like(temperature))
        return torch.nan_to_num(now - expected), AirMemory(now, cycle)


def _basis(day: dt.date) -> list[float]:
    angle = 2 * math.pi * (day - dt.date(2000, 1, 1)).days / 365.25
    return [1.0, math.cos(angle), math.sin(angle)]


def _blocks(cells: Tensor) -> Tensor:
    """Sums over the blocks, (Y, X) float64; those at the edge may be smaller."""
    rows, cols = (-n % CELLS for n in cells.shape)
    whole = torch.nn.functional.pad(cells.double(), (0, cols, 0, rows))
    height, width = whole.shape
    return whole.reshape(height // CELLS, CELLS, width // CELLS, CELLS).sum((1, 3))
