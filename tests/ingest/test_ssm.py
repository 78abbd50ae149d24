"""Coarse soil moisture from every family of files."""

from __future__ import annotations

import datetime as dt
import logging

import h5py
import numpy as np
import pytest
import xarray as xr
from pyproj import Transformer

from ssm_net.grid import M36, Domain
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.ssm import read_ssm

DAY = dt.date(2016, 6, 7)
DOMAIN = Domain("part", (84, 92, 792, 800))
R0, R1, C0, C1 = DOMAIN.window


def axes():
    to = Transformer.from_crs(M36.crs, "EPSG:4326", always_xy=True)
    x = M36.left + (np.arange(M36.cols) + 0.5) * M36.cell
    y = M36.top - (np.arange(M36.rows) + 0.5) * M36.cell
    return to.transform(np.zeros_like(y), y)[1], to.transform(x, np.zeros_like(x))[0]


LAT, LON = axes()
WORLD = np.round(0.05 + 0.4 * np.random.default_rng(1).random((M36.rows, M36.cols)), 4)
WORLD[R0, C0 : C0 + 4] = [np.nan, 0.0, 0.9, -0.1]
EXPECTED = WORLD[R0:R1, C0:C1].copy()
EXPECTED[0, :4] = np.nan


def nnsm(
    folder, data, lat=LAT, lon=LON, dims=("lat", "lon"), name="NNsm-AMSR2-2016159.nc", var="soil_moisture", **more
):
    names = ("latitude", "longitude")
    dataset = xr.Dataset({var: (dims, data), names[0]: (("lat",), lat), names[1]: (("lon",), lon), **more})
    folder.mkdir(exist_ok=True)
    dataset.to_netcdf(folder / name, engine="h5netcdf")
    return [Granule("NNsm", folder / name, DAY)]


def check(out):
    np.testing.assert_allclose(out.ssm, EXPECTED, atol=1e-6)
    assert np.array_equal(out.sigma[np.isfinite(EXPECTED)], np.full(np.isfinite(EXPECTED).sum(), 0.05, np.float32))
    assert np.isnan(out.sigma[np.isnan(EXPECTED)]).all()
    assert set(np.unique(out.source)) == {0, 2}


def test_nnsm_as_documented(tmp_path, caplog):
    check(read_ssm(nnsm(tmp_path, WORLD), DOMAIN, 0.05))
    assert f"2 of {WORLD.size - 1} values (-0.1 .. 0.9)" in caplog.text
    assert f"0 is no soil moisture: missing; 1 of {WORLD.size - 1} values" in caplog.text


@pytest.mark.parametrize("how", ["transposed", "upside down", "mirrored", "0-360", "2-d coordinates", "fill"])
def test_nnsm_variants_give_the_same(tmp_path, how):
    lat, lon, data, dims = LAT, LON, WORLD, ("lat", "lon")
    if how == "transposed":
        data, dims = data.T, ("lon", "lat")
    elif how == "upside down":
        lat, data = lat[::-1], data[::-1]
    elif how == "mirrored":
        lon, data = lon[::-1], data[:, ::-1]
    elif how == "0-360":
        lon, data = np.roll(lon % 360, 482), np.roll(data, 482, 1)
    elif how == "fill":
        data = np.nan_to_num(data, nan=-9999.0)
    granules = nnsm(tmp_path, data, lat, lon, dims)
    if how == "2-d coordinates":
        grid = np.meshgrid(LAT, LON, indexing="ij")
        xr.Dataset({"sm": (("y", "x"), data), "lat": (("y", "x"), grid[0]), "lon": (("y", "x"), grid[1])}).to_netcdf(
            granules[0].path, engine="h5netcdf"
        )
    check(read_ssm(granules, DOMAIN, 0.05))


