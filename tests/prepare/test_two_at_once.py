"""Two ``prepare`` of one cube at once: one works, the other is refused before it has changed anything."""

from __future__ import annotations

from pathlib import Path

import ready_process
import road

from ssm_net.cube.store import open_cube
from ssm_net.prepare.run import prepare

WORK = """
import time
import road
from ssm_net.prepare import prepare
from ssm_net.cube.json_files import CubeError
Path({ready!r}).touch()
while len(list(Path({folder!r}).glob("ready*"))) < 2:
    time.sleep(0.001)
try:
    prepare(road.preparation(Path({raw!r}), Path({cube!r}), start={start!r}, end={end!r}))
except CubeError as err:
    print("refused", err, flush=True)
else:
    print("done")
"""


def race(raw: Path, cube: Path, folder: Path, periods: list[tuple[str, str]]) -> list[str]:
    """What the two processes print last, in the order of the periods."""
    where = {"folder": str(folder), "raw": str(raw), "cube": str(cube)}
    both = [
        ready_process.start(WORK.format(**where, ready=str(folder / f"ready{n}"), start=start, end=end))
        for n, (start, end) in enumerate(periods)
    ]
    ended = [process.wait() for process in both]
    assert [e.code for e in ended] == [0, 0], ended
    return [next(line for line in e.said.splitlines() if line.startswith(("done", "refused"))) for e in ended]


def test_of_two_that_make_one_new_cube_one_does(tiny_raw: Path, tmp_path: Path) -> None:
    period = ("2016-05-01", "2016-05-02")
    answers = sorted(race(tiny_raw, tmp_path / "cube.zarr", tmp_path, [period, period]))
    assert answers[0] == "done" and "is being written by another process: wait for it to end" in answers[1]
    cube = open_cube(tmp_path / "cube.zarr")
    assert cube.done_days() == list(cube.days) and len(cube.days) == 2


def test_of_two_with_different_ends_no_day_is_lost(tiny_raw: Path, tmp_path: Path) -> None:
    path = tmp_path / "cube.zarr"
    prepare(road.preparation(tiny_raw, path, end="2016-05-02"))
    before = road.data_of(path)
    answers = race(tiny_raw, path, tmp_path, [("2016-05-03", "2016-05-03"), ("2016-05-05", "2016-05-05")])
    assert sorted(a.split()[0] for a in answers) == ["done", "refused"], answers
    cube = open_cube(path)
    assert str(cube.days[-1]) == ("2016-05-03", "2016-05-05")[answers.index("done")]
    assert cube.done_days() == list(cube.days) and len(cube.days) == 3
    after = road.data_of(path)
    assert {k: after[k] for k in before} == before
