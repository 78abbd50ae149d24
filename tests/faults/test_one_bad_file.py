"""One bad file costs its own pixels, whatever it does: it is named, and all else is as without it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import road
import stubs

from ssm_net.config import PrepareConfig
from ssm_net.core import reader_process
from ssm_net.core.days import ONE_DAY
from ssm_net.cube.store import open_cube
from ssm_net.ingest import hdf4_apart
from ssm_net.ingest.raster import GranuleError
from ssm_net.prepare.run import prepare

END = "2016-05-03"
DAY = date(2016, 5, 2)
LST = "MYD11A1.A2016123.h26v04.061.2016133120000.hdf"  # the day view of 2 May, the night view of 3 May
SSM = "NNsm-AMSR2-2016123.nc"
FOLDER = {LST: "MYD11A1.061", SSM: "NNsm"}


@pytest.fixture
def put_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Puts a folder of libraries before the others, for processes that are started later: a new reader process, too."""
    with monkeypatch.context() as patch:
        reader_process.stop()
        yield lambda libraries: patch.syspath_prepend(str(libraries))
    reader_process.stop()


def few_files(tiny_raw: Path, into: Path) -> Path:
    """The granules of the tiny world without its rain, of which the first day opens forty files."""
    road.linked(tiny_raw, into)
    for file in sorted((into / "precip").iterdir())[:-3]:
        file.unlink()
    shutil.rmtree(into / "static")
    return into


@pytest.fixture
def raw(tiny_raw: Path, tmp_path: Path) -> Path:
    return few_files(tiny_raw, tmp_path / "raw")


