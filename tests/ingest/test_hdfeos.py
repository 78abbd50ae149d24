"""HDF-EOS grids: geometry, scales, ranges, quality bits, broken files."""

from __future__ import annotations

import datetime as dt

import eosfile
import numpy as np
import pytest
from eosfile import read_layer

from ssm_net.ingest.eos_file import identity
from ssm_net.ingest.products import product
from ssm_net.ingest.raster import GranuleError

LST_DAY = product("MYD11A1").layer("lst_day")


def test_lst_is_scaled_masked_and_given_an_error(tmp_path):
    kelvin = np.full((4, 5), 300.0)
    kelvin[0, 0] = np.nan
    kelvin[0, 1] = 100.0  # stored 5000: under the valid range, though not the fill value
    qc = np.zeros((4, 5), np.uint8)
    qc[1, :4] = [0b10, 0b11, 0b01, 0b11000001]  # cloud, not produced, good enough, error above 3 K
    qc[2, :2] = [0b01000001, 0b10000001]
    path = eosfile.write(tmp_path / "a.hdf", [eosfile.lst_grid(kelvin, 0.0, 1e6, qc)])
    value, sigma = read_layer(path, LST_DAY)
    expected = np.full((4, 5), 300.0, np.float32)
    expected[0, :2] = np.nan
    expected[1, :2] = np.nan
    np.testing.assert_allclose(value.data, expected)
    assert sigma.data[1, 2:4].tolist() == [1.0, 4.0]
    assert sigma.data[2, :3].tolist() == [2.0, 3.0, 1.0]
    assert np.array_equal(np.isnan(sigma.data), np.isnan(value.data))


def test_cropped_granule_lies_where_its_corners_say(tmp_path):
    grid = eosfile.lst_grid(np.full((3, 7), 290.0), 123456.0, 654321.0, slot9=86400)
    path = eosfile.write(tmp_path / "a.hdf", [grid])
    value, _ = read_layer(path, LST_DAY)
    assert (value.geobox.affine.c, value.geobox.affine.f) == (123456.0, 654321.0)
    assert value.geobox.affine.a == pytest.approx(926.6254331, abs=1e-6)


@pytest.mark.parametrize(("scale", "expected"), [(10000.0, 0.5), (0.0001, 0.5)])
def test_both_scale_conventions(tmp_path, scale, expected):
    names = ("1 km 16 days NDVI", "1 km 16 days pixel reliability")
    ndvi = np.array([[5000, -3000], [-2500, 12000]], np.int16)  # value, fill, below and above the valid range
    layers = {
        names[0]: (ndvi, {"scale_factor": scale, "valid_range": [-2000, 10000], "_FillValue": -3000}),
        names[1]: (np.zeros((2, 2), np.int8), {}),
    }
    path = eosfile.write(tmp_path / "a.hdf", [{"left": 0.0, "top": 0.0, "shape": (2, 2), "layers": layers}])
    value, sigma = read_layer(path, product("MOD13A2").layer("ndvi"))
    np.testing.assert_allclose(value.data, [[expected, np.nan], [np.nan, np.nan]])
    assert sigma is not None and sigma.data[0, 0] == 0  # the best quality


def mod09(tmp_path, state, qc=0):
    fine = {
        "sur_refl_b06_1": (np.full((4, 4), 2000, np.int16), {"scale_factor": 10000.0, "valid_range": [-100, 16000]}),
        "QC_500m_1": (np.broadcast_to(np.asarray(qc, np.uint32), (4, 4)).copy(), {}),
    }
    coarse = {} if state is None else {"state_1km_1": (np.asarray(state, np.uint16), {})}
    grids = [
        {"left": 0.0, "top": 0.0, "shape": (2, 2), "layers": coarse},
        {"left": 0.0, "top": 0.0, "shape": (4, 4), "layers": fine, "pixel": eosfile.PIXEL / 2},
    ]
    return eosfile.write(tmp_path / "a.hdf", grids)


def test_coarser_state_masks_its_fine_pixels(tmp_path):
    path = mod09(tmp_path, [[0b01, 0b00], [0b100, 0b11]])  # cloudy, clear, shadow, assumed clear
    value, _ = read_layer(path, product("MYD09GA").layer("swir1"))
    assert value.geobox.affine.a == pytest.approx(463.3127, abs=1e-3)
    expected = np.full((4, 4), 0.2, np.float32)
    expected[:2, :2] = expected[2:, :2] = np.nan
    np.testing.assert_allclose(value.data, expected)


