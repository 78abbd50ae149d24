"""A cube that knows the days ahead: memories of LST from both sides of a day, and nothing else changed."""

from __future__ import annotations

import datetime as dt
import math
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import tiny_cube

from ssm_net.cube.json_files import CubeError
from ssm_net.cube.lookahead import ArchiveCube, seen_from
from ssm_net.cube.store import Cube
from ssm_net.grid import block_mean
from ssm_net.inputs.reading import read_coarse
from ssm_net.inputs.scaling import NO_FEATURES
from ssm_net.lst.gap_filling import LAPSE

WINDOW = (30, 80, 100, 190)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("ahead") / "cube.zarr", days=5)


def test_a_memory_holds_the_views_of_both_sides(cube: Cube) -> None:
    """Under cloud the pattern of a day would rest on the past alone, though the sky cleared the day after."""
    day, ahead = cube.days[1], ArchiveCube.of(cube, 2)
    weight = cube.read("lst_day_weight", day, WINDOW)
    total = weight * cube.read("lst_day_memory", day, WINDOW)
    height = LAPSE * cube.read_static("elevation", WINDOW)
    for n in (1, 2):
        later = day + dt.timedelta(n)
        seen = cube.read_packed("lst_day_lineage", later, WINDOW) == 0
        fading = math.exp(-n / 4.0)
        total = total + fading * np.where(seen, cube.read("lst_day", later, WINDOW) + height - 298.0, 0.0)
        weight = weight + fading * seen
    np.testing.assert_allclose(ahead.read("lst_day_memory", day, WINDOW), total / weight, atol=6e-3)
    np.testing.assert_allclose(ahead.read("lst_day_weight", day, WINDOW), weight, atol=3e-3)


def test_the_order_in_which_mean_and_weight_are_read_does_not_matter(cube: Cube) -> None:
    one, other = ArchiveCube.of(cube, 3), ArchiveCube.of(cube, 3)
    names = ("lst_night_memory", "lst_night_weight")
    first = {name: one.read_packed(name, cube.days[0], WINDOW) for name in names}
    for name in reversed(names):
        for _ in range(2):
            np.testing.assert_array_equal(other.read_packed(name, cube.days[0], WINDOW), first[name])


def test_a_window_is_part_of_the_whole(cube: Cube) -> None:
    ahead, (y0, y1, x0, x1) = ArchiveCube.of(cube, 3), WINDOW
    whole = ahead.read_packed("lst_day_memory", cube.days[1])
    np.testing.assert_array_equal(ahead.read_packed("lst_day_memory", cube.days[1], WINDOW), whole[y0:y1, x0:x1])


def test_cells_agree_with_their_pixels(cube: Cube) -> None:
    """Networks are given both; the slopes between cells are those of the pixels inside them."""
    ahead, day, land = ArchiveCube.of(cube, 3), cube.days[0], cube.land()
    weight = torch.from_numpy(ahead.read("lst_day_weight", day))
    np.testing.assert_allclose(ahead.read_coarse("lst_day_weight", day), block_mean(weight, 36, land), atol=3e-3)
    total = block_mean(weight * torch.from_numpy(ahead.read("lst_day_memory", day)), 36, land)
    np.testing.assert_allclose(
        ahead.read_coarse("lst_day_memory", day) * ahead.read_coarse("lst_day_weight", day), total, atol=0.05
    )


def test_all_else_is_as_in_the_cube(cube: Cube) -> None:
    ahead, day = ArchiveCube.of(cube, 3), cube.days[1]
    for name in set(cube.fine) - {f"lst_{k}_{what}" for k in ("day", "night") for what in ("memory", "weight")}:
        np.testing.assert_array_equal(ahead.read_packed(name, day, WINDOW), cube.read_packed(name, day, WINDOW))
    assert seen_from(cube, 0) is cube


def test_the_last_days_know_fewer(cube: Cube) -> None:
    """They are provisional: their maps are made again when the days after them come."""
    ahead = ArchiveCube.of(cube, 3)
    assert [len(ahead.days_ahead(day)) for day in cube.days] == [3, 3, 2, 1, 0]
    assert [ahead.whole(day) for day in cube.days] == [True, True, False, False, False]
    last = cube.days[-1]
    np.testing.assert_array_equal(ahead.read("lst_day_weight", last), cube.read("lst_day_weight", last))


def test_observations_ahead_are_given_to_the_networks(cube: Cube) -> None:
    day = cube.days[2]
    coarse = read_coarse(ArchiveCube.of(cube, 3), day, 2, NO_FEATURES, 4)
    assert coarse.observations.shape[0] == 2 + 1 + 4
    for n in (1, 2):
        np.testing.assert_array_equal(coarse.ahead[n - 1], cube.read_coarse("ssm", day + dt.timedelta(n)))
    assert bool(np.isnan(coarse.ahead[2:]).all()), "the cube ends"
    assert bool(np.isnan(read_coarse(cube, day, 2, NO_FEATURES, 4).ahead).all()), "it looks back only"


def test_it_can_be_sent_to_another_process(cube: Cube) -> None:
    ahead = ArchiveCube.of(cube, 2)
    want = ahead.read_packed("lst_day_memory", cube.days[0], WINDOW)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(ahead)).read_packed("lst_day_memory", cube.days[0], WINDOW), want
    )


def test_a_cube_that_cannot_look_ahead_is_refused(cube: Cube) -> None:
    old = replace(cube, coarse=tuple(name for name in cube.coarse if not name.endswith("_anomaly")))
    with pytest.raises(CubeError, match=r"lst_day_anomaly.*prepare a new cube.*mode=nrt"):
        ArchiveCube.of(old, 3)


def test_the_cube_on_disk_stays_as_it_is(cube: Cube, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in cube.path.rglob("*") if p.is_file()}
    ArchiveCube.of(cube, 3).read("lst_day_memory", cube.days[0])
    assert {p: p.stat().st_mtime_ns for p in cube.path.rglob("*") if p.is_file()} == before