@pytest.fixture(scope="module")
def without(tiny_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What a cube holds where a file is not there, by the name of the file."""
    out = {}
    for name, folder in FOLDER.items():
        raw = few_files(tiny_raw, tmp_path_factory.mktemp("without") / "raw")
        (raw / folder / name).unlink()
        prepare(road.preparation(raw, raw.parent / "cube.zarr", end=END))
        out[name] = fields_of(raw.parent / "cube.zarr")
    return out


def fields_of(cube: Path) -> dict[str, str]:
    return {key: digest for key, digest in road.data_of(cube).items() if not key.startswith("status")}


@pytest.mark.parametrize(
    ("library", "name", "act", "workers", "said"),
    [
        pytest.param("pyhdf", LST, "os.abort()", 1, "damaged: the process that read it ended .SIGABRT", id="F1-alone"),
        pytest.param("pyhdf", LST, "os.abort()", 2, "damaged: the process that read it ended .SIGABRT",
                     id="F1-workers", marks=pytest.mark.slow),
        pytest.param("pyhdf", LST, "raise TypeError('not a name')", 1, "not a name", id="F4-raises"),
        pytest.param("h5netcdf", SSM, "os.abort()", 2, "the process that reads it ends", id="worker-dies",
                     marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_reader_that_dies_costs_one_file(
    library: str, name: str, act: str, workers: int, said: str, raw: Path, without: dict, tmp_path: Path,
    put_before: Callable[[Path], None],
) -> None:  # fmt: skip
    put_before(stubs.stub(tmp_path, library, [name], act))
    prepare(road.preparation(raw, tmp_path / "cube.zarr", end=END, workers=workers))
    cube = open_cube(tmp_path / "cube.zarr")
    problems = {day: (cube.status(day) or {})["problems"] for day in cube.done_days()}
    assert len(problems) == 3
    named = {day for day, lines in problems.items() if lines}
    assert named == ({DAY, date(2016, 5, 3)} if name == LST else {DAY})
    for day in named:
        (line,) = problems[day]
        assert name in line and re.search(said, line) and "download it again, or remove it" in line
    assert fields_of(cube.path) == without[name]


def ends_the_command(cfg: PrepareConfig, libraries: Path) -> None:
    """Run ``prepare`` in a process of its own with these ``libraries``, which end it."""
    path = os.pathsep.join([str(libraries), os.environ.get("PYTHONPATH", "")])
    code = "import sys; from road import preparation; from ssm_net.prepare import prepare; from pathlib import Path; " \
        "prepare(preparation(Path(sys.argv[1]), Path(sys.argv[2]), start=sys.argv[3], end=sys.argv[4]))"  # fmt: skip
    run = subprocess.run(
        [sys.executable, "-c", code, cfg.raw, cfg.cube, cfg.start, cfg.end],
        cwd=Path(__file__).parents[1], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == -signal.SIGABRT, run.stderr


@pytest.mark.slow
def test_a_reader_that_ends_the_command_costs_one_run_and_one_file(
    raw: Path, without: dict, tmp_path: Path, put_before: Callable[[Path], None]
) -> None:
    """One worker reads in the process of the command: a library that ends it would end each run, for ever."""
    libraries = stubs.stub(tmp_path, "h5netcdf", [SSM], "os.abort()")
    cfg = road.preparation(raw, tmp_path / "cube.zarr", end=END)
    ends_the_command(cfg, libraries)
    put_before(libraries)
    prepare(cfg)
    cube = open_cube(tmp_path / "cube.zarr")
    assert [line for line in (cube.status(DAY) or {})["problems"] if SSM in line]
    assert fields_of(cube.path) == without[SSM]
    assert not list(cube.path.glob(".reading*"))


def test_a_file_that_ends_the_command_when_it_is_listed_is_left_out(
    raw: Path, tmp_path: Path, put_before: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Its name tells no day, so it is opened before the plan is made."""
    odd = raw / "NNsm" / "soil of tuesday.nc"
    road.owned(raw / "NNsm" / SSM).rename(odd)
    libraries = stubs.stub(tmp_path, "h5netcdf", [odd.name], "os.abort()")
    cfg = road.preparation(raw, tmp_path / "cube.zarr", start=str(DAY), end=str(DAY))
    ends_the_command(cfg, libraries)
    put_before(libraries)
    cube = prepare(cfg)
    assert cube is not None and cube.done_days() == [DAY]
    assert f"{odd}: the process that reads it ends" in caplog.text


@pytest.mark.slow
def test_a_static_map_that_ends_the_command_is_named(
    tiny_raw: Path, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (raw / "static").mkdir()
    for name in ("clay.tif", "sand.tif"):
        shutil.copyfile(tiny_raw / "static" / name, raw / "static" / name)
    libraries = stubs.stub(tmp_path, "rasterio", ["sand.tif"], "os.abort()")
    cfg = road.preparation(raw, tmp_path / "cube.zarr", start=str(DAY), end=str(DAY))
    ends_the_command(cfg, libraries)
    with (
        monkeypatch.context() as patch,
        pytest.raises(GranuleError, match=r"sand\.tif: the process that reads it ends"),
    ):
        patch.syspath_prepend(str(libraries))
        prepare(cfg)
    shutil.copyfile(tiny_raw / "static" / "clay.tif", raw / "static" / "sand.tif")  # downloaded again
    cube = prepare(cfg)
    assert cube is not None and cube.done_days() == [DAY] and not list(cube.path.glob(".reading*"))


@pytest.mark.slow
def test_a_file_that_ends_the_command_where_sensors_are_matched_is_left_out(
    raw: Path, tmp_path: Path, put_before: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """All coarse files of the archive are read then, not those of the days to be made alone."""
    of_day = next(p for p in sorted((raw / "NNsm").iterdir()) if p.name != SSM)
    other = of_day.rename(raw / "NNsm" / of_day.name.replace("AMSR2", "FY"))
    libraries = stubs.stub(tmp_path, "h5netcdf", [SSM], "os.abort()")
    days = [day for day in (DAY - ONE_DAY, DAY, DAY + ONE_DAY) if f"{day:%Y%j}" in other.name]
    cfg = road.preparation(raw, tmp_path / "cube.zarr", start=str(days[0]), end=str(days[0]))
    ends_the_command(cfg, libraries)
    put_before(libraries)
    cube = prepare(cfg)
    assert cube is not None and cube.done_days() == days
    assert f"{SSM}: the process that reads it ends" in caplog.text
    assert not list(cube.path.glob(".reading*"))


def test_a_death_is_not_blamed_on_the_file_that_comes_after(
    raw: Path, tmp_path: Path, put_before: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Memory that one file damaged ends the process at the next: that one is whole, and is read."""
    folder = raw / FOLDER[LST]
    whole = next(p for p in folder.glob("*.hdf") if p.name != LST)
    act = f"open({str(tmp_path / 'once')!r}, 'a').close() if os.path.exists({str(tmp_path / 'once')!r}) else "
    act += f"(open({str(tmp_path / 'once')!r}, 'a').close(), os.abort())"
    put_before(stubs.stub(tmp_path, "pyhdf", [whole.name], act))
    for path in (folder / LST, whole):
        with hdf4_apart.open_hdf4(path) as file:
            assert hdf4_apart.first_layer(file, ["LST_Day_1km"])
    assert "but a new one reads it" in caplog.text and LST in caplog.text.split("may be damaged")[1]


def test_reading_goes_on_after_ctrl_c(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a question that was given up is not taken for that to the next."""
    import pickle

    path = raw / FOLDER[LST] / LST
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(reader_process.pickle, "load", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with hdf4_apart.open_hdf4(path):
            pass
    assert pickle.load is reader_process.pickle.load and not reader_process.running()
    with hdf4_apart.open_hdf4(path) as file:
        assert hdf4_apart.first_layer(file, ["LST_Day_1km"]) == "LST_Day_1km"


@pytest.mark.real
def test_the_file_that_frees_twice(raw: Path, tmp_path: Path, real_dir: Path, without: dict) -> None:
    poison = real_dir.parent / "faults" / "poison.hdf"
    if not poison.is_file():
        pytest.skip(f"no {poison}")
    (raw / FOLDER[LST] / LST).unlink()
    shutil.copyfile(poison, raw / FOLDER[LST] / LST)
    prepare(road.preparation(raw, tmp_path / "cube.zarr", end=END))
    cube = open_cube(tmp_path / "cube.zarr")
    assert [day for day in cube.days if cube.status(day)["problems"]] == [DAY, date(2016, 5, 3)]  # type: ignore[index]
    assert fields_of(cube.path) == without[LST]
