"""Answers by stations: maps and coarse product at the same stations and days, blocks of days and footprints drawn."""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.evaluate.answers.answer import COARSE, Answer, Basis, Estimate, Question, share, within
from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.metrics.statistics import Moments, divide
from ssm_net.evaluate.referees.block_bootstrap import BlockMoments, Resampling, median_scores, scores_of
from ssm_net.evaluate.referees.point_series import Series
from ssm_net.evaluate.referees.station_scores import MIN_PAIRS, SUMMARY_PAIRS
from ssm_net.evaluate.referees.stations import StationRow, pairs_by_sky
from ssm_net.evaluate.referees.truth import PRODUCT

LIMITS = {
    "ours R": (-1.0, 1.0), "coarse R": (-1.0, 1.0), "change R": (-2.0, 2.0),
    "ours ubRMSE": (0.0, math.inf), "coarse ubRMSE": (0.0, math.inf), "change ubRMSE": (-1.0, math.inf),
    "ours bias": (-1.0, 1.0), "coarse bias": (-1.0, 1.0),
}  # fmt: skip


def station_answers(series: Series, rows: Sequence[StationRow]) -> Iterator[Answer]:
    """None where no station has a score."""
    pairs = StationPairs.of(series, rows)
    if pairs is None:
        return
    everything = pairs.medians()
    if COARSE in pairs.ssm:
        yield pairs.answer("better", "all", "ubRMSE", UNIT, everything)
        yield where(pairs)
        yield from when(pairs)
    for measure, unit in (("ubRMSE", UNIT), ("R", "1"), ("bias", UNIT)):
        yield pairs.answer("how much", "all", measure, unit, everything)


@dataclass(frozen=True)
class Medians:
    """Medians over stations with intervals, and what they rest on."""

    of: dict[str, Estimate]
    pairs: int
    stations: int
    day_blocks: int
    footprints: int


@dataclass(frozen=True)
class StationPairs:
    """The pairs of S stations on D days: ``station``, ``ssm`` of the maps and of the coarse product, m3 m-3, and
    quality ``flags``, (D, S); ``common`` is true where all methods of the evaluation have a value. ``footprints``
    (S,) numbers the coarse cells they lie in; ``day`` (D,) are day numbers, ``month`` (D,) 1 to 12."""

    columns: np.ndarray
    station: np.ndarray
    ssm: dict[str, np.ndarray]
    flags: np.ndarray
    common: np.ndarray
    footprints: np.ndarray
    day: np.ndarray
    month: np.ndarray

    @classmethod
    def of(cls, series: Series, rows: Sequence[StationRow]) -> StationPairs | None:
        """The stations with ``SUMMARY_PAIRS`` pairs or, where there is none of these, those with a score."""
        scored = {r.column: r.scores[PRODUCT, "all"].n for r in rows if (PRODUCT, "all") in r.scores}
        columns = np.array([column for column, n in scored.items() if n >= SUMMARY_PAIRS] or list(scored), int)
        if not columns.size:
            return None
        return cls(
            columns,
            series.station[:, columns],
            {m: series.ssm[m][:, columns] for m in (PRODUCT, COARSE) if m in series.ssm},
            series.flags[:, columns],
            pairs_by_sky(series)["all"][:, columns],
            series.footprints[columns],
            series.numbers,
            np.array([day.month for day in series.days]),
        )

    def medians(self, use: np.ndarray | None = None, days: np.ndarray | None = None) -> Medians:
        """Of the pairs in ``use`` (D, S) on ``days`` (D,), both bool."""
        days = np.ones(self.day.shape, bool) if days is None else days
        use = (self.common if use is None else self.common & use)[days]
        draws = Resampling.of(self.day[days], self.footprints)
        blocks = {m: BlockMoments.of(self.station[days], ssm[days], use, draws) for m, ssm in self.ssm.items()}
        stations = int((use.sum(0) > 0).sum())
        footprints = len(np.unique(self.footprints[use.any(0)]))
        of = {name: within(value, *LIMITS[name]) for name, value in median_scores(blocks, draws, compare).items()}
        return Medians(of, int(use.sum()), stations, draws.days.shape[1], footprints)

    def answer(self, question: Question, group: str, measure: str, unit: str, medians: Medians) -> Answer:
        basis = Basis(medians.pairs, f"pairs at {medians.stations} stations", medians.day_blocks, medians.footprints)
        ours, coarse, change = (medians.of.get(f"{name} {measure}") for name in ("ours", "coarse", "change"))
        assert ours is not None
        return Answer(question, "stations", f"median {measure}", group, unit, ours, basis, coarse, change,
                      relative=measure == "ubRMSE")  # fmt: skip


def compare(moments: Mapping[str, Moments]) -> dict[str, np.ndarray]:
    """Scores of the maps and of the coarse product, and the change: of ubRMSE as a fraction, of R as a difference."""
    ours = scores_of(moments[PRODUCT])
    out = {f"ours {name}": ours[name] for name in ("R", "ubRMSE", "bias")}
    if COARSE in moments:
        coarse = scores_of(moments[COARSE])
        out |= {f"coarse {name}": coarse[name] for name in ("R", "ubRMSE", "bias")}
        out["change ubRMSE"] = divide(ours["ubRMSE"], coarse["ubRMSE"]) - 1
        out["change R"] = ours["R"] - coarse["R"]
    return out


def change_by_station(pairs: StationPairs) -> np.ndarray:
    """The change of ubRMSE against the coarse product as a fraction, (S,); NaN with too few pairs."""
    draws = Resampling.of(pairs.day, pairs.footprints, draws=1)
    whole = {m: BlockMoments.of(pairs.station, ssm, pairs.common, draws).whole() for m, ssm in pairs.ssm.items()}
    return compare(whole)["change ubRMSE"]


def where(pairs: StationPairs) -> Answer:
    """The part of the stations at which the maps' ubRMSE is the smaller one; footprints count as independent."""
    change = change_by_station(pairs)
    known = np.isfinite(change)
    part = float((change[known] < 0).mean()) if known.any() else float("nan")
    footprints = len(np.unique(pairs.footprints[known]))
    return Answer("where", "stations", "stations with a smaller ubRMSE", "all", "1", share(part, footprints),
                  Basis(int(known.sum()), "stations", 0, footprints))  # fmt: skip


def when(pairs: StationPairs) -> Iterator[Answer]:
    """By sky, and by month of the year where there are several."""
    for stratum, mask in SKY.masks(pairs.flags):
        if mask is not None and (pairs.common & mask).sum() >= MIN_PAIRS:
            yield pairs.answer("when", stratum, "ubRMSE", UNIT, pairs.medians(use=mask))
    months = sorted(set(pairs.month[pairs.common.any(1)].tolist()))
    for month in months if len(months) > 1 else ():
        days = pairs.month == month
        if pairs.common[days].sum() >= MIN_PAIRS:
            yield pairs.answer("when", calendar.month_name[month], "ubRMSE", UNIT, pairs.medians(days=days))
