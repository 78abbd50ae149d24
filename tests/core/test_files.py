"""A file is there whole or not at all."""

import errno
from concurrent.futures import ThreadPoolExecutor

import crash
import pytest

from ssm_net.core.faults import FaultPoint
from ssm_net.core.files import write_whole


def test_content_and_mode_are_those_of_a_plain_file(tmp_path):
    path = write_whole(tmp_path / "new" / "a.nc", b"abc")
    (tmp_path / "plain").write_bytes(b"")
    assert path.read_bytes() == b"abc"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert [p.name for p in path.parent.iterdir()] == ["a.nc"]


@pytest.mark.parametrize("point", crash.OF_FILES, ids=crash.name_of)
def test_killed_is_the_old_file_or_the_new_one_and_the_next_write_cleans_up(tmp_path, point):
    path = write_whole(tmp_path / "a.nc", b"old")
    work = f"from ssm_net.core.files import write_whole\nwrite_whole(Path({str(path)!r}), b'new')"
    crash.killed_at(point, work, "a.nc")
    unfinished = point is FaultPoint.FILE_WRITTEN_NOT_RENAMED
    assert path.read_bytes() == (b"old" if unfinished else b"new")
    assert len(list(tmp_path.glob("a.nc.*.part"))) == unfinished
    write_whole(path, b"newer")
    assert path.read_bytes() == b"newer"
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_several_writers_of_one_file_do_not_hinder_each_other(tmp_path):
    data = [bytes([65 + n]) * 5000 for n in range(4)]

    def write(own: bytes) -> None:
        for n in range(40):
            assert write_whole(tmp_path / f"{n}", own).read_bytes() in data

    with ThreadPoolExecutor(len(data)) as pool:
        list(pool.map(write, data))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(str(n) for n in range(40))


def test_leftovers_of_another_file_are_not_touched(tmp_path):
    other = tmp_path / "ab.nc.1.part"
    other.write_bytes(b"being written")
    write_whole(tmp_path / "a.nc", b"abc")
    assert other.exists()


def test_full_disk_leaves_nothing_and_says_what_to_do(tmp_path):
    path = write_whole(tmp_path / "a.nc", b"old")
    with (
        crash.failing_at(FaultPoint.FILE_WRITTEN_NOT_RENAMED, crash.full_disk()),
        pytest.raises(OSError, match=r"no room left on the disk: make room and run .* again.*a\.nc") as err,
    ):
        write_whole(path, b"new")
    assert err.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_any_other_failure_leaves_nothing(tmp_path):
    with (
        crash.failing_at(FaultPoint.FILE_WRITTEN_NOT_RENAMED, KeyboardInterrupt()),
        pytest.raises(KeyboardInterrupt),
    ):
        write_whole(tmp_path / "a.nc", b"new")
    assert not list(tmp_path.iterdir())
