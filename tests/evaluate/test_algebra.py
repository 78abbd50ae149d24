"""A score and a stratum are one small class each: here both are defined from outside, and everything shows them."""

import datetime as dt
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
import worlds

from ssm_net.config import InferConfig
from ssm_net.evaluate.metrics.algebra import Binning, Comparison, Metric, ScoreTable, Statistic
from ssm_net.evaluate.metrics.error import Rmse
from ssm_net.evaluate.metrics.scorecard import SCORECARD, TRUTH_TABLE
from ssm_net.evaluate.metrics.statistics import Sums
from ssm_net.evaluate.referees.truth import tile_of
from ssm_net.evaluate.run import evaluate
from ssm_net.formats.mosaic_days import day_path, read_day
from ssm_net.infer.run import infer

pytestmark = pytest.mark.usefixtures("plain_pictures")


@dataclass(frozen=True)
class Large(Sums):
    n: int
    large: int


@dataclass(frozen=True)
class LargeErrors(Statistic):
    limit: float

    def sums(self, pair: Comparison, where: np.ndarray) -> Large:
        error = np.abs(pair.estimate - pair.reference.field)[where]
        return Large(error.size, int((error > self.limit).sum()))


@dataclass(frozen=True)
class FractionOfLargeErrors(Metric):
    name: str = "large errors"
    statistic: Statistic = LargeErrors(0.04)
    about: str = "Fraction of errors above 0.04"

    def value(self, sums: Large) -> float:
        return sums.large / sums.n


@dataclass(frozen=True)
class Halves(Binning):
    """The northern and the southern half of the domain."""

    column: str = "half"

    def bins(self, day):
        north = np.arange(day.flags.shape[0]) < day.flags.shape[0] // 2
        yield "north", np.broadcast_to(north[:, None], day.flags.shape)
        yield "south", np.broadcast_to(~north[:, None], day.flags.shape)


def test_a_new_metric_and_a_new_binning_show_in_scores_and_report(world, baselines, tmp_path):
    truth_table = replace(TRUTH_TABLE, metrics=(*TRUTH_TABLE.metrics, FractionOfLargeErrors()))
    halves = ScoreTable("halves", "North & south", "Scores by half.", Halves(), (Rmse(), FractionOfLargeErrors()))
    scorecard = replace(SCORECARD, tables=(truth_table, halves))
    out = evaluate(world.config(report=f"{tmp_path}/report", baselines=["bilinear"]), scorecard)
    stored = json.loads((tmp_path / "report/scores.json").read_text())
    (row,) = [r for r in stored["truth"] if (r["method"], r["stratum"]) == ("ssm_net", "all")]
    assert row["large errors"] == pytest.approx(2 * 0.0912, abs=0.01)  # of a normal error of 0.03
    assert [(r["half"], r["method"]) for r in stored["halves"]] == [
        ("north", "ssm_net"), ("north", "bilinear"), ("south", "ssm_net"), ("south", "bilinear"),
    ]  # fmt: skip
    halves_rmse = np.array([r["RMSE"] for r in out["halves"] if r["method"] == "bilinear"])
    assert halves_rmse.min() < next(r["RMSE"] for r in out["truth"] if r["method"] == "bilinear") < halves_rmse.max()
    page = (tmp_path / "report/index.html").read_text()
    assert "<h3>large errors</h3>" in page and "Fraction of errors above 0.04" in page
    assert '<h2 id="halves">North &amp; south</h2>' in page and ">south</td>" in page


def test_another_scorecard_is_another_evaluation(world, baselines, tmp_path):
    """Scores of an earlier scorecard are not taken for those of this one."""
    cfg = world.config(report=f"{tmp_path}/report", baselines=[], end="2016-05-01")
    evaluate(cfg)
    assert "months" not in evaluate(cfg, replace(SCORECARD, tables=(TRUTH_TABLE,)))


def test_months_are_those_of_the_year(world, baselines, tmp_path):
    out = evaluate(world.config(report=f"{tmp_path}/report", baselines=[], end="2016-05-01"))
    (month,) = out["months"]
    (whole,) = [r for r in out["truth"] if r["stratum"] == "all"]
    assert month["month"] == "May" and all(month[k] == whole[k] for k in ("n", "RMSE", "bias", "sub-grid R"))


def test_the_tile_that_infer_used_is_the_one_that_is_scored(tmp_path):
    cube = worlds.tiny_cube(tmp_path / "cube.zarr", days=1)
    day: dt.date = cube.days[0]
    infer(InferConfig(cube=str(cube.path), mosaics=f"{tmp_path}/m", method="bilinear", tile=3))
    assert tile_of(read_day(day_path(tmp_path / "m", cube.domain.name, day)).attrs) == 3
