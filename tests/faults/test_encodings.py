"""Encodings: stored numbers become values by what the attributes say, whatever their type; foreign files are named."""

from __future__ import annotations

import datetime as dt
import sys
import zipfile
from pathlib import Path

import eosfile
import h5py
import lonlat_file as lonlat
import numpy as np
import pytest
from lonlat_file import DAY, DOMAIN, LAT, LON, SHAPE
from pyhdf.SD import SD, SDC

from ssm_net.ingest import latlon
from ssm_net.ingest.catalog import Granule, list_granules
from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.eos_file import identity
from ssm_net.ingest.fine import read_lst
from ssm_net.ingest.notes import collected
from ssm_net.ingest.products import product
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.reanalysis import read_reanalysis
from ssm_net.ingest.ssm import read_ssm

NAN = np.nan


def decoded(stored: np.ndarray, attributes: dict) -> np.ndarray:
    return Encoding(Path("a.nc"), "v", attributes).decode(stored)


f4, i2, u2, i1, u1 = np.float32, np.int16, np.uint16, np.int8, np.uint8


@pytest.mark.parametrize(
    ("stored", "attributes", "values"),
    [
        pytest.param(f4([1, -999.9]), {"missing_value": -999.9}, [1, NAN], id="R21 double for float32"),
        pytest.param(f4([1, 1e20]), {"missing_value": 1e20}, [1, NAN], id="R22 double 1e20"),
        pytest.param(f4([1, 1e20]), {"missing_value": np.array([1e20])}, [1, NAN], id="S4 one element"),
        pytest.param(np.float64([1, f4(-99.9)]), {"_FillValue": f4(-99.9)}, [1, NAN], id="float32 for double"),
        pytest.param(f4([1, 9.969209968386869e36]), {"_FillValue": 9.96921e36}, [1, NAN], id="fewer digits"),
        pytest.param(f4([1, 9.969209968386869e36]), {}, [1, NAN], id="the library's own fill"),
        pytest.param(f4([1, -9, -8]), {"missing_value": [-9.0, -8.0]}, [1, NAN, NAN], id="several"),
        pytest.param(f4([1, -9, -8]), {"missing_value": "-9, -8"}, [1, NAN, NAN], id="as text"),
        pytest.param(f4([1, -9999]), {"missing_value": "-9999.f"}, [1, NAN], id="as ncdump prints it"),
        pytest.param(f4([1, -9999]), {"missing_value": "N/A"}, [1, -9999], id="as a word"),
        pytest.param(i2([1, -9999]), {"missing_value": -9999.0, "scale_factor": 0.5}, [0.5, NAN], id="packed fill"),
        pytest.param(i2([1, -9999]), {"missing_value": -999.9, "scale_factor": 0.1}, [0.1, NAN], id="unpacked fill"),
        pytest.param(u1([1, 241, 255]), {"_FillValue": -9999}, [1, 241, 255], id="a fill no byte can be"),
        pytest.param(u1([1, 241, 255]), {"_FillValue": i1(-1)}, [1, 241, NAN], id="the same bits"),
        pytest.param(i1([1, -2, -1]), {"_Unsigned": "true", "_FillValue": i1(-1)}, [1, 254, NAN], id="_Unsigned"),
        pytest.param(i1([1, -2, -1]), {"_Unsigned": b"true", "_FillValue": i2([255])}, [1, 254, NAN], id="wider fill"),
        pytest.param(i1([1, -2]), {"_Unsigned": "true", "valid_range": i1([0, -3])}, [1, NAN], id="unsigned range"),
        pytest.param(u2([7499, 7500, 65535]), {"valid_range": [7500, 65535], "scale_factor": 0.02},
                     [NAN, 150, 1310.7], id="packed range"),
        pytest.param(i2([100, 6000]), {"valid_max": i2(5000), "scale_factor": [0.01]}, [1, NAN], id="packed maximum"),
        pytest.param(i2([100, 6000]), {"valid_range": f4([0, 50]), "scale_factor": f4(0.01)}, [1, NAN],
                     id="unpacked range"),
        pytest.param(i2([100, 6000]), {"valid_max": np.array([50.0]), "scale_factor": 0.01}, [1, NAN],
                     id="unpacked maximum"),
        pytest.param(i2([3]), {"scale_factor": [0.5], "add_offset": [1.0]}, [2.5], id="F4 lists"),
        pytest.param(f4([0.02, 0.5, 0.6]), {"valid_min": 0.02, "valid_max": 0.5}, [0.02, 0.5, NAN], id="rounded"),
        pytest.param(f4([1, np.inf, -np.inf]), {}, [1, NAN, NAN], id="infinite"),
        pytest.param(i2([5, 6]), {b"_FillValue": 5, "caf\udce9": "\udce9"}, [NAN, 6], id="F4 names in another code"),
    ],
)  # fmt: skip
def test_stored_numbers(stored: np.ndarray, attributes: dict, values: list) -> None:
    np.testing.assert_allclose(decoded(stored, attributes), values, rtol=1e-6)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"scale_factor": "none at all"}, "scale_factor is 'none at all', which is no number"),
        ({"scale_factor": [0.1, 0.2]}, "where one number is needed"),
        ({"scale_factor": np.nan}, "where one number is needed"),
        ({"scale_factor": 0.0}, "scale_factor is 0"),
        ({"valid_range": [1, 2, 3]}, "valid_range is .*two numbers are needed"),
        ({"valid_range": 249}, r"valid_range is \[249\], where two numbers are needed"),
    ],
)
def test_attributes_that_say_nothing_are_refused(attributes: dict, words: str) -> None:
    with pytest.raises(GranuleError, match=rf"a\.nc, layer 'v': its? .*{words}.*correct it, download the file again"):
        decoded(i2([1]), attributes)


