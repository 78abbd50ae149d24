"""A file is there whole or not at all."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ssm_net.core.files import write_whole


def test_content_and_mode_are_those_of_a_plain_file(tmp_path):
    path = write_whole(tmp_path / "new" / "a.nc", b"abc")
    (tmp_path / "plain").write_bytes(b"")
    assert path.read_bytes() == b"abc"
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert [p.name for p in path.parent.iterdir()] == ["a.nc"]


def test_killed_before_the_rename_leaves_the_old_file_and_the_next_write_cleans_up(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "a.nc", b"old")
    # kill -9: nothing of Python runs after it
    pid = os.fork()
    if pid == 0:
        monkeypatch.setattr(os, "replace", lambda *_: os._exit(9))
        write_whole(path, b"new")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.glob("a.nc.*.part"))) == 1
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


def test_full_disk_leaves_nothing_and_says_what_to_do(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "a.nc", b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"no room left on the disk: make room and run .* again.*a\.nc") as err:
        write_whole(path, b"new")
    assert err.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_any_other_failure_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.nc", b"new")
    assert not list(tmp_path.iterdir())