def test_band_quality_bits_are_those_of_the_band(tmp_path):
    other, own = 0b1110 << 2, 0b1110 << (2 + 4 * 5)  # band 1 bad, band 6 bad
    layer = product("MYD09GA").layer("swir1")
    assert np.isfinite(read_layer(mod09(tmp_path, np.zeros((2, 2)), other), layer)[0].data).all()
    assert np.isnan(read_layer(mod09(tmp_path, np.zeros((2, 2)), own), layer)[0].data).all()


def test_reflectance_without_its_cloud_state_is_refused(tmp_path):
    with pytest.raises(GranuleError, match=r"state_1km_1.*quality layers"):
        read_layer(mod09(tmp_path, None), product("MYD09GA").layer("swir1"))


def test_layer_not_in_the_file_is_none(tmp_path):
    path = eosfile.write(tmp_path / "a.hdf", [eosfile.lst_grid(np.full((2, 2), 290.0), 0.0, 0.0)])
    assert read_layer(path, product("MYD11A1").layer("lst_night")) is None


@pytest.mark.parametrize("keep", [0, 3, 2000, 0.5, 0.95])
def test_truncated_file_is_named_with_the_remedy(tmp_path, keep):
    path = eosfile.write(tmp_path / "MYD11A1.hdf", [eosfile.lst_grid(np.random.default_rng(0).uniform(
        250, 320, (200, 200)), 0.0, 0.0)])  # fmt: skip
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(GranuleError, match=r"MYD11A1\.hdf.*download it again"):
        read_layer(path, LST_DAY)


def test_damaged_block_is_named_with_the_remedy(tmp_path):
    kelvin = np.full((50, 50), 290.0)
    path = eosfile.write(tmp_path / "MYD11A1.hdf", [eosfile.lst_grid(kelvin, 0.0, 0.0)])
    damaged = path.read_bytes().replace(b"ProjParams=(6371007", b"ProjParams=(x37l0o7")
    path.write_bytes(damaged)
    with pytest.raises(GranuleError, match=r"MYD11A1\.hdf.*damaged.*download it again"):
        read_layer(path, LST_DAY)


def test_wrong_grids_are_refused(tmp_path):
    kelvin = np.full((2, 2), 290.0)
    path = tmp_path / "a.hdf"
    for more, words in (
        ({"projection": "GCTP_LAMAZ"}, "GCTP_LAMAZ"),
        ({"pixel": 5600.0}, r"pixels of 5600\.00 m"),
        ({"shape": (3, 2)}, "shape"),
    ):
        eosfile.write(path, [{**eosfile.lst_grid(kelvin, 0.0, 0.0), **more}])
        with pytest.raises(GranuleError, match=words):
            read_layer(path, LST_DAY)


def test_identity(tmp_path):
    name = "MYD11A1.A2015213.h26v04.061.2021348183425.hdf"
    path = eosfile.write(tmp_path / "x.hdf", [eosfile.lst_grid(np.full((2, 2), 290.0), 0.0, 0.0)],
                         eosfile.core_metadata("2015-08-01", name=name))  # fmt: skip
    said = identity(path)
    assert (said.first, said.last, said.name) == (dt.date(2015, 8, 1), dt.date(2015, 8, 1), name)
    assert said.short_name == "MYD11A1"


@pytest.mark.real
def test_real_mod11a1(real_dir):
    path = next((real_dir / "modis").glob("MOD11A1*.hdf"))
    for variable in ("lst_day", "lst_night"):
        value, sigma = read_layer(path, product("MOD11A1.006").layer(variable))
        assert value.data.shape == (1200, 1200)
        assert 280 < np.nanmin(value.data) and np.nanmax(value.data) < 330
        assert set(np.unique(sigma.data[np.isfinite(sigma.data)])) <= {1.0, 2.0, 3.0, 4.0}
    assert identity(path).first == dt.date(2019, 11, 1)


@pytest.mark.real
def test_real_mod09ga_has_two_grids(real_dir):
    path = next((real_dir / "modis").glob("MOD09GA*.hdf"))
    value, _ = read_layer(path, product("MOD09GA").layer("red"))
    assert value.data.shape == (2400, 2400)
    assert value.geobox.affine.a == pytest.approx(463.3127, abs=1e-3)
    assert np.nanmax(value.data) < 1.6


@pytest.mark.real
def test_real_cropped_mod13a2(real_dir):
    path = next((real_dir / "modis").glob("MOD13A2*.hdf"))
    value, _ = read_layer(path, product("MOD13A2").layer("ndvi"))
    assert value.data.shape == (185, 219)
    assert value.geobox.affine.c == pytest.approx(670117.907295)
    assert value.geobox.affine.f == pytest.approx(5608858.446491)
    assert 0.2 < np.nanmin(value.data) and np.nanmax(value.data) < 1.0
    assert np.isfinite(value.data).mean() > 0.9
