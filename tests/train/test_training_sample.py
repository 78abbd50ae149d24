"""A cube that keeps the pixels of few days: what it is trained on is spread over its whole record."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import tiny_cube

from ssm_net.config import TrainConfig
from ssm_net.cube.json_files import CubeError
from ssm_net.cube.lock import write_lock
from ssm_net.cube.lookahead import ArchiveCube
from ssm_net.cube.store import Cube, open_cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.estimators.training_set import TrainingSet
from ssm_net.train.run import split_of


def drop(cube: Cube, before: int, *sample: int) -> None:
    with write_lock(cube.path) as lock:
        CubeWriter(open_cube(cube.path), lock).drop_pixels(cube.days[before], [cube.days[n] for n in sample])


def test_training_sees_the_sample_and_the_latest_days(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=7)
    drop(cube, 5, 0, 1)
    assert cube.days_with_pixels() == [cube.days[n] for n in (0, 1, 5, 6)]
    parts = split_of(TrainConfig("c", "r"), cube)
    assert (*parts.train_days, *parts.held_days) == tuple(cube.days[n] for n in (0, 1, 5, 6))
    assert set(TrainingSet.of(cube).days) <= {cube.days[n] for n in (0, 1, 5, 6)}
    ahead = ArchiveCube.of(cube, 1)
    assert ahead.days_with_pixels() == [cube.days[n] for n in (0, 5, 6)], "the day after the second has no pixels"


def test_a_day_that_leaves_the_sample_does_not_come_back(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=6)
    drop(cube, 3, 0, 1)
    drop(cube, 5, 0, 1, 2, 4)
    assert cube.sampled_days == [cube.days[n] for n in (0, 1, 4)], "the third day was dropped before"
    drop(cube, 5, 0, 4)
    assert cube.days_with_pixels() == [cube.days[n] for n in (0, 4, 5)]
    assert cube.read("lst_day", cube.days[4]).shape == (144, 144)
    with pytest.raises(CubeError, match="were dropped"):
        cube.read("lst_day", cube.days[1])