def rain(path: Path, stored: np.ndarray, attributes: dict, **more: object) -> list[Granule]:
    path = lonlat.write(path, "tp", stored, {"units": "mm"} | attributes, **more)
    return [Granule("precip", path, DAY, path.name)]


def sum_of_day(granules: list[Granule]) -> np.ndarray:
    return rain_between(granules, np.datetime64("2016-06-07", "s"), np.datetime64("2016-06-08", "s"), DOMAIN.fine)


@pytest.mark.parametrize(
    ("fill", "stated"),
    [(f4(-999.9), -999.9), (f4(1e20), 1e20), (f4(1e20), [np.float64(1e20)])],
    ids=["R21", "R22", "S4"],
)
def test_rain_that_is_missing_is_missing(tmp_path: Path, fill: np.float32, stated: object) -> None:
    values = np.full((1, *SHAPE), 3, f4)
    values[:, :, LON > 120] = fill
    out = sum_of_day(rain(tmp_path / "a.nc", values, {"missing_value": stated}))
    seen = np.isfinite(out)
    assert seen.any() and np.allclose(out[seen], 3)
    whole = rain(tmp_path / "b.nc", np.full((1, *SHAPE), fill), {"missing_value": stated})
    assert np.isnan(sum_of_day(whole)).all()


