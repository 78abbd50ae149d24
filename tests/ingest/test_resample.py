"""Onto our grid: position, seams between tiles, gaps."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from ssm_net.grid import Domain
from ssm_net.ingest.modis_tiles import SINUSOIDAL
from ssm_net.ingest.raster import LazyRaster, Raster
from ssm_net.ingest.resample import regrid, regrid_each

PIXEL = 926.625433055556
DOMAIN = Domain("part", (84, 88, 792, 796))


def plane(geobox):
    """A field linear in longitude and latitude at the centres of a geobox."""
    rows, cols = geobox.shape
    x, y = (
        geobox.affine.c + geobox.affine.a * (np.arange(cols) + 0.5),
        geobox.affine.f + geobox.affine.e * (np.arange(rows) + 0.5),
    )  # fmt: skip
    lon, lat = Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True).transform(*np.meshgrid(x, y))
    return (lon - 115) + 2 * (lat - 40)


def tiles(pixel=PIXEL, jitter=0.0, split=400):
    """Two rasters side by side over the domain, on one sinusoidal grid."""
    box = DOMAIN.fine.extent.to_crs(SINUSOIDAL, resolution=10000).boundingbox
    left, top = np.floor(box.left / pixel - 5) * pixel, np.ceil(box.top / pixel + 5) * pixel
    rows, cols = int((top - box.bottom) / pixel) + 6, int((box.right - left) / pixel) + 6
    whole = GeoBox((rows, cols), Affine(pixel, 0, left, 0, -pixel, top), SINUSOIDAL)
    cut = cols // 2
    a, b = whole[:, :cut], whole[:, cut:cols]
    b = GeoBox(b.shape, Affine.translation(jitter, -jitter) * b.affine, SINUSOIDAL)
    return [Raster(plane(g).astype(np.float32), g) for g in (a, b)]


@pytest.mark.parametrize("method", ["bilinear", "average"])
@pytest.mark.parametrize("pixel", [PIXEL, PIXEL / 2])
def test_no_seam_between_tiles(method, pixel):
    out = regrid(tiles(pixel, jitter=5e-4), DOMAIN.fine, method)
    assert np.isfinite(out).all()
    # 1e-3 of a degree is a tenth of a pixel: GDAL's transform is allowed that much.
    assert np.abs(out - plane(DOMAIN.fine)).max() < (4e-3 if method == "bilinear" else 2e-2)


def test_order_of_tiles_does_not_matter():
    pair = tiles()
    np.testing.assert_array_equal(regrid(pair, DOMAIN.fine, "bilinear"), regrid(pair[::-1], DOMAIN.fine, "bilinear"))


def test_gaps_stay_gaps_and_spoil_no_neighbour():
    pair = tiles()
    for raster in pair:
        raster.data[100:110, :] = np.nan
    out = regrid(pair, DOMAIN.fine, "bilinear")
    assert np.array_equal(np.isnan(out), np.isnan(regrid(pair, DOMAIN.fine, "nearest")))  # as large as they were
    assert 8 < np.isnan(out).sum(0).mean() < 12
    seen = np.isfinite(out)
    assert np.abs(out - plane(DOMAIN.fine))[seen].max() < 0.02


def test_other_place_is_all_missing():
    far = Raster(np.ones((5, 5), np.float32), GeoBox((5, 5), Affine(PIXEL, 0, 0, 0, -PIXEL, 0), SINUSOIDAL))
    assert np.isnan(regrid([far], DOMAIN.fine, "bilinear")).all()
    assert np.isnan(regrid([], DOMAIN.fine, "bilinear")).all()


def test_first_of_two_grids_counts():
    box = GeoBox((20, 20), Affine(1.0, 0, 105, 0, -1.0, 50), "EPSG:4326")
    shifted = GeoBox((20, 20), Affine(1.0, 0, 105.3, 0, -1.0, 50), "EPSG:4326")
    one = Raster(np.full((20, 20), 1.0, np.float32), box)
    two = Raster(np.full((20, 20), 2.0, np.float32), shifted)
    assert (regrid([one, two], DOMAIN.fine, "bilinear") == 1).all()


def test_a_file_is_read_once_and_let_go_when_its_rows_are_done():
    tall = Domain("tall", (76, 96, 792, 796)).fine
    box = tall.extent.to_crs(SINUSOIDAL, resolution=10000).boundingbox
    cols = int((box.right - box.left) / PIXEL) + 12
    rows = int((box.top - box.bottom) / PIXEL / 3) + 6
    tops = [box.top + 6 * PIXEL - n * rows * PIXEL for n in range(3)]
    boxes = [GeoBox((rows, cols), Affine(PIXEL, 0, box.left - 6 * PIXEL, 0, -PIXEL, top), SINUSOIDAL) for top in tops]
    boxes.append(GeoBox((5, 5), Affine(PIXEL, 0, 0, 0, -PIXEL, 0), SINUSOIDAL))  # elsewhere
    alive, read = [], []

    def reading(n):
        def read_it():
            read.append(n)
            field = plane(boxes[n]).astype(np.float32)
            alive.append(weakref.ref(field))
            assert sum(ref() is not None for ref in alive) <= 2
            return field, np.full(field.shape, n, np.float32)

        return read_it

    files = [LazyRaster(b, reading(n)) for n, b in enumerate(boxes)]
    value, number = regrid_each(files[::-1], tall, ["bilinear", "nearest"])
    assert read == [0, 1, 2]
    assert np.abs(value - plane(tall)).max() < 4e-3
    assert set(np.unique(number)) == {0, 1, 2} and (np.diff(number, axis=0) >= 0).all()
