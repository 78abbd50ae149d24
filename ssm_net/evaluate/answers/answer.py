"""A number that opens the report: of the maps, of the coarse product, and the difference, with intervals and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from ssm_net.evaluate.referees.station_scores import ScoreWithInterval as Estimate

COARSE = "bilinear"  # the undownscaled product: the coarse observation interpolated to the pixels
Question = Literal["better", "where", "when", "how much", "how sure"]
Referee = Literal["truth", "stations", "coarse observation", "quality flags"]


@dataclass(frozen=True)
class Basis:
    """What a number rests on: ``count`` of ``counted`` (pixel-days, pairs ..), drawn in ``day_blocks`` and
    ``cell_blocks``; 0 blocks where nothing is drawn."""

    count: int
    counted: str
    day_blocks: int = 0
    cell_blocks: int = 0


@dataclass(frozen=True)
class Answer:
    """One ``measure`` of a ``group`` (all, a stratum of the sky, a month). ``ours`` is of the maps, ``coarse`` of the
    undownscaled product; ``change`` is of ours against coarse, as a fraction of it where ``relative``."""

    question: Question
    referee: Referee
    measure: str
    group: str
    unit: str
    ours: Estimate
    basis: Basis
    coarse: Estimate | None = None
    change: Estimate | None = None
    relative: bool = True

    def row(self) -> dict[str, Any]:
        """The answer as a row of ``scores.json`` and ``report.json``; intervals are of 95 %."""
        out: dict[str, Any] = {"question": self.question, "referee": self.referee, "measure": self.measure,
                               "group": self.group, "unit": self.unit}  # fmt: skip
        for name, value in (("ours", self.ours), ("coarse", self.coarse), ("change", self.change)):
            if value is not None:
                out |= {name: value.value, f"{name} low": value.low, f"{name} high": value.high}
        if self.change is not None:
            out["change unit"] = "1" if self.relative else self.unit
        out |= {"count": self.basis.count, "counted": self.basis.counted}
        return out | {"blocks of days": self.basis.day_blocks, "blocks of cells": self.basis.cell_blocks}


def within(estimate: Estimate, least: float, most: float = float("inf")) -> Estimate:
    """The estimate with an interval that ends where the score ends: an error is not below 0, a correlation within 1."""
    low, high = (float(np.clip(end, least, most)) for end in (estimate.low, estimate.high))
    return Estimate(estimate.value, low, high)


def share(part: float, independent: int, level: float = 0.95) -> Estimate:
    """A part with the interval of Wilson (1927, J. Am. Stat. Assoc. 22, 209) for so many independent cases; it does not
    shrink to nothing where the part is 0 or 1."""
    if not independent or not np.isfinite(part):
        return Estimate(float(part))
    z2 = float(stats.norm.ppf(0.5 + level / 2)) ** 2
    middle = (part + z2 / (2 * independent)) / (1 + z2 / independent)
    half = np.sqrt(z2 * part * (1 - part) / independent + z2**2 / (4 * independent**2)) / (1 + z2 / independent)
    return Estimate(float(part), float(max(middle - half, 0.0)), float(min(middle + half, 1.0)))
