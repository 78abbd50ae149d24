"""The table "When something is wrong" of the README: each message is produced by its cause, and says what is told."""

from __future__ import annotations

import datetime as dt
import errno
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from archive import LST_NAME, daily, lst, said, tif
from worlds import FIRST, tiny_cube

from ssm_net.config import DomainConfig, PrepareConfig, TrainConfig, TrainerConfig
from ssm_net.core.files import naming_full_disk
from ssm_net.cube.layout import CubeLayout, create_cube
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import Cube
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.infer.provenance import check_provenance
from ssm_net.infer.writer import choose_device
from ssm_net.ingest.hdf4 import open_hdf4
from ssm_net.ingest.static_files import find_static
from ssm_net.prepare.plan import make_plan
from ssm_net.train.run import split_of
from ssm_net.train.run_folder import held_run

README = (Path(__file__).parents[2] / "README.md").read_text()
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", README.partition("| message (part of it)")[2], re.M))


def table(part: str) -> str:
    assert part in ROWS, f"the table has no row {part!r}"
    return part


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("wrong") / "cube.zarr", cells=(4, 4), days=1)


def layout(cube: Cube, **attrs: Any) -> CubeLayout:
    return CubeLayout(cube.domain, cube.fine, cube.coarse, cube.static, {**cube.attrs, **attrs})


def nothing_in_raw(cube: Cube, folder: Path) -> None:
    (folder / "raw").mkdir()
    domain = DomainConfig("x", window=[64, 68, 772, 776])
    make_plan(PrepareConfig(str(folder / "raw"), str(folder / "new.zarr"), "2016-05-01", "2016-05-02", domain))


def no_whole_hdf4(cube: Cube, folder: Path) -> None:
    (folder / "cut.hdf").write_bytes(b"\x0e\x03\x13\x01 cut")
    with open_hdf4(folder / "cut.hdf"):
        pass


