"""All days of a folder as one dataset: the same values as day by day, read only where they are used."""

import datetime as dt
import pickle
import subprocess
import sys

import numpy as np
import pytest
import rasterio
import xarray as xr

import ssm_net
from ssm_net.formats import mosaic_series
from ssm_net.formats.mosaic_days import Flag, Mosaic, day_path, read_day, write_day
from ssm_net.formats.product import MosaicError
from ssm_net.grid import Domain

DAY = dt.date(2016, 6, 7)
DAYS = [DAY + dt.timedelta(n) for n in (0, 1, 4)]  # with a gap
DOMAIN = Domain("test", (60, 64, 700, 708))
FORMATS = ("netcdf", "cog", "zarr")


def mosaic(day: dt.date, domain: Domain = DOMAIN, **attrs) -> Mosaic:
    rng = np.random.default_rng(day.toordinal())
    ssm = rng.uniform(0.05, 0.4, domain.fine_shape).astype("float32")
    ssm[40:60, 100:130] = np.nan
    flags = np.where(np.isnan(ssm), int(Flag.WATER), int(Flag.COARSE_OBSERVED | Flag.LST_SEEN)).astype(np.uint16)
    return Mosaic(day, domain, ssm, ssm / 10, flags, {"model": "ssm_net", **attrs})


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A folder for each format with the same three days."""
    folders = {format: tmp_path_factory.mktemp(format) for format in FORMATS}
    for n, day in enumerate(DAYS):
        one = mosaic(day, revision=n + 1, coarse_sources="AMSR2" if n else "AMSR2, SMAP", history=f"run {n}")
        for format, folder in folders.items():
            write_day(one, folder, format)
    return folders


@pytest.fixture
def windows(monkeypatch):
    """The windows of packed pixels that are read, as (path, variable, height, width)."""
    windows = []
    for format, read in list(mosaic_series.READ_WINDOW.items()):

        def counted(path, place, name, rows, cols, read=read):
            windows.append((path, name, rows.stop - rows.start, cols.stop - cols.start))
            return read(path, place, name, rows, cols)

        monkeypatch.setitem(mosaic_series.READ_WINDOW, format, counted)
    return windows


@pytest.mark.parametrize("format", ["netcdf", "zarr"])
def test_values_are_those_of_the_days(record, format):
    dataset = ssm_net.open_mosaics(record[format])
    assert list(dataset.time.values) == [np.datetime64(day) for day in DAYS]
    assert dataset.ssm.dims == dataset.flags.dims == ("time", "y", "x")
    assert (dataset.ssm.dtype, dataset.ssm_uncertainty.dtype, dataset.flags.dtype) == ("float32", "float32", "uint16")
    for day in DAYS:
        one, same = read_day(day_path(record[format], "test", day, format), day), dataset.sel(time=str(day))
        np.testing.assert_array_equal(same.ssm, one.ssm)
        np.testing.assert_array_equal(same.ssm_uncertainty, one.sigma)
        np.testing.assert_array_equal(same.flags, one.flags)
    lon, lat = DOMAIN.lonlat()
    np.testing.assert_allclose(dataset.lat, lat)
    np.testing.assert_allclose(dataset.lon, lon)
    assert dataset.crs.attrs["crs_wkt"].startswith("PROJCRS") and dataset.ssm.attrs["grid_mapping"] == "crs"


def test_geotiffs_are_in_degrees_and_have_no_flags_outside_the_domain(record):
    dataset = ssm_net.open_mosaics(str(record["cog"]))
    assert dataset.ssm.dims == ("time", "lat", "lon")
    assert (dataset.ssm.dtype, dataset.flags.dtype) == ("float32", "uint16")
    with rasterio.open(day_path(record["cog"], "test", DAYS[1], "cog")) as file:
        counts, flags = file.read(1, masked=True), file.read(3, masked=True)
        lon, lat = file.xy(7, 9)
    np.testing.assert_array_equal(dataset.ssm[1], np.ma.filled(counts * np.float32(1e-4), np.nan).astype("float32"))
    np.testing.assert_array_equal(dataset.flags[1], flags.filled(0))
    assert flags.mask.any()
    np.testing.assert_allclose([dataset.lat[7], dataset.lon[9]], [lat, lon])
    assert 'ID["EPSG",4326]' in dataset.crs.attrs["crs_wkt"]


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_user_reads_in_the_dataset(record, format):
    """Units, flag meanings, the revision and the radiometers of each day; no attribute of one day alone."""
    dataset = ssm_net.open_mosaics(record[format])
    assert dataset.ssm.attrs["units"] == dataset.ssm_uncertainty.attrs["units"] == "m3 m-3"
    meanings = dict(zip(dataset.flags.flag_meanings.split(), dataset.flags.flag_masks, strict=True))
    assert meanings["water"] == 32 and len(meanings) == len(Flag)
    assert set(dataset.coords) == {"time", *dataset.ssm.dims, "lat", "lon", "crs", "revision", "coarse_sources"}
    assert dataset.revision.values.tolist() == [1, 2, 3]
    assert dataset.coarse_sources.values.tolist() == ["AMSR2, SMAP", "AMSR2", "AMSR2"]
    assert dataset.attrs["model"] == "ssm_net"
    assert dataset.attrs["title"] == "Daily 1 km surface soil moisture, test, 2016-06-07 .. 2016-06-11"
    assert not {"history", "revision", "coarse_sources", "day"} & set(dataset.attrs)


@pytest.mark.parametrize("format", FORMATS)
def test_no_pixel_is_read_until_it_is_used_and_a_point_reads_one(record, windows, format):
    dataset = ssm_net.open_mosaics(record[format])
    str(dataset), dataset._repr_html_()
    mean = dataset.ssm.isel(time=slice(1, None))
    point = dataset.ssm.sel(lat=43.9, lon=82.6, method="nearest")
    assert windows == []
    assert point.dims == ("time",) and np.isfinite(point.load()).all()
    assert [(name, height, width) for _, name, height, width in windows] == 3 * [("ssm", 1, 1)]
    windows.clear()
    mean.load()
    assert len(windows) == 2, "a day that is not asked for is not read"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "key",
    [
        (0, 3, 5), (slice(None), 3, 5), (slice(None, None, -1), slice(10, 90, 7), slice(80, 3, -9)),
        ([2, 0, 0], [5, 1, 1, 70], slice(None)), (1, [9, 3], [4, 4, 60]), (slice(2, 2), slice(None), [1, 2]),
        (-1, slice(4, 4), -1),
    ],
    ids=str,
)  # fmt: skip
def test_any_indexing_gives_what_the_loaded_dataset_gives(record, format, key):
    dataset = ssm_net.open_mosaics(record[format])
    index = dict(zip(dataset.ssm.dims, key, strict=True))
    loaded = dataset.load().copy()
    xr.testing.assert_identical(ssm_net.open_mosaics(record[format]).isel(index).load(), loaded.isel(index))


@pytest.mark.parametrize("format", FORMATS)
def test_pixels_of_several_stations(record, format):
    dataset = ssm_net.open_mosaics(record[format])
    place = {"lat": xr.DataArray([43.9, 43.5], dims="station"), "lon": xr.DataArray([82.6, 82.9], dims="station")}
    stations = dataset.ssm.sel(place, method="nearest")
    assert stations.dims == ("time", "station")
    for n in range(2):
        one = dataset.ssm.sel(lat=place["lat"][n].item(), lon=place["lon"][n].item(), method="nearest")
        np.testing.assert_array_equal(stations[:, n], one)


@pytest.mark.parametrize("format", FORMATS)
def test_chunks_are_dask_arrays_of_a_day(record, format):
    pytest.importorskip("dask")
    lazy, dataset = ssm_net.open_mosaics(record[format], chunks={}), ssm_net.open_mosaics(record[format])
    assert lazy.ssm.chunks[0] == (1, 1, 1) and lazy.ssm.chunks[1] == (dataset.ssm.shape[1],)
    x = dataset.ssm.dims[-1]
    assert ssm_net.open_mosaics(record[format], chunks={x: 100}).ssm.chunks[2][0] == 100
    np.testing.assert_array_equal(lazy.ssm.mean("time").compute(scheduler="threads"), dataset.ssm.mean("time"))


def test_dask_is_not_needed(record):
    code = """
