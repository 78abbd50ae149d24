"""Granules that arrive after their day was stored: reported, and used only on request, with the revision raised."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import road

from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import Cube, open_cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.formats.mosaic_days import day_path, read_day, revision_of
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare


@pytest.fixture
def raw(tiny_raw: Path, tmp_path: Path) -> Path:
    return road.linked(tiny_raw, tmp_path / "raw")


def made(raw: Path, path: Path, end: str = "2016-05-05", **other) -> Cube:
    cube = prepare(road.preparation(raw, path, end=end, **other))
    assert cube is not None
    return cube


def the(raw: Path, folder: str, day: int) -> Path:
    """One file of a product, of that day of the year 2016."""
    return sorted((raw / folder).rglob(f"*2016{day:03d}*"))[0]


def test_nothing_is_late_in_a_record_made_at_once(raw, tmp_path, caplog):
    cube = made(raw, tmp_path / "cube.zarr")
    before = road.data_of(cube.path)
    made(raw, cube.path, revise=True)
    assert "late" not in caplog.text
    assert road.data_of(cube.path) == before


@pytest.mark.parametrize("folder", [pytest.param("NNsm", marks=pytest.mark.slow), "MYD11A1.061"])
def test_a_late_granule_is_said_and_left_alone(raw, tmp_path, caplog, folder):
    file = the(raw, folder, 124)  # 3 May
    file.rename(tmp_path / file.name)
    cube = made(raw, tmp_path / "cube.zarr")
    before = road.data_of(cube.path)
    (tmp_path / file.name).rename(file)
    made(raw, cube.path, end="2016-05-06")
    assert file.name in caplog.text
    assert "revise=true" in caplog.text
    after = road.data_of(cube.path)
    assert {k: after[k] for k in before} == before


@pytest.mark.slow
def test_a_revision_is_the_record_made_with_all_granules(raw, tmp_path, caplog):
    file = the(raw, "MYD11A1.061", 124)
    file.rename(tmp_path / file.name)
    path = made(raw, tmp_path / "cube.zarr").path
    infer(road.inference(path, tmp_path / "out"))
    (tmp_path / file.name).rename(file)
    cube = made(raw, path, start="2016-05-05", revise=True)
    revisions = [cube.revision(d) for d in cube.days]
    first = revisions.index(2)
    assert revisions == [1] * first + [2] * (len(revisions) - first)
    assert cube.days[first].day in (3, 4)  # the day's view or the night's, filed a day before
    whole = made(raw, tmp_path / "whole.zarr")
    chunks = [{k: v for k, v in road.data_of(c.path).items() if not k.startswith("status")} for c in (cube, whole)]
    assert chunks[0] == chunks[1]

    caplog.clear()
    assert infer(road.inference(path, tmp_path / "out")) == []
    assert "revise=true" in caplog.text
    assert infer(road.inference(path, tmp_path / "out", revise=True)) == list(cube.days[first:])
    assert infer(road.inference(path, tmp_path / "out", revise=True)) == []
    assert [revision_of(tmp_path / "out", "tiny", d) for d in cube.days] == revisions
    infer(road.inference(whole.path, tmp_path / "same"))
    for day in cube.days:
        revised, plain = (read_day(day_path(tmp_path / name, "tiny", day)) for name in ("out", "same"))
        np.testing.assert_array_equal(revised.ssm, plain.ssm)
        np.testing.assert_array_equal(revised.flags, plain.flags)


@pytest.mark.slow
def test_a_used_granule_that_is_now_a_broken_link_is_no_obstacle(raw, tmp_path):
    """The archive of past years may be offline."""
    path = made(raw, tmp_path / "cube.zarr", end="2016-05-02").path
    file = the(raw, "NNsm", 122)
    file.unlink()
    file.symlink_to(tmp_path / "offline.nc")
    assert made(raw, path, start="2016-05-03", end="2016-05-03").days[-1].day == 3


@pytest.mark.slow
def test_a_revision_cut_off_goes_on(raw, tmp_path):
    file = the(raw, "NNsm", 124)
    file.rename(tmp_path / file.name)
    cube = made(raw, tmp_path / "cube.zarr")
    (tmp_path / file.name).rename(file)
    with write_lock(cube.path) as lock:
        CubeWriter(cube, lock).withdraw(cube.days[2])  # killed before any day was made again
    assert not cube.done(cube.days[2])
    made(raw, cube.path)
    assert [cube.revision(d) for d in cube.days] == [1, 1, 2, 2, 2]


def test_a_broken_granule_is_late_once_there_is_a_new_copy(raw, tmp_path, caplog):
    file = the(raw, "NNsm", 124)
    whole = file.resolve()
    road.owned(file).write_bytes(whole.read_bytes()[:500])
    cube = made(raw, tmp_path / "cube.zarr")
    assert json.loads((cube.path / "status" / "20160503.json").read_text())["left_out"] == {file.name: 500}
    caplog.clear()
    made(raw, cube.path)
    assert "late" not in caplog.text  # the same broken file
    shutil.copyfile(whole, file)
    made(raw, cube.path)
    assert file.name in caplog.text
    assert open_cube(cube.path).revision(cube.days[2]) == 1
