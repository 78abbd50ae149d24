"""Static maps from the tiles that archives deliver: read right, averaged, without seams, and refused in words."""

from __future__ import annotations

import itertools
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy.ndimage import gaussian_filter

from ssm_net.grid import Domain
from ssm_net.ingest.modis_tiles import SINUSOIDAL
from ssm_net.ingest.mosaic import PIXELS, Tile, mosaic
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.static import read_static, sources_of
from ssm_net.ingest.static_files import find_static
from ssm_net.simulate.writers import static_tiles as writers

DUERO = Domain("duero", (68, 72, 464, 468))  # of REMEDHUS, Spain
FIFTY = Domain.from_bbox("fifty", (14.4, 49.8, 14.6, 50.1))


def field(domain: Domain, low: float, high: float, smooth: float = 6.0, seed: int = 0) -> writers.FineMap:
    """A smooth random map from ``low`` to ``high``."""
    values = gaussian_filter(np.random.default_rng(seed).standard_normal(domain.fine_shape), smooth)
    values = (values - values.min()) / np.ptp(values)
    return writers.FineMap(domain, (low + (high - low) * values).astype(np.float32))


def geotiff(path: Path, data: np.ndarray, left: float, top: float, pixel: float, nodata: float | None = None,
            units: str = "") -> Path:  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", height=data.shape[0], width=data.shape[1], count=1, dtype=data.dtype,
                       crs="EPSG:4326", transform=Affine(pixel, 0, left, 0, -pixel, top),
                       nodata=nodata) as file:  # fmt: skip
        file.write(data, 1)
        file.units = (units,)
    return path


@pytest.mark.parametrize(
    ("write", "name", "domain", "low", "high", "tolerance", "source"),
    [
        (partial(writers.write_nasadem, side=1201), "elevation", DUERO, 200, 1700, 2.0, "NASADEM, in m"),
        (writers.write_copernicus, "elevation", FIFTY, 200, 1700, 2.0, "Copernicus DEM, in m"),
        (writers.write_mod44w, "water_fraction", DUERO, 0, 1, 0.03, "MOD44W, in a fraction, 0 .. 1"),
        (writers.write_jrc_occurrence, "water_fraction", DUERO, 0, 1, 0.01, "JRC .* brought from percent"),
        (partial(writers.write_ghsl, side=1500), "urban", DUERO, 0, 1, 0.002, "GHSL .* brought from m2 per cell"),
    ],
    ids=["nasadem", "copernicus-50N", "mod44w", "jrc", "ghsl"],
)
def test_a_product_is_read_as_it_was_written(tmp_path, write, name, domain, low, high, tolerance, source) -> None:
    """Every pixel has its value in the unit of the map, at the edges of tiles as elsewhere; the account names both."""
    true = field(domain, low, high)
    (tmp_path / "static").mkdir()
    paths = write(tmp_path / "static", true)
    read = read_static(tmp_path, domain.fine)[name]
    error = read - true.values
    assert np.isfinite(read).all() and np.abs(error).std() < tolerance and abs(error.mean()) < tolerance / 4
    (said,) = [r for r in sources_of(find_static(tmp_path)) if r.what.startswith(name)]
    assert np.all([part in said.what for part in source.split(" .* ")]) and said.count == len(paths)


def test_soilgrids_are_g_per_kg_on_their_own_projection(tmp_path) -> None:
    """Its tiles bear numbers alone: the name of their folder says what they are."""
    for name, low, high in (("sand", 20, 80), ("clay", 1, 40)):
        true = field(DUERO, low, high)
        writers.write_soilgrids(tmp_path / "static", name, true)
        read = read_static(tmp_path, DUERO.fine)[name]
        assert np.isfinite(read).all() and np.abs(read - true.values).max() < 0.5


