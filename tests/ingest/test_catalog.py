"""What lies in raw/: days, duplicates, renamed and unknown files."""

from __future__ import annotations

import datetime as dt
import logging
import pickle

import eosfile
import numpy as np
import pytest
import xarray as xr

from ssm_net.ingest.catalog import RawFolderError, list_granules
from ssm_net.ingest.naming import day_in_name
from ssm_net.ingest.products import PRODUCTS, product
from ssm_net.ingest.raster import REMEDY, GranuleError

AUG1 = dt.date(2015, 8, 1)
OLD = "MYD11A1.A2015213.h26v04.006.2016223183425.hdf"
NEW = "MYD11A1.A2015213.h26v04.061.2021348183425.hdf"


def lst(path, core=""):
    return eosfile.write(path, [eosfile.lst_grid(np.full((2, 2), 290.0), 0.0, 0.0)], core)


def test_products_go_by_their_folder_with_or_without_version():
    assert product("MOD11A1.061") is product("MOD11A1.006") is product("MOD11A1")
    assert product("MYD21A1N.061").variables == ("lst_night",)
    assert product("SPL3SMP.009").name == "SMAP"
    assert product("holiday_pictures") is None
    assert len({p.name for p in PRODUCTS}) == len(PRODUCTS)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("NNsm-FY-2011300.nc", dt.date(2011, 10, 27)),
        ("NNsm_AMSR2_2016158.nc", dt.date(2016, 6, 6)),
        ("ESACCI-SOILMOISTURE-L3S-SSMV-PASSIVE-20160607000000-fv04.2.nc", dt.date(2016, 6, 7)),
        ("SMAP_L2_SM_P_02801_A_20150811T013002_R18290_001.h5", dt.date(2015, 8, 11)),
        ("SMAP_L3_SM_P_20150401_R18290_001.h5", dt.date(2015, 4, 1)),
        ("SMAP_China_2024-03-01.nc", dt.date(2024, 3, 1)),
        ("ERA5_China_2024_07_01_03.nc", dt.date(2024, 7, 1)),
        ("nothing_12.nc", None),
        ("x_2015999.nc", None),
    ],
)
def test_day_in_name(name, day):
    assert day_in_name(name) == day


def test_newest_of_a_tile_counts_and_the_other_is_named(tmp_path, caplog):
    lst(tmp_path / "MYD11A1.061" / NEW)
    lst(tmp_path / "MYD11A1.061" / "sub" / NEW.replace("2021348", "2020348"))
    lst(tmp_path / "MYD11A1.006" / OLD)
    lst(tmp_path / "MYD11A1.061" / NEW.replace("h26", "h27"))
    with caplog.at_level(logging.WARNING):
        found = list_granules(tmp_path)
    assert [g.tile for g in found["MYD11A1"][AUG1]] == ["h26v04", "h27v04"]
    assert found["MYD11A1"][AUG1][0].path.name == NEW
    assert OLD in caplog.text and "remove the older one" in caplog.text


def test_metadata_wins_over_the_name(tmp_path, caplog):
    lst(tmp_path / "MYD11A1.061" / NEW, eosfile.core_metadata("2015-08-02"))
    with caplog.at_level(logging.WARNING):
        found = list_granules(tmp_path)
    assert list(found["MYD11A1"]) == [dt.date(2015, 8, 2)]
    assert NEW in caplog.text and "2015-08-01" in caplog.text and "2015-08-02" in caplog.text


def test_nadir_reflectance_is_dated_by_the_middle_of_its_window(tmp_path):
    name = "MCD43A4.A2015213.h26v04.061.2021348183425.hdf"
    lst(tmp_path / "MCD43A4.061" / name, eosfile.core_metadata("2015-07-24", "2015-08-08"))
    assert list(list_granules(tmp_path)["MCD43A4"]) == [AUG1]


def test_renamed_file_is_known_by_its_metadata(tmp_path):
    lst(tmp_path / "MYD11A1.061" / "my august.hdf", eosfile.core_metadata("2015-08-01", name=NEW))
    (granule,) = list_granules(tmp_path)["MYD11A1"][AUG1]
    assert granule.tile == "h26v04"