def no_pyhdf(cube: Cube, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyhdf.SD", None)
        with open_hdf4(folder / "any.hdf"):
            pass


def other_settings(cube: Cube, folder: Path) -> None:
    with write_lock(cube.path) as lock:
        create_cube(lock, layout(cube, modis_day="local"), cube.days)


def earlier_days(cube: Cube, folder: Path) -> None:
    with write_lock(cube.path) as lock:
        create_cube(lock, layout(cube), [FIRST - dt.timedelta(days=9)])


def a_changed_byte(cube: Cube, folder: Path) -> None:
    own = tiny_cube(folder / "cube.zarr", cells=(4, 4), days=1)
    shard = next(p for p in (own.path / "fine" / "lst_day" / "c").rglob("*") if p.is_file())
    data = bytearray(shard.read_bytes())
    data[50] ^= 1
    shard.write_bytes(data)
    own.read("lst_day", FIRST)


def two_writers(cube: Cube, folder: Path) -> None:
    with write_lock(cube.path), write_lock(cube.path):
        pass


def no_observation(cube: Cube, folder: Path) -> None:
    split_of(TrainConfig(str(cube.path), str(folder)), replace(cube, days=(FIRST + dt.timedelta(99),)))


def another_training(cube: Cube, folder: Path) -> None:
    for seed in (1, 2):
        with held_run(TrainConfig(str(cube.path), str(folder / "run"), seed=seed), None):
            pass


def another_model(cube: Cube, folder: Path) -> None:
    for model in ("a", "b"):
        with check_provenance(folder / "maps", {"model": model, "domain": "d"}, overwrite=False, todo=[], format="cog"):
            pass


def a_poorer_cube(cube: Cube, folder: Path) -> None:
    trained: Any = SimpleNamespace(scaling=SimpleNamespace(present=("clay",)))
    NetworkEstimator(trained, cube, torch.device("cpu"))


def no_gpu(cube: Cube, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        choose_device("cuda")


def a_full_disk(cube: Cube, folder: Path) -> None:
    with naming_full_disk(folder / "cube.zarr"):
        raise OSError(errno.ENOSPC, "no space")


ERRORS: dict[str, Callable[[Cube, Path], None]] = {
    "see docs/formats.md for which product goes into which folder": nothing_in_raw,
    "not a whole HDF4 file": no_whole_hdf4,
    "HDF4 files need pyhdf": no_pyhdf,
    "was made with": other_settings,
    "lies before its end and days are only": earlier_days,
    "makes this day and all days after it again": a_changed_byte,
    "is being written by another process": two_writers,
    "no day with a coarse observation": no_observation,
    "holds a training with other settings": another_training,
    "were made otherwise": another_model,
    "lacks what the model was trained on": a_poorer_cube,
    "torch finds no CUDA device here": no_gpu,
    "no room left on the disk": a_full_disk,
}


def an_unknown_folder(raw: Path) -> None:
    (raw / "photos").mkdir()


def two_versions(raw: Path) -> None:
    lst(raw / "MYD11A1" / LST_NAME)
    lst(raw / "MYD11A1" / LST_NAME.replace(".061.", ".006."))


def a_monthly_file(raw: Path) -> None:
    daily(raw / "C3S" / "C3S-SOILMOISTURE-L3S-SSMV-PASSIVE-MONTHLY-20160501000000.nc", "2016-05-01", 1, "sm")


def a_broken_link(raw: Path) -> None:
    (raw / "precip").mkdir()
    (raw / "precip" / "2016").symlink_to(raw / "offline")


def a_map_named_rain(raw: Path) -> None:
    tif(raw / "static" / "rain.tif", 777.0)


def a_map_of_no_use(raw: Path) -> None:
    tif(raw / "static" / "twi.tif", 7.0)


WARNINGS: dict[str, Callable[[Path], None]] = {
    "no product of this name is known": an_unknown_folder,
    "a second file of": two_versions,
    "a monthly mean": a_monthly_file,
    "a link to a file or folder that is not there": a_broken_link,
    "is taken": a_map_named_rain,
    "used by no feature": a_map_of_no_use,
}


# Those that only a whole command or a process gives: the file of tests/faults/ that has one, and asks for the words.
ELSEWHERE = {
    "is being trained by another process": "test_two_writers.py",
    "again, or days before it, while its map is being made": "test_two_writers.py",
    "beside it states": "test_checksums_beside.py",
    "the process that read it ended": "test_one_bad_file.py",
    "hold NaN or infinity": "test_damaged_state.py",
    "the estimate is NaN everywhere": "test_damaged_state.py",
    "give 1 to 64 letters": "test_names_and_paths.py",
}


@pytest.mark.parametrize("part", ELSEWHERE)
def test_a_message_that_takes_a_whole_run_is_produced_there(part: str) -> None:
    assert table(part) in (Path(__file__).parent / ELSEWHERE[part]).read_text()


@pytest.mark.parametrize("part", ERRORS)
def test_an_error_comes_of_its_cause(part: str, cube: Cube, tmp_path: Path) -> None:
    with pytest.raises((ValueError, OSError, ImportError)) as raised:
        ERRORS[part](cube, tmp_path)
    assert table(part) in str(raised.value)
    # The settings that the table gives as a remedy are those of the message.
    for key in re.findall(r"`(\w+=)", ROWS[part]):
        assert key in str(raised.value), f"the table says {key}, the message does not"


@pytest.mark.parametrize("part", WARNINGS)
def test_a_warning_comes_of_its_cause(part: str, tmp_path: Path) -> None:
    WARNINGS[part](tmp_path)
    maps = [f"{r.what}; {r.remedy}" for r in find_static(tmp_path).remarks]
    (warning,) = [*said(tmp_path).splitlines(), *maps]
    assert table(part) in warning
    assert "; " in warning  # a remedy


def test_every_row_of_the_table_has_a_cause_here() -> None:
    assert set(ROWS) == {*ERRORS, *WARNINGS, *ELSEWHERE}


def test_the_trainer_names_a_missing_device(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="torch finds no such device"), pytest.MonkeyPatch.context() as patch:
        from ssm_net.train.trainer import device_of

        patch.setattr(torch.cuda, "is_available", lambda: False)
        device_of(TrainerConfig(accelerator="gpu"))