def test_worldcover_gives_water_and_towns(tmp_path) -> None:
    """Of one classification two maps are made; a map of water of its own goes before it."""
    classes = writers.FineMap(DUERO, np.full(DUERO.fine_shape, 30, np.float32))
    classes.values[:, :40], classes.values[:, 100:] = 80, 50
    (tmp_path / "static").mkdir()
    writers.write_worldcover(tmp_path / "static", classes)
    read = read_static(tmp_path, DUERO.fine)
    assert read["water_fraction"][:, :38].min() > 0.99 and read["water_fraction"][:, 45:95].max() < 0.01
    assert read["urban"][:, 102:].min() > 0.99 and read["urban"][:, 45:95].max() < 0.01
    writers.write_mod44w(tmp_path / "static", field(DUERO, 0, 1))
    assert 0.1 < read_static(tmp_path, DUERO.fine)["water_fraction"].mean() < 0.9
    assert not [r for r in find_static(tmp_path).remarks if not r.expected]


def test_built_up_surface_in_degrees_counts_by_the_area_of_its_cells(tmp_path) -> None:
    """GHSL on latitudes and longitudes: cells are smaller further north, so a fraction is not m2 / 10000."""
    west, south, east, north = DUERO.bounds_lonlat()
    pixel, n = 3 / 3600, int((north - south + 0.2) * 1200)
    lat = north + 0.1 - pixel * (np.arange(n) + 0.5)
    metres = np.pi / 180 * 6371007 * pixel
    half = np.repeat((0.5 * metres**2 * np.cos(np.radians(lat)))[:, None], int((east - west + 0.2) * 1200), 1)
    name = "GHS_BUILT_S_E2020_GLOBE_R2023A_4326_3ss_V1_0_R5_C18.tif"
    geotiff(tmp_path / "static" / name, half.astype(np.uint16), west - 0.1, north + 0.1, pixel, 65535)
    np.testing.assert_allclose(read_static(tmp_path, DUERO.fine)["urban"], 0.5, atol=0.003)


