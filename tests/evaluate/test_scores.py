"""A day scored by hand: masks, strata, anomalies inside cells, intervals."""

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from ssm_net.cube.footprint import ObservationOperator
from ssm_net.evaluate.metrics.scores import MIN_DAYS, STRATA, TILE, DayScores, coarse_consistency, score_day, temporal
from ssm_net.evaluate.metrics.spatial import cell_mean, subgrid
from ssm_net.evaluate.metrics.statistics import Moments
from ssm_net.evaluate.report.page import _texture
from ssm_net.evaluate.report.tables import calibration_table, texture_table, truth_table
from ssm_net.formats.product import Flag, Mosaic
from ssm_net.grid import Domain, Footprint

DOMAIN = Domain("tiny", (84, 88, 776, 780))
WIDE = Domain("wide", (84, 88, 776, 788))  # twelve cells: two tiles
CLEAR, CLOUDY, GAP = int(Flag.LST_SEEN), int(Flag.LST_FILLED), int(Flag.ORBIT_GAP_FILLED)
SIGMA = np.float32(0.03)


def truth_of(domain: Domain) -> np.ndarray:
    x = gaussian_filter(np.random.default_rng(1).normal(size=domain.fine_shape), 3)
    return (0.25 + 0.03 * x / x.std()).astype("float32")


TRUTH = truth_of(DOMAIN)
LAND = np.ones(TRUTH.shape, bool)
ROW, COL = np.indices(TRUTH.shape)
FLAGS = (np.where(COL % 2, CLOUDY, CLEAR) + np.where(ROW < 36, GAP, 1)).astype("uint16")


def day(ssm: np.ndarray, sigma: float | np.ndarray = SIGMA, domain: Domain = DOMAIN, flags=FLAGS) -> Mosaic:
    return Mosaic(dt.date(2016, 5, 1), domain, ssm.astype("float32"),
                  np.broadcast_to(np.float32(sigma), ssm.shape).copy(), flags)  # fmt: skip


def rows(scores: DayScores) -> dict[str, dict]:
    return {r["stratum"]: r for r in truth_table(scores, ["ssm_net"])}


