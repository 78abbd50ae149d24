"""Fault points: nothing happens at one without a hook, each is gone through by a test, and none passes unreached."""

from collections import Counter
from pathlib import Path

import crash
import pytest

from ssm_net.core.faults import FaultPoint, hooked, reached
from ssm_net.core.files import write_whole


def test_nothing_happens_without_a_hook() -> None:
    for point in FaultPoint:
        reached(point, "a")


def test_a_hook_is_told_what_a_moment_is_about_and_is_gone_afterwards(tmp_path: Path) -> None:
    moments: list[tuple[FaultPoint, str]] = []
    with pytest.raises(RuntimeError), hooked(lambda point, where: moments.append((point, where))):
        write_whole(tmp_path / "a", b"1")
        raise RuntimeError
    write_whole(tmp_path / "b", b"1")
    assert moments == [(point, str(tmp_path / "a")) for point in crash.OF_FILES]


def test_every_moment_has_a_test_that_goes_through_it() -> None:
    groups = (crash.OF_FILES, crash.OF_CUBES, crash.OF_STORES, crash.OF_MODELS, crash.OF_INFERENCE, crash.OF_RECORDS)
    assert Counter(p for group in groups for p in group) == Counter(FaultPoint)


def test_a_moment_that_is_never_reached_fails_its_test(tmp_path: Path) -> None:
    point = FaultPoint.FILE_WRITTEN_NOT_RENAMED
    with pytest.raises(AssertionError, match="never reached"), crash.failing_at(point, RuntimeError(), "another file"):
        write_whole(tmp_path / "a", b"1")
    with pytest.raises(AssertionError, match="never reached"):
        crash.killed_at(point, "pass")
