"""A day scored by hand: masks, strata, anomalies inside cells, intervals."""

import datetime as dt

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from ssm_net.cube.footprint import ObservationOperator
from ssm_net.evaluate.metrics.algebra import ScoredDay
from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.metrics.error import TemporalCorrelation, TemporalUnbiasedRmse
from ssm_net.evaluate.metrics.scorecard import CALIBRATION_TABLE, TEXTURE_TABLE, TRUTH_TABLE
from ssm_net.evaluate.metrics.spatial import cell_mean, subgrid
from ssm_net.evaluate.metrics.statistics import Moments
from ssm_net.evaluate.metrics.texture import SPREAD_BY_WETNESS
from ssm_net.evaluate.referees.coarse import coarse_consistency
from ssm_net.evaluate.referees.truth import TruthScores, score_day
from ssm_net.footprint import Footprint
from ssm_net.formats.product import Flag, Mosaic
from ssm_net.grid import Domain

DOMAIN = Domain("tiny", (84, 88, 776, 780))
WIDE = Domain("wide", (84, 88, 776, 788))  # twelve cells
CLEAR, CLOUDY, GAP = int(Flag.LST_SEEN), int(Flag.LST_FILLED), int(Flag.ORBIT_GAP_FILLED)
SIGMA = np.float32(0.03)


def truth_of(domain: Domain) -> np.ndarray:
    x = gaussian_filter(np.random.default_rng(1).normal(size=domain.fine_shape), 3)
    return (0.25 + 0.03 * x / x.std()).astype("float32")


TRUTH = truth_of(DOMAIN)
LAND = np.ones(TRUTH.shape, bool)
ROW, COL = np.indices(TRUTH.shape)
FLAGS = (np.where(COL % 2, CLOUDY, CLEAR) + np.where(ROW < 36, GAP, 1)).astype("uint16")


def day(ssm: np.ndarray, domain: Domain = DOMAIN, flags=FLAGS, **attrs) -> Mosaic:
    return Mosaic(dt.date(2016, 5, 1), domain, ssm.astype("float32"),
                  np.broadcast_to(SIGMA, ssm.shape).copy(), flags, attrs)  # fmt: skip


def score(truth: np.ndarray, methods: dict[str, Mosaic], land: np.ndarray, **options) -> TruthScores:
    product = methods["ssm_net"]
    return score_day(truth, methods, land, ScoredDay(product.day, product.flags, 36), **options)


def rows(scores: TruthScores) -> dict[str, dict]:
    return {r["stratum"]: r for r in scores.rows(TRUTH_TABLE, ["ssm_net"])}


