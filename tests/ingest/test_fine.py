"""LST and reflectance of a day on the fine grid."""

from __future__ import annotations

import datetime as dt

import eosfile
import numpy as np
import pytest
import xarray as xr

from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule, list_granules
from ssm_net.ingest.fine import read_lst, read_reflectance
from ssm_net.ingest.modis_tiles import SINUSOIDAL
from ssm_net.ingest.raster import GranuleError

DAY = dt.date(2015, 8, 1)
DOMAIN = Domain("part", (84, 88, 792, 796))
BOX = DOMAIN.fine.extent.to_crs(SINUSOIDAL, resolution=10000).boundingbox
P = eosfile.PIXEL
LEFT, TOP = np.floor(BOX.left / P) * P - 10 * P, np.ceil(BOX.top / P) * P + 10 * P
ROWS, COLS = int((TOP - BOX.bottom) / P) + 10, int((BOX.right - LEFT) / P) + 10


def test_two_tiles_make_one_field_without_a_seam(tmp_path):
    kelvin = 280 + 0.02 * np.arange(COLS)[None] + 0.02 * np.arange(ROWS)[:, None]
    cut = COLS // 2
    for tile, part, left in (("h26v04", kelvin[:, :cut], LEFT), ("h27v04", kelvin[:, cut:], LEFT + cut * P)):
        eosfile.write(tmp_path / f"MYD11A1.061/MYD11A1.A2015213.{tile}.061.2021348183425.hdf",
                      [eosfile.lst_grid(part, left, TOP)])  # fmt: skip
    lst, sigma = read_lst(list_granules(tmp_path)["MYD11A1"][DAY], "day", DOMAIN.fine)
    assert lst.shape == DOMAIN.fine_shape and lst.dtype == np.float32
    assert np.isfinite(lst).all() and (sigma == 1).all()
    # A plane has no curvature: a seam would show as a second difference far above the step of 0.02 K.
    assert np.abs(np.diff(lst, 2, axis=1)).max() < 0.02
    assert np.isnan(read_lst(list_granules(tmp_path)["MYD11A1"][DAY], "night", DOMAIN.fine)[0]).all()


def test_missing_day_and_all_fill_scene(tmp_path):
    assert np.isnan(read_lst([], "day", DOMAIN.fine)[0]).all()
    path = eosfile.write(tmp_path / "a.hdf", [eosfile.lst_grid(np.full((ROWS, COLS), np.nan), LEFT, TOP)])
    lst, sigma = read_lst([Granule("MYD11A1", path, DAY, "h26v04")], "day", DOMAIN.fine)
    assert np.isnan(lst).all() and np.isnan(sigma).all()


def mcd43(path, values):
    layers = {}
    for band, value in values.items():
        stored = np.full((ROWS * 2, COLS * 2), value, np.int16)
        stored[: ROWS // 2] = 32767
        layers[f"Nadir_Reflectance_Band{band}"] = (
            stored, {"scale_factor": 0.0001, "valid_range": [0, 32766], "_FillValue": 32767}
        )  # fmt: skip
        quality = np.zeros(stored.shape, np.uint8)
        quality[:ROWS] = 1
        quality[-ROWS // 2 :] = 255
        layers[f"BRDF_Albedo_Band_Mandatory_Quality_Band{band}"] = (quality, {})
    grid = {"left": LEFT, "top": TOP, "shape": (ROWS * 2, COLS * 2), "layers": layers, "pixel": P / 2}
    return Granule("MCD43A4", eosfile.write(path, [grid]), DAY, "h26v04")


def test_reflectance_by_band(tmp_path):
    granule = mcd43(tmp_path / "a.hdf", {1: 800, 2: 3000, 6: 2500, 7: 1500})
    out = read_reflectance([granule], DOMAIN.fine)
    assert list(out) == ["red", "quality", "nir", "swir1", "swir2"]
    assert np.array_equal(np.isfinite(out["quality"]), np.isfinite(out["red"]))
    assert set(np.unique(out["quality"][np.isfinite(out["quality"])])) == {0.0, 1.0}
    for name, value in (("red", 0.08), ("nir", 0.3), ("swir1", 0.25), ("swir2", 0.15)):
        np.testing.assert_allclose(out[name][np.isfinite(out[name])], value, atol=1e-6)
        assert 0.3 < np.isfinite(out[name]).mean() < 0.9  # fill above, bad quality below


def test_reflectance_says_what_it_lacks(tmp_path, caplog):
    granule = mcd43(tmp_path / "a.hdf", {1: 800, 2: 3000})
    with caplog.at_level("INFO"):
        assert list(read_reflectance([granule], DOMAIN.fine)) == ["red", "quality", "nir"]
    assert "Nadir_Reflectance_Band6" in caplog.text
    lst = eosfile.write(tmp_path / "b.hdf", [eosfile.lst_grid(np.full((2, 2), 290.0), LEFT, TOP)])
    with pytest.raises(GranuleError, match="holds none of Nadir"):
        read_reflectance([Granule("MCD43A4", lst, DAY)], DOMAIN.fine)
    with pytest.raises(GranuleError, match="no product of reflectance"):
        read_reflectance([Granule("MYD11A1", lst, DAY)], DOMAIN.fine)


@pytest.mark.real
def test_real_cci_lst_lands_where_the_file_has_it(real_dir):
    path = next((real_dir / "lst_china").glob("*.nc"))
    domain = Domain.from_bbox("here", (118, 41, 121, 44))
    lst, sigma = read_lst([Granule("ESACCI-LST", path, DAY, "DAY MODISA")], "day", domain.fine)
    assert np.isfinite(lst).mean() > 0.9 and 290 < np.nanmin(lst) and np.nanmax(lst) < 330
    assert 0.5 < np.nanmean(sigma) < 5
    from pyproj import Transformer

    to = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)
    a = domain.fine.affine
    with xr.open_dataset(path) as file:
        for lon, lat in ((118.505, 41.505), (119.605, 42.405), (120.505, 43.505)):
            x, y = to.transform(lon, lat)
            got = lst[int((y - a.f) // a.e), int((x - a.c) // a.a)]
            near = file["lst"][0].sel(lat=slice(lat - 0.02, lat + 0.02), lon=slice(lon - 0.02, lon + 0.02))
            assert float(near.min()) - 0.01 <= got <= float(near.max()) + 0.01


@pytest.mark.real
def test_real_modis_on_the_fine_grid(real_dir):
    path = next((real_dir / "modis").glob("MOD11A1*.hdf"))
    domain = Domain.from_bbox("brazil", (-37, -7, -34, -4))
    lst, _ = read_lst([Granule("MOD11A1", path, dt.date(2019, 11, 1))], "day", domain.fine)
    assert np.isfinite(lst).any() and 290 < np.nanmin(lst) and np.nanmax(lst) < 330
    path = next((real_dir / "modis").glob("MOD13A2*.hdf"))
    alps = Domain.from_bbox("alps", (9.4, 49.2, 11, 50.2))
    out = read_reflectance([Granule("MOD13A2", path, dt.date(2016, 5, 24))], alps.fine)
    assert list(out) == ["ndvi"] and 0.2 < np.nanmean(out["ndvi"]) < 0.9
