"""The algebra of scores: a statistic sums a day, a binning sorts its pixels, a metric makes a number of merged sums.

A new score is a new ``Metric``; a new stratum is a new ``Binning``, or a label of one. ``scorecard.py`` lists, as data,
which table holds which. Only sums are kept from one day to the next, as in google-research/weatherbenchX.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ssm_net.cube.store import Cube
from ssm_net.evaluate.metrics.spatial import cell_mean, subgrid
from ssm_net.evaluate.metrics.statistics import Sums

UNIT = "m³\u00a0m⁻³"  # a unit does not wrap


@dataclass(frozen=True)
class Reference:
    """The truth of a day: ``field`` (Ny, Nx) m3 m-3 on the pixels ``where`` (bool) that count for every method.

    ``ratio`` is the number of pixels along a side of a coarse cell.
    """

    field: np.ndarray
    where: np.ndarray
    ratio: int

    @cached_property
    def cell_mean(self) -> np.ndarray:
        """Means of the coarse cells over the pixels that count, (R, C), NaN where none does."""
        return cell_mean(self.field, self.where, self.ratio)

    @cached_property
    def anomaly(self) -> np.ndarray:
        """Departures from the cell means, (Ny, Nx), 0 where a pixel does not count."""
        return subgrid(self.field, self.where, self.ratio)


@dataclass(frozen=True)
class Comparison:
    """One field of a day next to the truth: ``estimate`` (Ny, Nx) m3 m-3 with its standard error ``sigma``.

    The truth itself is compared too, by statistics that describe a single field: then ``sigma`` is None. ``tile`` is
    the side, in coarse cells, of the tiles in which the field was made; None where that is unknown.
    """

    reference: Reference
    estimate: np.ndarray
    sigma: np.ndarray | None = None
    tile: int | None = None

    @cached_property
    def anomaly(self) -> np.ndarray:
        """Departures of the estimate from its cell means, (Ny, Nx), 0 where a pixel does not count."""
        return subgrid(self.estimate, self.reference.where, self.reference.ratio)


class Statistic(ABC):
    """Sums over the pixels of a day that merge over days. Subclasses are frozen dataclasses: equal ones are one."""

    of_truth: ClassVar[bool] = False  # it describes a field by itself, so that the truth has it too
    most_days: ClassVar[int | None] = None  # a costly one is summed on that many days at most, evenly spaced

    @abstractmethod
    def sums(self, pair: Comparison, where: np.ndarray) -> Sums | None:
        """The sums of a day over ``where`` (Ny, Nx) bool, all of which count; None where there is nothing to sum."""


@dataclass(frozen=True)
class Metric(ABC):
    """A score: one number made of the merged sums of a statistic, and how the report shows it.

    ``name`` is its key in ``scores.json``; the best value is that nearest to ``target``.
    """

    name: str
    statistic: Statistic
    title: str = ""  # of its card in the report; the name where there is none
    about: str = ""  # below the title
    unit: str = ""
    digits: int = 4
    target: float = 0.0

    missing: ClassVar[float | None] = float("nan")  # the score where nothing could be summed

    @abstractmethod
    def value(self, sums: Any) -> float | int | None:
        """The score; NaN where it is not defined, None where it does not apply to the maps at all."""

    @property
    def heading(self) -> str:
        """Of a column in the report."""
        return f"{self.name}, {self.unit}" if self.unit else self.name


@dataclass(frozen=True)
class ScoredDay:
    """What the pixels of a day may be sorted by: ``flags`` (Ny, Nx) of the product, ``age`` (R, C), the days since each
    cell was last observed, and the static maps of the ``cube``."""

    day: dt.date
    flags: np.ndarray
    ratio: int
    age: np.ndarray | None = None
    cube: Cube | None = None


class Binning(ABC):
    """A way to sort the pixels of a day into labelled bins, which may overlap. ``column`` names it in tables."""

    column: str = ""

    @abstractmethod
    def bins(self, day: ScoredDay) -> Iterator[tuple[str, np.ndarray | None]]:
        """Label and pixels (Ny, Nx) bool of each bin; None for all pixels."""

    def order(self, labels: Sequence[str]) -> list[str]:
        """The labels in the order of the table's rows."""
        return sorted(labels)


@dataclass(frozen=True)
class ScoreTable:
    """A table of the report and of ``scores.json`` (under ``key``): ``metrics`` of each method in each bin.

    A pixel counts where the truth and all methods have a value; with ``product_only`` where the truth and the product
    have one, and only the product is scored.
    """

    key: str
    title: str
    about: str
    binning: Binning
    metrics: tuple[Metric, ...]
    product_only: bool = False


@dataclass(frozen=True)
class Scorecard:
    """What is computed: tables; ``drawn``, statistics that only figures show, over all pixels that count; and
    ``resampled``, sums by blocks from which intervals are drawn, each with the binning that sorts its days."""

    tables: tuple[ScoreTable, ...]
    drawn: tuple[Statistic, ...] = ()
    resampled: tuple[tuple[Binning, Statistic], ...] = ()

    def requests(self, product_only: bool) -> dict[Binning, list[Statistic]]:
        """The statistics to be summed in each binning, each once."""
        out: dict[Binning, dict[Statistic, None]] = {}
        for table in self.tables:
            if table.product_only == product_only:
                out.setdefault(table.binning, {}).update(dict.fromkeys(m.statistic for m in table.metrics))
        if not product_only:
            out.setdefault(EVERYWHERE, {}).update(dict.fromkeys(self.drawn))
            for binning, statistic in self.resampled:
                out.setdefault(binning, {})[statistic] = None
        return {binning: list(statistics) for binning, statistics in out.items()}

    @property
    def statistics(self) -> set[Statistic]:
        """All statistics that are summed."""
        of_tables = {m.statistic for table in self.tables for m in table.metrics}
        return of_tables | set(self.drawn) | {statistic for _, statistic in self.resampled}


@dataclass(frozen=True)
class Everywhere(Binning):
    """A single bin: all pixels."""

    label: str = "all"

    def bins(self, day: ScoredDay) -> Iterator[tuple[str, np.ndarray | None]]:
        yield self.label, None


EVERYWHERE = Everywhere()
