"""VIIRS tiles in HDF-EOS5: LST and reflectance with their quality, other collections, and files that are none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import eos5file
import numpy as np
import pytest

from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Granule, find_files, list_granules
from ssm_net.ingest.fine import read_lst, read_reflectance
from ssm_net.ingest.modis_tiles import LEFT, SINUSOIDAL, TILE_SIDE, TOP
from ssm_net.ingest.raster import GranuleError

DAY = dt.date(2023, 8, 1)
DOMAIN = Domain("part", (84, 88, 792, 796))
BOX = DOMAIN.fine.extent.to_crs(SINUSOIDAL, resolution=10000).boundingbox
P = TILE_SIDE / 1200
COL, ROW = int((BOX.left - LEFT) // P) - 10, int((TOP - BOX.top) // P) - 10
ROWS, COLS = int((BOX.top - BOX.bottom) // P) + 20, int((BOX.right - BOX.left) // P) + 20
PLACE = {"left": LEFT + COL * P, "top": TOP - ROW * P, "shape": (ROWS, COLS), "pixel": P}
FINE = {**PLACE, "shape": (2 * ROWS, 2 * COLS), "pixel": P / 2}
GRID = "VIIRS_Grid_Daily_1km_LST21"
TILE = f"h{(COL + COLS // 2) // 1200:02d}v{(ROW + ROWS // 2) // 1200:02d}"


def lst_file(folder: Path, product: str = "VNP21A1D", value: float = 300.0, **other: Any) -> Path:
    layers = eos5file.lst_of(np.full((ROWS, COLS), value), **other)
    name = f"{product}.A{DAY:%Y%j}.h26v04.002.2023215120000.h5"
    return eos5file.write(folder / f"{product}.002" / name, {GRID: {**PLACE, "layers": layers}}, ShortName=product)


@pytest.mark.parametrize("product", ["VNP21A1D", "VJ121A1D", "VJ221A1D"])
def test_lst_of_every_platform(tmp_path: Path, product: str) -> None:
    qc = np.full((ROWS, COLS), 3 << 14)
    qc[: ROWS // 2] = 2 | 3 << 4  # cloud
    qc[ROWS // 2 : ROWS // 2 + 20] = 1 | 1 << 4 | 2 << 14  # thin cirrus
    lst_file(tmp_path, product, qc=qc)
    granules = list_granules(tmp_path)[product][DAY]
    assert granules[0].tile == "h26v04"
    lst, sigma = read_lst(granules, "day", DOMAIN.fine, DAY)
    seen = np.isfinite(lst)
    assert 0.3 < seen.mean() < 0.7 and np.allclose(lst[seen], 300)
    assert set(np.unique(sigma[seen])) == {1.0, 4.0}
    assert np.isnan(read_lst(granules, "night", DOMAIN.fine, DAY)[0]).all()


def nbar(bands: dict[str, float], shape: tuple[int, int]) -> dict[str, Any]:
    layers: dict[str, Any] = {}
    for band, value in bands.items():
        stored = np.full(shape, round(value * 1e4), np.int16)
        layers[f"Nadir_Reflectance_{band}"] = (
            stored, {"scale_factor": 1e-4, "_FillValue": np.int16(32767), "valid_range": np.array([0, 32766], np.int16)}
        )  # fmt: skip
        quality = np.zeros(shape, np.uint8)
        quality[: shape[0] // 2] = 1
        layers[f"BRDF_Albedo_Band_Mandatory_Quality_{band}"] = (quality, {})
    return layers


def test_imagery_and_moderate_bands_are_one_reflectance(tmp_path: Path) -> None:
    """Red, near infrared and 1.6 um at 500 m, 2.2 um at 1 km; by the moderate bands alone all of them at 1 km."""
    of = {"IA4": nbar({"I1": 0.10, "I2": 0.30, "I3": 0.25}, FINE["shape"]),
          "MA4": nbar({"M5": 0.11, "M7": 0.31, "M10": 0.26, "M11": 0.15}, PLACE["shape"])}  # fmt: skip
    granules = []
    for kind, layers in of.items():
        name = f"VNP43{kind}.A{DAY:%Y%j}.h26v04.002.2023220120000.h5"
        place = {**(FINE if kind == "IA4" else PLACE), "layers": layers}
        # The archive's own metadata of VNP43 states other dates.
        path = eos5file.write(
            tmp_path / f"VNP43{kind}.002" / name, {"VIIRS_Grid_BRDF": place},
            ShortName=f"VNP43{kind}", RangeBeginningDate="2023-08-09", RangeEndingDate="2023-08-25",
        )  # fmt: skip
        granules.append(Granule(f"VNP43{kind}", path, DAY, "h26v04"))
    catalog = list_granules(tmp_path)
    assert set(catalog["VNP43IA4"]) == set(catalog["VNP43MA4"]) == {DAY}
    out = read_reflectance(granules, DOMAIN.fine)
    assert {k: round(float(np.nanmean(v)), 2) for k, v in out.items() if k != "quality"} == {
        "red": 0.10, "nir": 0.30, "swir1": 0.25, "swir2": 0.15}  # fmt: skip
    assert set(np.unique(out["quality"])) == {0.0, 1.0}
    alone = read_reflectance(granules[1:], DOMAIN.fine)
    assert {k: round(float(np.nanmean(v)), 2) for k, v in alone.items() if k != "quality"} == {
        "red": 0.11, "nir": 0.31, "swir1": 0.26, "swir2": 0.15}  # fmt: skip


@pytest.mark.parametrize("collection", [1, 2])
def test_daily_reflectance_under_its_quality_flags(tmp_path: Path, collection: int) -> None:
    """Cloud, shadow and faulty bands are missing, thin cirrus is of lower quality, snow is kept."""
    grid = {1: "VNP_Grid", 2: "VIIRS_Grid"}[collection]
    scale = {1: {"Scale": np.float32(1e-4), "Offset": np.float32(0)},
             2: {"scale_factor": np.float32(1e-4), "add_offset": np.float32(0)}}[collection]  # fmt: skip
    attributes = {**scale, "_FillValue": np.int16(-28672), "valid_range": np.array([-100, 16000], np.int16)}
    quality = {n: np.zeros(PLACE["shape"], np.uint8) for n in range(1, 8)}
    parts = np.array_split(np.arange(ROWS), 6)
    quality[1][parts[0]] = 2 << 2  # probably cloudy
    quality[2][parts[1]] = 1 << 3  # shadow
    quality[4][parts[2]] = 1 << 1  # bad input of I1
    quality[2][parts[3]] = 1 << 6  # thin cirrus
    quality[2][parts[4]] = 1 << 5  # snow
    km = {f"SurfReflect_QF{n}_1": (q, {}) for n, q in quality.items()}
    km["SurfReflect_M11_1"] = (np.full(PLACE["shape"], 1500, np.int16), attributes)
    half = {f"SurfReflect_I{n}_1": (np.full(FINE["shape"], 1000 * n, np.int16), attributes) for n in (1, 2, 3)}
    name = f"VNP09GA.A{DAY:%Y%j}.h26v04.00{collection}.2023220120000.h5"
    path = eos5file.write(tmp_path / "VNP09GA" / name, {f"{grid}_1km_2D": {**PLACE, "layers": km},
                                                        f"{grid}_500m_2D": {**FINE, "layers": half}})  # fmt: skip
    out = read_reflectance([Granule("VNP09GA", path, DAY, "h26v04")], DOMAIN.fine)
    means = {k: round(float(np.nanmean(v)), 2) for k, v in out.items() if k != "quality"}
    assert means == {"red": 0.10, "nir": 0.20, "swir1": 0.30, "swir2": 0.15}
    seen = {k: float(np.isfinite(out[k]).mean()) for k in ("red", "nir", "swir2")}
    assert seen["red"] < 0.6 < seen["nir"] < 0.8 and seen["swir2"] == pytest.approx(seen["nir"], abs=0.02)
    assert 0.1 < float((out["quality"] == 1).mean()) < 0.25
    del km["SurfReflect_QF1_1"]
    path = eos5file.write(tmp_path / "bare" / name, {f"{grid}_1km_2D": {**PLACE, "layers": km},
                                                     f"{grid}_500m_2D": {**FINE, "layers": half}})  # fmt: skip
    with pytest.raises(GranuleError, match=r"SurfReflect_QF1_1.*clouds show nowhere else"):
        read_reflectance([Granule("VNP09GA", path, DAY, "h26v04")], DOMAIN.fine)


def test_a_whole_tile_without_its_place_is_placed_by_its_name(tmp_path: Path) -> None:
    layers = eos5file.lst_of(np.full((1200, 1200), 300.0))
    path = tmp_path / f"VNP21A1D.A{DAY:%Y%j}.{TILE}.002.2023215120000.h5"
    eos5file.write(path, {GRID: {**PLACE, "layers": layers}}, struct=False)
    lst, _ = read_lst([Granule("VNP21A1D", path, DAY, "h26v04")], "day", DOMAIN.fine)
    assert np.isfinite(lst).any()
    small = eos5file.write(path.with_name("x.h5"), {GRID: {**PLACE, "layers": eos5file.lst_of(np.full((9, 9), 300.0))}},
                           struct=False)  # fmt: skip
    with pytest.raises(GranuleError, match="no StructMetadata, and its name no whole tile"):
        read_lst([Granule("VNP21A1D", small, DAY)], "day", DOMAIN.fine)


def left_out(raw: Path) -> list[str]:
    _, account = find_files(raw).catalog()
    return [line for line in (*account.warnings(), *account.lines()) if "VNP21A1D" in line]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><title>Earthdata Login</title>" * 40, "a web page or an error message of the archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(400), "not a whole HDF5 file"),
        (b"\x0e\x03\x13\x01" + bytes(400), "not a whole HDF4 file"),
        ("cut", "not a whole HDF5 file"),
    ],
)
def test_what_is_no_tile_is_named_as_what_it_is(tmp_path: Path, content: bytes | str, words: str) -> None:
    path = lst_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    with pytest.raises(GranuleError, match=words) as caught:
        read_lst([Granule("VNP21A1D", path, DAY, "h26v04")], "day", DOMAIN.fine)
    assert str(path) in str(caught.value)
    assert any(words in line for line in left_out(tmp_path))


def test_a_flipped_byte_of_the_data_is_an_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    kelvin = 280 + 20 * rng.random((ROWS, COLS))
    path = eos5file.write(tmp_path / f"VNP21A1D.A{DAY:%Y%j}.h26v04.002.1.h5",
                          {GRID: {**PLACE, "layers": eos5file.lst_of(kelvin)}})  # fmt: skip
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    data[at : at + 8] = bytes(b ^ 0xFF for b in data[at : at + 8])
    path.write_bytes(bytes(data))
    with pytest.raises(GranuleError, match="damaged"):
        read_lst([Granule("VNP21A1D", path, DAY, "h26v04")], "day", DOMAIN.fine)


def test_a_product_in_another_ones_folder_and_layers_of_other_names_are_left_out_in_words(tmp_path: Path) -> None:
    layers = {name.replace("LST_1KM", "Temperature"): v for name, v in eos5file.lst_of(np.full((9, 9), 300.0)).items()
              if name != "QC"}  # fmt: skip
    name = f"VNP21A1D.A{DAY:%Y%j}.h26v04.003.2023215120000.h5"
    eos5file.write(tmp_path / "VNP21A1D.003" / name, {GRID: {**PLACE, "shape": (9, 9), "layers": layers}})
    assert any("holds none of LST_1KM" in line for line in left_out(tmp_path))
    lst_file(tmp_path).rename(tmp_path / "VNP21A1D.002" / f"VNP21A1N.A{DAY:%Y%j}.h26v04.002.1.h5")
    assert any("a file of VNP21A1N, not of VNP21A1D" in line for line in left_out(tmp_path))
