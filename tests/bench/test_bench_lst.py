"""The measure of LST filling: its baselines are what they say, and a missed goal is named."""

import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # scripts, not a package
import lst as bench

from ssm_net.lst.gap_filling import LAPSE


def scene(lst: np.ndarray, hidden: np.ndarray, elevation: np.ndarray | None = None, every: int = 1) -> bench.Scene:
    days = tuple(dt.date(2020, 1, 1) + dt.timedelta(every * n) for n in range(len(lst)))
    shown, target = np.where(hidden, np.nan, lst), np.where(hidden, lst, np.nan)
    flat = np.zeros(lst.shape[1:], "float32")
    return bench.Scene(days, shown, {"": target}, flat if elevation is None else elevation, 40.0)


def test_interpolation_in_time_is_linear_and_holds_the_ends() -> None:
    lst = np.broadcast_to(np.array([280, 282, 284, 286], "float32")[:, None, None], (4, 2, 2)).copy()
    hidden = np.zeros_like(lst, bool)
    hidden[1:3, 0], hidden[3, 1] = True, True
    got = bench.temporal(scene(lst, hidden))
    assert np.allclose(got[:, 0], lst[:, 0])
    assert np.allclose(got[3, 1], 284)


def test_the_annual_cycle_is_found() -> None:
    when = np.arange(0, 365, 10)
    cycle = 285 - 12 * np.cos(2 * np.pi * (when - 20) / 365.25)
    lst = (cycle[:, None, None] + np.array([[0.0, 3.0]])[None]).astype("float32")
    hidden = np.random.default_rng(0).random(lst.shape) < 0.3
    got = bench.harmonic(scene(lst, hidden, every=10))
    assert np.abs(got - lst).max() < 0.2


def test_interpolation_in_space_knows_relief_and_gives_nothing_on_a_blind_day() -> None:
    elevation = np.random.default_rng(0).uniform(0, 1000, (20, 20)).astype("float32")
    lst = np.broadcast_to(290 - LAPSE * elevation, (2, 20, 20)).astype("float32")
    hidden = np.zeros_like(lst, bool)
    hidden[0, 5:9, 5:9], hidden[1] = True, True
    got = bench.spatial(scene(lst, hidden, elevation))
    assert np.allclose(got[0][hidden[0]], lst[0][hidden[0]], atol=1e-3)
    assert np.isnan(got[1]).all()


def test_scores_cover_the_hidden_pixels_and_name_what_is_missed() -> None:
    noise = np.random.default_rng(0).normal(0, 1, (3, 72, 72)).astype("float32")
    hidden = np.zeros_like(noise, bool)
    for n in range(3):
        hidden[n, 20 * n : 20 * n + 20, 10:60] = True
    (score,) = bench.scores("noise", [scene(290 + noise, hidden)])
    assert score.pixels == hidden.sum() and score.rmse["fill"] == pytest.approx(1.0, abs=0.3)
    assert any("best baseline" in m for m in score.missed())  # of white noise nobody knows more than its mean
    assert not bench.Score("good", 9, {"fill": 0.7, "spatial": 1.0}, 0.0, 0.66).missed()
