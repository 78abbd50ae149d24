"""kill -9 at the worst moments of each verb: what was finished stays, what was not is done again, the result is that of
one go."""

from __future__ import annotations

import re
from pathlib import Path

import crash
import pytest
import road

from ssm_net.core.faults import FaultPoint
from ssm_net.cube.store import open_cube
from ssm_net.formats.mosaic_days import day_path, days_done, read_day
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare

DAYS = 4
END = "2016-05-04"
OF_FIRST_DAYS = re.compile(r"fine/\w+/c/(\d)/")


def slow(*values: object) -> object:
    return pytest.param(*values, marks=pytest.mark.slow)


# The moment, the day it is of, and how many days are done then.
PREPARING = [
    (FaultPoint.CUBE_MADE_NOT_DESCRIBED, "", 0),
    slow(FaultPoint.CUBE_DESCRIBED_STILL_MARKED, "", 0),
    slow(FaultPoint.CUBE_HALF_EXTENDED, "fine/lst_day", 0),
    slow(FaultPoint.CUBE_EXTENDED_DAYS_NOT_LISTED, "", 0),
    slow(FaultPoint.STATIC_MAP_WITHOUT_CELL_MEANS, "", 0),
    slow(FaultPoint.DAY_HALF_WRITTEN, "2016-05-02 fine/lst_night", 1),
    slow(FaultPoint.SHARD_WRITTEN_NOT_SYNCED, "fine/lst_night_memory/c/1/", 1),
    slow(FaultPoint.DAY_WRITTEN_WITHOUT_STATE, "2016-05-03", 2),
    (FaultPoint.DAY_WRITTEN_WITHOUT_STATUS, "2016-05-03", 2),
    slow(FaultPoint.FILE_WRITTEN_NOT_RENAMED, "state/20160503.json", 2),
    slow(FaultPoint.FILE_WRITTEN_NOT_RENAMED, "status/20160503.json", 2),
    slow(FaultPoint.FILE_RENAMED_NOT_SYNCED, "status/20160503.json", 3),
    slow(FaultPoint.DAY_DONE_WITHOUT_REVISION, "2016-05-03", 3),
    slow(FaultPoint.FILE_WRITTEN_NOT_RENAMED, "revision/20160503.json", 3),
]


@pytest.mark.parametrize(("point", "where", "done"), PREPARING, ids=crash.name_of)
def test_prepare_goes_on(
    tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path, point: FaultPoint, where: str, done: int
) -> None:
    path = tmp_path / "cube.zarr"
    work = "from ssm_net.prepare import prepare\n"
    work += f"prepare(road.preparation(Path({str(tiny_raw)!r}), Path({str(path)!r}), end={END!r}))"
    crash.killed_at(point, "import road\n" + work, where)
    if point is FaultPoint.CUBE_MADE_NOT_DESCRIBED:
        assert not (path / "cube.json").exists()
    else:
        assert len(open_cube(path).done_days()) == done
    before = road.stamps(path)
    finished = {k for k in before if (m := OF_FIRST_DAYS.match(k)) and int(m[1]) < done}
    assert bool(finished) == (done > 0)

    prepare(road.preparation(tiny_raw, path, end=END))
    later = re.compile(r"(fine|coarse)/\w+/c/[4-7]/|status/2016050[5-8]")
    assert road.data_of(path) == {k: v for k, v in road.data_of(tiny_cube_path).items() if not later.match(k)}
    now = road.stamps(path)
    assert {k: now[k] for k in finished} == {k: before[k] for k in finished}
    assert not list(path.rglob("*.part"))


@pytest.fixture(scope="module")
def mosaics(tiny_cube_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    infer(road.inference(tiny_cube_path, folder, end=END))
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("point", crash.OF_FILES, ids=crash.name_of)
def test_infer_goes_on(tiny_cube_path: Path, tmp_path: Path, mosaics: dict[str, bytes], point: FaultPoint) -> None:
    work = "import road\nfrom ssm_net.infer import infer\n"
    work += f"infer(road.inference(Path({str(tiny_cube_path)!r}), Path({str(tmp_path)!r}), end={END!r}))"
    crash.killed_at(point, work, "ssm_tiny_20160502.nc")
    unfinished = point is FaultPoint.FILE_WRITTEN_NOT_RENAMED
    done = 1 if unfinished else 2
    assert len(days_done(tmp_path, "tiny")) == done
    assert [p.suffix for p in sorted(tmp_path.glob("ssm_*"))] == [".nc", ".part" if unfinished else ".nc"]
    before = road.stamps(tmp_path)

    assert len(infer(road.inference(tiny_cube_path, tmp_path, end=END))) == DAYS - done
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == mosaics
    first = "ssm_tiny_20160501.nc"
    assert road.stamps(tmp_path)[first] == before[first]


MAPPING = [
    slow(FaultPoint.STORE_MADE_NOT_RENAMED, "", 0),
    (FaultPoint.STORE_HALF_EXTENDED, "flags", 0),
    slow(FaultPoint.STORE_DAY_HALF_WRITTEN, "2016-05-03 ssm", 2),
    slow(FaultPoint.STORE_DAY_WITHOUT_STATUS, "2016-05-03", 2),
    slow(FaultPoint.FILE_WRITTEN_NOT_RENAMED, "ssm/zarr.json", 0),
    slow(FaultPoint.FILE_WRITTEN_NOT_RENAMED, "status/20160503.json", 2),
    slow(FaultPoint.FILE_RENAMED_NOT_SYNCED, "status/20160503.json", 3),
]


@pytest.mark.parametrize(("point", "where", "done"), MAPPING, ids=crash.name_of)
def test_infer_into_a_store_goes_on(
    tiny_cube_path: Path, tmp_path: Path, point: FaultPoint, where: str, done: int
) -> None:
    out, want = tmp_path / "out", tmp_path / "want"
    work = "import road\nfrom ssm_net.infer import infer\n"
    work += f"infer(road.inference(Path({str(tiny_cube_path)!r}), Path({str(out)!r}), format='zarr', end={END!r}))"
    crash.killed_at(point, work, where)
    infer(road.inference(tiny_cube_path, want, format="zarr", end=END))

    def assert_the_same() -> None:
        for day in days_done(out, "tiny", "zarr"):
            got, expected = (read_day(day_path(at, "tiny", day, "zarr"), day) for at in (out, want))
            assert got.ssm.tobytes() == expected.ssm.tobytes() and got.flags.tobytes() == expected.flags.tobytes()

    assert len(days_done(out, "tiny", "zarr")) == done
    assert_the_same()
    infer(road.inference(tiny_cube_path, out, format="zarr", end=END))
    assert days_done(out, "tiny", "zarr") == days_done(want, "tiny", "zarr")
    assert_the_same()
    assert not [p for p in out.rglob("*.part") if p.is_file()]
