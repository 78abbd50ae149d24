"""The page on months, climatology and drought works as typed, and its numbers and names are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import xarray as xr

import ssm_net
from ssm_net.cli.composition import settings
from ssm_net.cli.typed_values import quoted
from ssm_net.climate import map_record
from ssm_net.climate.time_correlation import LASTING_CELL, LASTING_INSIDE, MEMORY_DAYS
from ssm_net.climate.variables import drought_class
from ssm_net.config import CLIMATE_PRODUCTS

PAGE = (Path(__file__).parents[2] / "docs" / "climate.md").read_text()
COMMANDS = re.findall(r"^ssm-net .*$", PAGE, re.M)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.S)
FEW = ["min_years=4", "start=2022-03-01"]  # the maps of this test are of four winters


@pytest.fixture(scope="module")
def folder(maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "mosaics").symlink_to(maps)
    return folder


def test_its_commands_and_its_python_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert len(COMMANDS) == 3
    for command in COMMANDS:
        keys = [key for key in shlex.split(command)[2:] if not key.startswith(("start=", "years="))]
        ssm_net.climate(settings("climate", quoted(keys + FEW)))
    names = {file.name for file in (folder / "climate").glob("*.nc")}
    table = set(re.findall(r"`(ssm_<domain>_\w+<?\w*>?\.nc)`", PAGE))
    assert len(table) == len(CLIMATE_PRODUCTS)
    shown = {name.replace("<domain>", "test").replace("<yyyymm>", "202203").replace("<mm>", "03") for name in table}
    assert shown <= names
    scope: dict = {}
    for block in PYTHON:
        exec(block, scope)
    assert int(scope["enough"].notnull().sum()) > 0 and 0 <= scope["in_drought"] < 0.1  # the last year is the wettest
    described = set(re.findall(r"`([a-z_]+)`", PAGE))
    for file in (folder / "climate").glob("*202203.nc"):
        with xr.open_dataset(file) as stored:
            assert not {str(v) for v in stored.data_vars if not str(v).startswith("days_")} - described


def test_products_and_functions_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `ssm_", PAGE, re.M)
    assert tuple(product for product, _ in rows) == CLIMATE_PRODUCTS
    assert all(callable(getattr(ssm_net, function)) for _, function in rows)


def test_the_classes_of_drought_are_those_of_the_files() -> None:
    attrs = drought_class().attrs
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.M)
    assert [(int(v), n) for v, n in rows] == [*zip(attrs["flag_values"], attrs["flag_meanings"].split(), strict=True)]


def test_the_numbers_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    for lasting in (LASTING_INSIDE, LASTING_CELL):
        assert f"{lasting:g} + {1 - lasting:.1g} exp(-n / {MEMORY_DAYS:g})" in text
    assert f"{map_record.BLOCK} x {map_record.BLOCK} pixels" in text and f"{map_record.HELD_BYTES >> 20} MiB" in text
    defaults = ssm_net.ClimateConfig("m", "o")
    assert f"({defaults.window} unless you say otherwise: {2 * defaults.window + 1} days)" in text
    assert f"({defaults.min_years} unless you say otherwise)" in text