def test_night_of_several_overpasses_is_taken_and_said(tmp_path, caplog):
    granules = nnsm(tmp_path, WORLD, var="soil_moisture_descending", soil_moisture_ascending=(
        ("lat", "lon"), np.full_like(WORLD, 0.6)))  # fmt: skip
    with caplog.at_level(logging.INFO):
        check(read_ssm(granules, DOMAIN, 0.05))
    assert "took soil_moisture_descending" in caplog.text


def test_sources_of_the_family(tmp_path):
    amsr = nnsm(tmp_path, np.where(np.arange(964) % 2, WORLD, np.nan))
    fengyun = nnsm(tmp_path, np.full_like(WORLD, 0.3), name="NNsm-FY-2016159.nc")
    out = read_ssm(fengyun + amsr, DOMAIN, 0.05)
    assert set(np.unique(out.source)) == {2, 3}
    assert (out.ssm[out.source == 3] == np.float32(0.3)).all()
    early = [Granule("NNsm", amsr[0].path, dt.date(2011, 10, 4))]
    assert set(np.unique(read_ssm(early, DOMAIN, 0.05).source)) == {0, 1}


def test_other_grids_and_units_are_refused(tmp_path):
    with pytest.raises(GranuleError, match="36 km grid"):
        read_ssm(nnsm(tmp_path, WORLD, lat=np.linspace(83, -83, 406)), DOMAIN, 0.05)
    with pytest.raises(GranuleError, match="units"):
        read_ssm(nnsm(tmp_path, WORLD * 100), DOMAIN, 0.05)
    (tmp_path / "noise.nc").write_bytes(b"noise")
    with pytest.raises(GranuleError, match=r"noise\.nc.*not a NetCDF"):
        read_ssm([Granule("NNsm", tmp_path / "noise.nc", DAY)], DOMAIN, 0.05)
    cut = tmp_path / "cut.nc"
    cut.write_bytes((tmp_path / "NNsm-AMSR2-2016159.nc").read_bytes()[:5000])
    with pytest.raises(GranuleError, match=r"cut\.nc.*download it again"):
        read_ssm([Granule("NNsm", cut, DAY)], DOMAIN, 0.05)


def test_all_fill_day_is_empty_not_an_error(tmp_path):
    out = read_ssm(nnsm(tmp_path, np.full_like(WORLD, -9999.0)), DOMAIN, 0.05)
    assert np.isnan(out.ssm).all() and (out.source == 0).all()


def cci(path, sm, flag=None, sensor=None, lat=None, lon=None, day="2016-06-07"):
    lat = np.arange(89.875, -90, -0.25) if lat is None else lat
    lon = np.arange(-179.875, 180, 0.25) if lon is None else lon
    dims = ("time", "lat", "lon")
    full = {k: v for k, v in {"flag": flag, "sensor": sensor}.items() if v is not None}
    dataset = xr.Dataset(
        {"sm": (dims, sm[None].astype(np.float32), {"valid_range": np.float32([0, 1])}),
         "sm_uncertainty": (dims, np.full((1, *sm.shape), 0.03, np.float32)),
         **{k: (dims, v[None]) for k, v in full.items()}},
        {"time": [np.datetime64(day, "ns")], "lat": lat.astype(np.float32), "lon": lon.astype(np.float32)},
    )  # fmt: skip
    dataset["sm"].encoding["_FillValue"] = np.float32(-9999)
    dataset.to_netcdf(path, engine="h5netcdf")
    return [Granule("CCI", path, DAY)]


