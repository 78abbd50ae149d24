"""Mosaics in one Zarr store: days are added, replaced and cut off, and no other day is touched."""

import datetime as dt
import warnings

import crash
import numpy as np
import pytest
import xarray as xr
from one_day import DAY, DOMAIN, TOLERANCE

from ssm_net.core.faults import FaultPoint
from ssm_net.formats.mosaic_days import Mosaic, day_done, days_done, read_day, write_day
from ssm_net.formats.product import MosaicError
from ssm_net.grid import Domain


def test_zarr_days_read_back_and_are_one_series(mosaic, tmp_path):
    other = Mosaic(DAY + dt.timedelta(3), DOMAIN, mosaic.ssm / 2, mosaic.sigma, mosaic.flags, {"model": "b"})
    path = write_day(mosaic, tmp_path, "zarr")
    assert path.name == "ssm_test.zarr"
    write_day(other, tmp_path, "zarr")
    assert days_done(tmp_path, "test", "zarr") == [DAY, other.day]
    assert not day_done(tmp_path, "test", DAY + dt.timedelta(1), "zarr")
    for day in (mosaic, other):
        back = read_day(path, day.day)
        assert (back.day, back.domain, back.attrs) == (day.day, DOMAIN, day.attrs)
        np.testing.assert_allclose(back.ssm, day.ssm, atol=TOLERANCE, rtol=0)
        np.testing.assert_allclose(back.sigma, day.sigma, atol=TOLERANCE, rtol=0)
        np.testing.assert_array_equal(back.flags, day.flags)
    with xr.open_zarr(path, consolidated=False, chunks=None) as ds:
        assert ds["ssm"].shape == (2, *DOMAIN.fine_shape)
        assert ds["ssm"].encoding["shards"] == (1, *DOMAIN.fine_shape)
        assert ds["ssm"].encoding["chunks"] == (1, 144, 144)
        assert list(ds["time"].values) == [np.datetime64(DAY), np.datetime64(other.day)]
        assert ds["ssm"].attrs["grid_mapping"] == "crs"
        np.testing.assert_allclose(ds["ssm"][1], other.ssm, atol=TOLERANCE, rtol=0)


def test_zarr_adding_a_day_leaves_the_stored_days_as_they_are(mosaic, tmp_path):
    path = write_day(mosaic, tmp_path, "zarr")
    before = {
        file: file.read_bytes() for file in path.glob("*/c/0/**/*") if file.is_file() and "time" not in file.parts
    }
    assert len(before) >= 3
    write_day(Mosaic(DAY + dt.timedelta(1), DOMAIN, mosaic.ssm, mosaic.sigma, mosaic.flags), tmp_path, "zarr")
    assert {file: file.read_bytes() for file in before} == before


def test_zarr_a_damaged_day_is_made_again(mosaic, tmp_path):
    path = write_day(mosaic, tmp_path, "zarr")
    shard = path / "ssm" / "c" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-100])
    write_day(mosaic, tmp_path, "zarr")
    np.testing.assert_allclose(read_day(path, DAY).ssm, mosaic.ssm, atol=TOLERANCE, rtol=0)


EXTENDING = [
    *((FaultPoint.STORE_HALF_EXTENDED, name) for name in ("ssm_uncertainty", "time")),
    (FaultPoint.STORE_DAY_HALF_WRITTEN, "ssm"),
    (FaultPoint.STORE_DAY_WITHOUT_STATUS, ""),
    (FaultPoint.FILE_WRITTEN_NOT_RENAMED, "status/20160608.json"),
]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), crash.full_disk()], ids=["interrupted", "disk full"])
@pytest.mark.parametrize(("point", "where"), EXTENDING, ids=crash.name_of)
def test_zarr_cut_off_while_extending_goes_on(mosaic, tmp_path, point, where, error):
    path = write_day(mosaic, tmp_path, "zarr")
    second, third = (Mosaic(DAY + dt.timedelta(n), DOMAIN, mosaic.ssm / 2, mosaic.sigma, mosaic.flags) for n in (1, 2))
    with crash.failing_at(point, error, where), pytest.raises(type(error)):
        write_day(second, tmp_path, "zarr")
    assert days_done(tmp_path, "test", "zarr") == [DAY]
    np.testing.assert_array_equal(read_day(path, DAY).flags, mosaic.flags)  # before anybody mends it
    write_day(second, tmp_path, "zarr")
    write_day(third, tmp_path, "zarr")
    assert days_done(tmp_path, "test", "zarr") == [DAY, second.day, third.day]
    for one in (mosaic, second, third):
        np.testing.assert_allclose(read_day(path, one.day).ssm, one.ssm, atol=TOLERANCE, rtol=0)


