"""Resampling by rows: what a plain sum over source pixels gives, and what GDAL gives where its kernel is the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio.warp
from affine import Affine
from eosfile import read_layer
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from ssm_net.grid import Domain
from ssm_net.ingest.modis_tiles import SINUSOIDAL
from ssm_net.ingest.products import product
from ssm_net.ingest.rowwise import RowTable, regrid_rows, row_table

TARGET = Domain("tiny", (68, 72, 772, 776)).fine


def sinusoidal(pixel: float, shape: tuple[int, int] = (260, 420)) -> GeoBox:
    """A source that holds the target with some margin."""
    box = TARGET.extent.to_crs(SINUSOIDAL, resolution=5000).boundingbox
    rows = int((box.top - box.bottom) / pixel) + 12
    cols = int((box.right - box.left) / pixel) + 12
    return GeoBox((rows, cols), Affine(pixel, 0, box.left - 6 * pixel, 0, -pixel, box.top + 6 * pixel), SINUSOIDAL)


def brute(data: np.ndarray, rows: RowTable, nx: int, how: str) -> np.ndarray:
    """The same by its definition, one target pixel after the other."""
    out = np.full((len(rows.centre), nx), np.nan)
    ys, xs = (np.arange(n) + 0.5 for n in data.shape)
    valid = np.isfinite(data)
    for j in range(len(out)):
        for i in range(nx):
            y, x = rows.centre[j], rows.edge[j] + rows.width[j] * (i + 0.5)
            h, w = rows.height[j], rows.width[j]
            if how == "average":
                wy = np.clip(np.minimum(ys + 0.5, y + h / 2) - np.maximum(ys - 0.5, y - h / 2), 0, None)
                wx = np.clip(np.minimum(xs + 0.5, x + w / 2) - np.maximum(xs - 0.5, x - w / 2), 0, None)
            else:
                wy, wx = (np.clip(1 - np.abs(c - at) / max(s, 1), 0, None) for c, at, s in ((ys, y, h), (xs, x, w)))
            weight = np.outer(wy, wx) * valid
            inside = 0 <= int(np.floor(y)) < data.shape[0] and 0 <= int(np.floor(x)) < data.shape[1]
            near = inside and valid[int(np.floor(y)), int(np.floor(x))]
            if weight.sum() > 1e-6 and (how == "average" or near):
                out[j, i] = (weight * np.nan_to_num(data)).sum() / weight.sum()
    return out


@pytest.mark.parametrize("how", ["bilinear", "average"])
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31), height=st.floats(0.3, 3.2), width=st.floats(0.3, 3.2), skew=st.floats(-0.8, 0.8),
    missing=st.floats(0, 0.9),
)  # fmt: skip
def test_every_pixel_is_the_weighted_mean_of_what_is_there(
    how: str, seed: int, height: float, width: float, skew: float, missing: float
) -> None:
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(14, 17)).astype(np.float32)
    data[rng.random(data.shape) < missing] = np.nan
    n = np.arange(6)
    rows = RowTable(1 + height * (n + 0.5), np.full(6, height), 2 + skew * n, np.full(6, width))
    np.testing.assert_allclose(regrid_rows(data, rows, 5, how), brute(data, rows, 5, how), atol=2e-5)


def test_the_table_places_pixels_where_gdal_does() -> None:
    source = sinusoidal(926.6254330555)
    rows = row_table(source, TARGET)
    assert rows is not None
    data = np.arange(source.shape[0] * source.shape[1], dtype=np.float32).reshape(source.shape)
    want = np.full(tuple(TARGET.shape), np.nan, np.float32)
    rasterio.warp.reproject(data, want, src_transform=source.affine, src_crs=str(source.crs),
                            dst_transform=TARGET.affine, dst_crs=str(TARGET.crs), dst_nodata=np.nan,
                            resampling=Resampling.nearest, tolerance=0)  # fmt: skip
    assert (regrid_rows(data, rows, TARGET.shape[1], "nearest") == want).mean() > 0.9999  # ties between two pixels


def test_means_of_half_kilometres_are_conserved() -> None:
    """A smooth field averaged to 1 km is the field at 1 km."""
    source = sinusoidal(463.31271652775)
    rows = row_table(source, TARGET)
    assert rows is not None and 1.8 < rows.width.mean() < 2.2 and 2.3 < rows.height.mean() < 2.7
    y, x = (np.arange(n, dtype=np.float32) for n in source.shape)
    got = regrid_rows(y[:, None] * 0.01 + x[None] * 0.02, rows, TARGET.shape[1], "average")
    across = rows.edge[:, None] + rows.width[:, None] * (np.arange(TARGET.shape[1]) + 0.5)
    np.testing.assert_allclose(got, 0.01 * (rows.centre[:, None] - 0.5) + 0.02 * (across - 0.5), atol=2e-3)


def test_the_kernel_does_not_depend_on_what_else_is_resampled() -> None:
    source = sinusoidal(926.6254330555)
    data = np.random.default_rng(0).normal(size=tuple(source.shape)).astype(np.float32)
    whole, part = row_table(source, TARGET), row_table(source, TARGET[40:60, 30:50])
    assert whole is not None and part is not None
    np.testing.assert_allclose(regrid_rows(data, whole, TARGET.shape[1], "bilinear")[40:60, 30:50],
                               regrid_rows(data, part, 20, "bilinear"), atol=1e-4)  # fmt: skip


def test_latitude_and_longitude_have_a_table_and_a_conic_projection_has_none() -> None:
    degrees = GeoBox((40, 60), Affine(0.1, 0, 100, 0, -0.1, 45), "EPSG:4326")
    assert row_table(degrees, TARGET) is not None
    albers = "+proj=aea +lat_1=25 +lat_2=47 +lon_0=105"
    assert row_table(GeoBox((400, 600), Affine(1000, 0, 0, 0, -1000, 4e6), albers), TARGET) is None


def test_beyond_the_source_there_is_nothing() -> None:
    rows = RowTable(np.array([-5.0, 0.5, 30.0]), np.ones(3), np.array([0.0, -3.0, 0.0]), np.ones(3))
    out = regrid_rows(np.ones((4, 4), np.float32), rows, 5, "bilinear")
    assert np.isnan(out[[0, 2]]).all() and np.isnan(out[1, :3]).all() and (out[1, 3:] == 1).all()


def by_gdal(source: GeoBox, data: np.ndarray, target: GeoBox, **kernel: float) -> np.ndarray:
    out = np.full(tuple(target.shape), np.nan, np.float32)
    rasterio.warp.reproject(data, out, src_transform=source.affine, src_crs=str(source.crs), src_nodata=np.nan,
                            dst_transform=target.affine, dst_crs=str(target.crs), dst_nodata=np.nan,
                            resampling=Resampling.bilinear, **kernel)  # fmt: skip
    return out


@pytest.mark.real
@pytest.mark.parametrize("corner", [(220, 376), (228, 380), (232, 384)])
def test_a_real_tile_is_what_gdal_makes_of_it_with_a_kernel_of_that_width(
    real_dir: Path, corner: tuple[int, int]
) -> None:
    """LST of MOD11A1 h14v09. Left to itself GDAL takes the kernel's width from the window; told, it agrees."""
    path, entry = next((real_dir / "modis").glob("MOD11A1*.hdf")), product("MOD11A1")
    row, col = corner
    here = Domain("near", (row, row + 4, col, col + 4)).fine
    layer = None if entry is None else entry.layer("lst_day")
    assert layer is not None
    read = read_layer(path, layer, here)
    assert read is not None
    value, _ = read
    rows = row_table(value.geobox, here)
    assert rows is not None
    got = regrid_rows(value.data, rows, here.shape[1], "bilinear")
    width, height = float(rows.width.mean()), float(rows.height.mean())
    told = by_gdal(value.geobox, value.data, here, XSCALE=1 / width, YSCALE=1 / height)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(told))
    assert np.isfinite(got).mean() > 0.5
    np.testing.assert_allclose(got, told, atol=0.02)  # K; the width of one row is not quite that of another
    assert np.nanstd(got - by_gdal(value.geobox, value.data, here)) < 0.1
