"""A cube cut off at any moment of its writing: what is done stays, and the same steps make the cube of one go."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import crash
import numpy as np
import pytest
import zarr
from small_disk import digests
from worlds import ATTRS, FIRST

from ssm_net.core.faults import FaultPoint
from ssm_net.cube.json_files import CubeError
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import UNFINISHED, write_lock
from ssm_net.cube.store import Cube, open_cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.grid import Domain

DOMAIN = Domain("t", (0, 4, 0, 4))
LAYOUT = CubeLayout(DOMAIN, ["lst_day", "red"], ["ssm", "source"], ["sand"], ATTRS)
DAYS = [FIRST + dt.timedelta(n) for n in range(3)]
NOT_WITHDRAWN = [p for p in crash.OF_CUBES if p is not FaultPoint.DAYS_HALF_WITHDRAWN]


def make(path: Path, days: list[dt.date] = DAYS, revise: bool = False) -> Cube:
    """A cube of these days, each with its own number everywhere; a day that is stored is left alone."""
    with write_lock(path) as lock:
        writer = create_cube(lock, LAYOUT, days)
        writer.write_static("sand", np.full(DOMAIN.fine_shape, 40, "float32"))
        if revise:
            writer.withdraw(days[0])
        for n, day in enumerate(days):
            if not writer.cube.done(day):
                fine = {name: np.full(DOMAIN.fine_shape, 100 + n, "uint16") for name in LAYOUT.fine}
                coarse = {name: np.full(DOMAIN.coarse_shape, 0.1 * n, "float32") for name in LAYOUT.coarse}
                writer.write_day(day, fine.items(), coarse, {"observed": 16}, {"day": n})
    return writer.cube


def stored(path: Path) -> dict[str, str]:
    """All files of a cube; the time axis and the descriptions of arrays only in their content."""
    return digests(path) | {"fine/time": str(np.asarray(zarr.open_group(path, mode="r")["fine/time"][:]).tolist())}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return stored(make(tmp_path_factory.mktemp("one") / "c.zarr").path)


def where_of(point: FaultPoint) -> str:
    """The second day, where the moment is one of a day."""
    if point is FaultPoint.SHARD_WRITTEN_NOT_SYNCED:
        return "red/c/1"
    return f"{DAYS[1]}" if point.name.startswith("DAY") else ""


@pytest.mark.parametrize("error", [KeyboardInterrupt(), crash.full_disk()], ids=["interrupted", "disk full"])
@pytest.mark.parametrize("point", NOT_WITHDRAWN, ids=crash.name_of)
def test_a_cut_off_cube_is_finished_by_the_same_steps(
    tmp_path: Path, unbroken: dict[str, str], point: FaultPoint, error: BaseException
) -> None:
    path = tmp_path / "c.zarr"
    with crash.failing_at(point, error, where_of(point)), pytest.raises(type(error)):
        make(path)
    if point is FaultPoint.CUBE_MADE_NOT_DESCRIBED:
        assert (path / UNFINISHED).exists()
        with pytest.raises(CubeError, match="is not a cube"):
            open_cube(path)
    else:
        done = {FaultPoint.DAY_DONE_WITHOUT_REVISION: 2}.get(point, 1 if where_of(point) else 0)
        assert open_cube(path).done_days() == DAYS[:done]
    make(path)
    assert stored(path) == unbroken


def test_an_extended_cube_keeps_its_days_where_the_list_of_days_was_not_written(
    tmp_path: Path, unbroken: dict[str, str]
) -> None:
    path = make(tmp_path / "c.zarr", DAYS[:2]).path
    for point in (FaultPoint.CUBE_HALF_EXTENDED, FaultPoint.CUBE_EXTENDED_DAYS_NOT_LISTED):
        with crash.failing_at(point, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
            make(path)
        cut = open_cube(path)
        assert cut.done_days() == DAYS[:2] == list(cut.days)
        assert (cut.read_packed("red", DAYS[1]) == 101).all()
    make(path)
    assert stored(path) == unbroken


def test_days_half_withdrawn_are_a_record_without_its_end(tmp_path: Path) -> None:
    """No day ever rests on one that is withdrawn, and each day that is made again has a new revision."""
    path = make(tmp_path / "c.zarr").path
    point = FaultPoint.DAYS_HALF_WITHDRAWN
    with crash.failing_at(point, KeyboardInterrupt(), str(DAYS[1])), pytest.raises(KeyboardInterrupt):
        make(path, revise=True)
    assert open_cube(path).done_days() == DAYS[:1]
    cube = make(path, revise=True)
    assert cube.done_days() == DAYS
    assert [cube.revision(day) for day in DAYS] == [2, 2, 2]


@pytest.mark.parametrize(
    "point",
    [pytest.param(p, marks=[] if p is FaultPoint.DAY_HALF_WRITTEN else pytest.mark.slow) for p in NOT_WITHDRAWN],
    ids=crash.name_of,
)
def test_a_killed_writer_leaves_no_lock(tmp_path: Path, unbroken: dict[str, str], point: FaultPoint) -> None:
    path = tmp_path / "c.zarr"
    work = f"from test_interrupted_cubes import make\nmake(Path({str(path)!r}))"
    crash.killed_at(point, work, where_of(point))
    make(path)
    assert stored(path) == unbroken


def test_a_day_is_done_when_its_status_says_so_only(tmp_path: Path) -> None:
    cube = make(tmp_path / "c.zarr", DAYS[:1])
    cube.status_file(DAYS[0]).unlink()
    assert cube.done_days() == []
    coarse = {name: np.zeros(DOMAIN.coarse_shape, "float32") for name in LAYOUT.coarse}
    with write_lock(cube.path) as lock:
        writer = CubeWriter(cube, lock)
        given = [(name, np.full(DOMAIN.fine_shape, 7, "uint16")) for name in LAYOUT.fine]
        with (
            crash.failing_at(FaultPoint.DAY_WRITTEN_WITHOUT_STATUS, crash.full_disk()),
            pytest.raises(OSError, match="No space"),
        ):
            writer.write_day(DAYS[0], given, coarse, {})
        assert not cube.done(DAYS[0])
        writer.write_day(DAYS[0], given, coarse, {"observed": 1})
    assert cube.done(DAYS[0]) and (cube.read_packed("red", DAYS[0]) == 7).all()
