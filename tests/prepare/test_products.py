"""Which products make a cube, and that days added later are made of the same."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from worlds import tiny_cube

from ssm_net.config import PrepareConfig
from ssm_net.errors import ConfigError
from ssm_net.prepare.products import CubeProducts, choose_products, stored_products

DAY = dt.date(2016, 6, 7)


def config(raw: Path, **kwargs: str) -> PrepareConfig:
    return PrepareConfig(raw=str(raw), cube="unused", start=str(DAY), end=str(DAY), **kwargs)


def found(*names: str) -> dict:
    return {name: {DAY: ()} for name in names}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for folder, file in {"C3S": "a.nc", "CCI": "b.nc", "SMAP": "notes.txt", "MYD11A1.061": "c.hdf"}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).touch()
    return tmp_path


def test_every_coarse_product_counts_whatever_its_period(raw: Path) -> None:
    chosen = choose_products(config(raw), found("CCI", "MYD11A1", "MOD11A1"))
    assert chosen.ssm == ("C3S", "CCI")  # SMAP's folder holds no granule
    assert chosen.lst == ("MYD11A1",) and chosen.reflectance == chosen.rain == ()
    assert chosen.fine()[0] == "lst_day"


def test_a_cube_keeps_its_products(raw: Path, tmp_path: Path) -> None:
    stored = stored_products(tiny_cube(tmp_path / "c.zarr", days=1).path)
    assert stored == CubeProducts(("NNsm",), ("MYD11A1",), ("MCD43A4",), ())
    # A better product that has come, one that has no file in these days: days added are made as those before.
    there = found("MYD11A1", "precip")
    assert choose_products(config(raw), there, stored) == stored
    assert choose_products(config(raw, reflectance="MCD43A4"), there, stored) == stored
    assert choose_products(config(raw, lst="MOD11A1"), found("MOD11A1"), stored).lst == ("MOD11A1",)
    assert stored_products(tmp_path / "none.zarr") is None


def test_a_record_goes_on_while_an_imager_is_out(raw: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Weeks without LST and reflectance would otherwise end a record that still has its radiometer."""
    stored = CubeProducts(("NNsm",), ("MYD11A1",), ("MCD43A4",), ())
    assert choose_products(config(raw), found("NNsm"), stored) == stored
    assert "no file of MYD11A1, MCD43A4" in caplog.text and "these days are made without" in caplog.text


def test_nothing_to_read_is_an_error_that_says_what_was_sought(raw: Path) -> None:
    stored = CubeProducts(("NNsm",), ("MYD11A1",), ("MCD43A4",), ())
    with pytest.raises(ConfigError, match=r"no file of MYD11A1, MCD43A4 in or near 2016-06-07.*docs/formats\.md"):
        choose_products(config(raw), found("SMAP"), stored)
    with pytest.raises(ConfigError, match="no file of LST, reflectance or rain"):
        choose_products(config(raw), found("CCI"))
    with pytest.raises(ConfigError, match=r"lst=MYD21A1D.*it holds MYD11A1"):
        choose_products(config(raw, lst="MYD21A1D"), found("MYD11A1"))
