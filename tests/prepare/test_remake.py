"""Making a stored day again: one way, which keeps maps and later days from resting on a day that is no more."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path

import pytest
import road

from ssm_net.cube.json_files import CubeError, DamagedError
from ssm_net.cube.store import Cube, open_cube
from ssm_net.infer.run import infer
from ssm_net.prepare.errors import PrepareError
from ssm_net.prepare.run import prepare

END = "2016-05-04"


@pytest.fixture(scope="module")
def four_days(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("four") / "cube.zarr"
    prepare(road.preparation(tiny_raw, path, end=END))
    return path


@pytest.fixture
def cube(four_days: Path, tmp_path: Path) -> Cube:
    return open_cube(shutil.copytree(four_days, tmp_path / "cube.zarr"))


def fields(path: Path) -> dict[str, str]:
    return {k: v for k, v in road.data_of(path).items() if not k.startswith("status/")}


def revisions(path: Path) -> list[int]:
    cube = open_cube(path)
    assert cube.done_days() == list(cube.days)
    return [cube.revision(day) for day in cube.days]


def flip(shard: Path) -> None:
    """Every bit of the first half of a shard."""
    data = shard.read_bytes()
    half = len(data) // 2
    shard.write_bytes(bytes(b ^ 0xFF for b in data[:half]) + data[half:])


def test_a_deleted_status_is_not_passed_over(
    tiny_raw: Path, cube: Cube, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    infer(road.inference(cube.path, tmp_path / "out"))
    cube.status_file(cube.days[1]).unlink()
    before = road.data_of(cube.path)
    with pytest.raises(CubeError, match="holds no status of 2016-05-02, which later days rest on: give revise=true"):
        prepare(road.preparation(tiny_raw, cube.path))
    assert road.data_of(cube.path) == before and open_cube(cube.path).days == cube.days
    prepare(road.preparation(tiny_raw, cube.path, end=END, revise=True))
    assert revisions(cube.path) == [1, 2, 2, 2]
    caplog.clear()
    assert infer(road.inference(cube.path, tmp_path / "out")) == []
    assert "2016-05-02 .. 2016-05-04" in caplog.text and "revise=true" in caplog.text


def test_the_last_day_without_its_status_is_made_as_a_new_revision(tiny_raw: Path, cube: Cube, four_days: Path) -> None:
    """Nothing of the cube rests on it, but its map may be published."""
    cube.status_file(cube.days[-1]).unlink()
    prepare(road.preparation(tiny_raw, cube.path, end=END))
    assert revisions(cube.path) == [1, 1, 1, 2]
    assert fields(cube.path) == fields(four_days)


def test_a_damaged_status_is_a_lost_one(tiny_raw: Path, cube: Cube) -> None:
    cube.status_file(cube.days[1]).write_text("")
    with pytest.raises(DamagedError, match=r"20160502\.json is damaged.*start=2016-05-02 end=2016-05-02 revise=true"):
        cube.status(cube.days[1])
    prepare(road.preparation(tiny_raw, cube.path, start="2016-05-02", end="2016-05-02", revise=True))
    assert revisions(cube.path) == [1, 2, 2, 2]


@pytest.mark.parametrize("key", ["fine/lst_day", "fine/lst_night_memory", "coarse/lst_day_background"])
def test_a_damaged_day_is_made_again_with_all_after_it(
    tiny_raw: Path, cube: Cube, four_days: Path, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    shard = cube.path / key / "c" / "1" / "0" / "0"
    flip(shard)
    group, name = key.split("/")
    with pytest.raises(DamagedError, match=rf"{shard}") as err:
        (cube.read_coarse if group == "coarse" else cube.read)(name, cube.days[1])
    remedy = re.search(r"start=(\S+) end=(\S+) revise=true", str(err.value))
    assert remedy is not None
    prepare(road.preparation(tiny_raw, cube.path, start=remedy[1], end=remedy[2], revise=True))
    assert str(shard) in caplog.text
    assert revisions(cube.path) == [1, 2, 2, 2]
    assert fields(cube.path) == fields(four_days)


def test_a_damaged_state_is_made_again(tiny_raw: Path, cube: Cube) -> None:
    cube.state_file(cube.days[3]).write_text("{")
    with pytest.raises(DamagedError, match="start=2016-05-04 end=2016-05-04 revise=true"):
        prepare(road.preparation(tiny_raw, cube.path, end="2016-05-05"))
    prepare(road.preparation(tiny_raw, cube.path, start=END, end=END, revise=True))
    assert [open_cube(cube.path).revision(day) for day in cube.days] == [1, 1, 1, 2]


def test_damaged_static_maps_are_written_again_and_no_day_is_made_again(
    tiny_raw: Path, cube: Cube, four_days: Path
) -> None:
    flip(cube.path / "static" / "elevation" / "c" / "0" / "0")
    with pytest.raises(DamagedError, match="revise=true writes the static maps again"):
        prepare(road.preparation(tiny_raw, cube.path, end="2016-05-05"))
    prepare(road.preparation(tiny_raw, cube.path, start=END, end="2016-05-05", revise=True))
    assert revisions(cube.path) == [1, 1, 1, 1, 1]
    assert (cube.read_static("elevation") == open_cube(four_days).read_static("elevation")).all()


def test_a_damaged_static_map_is_not_replaced_by_another(tiny_raw: Path, cube: Cube, tmp_path: Path) -> None:
    raw = road.linked(tiny_raw, tmp_path / "raw")
    flip(cube.path / "static" / "sand" / "c" / "0" / "0")
    (raw / "static" / "sand.tif").unlink()
    (raw / "static" / "sand.tif").symlink_to((tiny_raw / "static" / "clay.tif").resolve())
    with pytest.raises(PrepareError, match="static map sand is damaged, and raw/static holds another one now"):
        prepare(road.preparation(raw, cube.path, start=END, end=END, revise=True))


def test_a_day_whose_granules_are_gone_is_not_withdrawn(tiny_raw: Path, cube: Cube, tmp_path: Path) -> None:
    raw = road.linked(tiny_raw, tmp_path / "raw")
    cube.status_file(cube.days[0]).unlink()
    for n in range(2, 9):  # the night view of a day is filed under the day before
        for file in list(raw.rglob(f"*2016{dt.date(2016, 5, n):%j}.*")):
            file.unlink()
    before = road.data_of(cube.path)
    with pytest.raises(PrepareError, match=r"no granule any more of lst_day on 2016-05-02 \.\. 2016-05-04; "):
        prepare(road.preparation(raw, cube.path, end=END, revise=True))
    assert road.data_of(cube.path) == before


def test_a_revision_over_a_gap_is_the_day_that_was_made_after_it(tiny_raw: Path, tmp_path: Path) -> None:
    """It counts the rain since the day before it in the record, as when it was made first."""
    path = tmp_path / "cube.zarr"
    for start, end in (("2016-05-01", "2016-05-02"), ("2016-05-06", "2016-05-06")):
        prepare(road.preparation(tiny_raw, path, start=start, end=end))
    before = fields(path)
    open_cube(path).status_file(dt.date(2016, 5, 2)).unlink()
    prepare(road.preparation(tiny_raw, path, start="2016-05-06", end="2016-05-06", revise=True))
    assert revisions(path) == [1, 2, 2]
    assert fields(path) == before
