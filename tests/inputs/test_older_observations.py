"""What a cell was like before the days that networks are given one by one: known through an outage of weeks."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import tiny_cube

from ssm_net.cube.store import Cube
from ssm_net.inputs.reading import OLDER_DAYS, OLDER_FADING, older_mean, read_coarse
from ssm_net.inputs.scaling import NO_FEATURES


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=7)


def test_older_observations_fade() -> None:
    ssm = torch.tensor([0.1, 0.3, torch.nan])[:, None, None].expand(3, 2, 2).clone()
    w = math.exp(-1 / OLDER_FADING)
    torch.testing.assert_close(older_mean(ssm), torch.full((2, 2), (0.1 + w * 0.3) / (1 + w)))
    ssm[0, 0, 0] = torch.nan
    assert float(older_mean(ssm)[0, 0]) == pytest.approx(0.3)


def test_nothing_older_is_nan() -> None:
    assert torch.isnan(older_mean(torch.full((4, 2, 2), torch.nan))).all()
    assert torch.isnan(older_mean(torch.empty(0, 2, 2))).all()


def test_a_day_is_given_its_lags_and_the_mean_of_what_was_before(cube: Cube) -> None:
    """No observation counts twice, and that of the day itself is not in the mean: the own value stays left out."""
    day, lags = cube.days[5], 3
    coarse = read_coarse(cube, day, lags, NO_FEATURES)
    past = torch.stack([torch.from_numpy(cube.read_coarse("ssm", d)) for d in reversed(cube.days[:6])])
    assert torch.equal(torch.nan_to_num(coarse.ssm), torch.nan_to_num(past[:lags]))
    torch.testing.assert_close(coarse.older, older_mean(past[lags:]), equal_nan=True)
    assert coarse.observations.shape == (lags + 1, 4, 8)
    hidden = coarse.without(torch.ones(4, 8, dtype=torch.bool))
    assert torch.isnan(hidden.observations[0]).all()
    assert torch.equal(torch.nan_to_num(hidden.observations[1:]), torch.nan_to_num(coarse.observations[1:]))


def test_the_first_days_of_a_record_have_nothing_older(cube: Cube) -> None:
    assert torch.isnan(read_coarse(cube, cube.days[2], 3, NO_FEATURES).older).all()
    assert torch.isfinite(read_coarse(cube, cube.days[3], 3, NO_FEATURES).older).any()


def test_days_that_are_not_done_do_not_count(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=5)
    before = read_coarse(cube, cube.days[4], 2, NO_FEATURES).older
    cube.status_file(cube.days[0]).unlink()
    after = read_coarse(cube, cube.days[4], 2, NO_FEATURES).older
    kept = torch.stack([torch.from_numpy(cube.read_coarse("ssm", cube.days[n])) for n in (2, 1)])
    torch.testing.assert_close(after, older_mean(kept), equal_nan=True)
    assert not torch.equal(torch.nan_to_num(before), torch.nan_to_num(after))


def test_what_is_older_than_a_season_does_not_count(cube: Cube) -> None:
    """However long the record: a day is read in the same time, and pretraining has no older observations either."""
    later = cube.days[0] + dt.timedelta(2 + OLDER_DAYS)
    assert np.isfinite(cube.read_coarse("ssm", cube.days[0])).any()

    class Longer(Cube):
        def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
            return super().read_coarse(name, day if day in self.days else self.days[0])

        def done(self, day: dt.date) -> bool:
            return day == cube.days[0]

    longer = Longer(**{k: getattr(cube, k) for k in cube.__dataclass_fields__})
    assert torch.isfinite(read_coarse(longer, later - dt.timedelta(1), 2, NO_FEATURES).older).any()
    assert torch.isnan(read_coarse(longer, later, 2, NO_FEATURES).older).all()
