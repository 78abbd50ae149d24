"""The files of a world open in the ordinary tools, lie where they should, and are of the day they should be."""

import datetime as dt
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from tinyworld import WINDOW, settings

from ssm_net.errors import ConfigError
from ssm_net.grid import M36, Domain
from ssm_net.simulate import simulate
from ssm_net.simulate.world.observe import RainGrid, swath
from ssm_net.simulate.world.physics import Orbit
from ssm_net.simulate.writers.sinusoidal import sinusoidal_tiles

DOMAIN = Domain("tiny", WINDOW)
DAYS = [dt.date(2016, 5, 1) + dt.timedelta(n) for n in range(4)]


def truth(world: Path) -> xr.Dataset:
    return xr.open_zarr(world / "truth.zarr", consolidated=False, chunks=None)


def stored(path: Path, layer: str) -> np.ndarray:
    from pyhdf.SD import SD

    sd = SD(str(path))
    values = sd.select(layer)[:]
    sd.end()
    return values


def test_truth(world: Path) -> None:
    ds = truth(world)
    assert [str(t)[:10] for t in ds.time.values] == [d.isoformat() for d in DAYS]
    assert ds.ssm.shape == (4, *DOMAIN.fine_shape)
    np.testing.assert_allclose(ds.x, DOMAIN.fine.coordinates["x"].values)
    np.testing.assert_allclose(ds.y, DOMAIN.fine.coordinates["y"].values)
    assert ds.clear_day.dtype == bool
    land = ds.water.values <= 0.5
    assert np.isfinite(ds.ssm.values[:, land]).all() and np.isnan(ds.ssm.values[:, ~land]).all()
    assert 240 < float(ds.lst_night.min()) < float(ds.lst_day.max()) < 340


def test_a_tile_holds_the_truth_of_its_pixels_and_days(world: Path) -> None:
    """The night view of UTC day D is of local day D + 1 at 110 E, the day view of D."""
    from pyhdf.SD import SD

    ds = truth(world)
    counted = 0
    for tile in sinusoidal_tiles(DOMAIN, 1200):
        (path,) = (world / "MYD11A1.061").glob(f"MYD11A1.A{DAYS[1]:%Y%j}.{tile.name}.061.*.hdf")
        sd = SD(str(path))
        for part, day in (("Day", DAYS[1]), ("Night", DAYS[2])):
            layer = sd.select(f"LST_{part}_1km")
            meta = layer.attributes()
            assert (meta["scale_factor"], meta["_FillValue"], meta["valid_range"]) == (0.02, 0, [7500, 65535])
            assert "_FillValue" not in sd.select(f"QC_{part}").attributes()
            full, qc = layer[:], sd.select(f"QC_{part}")[:]
            assert full.shape == (1200, 1200)
            outside = np.ones((1200, 1200), bool)
            outside[tile.rows, tile.cols] = ~tile.inside
            assert (full[outside] == 0).all() and (qc[outside] == 3).all()
            seen = full[tile.rows, tile.cols] * 0.02
            lst = ds[f"lst_{part.lower()}"].sel(time=day.isoformat()).values
            clear = tile.nearest(ds[f"clear_{part.lower()}"].sel(time=day.isoformat()).values) & tile.inside
            assert (qc[tile.rows, tile.cols][tile.inside & ~clear] == 2).all()
            assert ((seen > 0) & tile.inside == clear).all()
            if clear.sum() > 50:
                error = seen[clear] - tile.linear(lst)[clear]
                assert abs(np.median(error)) < 1.5 and np.median(np.abs(error - np.median(error))) < 1.2
                counted += 1
        sd.end()
    assert counted >= 2, "too little clear sky to test anything"


