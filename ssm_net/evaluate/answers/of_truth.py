"""Answers by the 1 km truth of a synthetic world, with intervals over blocks of days and of cells."""

from __future__ import annotations

import calendar
import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

import numpy as np

from ssm_net.evaluate.answers.answer import COARSE, Answer, Basis, Question, share
from ssm_net.evaluate.answers.block_record import BlockRecord, DrawnScores, scores_with_intervals
from ssm_net.evaluate.metrics.algebra import UNIT, Statistic
from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.metrics.blocks import (
    BLOCK_ERRORS,
    BLOCK_PATTERNS,
    PENTADS,
    SKY_PENTADS,
    Pentads,
    label_parts,
)
from ssm_net.evaluate.metrics.statistics import FLAT, divide
from ssm_net.evaluate.referees.truth import PRODUCT, TruthScores

PIXEL_DAYS = "pixel-days"
LIMITS = {"ours": (0.0, math.inf), "coarse": (0.0, math.inf), "change": (-1.0, math.inf)}
PATTERN_LIMITS = {"ours": (-1.0, 1.0), "coarse": (-1.0, 1.0), "in 90": (0.0, 1.0)}


def truth_answers(scores: TruthScores, coarse_shape: tuple[int, int]) -> Iterator[Answer]:
    """None where nothing was scored against a truth; without the coarse product, what is known of the maps alone."""
    record = errors(scores, coarse_shape)
    if record is None:
        return
    compared = f"{COARSE} ee" in record.sums
    everything = scores_with_intervals(record, rmse, LIMITS)
    if compared:
        yield _rmse("better", "all", record, everything)
        yield where(record, everything)
        yield from when(scores, record, coarse_shape)
    yield _rmse("how much", "all", record, everything)
    yield from _patterns(scores, record, coarse_shape, compared)


def errors(scores: TruthScores, coarse_shape: tuple[int, int], stratum: str = "all") -> BlockRecord | None:
    """Pairs ``n`` and squared errors ``ssm_net ee``, ``bilinear ee`` of a stratum; None where there is no pair."""
    return _record(scores, SKY_PENTADS, BLOCK_ERRORS, stratum, coarse_shape)


def _record(
    scores: TruthScores, binning: Pentads, statistic: Statistic, stratum: str, coarse_shape: tuple[int, int]
) -> BlockRecord | None:
    pentads: dict[dt.date, dict[str, np.ndarray]] = {}
    for key, sums in scores.sums.items():
        if key.binning != binning or key.statistic != statistic or key.method not in (PRODUCT, COARSE):
            continue
        at, first = label_parts(key.label)
        if at == stratum:
            named = {f.name if f.name == "n" else f"{key.method} {f.name}": getattr(sums, f.name) for f in fields(sums)}
            pentads.setdefault(first, {}).update(named)
    if not pentads:
        return None
    names = list(dict.fromkeys(name for sums in pentads.values() for name in sums))
    shape = next(iter(next(iter(pentads.values())).values())).shape
    whole = {day: {name: sums.get(name, np.zeros(shape)) for name in names} for day, sums in pentads.items()}
    return BlockRecord.of(whole, coarse_shape)


def rmse(total: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """RMSE of the maps and of the coarse product, and the change as a fraction."""
    out = {"ours": np.sqrt(divide(total[f"{PRODUCT} ee"], total["n"]))}
    if f"{COARSE} ee" in total:
        out["coarse"] = np.sqrt(divide(total[f"{COARSE} ee"], total["n"]))
        out["change"] = divide(out["ours"], out["coarse"]) - 1
    return out


def _rmse(question: Question, group: str, record: BlockRecord, scores: DrawnScores) -> Answer:
    of, basis = scores.of, _basis(record, scores)
    return Answer(question, "truth", "RMSE", group, UNIT, of["ours"], basis, of.get("coarse"), of.get("change"))


def _basis(record: BlockRecord, scores: DrawnScores) -> Basis:
    return Basis(int(record.sums["n"].sum()), PIXEL_DAYS, scores.day_blocks, scores.cell_blocks)


def where(record: BlockRecord, scores: DrawnScores) -> Answer:
    """The part of the cells (of large domains: blocks of cells) in which the maps' error is the smaller one."""
    change = change_by_cell(record)
    known = np.isfinite(change)
    part = float((change[known] < 0).mean()) if known.any() else float("nan")
    basis = Basis(int(known.sum()), "cells" if record.drawn_as.max() < change.size - 1 else "blocks of cells",
                  scores.day_blocks, scores.cell_blocks)  # fmt: skip
    return Answer("where", "truth", "cells with a smaller RMSE", "all", "1", share(part, scores.cell_blocks), basis)


def change_by_cell(record: BlockRecord) -> np.ndarray:
    """The change of the RMSE as a fraction, by block of cells, (R, C); NaN where there is no pair."""
    ours, coarse = (record.total(f"{name} ee") for name in (PRODUCT, COARSE))
    return np.sqrt(divide(ours, coarse)) - 1


def when(scores: TruthScores, record: BlockRecord, coarse_shape: tuple[int, int]) -> Iterator[Answer]:
    """By sky, and by month of the year where there are several."""
    for stratum in SKY.labels[1:]:
        of_sky = errors(scores, coarse_shape, stratum)
        if of_sky is not None:
            yield _rmse("when", stratum, of_sky, scores_with_intervals(of_sky, rmse, LIMITS))
    months = sorted({day.month for day in record.first})
    for month in months if len(months) > 1 else ():
        of_month = record.of_month(month)
        if of_month.sums["n"].any():
            yield _rmse("when", calendar.month_name[month], of_month, scores_with_intervals(of_month, rmse, LIMITS))


def _patterns(
    scores: TruthScores, record: BlockRecord, coarse_shape: tuple[int, int], compared: bool
) -> Iterator[Answer]:
    """The correlation inside cells, and how often the stated 90 % interval holds."""
    found = _record(scores, PENTADS, BLOCK_PATTERNS, "all", coarse_shape)
    if found is None:
        return
    pairs = found.sums[f"{PRODUCT} stated"]
    found = replace(found, sums=found.sums | {"n": record.sums["n"] if record.first == found.first else pairs})

    def pattern(total: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        in_90 = divide(total[f"{PRODUCT} inside"], total[f"{PRODUCT} stated"])
        out = {"ours": _correlation(total, PRODUCT), "in 90": in_90}
        if compared:
            out["coarse"] = _correlation(total, COARSE)
            out["change"] = out["ours"] - out["coarse"]
        return out

    drawn = scores_with_intervals(found, pattern, PATTERN_LIMITS)
    basis = _basis(found, drawn)
    yield Answer("how much", "truth", "R inside cells", "all", "1", drawn.of["ours"], basis, drawn.of.get("coarse"),
                 drawn.of.get("change"), relative=False)  # fmt: skip
    basis = Basis(int(pairs.sum()), PIXEL_DAYS, drawn.day_blocks, drawn.cell_blocks)
    yield Answer("how sure", "truth", "truth in the 90 % interval", "all", "1", drawn.of["in 90"], basis)


def _correlation(total: Mapping[str, np.ndarray], method: str) -> np.ndarray:
    """Of departures from cell means, whose means are 0; NaN where one of the two does not vary."""
    xx, yy, xy = (total[f"{method} {name}"] for name in ("xx", "yy", "xy"))
    varies = (xx > FLAT**2 * total["n"]) & (yy > FLAT**2 * total["n"])
    return np.where(varies, divide(xy, np.sqrt(xx * yy)), np.nan)
