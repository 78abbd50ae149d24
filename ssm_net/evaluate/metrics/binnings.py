"""Strata: how the pixels of a day are sorted before they are scored."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.evaluate.metrics.algebra import Binning, ScoredDay
from ssm_net.formats.product import Flag


@dataclass(frozen=True)
class SkyStrata(Binning):
    """By the product's own quality flags: all pixels, and those with each flag. All methods share them."""

    column: str = "stratum"
    strata: tuple[tuple[str, Flag | None], ...] = (
        ("all", None),
        ("clear", Flag.LST_SEEN),
        ("cloudy", Flag.LST_FILLED),
        ("orbit gap", Flag.ORBIT_GAP_FILLED),
    )

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for label, _ in self.strata)

    def masks(self, flags: np.ndarray) -> Iterator[tuple[str, np.ndarray | None]]:
        """Label and mask of each stratum, for quality flags of any shape; None for all."""
        for label, flag in self.strata:
            yield label, None if flag is None else (flags & int(flag)) > 0

    def bins(self, day: ScoredDay) -> Iterator[tuple[str, np.ndarray | None]]:
        return self.masks(day.flags)

    def order(self, labels: Sequence[str]) -> list[str]:
        return [label for label in self.labels if label in labels]


@dataclass(frozen=True)
class ObservationAge(Binning):
    """By the days since the radiometer last observed the cell."""

    column: str = "days"
    limits: tuple[tuple[str, int, int], ...] = (
        ("0", 0, 0), ("1", 1, 1), ("2-3", 2, 3), ("4-7", 4, 7), ("8-14", 8, 14), ("> 14", 15, 10**6),
    )  # fmt: skip

    def bins(self, day: ScoredDay) -> Iterator[tuple[str, np.ndarray | None]]:
        if day.age is None:
            return
        for label, first, last in self.limits:
            cells = (day.age >= first) & (day.age <= last)
            if cells.any():
                yield label, cells.repeat(day.ratio, 0).repeat(day.ratio, 1)

    def order(self, labels: Sequence[str]) -> list[str]:
        return [label for label, _, _ in self.limits if label in labels]


@dataclass(frozen=True)
class CalendarMonth(Binning):
    """By the month of the year, all years together."""

    column: str = "month"

    def bins(self, day: ScoredDay) -> Iterator[tuple[str, np.ndarray | None]]:
        yield calendar.month_name[day.day.month], None

    def order(self, labels: Sequence[str]) -> list[str]:
        return [name for name in calendar.month_name if name in labels]


SKY = SkyStrata()