def test_the_seam_lies_inside(world: Path) -> None:
    assert [t.name for t in sinusoidal_tiles(DOMAIN, 1200)] == ["h26v04", "h26v05"]
    files = {p.name.split(".")[2] for p in (world / "MYD11A1.061").glob("*.hdf")}
    assert files == {"h26v04", "h26v05"}
    demo = Domain("demo", (68, 76, 772, 780))
    assert [t.name for t in sinusoidal_tiles(demo, 1200)] == ["h26v04", "h26v05"]


def test_reflectance(world: Path) -> None:
    from pyhdf.SD import SD

    paths = sorted((world / "MCD43A4.061").glob("*.hdf"))
    assert [p.name.split(".")[1] for p in paths] == ["A2016122", "A2016122"]  # every eighth day, two tiles
    sd = SD(str(paths[0]))
    red, nir = (sd.select(f"Nadir_Reflectance_Band{b}")[:] for b in (1, 2))
    quality = sd.select("BRDF_Albedo_Band_Mandatory_Quality_Band1")[:]
    assert red.shape == (2400, 2400) and red.dtype == np.int16
    seen = red != 32767
    assert 0 < seen.mean() < 0.5 and set(np.unique(quality[seen])) <= {0, 1}
    assert 0.02 < (red[seen] * 1e-4).mean() < 0.3 < 10 * (nir[seen] * 1e-4).mean()


def test_gdal_knows_an_eos_grid(world: Path) -> None:
    if shutil.which("gdalinfo") is None:
        pytest.skip("gdalinfo is not on PATH")
    formats = subprocess.run(["gdalinfo", "--formats"], capture_output=True, text=True, check=True).stdout
    if "HDF4" not in formats:
        pytest.skip("this GDAL has no HDF4")
    for folder, grid, layer, side in (
        ("MYD11A1.061", "MODIS_Grid_Daily_1km_LST", "LST_Night_1km", 1200),
        ("MCD43A4.061", "MOD_Grid_BRDF", "Nadir_Reflectance_Band7", 2400),
    ):
        path = min((world / folder).glob("*.h26v05.*.hdf"))
        name = f'HDF4_EOS:EOS_GRID:"{path}":{grid}:{layer}'
        assert name in subprocess.run(["gdalinfo", str(path)], capture_output=True, text=True, check=True).stdout
        out = subprocess.run(["gdalinfo", "-json", name], capture_output=True, text=True, check=True).stdout
        info = json.loads(out)
        pixel = 1111950.5196666666 / side
        expected = [-20015109.354 + 26 * side * pixel, pixel, 0, 10007554.677 - 5 * side * pixel, 0, -pixel]
        np.testing.assert_allclose(info["geoTransform"], expected, atol=1e-3)
        assert "Sinusoidal" in info["coordinateSystem"]["wkt"] and info["size"] == [side, side]


def test_nnsm(world: Path) -> None:
    ds = xr.open_dataset(world / "NNsm" / "NNsm-AMSR2-2016123.nc")
    assert set(ds.variables) == {"latitude", "longitude", "soil_moisture"}
    assert ds.soil_moisture.shape == (M36.rows, M36.cols)
    assert ds.latitude.values[0] > 80 and ds.longitude.values[0] < -179
    r0, r1, c0, c1 = WINDOW
    value = ds.soil_moisture.values
    inside = value[r0:r1, c0:c1]
    assert np.isfinite(value).sum() == np.isfinite(inside).sum()
    lon, lat = DOMAIN.lonlat(coarse=True)
    np.testing.assert_allclose(ds.latitude.values[r0:r1], lat, atol=1e-4)
    np.testing.assert_allclose(ds.longitude.values[c0:c1], lon, atol=1e-4)


def test_the_coarse_product_follows_the_truth(world: Path) -> None:
    cells = truth(world).ssm.values.reshape(4, 4, 36, 4, 36)
    mean = np.nanmean(cells, (2, 4))
    r0, r1, c0, c1 = WINDOW
    seen = np.stack(
        [xr.open_dataset(world / "NNsm" / f"NNsm-AMSR2-{d:%Y%j}.nc").soil_moisture.values[r0:r1, c0:c1] for d in DAYS]
    )
    error = seen - mean
    assert np.isfinite(error).any()
    assert np.sqrt(np.nanmean(error**2)) < 0.08


