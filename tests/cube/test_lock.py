"""The writer's lock: of two processes one writes, and the other is refused before it has changed anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import FIRST, tiny_cube

from ssm_net.cube.json_files import CubeError
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import open_cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.grid import Domain

TINY = CubeLayout(Domain("t", (0, 4, 0, 4)), ["lst_day"], ["ssm"], [])


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    with write_lock(cube.path), pytest.raises(CubeError, match="another process"), write_lock(cube.path):
        pass
    with write_lock(cube.path):
        pass


def test_a_new_cube_has_one_maker(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "c.zarr"
    with write_lock(path) as lock:
        with pytest.raises(CubeError, match="another process"), write_lock(path):
            pass
        create_cube(lock, TINY, [FIRST])
    assert open_cube(path).days == (FIRST,)


def test_nothing_is_left_where_no_cube_was_made(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), write_lock(tmp_path / "deep" / "c.zarr"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    with write_lock(tmp_path / "empty"):
        pass
    assert [p.name for p in tmp_path.rglob("*")] == ["empty"]


def test_nothing_is_written_after_the_lock_is_given_back(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    with write_lock(cube.path) as lock:
        writer = CubeWriter(cube, lock)
    with pytest.raises(AssertionError, match="holder of its lock"):
        writer.write_metadata("x", {})


def test_what_a_link_in_place_of_the_lock_points_at_stays(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    (tmp_path / "thesis.tex").write_text("years of work")
    (cube.path / ".lock").unlink()
    (cube.path / ".lock").symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(CubeError, match=r"\.lock is a link, not a lock file: remove it"), write_lock(cube.path):
        pass
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_lock_file_is_not_emptied(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", days=1)
    (cube.path / ".lock").write_text("note")
    with write_lock(cube.path):
        pass
    assert (cube.path / ".lock").read_text() == "note"


def test_another_folder_or_file_is_not_taken_for_a_cube(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "precious").write_text("data")
    with pytest.raises(CubeError, match="exists and is not a cube"), write_lock(tmp_path / "x"):
        pass
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["precious"]
    with pytest.raises(CubeError, match="is a file, not a cube"), write_lock(tmp_path / "x" / "precious"):
        pass
