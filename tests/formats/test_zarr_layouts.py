"""Stores of maps as they are written now and as they were up to version 0.2.0: both are read, and none is mistaken."""

import datetime as dt
import shutil

import numpy as np
import pytest
import xarray as xr

from ssm_net.formats.mosaic_days import Flag, Mosaic, read_day, write_day
from ssm_net.formats.product import DAILY_VARIABLES, MosaicError
from ssm_net.formats.zarr_pixels import ZarrPixels
from ssm_net.grid import Domain

DOMAIN = Domain("test", (60, 68, 700, 708))  # of four chunks
DAYS = [dt.date(2016, 6, 7) + dt.timedelta(n) for n in range(3)]
RNG = np.random.default_rng(5)
ROWS, COLS = (np.concatenate([RNG.integers(0, 288, 60), chunk]) for chunk in ([1, 1, 150, 150], [1, 150, 1, 150]))


def mosaic(day: dt.date) -> Mosaic:
    """Noise, with a part of one chunk and all of another without a value."""
    ssm, sigma = (RNG.uniform(0.02, most, DOMAIN.fine_shape).astype("float32") for most in (0.5, 0.1))
    flags = np.where(ssm > 0.1, Flag.LST_SEEN, Flag.LST_FILLED).astype(np.uint16)
    ssm[:170, 144:] = sigma[:170, 144:] = np.nan
    flags[144:, 144:] = 0  # what zarr does not store at all
    return Mosaic(day, DOMAIN, ssm, sigma, flags, {"model": "network"})


@pytest.fixture
def store(tmp_path):
    for day in DAYS[:2]:
        path = write_day(mosaic(day), tmp_path / "now", "zarr")
    return path


@pytest.fixture
def old_store(store, tmp_path):
    """The same days by zarr's default: Zstandard, no checksum."""
    path = tmp_path / "before" / store.name
    with xr.open_zarr(store, consolidated=False, chunks=None, decode_cf=False) as days:
        for name in days.variables:
            days[name].encoding.clear()
        layout = {"chunks": (1, 144, 144), "shards": (1, *DOMAIN.fine_shape)}
        days.to_zarr(path, zarr_format=3, consolidated=False, encoding=dict.fromkeys(DAILY_VARIABLES, layout))
    shutil.copytree(store / "status", path / "status")
    return path


def pixels(path, name, day):
    stored = ZarrPixels.choose(path, name, ROWS, COLS)
    assert stored is not None, "its chunks are left to zarr, which takes ten times as long"
    return stored.read(day)


def codecs(path, name):
    with xr.open_zarr(path, consolidated=False, chunks=None) as days:
        return [type(codec).__name__ for codec in days[name].encoding["compressors"]]


def test_series_are_the_same_from_both_layouts(store, old_store):
    assert codecs(store, "ssm") != codecs(old_store, "ssm") == ["ZstdCodec"]
    for name in DAILY_VARIABLES:
        with xr.open_zarr(store, consolidated=False, chunks=None, decode_cf=False) as days:
            expected = days[name].values[:, ROWS, COLS]
        for path in (store, old_store):
            for day in range(2):
                np.testing.assert_array_equal(pixels(path, name, day), expected[day])


def test_a_store_takes_new_days_in_its_own_layout(store, old_store):
    day = mosaic(DAYS[2])
    for path in (store, old_store):
        before = codecs(path, "flags")
        write_day(day, path.parent, "zarr")
        assert codecs(path, "flags") == before
        np.testing.assert_array_equal(read_day(path, DAYS[2]).flags, day.flags)
        np.testing.assert_array_equal(pixels(path, "flags", 2), day.flags[ROWS, COLS])


@pytest.mark.parametrize("name", ["ssm", "flags"])
def test_a_changed_byte_is_an_error_and_never_another_value(store, name):
    shard = store / name / "c" / "1" / "0" / "0"
    whole, stored = shard.read_bytes(), ZarrPixels.choose(store, name, ROWS, COLS)
    assert stored is not None
    index = 4 * 16 + 4
    places = [*range(0, 40), *range(40, len(whole) - index, len(whole) // 80), *range(len(whole) - index, len(whole))]
    for n, place in enumerate(places):
        data = bytearray(whole)
        data[place] ^= 1 << n % 8
        shard.write_bytes(data)
        with pytest.raises(MosaicError, match=f"{name} of {DAYS[1]} is damaged .*infer.py with start={DAYS[1]}"):
            stored.read(1)
        if n % 25 == 0:
            with pytest.raises(MosaicError, match=f"of {DAYS[1]} is damaged .*infer.py with start={DAYS[1]}"):
                read_day(store, DAYS[1])
    for size in (0, 3, index - 1, index, len(whole) - 1):
        shard.write_bytes(whole[:size])
        with pytest.raises(MosaicError, match=f"of {DAYS[1]} is damaged"):
            stored.read(1)
    shard.write_bytes(whole)
    np.testing.assert_array_equal(stored.read(1), pixels(store, name, 1))
