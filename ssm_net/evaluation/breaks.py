"""Whether the record steps where its sensor changes: mean and spread each side, against what knows of no sensor.

The reference is the truth of a synthetic world, where there is one: then the series is the error. Without a truth it is
the weather: the series is what antecedent rain and the season leave of the map's mean, and a step is estimated beside
them by least squares. Intervals are from a bootstrap of blocks of days, since errors of one week are alike.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ssm_net.cube import Cube
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Footprint
from ssm_net.ingest.sensors import name_of
from ssm_net.lineage import sources
from ssm_net.variables import API_DAYS

WINDOW = 365  # days each side, at most
SHORTEST = 20  # days that a sensor leads, to count as a part of the record
FEWEST = 15  # days with a value each side, for a step to be told
BLOCK, DRAWS = 15, 400  # days of a block, samples of the bootstrap
SEASON_FROM = 300  # days of a window from which the annual cycle is told apart from a step


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
        cls, mosaic: Mosaic, cube: Cube, truth: np.ndarray | None, observed: np.ndarray | None, footprint: Footprint
    ) -> DayLevel:
        known = np.isfinite(mosaic.ssm)
        level, error, coarse_error = _mean(mosaic.ssm[known]), float("nan"), float("nan")
        if truth is not None:
            error = _mean((mosaic.ssm - truth)[known & np.isfinite(truth)])
            if observed is not None:
                through = footprint_mean(truth, footprint)
                coarse_error = _mean((observed - through)[np.isfinite(observed) & np.isfinite(through)])
        codes = sources(cube, mosaic.day)
        leading = int(np.bincount(codes[codes > 0]).argmax()) if (codes > 0).any() else 0
        rain = tuple(_mean(r[np.isfinite(r)]) for r in (cube.read_coarse(v, mosaic.day) for v in API_DAYS
                                                         if v in cube.coarse))  # fmt: skip
        return cls(mosaic.day, level, error, coarse_error, rain, leading)


def footprint_mean(field: np.ndarray, footprint: Footprint) -> np.ndarray:
    """Mean of what is finite over each footprint, (R, C), NaN where less than half of it is."""
    there = torch.from_numpy(np.isfinite(field)).float()
    mean = footprint.forward(torch.from_numpy(np.nan_to_num(field)).float(), there)
    return torch.where(footprint.forward(there) >= 0.5, mean, torch.nan).numpy()


def _mean(values: np.ndarray) -> float:
    return float(values.mean(dtype="float64")) if values.size else float("nan")


def segments(days: Sequence[DayLevel]) -> list[tuple[int, list[DayLevel]]]:
    """The parts of the record by leading sensor; days without any, and days that another one leads in between, belong
    to the part around them."""
    runs: list[tuple[int, list[DayLevel]]] = []
    for day in days:
        if runs and day.source in (0, runs[-1][0]):
            runs[-1][1].append(day)
        else:
            runs.append((day.source, [day]))
    kept: list[tuple[int, list[DayLevel]]] = []
    for source, part in runs:
        if kept and (kept[-1][0] == source or len(part) < SHORTEST or source == 0):
            kept[-1][1].extend(part)
        elif kept and len(kept[-1][1]) < SHORTEST:
            kept[-1] = (source, kept[-1][1] + part)
        else:
            kept.append((source, list(part)))
    return kept


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
        before, after = before[-WINDOW:], after[:WINDOW]
        kinds = {"map": "error", "coarse": "coarse_error"} if has_truth else {"map": "level"}
        for kind, key in kinds.items():
            out.append({
                "change": f"{name_of(one) if one else 'none'} to {name_of(other) if other else 'none'}",
                "first day": str(after[0].day), "series": kind, "against": "truth" if has_truth else "rain and season",
                **_step(before, after, key, with_weather=not has_truth),
            })  # fmt: skip
    return out


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
    known = np.isfinite(y) & np.isfinite(basis).all(1)
    n = [int((known & (late == side)).sum()) for side in (0, 1)]
    row: dict[str, float] = {"days before": n[0], "days after": n[1]}
    nothing = dict.fromkeys(("step", "step low", "step high", "std ratio", "std ratio low", "std ratio high"), np.nan)
    if min(n) < FEWEST:
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
    """The step, and the ratio of standard deviations after and before, of what the basis leaves."""
    law, *_ = np.linalg.lstsq(basis, y, rcond=None)
    left = y - basis @ law
    return float(law[1]), float(left[late == 1].std() / max(left[late == 0].std(), 1e-9))
