"""Products of others: what a native file says at a place is read from the right pixel, hour and day."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio.transform import from_origin

from ssm_net.core.clock import overpass_utc
from ssm_net.formats.mosaic_days import write_day
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Domain
from ssm_net.peers.sample import Places
from ssm_net.peers.series import PeerError, open_peers, series_at
from ssm_net.simulate.writers import peers as write

DOMAIN = Domain("tiny", (84, 88, 776, 780))
DAY = dt.date(2016, 5, 3)
DAYS = [DAY + dt.timedelta(n) for n in range(-1, 2)]


def field() -> np.ndarray:
    """Each pixel its own value, 0.05 to 0.45 m3 m-3."""
    size = np.prod(DOMAIN.fine_shape)
    return np.linspace(0.05, 0.45, size, dtype="float32").reshape(DOMAIN.fine_shape)


def at(*pixels: tuple[int, int], off: float = 0.0) -> Places:
    """Places in pixels, ``off`` of a pixel from their centres to the north-east."""
    lon, lat = DOMAIN.lonlat()
    step = lon[1] - lon[0], lat[0] - lat[1]
    return Places(np.array([lon[c] + off * step[0] for _, c in pixels]),
                  np.array([lat[r] + off * step[1] for r, _ in pixels]))  # fmt: skip


PIXELS = ((0, 0), (17, 100), (143, 143))


def series(folder: Path, places: Places, name: str = "theirs", days=DAYS):
    return [series_at(peer, days, places) for peer in open_peers([f"{name}:{folder}"])]


def morning(day: dt.date, hour: float = 6.0) -> dt.datetime:
    """UTC of a local solar hour in the middle of the domain."""
    lon = float(DOMAIN.lonlat()[0].mean())
    return dt.datetime.combine(day, dt.time()) + dt.timedelta(hours=hour - lon / 15)


def test_a_scene_of_smap_and_sentinel_at_both_resolutions(tmp_path):
    bad = np.zeros(DOMAIN.fine_shape, bool)
    bad[17, 100] = True
    name = write.spl2smap_name(morning(DAY, -18), morning(DAY))
    write.write_spl2smap(tmp_path / name, DOMAIN, field(), bad)
    fine, coarse = series(tmp_path, at(*PIXELS, off=0.3))
    assert (fine.name, coarse.name) == ("theirs 1 km", "theirs 3 km")
    np.testing.assert_allclose(fine.ssm[1], [field()[0, 0], np.nan, field()[143, 143]])  # the second is not recommended
    block = field().reshape(48, 3, 48, 3).mean((1, 3))
    np.testing.assert_allclose(coarse.ssm[1], [block[0, 0], np.nan, block[47, 47]], rtol=1e-6)
    assert np.isnan(fine.ssm[[0, 2]]).all() and fine.hours[1, 0] == pytest.approx(4.5, abs=0.3)


def test_of_two_versions_of_a_scene_the_last_counts(tmp_path):
    for version, shift in ((2, 0.1), (1, 0.0)):
        name = write.spl2smap_name(morning(DAY), morning(DAY), version)
        write.write_spl2smap(tmp_path / name, DOMAIN, field() + np.float32(shift))
    assert series(tmp_path, at((5, 5)))[0].ssm[1, 0] == pytest.approx(field()[5, 5] + 0.1)


def test_an_evening_overpass_is_of_the_night_that_follows(tmp_path):
    name = write.spl2smap_name(morning(DAY, 18), morning(DAY, 18))
    write.write_spl2smap(tmp_path / name, DOMAIN, field())
    fine, _ = series(tmp_path, at((5, 5)))
    assert np.isfinite(fine.ssm[:, 0]).tolist() == [False, False, True]


def test_smap_l4_gives_the_three_hours_of_our_overpass(tmp_path):
    for n, hour in enumerate((16, 19, 22)):
        moment = dt.datetime.combine(DAY - dt.timedelta(1), dt.time(hour, 30))
        write.write_smap_l4(tmp_path / f"SMAP_L4_SM_gph_{moment:%Y%m%dT%H%M%S}_Vv7032_001.h5", DOMAIN,
                            field() + np.float32(0.1 * n))  # fmt: skip
    places = at(*PIXELS, off=-0.4)
    (l4,) = series(tmp_path, places)
    block = field().reshape(16, 9, 16, 9).mean((1, 3))
    hours = (overpass_utc(DAY, float(places.lon[0])) - np.datetime64(DAY, "s")) / np.timedelta64(1, "h")
    nearest = int(np.argmin(np.abs(np.array([-7.5, -4.5, -1.5]) - hours)))
    np.testing.assert_allclose(l4.ssm[1], block[[0, 1, 15], [0, 11, 15]] + 0.1 * nearest, rtol=1e-5)
    assert np.abs(l4.hours[1]).max() <= 1.5


def test_nsidc_0779_takes_the_morning_before_the_evening(tmp_path):
    """Files of UTC days: 6:00 local solar time east of 90 E is of the next local day."""
    evening = field() + np.float32(0.1)
    gap = field().copy()
    gap[17, 100] = np.nan
    name = f"NSIDC-0779_EASE2_G1km_SMAP_SM_DS_{DAY - dt.timedelta(1):%Y%m%d}.tif"
    write.write_nsidc_0779(tmp_path / name, DOMAIN, [gap, evening])
    places = at(*PIXELS, off=0.4)
    assert (places.lon > 90).all()
    (got,) = series(tmp_path, places)
    np.testing.assert_allclose(got.ssm[1], [field()[0, 0], evening[17, 100], field()[143, 143]], rtol=1e-6)
    assert got.hours[1].tolist() == pytest.approx([4.5, -7.5, 4.5], abs=1e-3)
    assert np.isnan(got.ssm[[0, 2]]).all()


@pytest.mark.parametrize("how", ["plain", "transposed", "upside down", "of each pixel"])
def test_the_map_of_china_however_it_lies(tmp_path, how):
    path = tmp_path / f"SM_{DAY:%Y%j}.h5"
    few = Domain("few", (84, 88, 776, 784))
    values = np.linspace(0.05, 0.45, np.prod(few.fine_shape), dtype="float32").reshape(few.fine_shape)
    write.write_china_1km(path, few, values)
    with h5py.File(path, "r+") as file:
        sm, lat, lon = (file[name][()] for name in ("SM", "lat", "lon"))
        if how == "transposed":
            sm = sm.T
        elif how == "upside down":
            sm, lat = sm[::-1], lat[::-1]
        elif how == "of each pixel":
            lat, lon = np.meshgrid(lat, lon, indexing="ij")
        for name in ("SM", "lat", "lon"):
            del file[name]
        file["SM"], file["lat"], file["lon"] = sm, lat, lon
    (got,) = series(tmp_path, at(*PIXELS, off=0.4))
    np.testing.assert_allclose(got.ssm[1], [values[p] for p in PIXELS], rtol=1e-6)


def test_a_place_outside_has_no_value(tmp_path):
    write.write_china_1km(tmp_path / f"SM_{DAY:%Y%j}.h5", DOMAIN, field())
    lon, lat = DOMAIN.lonlat()
    far = Places(np.array([lon[0] - 0.02, lon[-1] + 0.02, lon[5]]), np.array([lat[5], lat[5], lat[0] + 0.02]))
    assert np.isnan(series(tmp_path, far)[0].ssm).all()


def test_any_geotiff_in_degrees(tmp_path):
    lon, lat = DOMAIN.lonlat()
    values = np.round(100 * np.add.outer(np.linspace(0.1, 0.2, 200), np.linspace(0, 0.2, 300))).astype("int16")
    with rasterio.open(tmp_path / f"sm_{DAY:%Y%m%d}.tif", "w", driver="GTiff", height=200, width=300, count=1,
                       dtype="int16", crs="EPSG:4326", nodata=-1,
                       transform=from_origin(lon[0] - 0.1, lat[0] + 0.1, 0.01, 0.01)) as file:  # fmt: skip
        file.write(values, 1)
        file.scales = (0.01,)
    places = at(*PIXELS)
    (got,) = series(tmp_path, places)
    row = ((lat[0] + 0.1 - places.lat) / 0.01).astype(int)
    col = ((places.lon - lon[0] + 0.1) / 0.01).astype(int)
    np.testing.assert_allclose(got.ssm[1], values[row, col] / 100)


def test_any_netcdf_with_a_time_axis(tmp_path):
    lon, lat = DOMAIN.lonlat()
    axes = {
        "time": ("time", np.arange(3), {"units": f"days since {DAYS[0]}"}),
        "lat": np.arange(lat[-1] - 1, lat[0] + 1, 0.1),
        "lon": np.arange(lon[0] - 1, lon[-1] + 1, 0.1) % 360,
    }
    shape = 3, axes["lat"].size, axes["lon"].size
    values = np.arange(np.prod(shape), dtype=float).reshape(shape) % 4000 / 100 + 1
    xr.Dataset({"swvl1": (("time", "lat", "lon"), values), "soil_moisture": (
        ("time", "lat", "lon"), values, {"units": "%", "long_name": "volumetric soil moisture"})}, axes).to_netcdf(
        tmp_path / "all.nc", engine="h5netcdf")  # fmt: skip
    places = at(*PIXELS)
    (got,) = series(tmp_path, places)
    nearest = [(np.abs(axes["lat"] - y).argmin(), np.abs(axes["lon"] - x).argmin())
               for x, y in zip(places.lon, places.lat, strict=True)]  # fmt: skip
    np.testing.assert_allclose(got.ssm, [[values[t, r, c] / 100 for r, c in nearest] for t in range(3)])


def test_maps_of_ours_are_read_too(tmp_path):
    """Another run, or an older version, beside this one."""
    ssm = field().copy()
    ssm[17, 100] = np.nan  # a lake
    sigma, flags = np.where(np.isnan(ssm), np.nan, 0.04).astype("float32"), np.where(np.isnan(ssm), 32, 5)
    write_day(Mosaic(DAY, DOMAIN, ssm, sigma, flags.astype("uint16"), {"model": "ridge"}), tmp_path)
    (got,) = series(tmp_path, at(*PIXELS))
    np.testing.assert_allclose(got.ssm[1], [ssm[p] for p in PIXELS], atol=1e-4)


def test_one_damaged_file_is_named_and_left_out(tmp_path):
    for n in (0, 1):
        write.write_china_1km(tmp_path / f"SM_{DAYS[n]:%Y%j}.h5", DOMAIN, field())
    (tmp_path / f"SM_{DAYS[0]:%Y%j}.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (got,) = series(tmp_path, at((5, 5)))
    assert np.isfinite(got.ssm[:, 0]).tolist() == [False, True, False]
    assert "1 of 2 files could not be read" in got.notes[0] and f"SM_{DAYS[0]:%Y%j}.h5" in got.notes[0]


def test_what_cannot_be_compared_is_said(tmp_path):
    with pytest.raises(PeerError, match="is no folder"):
        open_peers([f"theirs:{tmp_path}/none"])
    with pytest.raises(PeerError, match="no file of a known name"):
        open_peers([f"theirs:{tmp_path}"])
    write.write_china_1km(tmp_path / f"SM_{DAY:%Y%j}.h5", DOMAIN, field())
    with pytest.raises(PeerError, match="is the name of another"):
        open_peers([f"theirs:{tmp_path}"] * 2)
    with pytest.raises(PeerError, match="is the name of another"):
        open_peers([f"ssm_net:{tmp_path}"], ["ssm_net"])
    (peer,) = open_peers([f"theirs:{tmp_path}"])
    with pytest.raises(PeerError, match="no day of 2017"):
        series_at(peer, [dt.date(2017, 1, 1)], at((5, 5)))
    (tmp_path / "sm_20160503.tif").write_bytes(b"")
    with pytest.raises(PeerError, match="files of 2 products"):
        open_peers([f"theirs:{tmp_path}"])


def test_degrees_of_saturation_are_refused(tmp_path):
    write.write_china_1km(tmp_path / f"SM_{DAY:%Y%j}.h5", DOMAIN, field() * 200)
    with pytest.raises(PeerError, match="likely percent"):
        series(tmp_path, at(*PIXELS))


def test_across_the_dateline_longitudes_run_on(tmp_path):
    domain = replace(DOMAIN, window=(200, 204, 962, 966))
    values = np.linspace(0.05, 0.45, np.prod(domain.fine_shape), dtype="float32").reshape(domain.fine_shape)
    moment = dt.datetime(2016, 5, 2, 13, 30)
    scene = tmp_path / "scene.nc"
    lon, lat = domain.lonlat()
    assert lon[-1] > 180
    wrapped = np.where(lon > 180, lon - 360, lon)
    xr.Dataset({"sm": (("lat", "lon"), np.roll(values, 72, 1), {"units": "m3 m-3"})},
               {"lat": lat, "lon": np.roll(wrapped, 72)}).to_netcdf(scene, engine="h5netcdf")  # fmt: skip
    scene.rename(tmp_path / f"sm_{moment:%Y%m%d}.nc")
    (got,) = series(tmp_path, Places(lon[[5, 140]], lat[[5, 50]]), days=[moment.date()])
    np.testing.assert_allclose(got.ssm[0], values[[5, 50], [5, 140]], rtol=1e-6)
