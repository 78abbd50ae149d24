"""The mosaic day as files: packing, round trips, place, identity of bytes, bad input."""

import datetime as dt
import shutil
import subprocess
import time

import crash
import numpy as np
import pytest
import rasterio
import rasterio.warp
import ready_process
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from one_day import ATTRS, DAY, DOMAIN, TOLERANCE, plane
from pyproj import Transformer
from rasterio.enums import Resampling

from ssm_net.core.faults import FaultPoint
from ssm_net.formats.mosaic_days import Flag, Mosaic, day_done, day_path, days_done, read_day, write_day
from ssm_net.formats.product import FILL, MosaicError, pack, unpack
from ssm_net.grid import Domain


@given(arrays(np.float32, 20, elements=st.floats(0, 1, width=32) | st.just(float("nan"))))
def test_packing_is_right_to_half_a_count_and_keeps_what_is_missing(values):
    back = unpack(pack(values))
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    assert np.nanmax(np.abs(back - values), initial=0) <= TOLERANCE


@given(arrays(np.int16, 20, elements=st.integers(0, 10000) | st.just(int(FILL))))
def test_unpacked_counts_pack_to_themselves(counts):
    np.testing.assert_array_equal(pack(unpack(counts)), counts)


@given(st.floats(0, 1, width=32), st.floats(0, 1, width=32))
def test_packing_keeps_order(a, b):
    low, high = pack(np.array(sorted([a, b]), np.float32))
    assert low <= high


