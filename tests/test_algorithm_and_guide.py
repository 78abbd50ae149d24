"""The algorithm document and the product user guide hold the numbers and names of the code and of written files."""

from __future__ import annotations

import datetime as dt
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ssm_net
from ssm_net.cube.variables import API_DAYS
from ssm_net.formats.mosaic_days import write_day
from ssm_net.formats.product import (
    CELL_ERROR_ATTRIBUTES,
    FILL,
    LONG_UNOBSERVED_DAYS,
    REGION_ERROR_ATTRIBUTE,
    SCALE,
    Flag,
    Mosaic,
)
from ssm_net.grid import Domain
from ssm_net.inputs.features import FEATURES

DOCS = Path(__file__).parents[1] / "docs"
ALGORITHM, GUIDE = ((DOCS / f"{name}.md").read_text() for name in ("algorithm", "user_guide"))
CONSTANTS = re.findall(r"^\| [^|]*\| ([-\d.]+) \| `(ssm_net\.[\w.]+)` \|", ALGORITHM, re.M)


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("value", "name"), CONSTANTS)
def test_a_constant_of_the_algorithm_is_that_of_the_code(value: str, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert float(getattr(importlib.import_module(module), attribute)) == pytest.approx(float(value))


def test_the_table_of_constants_is_read() -> None:
    assert len(CONSTANTS) > 20


def test_numbers_in_the_text_are_those_of_the_table() -> None:
    from ssm_net.config import MemoryConfig, PrepareConfig
    from ssm_net.lst.expected import PERSISTS
    from ssm_net.lst.gap_filling import LAPSE
    from ssm_net.model.network import SSM_MAX, SSM_MIN
    from ssm_net.model.regional_slopes import LASTING_BIAS, SLOPE

    text = flat(ALGORITHM)
    assert f"background(p,t) - {LAPSE:g} z(p)" in text and f"background + {PERSISTS:g} m" in text
    assert f"theta = {SSM_MIN:g} + {SSM_MAX - SSM_MIN:g} sigmoid" in text
    assert f"b ~ N(0, {SLOPE:g}^2), a ~ N(0, {LASTING_BIAS:g}^2)" in text
    assert f"The fast one ({MemoryConfig().days:g} days" in text
    assert f"{PrepareConfig.__dataclass_fields__['fwhm_km'].default:g} km wide at half maximum" in text
    *first, last = (f"{days}" for days in API_DAYS.values())
    assert f"e-folding times of {', '.join(first)} and {last} days" in text
    assert {"lst_day_slow", "ndvi", "ndwi", "relief", "sand", "clay", "water_fraction"} <= {f.name for f in FEATURES}
    pixel = Domain("one", (60, 64, 700, 704)).grid.pixel
    assert f"36 x 36 pixels of {pixel:.3f} m" in text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    domain = Domain("test", (60, 64, 700, 704))
    ssm = np.full(domain.fine_shape, 0.25, np.float32)
    flags = np.full(domain.fine_shape, Flag.COARSE_OBSERVED | Flag.LST_SEEN, np.uint16)
    out = tmp_path_factory.mktemp("guide")
    attrs = {"input_citations": "A: by A"}
    write_day(Mosaic(dt.date(2016, 6, 7), domain, ssm, ssm / 10, flags, attrs), out / "mosaics")
    return out


def test_the_variables_are_those_of_a_file(folder: Path) -> None:
    table = GUIDE.partition("## Variables")[2].partition("\n\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.+?`) \| (\w+)[^|]* \|", table, re.M)
    described = {name: dtype for names, dtype in rows for name in re.findall(r"`(\w+)`", names)}
    (file,) = (folder / "mosaics").glob("*.nc")
    with xr.open_dataset(file, decode_cf=False) as stored:
        assert described == {str(name): str(stored[name].dtype) for name in stored.variables}
        assert stored["ssm"].attrs["units"] == "m3 m-3"
    assert f"scale {float(f'{SCALE:g}'):.4f}" in table and f"fill {FILL}" in table


def test_the_flags_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", GUIDE, re.M)
    assert [(int(value), name) for value, name in rows] == [(int(f), str(f.name).lower()) for f in Flag]
    assert f"more than {LONG_UNOBSERVED_DAYS} days before" in GUIDE
    assert "(64 | 512)) == 0)  # neither extrapolated" in GUIDE and Flag.EXTRAPOLATED | Flag.LONG_UNOBSERVED == 64 | 512
    assert Flag.LST_SEEN == 4


def test_the_attributes_of_the_error_are_those_of_the_code() -> None:
    assert {REGION_ERROR_ATTRIBUTE, *CELL_ERROR_ATTRIBUTES} <= set(re.findall(r"`(\w+)`", GUIDE))


def test_its_python_works(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    scope: dict = {}
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.S):
        exec(block, scope)
    assert float(scope["clear"].mean()) == pytest.approx(0.25, abs=1e-4) and scope["good"].notnull().all()
    assert "A: by A" in capsys.readouterr().out
    assert callable(ssm_net.open_mosaics)
