"""Coarse soil moisture of open archives: LPRM, AU_Land, SMAP at 9 km and SMOS-IC, in the layouts of their files."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from ssm_net.core.radiometers import AMSR_RECORDS, BY_CODE
from ssm_net.grid import Domain
from ssm_net.ingest import flag_costs
from ssm_net.ingest.catalog import Granule, list_granules
from ssm_net.ingest.cell_means import parts_of_footprint
from ssm_net.ingest.products import product
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.ssm import CoarseSSM, read_ssm, record_in
from ssm_net.simulate.writers import coarse

DOMAIN = Domain("part", (84, 92, 792, 800))  # about 118 E, 39 N: its nights begin on the UTC day before
NIGHT = dt.date(2016, 6, 7)  # local; in files of UTC 2016-06-06
UTC = NIGHT - dt.timedelta(1)
ROW, COL = np.indices(DOMAIN.coarse_shape)
FIELD = (0.10 + 0.02 * ROW + 0.01 * COL).astype(np.float32)  # linear: the mean of a cell is that of its middle
NAMES = {
    "LPRM": "LPRM-AMSR2_L3_D_SOILM3_V001_20160606013507.nc4",
    "AU_Land": "AMSR_U2_L2_Land_B02_201606061722_D.he5",
    "SMAP": "SMAP_L3_SM_P_E_20160606_R19240_001.h5",
    "SMOS": "SM_RE06_MIR_CDF3SA_20160606T000000_20160606T235959_105_001_8.DBL.nc",
}
WRITERS: dict[str, Callable[..., None]] = {
    "LPRM": coarse.write_lprm,
    "AU_Land": coarse.write_au_land,
    "SMAP": lambda path, date, seen: coarse.write_smap(path, date, seen, finer=4),
    "SMOS": coarse.write_smos,
}
Written = Callable[[str], Path]
HOURS = {"LPRM": 1.5, "AU_Land": 1.5, "SMAP": 6.0, "SMOS": 6.0}


def retrieval(name: str, field: np.ndarray = FIELD) -> coarse.Retrieval:
    return coarse.Retrieval(DOMAIN, field, 0.05, HOURS[name], np.ones(DOMAIN.coarse_shape[1], int))


@cache
def native(name: str, folder: Path) -> Path:
    """The file of a product, written once."""
    path = folder / NAMES[name]
    WRITERS[name](path, UTC, retrieval(name))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("native")


@pytest.fixture
def written(tmp_path: Path, made: Path) -> Callable[[str], Path]:
    """A copy of the native file of a product, below ``tmp_path``."""

    def copied(name: str) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        return Path(shutil.copy(native(name, made), tmp_path / name))

    return copied


def read(path: Path, name: str, day: dt.date = NIGHT) -> CoarseSSM:
    return read_ssm([Granule(name, path, day)], DOMAIN, 0.04)


@pytest.mark.parametrize("name", NAMES)
def test_values_come_back_in_their_cells_on_their_night(written: Written, tmp_path: Path, name: str) -> None:
    path = written(name)
    out = read(path, name)
    inner = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(out.ssm[inner], FIELD[inner], atol=0.004)  # LPRM counts in percent
    assert np.isfinite(out.ssm).all()
    expected = BY_CODE[record_in(Granule(name, path, NIGHT))].sigma or 0.05
    np.testing.assert_allclose(out.sigma, expected, atol=1e-6)
    assert np.isnan(read(path, name, UTC).ssm).all(), "the night before"
    assert np.isnan(read(path, name, NIGHT + dt.timedelta(1)).ssm).all()


@pytest.mark.parametrize("name", NAMES)
def test_files_are_found_under_the_days_that_they_hold(written: Written, tmp_path: Path, name: str) -> None:
    written(name)
    catalogued = list_granules(tmp_path)[name]
    assert NIGHT in catalogued and UTC in catalogued
    assert np.isfinite(read_ssm(catalogued[NIGHT], DOMAIN, 0.04).ssm).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_refused_by_name(written: Written, tmp_path: Path, name: str) -> None:
    path = written(name)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(GranuleError, match=r"2016.*(whole|damaged|cut)"):
        read(path, name)


@pytest.mark.parametrize(
    "folder", ["LPRM_AMSR2_D_SOILM3.001", "lprm_amsre_a_soilm3", "AU_LAND", "SPL3SMP_E.006", "SMOS-IC"]
)
def test_folders_may_have_the_names_of_the_archives(folder: str) -> None:
    entry = product(folder)
    assert entry is not None and entry.role == "ssm"


def change(path: Path, **layers: Callable[[np.ndarray], np.ndarray]) -> None:
    """Rewrite layers of an HDF5 file in place."""
    with h5py.File(path, "r+") as file:
        for name, function in layers.items():
            file[name][...] = function(file[name][...])


# LPRM ----------------------------------------------------------------------------------------------------------------


def test_lprm_takes_the_lowest_band_without_interference(written: Written) -> None:
    path = written("LPRM")
    change(path, soil_moisture_x=lambda v: np.where(v > 0, 44, v), soil_moisture_c2=lambda v: np.where(v > 0, 33, v))
    np.testing.assert_allclose(read(path, "LPRM").ssm[1:-1, 1:-1], FIELD[1:-1, 1:-1], atol=0.004)
    for stored, expected in ((107, 0.44), (73, 0.33)):
        change(path, frequency_map=lambda v, stored=stored: np.where(v > 0, stored, v))  # type: ignore[misc]
        np.testing.assert_allclose(read(path, "LPRM").ssm, expected, atol=1e-6)
    with h5py.File(path, "r+") as file:
        del file["frequency_map"]
    np.testing.assert_allclose(read(path, "LPRM").ssm, 0.44, atol=1e-6)


@pytest.mark.parametrize(
    ("bit", "kept"), [(1 << 6, False), (1 << 4, True), (1 << 8, False), (1 << 9, False), (1 << 3, True)],
    ids=["dense at 6.9 GHz", "dense at 10.7 GHz, not used", "frozen", "water", "desert"],
)  # fmt: skip
def test_lprm_mask_takes_away_what_is_no_soil(written: Written, bit: int, kept: bool) -> None:
    path = written("LPRM")
    change(path, mask=lambda v: np.where(v == 0, bit, v))
    with flag_costs.collected() as costs:
        assert np.isfinite(read(path, "LPRM").ssm).all() == kept
    assert np.isfinite(read(path, "LPRM").ssm).any() == kept
    assert (sum(costs[0].counts.values()) > 0) == (kept is False or bit == 1 << 3)


def test_lprm_zero_without_an_error_is_no_retrieval(written: Written) -> None:
    path = written("LPRM")
    change(path, soil_moisture_c1=lambda v: np.where(v > 0, 0, v), soil_moisture_c1_error=lambda v: 0 * v - 32767)
    assert np.isnan(read(path, "LPRM").ssm).all()


def test_lprm_more_water_than_soils_hold_has_a_large_error_or_is_missing(written: Written) -> None:
    path = written("LPRM")
    change(path, soil_moisture_c1=lambda v: np.where(v > 0, 65, v))
    out = read(path, "LPRM")
    assert np.allclose(out.ssm, 0.65) and np.allclose(out.sigma, 0.15)
    # A region that is wet or grown over everywhere costs no more than its cells: the file is not refused.
    change(path, soil_moisture_c1=lambda v: np.where(v > 0, 99, v))
    assert np.isnan(read(path, "LPRM").ssm).all()


def test_lprm_in_america_with_longitudes_from_0_to_360(tmp_path: Path) -> None:
    """A copy with other longitudes is of the same nights."""
    west = Domain("west", (84, 92, 160, 168))  # about 119 W
    path = tmp_path / NAMES["LPRM"]
    coarse.write_lprm(path, UTC, coarse.Retrieval(west, FIELD, 0.05, 1.5, np.zeros(8, int)))
    of_archive = read_ssm([Granule("LPRM", path, UTC)], west, 0.04).ssm
    assert np.isfinite(of_archive).all()
    with xr.open_dataset(path, decode_cf=False) as native:
        turned = native.load()
    lon = next(str(n) for n in turned.variables if str(n).lower().startswith("lon"))
    turned = turned.assign_coords({lon: (turned[lon].dims, turned[lon].values % 360)}).sortby(lon)
    turned.to_netcdf(path, engine="h5netcdf", encoding={str(n): {"_FillValue": None} for n in turned.data_vars})
    np.testing.assert_allclose(read_ssm([Granule("LPRM", path, UTC)], west, 0.04).ssm, of_archive, atol=1e-6)


def test_lprm_of_amsre_has_two_bands_and_no_times(written: Written, tmp_path: Path) -> None:
    """Version 2, as the converters of DART and NASA-LIS describe it."""
    path = written("LPRM")
    old = tmp_path / "LPRM" / "LPRM-AMSR_E_L3_D_SOILM3_V002_20100606.nc"
    with xr.open_dataset(path, decode_cf=False) as native:
        kept = native[["soil_moisture_x", "soil_moisture_x_error", "opt_depth_x", "ts"]].load()
    kept = kept.rename(soil_moisture_x_error="sm_x_error")
    wet = kept["soil_moisture_x"].where(kept["soil_moisture_x"] < 0, 60).astype("int16")
    kept["soil_moisture_c"] = wet.assign_attrs(kept["soil_moisture_x"].attrs)
    kept.to_netcdf(old, engine="h5netcdf", encoding={str(n): {"_FillValue": None} for n in kept.data_vars})
    out = read(old, "LPRM", dt.date(2010, 6, 7))
    np.testing.assert_allclose(out.ssm[1:-1, 1:-1], FIELD[1:-1, 1:-1], atol=0.004)
    assert set(np.unique(out.source)) == {AMSR_RECORDS["lprm", "AMSR-E", False]}
    assert np.isnan(read(old, "LPRM", dt.date(2010, 6, 6)).ssm).all()
    change(old, opt_depth_x=lambda v: np.where(v > 0, 90, v))  # dense vegetation, by NASA-LIS's limit
    assert np.isnan(read(old, "LPRM", dt.date(2010, 6, 7)).ssm).all()


def test_the_pass_by_day_is_a_record_of_its_own_and_of_its_own_day(written: Written, tmp_path: Path) -> None:
    seen = replace(retrieval("LPRM"), hour=13.5, local=np.zeros(DOMAIN.coarse_shape[1], int))
    path = tmp_path / NAMES["LPRM"].replace("_D_", "_A_")
    coarse.write_lprm(path, NIGHT, seen)
    path = path.rename(tmp_path / path.name.replace("20160606", "20160607"))
    by_day = read(path, "LPRM")
    assert np.isfinite(by_day.ssm).all() and BY_CODE[int(by_day.source.max())].overpass == 13.5
    # Where the night saw a cell, too, the night counts.
    night = tmp_path / NAMES["LPRM"]
    coarse.write_lprm(night, UTC, retrieval("LPRM", np.where(COL < 4, FIELD, np.nan).astype(np.float32)))
    out = read_ssm([Granule("LPRM", p, NIGHT) for p in (path, night)], DOMAIN, 0.04)
    assert set(np.unique(out.source[:, :3])) == {9} and set(np.unique(out.source[:, 5:])) == {11}


@pytest.mark.parametrize(
    ("folder", "name", "words"),
    [
        ("LPRM", "LPRM-AMSR2_L2_D_SOILM2_V001_20160606013507.nc4", "level 2"),
        ("LPRM", "amsr2_20160606.nc4", "not named as its archive"),
        ("LPRM", "LPRM-AMSR_E_L3_D_SOILM3_V002_20160606.nc", "a day without it"),
        ("SMOS", NAMES["SMOS"].replace("CDF3SA", "CDF3SD"), "evening pass"),
        ("SMOS", "SM_OPER_MIR_CLF31A_20160606T000000_20160606T235959_300_001_7.DBL.nc", "none of SMOS-IC"),
        ("SMAP", "SMAP_L4_SM_gph_20160606T013000_Vv7032_001.h5", "not passive soil moisture"),
    ],
)
def test_files_of_other_kinds_are_left_out_with_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, folder: str, name: str, words: str
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / name).write_bytes(b"\x89HDF\r\n\x1a\n")
    assert folder not in list_granules(tmp_path)
    assert words in caplog.text


# The others ----------------------------------------------------------------------------------------------------------


def test_au_land_keeps_good_retrievals_of_one_algorithm(written: Written) -> None:
    path = written("AU_Land")
    with h5py.File(path, "r+") as file:
        (points,) = file["HDFEOS/POINTS"]
        table = file[f"HDFEOS/POINTS/{points}/Data/Combined NPD and SCA Output Fields"]
        rows = table[()]
        north = rows["Latitude"] > np.median(rows["Latitude"])
        rows["RetrievalQualityFlagSCA"][north] = 1
        rows["SoilMoistureSCA"][~north & (rows["Longitude"] > np.median(rows["Longitude"]))] = -9999
        table[...] = rows
    out = read(path, "AU_Land")
    assert np.isnan(out.ssm[:3]).all() and np.isnan(out.ssm[5:, 5:]).all()
    np.testing.assert_allclose(out.ssm[5:-1, 1:3], FIELD[5:-1, 1:3], atol=0.004)


def test_smap_at_9_km_is_one_observation_of_40_km(written: Written) -> None:
    path = written("SMAP")
    parts = parts_of_footprint(4, DOMAIN.grid.cell / 4, 33e3)
    spread = np.hypot(33.0, 2.3548 * np.sqrt((parts * (np.arange(4) - 1.5) ** 2).sum()) * DOMAIN.grid.cell / 4000)
    assert 38 < spread < 42  # km, as the documentation says
    r0, _, c0, _ = (n * 4 for n in DOMAIN.window)
    with h5py.File(path, "r+") as file:
        group = file["Soil_Moisture_Retrieval_Data_AM"]
        group["soil_moisture"][r0 : r0 + 4, c0 : c0 + 4] = 0.2
        group["soil_moisture"][r0 + 1, c0 + 1] = 0.6
        group["retrieval_qual_flag"][r0 : r0 + 4, c0 + 4 : c0 + 7] = 1  # not recommended
        group["retrieval_qual_flag"][r0 : r0 + 4, c0 + 8 : c0 + 12] = 1
    out = read(path, "SMAP")
    np.testing.assert_allclose(out.ssm[0, 0], 0.2 + 0.4 * parts[1] ** 2, atol=1e-6)
    assert np.isnan(out.ssm[0, 1:3]).all()  # a quarter of a cell is needed
    assert np.allclose(out.sigma[np.isfinite(out.ssm)], 0.05), "sixteen samples are no sixteen observations"


def test_smap_half_orbit_at_9_km(tmp_path: Path) -> None:
    rows, cols = (n.ravel() for n in np.indices((8, 8)))
    rows, cols = rows + DOMAIN.window[0] * 4, cols + DOMAIN.window[2] * 4
    path = tmp_path / "SMAP_L2_SM_P_E_07202_D_20160606T215002_R18290_001.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("Soil_Moisture_Retrieval_Data")
        group["EASE_row_index"], group["EASE_column_index"] = rows.astype("u2"), cols.astype("u2")
        group["longitude"] = np.full(rows.size, 118.0, "f4")
        group["soil_moisture"] = np.where(rows < DOMAIN.window[0] * 4 + 4, 0.2, 0.3).astype("f4")
        group["retrieval_qual_flag"] = np.zeros(rows.size, "u2")
    out = read(path, "SMAP")
    np.testing.assert_allclose(out.ssm[:2, :2], [[0.2, 0.2], [0.3, 0.3]])
    assert np.isfinite(out.ssm).sum() == 4


def test_smos_not_recommended_is_missing_and_other_grids_are_refused(written: Written, tmp_path: Path) -> None:
    path = written("SMOS")
    change(path, Quality_Flag=lambda v: np.where(v == 0, 1, v))
    assert np.isnan(read(path, "SMOS").ssm).all()
    change(path, Quality_Flag=lambda v: 0 * v)
    with xr.open_dataset(path, decode_cf=False) as whole:
        whole.isel(lat=slice(100, 400)).load().to_netcdf(tmp_path / NAMES["SMOS"], engine="h5netcdf")
    with pytest.raises(GranuleError, match="25 km EASE-Grid"):
        read(tmp_path / NAMES["SMOS"], "SMOS")
    with h5py.File(path, "r+") as file:
        del file["Quality_Flag"]
    with pytest.raises(GranuleError, match="Quality_Flag"):
        read(path, "SMOS")