def test_orbit_gaps() -> None:
    """A third of a night is not seen at 40 N, nearly half at the equator, and the pattern returns after 16 days."""
    lon, lat = np.linspace(70, 140, 701), np.linspace(55, 0, 551)
    nights = np.stack([swath(Orbit(), lon, lat, dt.date(2016, 5, 1) + dt.timedelta(n)) for n in range(17)])
    gap = 1 - nights[:16].mean((0, 2))
    assert gap[0] < 0.12 and 0.2 < gap[150] < 0.4 and 0.35 < gap[-1] < 0.55
    np.testing.assert_array_equal(nights[0], nights[16])
    edge = nights[0].argmin(1)
    assert len(np.unique(edge)) > 10, "the swath's edge is aslant"


def test_rain(world: Path) -> None:
    """Stated bounds: from 01:30 to 01:30 local solar time at the middle of the domain."""
    paths = sorted((world / "precip").glob("precip_*.nc"))
    assert paths[-1].name == "precip_20160504.nc" and len(paths) > 30
    west, _, east, _ = DOMAIN.bounds_lonlat()
    local = np.timedelta64(round((west + east) / 2 / 15 * 3600), "s")
    last = None
    for path in paths[-3:]:
        ds = xr.open_dataset(path)
        begin, end = ds.time_bnds.values[0].astype("datetime64[s]")
        day = np.datetime64(f"{path.stem[-8:-4]}-{path.stem[-4:-2]}-{path.stem[-2:]}")
        assert abs((end + local - day) / np.timedelta64(1, "s") - 5400) <= 1
        assert end - begin == np.timedelta64(1, "D") and (last is None or last == begin)
        last = end
        assert ds.precipitation.attrs["units"] == "mm" and float(ds.precipitation.min()) >= 0
        assert np.isfinite(ds.precipitation.values).all()
        lon, lat = DOMAIN.lonlat()
        assert ds.lon.min() < lon.min() and ds.lon.max() > lon.max()
        assert ds.lat.min() < lat.min() and ds.lat.max() > lat.max()


def test_rain_grid_keeps_the_mean() -> None:
    grid = RainGrid.over(DOMAIN)
    np.testing.assert_allclose(grid.down.sum(1), 1, rtol=1e-5)
    lon, lat = DOMAIN.lonlat()
    np.testing.assert_allclose(grid.along[2:-2] @ lon, grid.lon[2:-2], atol=0.01)
    np.testing.assert_allclose(grid.down[2:-2] @ lat, grid.lat[2:-2], atol=0.01)


@pytest.mark.parametrize("name", ["elevation", "sand", "clay", "water_fraction"])
def test_static(world: Path, name: str) -> None:
    with rasterio.open(world / "static" / f"{name}.tif") as src:
        assert src.crs == "EPSG:4326" and src.res == pytest.approx((1 / 120, 1 / 120))
        west, south, east, north = DOMAIN.bounds_lonlat()
        b = src.bounds
        assert b.left < west and b.bottom < south and b.right > east and b.top > north
        if name == "water_fraction":
            water = truth(world).water.values
            lon, lat = DOMAIN.lonlat()
            row, col = np.unravel_index(np.argsort(water.ravel())[-20:], water.shape)
            seen = [v[0] for v in src.sample(zip(lon[col], lat[row], strict=True))]
            assert np.mean(seen) > 0.5
        assert np.isfinite(src.read(1)).all()


