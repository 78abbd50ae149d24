"""Latitude/longitude NetCDF: axes, wrapping, packing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import xarray as xr

from ssm_net.ingest import latlon, time_axis
from ssm_net.ingest.raster import GranuleError


def test_axes_in_any_order_give_the_same_rasters():
    lat, lon = np.arange(89.5, -90, -1.0), np.arange(-179.5, 180, 1.0)
    data = lat[:, None] + lon[None] / 1000
    (plain,) = latlon.rasters(latlon.Axes("lat", "lon", lat, lon), data)
    wrapped = np.argsort(lon % 360)
    (other,) = latlon.rasters(latlon.Axes("lat", "lon", lat[::-1], (lon % 360)[wrapped]), data[::-1][:, wrapped])
    np.testing.assert_allclose(plain.data, other.data)
    assert plain.geobox == other.geobox
    assert (plain.geobox.affine.c, plain.geobox.affine.f) == (-180.0, 90.0)


def test_region_across_the_date_line_is_two_rasters():
    lat, lon = np.array([1.0, 0.0]), np.arange(175.0, 186.0)
    west, east = latlon.rasters(latlon.Axes("lat", "lon", lat, lon), np.tile(lon, (2, 1)))
    assert west.data[0].tolist() == list(range(175, 181))
    assert east.geobox.affine.c == pytest.approx(-179.5)


def test_packed_values_and_class_codes(tmp_path):
    path = tmp_path / "a.nc"
    stored = np.array([[1000, -32768], [9000, -9000]], np.int16)
    packing = {"scale_factor": 0.01, "add_offset": 273.15, "_FillValue": np.int16(-32768)}
    packing |= {"valid_min": np.int16(-8315), "valid_max": np.int16(7685)}
    xr.Dataset(
        {"lst": (("lat", "lon"), stored, packing)}, {"lat": [0.0, 1.0], "lon": [0.0, 1.0]}
    ).to_netcdf(path, engine="h5netcdf")  # fmt: skip
    with latlon.open_netcdf(path) as dataset:
        out = latlon.physical_values(path, dataset["lst"])
    np.testing.assert_allclose(out, [[283.15, np.nan], [np.nan, np.nan]])


def test_irregular_axes_are_refused(tmp_path):
    path = tmp_path / "a.nc"
    xr.Dataset({"x1": (("lat", "lon"), np.zeros((3, 2)))}, {"lat": [0.0, 1.0, 5.0], "lon": [0.0, 1.0]}).to_netcdf(
        path, engine="h5netcdf"
    )
    with latlon.open_netcdf(path) as dataset, pytest.raises(GranuleError, match=r"a\.nc.*not evenly spaced"):
        latlon.axes(path, dataset)


def test_whole_record_in_the_coverage_attribute_is_not_an_interval(tmp_path):
    path = tmp_path / "a.nc"
    base = xr.Dataset({"p": (("time", "lat"), np.zeros((1, 2)))}, {"time": [np.datetime64("2016-06-07T12", "ns")]})
    for start, end, expected in (
        ("19781101T000000Z", "20161231T235959Z", None),
        ("2016-06-07T06:00:00Z", "2016-06-08T05:59:59Z", ("2016-06-07T06", "2016-06-08T06")),
    ):
        base.assign_attrs(time_coverage_start=start, time_coverage_end=end).to_netcdf(path, engine="h5netcdf")
        with latlon.open_netcdf(path) as dataset:
            stated = time_axis.stated_intervals(path, dataset)
        assert (stated is None) if expected is None else (stated == np.array(expected, "datetime64[s]")).all()


@pytest.mark.real
def test_real_era5(real_dir):
    path = real_dir / "era5_china" / "ERA5_China_2024_07_01_03.nc"
    assert latlon.days_in(path) == tuple(dt.date(2024, 7, d) for d in (1, 2, 3))
    with latlon.open_netcdf(path) as dataset:
        grid = latlon.axes(path, dataset)
        field = latlon.field(path, dataset, "swvl1", grid, dt.date(2024, 7, 2))
    (raster,) = latlon.rasters(grid, field)
    assert raster.data.shape == (21, 29) and 0 < np.nanmin(raster.data) < np.nanmax(raster.data) < 0.7
    assert raster.geobox.boundingbox.bbox == pytest.approx((103.875, 33.875, 111.125, 39.125))
