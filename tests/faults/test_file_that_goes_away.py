"""A file that goes away, or whose reader fails, costs its own pixels: the rest of the day is as without it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import road
from test_checksums_beside import ECS
from test_one_bad_file import DAY, LST, SSM, few_files

from ssm_net.ingest.checksums import check_sums, cksum
from ssm_net.prepare import read_day
from ssm_net.prepare.day_plan import DayPlan
from ssm_net.prepare.plan import make_plan
from ssm_net.prepare.read_day import ObservedDay, read_granules


@pytest.fixture(scope="module")
def planned(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[DayPlan, ObservedDay]:
    """The plan of a day, and what its granules give."""
    raw = few_files(tiny_raw, tmp_path_factory.mktemp("planned") / "raw")
    plan = make_plan(road.preparation(raw, raw.parent / "cube.zarr", start=str(DAY), end=str(DAY))).day_plans[DAY]
    return plan, read_granules(plan)


@pytest.fixture
def day_plan(planned: tuple[DayPlan, ObservedDay]) -> Iterator[DayPlan]:
    """It may spoil its files: they are links, and come back."""
    links = {g.path: g.path.readlink() for of_kind in planned[0].granules.values() for g in of_kind}
    yield planned[0]
    for path, target in links.items():
        if not (path.is_symlink() and path.readlink() == target):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            path.symlink_to(target)


def file_of(plan: DayPlan, name: str) -> Path:
    return next(g.path for of_kind in plan.granules.values() for g in of_kind if g.path.name == name)


def gone(file: Path) -> None:
    file.unlink()


def broken_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/nowhere/at/all.hdf")


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


@pytest.mark.parametrize("name", [LST, SSM])
@pytest.mark.parametrize("spoil", [gone, broken_link, pipe, folder, loop], ids=lambda f: f"F6-{f.__name__}")
def test_a_file_that_goes_away_after_it_was_listed(spoil: Callable, name: str, planned, day_plan: DayPlan) -> None:  # type: ignore[no-untyped-def]
    file, before = file_of(day_plan, name), planned[1]
    spoil(file)
    after = read_granules(day_plan)
    (line,) = [p for p in after.problems if str(file) in p][:1]
    assert "no such file" in line
    assert file.name in after.left_out and file.name not in after.files
    same_but(before, after, file)


def same_but(before: ObservedDay, after: ObservedDay, file: Path) -> None:
    if file.name != SSM:
        assert before.ssm is not None and after.ssm is not None
        np.testing.assert_array_equal(before.ssm.ssm, after.ssm.ssm)
    if file.name != LST:
        for (one, _), (other, _) in zip(before.lst.values(), after.lst.values(), strict=True):  # type: ignore[misc]
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("raised", [TypeError("a"), IndexError("b"), ZeroDivisionError(), RecursionError("c"),
                                    FileNotFoundError(2, "gone"), PermissionError(13, "no")])  # fmt: skip
def test_any_exception_of_a_reader(raised: Exception, planned, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    (day_plan, before), real = planned, read_day.read_lst

    def fails(granules, *args):  # type: ignore[no-untyped-def]
        if any(g.path.name == LST for g in granules):
            raise raised
        return real(granules, *args)

    monkeypatch.setattr(read_day, "read_lst", fails)
    after = read_granules(day_plan)
    (line,) = after.problems
    assert LST in line and type(raised).__name__ in line
    assert after.lst["day"] is not None and list(after.left_out) == [LST]
    same_but(before, after, Path(LST))


@pytest.mark.parametrize("raised", [MemoryError(), OSError(28, "No space left on device"), ImportError("pyhdf")])
def test_what_no_file_can_help_ends_the_run(
    raised: Exception, day_plan: DayPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args):  # type: ignore[no-untyped-def]
        raise raised

    monkeypatch.setattr(read_day, "read_lst", fails)
    with pytest.raises(type(raised)):
        read_granules(day_plan)


def test_a_file_without_its_checksum_costs_its_own_pixels(planned, day_plan: DayPlan) -> None:  # type: ignore[no-untyped-def]
    file, before = file_of(day_plan, LST), planned[1]
    file.with_name(f"{LST}.xml").write_text(ECS.format(name=LST, size=1, kind="CKSUM", sum=cksum(file)))
    check_sums(file)
    data = bytearray(road.owned(file).read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    after = read_granules(day_plan)
    (line,) = after.problems
    assert LST in line and "its CKSUM is" in line
    same_but(before, after, file)
