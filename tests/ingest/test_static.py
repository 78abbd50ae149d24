"""GeoTIFF statics onto the fine grid."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine

from ssm_net.grid import Domain
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.static import read_static

DOMAIN = Domain("part", (84, 88, 792, 796))


def tif(path, data, left, top, pixel, crs="EPSG:4326", nodata=-9999):
    path.parent.mkdir(exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", width=data.shape[1], height=data.shape[0], count=1, dtype=data.dtype,
                       crs=crs, transform=Affine(pixel, 0, left, 0, -pixel, top), nodata=nodata) as file:  # fmt: skip
        file.write(data, 1)


def test_fine_sources_are_averaged_and_coarse_ones_interpolated(tmp_path):
    west, _, east, north = DOMAIN.bounds_lonlat()
    n = int((east - west + 1) / 0.0025)
    checks = (np.indices((n, n)).sum(0) % 2).astype(np.float32)
    tif(tmp_path / "static" / "water_fraction.tif", checks, west - 0.5, north + 0.5, 0.0025)
    ramp = np.tile(np.arange(20, dtype=np.float32), (20, 1))
    tif(tmp_path / "static" / "elevation.tif", ramp, west - 1, north + 1, 0.25)
    out = read_static(tmp_path, DOMAIN.fine)
    assert sorted(out) == ["elevation", "water_fraction"]
    assert out["water_fraction"].shape == DOMAIN.fine_shape
    assert abs(out["water_fraction"].mean() - 0.5) < 0.01 and out["water_fraction"].std() < 0.1
    assert (np.diff(out["elevation"], axis=1) > 0).all()


def test_no_folder_is_no_statics(tmp_path):
    assert read_static(tmp_path, DOMAIN.fine) == {}


def test_same_grid_is_taken_as_it_is(tmp_path):
    data = np.arange(144 * 144, dtype=np.float32).reshape(144, 144)
    a = DOMAIN.fine.affine
    tif(tmp_path / "static" / "soil_depth.tif", data, a.c, a.f, a.a, crs="EPSG:6933")
    np.testing.assert_allclose(read_static(tmp_path, DOMAIN.fine)["soil_depth"], data)


def test_broken_files_are_named(tmp_path):
    path = tmp_path / "static" / "clay.tif"
    tif(path, np.ones((5, 5), np.float32), 0.0, 0.0, 1.0)
    with pytest.raises(GranuleError, match=r"clay\.tif.*inside the domain"):
        read_static(tmp_path, DOMAIN.fine)
    path.write_bytes(b"noise")
    with pytest.raises(GranuleError, match=r"clay\.tif.*not a whole GeoTIFF"):
        read_static(tmp_path, DOMAIN.fine)
