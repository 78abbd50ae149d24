"""What extract writes: a row a place and day in CSV and Parquet, CF time series in NetCDF; and the command itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from map_folders import DOMAIN, PACKING, write_maps

import ssm_net
from ssm_net.cli import main
from ssm_net.errors import SsmNetError
from ssm_net.formats.product import Flag

LON, LAT = (v.tolist() for v in DOMAIN.lonlat())
AT = [LON[200], LAT[70], LON[120], LAT[50]]  # land, and a lake


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_maps(tmp_path_factory.mktemp("maps"), "netcdf")


def extract(maps: Path, to: Path, **keys) -> xr.Dataset:
    series = ssm_net.extract(ssm_net.ExtractConfig(str(maps), str(to), **({"at": AT} | keys)))
    assert series is not None
    return series


def test_a_table_has_a_row_for_each_place_and_day(maps: Path, tmp_path: Path) -> None:
    series = extract(maps, tmp_path / "series.csv")
    table = pd.read_csv(tmp_path / "series.csv")
    assert table[["name", "day"]].to_numpy().tolist() == [
        [name, day] for name in ("point_1", "point_2") for day in ("2016-06-07", "2016-06-08", "2016-06-10")
    ]
    np.testing.assert_allclose(table.ssm, series.ssm.values.ravel(), atol=6e-6)
    assert table.ssm.isna().tolist() == [False] * 3 + [True] * 3
    assert table.note.fillna("").tolist() == [""] * 3 + ["no value on any day: water"] * 3
    assert {f"fraction_{flag.name.lower()}" for flag in Flag} | {"fraction_valid"} <= set(table)
    assert table.lat[0] == pytest.approx(LAT[70], abs=1e-6)


def test_parquet_holds_the_same_table(maps: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    extract(maps, tmp_path / "series.csv")
    extract(maps, tmp_path / "series.parquet")
    csv, parquet = pd.read_csv(tmp_path / "series.csv"), pd.read_parquet(tmp_path / "series.parquet")
    assert list(csv) == list(parquet)
    np.testing.assert_allclose(csv.ssm, parquet.ssm)
    assert csv.day.tolist() == parquet.day.astype(str).tolist()


def test_parquet_without_its_library_says_how_to_install_it(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SsmNetError, match=r"Parquet needs pyarrow: pip install 'ssm_net\[extract\]'"):
        extract(maps, tmp_path / "series.parquet")


def test_means_without_their_library_say_how_to_install_it(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "exactextract", None)
    with pytest.raises(SsmNetError, match=r"pip install 'ssm_net\[extract\]'"):
        extract(maps, tmp_path / "series.csv", at=[], areas="basins.gpkg")


def test_netcdf_is_a_cf_time_series(maps: Path, tmp_path: Path) -> None:
    """Panoply, ncdump and xarray find names, places and days; a second run gives the same bytes."""
    series = extract(maps, tmp_path / "series.nc")
    with xr.open_dataset(tmp_path / "series.nc") as stored:
        assert stored.attrs["featureType"] == "timeSeries" and stored.attrs["Conventions"] == "CF-1.11"
        assert stored["name"].attrs["cf_role"] == "timeseries_id"
        assert set(stored.ssm.coords) == {"time", "lon", "lat", "name"}
        np.testing.assert_allclose(stored.ssm, series.ssm, atol=PACKING)
        assert stored.ssm.attrs["units"] == "m3 m-3"
    extract(maps, tmp_path / "again.nc")
    assert (tmp_path / "series.nc").read_bytes() == (tmp_path / "again.nc").read_bytes()


def test_netcdf_follows_cf(maps: Path, tmp_path: Path) -> None:
    pytest.importorskip("compliance_checker")
    from compliance_checker.runner import CheckSuite

    extract(maps, tmp_path / "series.nc")
    CheckSuite.load_all_available_checkers()
    suite = CheckSuite()
    results = suite.run_all(suite.load_dataset(str(tmp_path / "series.nc")), ["cf:1.11"])["cf:1.11"][0]
    assert not [message for result in results if result.value[0] < result.value[1] for message in result.msgs]
    assert len(results) > 20


def test_nothing_is_written_where_nothing_can_be_extracted(maps: Path, tmp_path: Path) -> None:
    with pytest.raises(SsmNetError, match="none of the 1 places lies inside the maps"):
        extract(maps, tmp_path / "series.csv", at=[10.0, 50.0])
    assert not list(tmp_path.iterdir())
    with pytest.raises(SsmNetError, match="is a folder"):
        (tmp_path / "out.csv").mkdir()
        extract(maps, tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, r"add points=FILE\.csv, at=\[lon,lat\] or areas=FILE"),
        ({"at": [1.0, 2.0], "areas": "a.gpkg"}, "not at and areas"),
        ({"at": [1.0]}, "a longitude and a latitude"),
        ({"at": [1.0, 2.0], "to": "series.xlsx"}, "end it in .csv, .parquet or .nc"),
        ({"at": [1.0, 2.0], "names": "basin"}, "names= is a column of areas="),
        ({"at": [1.0, 2.0], "format": "png"}, "netcdf, cog or zarr"),
        ({"at": [1.0, 2.0], "start": "2016-6-1"}, "write yyyy-mm-dd"),
    ],
)
def test_settings_that_do_not_fit_say_why(keys: dict, message: str) -> None:
    with pytest.raises(SsmNetError, match=message):
        ssm_net.ExtractConfig(**({"mosaics": "maps", "to": "series.csv"} | keys))


@pytest.mark.usefixtures("fresh_hydra")
def test_the_command_extracts_plans_and_reports(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stations = tmp_path / "my stations, 2016.csv"
    stations.write_text(f"name,lon,lat\nland,{AT[0]},{AT[1]}\nsea,10,50\n")
    monkeypatch.chdir(tmp_path)

    def run(*more: str) -> tuple[str, str]:
        monkeypatch.setattr(
            sys, "argv", ["ssm-net", "extract", f"mosaics={maps}", f"points={stations}", "to=out.csv", *more]
        )
        main()
        shown = capsys.readouterr()
        return " ".join(shown.out.split()), " ".join(shown.err.split())

    planned, _ = run("plan=true")
    assert "would extract 2 points of 1 pixels on 3 days, 2016-06-07 .. 2016-06-10" in planned
    assert "outside the maps: sea" in planned and "days without a map: 2016-06-09" in planned
    assert not (tmp_path / "out.csv").exists()
    done, warned = run()
    assert "2 points, 3 days, 50% of them with a value: out.csv" in done
    assert "sea: outside the maps" in warned
    assert len(pd.read_csv(tmp_path / "out.csv")) == 6
