"""Fields too large for memory lie on the disk, and nothing else changes."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import road

from ssm_net.core import scratch
from ssm_net.infer.run import infer


def test_a_day_made_on_the_disk_is_the_day_made_in_memory(
    tiny_cube_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = {"start": road.START, "end": road.START, "quicklook": True}
    infer(road.inference(tiny_cube_path, tmp_path / "memory", **day))
    made = []
    monkeypatch.setattr(scratch, "LIMIT", 0)
    monkeypatch.setattr(np, "memmap", lambda *a, _of=np.memmap, **kw: made.append(1) or _of(*a, **kw))
    infer(road.inference(tiny_cube_path, tmp_path / "disk", **day))
    assert len(made) >= 5  # parts, and the mosaic as floats and packed
    for file in (tmp_path / "memory").rglob("*"):
        if file.is_file():
            assert (tmp_path / "disk" / file.relative_to(tmp_path / "memory")).read_bytes() == file.read_bytes()


def test_nothing_is_left_of_a_field_and_a_small_one_is_an_array(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert type(scratch.empty((3, 4), np.int16)) is np.ndarray
    monkeypatch.setattr(scratch, "LIMIT", 10)
    field = scratch.full((30, 40), 7.0, np.float32)
    assert isinstance(field, np.memmap) and (field == 7).all() and field.dtype == np.float32
    assert not list(tmp_path.iterdir())  # a killed run leaves no file either: it has no name


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="space is not taken beforehand on this system")
def test_a_full_disk_is_told_before_the_work_begins(tmp_path: Path, monkeypatch) -> None:
    def no_room(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch, "LIMIT", 0)
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(OSError, match="make room"):
        scratch.empty((8,), np.float32)