def test_clear_cloudy_and_orbit_gap_are_scored_separately():
    error = np.where(COL % 2, 0.04, 0.01) + np.where(ROW < 36, 0.02, 0.0)
    got = rows(score(TRUTH, {"ssm_net": day(TRUTH + error)}, LAND))
    n = TRUTH.size
    assert [got[s]["n"] for s in SKY.labels] == [n, n // 2, n // 2, n // 4]
    gap = np.array([0.25, 0.75])  # a quarter of the rows
    for sky, base in (("clear", 0.01), ("cloudy", 0.04)):
        assert got[sky]["RMSE"] == pytest.approx(np.sqrt(gap @ (base + np.array([0.02, 0.0])) ** 2), rel=1e-5)
        assert got[sky]["bias"] == pytest.approx(base + 0.005, rel=1e-5)
    assert got["orbit gap"]["RMSE"] == pytest.approx(np.sqrt((0.03**2 + 0.06**2) / 2), rel=1e-5)
    assert got["orbit gap"]["ubRMSE"] == pytest.approx(0.015, rel=1e-4)


def test_inside_cells_correlation_and_std_ratio():
    """Half the truth's anomalies over cells that are all wrong; where it is cloudy, the anomalies upside down."""
    anomaly = subgrid(TRUTH, LAND, 36)
    flags = np.where(COL < 72, CLEAR | 1, CLOUDY | GAP).astype("uint16")
    cells = np.kron(np.random.default_rng(2).uniform(0.3, 0.6, (4, 4)), np.ones((36, 36)))
    ours = cells + anomaly * np.where(COL < 72, 0.5, -2.0)
    scores = score(TRUTH, {"ssm_net": day(ours, flags=flags)}, LAND)
    got = rows(scores)
    assert got["clear"]["sub-grid R"] == pytest.approx(1, abs=1e-5)
    assert got["clear"]["sub-grid std ratio"] == pytest.approx(0.5, rel=1e-4)
    for sky in ("cloudy", "orbit gap"):
        assert got[sky]["sub-grid R"] == pytest.approx(-1, abs=1e-5)
        assert got[sky]["sub-grid std ratio"] == pytest.approx(2, rel=1e-4)
    assert abs(got["clear"]["R"]) < 0.9
    spread = scores.get(SPREAD_BY_WETNESS, "truth")
    assert spread.n.sum() == 16
    assert np.sqrt(spread.variance.sum() / 16) == pytest.approx(anomaly.std(), rel=1e-4)


def test_means_inside_cells_are_of_what_counts():
    """Where a method lacks a pixel nobody is scored there, and the cells' means are taken without it."""
    hole = day(np.where(COL % 36 < 9, np.nan, 0.2))
    truth = np.where(ROW < 9, np.nan, TRUTH)
    scores = score(truth, {"ssm_net": day(TRUTH + 0.1 * (COL % 36 < 9)), "bilinear": hole}, LAND & (ROW < 108))
    assert scores.counted == 3 * TRUTH.size // 4 * (99 / 108) * 0.75
    assert scores.offered == 99 * 144
    got = rows(scores)["all"]
    assert got["n"] == scores.counted
    assert got["RMSE"] == pytest.approx(0, abs=1e-7)
    assert got["sub-grid R"] == pytest.approx(1, abs=1e-6)
    (flat,) = [r for r in scores.rows(TRUTH_TABLE, ["bilinear"]) if r["stratum"] == "all"]
    assert np.isnan(flat["sub-grid R"]) and flat["sub-grid std ratio"] == 0


def test_intervals_and_crps_by_sky():
    """Errors of 0.5, 1.2, 1.7 and 0 sigma: two and three of four lie within 0.994 and 1.645 sigma."""
    z = np.array([0.5, -1.2, 1.7, 0.0])[ROW % 4] * np.where(COL % 2, 2.0, 1.0)
    scores = score(TRUTH, {"ssm_net": day(TRUTH + z * SIGMA)}, LAND)
    got = rows(scores)
    assert (got["clear"]["coverage 68"], got["clear"]["coverage 90"]) == (0.5, 0.75)
    assert (got["cloudy"]["coverage 68"], got["cloudy"]["coverage 90"]) == (0.25, 0.5)  # 1, 2.4, 3.4, 0 sigma
    assert (got["all"]["coverage 68"], got["all"]["coverage 90"]) == (0.375, 0.625)
    right = score(TRUTH, {"ssm_net": day(TRUTH)}, LAND)
    assert rows(right)["orbit gap"]["CRPS"] == pytest.approx(SIGMA * (np.sqrt(2 / np.pi) - 1 / np.sqrt(np.pi)))
    assert rows(right)["clear"]["stated uncertainty"] == pytest.approx(SIGMA)
    assert {r["stratum"] for r in scores.rows(CALIBRATION_TABLE, ["ssm_net"])} == set(SKY.labels)


@pytest.mark.parametrize("tile", [3, 4, 8])
def test_seams_are_looked_for_where_the_maps_have_them(tile):
    """With another ``tile=`` than the default, seams would be missed and other cell edges taken for them."""
    truth = truth_of(WIDE)
    flags = np.full(truth.shape, 5, "uint16")
    step = np.where(np.arange(truth.shape[1]) < tile * 36, 0.0, 0.1)[None]
    maps = {"ssm_net": day(truth + step, WIDE, flags, inference_tile=tile)}
    index = {r["method"]: r["seam index"] for r in score(truth, maps, truth > 0).rows(TEXTURE_TABLE, ["ssm_net"])}
    assert index["ssm_net"] > 3 and index["truth"] == pytest.approx(1, abs=0.35)


def test_a_single_tile_and_unknown_tiles_have_no_seam_index():
    for attrs in ({"inference_tile": 4}, {}):
        scores = score(TRUTH, {"ssm_net": day(TRUTH, **attrs)}, LAND)
        texture = scores.rows(TEXTURE_TABLE, ["ssm_net"])
        assert len(texture) == 2 and all("seam index" not in r for r in texture)


def test_scores_in_time_leave_out_pixels_with_few_days():
    rng = np.random.default_rng(3)
    x = rng.uniform(0.1, 0.4, (TemporalCorrelation.MIN_DAYS, 2))
    error = rng.normal(0, 0.02, x.shape)
    known = np.ones(x.shape, bool)
    known[0, 1] = False
    sums = [Moments.per_pixel(*v) for v in zip(x, x + error, known, strict=True)]
    total = sum(sums[1:], start=sums[0])
    assert TemporalUnbiasedRmse().value(total) == pytest.approx(error[:, 0].std(), rel=1e-3)
    assert TemporalCorrelation().value(total) == pytest.approx(np.corrcoef(x[:, 0], (x + error)[:, 0])[0, 1], abs=1e-3)
    assert np.isnan(TemporalCorrelation().value(sums[0]))


def test_consistency_is_of_footprint_means_where_half_is_land():
    land = np.ones(TRUTH.shape, bool)
    land[:20, :36] = False  # less than half of the first cell has a value
    land[36:40, :36] = False
    ssm = np.where(land, TRUTH, np.nan)
    observed = cell_mean(TRUTH, land, 36) + 0.02
    observed[3, 3] = np.nan
    operator = ObservationOperator(Footprint.box((4, 4), 36), torch.ones(TRUTH.shape, dtype=torch.bool))
    m = coarse_consistency(day(ssm), observed, operator)
    assert m.n == 14
    assert m.bias == pytest.approx(-0.02, abs=1e-6) and m.ubrmse == pytest.approx(0, abs=1e-6)


def test_a_day_that_a_baseline_lacks_is_scored_for_the_product_alone():
    scores = score(TRUTH, {"ssm_net": day(TRUTH)}, LAND, complete=False)
    assert scores.counted == 0 and scores.rows(TRUTH_TABLE, ["ssm_net", "bilinear"]) == []