@pytest.mark.parametrize("crs", ["EPSG:4326", SINUSOIDAL, "EPSG:3857"])
@pytest.mark.parametrize("finer", [0.5, 3.3, 6.0])
def test_tiles_make_the_same_map_as_one_file(crs: str, finer: float) -> None:
    """Whatever the cut, and whatever tiles overlap: the mean of a pixel knows no boundary between tiles."""
    rng = np.random.default_rng(7)
    box = DUERO.fine.extent.to_crs(crs, resolution=1000).boundingbox
    pixel = (box.right - box.left) / DUERO.fine_shape[1] / finer
    height, width = (int(span / pixel) + 20 for span in (box.top - box.bottom, box.right - box.left))
    whole = GeoBox((height, width), Affine(pixel, 0, box.left - 9 * pixel, 0, -pixel, box.top + 9 * pixel), crs)
    data = gaussian_filter(rng.standard_normal((height, width)), 2).astype(np.float32)
    data[rng.random(data.shape) < 0.02] = np.nan

    def tile(rows: slice, cols: slice) -> Tile:
        part = data[rows, cols]
        return Tile(whole[rows, cols], lambda w: part[w[0] : w[1], w[2] : w[3]])

    cuts_y, cuts_x = (np.array([0, n // 3, n // 3 + n // 7, n]) for n in (height, width))
    tiles = [tile(slice(max(y0 - 1, 0), y1), slice(x0, min(x1 + 1, width)))
             for y0, y1 in itertools.pairwise(cuts_y)
             for x0, x1 in itertools.pairwise(cuts_x)]  # fmt: skip
    one = mosaic([tile(slice(0, height), slice(0, width))], DUERO.fine)
    rng.shuffle(tiles)  # type: ignore[arg-type]
    assert np.isfinite(one).any()
    np.testing.assert_allclose(mosaic(tiles, DUERO.fine), one, atol=1e-5)


def test_a_country_of_tiles_is_never_in_memory_and_those_elsewhere_are_not_read() -> None:
    """900 tiles of a degree at 30 m: windows are read, of tiles in the domain only."""
    read: dict[tuple[int, int], int] = {}

    def tile(lat: int, lon: int) -> Tile:
        geobox = GeoBox(
            (3601, 3601), Affine(1 / 3600, 0, lon - 0.5 / 3600, 0, -1 / 3600, lat + 1 + 0.5 / 3600), "EPSG:4326"
        )

        def window(w: tuple[int, int, int, int]) -> np.ndarray:
            shape = w[1] - w[0], w[3] - w[2]
            read[lat, lon] = max(read.get((lat, lon), 0), shape[0] * shape[1])
            return np.full(shape, 7.0, np.float32)

        return Tile(geobox, window)

    out = mosaic([tile(lat, lon) for lat in range(30, 60) for lon in range(-15, 15)], DUERO.fine)
    west, south, east, north = DUERO.bounds_lonlat()
    np.testing.assert_allclose(out, 7, rtol=1e-5)
    assert max(read.values()) <= PIXELS
    assert {lat for lat, _ in read} <= set(range(int(south) - 1, int(north) + 2))
    assert {lon for _, lon in read} <= set(range(int(west) - 2, int(east) + 1))


def test_tiles_on_both_sides_of_the_dateline() -> None:
    """A box of the target that lies on it has two ends of the world on its source, and needs nothing in between."""
    target = Domain("x", (200, 204, 960, 964)).fine
    a = target.affine
    across = GeoBox(target.shape, Affine(a.a, 0, a.c + 72 * a.a, 0, a.e, a.f), target.crs)
    sides = {170: 1.0, -180: 2.0}
    tiles = [Tile(GeoBox((2000, 1000), Affine(0.01, 0, lon, 0, -0.01, 10), "EPSG:4326"),
                  lambda w, v=value: np.full((w[1] - w[0], w[3] - w[2]), v, np.float32))
             for lon, value in sides.items()]  # fmt: skip
    out = mosaic(tiles, across)
    assert np.isfinite(out).all() and (out[:, :72] == 1).all() and (out[:, 72:] == 2).all()


def test_a_newer_edition_goes_before_an_older_one(tmp_path) -> None:
    """The map of 2021 counts, and that of 2020 where it has no value."""
    west, _, _, north = DUERO.bounds_lonlat()
    new = np.full((700, 700), 80, np.uint8)
    new[:, 250:] = 0  # without data
    geotiff(
        tmp_path / "static" / "ESA_WorldCover_10m_2021_v200_N39W006_Map.tif", new, west - 0.2, north + 0.2, 0.006, 0
    )
    old = np.full((700, 700), 30, np.uint8)
    geotiff(
        tmp_path / "static" / "ESA_WorldCover_10m_2020_v100_N39W006_Map.tif", old, west - 0.2, north + 0.2, 0.006, 0
    )
    water = read_static(tmp_path, DUERO.fine)["water_fraction"]
    assert np.isfinite(water).all() and (water[:, :80] > 0.999).all() and (water[:, -15:] < 0.001).all()


def test_voids_of_one_tile_and_the_rest_of_the_domain_are_missing(tmp_path) -> None:
    """Heights of SRTM: -32768 is none, and beyond the tiles there is none: not sea level."""
    heights = np.full((1201, 1201), 500, ">i2")
    heights[:600] = -32768
    path = tmp_path / "static" / "elevation" / "N41W006.hgt"
    path.parent.mkdir(parents=True)
    heights.tofile(path)
    z = read_static(tmp_path, DUERO.fine)["elevation"]
    lat = DUERO.lonlat()[1]
    inside = (lat > 41.01) & (lat < 41.49)
    known = np.isfinite(z)
    assert known[inside].any() and not known[(lat > 41.51) | (lat < 40.99)].any()
    np.testing.assert_allclose(z[known], 500, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sand/tile_1.tif", 480, r"likely g/kg; put tiles of SoilGrids into static/sand_0-5cm_mean"),
        ("sand/tile_1.tif", 0.4, r"too small for sand.*fractions"),
        ("water/lakes_1.tif", 60, r"likely percent; state the unit in each tile: gdal_edit.py -units 'percent'"),
        ("elevation/part_1.tif", 20000, "likely feet, decimetres or centimetres"),
    ],
)
def test_tiles_in_another_unit_are_refused_with_the_remedy(tmp_path, name: str, value: float, words: str) -> None:
    west, _, _, north = DUERO.bounds_lonlat()
    geotiff(tmp_path / "static" / name, np.full((700, 700), value, np.float32), west - 0.2, north + 0.2, 0.006)
    with pytest.raises(GranuleError, match=words):
        read_static(tmp_path, DUERO.fine)


def test_a_unit_that_tiles_state_counts(tmp_path) -> None:
    west, _, _, north = DUERO.bounds_lonlat()
    data = np.full((700, 700), 60, np.uint8)
    geotiff(tmp_path / "static" / "water" / "a.tif", data, west - 0.2, north + 0.2, 0.006, units="percent")
    np.testing.assert_allclose(read_static(tmp_path, DUERO.fine)["water_fraction"], 0.6, rtol=1e-6)


def test_a_list_of_files_under_the_name_of_a_tile_is_not_followed(tmp_path) -> None:
    """GDAL goes by content: a name must not lead it to other files, or to addresses."""
    secret = geotiff(tmp_path / "secret.tif", np.full((700, 700), 500, np.float32), -8.0, 43.0, 0.01)
    vrt = (f'<VRTDataset rasterXSize="700" rasterYSize="700"><SRS>EPSG:4326</SRS><GeoTransform>-8,.01,0,43,0,-.01'
           f'</GeoTransform><VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename>{secret}'
           "</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>")  # fmt: skip
    for name in ("elevation.tif", "N41W006.tif"):
        path = tmp_path / "static" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(vrt)
        with pytest.raises(GranuleError, match=rf"{name}.*(not a whole GeoTIFF|error message)"):
            read_static(tmp_path, DUERO.fine)
        path.unlink()
    (tmp_path / "static" / "sand_0-5cm_mean.vrt").write_text(vrt)
    assert "sand" not in read_static(tmp_path, DUERO.fine)
    (remark,) = find_static(tmp_path).remarks
    assert "a list of files" in remark.what and "put the tiles" in remark.remedy


def test_damaged_archives_are_named(tmp_path) -> None:
    path = tmp_path / "static" / "NASADEM_HGT_n41w006.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("n41w006.hgt", bytes(100))
    with pytest.raises(GranuleError, match=r"n41w006\.zip.*100 bytes, which no file of SRTM heights has"):
        read_static(tmp_path, DUERO.fine)
    noise = np.random.default_rng(0).integers(0, 500, (3601, 3601)).astype(">i2").tobytes()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("n41w006.hgt", noise)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.write_bytes(whole)
    with pytest.raises(GranuleError, match=r"n41w006\.zip: damaged or cut short"):
        read_static(tmp_path, DUERO.fine)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GranuleError, match=r"n41w006\.zip.*not a whole zip archive"):
        read_static(tmp_path, DUERO.fine)


def test_what_lies_beside_tiles_is_no_map(tmp_path) -> None:
    """Errors, counts and water bodies that come with tiles are not stored, and other sources of a map are named."""
    west, _, _, north = DUERO.bounds_lonlat()
    data = np.full((700, 700), 300, np.int16)
    for name in ("Copernicus_DSM_COG_10_N41_00_W006_00_DEM", "AUXFILES/Copernicus_DSM_COG_10_N41_00_W006_00_WBM",
                 "n41w006_dem", "sand_0-5cm_uncertainty", "sand_15-30cm_mean", "sand_0-5cm_mean"):  # fmt: skip
        geotiff(tmp_path / "static" / f"{name}.tif", data, west - 0.2, north + 0.2, 0.006)
    found = find_static(tmp_path)
    assert sorted(found.maps) == ["elevation", "sand"] and found.maps["elevation"].source == "Copernicus DEM"
    said = {r.file.split("/")[-1]: r for r in found.remarks}
    assert said["n41w006_dem.tif"].what == "another source of elevation, which is made of Copernicus DEM"
    assert "greater depth than 0 cm" in said["sand_15-30cm_mean.tif"].what
    assert said["sand_0-5cm_uncertainty.tif"].expected and not said["n41w006_dem.tif"].expected
    np.testing.assert_allclose(read_static(tmp_path, DUERO.fine)["sand"], 30, rtol=1e-6)


def test_what_is_lacking_is_said(tmp_path) -> None:
    assert {r.file: "not given" in r.what for r in sources_of(find_static(tmp_path))} == dict.fromkeys(
        ("elevation", "sand", "clay", "water_fraction", "urban"), True
    )
