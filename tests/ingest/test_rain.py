"""Rain between two moments."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import xarray as xr

from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import GranuleError

DOMAIN = Domain("part", (84, 88, 792, 796))
LAT, LON = np.arange(30.0, 41.0, 0.5), np.arange(110.0, 125.0, 0.5)
DAY = dt.date(2016, 6, 7)


def t(text):
    return np.datetime64(text, "s")


def rain(path, mm, start="2016-06-07", bounds=None, units="mm", name="precip", lat=LAT, engine="h5netcdf"):
    dims = ("time", "lat", "lon")
    values = np.broadcast_to(np.asarray(mm, float).reshape(-1, 1, 1), (np.size(mm), lat.size, LON.size))
    times = np.datetime64(start, "ns") + np.arange(np.size(mm)) * np.timedelta64(24 if bounds is None else 12, "h")
    dataset = xr.Dataset({name: (dims, values, {"units": units})}, {"time": times, "lat": lat, "lon": LON})
    if bounds is not None:
        dataset["time"].attrs["bounds"] = "time_bnds"
        dataset["time_bnds"] = (("time", "nv"), np.array(bounds, "datetime64[ns]"))
    dataset.to_netcdf(path, engine=engine)
    return Granule("precip", path, DAY, path.name)


def test_parts_of_two_days_in_proportion(tmp_path):
    granules = [rain(tmp_path / "a.nc", [24.0]), rain(tmp_path / "b.nc", [48.0], start="2016-06-08")]
    out = rain_between(granules, t("2016-06-07T18:00"), t("2016-06-08T18:00"), DOMAIN.fine)
    assert out.shape == DOMAIN.fine_shape
    np.testing.assert_allclose(out, 24 / 4 + 48 * 3 / 4, rtol=1e-5)


def test_stated_bounds_count_not_the_time_stamp(tmp_path):
    bounds = [["2016-06-06T12:00", "2016-06-07T00:00"], ["2016-06-07T00:00", "2016-06-07T12:00"]]
    granule = rain(tmp_path / "a.nc", [10.0, 2.0], bounds=bounds)
    out = rain_between([granule], t("2016-06-06T18:00"), t("2016-06-07T06:00"), DOMAIN.fine)
    np.testing.assert_allclose(out, 6.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("units", "value"),
    [("mm", 12.0), ("m", 0.012), ("kg m-2", 12.0), ("mm/day", 12.0), ("kg m-2 s-1", 12 / 86400), ("mm/h", 0.5)],
)
def test_units(tmp_path, units, value):
    granule = rain(tmp_path / "a.nc", [value], units=units, name="tp")
    out = rain_between([granule], t("2016-06-07T00:00"), t("2016-06-08T00:00"), DOMAIN.fine)
    np.testing.assert_allclose(out, 12.0, rtol=1e-4)


def test_uncovered_time_and_place_are_missing(tmp_path):
    granule = rain(tmp_path / "a.nc", [24.0])
    span = t("2016-06-07T13:00"), t("2016-06-08T13:00")
    assert np.isnan(rain_between([granule], *span, DOMAIN.fine)).all()
    assert np.isfinite(rain_between([granule], t("2016-06-07T11:00"), t("2016-06-08T11:00"), DOMAIN.fine)).all()
    assert np.isnan(rain_between([], *span, DOMAIN.fine)).all()
    assert np.isnan(rain_between([granule], *span, Domain("far", (84, 88, 100, 104)).fine)).all()


def test_netcdf3_and_ascending_or_descending_latitude(tmp_path):
    up = rain(tmp_path / "a.nc", [5.0], engine="scipy")
    down = rain(tmp_path / "b.nc", [5.0], lat=LAT[::-1])
    span = t("2016-06-07T00:00"), t("2016-06-08T00:00")
    np.testing.assert_allclose(rain_between([up], *span, DOMAIN.fine), 5.0, rtol=1e-6)
    np.testing.assert_allclose(rain_between([down], *span, DOMAIN.fine), 5.0, rtol=1e-6)


def test_what_is_wrong_is_said(tmp_path):
    span = t("2016-06-07T00:00"), t("2016-06-08T00:00")
    one, two = rain(tmp_path / "a.nc", [5.0]), rain(tmp_path / "b.nc", [5.0])
    with pytest.raises(GranuleError, match=r"b\.nc.*also in .*a\.nc"):
        rain_between([one, two], *span, DOMAIN.fine)
    with pytest.raises(GranuleError, match="units 'inches'"):
        rain_between([rain(tmp_path / "c.nc", [5.0], units="inches")], *span, DOMAIN.fine)
    with pytest.raises(GranuleError, match="holds no rain"):
        rain_between([rain(tmp_path / "d.nc", [5.0], name="snow")], *span, DOMAIN.fine)
    with pytest.raises(AssertionError, match="no time between"):
        rain_between([one], span[1], span[0], DOMAIN.fine)


@pytest.mark.real
def test_real_era5_of_many_steps_a_day_has_no_rain(real_dir):
    path = real_dir / "era5_china" / "ERA5_China_2024_07_01_03.nc"
    with pytest.raises(GranuleError, match="holds no rain"):
        rain_between([Granule("precip", path, dt.date(2024, 7, 1))], t("2024-07-01"), t("2024-07-02"), DOMAIN.fine)
