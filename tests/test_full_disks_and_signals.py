"""Disks that fill up, shards that rot, Ctrl-C: a day is whole or absent, and the next run finishes.

Here a real file system runs full, and real signals come from outside, at any time. Crashes at chosen moments stand in
test_interruptions.py, cube/test_interrupted_cubes.py and the tests of formats and inference (``crash.py``).
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import road
from small_disk import digests, on_small_disk

from ssm_net.cube.json_files import CubeError
from ssm_net.cube.store import open_cube
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare

TESTS = Path(__file__).parent
PAGE = 4096  # a file takes whole pages of a tmpfs
INDEX = re.compile(r"(?:fine/\w+|coarse/\w+|ssm|ssm_uncertainty|flags)/c/(\d+)/")  # of the time axis
NAMED = re.compile(r"(?:status/|state/|ssm_tiny_)(\d{8})\.")
DAYS = [f"201605{n:02}" for n in range(1, 9)]
FOUR, END = set(DAYS[:4]), "2016-05-04"


def pages(folder: Path) -> int:
    """KiB that the files take."""
    return sum(-(-p.stat().st_size // PAGE) * PAGE for p in folder.rglob("*") if p.is_file()) // 1024


def of_days(found: dict[str, str], days: set[str]) -> dict[str, str]:
    """The files of these days."""
    day = {k: DAYS[int(m[1])] if (m := INDEX.search(k)) else m[1] if (m := NAMED.search(k)) else "" for k in found}
    return {k: v for k, v in found.items() if day[k] in days}


def test_prepare_on_a_disk_that_runs_full(tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "disk" / "cube.zarr"
    work = "import road\nfrom ssm_net.prepare import prepare\n"
    work += f"prepare(road.preparation(Path({str(tiny_raw)!r}), Path({str(path)!r})))"
    found = on_small_disk(work, path.parent, int(0.6 * pages(tiny_cube_path)))
    assert re.search(r"no room left on the disk: make room and run the same command again.*cube\.zarr", found["said"])
    cut, whole = ({k.removeprefix("cube.zarr/"): v for k, v in found[key].items()} for key in ("cut", "whole"))
    done = {m[1] for k in cut if (m := re.fullmatch(r"status/(\d{8})\.json", k))}
    assert 0 < len(done) < len(DAYS)
    assert not [k for k in cut if k.endswith((".part", ".partial"))]
    want = digests(tiny_cube_path)
    assert of_days(cut, done) == of_days(want, done)
    assert whole == want


@pytest.mark.parametrize(
    "format", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("netcdf", "cog")), "zarr"]
)
def test_infer_on_a_disk_that_runs_full(tiny_cube_path: Path, tmp_path: Path, format: str) -> None:
    infer(road.inference(tiny_cube_path, tmp_path / "want", format=format))
    out = tmp_path / "disk"
    work = (
        "import road\nfrom ssm_net.infer import infer\n"
        f"infer(road.inference(Path({str(tiny_cube_path)!r}), Path({str(out)!r}), format={format!r}))"
    )
    found = on_small_disk(work, out, int(0.6 * pages(tmp_path / "want")))
    assert "no room left on the disk: make room and run the same command again" in found["said"]
    cut, want = found["cut"], digests(tmp_path / "want")
    done = {m[1] for k in cut if (m := re.search(r"(?:ssm_tiny_|zarr/status/)(\d{8})\.", k))}
    assert 0 < len(done) < len(DAYS)
    assert not [k for k in cut if k.endswith((".part", ".partial"))]
    assert of_days(cut, done) == of_days(want, done)
    assert found["whole"] == want


def test_prepare_names_a_shard_that_it_leans_on_and_goes_on_once_it_is_made_again(
    tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cube.zarr"
    prepare(road.preparation(tiny_raw, path, end="2016-05-03"))
    shard = path / "fine" / "lst_day_memory" / "c" / "2" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-100])
    others = {k: v for k, v in road.stamps(path).items() if re.search(r"/c/[01]/|2016050[12]", k)}
    remedy = r"lst_day_memory of 2016-05-03 is damaged .* start=(\S+) end=(\S+) revise=true makes this day"
    with pytest.raises(CubeError, match=remedy) as err:
        prepare(road.preparation(tiny_raw, path, end=END))
    assert len(open_cube(path).done_days()) == 3
    period = re.search(remedy, str(err.value))
    assert period is not None
    prepare(road.preparation(tiny_raw, path, start=period[1], end=period[2], revise=True))
    prepare(road.preparation(tiny_raw, path, end=END))
    cube = open_cube(path)
    assert [cube.revision(day) for day in cube.days][:3] == [1, 1, 2]
    fields = [{k: v for k, v in of_days(digests(p), FOUR).items() if not k.startswith(("status", "revision"))}
              for p in (path, tiny_cube_path)]  # fmt: skip
    assert fields[0] == fields[1]
    now = road.stamps(path)
    assert {k: now[k] for k in others} == others


def started(raw: Path, cube: Path) -> subprocess.Popen:
    """``prepare.py`` with two readers, as a terminal starts it: all its processes get the terminal's signals."""
    script = str(TESTS.parent / "prepare.py")
    keys = [f"raw={raw}", f"cube={cube}", f"start={road.START}", f"end={END}", "workers=2", "domain.name=tiny"]
    command = [sys.executable, script, *keys, f"domain.window={road.WINDOW}".replace(" ", "")]
    return subprocess.Popen(
        command, cwd=cube.parent, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=heeding_ctrl_c,
    )  # fmt: skip