def test_quarter_degree_is_an_area_mean(tmp_path):
    # A field linear in the two axes of the equal-area grid keeps its value at the cell centres under an area mean.
    lat, lon = np.arange(89.875, -90, -0.25), np.arange(-179.875, 180, 0.25)
    sm = 0.2 + 0.1 * np.sin(np.deg2rad(lat))[:, None] + 0.0005 * lon[None]
    granules = cci(tmp_path / "a.nc", sm, np.zeros(sm.shape, np.int8), np.full(sm.shape, 32, np.int16))
    out = read_ssm(granules, DOMAIN, 0.05)
    expected = 0.2 + 0.1 * np.sin(np.deg2rad(LAT[R0:R1]))[:, None] + 0.0005 * LON[None, C0:C1]
    assert np.abs(out.ssm - expected).max() < 2e-4  # the steps of a quarter of a degree
    assert np.allclose(out.sigma, 0.03) and (out.source == 5).all()
    east = np.argsort(lon % 360)
    flipped = cci(tmp_path / "b.nc", sm[::-1][:, east], None, None, lat[::-1], (lon % 360)[east])
    again = read_ssm(flipped, DOMAIN, 0.05)
    np.testing.assert_allclose(again.ssm, out.ssm, atol=1e-6)
    assert (again.source == 6).all()


def test_flagged_and_impossible_values_do_not_count(tmp_path):
    sm = np.full((720, 1440), 0.2)
    flag = np.zeros(sm.shape, np.int8)
    flag[:, ::2] = 1  # snow
    sm[:, ::2] = 0.6
    sm[::2, 1::2] = 0.95
    out = read_ssm(cci(tmp_path / "a.nc", sm, flag), DOMAIN, 0.05)
    seen = np.isfinite(out.ssm)
    assert seen.any() and np.allclose(out.ssm[seen], 0.2)


def test_file_of_another_day_is_refused(tmp_path):
    with pytest.raises(GranuleError, match=r"2016-06-08.*rename"):
        read_ssm(cci(tmp_path / "a.nc", np.full((720, 1440), 0.2), day="2016-06-08"), DOMAIN, 0.05)


def half_orbit(path, times, lon=110.0):
    n = len(times)
    with h5py.File(path, "w") as file:
        group = file.create_group("Soil_Moisture_Retrieval_Data")
        group["EASE_row_index"] = np.full(n, R0, np.uint16)
        group["EASE_column_index"] = np.arange(C0, C0 + n, dtype=np.uint16)
        group["longitude"] = np.full(n, lon, np.float32)
        group["soil_moisture"] = np.array([0.2, 0.2, 0.2, 0.6][:n], np.float32)
        group["soil_moisture"].attrs.update(_FillValue=np.float32(-9999), valid_min=0.02, valid_max=0.5)
        group["retrieval_qual_flag"] = np.array([0, 8, 1, 0][:n], np.uint16)
        group["tb_time_utc"] = np.array(times, "S24")
    return path


def test_half_orbit_keeps_recommended_cells_of_the_night(tmp_path):
    morning = "2016-06-06T22:40:00.000Z"  # 06:00 of the 7th at 110 E
    path = half_orbit(tmp_path / "SMAP_L2_SM_P_07202_D_20160606T223002_R18290_001.h5", [morning] * 4)
    out = read_ssm([Granule("SMAP", path, DAY)], DOMAIN, 0.05)
    np.testing.assert_allclose(out.ssm[0, :4], [0.2, 0.2, np.nan, np.nan])
    assert out.source[0, 0] == 4
    before = read_ssm([Granule("SMAP", path, DAY - dt.timedelta(1))], DOMAIN, 0.05)
    assert np.isnan(before.ssm).all()


def test_smap_day_map(tmp_path):
    path = tmp_path / "SMAP_L3_SM_P_20160607_R18290_001.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("Soil_Moisture_Retrieval_Data_AM")
        group["soil_moisture"] = np.nan_to_num(WORLD, nan=-9999).astype(np.float32)
        group["retrieval_qual_flag"] = np.zeros(WORLD.shape, np.uint16)
        group["soil_moisture_error"] = np.full(WORLD.shape, 0.02, np.float32)
    # East of 90 E, 06:00 in a file of the UTC day is of the next local day.
    assert np.isnan(read_ssm([Granule("SMAP", path, DAY)], DOMAIN, 0.05).ssm).all()
    out = read_ssm([Granule("SMAP", path, DAY + dt.timedelta(1))], DOMAIN, 0.05)
    np.testing.assert_allclose(out.ssm, EXPECTED, atol=1e-6)
    assert np.allclose(out.sigma[np.isfinite(out.ssm)], 0.02)


