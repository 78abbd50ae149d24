"""A file is found by what it holds, not only by what it is called; what is left out is said, with the reason."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from archive import AUG1, C3S, LST_NAME, MAY, core_metadata, daily, lst, said, surveyed

from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.naming import day_in_name, period_in_name
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.ssm import read_ssm, record_in

ONE = dt.timedelta(days=1)


def days_of(raw: Path, name: str, days: tuple[str, str] = MAY) -> int:
    return len(surveyed(raw, days)[0].get(name, {}))


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        pytest.param("precip", "pr_day_CN05.1_20160101-20161231.nc", id="R15"),
        pytest.param("precip", "prec_CMFD_V0106_B-01_01dy_010deg_201601-201612.nc", id="R16"),
        pytest.param("ERA5-Land", "era5land_20160101_20161231.nc", id="E8"),
        pytest.param("precip", "rain_2016.nc", id="R15-a-year"),
        pytest.param("precip", "chirps-v2.0.2016.days_p05.nc", id="R15-a-version-and-a-year"),
        pytest.param("precip", "rain_2016-01-01.nc", id="R15-after-its-first-day"),
        pytest.param("precip", "china.nc", id="R15-no-date"),
        pytest.param("C3S", "sm_20160101_20161231.nc", id="R15-soil-moisture"),
    ],
)
def test_a_file_of_many_days_serves_all_of_them(tmp_path: Path, folder: str, name: str) -> None:
    variable = {"precip": "precip", "ERA5-Land": "t2m", "C3S": "sm"}[folder]
    daily(tmp_path / folder / name, "2016-01-01", 366, variable, id="PASSIVE")
    assert days_of(tmp_path, folder) == 8
    assert said(tmp_path, MAY) == ""


def test_files_of_a_year_named_after_its_first_or_last_day_are_found(tmp_path: Path) -> None:
    for year in (2015, 2016, 2017):
        daily(tmp_path / "precip" / f"first_{year}0101.nc", f"{year}-01-01", 365)
        daily(tmp_path / "precip" / f"last_{year}1231.nc", f"{year}-01-01", 365)
    found = surveyed(tmp_path, MAY)[0]["precip"]
    assert len(found) == 8 and all(len(granules) == 2 for granules in found.values())


@pytest.mark.parametrize(
    ("name", "day", "period"),
    [
        ("prec_CMFD_010deg_201601-201612.nc", None, ("2016-01-01", "2016-12-31")),
        ("pr_20160101-20161231.nc", "2016-01-01", ("2016-01-01", "2016-12-31")),
        ("tp_2016-02.nc", None, ("2016-02-01", "2016-02-29")),
        ("C3S-PASSIVE-DAILY-20170701000000-ICDR-v202012.0.0.nc", "2017-07-01", ("2017-07-01", "2017-07-01")),
        ("3B-DAY.MS.MRG.3IMERG.20160501-S000000-E235959.V07B.nc4", "2016-05-01", ("2016-05-01", "2016-05-01")),
        ("x_2015366.nc", None, None),
    ],
)
def test_dates_in_names(name: str, day: str | None, period: tuple[str, str] | None) -> None:
    assert str(day_in_name(name)) == str(day)
    assert period_in_name(name) == (period and tuple(map(dt.date.fromisoformat, period)))


IMERG = "3B-DAY.MS.MRG.3IMERG.201605{:02d}-S000000-E235959.{}.nc4"


def test_R30_the_newest_version_of_rain_counts(tmp_path: Path) -> None:
    for day in range(1, 9):
        for version, value in (("V06", 3.0), ("V07B", 1.0)):
            daily(tmp_path / "precip" / IMERG.format(day, version), f"2016-05-{day:02d}", 1, value=value)
    found, account = surveyed(tmp_path, MAY)
    taken = [g.path.name for granules in found["precip"].values() for g in granules]
    assert taken == [IMERG.format(day, "V07B") for day in range(1, 9)]
    (warning,) = account.warnings()
    assert "8 files left out: a second file" in warning and "remove the older one" in warning and "V06" in warning


def test_R30_another_product_of_rain_is_no_version(tmp_path: Path) -> None:
    daily(tmp_path / "precip" / "chirps_v9_20160501.nc", "2016-05-01", 1)
    daily(tmp_path / "precip" / "cmorph_v1_20160501.nc", "2016-05-01", 1)
    assert len(surveyed(tmp_path, MAY)[0]["precip"][dt.date(2016, 5, 1)]) == 2  # its reader names the two


@pytest.mark.parametrize("folder", ["C3S", "CCI"])
@pytest.mark.parametrize(
    ("other", "words"),
    [
        (C3S.format("PASSIVE", "MONTHLY", "202312.0.0"), "a monthly mean"),
        (C3S.format("PASSIVE", "DEKADAL", "202312.0.0"), "a ten-day mean"),
        (C3S.format("COMBINED", "DAILY", "202312.0.0"), "COMBINED soil moisture"),
        (C3S.format("ACTIVE", "DAILY", "202312.0.0"), "ACTIVE soil moisture"),
        ("ESACCI-SOILMOISTURE-L3S-SSMV-COMBINED-20160504000000-fv09.1.nc", "COMBINED soil moisture"),
        ("ESACCI-SOILMOISTURE-L3S-SSMS-ACTIVE-20160504000000-fv09.1.nc", "ACTIVE soil moisture"),
    ],
    ids=lambda value: f"S11-{value.replace(' ', '-')}" if "-L3S" not in value else "",
)
def test_S11_other_kinds_do_not_beat_the_file_of_the_day(tmp_path: Path, folder: str, other: str, words: str) -> None:
    right = C3S.format("PASSIVE", "DAILY", "201912.0.0")
    for name in (right, other):
        daily(tmp_path / folder / name, "2016-05-04", 1, "sm")
    found, account = surveyed(tmp_path, MAY)
    assert [g.path.name for gs in found[folder].values() for g in gs] == [right]
    (warning,) = account.warnings()
    assert words in warning and other in warning and "daily PASSIVE files" in warning
    assert "download it again" not in warning and right not in warning


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"title": "C3S Surface Soil Moisture merged COMBINED Product"}, "COMBINED"),
        ({"id": "C3S-SSMV-PASSIVE-MONTHLY-20160504.nc"}, "a monthly mean"),
        ({"title": "merged PASSIVE Product", "time_coverage_resolution": "P1M"}, "a monthly mean"),
    ],
)
def test_S11_a_renamed_file_is_known_by_its_content(tmp_path: Path, attributes: dict[str, str], words: str) -> None:
    path = daily(tmp_path / "C3S" / "sm_20160504.nc", "2016-05-04", 1, "sm", **attributes)
    assert days_of(tmp_path, "C3S") == 0
    assert words in said(tmp_path, MAY)
    with pytest.raises(GranuleError, match=words):  # whatever its name
        read_ssm([Granule("C3S", path, dt.date(2016, 5, 4))], Domain("d", (84, 88, 792, 796)), 0.04)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("SMAP", "SMAP_L3_SM_AP_20160504_R19240_001.h5"),
        ("SMAP", "SMAP_L4_SM_gph_20160504T013000_Vv7032_001.h5"),
        ("SMAP", "SMAP_L3_SM_AP_20160504_R13080_001.h5"),
        ("ESACCI-LST", "ESACCI-LST-L3C-LST-MODISA-0.01deg_1MONTHLY_DAY-20160501000000-fv3.00.nc"),
        ("ERA5-Land", "era5-land-monthly-means_2016.nc"),
        ("MYD11A1.061", "MYD11A2.A2016121.h26v04.061.2021348183425.hdf"),
    ],
)
def test_S11_in_other_folders(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / name).touch()
    assert surveyed(tmp_path, MAY)[0] == {}
    warning = said(tmp_path, MAY)
    assert name in warning and "download it again" not in warning


def test_S11_a_monthly_sum_of_rain_counts_where_there_is_nothing_else(tmp_path: Path) -> None:
    daily(tmp_path / "precip" / "3B-MO.MS.MRG.3IMERG.20160501-S000000-E235959.05.V07B.nc4", "2016-05-01", 1)
    assert days_of(tmp_path, "precip") == 1
    right = daily(tmp_path / "precip" / IMERG.format(1, "V07B"), "2016-05-01", 1)
    ((granule,),) = surveyed(tmp_path, MAY)[0]["precip"].values()
    assert granule.path == right and "a sum of a month" in said(tmp_path, MAY)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("NNsm_fy3b_2011300.nc", 3, ""),
        ("NNsm_MWRI_2011300.nc", 3, ""),
        ("NNsm_2011300.nc", 3, "FY-3B was the only one that flew"),
        ("NNsm_2011200.nc", 1, ""),
        ("NNsm_2016122.nc", 2, ""),
        ("FY3B/NNsm_2016122.nc", 3, ""),
        ("NNsm_AMSR2_2011300.nc", None, "AMSR2 and a day without it: it observed from 2012-07-02"),
        ("NNsm_AMSR-E_2016122.nc", None, "AMSR-E and a day without it"),
        ("NNsm_2001122.nc", None, "none of AMSR-E, AMSR2 and FY-3B flew"),
    ],
)
def test_S17_no_sensor_observes_while_it_does_not_fly(tmp_path: Path, name: str, code: int | None, words: str) -> None:
    path = tmp_path / "NNsm" / name
    path.parent.mkdir(parents=True)
    path.touch()
    found, account = surveyed(tmp_path)
    codes = [record_in(g) for granules in found.get("NNsm", {}).values() for g in granules]
    assert codes == ([] if code is None else [code])
    assert words in "\n".join(account.warnings()) and bool(words) == bool(account.warnings())


@pytest.mark.parametrize("where", ["the year", "the product", "the file", "raw itself"])
def test_R34_M9_links_are_followed(tmp_path: Path, where: str) -> None:
    disk = tmp_path / "disk" / "raw"
    daily(disk / "precip" / "2016" / "rain_20160501.nc", "2016-05-01", 1)
    lst(disk / "MYD11A1.061" / "2016" / LST_NAME.replace("2015213", "2016122"))
    raw = tmp_path / "raw"
    if where == "raw itself":
        raw.symlink_to(disk)
    for product_folder in disk.iterdir() if where != "raw itself" else ():
        link = raw / product_folder.name
        link.parent.mkdir(exist_ok=True)
        if where == "the product":
            link.symlink_to(product_folder)
            continue
        link.mkdir()
        if where == "the year":
            (link / "2016").symlink_to(os.path.relpath(product_folder / "2016", link))
        else:
            for file in (product_folder / "2016").iterdir():
                (link / file.name).symlink_to(file)
    assert days_of(raw, "precip") == days_of(raw, "MYD11A1") == 1
    assert said(raw, MAY) == ""


def _broken_link(path: Path) -> None:
    path.symlink_to(path.parent / "offline")


def _own_loop(path: Path) -> None:
    path.symlink_to(path.name)


def _loop_of_folders(path: Path) -> None:
    path.symlink_to("..")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(_broken_link, "a link to a file or folder that is not there", id="M11-Q8-broken"),
        pytest.param(_own_loop, "in a circle|leads back", id="Q8-loop"),
        pytest.param(_loop_of_folders, "leads back", id="Q8-folder-loop"),
        pytest.param(os.mkfifo, "a pipe, socket or device", id="Q8-fifo"),
        pytest.param(Path.mkdir, "a folder in the place of a file", id="Q8-folder"),
    ],
)
def test_what_is_no_file_is_named(tmp_path: Path, make, words: str) -> None:
    good = lst(tmp_path / "MYD11A1.061" / "sub" / LST_NAME)
    bad = good.with_name(LST_NAME.replace("h26", "h27"))
    make(bad)
    found, account = surveyed(tmp_path)
    assert [g.path for g in found["MYD11A1"][AUG1]] == [good]
    (warning,) = account.warnings()
    assert bad.name in warning and any(part in warning for part in words.split("|"))


@pytest.mark.parametrize("target", ["not there", "itself"])
def test_M11_a_product_that_is_a_broken_link_is_named(tmp_path: Path, target: str) -> None:
    (tmp_path / "MYD11A1.061").symlink_to(tmp_path / ("MYD11A1.061" if target == "itself" else "offline"))
    assert "MYD11A1: 1 link left out" in said(tmp_path) and "mount the disk" in said(tmp_path)


@pytest.mark.parametrize("folder", ["myd11a1.061", "MYD11A1-061", "MYD11A1", "Myd11a1.V061"])
def test_capitals_of_folders_and_files(tmp_path: Path, folder: str) -> None:
    lst(tmp_path / folder / LST_NAME.upper())
    assert list(surveyed(tmp_path)[0]["MYD11A1"]) == [AUG1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("precipitation/a.nc", "no product of this name is known (precipitation); did you mean precip?"),
        ("MODIS/a.hdf", "docs/formats.md"),
        ("MYD11A1.A2015213.h26v04.061.2021348183425.hdf", "move it into the folder of its product"),
        ("precip/rain_20160501.nc.gz", "unpack it here"),
        ("precip/rain_20160501.nc.part", "an unfinished download"),
        ("precip/rain_20160501.grib", "no file of this product (.nc .nc4 .cdf)"),
        ("NNsm/NNsm_amsr2_201605.nc", "not a NetCDF file"),
    ],
)
def test_what_is_left_out_is_said(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert words in said(tmp_path, MAY)


def test_a_day_by_the_content_where_the_name_has_none(tmp_path: Path) -> None:
    daily(tmp_path / "NNsm" / "today.nc", "2016-05-04", 1, "soil_moisture")
    daily(tmp_path / "ESACCI-LST" / "night of may.nc", "2016-05-04", 1, "lst")
    found = surveyed(tmp_path, MAY)[0]
    assert list(found["NNsm"]) == list(found["ESACCI-LST"]) == [dt.date(2016, 5, 4)]
    assert found["ESACCI-LST"][dt.date(2016, 5, 4)][0].tile.startswith("NIGHT")


DOMAIN = Domain("part", (84, 88, 792, 796))

# Damage


def test_Q5_a_hidden_layer_makes_the_granule_unusable(tmp_path: Path) -> None:
    from ssm_net.ingest.fine import read_lst

    path = lst(tmp_path / LST_NAME)
    data = bytearray(path.read_bytes())
    at = [n for n in range(len(data)) if data[n : n + 11] == b"LST_Day_1km"]
    for n in at:
        if b'DataFieldName="' not in data[n - 15 : n]:  # the directory of the file, not its description
            data[n] ^= 1
    path.write_bytes(data)
    with pytest.raises(GranuleError, match=rf"{LST_NAME}, layer 'LST_Day_1km': is described in the file and not found"):
        read_lst([Granule("MYD11A1", path, AUG1, "h26v04")], "day", DOMAIN.fine)


def test_Q7_older_versions_stand_behind_the_newest(tmp_path: Path) -> None:
    newest = lst(tmp_path / "MYD11A1" / LST_NAME)
    older = lst(tmp_path / "MYD11A1" / LST_NAME.replace("2021348", "2020348"))
    (granule,) = surveyed(tmp_path)[0]["MYD11A1"][AUG1]
    assert (granule.path, granule.older) == (newest, (older,))
    newest.write_bytes(newest.read_bytes()[:100])  # cannot even be opened
    (granule,) = surveyed(tmp_path)[0]["MYD11A1"][AUG1]
    assert (granule.path, granule.older) == (older, ())
    assert f"newer than the one that counts, and cannot be opened ({newest.name}" in said(tmp_path)


def test_a_date_that_is_none_in_the_metadata(tmp_path: Path) -> None:
    lst(tmp_path / "MYD11A1" / LST_NAME, core_metadata("2016-99-99"))
    assert list(surveyed(tmp_path)[0]["MYD11A1"]) == [AUG1]
