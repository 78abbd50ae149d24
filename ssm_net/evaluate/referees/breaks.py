"""Breaks of the record where its sensor changes: steps in the mean and changes of spread, with intervals.

The reference is the truth of a synthetic world, where there is one: then the series is the error. Without a truth it is
the weather: a step in the map's mean is estimated by least squares together with the effects of antecedent rain and of
the season. Intervals are from a bootstrap of blocks of days, since errors within a week are alike.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ssm_net.core.radiometers import name_of
from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import API_DAYS
from ssm_net.evaluate.referees.coarse import footprint_mean
from ssm_net.formats.product import Mosaic
from ssm_net.infer.quality_flags import coarse_sources

WINDOW = 365  # days each side, at most
AROUND = 15  # days to each side that decide which sensor leads
SHORTEST = 20  # days that a sensor must lead to be a segment of the record
SEASON = 15  # days of the year by which the two sides may differ
MIN_DAYS = 15  # days with a value each side, for a step to be estimated
SAME_SEASON_DAYS = 45  # days of the same seasons each side, for those alone to count
BLOCK, DRAWS = 15, 400  # days of a block, samples of the bootstrap
SEASON_FROM = 300  # days of a window from which the annual cycle can be separated from a step


@dataclass(frozen=True)
class DayLevel:
    """A day's means over the domain, m3 m-3, NaN where not known: of the map, of its error, and of the coarse
    observations' error against the truth through the footprint; the antecedent rain, mm; the leading ``source``."""

    day: dt.date
    level: float
    error: float
    coarse_error: float
    rain: tuple[float, ...]
    source: int

    @classmethod
    def of(
        cls,
        mosaic: Mosaic,
        cube: Cube,
        truth: np.ndarray | None,
        observed: np.ndarray | None,
        footprint: ObservationOperator,
    ) -> DayLevel:
        known = np.isfinite(mosaic.ssm)
        level, error, coarse_error = _mean(mosaic.ssm[known]), float("nan"), float("nan")
        if truth is not None:
            error = _mean((mosaic.ssm - truth)[known & np.isfinite(truth)])
            if observed is not None:
                expected = footprint_mean(truth, footprint)
                coarse_error = _mean((observed - expected)[np.isfinite(observed) & np.isfinite(expected)])
        codes = coarse_sources(cube, mosaic.day)
        leading = int(np.bincount(codes[codes > 0]).argmax()) if (codes > 0).any() else 0
        rain = tuple(_mean(r[np.isfinite(r)]) for r in (cube.read_coarse(v, mosaic.day) for v in API_DAYS
                                                         if v in cube.coarse))  # fmt: skip
        return cls(mosaic.day, level, error, coarse_error, rain, leading)


def _mean(values: np.ndarray) -> float:
    return float(values.mean(dtype="float64")) if values.size else float("nan")


def segments(days: Sequence[DayLevel]) -> list[tuple[int, list[DayLevel]]]:
    """The record in segments, each with its sensor: the one that leads on most days within ``AROUND`` days, so that
    another one that fills its orbit gaps makes no segment of its own. Segments shorter than ``SHORTEST`` and days
    without any sensor near belong to the segment before."""
    at = np.array([d.day.toordinal() for d in days])
    leading = np.array([d.source for d in days])
    codes = sorted({int(c) for c in leading if c})
    if not codes:
        return [(0, list(days))]
    total = np.stack([np.concatenate([[0], np.cumsum(leading == c)]) for c in codes])
    near = total[:, np.searchsorted(at, at + AROUND, "right")] - total[:, np.searchsorted(at, at - AROUND)]
    # At a change the windows of both sides count the same sensors: the sensor of the day itself decides a tie.
    near = 2 * near + (leading == np.array(codes)[:, None])
    most = np.where(near.max(0) > 0, np.array(codes)[near.argmax(0)], 0)
    parts: list[tuple[int, list[DayLevel]]] = []
    for run in np.split(np.arange(len(days)), np.flatnonzero(np.diff(most)) + 1):
        source, stretch = int(most[run[0]]), [days[i] for i in run]
        if parts and (source in (0, parts[-1][0]) or len(stretch) < SHORTEST):
            parts[-1][1].extend(stretch)
        elif parts and len(parts[-1][1]) < SHORTEST:
            parts[-1] = (source, parts[-1][1] + stretch)
        else:
            parts.append((source, stretch))
    return _sharpened(parts)


def _sharpened(parts: list[tuple[int, list[DayLevel]]]) -> list[tuple[int, list[DayLevel]]]:
    """The same segments, each change on the day where fewest days near it are led by the sensor of the other side."""
    for (one, before), (other, after) in pairwise(parts):
        near = [*before[-AROUND:], *after[:AROUND]]
        misplaced = np.cumsum([0, *(d.source == other for d in near)]) - np.cumsum(
            [0, *(d.source == one for d in near)]
        )
        move = int(misplaced.argmin()) - min(AROUND, len(before))
        if move > 0:
            before.extend(after[:move])
            del after[:move]
        elif move < 0:
            after[:0] = before[move:]
            del before[move:]
    return parts