def test_clear_and_cloudy_and_orbit_gap_stand_apart():
    error = np.where(COL % 2, 0.04, 0.01) + np.where(ROW < 36, 0.02, 0.0)
    got = rows(score_day(TRUTH, {"ssm_net": day(TRUTH + error)}, LAND, 36))
    n = TRUTH.size
    assert [got[s]["n"] for s in STRATA] == [n, n // 2, n // 2, n // 4]
    gap = np.array([0.25, 0.75])  # a quarter of the rows
    for sky, base in (("clear", 0.01), ("cloudy", 0.04)):
        assert got[sky]["RMSE"] == pytest.approx(np.sqrt(gap @ (base + np.array([0.02, 0.0])) ** 2), rel=1e-5)
        assert got[sky]["bias"] == pytest.approx(base + 0.005, rel=1e-5)
    assert got["orbit gap"]["RMSE"] == pytest.approx(np.sqrt((0.03**2 + 0.06**2) / 2), rel=1e-5)
    assert got["orbit gap"]["ubRMSE"] == pytest.approx(0.015, rel=1e-4)


def test_inside_cells_correlation_and_std_ratio():
    """Half the truth's anomalies over cells that are all wrong; where it is cloudy, the anomalies upside down."""
    left = subgrid(TRUTH, LAND, 36)
    flags = np.where(COL < 72, CLEAR | 1, CLOUDY | GAP).astype("uint16")
    cells = np.kron(np.random.default_rng(2).uniform(0.3, 0.6, (4, 4)), np.ones((36, 36)))
    ours = cells + left * np.where(COL < 72, 0.5, -2.0)
    scores = score_day(TRUTH, {"ssm_net": day(ours, flags=flags)}, LAND, 36)
    got = rows(scores)
    assert got["clear"]["sub-grid R"] == pytest.approx(1, abs=1e-5)
    assert got["clear"]["sub-grid std ratio"] == pytest.approx(0.5, rel=1e-4)
    for sky in ("cloudy", "orbit gap"):
        assert got[sky]["sub-grid R"] == pytest.approx(-1, abs=1e-5)
        assert got[sky]["sub-grid std ratio"] == pytest.approx(2, rel=1e-4)
    assert abs(got["clear"]["R"]) < 0.9
    spread = scores.texture["truth"].spread
    assert spread.n.sum() == 16
    assert np.sqrt(spread.variance.sum() / 16) == pytest.approx(left.std(), rel=1e-4)


def test_means_inside_cells_are_of_what_counts():
    """Where a method lacks a pixel nobody is scored there, and the cells' means are taken without it."""
    hole = day(np.where(COL % 36 < 9, np.nan, 0.2))
    truth = np.where(ROW < 9, np.nan, TRUTH)
    scores = score_day(truth, {"ssm_net": day(TRUTH + 0.1 * (COL % 36 < 9)), "bilinear": hole}, LAND & (ROW < 108), 36)
    assert scores.counted == 3 * TRUTH.size // 4 * (99 / 108) * 0.75
    assert scores.offered == 99 * 144
    got = rows(scores)["all"]
    assert got["n"] == scores.counted
    assert got["RMSE"] == pytest.approx(0, abs=1e-7)
    assert got["sub-grid R"] == pytest.approx(1, abs=1e-6)
    (flat,) = [r for r in truth_table(scores, ["bilinear"]) if r["stratum"] == "all"]
    assert np.isnan(flat["sub-grid R"]) and flat["sub-grid std ratio"] == 0


def test_intervals_and_crps_by_sky():
    """Errors of 0.5, 1.2, 1.7 and 0 sigma: two and three of four lie within 0.994 and 1.645 sigma."""
    z = np.array([0.5, -1.2, 1.7, 0.0])[ROW % 4] * np.where(COL % 2, 2.0, 1.0)
    scores = score_day(TRUTH, {"ssm_net": day(TRUTH + z * SIGMA)}, LAND, 36)
    got = rows(scores)
    assert (got["clear"]["coverage 68"], got["clear"]["coverage 90"]) == (0.5, 0.75)
    assert (got["cloudy"]["coverage 68"], got["cloudy"]["coverage 90"]) == (0.25, 0.5)  # 1, 2.4, 3.4, 0 sigma
    assert (got["all"]["coverage 68"], got["all"]["coverage 90"]) == (0.375, 0.625)
    right = score_day(TRUTH, {"ssm_net": day(TRUTH)}, LAND, 36)
    assert rows(right)["orbit gap"]["CRPS"] == pytest.approx(SIGMA * (np.sqrt(2 / np.pi) - 1 / np.sqrt(np.pi)))
    assert rows(right)["clear"]["stated uncertainty"] == pytest.approx(SIGMA)
    assert {r["stratum"] for r in calibration_table(scores, ["ssm_net"])} == set(STRATA)


def test_seams_are_told_where_there_is_more_than_one_tile():
    truth = truth_of(WIDE)
    flags = np.full(truth.shape, 5, "uint16")
    seam = np.where(np.arange(truth.shape[1]) < 8 * 36, 0.0, 0.1)[None]
    scores = score_day(truth, {"ssm_net": day(truth + seam, domain=WIDE, flags=flags)}, truth > 0, 36)
    got = {r["method"]: r["seam index"] for r in texture_table(scores)}
    assert got["ssm_net"] > 5 and got["truth"] == pytest.approx(1, abs=0.25)
    one = score_day(TRUTH, {"ssm_net": day(TRUTH)}, LAND, 36)
    assert all("seam index" not in r for r in texture_table(one))
    for found, heading in ((scores, True), (one, False)):
        page = _texture({"texture": texture_table(found), "methods": ["ssm_net"]}, SimpleNamespace(scores=found))
        assert ("<th>seam index</th>" in page) == (f"every {TILE} cells" in page) == heading


def test_scores_in_time_leave_out_pixels_with_few_days():
    rng = np.random.default_rng(3)
    x = rng.uniform(0.1, 0.4, (MIN_DAYS, 2))
    error = rng.normal(0, 0.02, x.shape)
    seen = np.ones(x.shape, bool)
    seen[0, 1] = False
    sums = [Moments.per_pixel(*v) for v in zip(x, x + error, seen, strict=True)]
    got = temporal(sum(sums[1:], start=sums[0]))
    assert got["temporal ubRMSE"] == pytest.approx(error[:, 0].std(), rel=1e-3)
    assert got["temporal R"] == pytest.approx(np.corrcoef(x[:, 0], (x + error)[:, 0])[0, 1], abs=1e-3)
    assert np.isnan(temporal(sums[0])["temporal R"])


def test_consistency_is_of_footprint_means_where_half_is_land():
    land = np.ones(TRUTH.shape, bool)
    land[:20, :36] = False  # less than half of the first cell is left
    land[36:40, :36] = False
    ssm = np.where(land, TRUTH, np.nan)
    observed = cell_mean(TRUTH, land, 36) + 0.02
    observed[3, 3] = np.nan
    operator = ObservationOperator(Footprint.box((4, 4), 36), torch.ones(TRUTH.shape, dtype=torch.bool))
    m = coarse_consistency(day(ssm), observed, operator)
    assert m.n == 14
    assert m.bias == pytest.approx(-0.02, abs=1e-6) and m.ubrmse == pytest.approx(0, abs=1e-6)