def test_netcdf_round_trip(mosaic, tmp_path):
    assert not day_done(tmp_path, "test", DAY)
    path = write_day(mosaic, tmp_path)
    assert path == day_path(tmp_path, "test", DAY) == tmp_path / "ssm_test_20160607.nc"
    assert day_done(tmp_path, "test", DAY)
    back = read_day(path)
    assert (back.day, back.domain, back.attrs) == (DAY, DOMAIN, ATTRS)
    np.testing.assert_allclose(back.ssm, mosaic.ssm, atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(back.sigma, mosaic.sigma, atol=TOLERANCE, rtol=0)
    np.testing.assert_array_equal(back.flags, mosaic.flags)
    assert back.ssm.dtype == np.float32


def test_netcdf_in_xarray(mosaic, tmp_path):
    with xr.open_dataset(write_day(mosaic, tmp_path)) as ds:
        assert ds["ssm"].dims == ("time", "y", "x")
        assert ds["ssm"].dtype == np.float32
        assert ds["time"].values[0] == np.datetime64("2016-06-07T00:00")
        assert ds["ssm"].attrs["standard_name"] == "volume_fraction_of_condensed_water_in_soil"
        assert set(ds["ssm"].coords) >= {"lat", "lon"}
        np.testing.assert_allclose(ds["lat"], DOMAIN.lonlat()[1])
        meanings = dict(zip(ds["flags"].flag_meanings.split(), ds["flags"].flag_masks, strict=True))
        assert meanings == {
            "coarse_observed": 1, "orbit_gap_filled": 2, "lst_seen": 4, "lst_filled": 8, "frozen_or_snow": 16,
            "water": 32, "extrapolated": 64, "urban": 128, "other_sensor": 256, "long_unobserved": 512,
            "provisional": 1024,
        }  # fmt: skip
        assert {k: ds.attrs[k] for k in ATTRS} == ATTRS
        assert ds.attrs["Conventions"] == "CF-1.11, ACDD-1.3"
        storage = ds["ssm"].encoding
        assert (storage["dtype"], storage["complevel"], storage["shuffle"]) == (np.int16, 4, True)
        assert storage["scale_factor"] == np.float32(1e-4)
        # at a known place: the pixel that holds 83 E 43.5 N
        x, y = Transformer.from_crs(4326, 6933, always_xy=True).transform(83.0, 43.5)
        at = ds["ssm"].sel(x=x, y=y, method="nearest").item()
        assert at == pytest.approx(plane(np.array(83.0), np.array(43.5)), abs=4e-4)


def test_days_are_one_series_in_xarray(mosaic, tmp_path):
    for n in range(3):
        day = DAY + dt.timedelta(n)
        write_day(Mosaic(day, DOMAIN, mosaic.ssm, mosaic.sigma, mosaic.flags), tmp_path)
    assert days_done(tmp_path, "test") == [DAY + dt.timedelta(n) for n in range(3)]
    assert days_done(tmp_path, "tes") == []
    parts = [xr.open_dataset(day_path(tmp_path, "test", day)) for day in days_done(tmp_path, "test")]
    both = xr.concat(parts, "time", data_vars="minimal", compat="override", coords="minimal", combine_attrs="drop")
    assert both.sizes["time"] == 3
    for part in parts:
        part.close()


@pytest.mark.parametrize("variable", ["ssm", "ssm_uncertainty", "flags"])
def test_netcdf_in_gdal(mosaic, tmp_path, variable):
    with rasterio.open(f"netcdf:{write_day(mosaic, tmp_path)}:{variable}") as src:
        assert src.crs.to_epsg() == 6933
        assert src.transform.almost_equals(DOMAIN.fine.affine, precision=1e-6)
        assert src.shape == DOMAIN.fine_shape
        if variable == "ssm":
            assert src.nodata == FILL
            x, y = Transformer.from_crs(4326, 6933, always_xy=True).transform(83.0, 43.5)
            value = next(src.sample([(x, y)]))[0] * src.scales[0]
            assert value == pytest.approx(plane(np.array(83.0), np.array(43.5)), abs=4e-4)


def test_netcdf_passes_the_cf_checker(mosaic, tmp_path):
    from compliance_checker.runner import CheckSuite

    CheckSuite.load_all_available_checkers()
    suite = CheckSuite()
    dataset = suite.load_dataset(str(write_day(mosaic, tmp_path)))
    results = suite.run_all(dataset, ["cf:1.11"])["cf:1.11"][0]
    found = [message for result in results if result.value[0] < result.value[1] for message in result.msgs]
    # The checker takes the one required attribute of this projection, a plain string, for a list of letters.
    letters = set("longitude_of_central_meridian") | set("longitude_of_projection_origin")
    known = {f"{c} is a required attribute for grid mapping lambert_cylindrical_equal_area" for c in letters}
    assert set(found) <= known
    assert len(results) > 30


@pytest.mark.parametrize("format", ["netcdf", "cog"])
def test_written_twice_the_bytes_are_the_same(mosaic, tmp_path, format):
    first = write_day(mosaic, tmp_path / "a", format).read_bytes()
    time.sleep(1.1)  # a clock in the file would tell in seconds
    assert write_day(mosaic, tmp_path / "b", format).read_bytes() == first


def test_written_by_another_process_the_bytes_are_the_same(mosaic, tmp_path):
    """Attributes keep their order, whatever the seed of Python's hashes."""
    path = write_day(mosaic, tmp_path / "a")
    work = "from ssm_net.formats.mosaic_days import read_day, write_day\n"
    work += f"write_day(read_day(Path({str(path)!r})), Path({str(tmp_path / 'b')!r}))\nprint(hash('an attribute'))"
    done = ready_process.run(work)
    assert done.code == 0 and int(done.said) != hash("an attribute"), done.said
    assert (tmp_path / "b" / path.name).read_bytes() == path.read_bytes()


def test_cog_lies_at_the_right_place(mosaic, tmp_path):
    path = write_day(mosaic, tmp_path, "cog")
    assert path.name == "ssm_test_20160607.tif"
    assert days_done(tmp_path, "test", "cog") == [DAY]
    with rasterio.open(path) as src:
        assert src.crs.to_epsg() == 4326
        assert src.transform.a == -src.transform.e == 0.01
        assert src.descriptions == ("ssm", "ssm_uncertainty", "flags")
        assert src.scales == (1e-4, 1e-4, 1.0)
        assert src.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert src.tags()["checkpoint"] == "ab12"
        ssm = src.read(1, masked=True) * src.scales[0]
        flags = src.read(3, masked=True)
        west, south, east, north = DOMAIN.bounds_lonlat()
        assert src.bounds.left <= west < east <= src.bounds.right
        assert src.bounds.bottom <= south < north <= src.bounds.top
        lon = src.transform.c + 0.01 * (np.arange(src.width) + 0.5)
        lat = src.transform.f - 0.01 * (np.arange(src.height) + 0.5)
    # a plane is bilinear; next to the hole the mean of what is there is up to half a pixel off
    off = np.abs(ssm - plane(lon[None, :], lat[:, None]))
    assert np.ma.median(off) < TOLERANCE
    assert off.max() < 4e-4
    # lakes have the same shore in values and in flags
    np.testing.assert_array_equal(ssm.mask[~flags.mask], flags[~flags.mask] == Flag.WATER)
    assert (flags == Flag.WATER).sum() > 500


@pytest.mark.parametrize("cells", [(4, 8), (4, 20)], ids=["one level", "overviews"])
def test_cog_passes_its_validator(tmp_path, cells):
    from rio_cogeo.cogeo import cog_validate

    domain = Domain("test", (60, 60 + cells[0], 700, 700 + cells[1]))
    lon, lat = domain.lonlat()
    ssm = np.clip(plane(lon[None, :], lat[:, None]), 0, 1).astype("float32")
    path = write_day(Mosaic(DAY, domain, ssm, ssm / 10, np.ones(domain.fine_shape, np.uint16)), tmp_path, "cog")
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as src:
        assert bool(src.overviews(1)) == (cells[1] == 20)


def test_cog_holds_what_was_resampled_to_half_a_count(mosaic, tmp_path):
    """Against GDAL's own warp of the floats, which knows nothing of packing."""
    with rasterio.open(write_day(mosaic, tmp_path, "cog")) as src:
        for band, field in ((1, mosaic.ssm), (2, mosaic.sigma)):
            want = np.full(src.shape, np.nan, np.float32)
            rasterio.warp.reproject(
                field, want, src_transform=DOMAIN.fine.affine, src_crs=DOMAIN.grid.crs, src_nodata=np.nan,
                dst_transform=src.transform, dst_crs=src.crs, dst_nodata=np.nan, resampling=Resampling.bilinear,
            )  # fmt: skip
            counts = src.read(band)
            there = counts != FILL
            assert there.sum() > 0.8 * there.size
            off = np.abs(counts * np.float32(src.scales[band - 1]) - want)[there]
            assert off.max() <= TOLERANCE


def test_cog_of_a_large_day_has_overviews_without_mixing_flags(tmp_path):
    domain = Domain("wide", (60, 64, 700, 720))
    rng = np.random.default_rng(1)
    flags = rng.choice(np.array([1, 32], np.uint16), domain.fine_shape)
    ssm = np.where(flags == 32, np.nan, 0.3).astype("float32")
    path = write_day(Mosaic(DAY, domain, ssm, ssm / 10, flags), tmp_path, "cog")
    with rasterio.open(path) as src:
        assert src.overviews(3)
    with rasterio.open(path, overview_level=0) as src:
        assert set(np.unique(src.read(3))) <= {1, 32, FILL}
        assert set(np.unique(src.read(1))) <= {3000, FILL}


def test_a_fully_masked_day_is_a_day(tmp_path):
    empty = np.full(DOMAIN.fine_shape, np.nan, np.float32)
    mosaic = Mosaic(DAY, DOMAIN, empty, empty, np.full(DOMAIN.fine_shape, 32, np.uint16))
    assert np.isnan(read_day(write_day(mosaic, tmp_path)).ssm).all()
    with rasterio.open(write_day(mosaic, tmp_path, "cog")) as src:
        assert (src.read(1) == FILL).all()


def test_a_failed_write_is_no_day(mosaic, tmp_path):
    point = FaultPoint.FILE_WRITTEN_NOT_RENAMED
    with crash.failing_at(point, KeyboardInterrupt(), "ssm_test_20160607.nc"), pytest.raises(KeyboardInterrupt):
        write_day(mosaic, tmp_path)
    assert not day_done(tmp_path, "test", DAY)
    assert days_done(tmp_path, "test") == []


def test_what_is_not_a_mosaic_is_named(mosaic, tmp_path):
    path = write_day(mosaic, tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(MosaicError, match=r"ssm_test_20160607\.nc: not a daily mosaic .*run infer\.py again"):
        read_day(path)
    with pytest.raises(FileNotFoundError, match=r"absent\.nc: no such mosaic"):
        read_day(tmp_path / "absent.nc")
    other = tmp_path / "other.nc"
    xr.Dataset({"a": ("time", [1.0])}).to_netcdf(other, engine="h5netcdf")
    with pytest.raises(MosaicError, match=r"other\.nc: not a daily mosaic"):
        read_day(other)
    with pytest.raises(MosaicError, match=r"\.tif: only NetCDF and Zarr"):
        read_day(write_day(mosaic, tmp_path, "cog"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ssm": np.zeros((3, 3), np.float32)}, r"mosaic of 2016-06-07: ssm is float32 \(3, 3\).*needs float32"),
        ({"sigma": np.zeros(DOMAIN.fine_shape)}, "sigma is float64"),
        ({"flags": np.zeros(DOMAIN.fine_shape, np.int16)}, "flags is int16"),
        ({"ssm": np.full(DOMAIN.fine_shape, -0.1, np.float32)}, r"values of ssm lie outside 0\.\.1"),
        ({"ssm": np.full(DOMAIN.fine_shape, np.inf, np.float32)}, r"values of ssm lie outside 0\.\.1"),
        ({"attrs": {"inputs": ["a"]}}, "attribute inputs is a list; give text or a number"),
    ],
)
def test_a_mosaic_that_cannot_be_is_refused(mosaic, change, message):
    values = {"ssm": mosaic.ssm, "sigma": mosaic.sigma, "flags": mosaic.flags, "attrs": {}} | change
    with pytest.raises(MosaicError, match=message):
        Mosaic(DAY, DOMAIN, **values)


def test_unknown_format_is_refused(mosaic, tmp_path):
    with pytest.raises(MosaicError, match="format=png: choose netcdf, cog"):
        write_day(mosaic, tmp_path, "png")


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="gdalinfo is not installed")
def test_netcdf_in_the_gdal_of_the_system(mosaic, tmp_path):
    path = write_day(mosaic, tmp_path)
    text = subprocess.run(["gdalinfo", f"netcdf:{path}:ssm"], check=True, capture_output=True, text=True).stdout
    assert 'ID["EPSG",6933]' in text
    assert "Origin = (7855024.143" in text