def test_zarr_a_day_cut_off_before_its_data_takes_no_place(mosaic, tmp_path):
    path = write_day(mosaic, tmp_path, "zarr")
    second, third = (Mosaic(DAY + dt.timedelta(n), DOMAIN, mosaic.ssm / 2, mosaic.sigma, mosaic.flags) for n in (1, 2))
    point = FaultPoint.STORE_DAY_HALF_WRITTEN
    with crash.failing_at(point, KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        write_day(second, tmp_path, "zarr")
    write_day(third, tmp_path, "zarr")
    assert days_done(tmp_path, "test", "zarr") == [DAY, third.day]
    with xr.open_zarr(path, consolidated=False, chunks=None) as ds:
        assert list(ds["time"].values) == [np.datetime64(DAY), np.datetime64(third.day)]
    np.testing.assert_allclose(read_day(path, third.day).ssm, third.ssm, atol=TOLERANCE, rtol=0)


MAKING = [
    ("netcdf", FaultPoint.FILE_WRITTEN_NOT_RENAMED, "ssm_test_20160607.nc"),
    ("cog", FaultPoint.FILE_WRITTEN_NOT_RENAMED, "ssm_test_20160607.tif"),
    ("zarr", FaultPoint.STORE_MADE_NOT_RENAMED, ""),
    ("zarr", FaultPoint.STORE_DAY_HALF_WRITTEN, "ssm_uncertainty"),
]


@pytest.mark.parametrize(("format", "point", "where"), MAKING, ids=crash.name_of)
def test_full_disk_is_no_day_and_the_next_run_goes_on(mosaic, tmp_path, format, point, where):
    with (
        crash.failing_at(point, crash.full_disk(), where),
        pytest.raises(OSError, match=r"no room left on the disk: make room.*ssm_test"),
    ):
        write_day(mosaic, tmp_path, format)
    assert not day_done(tmp_path, "test", DAY, format)
    assert point is FaultPoint.STORE_MADE_NOT_RENAMED or not list(tmp_path.glob("*.part"))
    write_day(mosaic, tmp_path, format)
    assert day_done(tmp_path, "test", DAY, format)
    assert not list(tmp_path.glob("*.part"))


def test_zarr_opens_without_a_warning(mosaic, tmp_path):
    path = write_day(mosaic, tmp_path, "zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xr.open_zarr(path, consolidated=False, chunks=None).close()


def test_zarr_refuses_an_earlier_day_and_another_domain(mosaic, tmp_path):
    write_day(mosaic, tmp_path, "zarr")
    early = Mosaic(DAY - dt.timedelta(1), DOMAIN, mosaic.ssm, mosaic.sigma, mosaic.flags)
    with pytest.raises(MosaicError, match=r"holds 2016-06-07 \.\. 2016-06-07, without 2016-06-06; days are only added"):
        write_day(early, tmp_path, "zarr")
    moved = Domain("test", (64, 68, 700, 708))
    with pytest.raises(MosaicError, match=r"domain_window=\[60, 64, 700, 708\], not \[64, 68, 700, 708\]"):
        write_day(Mosaic(DAY, moved, mosaic.ssm, mosaic.sigma, mosaic.flags), tmp_path, "zarr")


def test_zarr_an_all_missing_day_is_done_and_read(mosaic, tmp_path):
    empty = np.full(DOMAIN.fine_shape, np.nan, np.float32)
    path = write_day(Mosaic(DAY, DOMAIN, empty, empty, np.zeros(DOMAIN.fine_shape, np.uint16)), tmp_path, "zarr")
    assert day_done(tmp_path, "test", DAY, "zarr")
    assert np.isnan(read_day(path, DAY).ssm).all()
