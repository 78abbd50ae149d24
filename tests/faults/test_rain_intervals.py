"""Rain whose interval is not plain: hourly sums, days cut elsewhere, axes and units that are written in other ways."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from ssm_net.config.rain_day import RainDay, parse_rain_day
from ssm_net.errors import ConfigError
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule, list_granules
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.rain_units import mm_per_unit
from ssm_net.ingest.raster import GranuleError
from ssm_net.prepare.run import _report_missing

DOMAIN = Domain("part", (84, 88, 792, 796))
LAT, LON = np.arange(30.0, 41.0), np.arange(110.0, 125.0)
FIRST = dt.date(2016, 5, 1)
MM = [2.0, 10.0, 4.0, 30.0, 6.0, 1.0]  # of the UTC days from FIRST


def utc(text: str) -> np.datetime64:
    return np.datetime64(text, "s")


def hours_of(mm: list[float]) -> np.ndarray:
    """Rain of each hour, most in the afternoon: (24 * days,) mm."""
    weight = 1.0 + np.minimum(np.arange(24.0), 2 * np.arange(23.0, -1, -1))
    weight /= weight.sum()
    return np.concatenate([weight * day for day in mm])


def write(
    path: Path, values: np.ndarray, time: np.ndarray, axis: dict, variable: dict, name: str = "tp", **attrs: str
) -> Granule:
    path.parent.mkdir(exist_ok=True)
    field = np.broadcast_to(np.asarray(values, np.float64).reshape(-1, 1, 1), (np.size(values), LAT.size, LON.size))
    xr.Dataset(
        {name: (("time", "lat", "lon"), field, variable)},
        {"time": ("time", time, axis), "lat": LAT, "lon": LON}, attrs,
    ).to_netcdf(path, engine="h5netcdf")  # fmt: skip
    return Granule("precip", path, FIRST, path.name)


HOURS = {"units": "hours since 2016-05-01 00:00:00", "calendar": "standard"}


def mean(granules, start, end, rain_day=None, said=None):
    said = [] if said is None else said
    out = rain_between(granules, utc(start), utc(end), DOMAIN.fine, rain_day, said.append)
    assert np.isnan(out).all() or np.ptp(out) < 1e-3
    return float(out.mean())


def utc_days(granules, rain_day=None, said=None, days=(2, 3, 4)):
    return [mean(granules, f"2016-05-0{d}", f"2016-05-0{d + 1}", rain_day, said) for d in days]


def era5_land(folder: Path, **attrs: str) -> list[Granule]:
    """Hourly sums since 00 UTC, a file for each date: 00:00 holds the day before."""
    hourly = hours_of(MM)
    since = np.array([hourly[(h - 1) // 24 * 24 : h].sum() if h else 0.0 for h in range(len(hourly) + 1)])
    out = []
    for day in range(len(MM)):
        at = np.arange(24 * day, 24 * day + 24)
        out.append(write(folder / f"tp_2016050{day + 1}.nc", since[at] / 1000, at, HOURS,
                         {"units": "m", "GRIB_stepType": "accum"}, **attrs))  # fmt: skip
    return out


def test_R19_hourly_sums_since_midnight(tmp_path):
    granules = era5_land(tmp_path)
    said: list[str] = []
    assert utc_days(granules, said=said) == pytest.approx(MM[1:4], rel=1e-4) and not said
    hourly = hours_of(MM)
    assert mean(granules, "2016-05-02T06:00", "2016-05-02T18:00") == pytest.approx(hourly[30:42].sum(), rel=1e-4)
    since = np.concatenate([hourly[24 * d : 24 * d + 24].cumsum() for d in range(6)])
    one_file = write(tmp_path / "a.nc", since / 1000, np.arange(1, 145), HOURS, {"units": "m"}, source="ERA5-Land")
    assert utc_days([one_file]) == pytest.approx(MM[1:4], rel=1e-4)


def test_R19_a_missing_file_costs_its_own_hours(tmp_path):
    granules = era5_land(tmp_path)
    del granules[1]  # 2 May from 01:00 to 23:00; 00:00 of 3 May holds all of it
    assert utc_days(granules) == pytest.approx(MM[1:4], rel=1e-4)


@pytest.mark.parametrize(
    "variable", [{"units": "m", "GRIB_stepType": "accum"}, {"units": "m", "long_name": "ERA5-Land rain"}]
)
def test_R20_midnights_alone_hold_the_day_before(tmp_path, variable):
    at = 24 * np.arange(1, 7)
    granule = write(tmp_path / "tp_2016.nc", np.array(MM) / 1000, at, HOURS, {"units": "m", **variable})
    said: list[str] = []
    assert utc_days([granule], said=said) == pytest.approx(MM[1:4], rel=1e-4) and not said


def test_R20_midnights_in_files_of_their_own_are_found(tmp_path):
    for n, mm in enumerate(MM):
        write(tmp_path / "precip" / f"tp_201605{n + 2:02d}.nc", np.array([mm / 1000]), np.array([24 * (n + 1)]), HOURS,
              {"units": "m", "GRIB_stepType": "accum"})  # fmt: skip
    day = dt.date(2016, 5, 3)
    found = list_granules(tmp_path, (day, day))["precip"][day]
    assert mean(found, "2016-05-03", "2016-05-04") == pytest.approx(MM[2], rel=1e-4)


def test_hours_of_ERA5_are_of_the_hour_before(tmp_path):
    hourly = hours_of(MM)
    granule = write(tmp_path / "era5_2016.nc", hourly / 1000, np.arange(1, 145), HOURS,
                    {"units": "m", "GRIB_stepType": "accum"})  # fmt: skip
    assert utc_days([granule]) == pytest.approx(MM[1:4], rel=1e-4)
    six = write(tmp_path / "era5_6h.nc", hourly[5::6] / 1000, np.arange(6, 145, 6), HOURS, {"units": "m"})
    with pytest.raises(GranuleError, match=r"era5_6h\.nc.*hour before each step.*every 6 hours.*download all hours"):
        mean([six], "2016-05-02", "2016-05-03")


@pytest.mark.parametrize(
    ("units", "mm"),
    [("mm hr-1", 24), ("mm/hr", 24), ("mm h-1", 24), ("mm/h", 24), ("mm hour^-1", 24), ("kg m-2 s-1", 86400),
     ("kg/m2/s", 86400), ("kg m**-2 s**-1", 86400), ("mm/3h", 8), ("mm d**-1", 1), ("mm per day", 1), ("0.1 mm", 0.1),
     ("m", 1000), ("kg m**-2", 1), ("m of water equivalent", 1000), ("MM", 1), ("inches", None), ("", None),
     ("m3 m-3", None), ("W m-2", None), ("mm/month", None)],
)  # fmt: skip
def test_R17_units(units, mm):
    assert mm_per_unit(units, 86400.0) == (None if mm is None else pytest.approx(mm))


def test_R17_days_of_CMFD(tmp_path):
    at = 24 * np.arange(6) + 10.5
    granule = write(tmp_path / "prec_CMFD_V0200_B-01_01dy_010deg_201605.nc", np.array(MM) / 24, at, HOURS,
                    {"units": "mm hr-1"}, name="prec")  # fmt: skip
    said: list[str] = []
    assert utc_days([granule], said=said) == pytest.approx(MM[1:4], rel=1e-4) and not said


def three_hourly(folder: Path, name: str, ends: bool, variable: str = "precip") -> list[Granule]:
    sums = hours_of(MM[:3]).reshape(-1, 3).sum(1)
    out = []
    for n, mm in enumerate(sums):
        at = 3 * (n + ends)
        moment = dt.datetime(2016, 5, 1) + dt.timedelta(hours=at)
        out.append(write(folder / f"{name}{moment:%Y%m%d.%H%M}.nc", np.array([mm / 10800]), np.array([at]), HOURS,
                         {"units": "kg m-2 s-1"}, name=variable))  # fmt: skip
    return out


def test_R29_eight_files_a_day_are_put_together(tmp_path):
    said: list[str] = []
    gldas = three_hourly(tmp_path / "a", "GLDAS_NOAH025_3H.A", True, "Rainf_f_tavg")
    assert utc_days(gldas, said=said, days=(2,)) == pytest.approx(MM[1:2], rel=1e-4) and not said
    unknown = three_hourly(tmp_path / "b", "rain_", False)
    assert utc_days(unknown, said=said, days=(2,)) == pytest.approx(MM[1:2], rel=1e-4)
    assert len(set(said)) == 1 and "begins at its time stamp" in said[0] and "rain_day=" in said[0]
    ends = three_hourly(tmp_path / "c", "rain_", True)
    assert utc_days(ends, RainDay("ends"), days=(2,)) == pytest.approx(MM[1:2], rel=1e-4)


def test_R29_steps_that_are_not_equal_are_refused(tmp_path):
    granule = write(tmp_path / "a.nc", np.ones(4), np.array([0, 3, 8, 24]), HOURS, {"units": "mm"})
    with pytest.raises(GranuleError, match=r"a\.nc.*not equally long.*bounds \(CF\)"):
        mean([granule], "2016-05-01", "2016-05-02")


def test_R29_middles_of_hours_are_known_as_such(tmp_path):
    said: list[str] = []
    granule = write(tmp_path / "a.nc", hours_of(MM), np.arange(144) + 0.5, HOURS, {"units": "mm"})
    assert utc_days([granule], said=said) == pytest.approx(MM[1:4], rel=1e-4) and not said


ABSOLUTE = {"units": "day as %Y%m%d.%f", "calendar": "proleptic_gregorian"}
NO_LEAP = {"units": "days since 1950-01-01 00:00:00", "calendar": "noleap"}


@pytest.mark.parametrize(
    ("axis", "time"),
    [(ABSOLUTE, 20160501.0 + np.arange(6)), (ABSOLUTE, 20160501.5 + np.arange(6)),
     (NO_LEAP, 66 * 365 + 120 + np.arange(6)), ({**NO_LEAP, "calendar": "365_day"}, 66 * 365 + 120.5 + np.arange(6))],
    ids=["R26-midnight", "R26-noon", "R27-midnight", "R27-noon"],
)  # fmt: skip
def test_axes_that_xarray_leaves_alone(tmp_path, axis, time):
    write(tmp_path / "precip" / "rain_20160501_20160506.nc", np.array(MM), time, axis, {"units": "mm"})
    found = list_granules(tmp_path)["precip"]
    assert set(found) >= {FIRST + dt.timedelta(n) for n in range(6)}
    assert utc_days(found[FIRST]) == pytest.approx(MM[1:4], rel=1e-4)


def test_R27_the_29th_of_february_is_missing_not_moved(tmp_path):
    time = 66 * 365 + 57 + np.arange(4)  # 27 and 28 February, 1 and 2 March
    granule = write(tmp_path / "a.nc", np.array([1.0, 2, 3, 4]), time, NO_LEAP, {"units": "mm"})
    assert [mean([granule], f"2016-{a}", f"2016-{b}") for a, b in (("02-28", "02-29"), ("03-01", "03-02"))] == [2, 3]
    assert np.isnan(mean([granule], "2016-02-29", "2016-03-01"))


@pytest.mark.parametrize("calendar", ["360_day", "all_leap", "martian"])
def test_R27_other_calendars_are_refused_by_name(tmp_path, calendar):
    write(tmp_path / "a_20160501.nc", np.array(MM), np.arange(6), {**NO_LEAP, "calendar": calendar}, {"units": "mm"})
    with pytest.raises(GranuleError, match=rf"a_20160501\.nc.*{calendar}.*standard calendar"):
        mean([Granule("precip", tmp_path / "a_20160501.nc", FIRST)], "2016-05-01", "2016-05-02")


def daily(path: Path, variable: dict | None = None, **attrs: str) -> Granule:
    return write(path, np.array(MM), 24 * np.arange(6), HOURS, {"units": "mm"} | (variable or {}), name="pr", **attrs)


@pytest.mark.parametrize(
    ("setting", "start"),
    [("auto", "2016-05-02T00"), ("begins", "2016-05-02T00"), ("ends", "2016-05-01T00"),
     ("20:00+08:00", "2016-05-01T12"), ("24:00+08:00", "2016-05-01T16"), ("09:00Z", "2016-05-01T09"),
     ("30:00+00:00", "2016-05-02T06"), ("24:00-07:00", "2016-05-02T07")],
)  # fmt: skip
def test_rain_day_says_where_a_day_lies(tmp_path, setting, start):
    said: list[str] = []
    granule, begin = daily(tmp_path / "pr_2016.nc"), utc(start)
    assert mean([granule], str(begin), str(begin + np.timedelta64(24, "h")), parse_rain_day(setting), said) == 10
    assert bool(said) == (setting == "auto")
    if said:
        assert "UTC day of its time stamp" in said[0] and "rain_day=" in said[0]


@pytest.mark.parametrize("wrong", ["20:00", "8", "noon", "49:00+00:00", "20:60+08:00", ""])
def test_rain_day_is_checked(wrong):
    with pytest.raises(ConfigError, match=r"rain_day=.*begins, ends.*20:00\+08:00"):
        parse_rain_day(wrong)


@pytest.mark.parametrize(
    ("name", "attrs", "start"),
    [("pre_CN05.1_2016_daily.nc", {}, "2016-05-01T12"), ("pr.nc", {"title": "CN05.1 daily rain"}, "2016-05-01T12"),
     ("chirps-v2.0.2016.days_p05.nc", {}, "2016-05-02T00"), ("3B-DAY.MS.MRG.3IMERG.nc", {}, "2016-05-02T00")],
)  # fmt: skip
def test_known_products_need_no_setting(tmp_path, name, attrs, start):
    said: list[str] = []
    granule, begin = daily(tmp_path / name, **attrs), utc(start)
    assert mean([granule], str(begin), str(begin + np.timedelta64(24, "h")), None, said) == 10 and not said


def test_R36_what_is_said_of_missing_rain_is_true(caplog):
    _report_missing({"rain": [FIRST], "lst_day": [FIRST], "reflectance": [FIRST]})
    assert "rain on 2016-05-01" in caplog.text and "rain is missing there, and is not 0" in caplog.text
    assert "temperature is filled" in caplog.text and "reflectance" not in caplog.text
    caplog.clear()
    _report_missing({"rain": [FIRST]})
    assert "temperature" not in caplog.text


def test_bounds_of_the_file_count_before_the_setting(tmp_path):
    path = tmp_path / "a.nc"
    with xr.open_dataset(daily(tmp_path / "b.nc").path, decode_times=False) as stored:
        bounds = stored["time"].values[:, None] + np.array([[-12.0, 12.0]])
        stored["time"].attrs["bounds"] = "time_bnds"
        stored.assign(time_bnds=(("time", "two"), bounds)).to_netcdf(path, engine="h5netcdf")
    said: list[str] = []
    assert mean([Granule("precip", path, FIRST)], "2016-05-01T12", "2016-05-02T12", RainDay("ends"), said) == 10
    assert set(said) == {"rain_day= is not used where files of rain state their own intervals (time bounds)"}