def break_table(days: Sequence[DayLevel]) -> list[dict[str, float | str | int]]:
    """A row a change of sensor and series (the map, the coarse observations), and one from the first sensor to the
    last where there are more than two: the step in the mean (m3 m-3) and the ratio of spreads with 95 % intervals."""
    parts = segments(days)
    pairs = list(pairwise(range(len(parts))))
    if len(parts) > 2:
        pairs.append((0, len(parts) - 1))
    has_truth = any(np.isfinite(d.error) for d in days)
    out: list[dict[str, float | str | int]] = []
    for a, b in pairs:
        (one, before), (other, after) = parts[a], parts[b]
        before, after, seasons = _same_season(before[-WINDOW:], after[:WINDOW])
        kinds = {"map": "error", "coarse": "coarse_error"} if has_truth else {"map": "level"}
        for kind, key in kinds.items():
            out.append({
                "change": f"{name_of(one) if one else 'none'} to {name_of(other) if other else 'none'}",
                "first day": str(after[0].day), "series": kind, "against": "truth" if has_truth else "rain and season",
                "seasons": seasons,
                **_step(before, after, key, with_weather=not has_truth),
            })  # fmt: skip
    return out


def _same_season(before: list[DayLevel], after: list[DayLevel]) -> tuple[list[DayLevel], list[DayLevel], str]:
    """The days of each side at whose time of the year the other side has days too, where both have enough of them: the
    effect of a season is no step."""

    def of_year(days: list[DayLevel]) -> np.ndarray:
        return np.array([d.day.timetuple().tm_yday for d in days])

    difference = np.abs(of_year(before)[:, None] - of_year(after)[None])
    near = np.minimum(difference, 365 - difference) <= SEASON
    both = ([d for d, k in zip(before, near.any(1), strict=True) if k],
            [d for d, k in zip(after, near.any(0), strict=True) if k])  # fmt: skip
    return (*both, "the same") if min(map(len, both)) >= SAME_SEASON_DAYS else (before, after, "others")


def _step(before: Sequence[DayLevel], after: Sequence[DayLevel], key: str, with_weather: bool) -> dict[str, float]:
    days = [*before, *after]
    y = np.array([getattr(d, key) for d in days])
    late = np.array([0.0] * len(before) + [1.0] * len(after))
    columns = [np.ones_like(y), late]
    if with_weather:
        columns += [np.array([d.rain[i] for d in days]) for i in range(len(days[0].rain))]
        when = 2 * np.pi * np.array([d.day.toordinal() for d in days]) / 365.25
        if (days[-1].day - days[0].day).days >= SEASON_FROM:
            columns += [np.cos(when), np.sin(when)]
    basis = np.stack(columns, 1)
    # The error of a day without any observation belongs to the gap, not to a sensor.
    known = np.isfinite(y) & np.isfinite(basis).all(1) & np.array([d.source > 0 for d in days])
    n = [int((known & (late == side)).sum()) for side in (0, 1)]
    row: dict[str, float] = {"days before": n[0], "days after": n[1]}
    nothing = dict.fromkeys(("step", "step low", "step high", "std ratio", "std ratio low", "std ratio high"), np.nan)
    if min(n) < MIN_DAYS:
        return row | nothing
    y, basis, late = y[known], basis[known], late[known]
    step, ratio = _estimate(y, basis, late)
    block = np.cumsum(np.diff(np.r_[0, np.arange(len(y)) // BLOCK]) > 0)
    sides = [np.unique(block[late == side]) for side in (0, 1)]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        # Blocks are drawn within each side, or a sample might have one side only.
        take = np.concatenate([np.flatnonzero((block == b) & (late == side)) for side in (0, 1)
                               for b in rng.choice(sides[side], len(sides[side]))])  # fmt: skip
        drawn.append(_estimate(y[take], basis[take], late[take]))
    low, high = np.nanpercentile(np.array(drawn), [2.5, 97.5], axis=0)
    return row | {"step": step, "step low": low[0], "step high": high[0],
                  "std ratio": ratio, "std ratio low": low[1], "std ratio high": high[1]}  # fmt: skip


def _estimate(y: np.ndarray, basis: np.ndarray, late: np.ndarray) -> tuple[float, float]:
    """The step, and the ratio of the residuals' standard deviations after and before."""
    coefficients, *_ = np.linalg.lstsq(basis, y, rcond=None)
    residual = y - basis @ coefficients
    return float(coefficients[1]), float(residual[late == 1].std() / max(residual[late == 0].std(), 1e-9))