def test_point_list_repeats_a_cell(tmp_path):
    path = tmp_path / "SMAP_2016-06-07.nc"
    xr.Dataset({"latitude": ("index", LAT[[R0 + 1] * 3]), "longitude": ("index", LON[[C0 + 1, C0 + 1, C0 + 2]]),
                "soil_moisture": ("index", [0.1, 0.3, 0.25])}).to_netcdf(path, engine="h5netcdf")  # fmt: skip
    out = read_ssm([Granule("SMAP", path, DAY)], DOMAIN, 0.05)
    np.testing.assert_allclose(out.ssm[1, 1:3], [0.2, 0.25])
    assert np.isfinite(out.ssm).sum() == 2


@pytest.mark.real
def test_real_c3s_and_cci(real_dir):
    china = Domain("china", (36, 144, 676, 848))
    for folder, pattern, day, code in (
        ("C3S", "C3S-*.nc", dt.date(2017, 7, 1), {0, 5}),
        ("CCI", "ESACCI-*.nc", dt.date(2016, 6, 7), {0, 5, 6, 7}),
    ):
        path = next((real_dir / "ssm").glob(pattern))
        out = read_ssm([Granule(folder, path, day)], china, 0.04)
        assert 0.25 < np.isfinite(out.ssm).mean() < 0.5
        assert set(np.unique(out.source)) == code
        assert 0 < np.nanmin(out.ssm) and np.nanmax(out.ssm) <= 0.7
        # At the centre of a coarse cell, near the mean of the file's own cells around that place.
        with xr.open_dataset(path) as file:
            sm = file["sm"][0].where((file["sm"][0] > 0) & (file["sm"][0] <= 0.7))
            for row, col in np.argwhere(np.isfinite(out.ssm))[::400]:
                place = {"lat": LAT[36 + row], "lon": LON[676 + col]}
                near = sm.sel(lat=slice(place["lat"] + 0.5, place["lat"] - 0.5),
                              lon=slice(place["lon"] - 0.5, place["lon"] + 0.5))  # fmt: skip
                assert near.min() - 1e-6 <= out.ssm[row, col] <= near.max() + 1e-6


@pytest.mark.real
def test_real_smap_half_orbit_and_point_lists(real_dir):
    world = Domain("world", (0, 404, 0, 964))
    path = next((real_dir / "ssm").glob("SMAP_L2*.h5"))
    out = read_ssm([Granule("SMAP", path, dt.date(2015, 8, 11))], world, 0.04)
    with h5py.File(path) as file:
        group = file["Soil_Moisture_Retrieval_Data"]
        good = (group["retrieval_qual_flag"][:] & 1) == 0
        good &= (group["soil_moisture"][:] >= 0.02) & (group["soil_moisture"][:] <= 0.5)
        good &= (group["surface_flag"][:] & 0b111100000) == 0  # snow or ice, frozen ground
        row, col = group["EASE_row_index"][:][good].astype(int), group["EASE_column_index"][:][good].astype(int)
        np.testing.assert_allclose(out.ssm[row, col], group["soil_moisture"][:][good])
    assert np.isfinite(out.ssm).sum() == good.sum()
    path = real_dir / "era5_china" / "SMAP_China_2024-03-01.nc"
    out = read_ssm([Granule("SMAP", path, dt.date(2024, 3, 1))], world, 0.04)
    assert 0 < np.isfinite(out.ssm).sum() <= 86


@pytest.mark.real
def test_real_grid_constants(real_dir):
    with xr.open_dataset(next((real_dir / "ssm").glob("NSIDC0772*.nc"))) as file:
        np.testing.assert_allclose(file["latitude"][:, 0], LAT, atol=1e-5)
        np.testing.assert_allclose(file["longitude"][0], LON, atol=1e-5)