def two_versions(first: float, second: float) -> np.ndarray:
    """ERA5 (expver 1) up to the middle of the map, ERA5T (5) in the rest."""
    values = np.full((2, 1, *SHAPE), np.nan, f4)
    values[0, :, :, : SHAPE[1] // 2] = first
    values[1, :, :, SHAPE[1] // 2 :] = second
    return values


@pytest.mark.parametrize("expver", [[1, 5], [5, 1]], ids=["final first", "final last"])
def test_versions_of_era5_are_one_field_R28_E7(tmp_path: Path, expver: list[int]) -> None:
    stored = two_versions(4, 4)
    stored[1] = np.where(np.isnan(stored[1]), 9, stored[1])  # the first version holds where both do
    order = [[1, 5].index(e) for e in expver]
    how = {"dims": ("expver",), "axes": {"expver": np.array(expver)}}
    out = sum_of_day(rain(tmp_path / "tp.nc", stored[order], {}, **how))
    np.testing.assert_allclose(out, 4, rtol=1e-6)
    path = lonlat.write(tmp_path / "t2m.nc", "t2m", two_versions(280, 290)[order], {"units": "K"}, **how)
    air = read_reanalysis([Granule("ERA5-Land", path, DAY)], np.datetime64("2016-06-07"), DOMAIN)
    assert air is not None and np.isfinite(air[0]).all() and 280 <= air[0].min() <= air[0].max() <= 290


def test_a_range_that_holds_no_value_is_said(tmp_path: Path) -> None:
    stored = np.full((1, *SHAPE), 3000, i2)
    attributes = {"scale_factor": 0.001, "valid_range": i2([0, 100])}  # meant for unpacked numbers, of the packed type
    with collected() as notes:
        assert np.isnan(sum_of_day(rain(tmp_path / "a.nc", stored, attributes))).all()
    assert "all values lie outside its valid range" in str(notes[0]) and "(3000)" in str(notes[0])


def test_packed_axes(tmp_path: Path) -> None:
    path = lonlat.write(tmp_path / "a.nc", "tp", np.full((1, *SHAPE), 3, f4), {"units": "mm"})
    with h5py.File(path, "r+") as file:
        for name, axis in (("lat", LAT), ("lon", LON)):
            file[name][:] = np.rint((axis - 10) * 100)
            file[name].attrs.update(scale_factor=np.array([0.01]), add_offset=f4(10))
    np.testing.assert_allclose(sum_of_day([Granule("precip", path, DAY, path.name)]), 3, rtol=1e-6)


def test_another_dimension_is_refused_with_a_fitting_remedy(tmp_path: Path) -> None:
    stored = np.ones((3, 1, *SHAPE), f4)
    with pytest.raises(GranuleError, match="3 values along number; give a file with one value along number"):
        sum_of_day(rain(tmp_path / "a.nc", stored, {}, dims=("number",), axes={"number": np.arange(3)}))


def cdf5(path: Path) -> Path:
    netcdf4 = pytest.importorskip("netCDF4")
    with netcdf4.Dataset(path, "w", format="NETCDF3_64BIT_DATA") as file:
        for name, values in (("time", [0.0]), ("lat", LAT), ("lon", LON)):
            file.createDimension(name, len(values))
            file.createVariable(name, "f8", (name,))[:] = values
        file["time"].units = "days since 2016-06-07"
        file.createVariable("tp", "f4", ("time", "lat", "lon"))[:] = 3
        file["tp"].units = "mm"
    return path


def test_cdf5_is_read_R31(tmp_path: Path) -> None:
    path = cdf5(tmp_path / "tp_20160607.nc")
    np.testing.assert_allclose(sum_of_day([Granule("precip", path, DAY, path.name)]), 3, rtol=1e-6)


def test_cdf5_is_named_where_no_library_reads_it_R31(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tp_20160607.nc"
    path.write_bytes(b"CDF\x05" + bytes(60))
    monkeypatch.setitem(sys.modules, "netCDF4", None)
    with pytest.raises(GranuleError, match=r"CDF-5.*nccopy -k nc4 tp_20160607\.nc tp_20160607_nc4\.nc"):
        latlon.days_in(path)


FOREIGN = {
    "E6 zip": (b"PK\x03\x04", "a zip archive, not a NetCDF file; unzip it"),
    "gzip": (b"\x1f\x8b\x08", "a gzip file, not a NetCDF file; unpack it with gunzip"),
    "GRIB": (b"GRIB\x00\x00\x07\x02", "a GRIB file, not a NetCDF file; download it as NetCDF, or convert it"),
    "login page": (b"\n<!DOCTYPE html>", "a web page .* of the archive, not a NetCDF file; log in"),
    "HDF4": (b"\x0e\x03\x13\x01", "a file of the format HDF4, not a NetCDF file; put it into the folder"),
    "empty": (b"", "an empty file .0 bytes., not a NetCDF file; download it again"),
    "noise": (b"what is this", "a.nc: not a NetCDF file; download it again"),
}


@pytest.mark.parametrize(("head", "words"), FOREIGN.values(), ids=FOREIGN.keys())
def test_a_file_that_is_something_else_says_what(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "a.nc"
    path.write_bytes(head + (bytes(100) if head[:1] != b"w" and head else b""))
    with pytest.raises(GranuleError, match=words):
        latlon.days_in(path)


@pytest.mark.parametrize(("folder", "name"), [("SMAP", "a.h5"), ("C3S", "a.nc")])
def test_a_zip_among_soil_moisture_is_named(tmp_path: Path, folder: str, name: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as file:
        file.writestr("data.nc", "x")
    with pytest.raises(GranuleError, match=rf"{name}.*a zip archive.*unzip it"):
        read_ssm([Granule(folder, tmp_path / name, DAY)], DOMAIN, 0.05)


def test_a_zip_among_tiles_is_named(tmp_path: Path) -> None:
    path = tmp_path / "MYD11A1.A2016159.h26v05.061.2021.hdf"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(GranuleError, match="a zip archive, not an HDF4 file; unzip it"):
        read_lst([Granule("MYD11A1", path, DAY, "h26v05")], "day", DOMAIN.fine)


def test_smap_with_attributes_of_one_element_S4(tmp_path: Path) -> None:
    path = tmp_path / "SMAP_L3_SM_P_20160607_R18290_001.h5"
    ssm = np.full((406, 964), 0.2, f4)
    ssm[84, 792:795] = [-9999, 0.01, 0.6]
    with h5py.File(path, "w") as file:
        group = file.create_group("Soil_Moisture_Retrieval_Data_AM")
        group["soil_moisture"] = ssm
        group["soil_moisture"].attrs.update(
            _FillValue=f4([-9999]), valid_min=f4([0.02]), valid_max=f4([0.5]), units=np.array([b"cm**3/cm**3"])
        )
        group["retrieval_qual_flag"] = np.zeros(ssm.shape, u2)
    out = read_ssm([Granule("SMAP", path, DAY + dt.timedelta(1))], DOMAIN, 0.05)  # its 06:00 there is of the next day
    np.testing.assert_allclose(out.ssm[0], [NAN, NAN, NAN, 0.2], rtol=1e-6)


def tile(path: Path, change: dict[str, tuple[int, object]], core: str = "") -> Path:
    """A small MODIS tile; ``change`` are attributes of its LST, with their HDF type."""
    grid = eosfile.lst_grid(np.full((40, 40), 300.0), 9_500_000.0, 3_950_000.0)
    stored, usual = grid["layers"]["LST_Day_1km"]
    grid["layers"]["LST_Day_1km"] = stored, {k: v for k, v in usual.items() if k not in change}
    eosfile.write(path, [grid], core)
    sd = SD(str(path), SDC.WRITE)
    layer = sd.select("LST_Day_1km")
    for name, (kind, value) in change.items():
        layer.attr(name).set(kind, value)
    layer.endaccess()
    sd.end()
    return path


def day_lst(path: Path) -> np.ndarray:
    value = eosfile.read_layer(path, product("MYD11A1").layer("lst_day"))
    assert value is not None
    return value[0].data


@pytest.mark.parametrize(
    "change",
    [
        {"scale_factor": (SDC.FLOAT64, [0.02, 0.02])},
        {"valid_range": (SDC.INT16, [7500, -1])},
        {"valid_range": (SDC.FLOAT32, [150.0, 1310.7])},
        {"_FillValue": (SDC.INT32, -1)},
        {"_FillValue": (SDC.UINT16, [0, 0])},
    ],
    ids=["scale as a list", "signed range", "unpacked range", "fill of another type", "fill as a list"],
)
def test_layers_of_hdf4_with_odd_attributes_F4(tmp_path: Path, change: dict) -> None:
    np.testing.assert_allclose(day_lst(tile(tmp_path / "a.hdf", change)), 300.0)


def test_a_range_of_one_number_is_refused_F4(tmp_path: Path) -> None:
    path = tile(tmp_path / "a.hdf", {"valid_range": (SDC.UINT16, 7500)})
    with pytest.raises(GranuleError, match=r"a\.hdf, layer 'LST_Day_1km': its attribute valid_range is \[7500\]"):
        day_lst(path)


@pytest.mark.parametrize("name", [b"of_a_layer", b"GridName", b"QC_Day", b"StructMetadata.0"])
def test_names_that_are_not_utf8_F4(tmp_path: Path, name: bytes) -> None:
    path = tile(tmp_path / "MYD11A1.hdf", {"of_a_layer": (SDC.INT16, 3)})
    path.write_bytes(path.read_bytes().replace(name, b"\xe9" + name[1:]))
    try:
        np.testing.assert_allclose(day_lst(path), 300.0)
    except GranuleError as err:
        assert "MYD11A1.hdf" in str(err)
        assert name in (b"GridName", b"StructMetadata.0")  # without them nobody knows where it lies


def test_a_date_that_is_none_F2(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    name = "MYD11A1.A2016159.h26v05.061.2021348183425.hdf"
    (tmp_path / "MYD11A1").mkdir()
    path = tile(tmp_path / "MYD11A1" / name, {}, core=eosfile.core_metadata("2016-99-99", name=name))
    with pytest.raises(GranuleError, match=r"h26v05.*RANGEBEGINNINGDATE 2016-99-99, which is no day"):
        identity(path)
    with caplog.at_level("INFO", logger="ssm_net"):
        assert list(list_granules(tmp_path)["MYD11A1"]) == [DAY]  # the day of its name
    assert "2016-99-99" in caplog.text and name in caplog.text