import sys
sys.modules["dask"] = None  # as if it were not installed
import ssm_net
print(ssm_net.open_mosaics(sys.argv[1]).ssm.mean().item())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(record["netcdf"])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(ssm_net.open_mosaics(record["netcdf"]).ssm.mean().item())


@pytest.mark.parametrize("format", FORMATS)
def test_the_dataset_can_be_sent_to_a_process_and_written(record, tmp_path, format):
    dataset = ssm_net.open_mosaics(record[format])
    xr.testing.assert_identical(pickle.loads(pickle.dumps(dataset)).load(), dataset)
    dataset.to_netcdf(tmp_path / "record.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "record.nc", engine="h5netcdf") as stored:
        assert stored.ssm.encoding["dtype"] == np.int16
        np.testing.assert_array_equal(stored.ssm, dataset.ssm)


def test_a_day_of_a_store_that_is_not_complete_is_left_out(record, tmp_path):
    for n, day in enumerate(DAYS):
        path = write_day(mosaic(day), tmp_path, "zarr")
        if n == 1:
            (path / "status" / f"{day:%Y%m%d}.json").unlink()
    dataset = ssm_net.open_mosaics(tmp_path)
    assert list(dataset.time.values) == [np.datetime64(DAYS[0]), np.datetime64(DAYS[2])]
    np.testing.assert_array_equal(dataset.ssm[1], read_day(path, DAYS[2]).ssm)


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_folder_is_named_with_its_remedy(tmp_path, format):
    with pytest.raises(MosaicError, match=rf"{tmp_path} holds no complete day: make them with: .*mosaics={tmp_path}"):
        ssm_net.open_mosaics(tmp_path)
    path = write_day(mosaic(DAY), tmp_path, format)
    with pytest.raises(MosaicError, match=rf"is one mosaic file or store: give the folder that holds it, {tmp_path}"):
        ssm_net.open_mosaics(path)
    with pytest.raises(MosaicError, match=rf"of domain='other': it holds domain='test', format='{format}'"):
        ssm_net.open_mosaics(tmp_path, "other")
    with pytest.raises(MosaicError, match=r"absent is not a folder: give the one into which mosaics were written"):
        ssm_net.open_mosaics(tmp_path / "absent")


def test_several_domains_and_formats_in_one_folder_are_chosen_by_name(tmp_path):
    write_day(mosaic(DAY), tmp_path)
    write_day(mosaic(DAY, Domain("test_2", (64, 68, 700, 708))), tmp_path)
    write_day(mosaic(DAY), tmp_path, "zarr")
    with pytest.raises(MosaicError, match=r"more than one domain: give domain='test' or domain='test_2'"):
        ssm_net.open_mosaics(tmp_path)
    with pytest.raises(MosaicError, match=r"more than one format: give format='netcdf' or format='zarr'"):
        ssm_net.open_mosaics(tmp_path, domain="test")
    with pytest.raises(
        ssm_net.SsmNetError, match=r"holds no complete day of domain='test_2' of format='cog': it holds"
    ):
        ssm_net.open_mosaics(tmp_path, domain="test_2", format="cog")
    assert ssm_net.open_mosaics(tmp_path, domain="test", format="zarr").attrs["domain"] == "test"
    assert ssm_net.open_mosaics(tmp_path, domain="test_2").attrs["domain"] == "test_2"


@pytest.mark.parametrize("format", ["netcdf", "cog"])
def test_days_on_different_grids_are_not_one_series(tmp_path, format):
    """Stacked by their names alone, the pixels of half the record would lie 144 km from where they are."""
    write_day(mosaic(DAYS[0]), tmp_path, format)
    path = write_day(mosaic(DAYS[1], Domain("test", (64, 68, 700, 708))), tmp_path, format)
    with pytest.raises(
        MosaicError, match=rf"{path} lies on another grid .*keep the mosaics of each domain in a folder"
    ):
        ssm_net.open_mosaics(tmp_path)


@pytest.mark.parametrize("format", ["netcdf", "cog"])
def test_a_damaged_file_is_named(record, tmp_path, format):
    path = write_day(mosaic(DAY), tmp_path, format)
    dataset = ssm_net.open_mosaics(tmp_path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(MosaicError, match=rf"{path}: not a .*remove it and run infer"):
        dataset.ssm.load()
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(MosaicError, match=rf"{path}: not a .*remove it and run infer"):
        ssm_net.open_mosaics(tmp_path)


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_a_damaged_day_of_a_store_is_named_with_its_remedy(tmp_path, damage):
    """Not the store: the other days of a record need not be made again."""
    for day in DAYS[:2]:
        path = write_day(mosaic(day), tmp_path, "zarr")
    shard = path / "ssm" / "c" / "1" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[:20] = bytes(20)
    shard.write_bytes(data[:-100] if damage == "cut off" else data)
    dataset = ssm_net.open_mosaics(tmp_path)
    assert dataset.ssm[0].notnull().any()
    match = rf"{path}: ssm of {DAYS[1]} is damaged .*start={DAYS[1]} end={DAYS[1]} overwrite=true"
    with pytest.raises(MosaicError, match=match):
        dataset.ssm[1].load()
    with pytest.raises(MosaicError, match=match):
        read_day(path, DAYS[1])
