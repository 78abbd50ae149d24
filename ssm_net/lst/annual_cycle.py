"""The annual cycle of background LST (and of air temperature), learned day by day by ridge regression.

    background(t) = c0 + c1 cos(2 pi t) + c2 sin(2 pi t) + weather,    t in years

The normal equations grow with each day that has a clear-sky observation, in blocks of ``CELLS`` coarse cells that share
their observations. While nothing is observed, the background is moved by as much as the cycle moves.

A short record says little about a year. The ridge prior is the annual cycle of the latitude: an amplitude of 0.3 K a
degree about the middle of July, or of January in the south, which is about what the seasons of land are (10 K at 35
degrees, 18 K at 60). Where a reanalysis gives the air temperature, its weather (what it changed by more than its own
annual cycle did) is added to the background, degree for degree.

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
RIDGE = (1e-3, 20.0, 20.0)  # strength of the prior, in days: none on the level, some on the cycle of the latitude
AMPLITUDE, WARMEST = 0.3, 196  # K a degree of latitude, and the warmest day of the year in the north
REFERENCE_LST = 285.0  # K, subtracted so that sums keep their precision


@dataclass(frozen=True)
class Cycle:
    """The normal equations of each block, prior included: ``gram`` (Y, X, 3, 3) and ``moment`` (Y, X, 3), float64."""

    gram: Tensor
    moment: Tensor

    @classmethod
    def prior(cls, latitude: Tensor) -> Cycle:
        """Before any observation: the cycle of coarse cells at ``latitude`` (R, C), degrees."""
        count = _block_sums(torch.ones_like(latitude))
        angle = 2 * math.pi * WARMEST / 365.25
        coefficients = count.new_tensor([0.0, AMPLITUDE * math.cos(angle), AMPLITUDE * math.sin(angle)])
        ridge = count.new_tensor(RIDGE)
        gram = torch.diag(ridge).expand(*count.shape, 3, 3)
        return cls(gram, (_block_sums(latitude) / count)[..., None] * ridge * coefficients)

    def change(self, since: dt.date, to: dt.date, shape: tuple[int, int]) -> Tensor:
        """By how much the cycle moves between two days, (R, C) K on coarse cells of that ``shape``."""
        difference = self.gram.new_tensor(_basis(to)) - self.gram.new_tensor(_basis(since))
        coefficients = torch.linalg.solve(self.gram, self.moment)
        moved = (coefficients @ difference).float()
        return moved.repeat_interleave(CELLS, 0).repeat_interleave(CELLS, 1)[: shape[0], : shape[1]]

    def learn(self, day: dt.date, temperature: Tensor, fraction: Tensor) -> Cycle:
        """The cycle with a day's ``temperature`` (R, C) K, each cell weighted by its observed ``fraction`` (R, C)."""
        known = torch.isfinite(temperature)
        weight = _block_sums(torch.where(known, fraction, 0.0))
        value = _block_sums(torch.where(known, fraction * torch.nan_to_num(temperature - REFERENCE_LST), 0.0))
        basis = self.gram.new_tensor(_basis(day))
        # A day counts once at most, however many cells of a block were observed.
        scale = weight.clamp(max=1.0) / weight.clamp(min=1e-9)
        gram = self.gram + weight.clamp(max=1.0)[..., None, None] * torch.outer(basis, basis)
        return Cycle(gram, self.moment + (scale * value)[..., None] * basis)

    def to_json(self) -> dict[str, Any]:
        return {"gram": self.gram.tolist(), "moment": self.moment.tolist()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Cycle:
        return cls(*(torch.tensor(stored[k], dtype=torch.float64) for k in ("gram", "moment")))


@dataclass(frozen=True)
class AirMemory:
    """The state of the air at an overpass that a day hands to the next: its temperature at sea level (R, C) K, and the
    annual cycle of that."""

    temperature: Tensor
    cycle: Cycle

    @classmethod
    def first(cls, day: dt.date, temperature: Tensor, latitude: Tensor) -> AirMemory:
        """The state after the first day of a reanalysis."""
        cycle = Cycle.prior(latitude)
        return cls(temperature, cycle.learn(day, temperature, torch.ones_like(temperature)))

    def follow(self, since: dt.date, day: dt.date, temperature: Tensor | None) -> tuple[Tensor, AirMemory]:
        """By how much the air moved more than its annual cycle, (R, C) K, and the state after ``day``.

        Without a ``temperature`` the weather is taken to be unchanged: the move is 0.
        """
        shape = (self.temperature.shape[0], self.temperature.shape[1])
        expected = self.temperature + self.cycle.change(since, day, shape)
        if temperature is None:
            return torch.zeros_like(expected), AirMemory(expected, self.cycle)
        now = torch.where(torch.isfinite(temperature), temperature, expected)
        cycle = self.cycle.learn(day, temperature, torch.ones_like(temperature))
        return torch.nan_to_num(now - expected), AirMemory(now, cycle)


def _basis(day: dt.date) -> list[float]:
    angle = 2 * math.pi * (day - dt.date(2000, 1, 1)).days / 365.25
    return [1.0, math.cos(angle), math.sin(angle)]


def _block_sums(cells: Tensor) -> Tensor:
    """Sums over blocks of ``CELLS`` x ``CELLS``, (Y, X) float64; blocks at the edge may hold fewer cells."""
    rows, cols = (-n % CELLS for n in cells.shape)
    padded = torch.nn.functional.pad(cells.double(), (0, cols, 0, rows))
    height, width = padded.shape
    return padded.reshape(height // CELLS, CELLS, width // CELLS, CELLS).sum((1, 3))
