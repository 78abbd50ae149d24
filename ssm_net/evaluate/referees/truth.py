"""A day of all methods against the 1 km truth, bin by bin, as sums that merge over days."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ssm_net.evaluate.metrics.algebra import (
    EVERYWHERE,
    Binning,
    Comparison,
    Reference,
    Scorecard,
    ScoredDay,
    ScoreTable,
    Statistic,
)
from ssm_net.evaluate.metrics.scorecard import SCORECARD
from ssm_net.evaluate.metrics.statistics import Sums, merge
from ssm_net.formats.product import Attribute, Mosaic

PRODUCT = "ssm_net"
TRUTH = "truth"
TILE_ATTRIBUTE = "inference_tile"  # of a mosaic: side of the tiles in which it was made, coarse cells


class Key(NamedTuple):
    """What a sum belongs to; ``product_only`` sums count all pixels of the product, others those common to all."""

    product_only: bool
    method: str
    binning: Binning
    label: str
    statistic: Statistic


@dataclass(frozen=True)
class TruthScores:
    """The sums of one day or, after ``+``, of many.

    ``counted`` and ``offered`` are the pixels that were scored and the pixels of the product that had a truth.
    """

    sums: dict[Key, Sums]
    counted: int = 0
    offered: int = 0

    @classmethod
    def zero(cls) -> TruthScores:
        return cls({})

    def __add__(self, other: TruthScores) -> TruthScores:
        counted, offered = self.counted + other.counted, self.offered + other.offered
        return TruthScores(merge(self.sums, other.sums), counted, offered)

    def get(
        self,
        statistic: Statistic,
        method: str,
        label: str = "all",
        binning: Binning = EVERYWHERE,
        product_only: bool = False,
    ) -> Any:
        """The sums of a statistic; None where there are none."""
        return self.sums.get(Key(product_only, method, binning, label, statistic))

    def rows(self, table: ScoreTable, methods: Collection[str]) -> list[dict[str, Any]]:
        """The table's rows, a bin and a method each; a row without any number is left out."""
        keys = [k for k in self.sums if k.product_only == table.product_only and k.binning == table.binning]
        names = [PRODUCT] if table.product_only else list(methods)
        if any(m.statistic.of_truth for m in table.metrics):
            names.insert(0, TRUTH)
        out = []
        for label in table.binning.order(sorted({k.label for k in keys})):
            for method in names:
                scores = self._scores(table, method, label)
                if any(v is not None and np.isfinite(v) for v in scores.values()):
                    name = {} if table.product_only else {"method": method}
                    out.append(name | ({table.binning.column: label} if table.binning.column else {}) | scores)
        return out

    def _scores(self, table: ScoreTable, method: str, label: str) -> dict[str, Any]:
        """The metrics of a row; those that do not apply to it are left out."""
        out: dict[str, Any] = {}
        for metric in table.metrics:
            if method == TRUTH and not metric.statistic.of_truth:
                continue
            sums = self.get(metric.statistic, method, label, table.binning, table.product_only)
            value = metric.value(sums) if sums is not None else metric.missing
            if value is not None:
                out[metric.name] = value
        return out


def score_day(
    truth: np.ndarray,
    methods: Mapping[str, Mosaic],
    land: np.ndarray,
    day: ScoredDay,
    scorecard: Scorecard = SCORECARD,
    skip: Collection[Statistic] = (),
    complete: bool = True,
) -> TruthScores:
    """Sums of one day, of all that ``scorecard`` asks for but the statistics ``skip``.

    ``truth`` and ``land`` (bool) are (Ny, Nx). A pixel counts where the truth and every method have a value, and the
    strata are those of the product (``methods[PRODUCT]``), so all methods are scored on the same pixels. Where the day
    is not ``complete`` (a method lacks it), only tables of the product alone are scored.
    """
    product = methods[PRODUCT]
    truth_there = land & np.isfinite(truth)
    of_product = truth_there & np.isfinite(product.ssm)
    offered = int(np.count_nonzero(of_product))
    sums = _sum({PRODUCT: product}, Reference(truth, of_product, day.ratio), day, scorecard, skip, True)
    if not complete:
        return TruthScores(sums)
    where = of_product.copy()
    for mosaic in methods.values():
        where &= np.isfinite(mosaic.ssm)
    sums |= _sum(methods, Reference(truth, where, day.ratio), day, scorecard, skip, False)
    return TruthScores(sums, int(np.count_nonzero(where)), offered)


def _sum(
    methods: Mapping[str, Mosaic],
    reference: Reference,
    day: ScoredDay,
    scorecard: Scorecard,
    skip: Collection[Statistic],
    product_only: bool,
) -> dict[Key, Sums]:
    """What the scorecard's tables of one kind need; what several of them need of all pixels is summed once."""
    pairs = {name: Comparison(reference, m.ssm, m.sigma, tile_of(m.attrs)) for name, m in methods.items()}
    pairs[TRUTH] = Comparison(reference, reference.field, tile=tile_of(methods[PRODUCT].attrs))
    names = {s: [n for n in pairs if n != TRUTH or s.of_truth] for s in scorecard.statistics if s not in skip}
    of_all_pixels: dict[tuple[str, Statistic], Sums | None] = {}
    out: dict[Key, Sums] = {}
    for binning, statistics in scorecard.requests(product_only).items():
        for label, mask in binning.bins(day):
            where = reference.where if mask is None else mask & reference.where
            if not where.any():
                continue
            for statistic, name in ((s, name) for s in statistics if s in names for name in names[s]):
                if mask is None and (name, statistic) in of_all_pixels:
                    sums = of_all_pixels[name, statistic]
                else:
                    sums = statistic.sums(pairs[name], where)
                if mask is None:
                    of_all_pixels[name, statistic] = sums
                if sums is not None:
                    out[Key(product_only, name, binning, label, statistic)] = sums
    return out


def tile_of(attrs: Mapping[str, Attribute]) -> int | None:
    """The side, in coarse cells, of the tiles in which a mosaic was made; None where it does not say."""
    value = attrs.get(TILE_ATTRIBUTE)
    return None if value is None else int(value)
