"""Which files of raw/static are which map; names that are taken, maps that nothing uses and tiles of elevation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from archive import tif

from ssm_net.cube.masks import PRODUCTION_MAPS
from ssm_net.grid import Domain
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.static import read_static
from ssm_net.ingest.static_files import DERIVED, USED, find_static
from ssm_net.inputs.features import FEATURES

DOMAIN = Domain("part", (84, 88, 792, 796))


@pytest.mark.parametrize("name", ["static/Elevation.TIF", "Static/ELEVATION.tiff", "static/2020/elevation.tif"])
def test_T8_capitals_and_folders_of_maps(tmp_path: Path, name: str) -> None:
    tif(tmp_path / name, 500.0)
    assert (read_static(tmp_path, DOMAIN.fine)["elevation"] == 500).all()
    assert find_static(tmp_path).remarks == ()


COPERNICUS = "Copernicus_DSM_COG_10_N{:02d}_00_E{:03d}_00_DEM"


@pytest.mark.parametrize(
    "names",
    [
        ("Copernicus_DSM_COG_10_N30_00_E100_00_DEM/Copernicus_DSM_COG_10_N30_00_E100_00_DEM.tif",
         "Copernicus_DSM_COG_10_N30_00_E101_00_DEM/Copernicus_DSM_COG_10_N30_00_E101_00_DEM.tif"),
        ("Copernicus_DSM_30_N30_00_E100_00_DEM.tif", "Copernicus_DSM_30_N30_00_E101_00_DEM.tif"),
        ("N30E100.tif", "N30E101.tif"),
        ("ASTGTMV003_N30E100_dem.tif", "ASTGTMV003_N30E101_dem.tif"),
        ("srtm_57_06.tif", "srtm_58_06.tif"),
    ],
    ids=["T12", "T12-flat", "T12-srtm", "T12-aster", "T12-cgiar"],
)  # fmt: skip
def test_T12_tiles_of_elevation_are_one_map(tmp_path: Path, names: tuple[str, str]) -> None:
    west, _, east, north = DOMAIN.bounds_lonlat()
    middle = (west + east) / 2
    tif(tmp_path / "static" / names[0], 100.0, middle - 10, north + 5, 40, 0.25)
    tif(tmp_path / "static" / names[1], 900.0, middle, north + 5, 40, 0.25)
    z = read_static(tmp_path, DOMAIN.fine)["elevation"]
    # Between the tiles it is interpolated, as within one, over a pixel of theirs.
    np.testing.assert_allclose(z[:, :50], 100, rtol=1e-6)
    np.testing.assert_allclose(z[:, -50:], 900, rtol=1e-6)
    assert (np.diff(z, axis=1) > -1e-3).all()
    assert not [r for r in find_static(tmp_path).remarks if not r.expected]


def test_T12_a_tile_outside_the_domain_is_no_obstacle(tmp_path: Path) -> None:
    tif(tmp_path / "static" / "N30E100.tif", 100.0)
    tif(tmp_path / "static" / "S30W060.tif", 900.0, -60.0, -29.0)
    np.testing.assert_allclose(read_static(tmp_path, DOMAIN.fine)["elevation"], 100, rtol=1e-6)


@pytest.mark.parametrize("name", ["rain", "Rain", "api_10", "lst_day", "red", "ssm", "relief", "inside"])
def test_T10_names_of_other_variables_are_refused(tmp_path: Path, name: str) -> None:
    tif(tmp_path / "static" / f"{name}.tif", 777.0)
    assert read_static(tmp_path, DOMAIN.fine) == {}
    (remark,) = find_static(tmp_path).remarks
    assert remark.file == f"{name}.tif" and "is taken" in remark.what and "another name" in remark.remedy


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("twi", "maps in use are elevation, sand, clay, water_fraction, urban"),
        ("dem", "name it elevation.tif"),
        ("sand_of_the_world", "name it sand.tif"),
        ("elevaton", "name it elevation.tif"),
    ],
)
def test_T11_a_map_that_no_feature_uses_is_said(tmp_path: Path, name: str, remedy: str) -> None:
    tif(tmp_path / "static" / f"{name}.tif", 3.0)
    (remark,) = find_static(tmp_path).remarks
    assert remark.file == f"{name}.tif" and "used by no feature" in remark.what and remedy in remark.remedy


def test_T11_the_maps_in_use_are_those_of_features_and_masks() -> None:
    needs = {name for feature in FEATURES for name in feature.needs}
    assert set(USED) | set(DERIVED) >= set(PRODUCTION_MAPS)
    assert {*USED, *DERIVED} - set(PRODUCTION_MAPS) <= needs


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_a_map_that_lies_nowhere_is_named(tmp_path: Path) -> None:
    """Its corners are lost: GDAL's error is no trace, and names the file."""
    path = tmp_path / "static" / "elevation.tif"
    path.parent.mkdir()
    with rasterio.open(path, "w", driver="GTiff", width=4, height=4, count=1, dtype="float32", crs="EPSG:4326") as file:
        file.write(np.ones((1, 4, 4), np.float32))
    with pytest.raises(GranuleError, match=r"elevation\.tif"):
        read_static(tmp_path, Domain("x", (64, 68, 772, 776)).fine)
