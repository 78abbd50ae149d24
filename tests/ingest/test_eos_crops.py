"""Crops of MODIS and VIIRS by AppEEARS and OPeNDAP: many days in a file, on the tiles' grid or in degrees."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import eos5file
import eosfile
import numpy as np
import pytest
import xarray as xr

from ssm_net.config import PrepareConfig, load
from ssm_net.grid import M36, Domain
from ssm_net.ingest.catalog import Granule, find_files, list_granules
from ssm_net.ingest.fine import read_lst, read_reflectance
from ssm_net.ingest.modis_tiles import LEFT, SINUSOIDAL, TILE_SIDE, TOP
from ssm_net.ingest.raster import GranuleError
from ssm_net.prepare.day_plan import plan_day
from ssm_net.prepare.products import CubeProducts, choose_products
from ssm_net.prepare.read_day import read_granules

DAYS = ["2023-08-01", "2023-08-02", "2023-08-03"]
DAY, ONE = dt.date(2023, 8, 2), dt.timedelta(1)
DOMAIN = Domain("part", (84, 88, 792, 796))
BOX = DOMAIN.fine.extent.to_crs(SINUSOIDAL, resolution=10000).boundingbox
P = TILE_SIDE / 1200
COL, ROW = int((BOX.left - LEFT) // P) - 10, int((TOP - BOX.top) // P) - 10
ROWS, COLS = int((BOX.top - BOX.bottom) // P) + 20, int((BOX.right - BOX.left) // P) + 20
METRES = TOP - (ROW + 0.5 + np.arange(ROWS)) * P, LEFT + (COL + 0.5 + np.arange(COLS)) * P
WEST, SOUTH, EAST, NORTH = DOMAIN.bounds_lonlat()
STEP = 1 / 120
DEGREES = np.arange(NORTH + 0.2, SOUTH - 0.2, -STEP), np.arange(WEST - 0.2, EAST + 0.2, STEP)
K = {"scale_factor": 0.02, "add_offset": 0.0, "_FillValue": np.uint16(0), "units": "K", "valid_min": np.uint16(7500),
     "valid_max": np.uint16(65535)}  # fmt: skip
HOURS = {"scale_factor": 0.1, "_FillValue": np.uint8(255), "units": "Hrs"}


def mod11(shape: tuple[int, int], hour: float = 10.5) -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Three days of 300, 301 and 302 K, rising by 0.02 K a column; the upper half under cloud."""
    kelvin = 300 + np.arange(3)[:, None, None] + 0.02 * np.arange(shape[1])
    stored = np.rint(np.broadcast_to(kelvin, (3, *shape)) / 0.02).astype(np.uint16)
    qc = np.zeros((3, *shape), np.uint8)
    qc[:, : shape[0] // 2] = 2
    time = np.full((3, *shape), round(10 * hour), np.uint8)
    return {"LST_Day_1km": (stored, K), "QC_Day": (qc, {"_FillValue": np.uint8(255)}), "Day_view_time": (time, HOURS)}


NAME = "MOD11A1.061/MOD11A1.061_1km_aid0001.nc"


def value_at(lst: np.ndarray, left: float, pixel: float, degrees: bool) -> np.ndarray:
    """The column of the crop under each pixel of the domain, by the values that were written."""
    from pyproj import Transformer

    y, x = (DOMAIN.fine.coordinates[d].values for d in DOMAIN.fine.dims)
    to = Transformer.from_crs(DOMAIN.grid.crs, "EPSG:4326" if degrees else SINUSOIDAL, always_xy=True)
    return (to.transform(*np.meshgrid(x, y))[0] - left) / pixel - 0.5


@pytest.mark.parametrize("axes", [METRES, DEGREES], ids=["sinusoidal", "geographic"])
def test_every_day_of_a_crop_is_found_and_lies_where_it_is(tmp_path: Path, axes: Any) -> None:
    dims = ("ydim", "xdim") if axes is METRES else ("lat", "lon")
    shape = (axes[0].size, axes[1].size)
    eos5file.write_crop(tmp_path / NAME, mod11(shape), DAYS, axes, dims)
    found = list_granules(tmp_path)["MOD11A1"]
    assert [str(day) for day in found] == DAYS
    step = float(axes[1][1] - axes[1][0])
    columns = value_at(np.empty(0), float(axes[1][0]) - step / 2, step, axes is DEGREES)
    for n, day in enumerate(found):
        lst, sigma = read_lst(found[day], "day", DOMAIN.fine, day)
        seen = np.isfinite(lst)
        assert 0.3 < seen.mean() < 0.7 and (sigma[seen] == 1).all() and not seen[:20].any()
        np.testing.assert_allclose(lst[seen], (300 + n + 0.02 * columns)[seen], atol=0.011)
        assert np.isnan(read_lst(found[day], "night", DOMAIN.fine, day)[0]).all()


def test_a_crop_equals_the_tile_that_it_was_cut_of(tmp_path: Path) -> None:
    """Also where rows go up, where a server states the corners of pixels, or unpacks the numbers."""
    rng = np.random.default_rng(1)
    kelvin = np.round((280 + 20 * rng.random((ROWS, COLS))) / 0.02) * 0.02
    qc = rng.integers(0, 2, (ROWS, COLS)) * 2
    tile = eosfile.write(tmp_path / "a.hdf", [eosfile.lst_grid(kelvin, LEFT + COL * P, TOP - ROW * P, qc=qc)])
    want, want_sigma = read_lst([Granule("MOD11A1", tile, DAY, "h26v04")], "day", DOMAIN.fine)
    packed = {"LST_Day_1km": (np.rint(kelvin / 0.02).astype(np.uint16)[None], K),
              "QC_Day": (qc.astype(np.uint8)[None], {})}  # fmt: skip
    unpacked = {"LST_Day_1km": (kelvin.astype(np.float32)[None], {"_FillValue": np.float32(0), "units": "K"}),
                "QC_Day": (qc.astype(np.float32)[None], {})}  # fmt: skip
    up = {name: (data[:, ::-1], stated) for name, (data, stated) in packed.items()}
    corners = METRES[0] + P / 2, METRES[1] - P / 2
    for n, (layers, axes) in enumerate(((packed, METRES), (up, (METRES[0][::-1], METRES[1])), (packed, corners),
                                        (unpacked, METRES))):  # fmt: skip
        path = eos5file.write_crop(tmp_path / f"{n}.nc", layers, [str(DAY)], axes, ("YDim", "XDim"))
        got, sigma = read_lst([Granule("MOD11A1", path, DAY)], "day", DOMAIN.fine)
        np.testing.assert_allclose(got, want, atol=2e-4, err_msg=str(n))
        np.testing.assert_array_equal(sigma, want_sigma)


def test_netcdf_3_and_names_of_other_signs(tmp_path: Path) -> None:
    """A classic file is big-endian; layers may carry the grid's name, or ``_`` for other signs."""
    shape = (ROWS, COLS)
    ndvi = np.full((1, *shape), 5000, np.int16)
    doy = np.full((1, *shape), 214, np.int16)
    packed = {"scale_factor": 1e-4, "_FillValue": np.int16(-3000), "valid_range": np.array([-2000, 10000], np.int16)}
    layers = {"_1_km_16_days_NDVI": (ndvi, packed), "_1_km_16_days_composite_day_of_the_year": (doy, {}),
              "_1_km_16_days_pixel_reliability": (np.zeros((1, *shape), np.int8), {})}  # fmt: skip
    eos5file.write_crop(tmp_path / "MOD13A2.061/MOD13A2.061_1km_aid0001.nc", layers, ["2023-07-28"], METRES,
                        engine="scipy", calendar="standard")  # fmt: skip
    found = list_granules(tmp_path)["MOD13A2"]
    out = read_reflectance(found[dt.date(2023, 7, 28)], DOMAIN.fine, dt.date(2023, 8, 5))
    assert np.nanmean(out["ndvi"]) == pytest.approx(0.5, abs=1e-3) and np.nanmean(out["age"]) == pytest.approx(3)


def test_viirs_reflectance_has_its_quality_in_the_file_of_the_other_resolution(tmp_path: Path) -> None:
    """The crops at 500 m and 1 km begin half a pixel apart; without the quality layers reflectance is refused."""
    packed = {"scale_factor": 1e-4, "_FillValue": np.int16(-28672)}
    rows, cols = 2 * ROWS - 1, 2 * COLS - 1
    fine = METRES[0][0] - P / 4 - np.arange(rows) * P / 2, METRES[1][0] + P / 4 + np.arange(cols) * P / 2
    half = {f"SurfReflect_I{n}_1": (np.full((1, rows, cols), 1000 * n, np.int16), packed) for n in (1, 2, 3)}
    qf1 = np.zeros((1, ROWS, COLS), np.uint8)
    qf1[:, : ROWS // 2] = 3 << 2
    km = {f"SurfReflect_QF{n}_1": (qf1 if n == 1 else np.zeros_like(qf1), {}) for n in range(1, 8)}
    km["SurfReflect_M11_1"] = (np.full((1, ROWS, COLS), 1500, np.int16), packed)
    folder = tmp_path / "VNP09GA.002"
    eos5file.write_crop(folder / "VNP09GA.002_500m_aid0001.nc", half, [str(DAY)], fine)
    granules = list_granules(tmp_path)["VNP09GA"][DAY]
    with pytest.raises(GranuleError, match=r"SurfReflect_QF1_1.*clouds show nowhere else"):
        read_reflectance(granules, DOMAIN.fine)
    eos5file.write_crop(folder / "VNP09GA.002_1km_aid0001.nc", km, [str(DAY)], METRES)
    granules = list_granules(tmp_path)["VNP09GA"][DAY]
    assert len(granules) == 2
    out = read_reflectance(granules, DOMAIN.fine)
    assert {k: round(float(np.nanmean(v)), 2) for k, v in out.items() if k != "quality"} == {
        "red": 0.10, "nir": 0.20, "swir1": 0.30, "swir2": 0.15}  # fmt: skip
    assert 0.3 < np.isfinite(out["red"]).mean() < 0.7


def test_a_day_of_crops_down_the_road(tmp_path: Path) -> None:
    """Terra and VIIRS as crops: each pixel's view of the day by its view time, and no tile is said to be missing."""
    eos5file.write_crop(tmp_path / NAME, mod11((ROWS, COLS)), DAYS, METRES)
    layers = {name: (np.broadcast_to(data, (3, *data.shape)), stated)
              for name, (data, stated) in eos5file.lst_of(np.full((ROWS, COLS), 310.0)).items()}  # fmt: skip
    eos5file.write_crop(tmp_path / "VNP21A1D.002/VNP21A1D.002_1km_aid0001.nc", layers, DAYS, METRES)
    found = list_granules(tmp_path)
    keys = {"raw": str(tmp_path), "cube": "unused", "start": str(DAY), "end": str(DAY)}
    cfg = load(PrepareConfig, {**keys, "domain": {"name": "d", "window": list(DOMAIN.window)}})
    plan = plan_day(cfg, DOMAIN, found, choose_products(cfg, found), DAY)
    assert not plan.missing_tiles
    read = read_granules(plan)
    assert not read.problems and read.lst["day"] is not None
    assert np.nanmean(read.lst["day"][0]) == pytest.approx(310)  # VIIRS, at 13:30, before Terra
    terra = read.other_lst["day"]["terra"]
    assert terra is not None and 301 < np.nanmean(terra[0]) < 309


def test_a_crop_of_many_days_is_no_less_certain_than_files_of_one_day() -> None:
    """Night views at 10 E are filed near 00:00 UTC: the day before may hold some, and it is in the same file."""
    place, path = Domain.from_bbox("d", (10, 36, 11, 37)), Path("VNP21A1N.002_1km_aid0001.nc")
    found = {"VNP21A1N": {DAY + n * ONE: (Granule("VNP21A1N", path, DAY + n * ONE, "crop"),) for n in (-1, 0)}}
    keys = {"raw": "raw", "cube": "unused", "start": str(DAY), "end": str(DAY)}
    cfg = load(PrepareConfig, {**keys, "domain": {"name": "d", "window": list(place.window)}})
    plan = plan_day(cfg, place, found, CubeProducts((), ("VNP21A1N",), (), ()), DAY)
    assert len(plan.granules["lst_night"]) == 2
    assert [g.day for g in plan.certain()["lst_night"]] == [DAY]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"crs": {"grid_mapping_name": "albers_conical_equal_area"}}, "is in the projection albers"),
        ({"axes": (METRES[0] * 1.4, METRES[1] * 1.4)}, "not those of MODIS tiles"),
        ({"axes": (METRES[0] + 300, METRES[1] + 300)}, "between the pixels of MODIS tiles"),
        ({"layers": {"NDVI": (np.zeros((1, ROWS, COLS), np.int16), {})}}, "holds none of LST_Day_1km"),
        ({"name": "MYD11A1.061_1km_aid0001.nc"}, "a file of MYD11A1, not of MOD11A1"),
        ({"calendar": "360_day"}, "360_day"),
    ],
)
def test_a_crop_that_cannot_be_placed_is_left_out_in_words(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path = tmp_path / "MOD11A1.061" / change.pop("name", "MOD11A1.061_1km_aid0001.nc")
    layers = {name: (data[:1], stated) for name, (data, stated) in mod11((ROWS, COLS)).items()}
    eos5file.write_crop(path, change.pop("layers", layers), DAYS[:1], change.pop("axes", METRES), **change)
    catalog, account = find_files(tmp_path).catalog()
    assert not catalog and any(words in line for line in account.warnings()), account.warnings()


def test_a_crop_on_both_sides_of_the_dateline_is_refused(tmp_path: Path) -> None:
    """Half of a domain would be without it, and nobody would know."""
    across = Domain.from_bbox("d", (178, -20, 182, -19))
    axes = -19.5 - np.arange(20) * STEP, -180 + STEP / 2 + np.arange(360 * 120) * STEP
    layers = {"LST_Day_1km": (np.full((1, 20, 360 * 120), 15000, np.uint16), K),
              "QC_Day": (np.zeros((1, 20, 360 * 120), np.uint8), {})}  # fmt: skip
    path = eos5file.write_crop(tmp_path / NAME, layers, DAYS[:1], axes, ("lat", "lon"))
    granule = Granule("MOD11A1", path, dt.date(2023, 8, 1))
    with pytest.raises(GranuleError, match=r"both sides of the dateline.*either side"):
        read_lst([granule], "day", across.fine)
    west = Domain("west", (*across.window[:2], across.window[2], M36.cols))
    assert np.isfinite(read_lst([granule], "day", west.fine)[0]).any()


def test_a_login_page_under_the_name_of_a_crop(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.parent.mkdir()
    path.write_text("<html>Earthdata Login</html>")
    assert any("a web page" in line for line in find_files(tmp_path).catalog()[1].warnings())


def test_an_opendap_granule_without_a_time_axis_has_the_day_of_its_name(tmp_path: Path) -> None:
    kelvin = np.full((ROWS, COLS), 300.0, np.float32)
    path = tmp_path / "MOD11A1.061" / f"MOD11A1.A{DAY:%Y%j}.h26v04.061.2023220120000.hdf.nc4"
    path.parent.mkdir()
    xr.Dataset({"LST_Day_1km": (("YDim", "XDim"), kelvin, {"units": "K", "orig_scale_factor": 0.02})},
               {"YDim": METRES[0], "XDim": METRES[1]}).to_netcdf(path, engine="h5netcdf")  # fmt: skip
    found = list_granules(tmp_path)["MOD11A1"]
    assert list(found) == [DAY]
    assert np.nanmean(read_lst(found[DAY], "day", DOMAIN.fine, DAY)[0]) == pytest.approx(300)
