"""The numbers that open the report: right against the tables, and intervals that hold where errors are shared."""

import datetime as dt

import numpy as np
import pytest

from ssm_net.evaluate.answers.answer import share
from ssm_net.evaluate.answers.block_record import BlockRecord, scores_with_intervals
from ssm_net.evaluate.answers.of_truth import LIMITS, change_by_cell, rmse, truth_answers
from ssm_net.evaluate.daily_pass import EvaluationInputs, score_days
from ssm_net.evaluate.metrics.blocks import first_of_pentad, side_of
from ssm_net.evaluate.metrics.scorecard import TRUTH_TABLE
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.formats.truth import Truth

FIRST = dt.date(2016, 1, 1)


def record(rng: np.random.Generator, pentads: int = 36, side: int = 12, ratio: float = 0.8) -> BlockRecord:
    """Errors of 1000 pixels a cell and pentad that share the error of their weather and of their region."""
    weather = np.exp(0.4 * rng.normal(size=(pentads, 1, 1)))
    region = np.kron(np.exp(0.4 * rng.normal(size=(1, side // 2, side // 2))), np.ones((1, 2, 2)))
    coarse = 1000 * 0.06**2 * weather * region * np.exp(0.05 * rng.normal(size=(pentads, side, side)))
    skill = np.exp(0.3 * rng.normal(size=(pentads, 1, 1))) * np.kron(
        np.exp(0.3 * rng.normal(size=(1, side // 2, side // 2))), np.ones((1, 2, 2))
    )
    ours = coarse * ratio**2 * skill / np.exp(0.3**2)
    days = [FIRST + dt.timedelta(5 * i) for i in range(pentads)]
    sums = {
        day: {"n": np.full((side, side), 1000.0), f"{PRODUCT} ee": a, "bilinear ee": b}
        for day, a, b in zip(days, ours, coarse, strict=True)
    }
    return BlockRecord.of(sums, (side, side))


def test_intervals_hold_where_pixels_share_their_errors():
    rng = np.random.default_rng(0)
    inside, width = 0, []
    for _ in range(80):
        change = scores_with_intervals(record(rng), rmse, LIMITS).of["change"]
        inside += change.low <= 0.8 - 1 <= change.high
        width.append(change.high - change.low)
        assert change.low <= change.value <= change.high
    assert 72 <= inside  # of 80; 76 are expected
    assert np.median(width) < 0.25  # and they still say something


def test_few_blocks_widen_and_one_tells_nothing():
    many = scores_with_intervals(record(np.random.default_rng(1)), rmse, LIMITS)
    few = scores_with_intervals(record(np.random.default_rng(1), pentads=3, side=4), rmse, LIMITS)
    assert (many.cell_blocks, few.cell_blocks, few.day_blocks) == (36, 4, 3)
    assert few.of["change"].high - few.of["change"].low > many.of["change"].high - many.of["change"].low
    one = scores_with_intervals(record(np.random.default_rng(1), pentads=1, side=2), rmse, LIMITS).of["change"]
    assert np.isfinite(one.value) and np.isnan(one.low) and np.isnan(one.high)


def test_a_month_of_several_years_and_pentads_of_every_length():
    assert [first_of_pentad(dt.date(2016, 2, d)).day for d in (1, 5, 6, 25, 26, 29)] == [1, 1, 6, 21, 26, 26]
    assert first_of_pentad(dt.date(2016, 1, 31)).day == 26
    whole = record(np.random.default_rng(2))
    january = whole.of_month(1)
    assert 6 <= len(january.first) < len(whole.first) and {d.month for d in january.first} == {1}


def test_all_cells_better_is_not_certain_everywhere():
    assert (share(1.0, 16).low, share(1.0, 16).high) == (pytest.approx(0.806, abs=0.001), 1.0)
    assert share(0.5, 16).low == pytest.approx(0.28, abs=0.01)  # Wilson, 8 of 16
    assert np.isnan(share(1.0, 0).low)


def test_large_domains_keep_their_sums_by_blocks_of_cells():
    assert [side_of(shape) for shape in ((4, 8), (32, 32), (108, 172))] == [1, 1, 4]


def test_answers_are_those_of_the_tables(world, baselines):
    from ssm_net.cube.store import open_cube
    from ssm_net.evaluate.baselines import baseline_mosaics

    cfg = world.config(report=f"{world.folder}/answers", baselines=["bilinear"], end="2016-05-07")
    cube = open_cube(cfg.cube)
    days = [d for d in Mosaics.open(world.folder / "mosaics", cube.domain).days if d <= dt.date(2016, 5, 7)]
    methods = {PRODUCT: Mosaics.open(world.folder / "mosaics", cube.domain),
               "bilinear": baseline_mosaics(cfg, "bilinear", cube, days)}  # fmt: skip
    result = score_days(EvaluationInputs(methods, Truth.open(world.folder / "truth.zarr", cube.domain), cube), days)
    table = {(r["method"], r["stratum"]): r for r in result.scores.rows(TRUTH_TABLE, list(methods))}
    answers = list(truth_answers(result.scores, cube.domain.coarse_shape))
    by = {(a.question, a.measure, a.group): a for a in answers}
    ours = table[PRODUCT, "all"]
    better = by["better", "RMSE", "all"]
    assert better.ours.value == pytest.approx(ours["RMSE"], rel=1e-4)
    assert better.coarse.value == pytest.approx(table["bilinear", "all"]["RMSE"], rel=1e-4)
    assert better.basis.count == ours["n"] and better.basis.cell_blocks == 4
    assert by["when", "RMSE", "cloudy"].ours.value == pytest.approx(table[PRODUCT, "cloudy"]["RMSE"], rel=1e-4)
    assert by["how much", "R inside cells", "all"].ours.value == pytest.approx(ours["sub-grid R"], rel=1e-3)
    assert by["how sure", "truth in the 90 % interval", "all"].ours.value == pytest.approx(
        ours["coverage 90"], abs=1e-4
    )
    assert by["where", "cells with a smaller RMSE", "all"].basis.count == 16
    assert sum(b.n.sum() for b in result.consistency.values()) == sum(m.n for m in [result.coarse[PRODUCT]])
    assert change_by_cell(record(np.random.default_rng(3))).shape == (12, 12)
