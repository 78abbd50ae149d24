"""The age of the coarse observation as a stratum: skill the longer ago the radiometer observed a cell."""

import datetime as dt

import numpy as np
import worlds

from ssm_net.evaluate.metrics.algebra import ScoredDay
from ssm_net.evaluate.metrics.scorecard import AGE_TABLE
from ssm_net.evaluate.referees.coarse import observation_ages
from ssm_net.evaluate.referees.truth import score_day
from ssm_net.formats.product import Mosaic


def test_the_age_of_an_observation_is_counted_from_the_last_that_was_stored(tmp_path):
    cube = worlds.tiny_cube(tmp_path / "cube.zarr", days=8)  # the left half has a gap every third day
    ages = list(observation_ages(cube, cube.days[2:6]))
    assert [a[0, 0] for a in ages] == [1, 0, 0, 1]
    assert all((a[:, 4:] == 0).all() for a in ages)
    (cube.path / "status" / f"{cube.days[1]:%Y%m%d}.json").unlink()
    assert next(iter(observation_ages(cube, cube.days[2:3])))[0, 0] == 2


def test_scores_go_to_the_bin_of_their_age(tmp_path):
    cube = worlds.tiny_cube(tmp_path / "cube.zarr", days=2)
    domain, day = cube.domain, dt.date(2016, 4, 15)
    truth = np.full(domain.fine_shape, 0.2, "float32")
    age = np.zeros(domain.coarse_shape, int)
    age[:, 4:6], age[:, 6:] = 5, 10**6
    ssm = truth + np.float32(0.01) * (age.repeat(36, 0).repeat(36, 1) > 0)
    mosaic = Mosaic(day, domain, ssm, np.full_like(ssm, 0.02), np.ones(ssm.shape, "uint16"))
    land = np.ones(ssm.shape, bool)
    land[:36] = False
    scores = score_day(truth, {"ssm_net": mosaic}, land, ScoredDay(day, mosaic.flags, 36, age))
    rows = {row["days"]: row for row in scores.rows(AGE_TABLE, ["ssm_net"])}
    assert list(rows) == ["0", "4-7", "> 14"]
    assert rows["0"]["RMSE"] < 1e-6
    assert abs(rows["> 14"]["bias"] - 0.01) < 1e-6
    assert rows["4-7"]["n"] == 3 * 36 * 72
