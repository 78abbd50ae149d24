"""A hundred kills (-9) at any moment of writing: no finished day is lost or changed, and what comes out is that of one
go."""

from __future__ import annotations

import random
import shutil
import signal
from pathlib import Path

import pytest
import ready_process
import road

from ssm_net.cube.store import open_cube
from ssm_net.formats.mosaic_days import days_done
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare

KILLS = 50  # of each verb
END = "2016-05-03"

WORK = """
import os, signal
import road
from ssm_net.core.faults import hooked
from ssm_net.infer import infer
from ssm_net.prepare import prepare
left = [{moments}]
def hook(point, about):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
with hooked(hook):
    {work}
"""


def killed(work: str, moments: int) -> bool:
    """Whether the work was killed at its ``moments``-th moment; it ended before, if not."""
    done = ready_process.run(WORK.format(moments=moments, work=work))
    assert done.code in (0, -signal.SIGKILL), done.said
    return done.code != 0


def few_files(tiny_raw: Path, into: Path) -> Path:
    road.linked(tiny_raw, into)
    shutil.rmtree(into / "precip")
    return into


@pytest.mark.slow
def test_prepare_that_is_killed(tiny_raw: Path, tmp_path: Path) -> None:
    raw, whole, cube = few_files(tiny_raw, tmp_path / "raw"), tmp_path / "whole.zarr", tmp_path / "cube.zarr"
    prepare(road.preparation(raw, whole, end=END))
    want, chance, kills = road.data_of(whole), random.Random(20261127), 0
    work = f"prepare(road.preparation(Path({str(raw)!r}), Path({str(cube)!r}), end={END!r}))"
    while kills < KILLS:
        if not killed(work, chance.randint(1, 150)):
            assert road.data_of(cube) == want and not list(cube.rglob("*.part"))
            shutil.rmtree(cube)
            continue
        kills += 1
        if (cube / "cube.json").exists():
            done = {f"{day:%Y%m%d}" for day in open_cube(cube).done_days()}
            have = road.data_of(cube)
            assert {k for k in want if k.startswith("status") and k[7:15] in done} <= set(have)
            of_done = {k: v for k, v in want.items() if k.split("/c/")[-1].split("/")[0] in map(str, range(len(done)))}
            assert {k: have.get(k) for k in of_done if "/c/" in k and not k.startswith("static")} == {
                k: v for k, v in of_done.items() if "/c/" in k and not k.startswith("static")
            }
    prepare(road.preparation(raw, cube, end=END))
    assert road.data_of(cube) == want


@pytest.mark.slow
@pytest.mark.parametrize("format", ["netcdf", "zarr"])
def test_infer_that_is_killed(format: str, tiny_cube_path: Path, tmp_path: Path) -> None:
    whole, maps = tmp_path / "whole", tmp_path / "maps"
    infer(road.inference(tiny_cube_path, whole, format=format, quicklook=True))
    want, chance, kills = digests(whole), random.Random(20261127), 0
    work = (
        f"infer(road.inference(Path({str(tiny_cube_path)!r}), Path({str(maps)!r}), format={format!r}, quicklook=True))"
    )
    before: dict[str, str] = {}
    while kills < KILLS // 2:
        if not killed(work, chance.randint(1, 60)):
            assert digests(maps) == want
            shutil.rmtree(maps)
            before = {}
            continue
        kills += 1
        have = digests(maps)
        if format == "netcdf":
            assert all(have[name] == before[name] == want[name] for name in before)
            before = {name: digest for name, digest in have.items() if name.endswith(".nc")}
        assert len(days_done(maps, "tiny", format)) >= len(before)
    infer(road.inference(tiny_cube_path, maps, format=format, quicklook=True))
    assert digests(maps) == want


def digests(folder: Path) -> dict[str, str]:
    import hashlib

    files = [p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".part", ".lock")]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
