"""Domains across the dateline: one array and one map, its inputs found on both sides, its day one day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import shapely
import viewfile
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry

from ssm_net.config import DomainConfig
from ssm_net.core.boundary import domain_of
from ssm_net.dateline import near, sides
from ssm_net.errors import ConfigError
from ssm_net.formats.geotiff import to_degrees
from ssm_net.formats.netcdf import as_dataset
from ssm_net.formats.product import Mosaic, unpack
from ssm_net.grid import M36, Domain
from ssm_net.ingest import easegrid, latlon
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.modis_tiles import SINUSOIDAL
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import Raster
from ssm_net.ingest.resample import regrid
from ssm_net.prepare.read_day import read_granules
from ssm_net.prepare.static_maps import static_fields
from ssm_net.simulate.world.observe import RainGrid
from ssm_net.simulate.writers import netcdf
from ssm_net.simulate.writers.sinusoidal import sinusoidal_tiles
from ssm_net.stations.matching import pixel_of

ACROSS = Domain("across", (336, 340, 962, 966))
BOXES = {
    "fiji": ([(177, -19, 180, -16), (-180, -19, -178, -16)], (177, -19, 182, -16)),
    "fiji 0-360": ([(177, -19, 182, -16)], (177, -19, 182, -16)),
    "russia": ([(27, 50, 180, 75), (-180, 62, -169, 70)], (27, 50, 191, 75)),
    "new zealand": ([(166, -47, 178.6, -34), (-177, -45, -176, -43)], (166, -47, 184, -34)),
    "usa": ([(172, 51, 180, 54), (-180, 51, -130, 70), (-125, 25, -67, 49)], (172, 25, 293, 70)),
    "0-360, on one side": ([(230, 30, 240, 40)], (-130, 30, -120, 40)),
}


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3832"])
@pytest.mark.parametrize("place", sorted(BOXES))
def test_an_area_across_the_dateline_is_one_domain(place: str, crs: str) -> None:
    parts, bounds = BOXES[place]
    area = Geometry(shapely.union_all([shapely.box(*b) for b in parts]), "EPSG:4326")
    if crs != "EPSG:4326":  # centred on the Pacific
        if "0-360" in place:
            pytest.skip("its longitudes are those of the projection")
        area = area.to_crs(crs, resolution=1.0)
    assert Domain.from_geometry("d", area).window == Domain.from_bbox("d", bounds).window


@pytest.mark.parametrize("written", ["split", "beyond"])
def test_a_boundary_file_masks_both_sides(tmp_path: Path, written: str) -> None:
    """RFC 7946 splits at the dateline; many files run on beyond 180 degrees."""
    parts = BOXES["fiji" if written == "split" else "fiji 0-360"][0]
    path = tmp_path / "fiji.geojson"
    path.write_text(shapely.to_geojson(shapely.MultiPolygon([shapely.box(*b) for b in parts])))
    domain = domain_of(DomainConfig(name="fiji", boundary=str(path)))
    assert domain.window == Domain.from_bbox("fiji", (177, -19, 182, -16)).window
    (tmp_path / "static").mkdir()
    inside = static_fields(tmp_path, domain, str(path))["inside"]
    lon, lat = domain.lonlat()
    wanted = np.outer((lat > -19) & (lat < -16), (lon > 177) & (lon < 182))
    assert (inside == wanted).mean() > 0.998 and wanted.any()


@pytest.mark.parametrize("box", [(-180, -80, 180, 80), (170, -20, 180, -10), (-180, 60, -165, 70), (104, 34, 112, 40)])
def test_areas_on_one_side_and_the_globe_are_windows(box: tuple[float, float, float, float]) -> None:
    area = Geometry(shapely.box(*box), "EPSG:4326")
    assert Domain.from_geometry("d", area).window == Domain.from_bbox("d", box).window


def test_the_ways_to_write_a_box() -> None:
    def window(*box: float) -> tuple[int, ...]:
        return domain_of(DomainConfig(name="d", bbox=list(box))).window

    assert window(170, -50, -175, -30) == window(170, -50, 185, -30) == window(-190, -50, -175, -30)
    assert window(170, -50, -175, -30)[2:] == (936, 980)
    assert window(230, 30, 240, 40) == window(-130, 30, -120, 40)
    for box, words in (
        ([112, 34, 104, 40], "west < east.*-180 to 180.*dateline"),
        ([0, -60, 360, 60], r"domain\.bbox=\[-180,-60,180,60\]"),
        ([170, -50, 185, -95], "south < north"),
    ):
        with pytest.raises(ConfigError, match=words):
            domain_of(DomainConfig(name="d", bbox=box))


@given(st.integers(0, 100), st.integers(1, 3), st.integers(1, 963), st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_columns_and_longitudes_run_on(row: int, high: int, col: int, wide: int) -> None:
    """Every cell is the cell of the globe at its longitude, whichever side it lies on."""
    wide = min(4 * wide, M36.cols)
    domain = Domain("d", (row, row + 4 * high, col, col + wide))
    lon, lat = domain.lonlat(coarse=True)
    assert (np.diff(lon) > 0).all() and lon[0] < 180
    globe = Domain("globe", (row, row + 4 * high, 0, M36.cols)).lonlat(coarse=True)
    cols = np.arange(col, col + wide)
    np.testing.assert_allclose((lon - globe[0][cols % M36.cols] + 180) % 360, 180, atol=1e-9)
    np.testing.assert_allclose(lat, globe[1])
    assert np.array_equal(domain.columns_of(cols % M36.cols), np.arange(wide))
    assert (domain.columns_of(np.array([-1])) == -1).all()
    west, _, east, _ = domain.bounds_lonlat()
    assert west < lon[0] and east > lon[-1] and east - west == pytest.approx(wide * 360 / M36.cols)
    covered = np.concatenate([np.arange(domain.fine_shape[1])[cols] for cols, _ in sides(domain.fine)])
    assert np.array_equal(covered, np.arange(domain.fine_shape[1]))


def wave(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """A field that is smooth across the dateline, of any longitudes, (lat, lon)."""
    return np.float32(20 + 5 * np.sin(np.radians(40 * lon))[None] + 3 * np.cos(np.radians(30 * lat))[:, None])


@pytest.mark.parametrize("layout", ["-180..180", "0..360", "0..360 centres", "piece", "two pieces"])
@pytest.mark.parametrize("how", ["bilinear", "nearest", "average"])
def test_grids_in_degrees_go_on_across_the_dateline(layout: str, how: str) -> None:
    """Every pixel as where nothing is cut: the field does not know of 180 degrees."""
    _, lat = ACROSS.lonlat()
    step = 0.25
    at_lat = np.arange(lat.min() // 1 - 2, lat.max() // 1 + 3, step) + step / 2
    half = 0 if layout == "0..360 centres" else step / 2  # as of ERA5: one pixel astride 180 degrees
    whole = np.arange(0, 360, step) + half
    at_lon = {"-180..180": np.arange(-180, 180, step) + half, "0..360": whole, "0..360 centres": whole}.get(
        layout, np.arange(175, 185, step) + half
    )
    pieces = np.split(at_lon, [at_lon.size // 3]) if layout == "two pieces" else [at_lon]
    rasters = [r for p in pieces for r in latlon.rasters(latlon.Axes("lat", "lon", at_lat, p), wave(p, at_lat))]
    got = regrid(rasters, ACROSS.fine, how)
    # The same columns where no dateline is, half a turn away, of a field that is turned as well.
    other = Domain("other", (336, 340, 962 - 482, 966 - 482))
    turned = np.arange(-20, 20, step) + half
    field = wave(turned + 180, at_lat)
    (raster,) = latlon.rasters(latlon.Axes("lat", "lon", at_lat, turned), field)
    wanted = regrid([raster], other.fine, how)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, wanted, atol=2e-4)


def test_coarse_maps_and_lists_find_both_sides(tmp_path: Path) -> None:
    values = np.arange(16, dtype=np.float32).reshape(4, 4) / 100 + 0.1
    netcdf.write_nnsm(tmp_path / "NNsm-AMSR2-2016124.nc", ACROSS, values)
    with xr.open_dataset(tmp_path / "NNsm-AMSR2-2016124.nc") as file:
        assert file.soil_moisture.shape == (406, 964) and int(np.isfinite(file.soil_moisture).sum()) == 16
        cell = file.soil_moisture.sel(longitude=-179.8, latitude=-41.0, method="nearest")
    np.testing.assert_allclose(easegrid.read_map(tmp_path / "NNsm-AMSR2-2016124.nc", ACROSS, "NNsm"), values)
    assert float(cell) == pytest.approx(float(values[0, 2]))
    row, col = np.indices((4, 4))
    got = easegrid.cells_from_points(ACROSS, row.ravel() + 336, (col.ravel() + 962) % 964, values.ravel())
    np.testing.assert_allclose(got, values)
    down, across = latlon.overlaps(
        latlon.Axes("lat", "lon", np.arange(-44, -39, 0.25), np.arange(0, 360, 0.25)), ACROSS
    )
    np.testing.assert_allclose(across.sum(1), 1)
    np.testing.assert_allclose(down.sum(1), 1)


def test_tiles_of_both_sides_are_read_where_they_lie() -> None:
    """A field written on MODIS tiles and read back, pixel by pixel."""
    lon, lat = ACROSS.lonlat()
    field = wave(lon, lat)
    rasters = []
    for tile in sinusoidal_tiles(ACROSS, 1200):
        (left, top), _ = tile.corners
        data = np.full((1200, 1200), np.nan, np.float32)
        data[tile.rows, tile.cols] = np.where(tile.inside, tile.linear(field), np.nan)
        pixel = viewfile.SIDE / 1200
        affine = type(ACROSS.fine.affine)(pixel, 0, left, 0, -pixel, top)
        rasters.append(Raster(data, GeoBox((1200, 1200), affine, SINUSOIDAL)))
    got = regrid(rasters, ACROSS.fine, "bilinear")
    inner = np.s_[2:-2, 2:-2]
    beside = np.isin(np.arange(144), (70, 71, 72, 73))  # where the tiles end amid their pixels
    assert np.isfinite(got[inner][:, ~beside[2:-2]]).all() and np.isfinite(got[:, beside]).mean() > 0.8
    assert np.nanmax(np.abs(got - field)[inner]) < 0.06


VIEWS = [("MYD11A1", "night", 1.5), ("MYD11A1", "day", 13.5), ("MOD11A1", "night", 22.5), ("MOD11A1", "day", 10.5)]


@pytest.mark.parametrize(("product", "part", "hour"), VIEWS)
@pytest.mark.parametrize("modis_day", ["utc", "local"])
def test_both_sides_are_seen_at_one_moment(
    tmp_path: Path, product: str, part: str, hour: float, modis_day: str
) -> None:
    """The views of a day are within an hour of each other, not a day apart."""
    for n in (-3, -2, -1, 0, 1, 2):
        viewfile.write_views(tmp_path, product, viewfile.DAY + dt.timedelta(n), ACROSS, 280 + n, hour, part.title())
    got = read_granules(viewfile.planned(tmp_path, ACROSS, modis_day=modis_day)).lst[part]
    assert got is not None and np.isfinite(got[0][:, :72]).all() and np.isfinite(got[0][:, 73:]).all()
    filed = [np.unique(np.rint(half - 280)) for half in (got[0][:, :72], got[0][:, 73:])]
    assert all(len(f) == 1 for f in filed)
    west, east = (int(f[0]) for f in filed)
    if modis_day == "utc":
        ahead = 24 * (hour > 12 and part == "night")
        near_side = np.floor((hour - ahead - 179 / 15) / 24)
        assert (west, east) == (near_side, near_side), "archives that cut days at 00 UTC do not cut at the dateline"
    else:
        assert east == west - 1, "the local calendar does"


def test_cci_files_of_both_kinds(tmp_path: Path) -> None:
    for n in (-3, -2, -1, 0, 1):
        day = viewfile.DAY + dt.timedelta(n)
        viewfile.write_cci(tmp_path / "utc", day, ACROSS, 275 + n, 13.6, "night")
        viewfile.write_cci(tmp_path / "local", day, ACROSS, 275 + n, None, "night")
    got = read_granules(viewfile.planned(tmp_path / "utc", ACROSS)).lst["night"]
    assert got is not None and np.allclose(got[0], 274, atol=0.01)
    got = read_granules(viewfile.planned(tmp_path / "local", ACROSS)).lst["night"]
    assert got is not None
    np.testing.assert_allclose(got[0][:, [0, 60, 80, 143]], np.broadcast_to([275, 275, 274, 274], (144, 4)), atol=0.01)


def test_maps_have_longitudes_of_the_globe() -> None:
    lon, lat = ACROSS.lonlat()
    ssm = wave(lon, lat) / 100
    mosaic = Mosaic(viewfile.DAY, ACROSS, ssm, np.full_like(ssm, 0.02), np.zeros(ssm.shape, np.uint16))
    file = as_dataset(mosaic)
    assert file.lon.min() > -180 and file.lon.max() < 180
    np.testing.assert_allclose(near(file.lon.values, 180.0), lon)
    assert file.attrs["geospatial_lon_min"] > file.attrs["geospatial_lon_max"]  # ACDD: it crosses
    assert (np.diff(file.x) > 0).all()
    bands, transform = to_degrees(mosaic)
    at = transform.c + transform.a * (np.arange(bands.shape[2]) + 0.5)
    down = transform.f + transform.e * (np.arange(bands.shape[1]) + 0.5)
    values = unpack(bands[0])[10:-10, 10:-10]
    assert at[0] < 180 < at[-1] and np.isfinite(values).all()
    np.testing.assert_allclose(values, (wave(at, down) / 100)[10:-10, 10:-10], atol=2e-3)


def test_a_station_is_in_its_pixel_on_either_side() -> None:
    lon, lat = ACROSS.lonlat()
    for col in (3, 71, 72, 140):
        assert pixel_of(float((lon[col] + 180) % 360 - 180), float(lat[20]), ACROSS) == (20, col)
    assert pixel_of(0.0, float(lat[20]), ACROSS) is None


def test_rain_falls_on_both_sides(tmp_path: Path) -> None:
    """Files of an archive around the globe, in days of UTC."""
    lon = np.arange(-180, 180, 0.5) + 0.25
    lat = np.arange(-45, -38, 0.5) + 0.25
    grid, path = RainGrid(lat, lon, np.empty(0), np.empty(0)), tmp_path / "precip_20160503.nc"
    start, end = (dt.datetime(2016, 5, 3) + dt.timedelta(n) for n in (0, 1))
    netcdf.write_rain(path, grid, wave(lon, lat), start, end)
    got = rain_between([Granule("precip", path, viewfile.DAY)], np.datetime64(start), np.datetime64(end), ACROSS.fine)
    at = ACROSS.lonlat()
    np.testing.assert_allclose(got, wave(*at), atol=0.3)
    assert np.abs(np.diff(got, axis=1)).max() < 0.1, "no step at the dateline"
