"""The page on series and means works as typed: its table, its commands and its Python, on maps of its basin."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from map_folders import write_maps

import ssm_net
from ssm_net.cli.composition import settings
from ssm_net.cli.typed_values import quoted
from ssm_net.extract.error_correlation import CELL_RANGE_KM, INSIDE_RANGE_KM
from ssm_net.grid import Domain

pytest.importorskip("exactextract")
PAGE = (Path(__file__).parents[2] / "docs" / "extract.md").read_text()
COMMANDS = re.findall(r"^ssm-net .*$", PAGE, re.M)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.S)
(STATIONS,) = re.findall(r"```csv\n(.*?)```", PAGE, re.S)
DUERO = Domain.from_bbox("duero", (-5.9, 41.0, -5.3, 41.5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps, stations and a basin, as the page names them; the maps are of 2016."""
    folder = tmp_path_factory.mktemp("page")
    write_maps(folder / "mosaics", "netcdf", domain=DUERO)
    (folder / "stations.csv").write_text(STATIONS)
    ring = [[-5.8, 41.1], [-5.4, 41.15], [-5.5, 41.4], [-5.8, 41.1]]
    basin = {
        "type": "Feature",
        "properties": {"basin": "Tormes"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    (folder / "basins.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [basin]}))
    return folder


def test_its_commands_and_its_python_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        keys = [key for key in shlex.split(command)[2:] if not key.startswith(("start=", "end="))]
        ssm_net.extract(settings("extract", quoted(keys)))
    assert {"stations_ssm.csv", "toro.nc", "basins.nc"} <= {file.name for file in folder.iterdir()}
    assert not (folder / "basins.csv").exists()  # plan=true
    scope: dict = {}
    for block in PYTHON:
        exec(block, scope)
    assert (scope["lower"] < scope["basins"].ssm).all() and np.isfinite(scope["upper"]).all()
    assert len(scope["toro"]) == 3


def test_the_stations_of_the_page_are_told_apart(folder: Path) -> None:
    series = ssm_net.at_points(folder / "mosaics", folder / "stations.csv")
    assert dict(zip(series["name"].values, series.note.values, strict=True)) == {
        "Toro": "", "Zamora": "", "Lisbon": "outside the maps",
    }  # fmt: skip


def test_all_columns_are_explained(folder: Path) -> None:
    ssm_net.extract(
        ssm_net.ExtractConfig(str(folder / "mosaics"), str(folder / "c.csv"), points=str(folder / "stations.csv"))
    )
    described = set(re.findall(r"`([a-z_]+)`", PAGE))
    columns = {name for name in pd.read_csv(folder / "c.csv", nrows=1) if not name.startswith("fraction_")}
    assert columns | {"fraction_valid"} <= described


def test_the_distances_are_those_of_the_code() -> None:
    assert f"exp(-d_ij / {INSIDE_RANGE_KM:g} km)" in PAGE and f"exp(-d_ij / {CELL_RANGE_KM:g} km)" in PAGE