def test_unknown_and_broken_are_logged_not_fatal(tmp_path, caplog):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "static").mkdir()
    lst(tmp_path / "MYD11A1" / NEW)
    (tmp_path / "MYD11A1" / "readme.txt").write_text("hello")
    (tmp_path / "MYD11A1" / "noise.hdf").write_bytes(b"noise")
    broken = tmp_path / "MYD11A1" / NEW.replace("h26", "h27")
    broken.write_bytes(b"\x0e\x03\x13\x01 cut")
    with caplog.at_level(logging.INFO):
        found = list_granules(tmp_path)
    for word in ("holiday", "readme.txt", "noise.hdf", broken.name):
        assert word in caplog.text
    assert "static" not in caplog.text
    # A broken file stays under the day of its name: making that day reports it.
    assert [g.tile for g in found["MYD11A1"][AUG1]] == ["h26v04", "h27v04"]


def test_only_the_days_asked_for(tmp_path):
    for doy in (212, 213, 214):
        lst(tmp_path / "MYD11A1" / NEW.replace("A2015213", f"A2015{doy}"), eosfile.core_metadata(
            (AUG1 + dt.timedelta(doy - 213)).isoformat()))  # fmt: skip
    assert list(list_granules(tmp_path, (AUG1, AUG1))["MYD11A1"]) == [AUG1]


def test_no_raw_folder(tmp_path):
    with pytest.raises(RawFolderError, match="raw="):
        list_granules(tmp_path / "none")


def test_cci_lst_is_dated_by_time_and_rain_stands_under_every_day_it_falls_in(tmp_path):
    one = xr.Dataset({"lst": (("time", "lat", "lon"), np.full((1, 2, 2), 290.0))},
                     {"time": [np.datetime64("2015-08-01", "ns")], "lat": [1.0, 2.0], "lon": [1.0, 2.0]})  # fmt: skip
    path = tmp_path / "ESACCI-LST" / "ESACCI-LST-L3C-LST-MODISA-0.01deg_1DAILY_NIGHT-20220901103756-fv3.00.nc"
    path.parent.mkdir()
    one.to_netcdf(path, engine="h5netcdf")
    rain = xr.Dataset({"precip": (("time", "lat", "lon"), np.ones((1, 2, 2)), {"units": "mm"}),
                       "time_bnds": (("time", "nv"), [[np.datetime64("2015-08-01T12", "ns"),
                                                       np.datetime64("2015-08-02T12", "ns")]])},
                      {"time": ("time", [np.datetime64("2015-08-02", "ns")], {"bounds": "time_bnds"}),
                       "lat": [1.0, 2.0], "lon": [1.0, 2.0]})  # fmt: skip
    (tmp_path / "precip").mkdir()
    rain.to_netcdf(tmp_path / "precip" / "r.nc", engine="h5netcdf")
    found = list_granules(tmp_path)
    (granule,) = found["ESACCI-LST"][AUG1]
    assert granule.tile == "NIGHT MODISA"
    assert list(found["precip"]) == [AUG1, AUG1 + dt.timedelta(1)]


@pytest.mark.real
def test_real_files_are_dated(real_dir, tmp_path):
    wanted = {
        "MOD11A1.006": ("modis/MOD11A1*", [dt.date(2019, 11, 1)]),
        "MOD13A2.006": ("modis/MOD13A2*", [dt.date(2016, 5, 24)]),
        "MOD09GA.006": ("modis/MOD09GA*", [dt.date(2008, 10, 22)]),
        "C3S": ("ssm/C3S*", [dt.date(2017, 7, 1)]),
        "CCI": ("ssm/ESACCI*", [dt.date(2016, 6, 7)]),
        "SMAP": ("ssm/SMAP_L2*", [dt.date(2015, 8, d) for d in (10, 11, 12)]),
    }
    for folder, (pattern, _) in wanted.items():
        (tmp_path / folder).mkdir()
        for path in real_dir.glob(pattern):
            (tmp_path / folder / path.name).symlink_to(path)
    (monthly,) = (real_dir / "lst_china").glob("*1MONTHLY*.nc")
    (tmp_path / "ESACCI-LST").mkdir()
    (tmp_path / "ESACCI-LST" / monthly.name).symlink_to(monthly)
    found = list_granules(tmp_path)
    assert {k: list(v) for k, v in found.items()} == {k.split(".")[0]: days for k, (_, days) in wanted.items()}
    (tmp_path / "ESACCI-LST" / "lst_day_20150801.nc").symlink_to(monthly)  # its content says so, too
    assert "ESACCI-LST" not in list_granules(tmp_path)


def test_error_comes_back_whole_from_another_process():
    error = pickle.loads(pickle.dumps(GranuleError("a.hdf", "cut short", layer="QC_Day", day=AUG1)))
    assert (str(error.path), error.layer, error.day) == ("a.hdf", "QC_Day", AUG1)
    assert str(error) == f"a.hdf, layer 'QC_Day', day {AUG1}: cut short; {REMEDY}"