def test_stations_open_in_the_ismn_package(world: Path, tmp_path: Path) -> None:
    from ismn.interface import ISMN_Interface

    copy = tmp_path / "ismn"  # the package writes its index into the folder
    shutil.copytree(world / "ismn", copy)
    found = ISMN_Interface(copy, parallel=False)
    ids = found.get_dataset_ids("soil_moisture", 0, 0.1)
    assert len(ids) == 4
    series = found.read(ids[0])
    assert {"soil_moisture", "soil_moisture_flag"} <= set(series.columns)
    assert len(series) > 60 and (np.diff(series.index.values) >= np.timedelta64(1, "h")).all()
    assert "G" in set(series["soil_moisture_flag"]) and len(set(series["soil_moisture_flag"])) > 2


def test_stations_follow_the_truth_in_utc(world: Path) -> None:
    """At 01:30 local, 18 h UTC of the day before, the median good value lies within a station's error of the truth."""
    ds = truth(world)
    lon, lat = DOMAIN.lonlat()
    errors = []
    for path in (world / "ismn").rglob("*_sm_0.000000_*.stm"):
        head, *rows = path.read_text().splitlines()
        here_lat, here_lon = (float(v) for v in head.split()[3:5])
        col, row = np.abs(lon - here_lon).argmin(), np.abs(lat - here_lat).argmin()
        for n, day in enumerate(DAYS):
            moment = dt.datetime.combine(day, dt.time()) + dt.timedelta(hours=1.5 - here_lon / 15)
            stamp = (moment + dt.timedelta(minutes=30)).strftime("%Y/%m/%d %H:00")
            errors += [float(r.split()[2]) - float(ds.ssm[n, row, col]) for r in rows if r[:16] == stamp and " G " in r]
    assert len(errors) > 6
    assert np.abs(np.median(errors)) < 0.06 and np.std(errors) < 0.12


def test_a_second_run_redoes_nothing(world: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in world.rglob("*") if p.is_file()}
    assert simulate(settings(world)) == world
    assert {p: p.stat().st_mtime_ns for p in world.rglob("*") if p.is_file()} == before


def test_an_interrupted_run_goes_on(world: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(world, raw)
    marker = json.loads((raw / "world.json").read_text())
    (raw / "world.json").write_text(json.dumps({**marker, "done": False}))
    (raw / "truth.zarr").rename(raw / "truth.zarr.part")
    lost = [raw / "NNsm" / "NNsm-AMSR2-2016124.nc", max((raw / "MYD11A1.061").glob("*.hdf"))]
    for path in lost:
        path.unlink()
    kept = {p: p.stat().st_mtime_ns for p in raw.rglob("*.hdf")}
    simulate(settings(raw))
    assert {p: p.stat().st_mtime_ns for p in kept} == kept
    for layer in ("LST_Day_1km", "QC_Night"):
        np.testing.assert_array_equal(stored(lost[1], layer), stored(world / lost[1].relative_to(raw), layer))
    xr.testing.assert_identical(xr.open_dataset(lost[0]), xr.open_dataset(world / lost[0].relative_to(raw)))
    xr.testing.assert_identical(truth(raw).load(), truth(world).load())
    assert json.loads((raw / "world.json").read_text())["done"] is True
    assert not list(raw.rglob("*.part"))


def test_another_world_is_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"another world: seed=1 \(now 2\)"):
        simulate(settings(world, seed=2))
    (tmp_path / "granule.hdf").write_text("")
    with pytest.raises(ConfigError, match=r"no world\.json"):
        simulate(settings(tmp_path))
    with pytest.raises(ConfigError, match="choose"):
        simulate(settings(tmp_path / "new", family="Z"))


def test_a_plan_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "raw"
    simulate(settings(raw, plan=True))
    assert not raw.exists()
    shown = " ".join(capsys.readouterr().out.split())
    assert "4 days" in shown and "h26v05" in shown


def test_validity_is_kept(world: Path) -> None:
    rows = json.loads((world / "validity.json").read_text())
    assert {"memory", "cloud", "orbit gaps", "std inside cells"} <= {r["name"] for r in rows}
    assert all(r["value"] is None or np.isfinite(r["value"]) for r in rows)