def heeding_ctrl_c() -> None:
    """As in a terminal: what a shell starts in the background ignores it, and so does what is started from there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGKILL, -signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_prepare_with_readers_stops_and_goes_on(
    tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    """Ctrl-C at all processes, kill -9 at the one that writes: neither leaves a day by half, a lock, or a reader."""
    path = tmp_path / "cube.zarr"
    process = started(tiny_raw, path)
    try:
        while not list(path.glob("status/*.json")):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        (os.killpg if sent == signal.SIGINT else os.kill)(process.pid, sent)
        said = process.communicate(timeout=30)[1]  # ends once nobody holds its stderr: readers are gone too
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == code, said
    if sent == signal.SIGINT:
        assert "the same command goes on from it" in said
    cut = open_cube(path)
    done = {f"{d:%Y%m%d}" for d in cut.done_days()}
    assert 0 < len(done) < len(cut.days)
    want = digests(tiny_cube_path)
    assert of_days(digests(path), done) == of_days(want, done)
    prepare(road.preparation(tiny_raw, path, end=END))
    assert of_days(digests(path), FOUR) == of_days(want, FOUR)


def left_over(folder: Path) -> list[Path]:
    """Files that were written and not renamed."""
    return [p for p in folder.rglob("*") if p.name.endswith((".partial", ".part")) and p.is_file()]


@pytest.mark.slow
def test_two_at_once_make_the_maps_of_one(tiny_cube_path: Path, tmp_path: Path) -> None:
    """The same command in two jobs: both end well, whoever is first at a day."""
    out, formats = tmp_path / "out", ("netcdf", "zarr")
    work = f"""
import sys, time
sys.path.insert(0, {str(TESTS)!r})
from pathlib import Path
import road
from ssm_net.infer import infer
Path(sys.argv[1]).touch()
while len(list(Path({str(tmp_path)!r}).glob("ready*"))) < 2:
    time.sleep(0.001)
for format in {formats!r}:
    infer(road.inference(Path({str(tiny_cube_path)!r}), Path({str(out)!r}) / format, format=format, quicklook=True))
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", work, str(tmp_path / f"ready{n}")],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for n in range(2)
    ]  # fmt: skip
    for process in both:
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 0, said
    for format in formats:
        infer(road.inference(tiny_cube_path, tmp_path / "one" / format, format=format, quicklook=True))
    assert digests(out) == digests(tmp_path / "one") and not left_over(out)
