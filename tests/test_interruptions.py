"""kill -9 at the worst moments: what was finished stays, what was not is done again, the result is that of one go."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import road

from ssm_net.cube.store import open_cube
from ssm_net.formats.mosaic_days import days_done
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare

TESTS = Path(__file__).parent
DAYS = 4
END = "2016-05-04"

# The process kills itself when {place} is reached for the {n}th time.
SUICIDE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import road
{imports}

calls = 0

def killing(call):
    def instead(*args, **kwargs):
        global calls
        calls += 1
        if calls == {n}:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return instead

{place} = killing({place})
{work}
"""


def killed(work: str, imports: str, place: str, n: int) -> None:
    code = SUICIDE.format(tests=str(TESTS), imports=imports, place=place, n=n, work=work)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize(("moment", "left"), [("making", 0), ("data", 1), ("status", 2)])
def test_prepare_goes_on(tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path, moment: str, left: int) -> None:
    whole = open_cube(tiny_cube_path)
    a_day = len(whole.fine) + len(whole.coarse)
    place, n = {
        "making": ("layout._resize", 1),
        "data": ("writer.CubeWriter._write", 2 * len(whole.static) + a_day + len(whole.fine) // 2),  # of the second day
        "status": (
            "writer.write_json",
            10,
        ),  # once static maps, once sensors; state, status and revision of two days; then of the third
    }[moment]
    path = tmp_path / "cube.zarr"
    work = f"prepare(road.preparation(Path({str(tiny_raw)!r}), Path({str(path)!r}), end={END!r}))"
    killed(work, "from ssm_net.cube import layout, writer\nfrom ssm_net.prepare import prepare", place, n)
    cut = open_cube(path)
    assert len(cut.done_days()) == left
    before = road.stamps(path)
    of_third = list(path.glob("fine/*/c/2/**/*"))
    assert bool(of_third) == (moment == "status")
    finished = {k for k in before if re.match(r"fine/\w+/c/[01]/", k) and int(k.split("/")[3]) < left}
    assert bool(finished) == (left > 0)

    prepare(road.preparation(tiny_raw, path, end=END))
    later = re.compile(r"(fine|coarse)/\w+/c/[4-7]/|status/2016050[5-8]")
    assert road.data_of(path) == {k: v for k, v in road.data_of(tiny_cube_path).items() if not later.match(k)}
    assert {k for k, v in road.stamps(path).items() if before.get(k) == v} >= finished


@pytest.fixture(scope="module")
def mosaics(tiny_cube_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    infer(road.inference(tiny_cube_path, folder, end=END))
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.mark.parametrize("place", ["os.replace", "os.fsync"])
def test_infer_goes_on(tiny_cube_path: Path, tmp_path: Path, mosaics: dict[str, bytes], place: str) -> None:
    work = f"infer(road.inference(Path({str(tiny_cube_path)!r}), Path({str(tmp_path)!r}), end={END!r}))"
    # Two synchronisations a file (it, its folder), and first the file that says who makes the mosaics.
    killed(work, "from ssm_net.infer import infer", place, {"os.replace": 3, "os.fsync": 5}[place])
    assert len(days_done(tmp_path, "tiny")) == 1
    assert [p.suffix for p in sorted(tmp_path.glob("ssm_*"))] == [".nc", ".part"]
    before = road.stamps(tmp_path)

    assert len(infer(road.inference(tiny_cube_path, tmp_path, end=END))) == DAYS - 1
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == mosaics
    first = "ssm_tiny_20160501.nc"
    assert road.stamps(tmp_path)[first] == before[first]
