"""Quality flags as the products mean them, in every encoding of a product, and what each costs."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eosfile
import h5py
import numpy as np
import pytest
import road
import xarray as xr
from pyhdf.SD import SD, SDC
from pyproj import Transformer

from ssm_net.cube.store import open_cube
from ssm_net.grid import M36, Domain
from ssm_net.ingest import flag_costs
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.flag_costs import Cost
from ssm_net.ingest.products import product
from ssm_net.ingest.ssm import read_ssm
from ssm_net.prepare import prepare

DAY = dt.date(2016, 6, 7)
DOMAIN = Domain("part", (84, 88, 792, 796))
R0, R1, C0, C1 = DOMAIN.window

# ---- C3S and ESA CCI -----------------------------------------------------------------------------------------------

ENCODINGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "int8": (np.int8, {"_FillValue": np.int8(127)}),
    "uint8": (np.uint8, {"_FillValue": np.uint8(255)}),
    "int16": (np.int16, {}),
    "float32": (np.float32, {"_FillValue": np.float32(np.nan)}),
}
CCI_USED = {0: True, 1: False, 2: False, 4: False, 6: False, 8: False, 16: False, 32: False, 64: True, 66: False,
            65: False, 96: False}  # fmt: skip


def cci(path: Path, flag: np.ndarray, attributes: dict[str, Any], name: str = "flag") -> list[Granule]:
    lat, lon = np.arange(89.875, -90, -0.25), np.arange(-179.875, 180, 0.25)
    dims, shape = ("time", "lat", "lon"), (1, lat.size, lon.size)
    dataset = xr.Dataset(
        {"sm": (dims, np.full(shape, 0.2, np.float32), {"units": "m3 m-3"}),
         name: (dims, np.broadcast_to(flag, shape), {k: v for k, v in attributes.items() if k != "_FillValue"})},
        {"time": [np.datetime64(DAY, "ns")], "lat": lat, "lon": lon},
    )  # fmt: skip
    dataset.to_netcdf(path, engine="h5netcdf", encoding={name: {"_FillValue": attributes.get("_FillValue")}})
    return [Granule("C3S", path, DAY)]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("value", CCI_USED, ids=lambda v: f"S8-{v}")
def test_flags_of_passive_soil_moisture(tmp_path: Path, value: int, encoding: str) -> None:
    """Barren ground is an advice that is not masked: deserts keep their observations."""
    kind, attributes = ENCODINGS[encoding]
    out = read_ssm(cci(tmp_path / "a.nc", np.asarray(value, kind), attributes), DOMAIN, 0.05)
    assert np.isfinite(out.ssm).all() if CCI_USED[value] else np.isnan(out.ssm).all()


def test_a_value_whose_flag_holds_no_number_is_missing(tmp_path: Path) -> None:
    with flag_costs.collected() as costs:
        out = read_ssm(cci(tmp_path / "a.nc", np.int8(127), {"_FillValue": np.int8(127)}), DOMAIN, 0.05)
    assert np.isnan(out.ssm).all()
    (words,) = flag_costs.of_day(costs, {tmp_path / "a.nc": "C3S"})
    assert words == "C3S: flag without a number (missing)"


def test_what_a_flag_costs_is_counted_in_the_domain(tmp_path: Path) -> None:
    flag = np.zeros((720, 1440), np.int8)
    flag[:, ::2] = 64
    flag[::2] |= 2
    with flag_costs.collected() as costs:
        read_ssm(cci(tmp_path / "a.nc", flag, {"_FillValue": np.int8(127)}), DOMAIN, 0.05)
    counted = flag_costs.of_day(costs, {tmp_path / "a.nc": "C3S"})
    assert sorted(counted) == ["C3S: barren ground (kept)", "C3S: dense vegetation (missing)"]
    for cost in counted.values():
        assert 30 < cost.values < 60  # quarter degrees that the domain touches, not the globe
        assert cost.count == pytest.approx(cost.values / 2, abs=8)


# ---- MODIS ---------------------------------------------------------------------------------------------------------


def reflectance(path: Path, name: str, state: int, qc: int) -> tuple[float, float]:
    """The value and the quality of the red band where all pixels have this state and band quality."""
    weekly = name.endswith("A1")
    band, state_name, qc_name = (("sur_refl_b01", "sur_refl_state_500m", "sur_refl_qc_500m") if weekly else
                                 ("sur_refl_b01_1", "state_1km_1", "QC_500m_1"))  # fmt: skip
    scale = {"scale_factor": 0.0001 if weekly else 10000.0, "valid_range": [-100, 16000]}
    fine: dict[str, Any] = {band: (np.full((4, 4), 2000, np.int16), scale),
                            qc_name: (np.full((4, 4), qc, np.uint32), {})}  # fmt: skip
    layer = {state_name: (np.full((4, 4) if weekly else (2, 2), state, np.uint16), {})}
    grids = [{"left": 0.0, "top": 0.0, "shape": (4, 4), "layers": fine | (layer if weekly else {}),
              "pixel": eosfile.PIXEL / 2}]  # fmt: skip
    if not weekly:
        grids.insert(0, {"left": 0.0, "top": 0.0, "shape": (2, 2), "layers": layer})
    entry = product(name)
    assert entry is not None
    return _one_value(eosfile.write(path, grids), entry.layer("red"))


def _one_value(path: Path, layer: Any) -> tuple[float, float]:
    values = eosfile.read_layer(path, layer)
    assert values is not None and values[1] is not None
    return float(values[0].data[1, 1]), float(values[1].data[1, 1])


STATE = {
    "clear": (0, "best"), "cloudy": (1, "missing"), "mixed": (2, "missing"), "assumed clear": (3, "best"),
    "shadow": (1 << 2, "missing"), "land": (1 << 3, "best"), "low aerosol": (1 << 6, "best"),
    "high aerosol": (3 << 6, "second"), "small cirrus": (1 << 8, "best"), "average cirrus": (2 << 8, "second"),
    "high cirrus": (3 << 8, "missing"), "internal cloud": (1 << 10, "missing"), "fire": (1 << 11, "missing"),
    "MOD35 snow": (1 << 12, "best"), "adjacent to cloud": (1 << 13, "second"), "salt pan": (1 << 14, "best"),
    "internal snow": (1 << 15, "best"), "snow next to cloud": (1 << 12 | 1 << 13, "second"),
    "fill": (65535, "missing"),
}  # fmt: skip


def check(found: tuple[float, float], expected: str) -> None:
    if expected == "missing":
        assert np.isnan(found).all()
    else:
        assert found == (pytest.approx(0.2), {"best": 0, "second": 1}[expected])


@pytest.mark.parametrize("name", ["MOD09GA", "MYD09A1"])
@pytest.mark.parametrize("what", STATE, ids=lambda w: f"M23-{w}")
def test_state_of_surface_reflectance(tmp_path: Path, name: str, what: str) -> None:
    """Internal cloud and high cirrus are cloud; nearness of cloud lowers the quality; snow is what is looked for."""
    state, expected = STATE[what]
    check(reflectance(tmp_path / "a.hdf", name, state, 0), expected)


@pytest.mark.parametrize(
    ("qc", "expected"),
    [(0, "best"), (1, "best"), (2, "missing"), (3, "missing"), *((n << 2, "second") for n in (7, 8, 12)),
     *((n << 2, "missing") for n in (9, 10, 11, 13, 14, 15)), (15 << 6, "best")],
)  # fmt: skip
def test_band_quality_of_surface_reflectance(tmp_path: Path, qc: int, expected: str) -> None:
    """Of a dead detector (band 6 of Aqua) the interpolated value is of the second quality; another band's is not."""
    check(reflectance(tmp_path / "a.hdf", "MYD09GA", 0, qc), expected)


@pytest.mark.parametrize(
    ("rank", "vi", "expected"),
    [(0, 0, "best"), (1, 0, "second"), (2, 0, "missing"), (3, 0, "missing"), (4, 0, "missing"), (-1, 0, "missing"),
     (0, 1 << 8, "second"), (0, 1 << 10, "second"), (0, 1 << 15, "second"), (0, 3 << 6, "second"), (0, 1 << 6, "best"),
     (0, None, "best")],
)  # fmt: skip
def test_quality_of_the_vegetation_index_product(tmp_path: Path, rank: int, vi: int | None, expected: str) -> None:
    red = np.full((4, 4), 2000, np.int16)
    layers: dict[str, Any] = {
        "1 km 16 days red reflectance": (red, {"scale_factor": 10000.0, "valid_range": [0, 10000]}),
        "1 km 16 days pixel reliability": (np.full((4, 4), rank, np.int8), {}),
    }
    if vi is not None:
        layers["1 km 16 days VI Quality"] = (np.full((4, 4), vi, np.uint16), {})
    path = eosfile.write(tmp_path / "a.hdf", [{"left": 0.0, "top": 0.0, "shape": (4, 4), "layers": layers}])
    check(_one_value(path, product("MOD13A2").layer("red")), expected)  # type: ignore[union-attr]


@pytest.mark.parametrize(("mandatory", "expected"), [(0, "best"), (1, "second"), (2, "missing"), (255, "missing")])
def test_quality_of_adjusted_reflectance(tmp_path: Path, mandatory: int, expected: str) -> None:
    layers: dict[str, Any] = {
        "Nadir_Reflectance_Band1": (np.full((4, 4), 2000, np.int16), {"scale_factor": 0.0001}),
        "BRDF_Albedo_Band_Mandatory_Quality_Band1": (np.full((4, 4), mandatory, np.uint8), {}),
    }
    grid = {"left": 0.0, "top": 0.0, "shape": (4, 4), "layers": layers, "pixel": eosfile.PIXEL / 2}
    check(_one_value(eosfile.write(tmp_path / "a.hdf", [grid]), product("MCD43A4").layer("red")), expected)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "qc", "kelvin"),
    [("MYD11A1", 0, 1.0), ("MYD11A1", 0b01000001, 2.0), ("MYD11A1", 0b11000001, 4.0), ("MYD11A1", 2, None),
     ("MYD11A1", 3, None), ("MYD21A1D", 3 << 14, 1.0), ("MYD21A1D", 1, 2.5), ("MYD21A1D", 2, None),
     ("MYD21A1D", 3, None), ("MYD21A1D", 3 << 14 | 3 << 4, None), ("MYD21A1D", 3 << 14 | 1 << 4, 4.0),
     ("MYD21A1D", 3 << 14 | 2 << 4, 2.5)],
)  # fmt: skip
def test_quality_of_lst_is_its_error(tmp_path: Path, name: str, qc: int, kelvin: float | None) -> None:
    """Thin cirrus and the edge of a cloud make LST of MxD21 less certain; cloud leaves none."""
    lst = (np.full((4, 4), 14500, np.uint16), eosfile.LST)
    eleven = name == "MYD11A1"
    layers = ({"LST_Day_1km": lst, "QC_Day": (np.full((4, 4), qc, np.uint8), {})} if eleven else
              {"LST_1KM": lst, "QC": (np.full((4, 4), qc, np.uint16), {})})  # fmt: skip
    path = eosfile.write(tmp_path / "a.hdf", [{"left": 0.0, "top": 0.0, "shape": (4, 4), "layers": layers}])
    found = _one_value(path, product(name).layer("lst_day"))  # type: ignore[union-attr]
    assert np.isnan(found).all() if kelvin is None else found == (pytest.approx(290.0), kelvin)


def test_what_flags_cost_stands_in_the_status_of_the_day(tmp_path: Path, tiny_raw: Path) -> None:
    """The values of LST that the flag of cloud takes away, of those that the file holds."""
    raw = road.linked(tiny_raw, tmp_path / "raw")
    for folder in ("precip", "MCD43A4.061"):
        shutil.rmtree(raw / folder)
    values, flagged = 0, 0
    for path in (raw / "MYD11A1.061").glob("*.A201612[12].*"):
        sd = SD(str(road.owned(path)), SDC.WRITE)
        part = "Day" if ".A2016122." in path.name else "Night"  # the night of the day is in the file before
        qc, there = sd.select(f"QC_{part}"), sd.select(f"LST_{part}_1km")[:] > 0
        cloud = there & (np.arange(there.shape[1]) % 2 == 0)
        qc[:] = np.where(cloud, 2, qc[:]).astype(np.uint8)
        values, flagged = values + int(there.sum()), flagged + int(cloud.sum())
        sd.end()
    prepare(road.preparation(raw, tmp_path / "c.zarr", end=road.START))
    status = open_cube(tmp_path / "c.zarr").status(dt.date(2016, 5, 1)) or {}
    assert list(status["flags"]) == ["MYD11A1: not produced, cloud (missing)"]
    cost = Cost(**status["flags"]["MYD11A1: not produced, cloud (missing)"])
    assert cost.count / cost.values == pytest.approx(flagged / values, abs=0.03)


# ---- SMAP ----------------------------------------------------------------------------------------------------------

SSM = np.full((M36.rows, M36.cols), 0.2, np.float32)
RETRIEVAL, SURFACE = np.zeros(SSM.shape, np.uint16), np.zeros(SSM.shape, np.uint16)
RETRIEVAL[R0, C0 : C0 + 4] = [1, 5, 8, 65534]  # not recommended, nor successful; thaw is no matter; no number
SURFACE[R0 + 1, C0 : C0 + 4] = [1 << 5, 1 << 7, 1 << 8, 1 << 6]  # snow, frozen twice, lasting ice
SURFACE[R0 + 2, C0 : C0 + 4] = [1 << 4, 1 << 9, 1 << 10, 65534]  # what the recommendation weighs; no number
USED = np.ones(DOMAIN.coarse_shape, bool)
USED[0], USED[1] = [False, False, True, False], False


def _axes() -> tuple[np.ndarray, np.ndarray]:
    to = Transformer.from_crs(M36.crs, "EPSG:4326", always_xy=True)
    x, y = M36.left + (np.arange(M36.cols) + 0.5) * M36.cell, M36.top - (np.arange(M36.rows) + 0.5) * M36.cell
    return to.transform(np.zeros_like(y), y)[1], to.transform(x, np.zeros_like(x))[0]


def _groups(path: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("Soil_Moisture_Retrieval_Data_AM")
        for name, values in (("soil_moisture", SSM), ("retrieval_qual_flag", RETRIEVAL), ("surface_flag", SURFACE)):
            group[name] = values


def _flat(ssm: str, retrieval: str, surface: str, transposed: bool = False, points: bool = False, **more: str) -> Any:
    def write(path: Path) -> None:
        lat, lon = _axes()
        fields = {ssm: SSM, retrieval: RETRIEVAL, surface: SURFACE} | {n: SSM * 0 + 3 for n in more}
        if points:
            rows, cols = (a.ravel() for a in np.mgrid[R0 - 2 : R1, C0 - 2 : C1])
            variables: dict[str, Any] = {n: ("i", f[rows, cols]) for n, f in fields.items()}
            where = {"latitude": ("i", lat[rows]), "longitude": ("i", lon[cols])}
        else:
            dims = ("lon", "lat") if transposed else ("lat", "lon")
            variables = {n: (dims, f.T if transposed else f) for n, f in fields.items()}
            where = {"latitude": ("lat", lat), "longitude": ("lon", lon)}
        xr.Dataset({**variables, **where}).to_netcdf(path, engine="h5netcdf")

    return write


AM = "Soil_Moisture_Retrieval_Data_AM_"
SMAP: dict[str, tuple[str, Callable[[Path], None]]] = {
    "HDF5": ("h5", _groups),
    "NetCDF with the groups": ("nc", _groups),
    "NetCDF": ("nc", _flat("soil_moisture", "retrieval_qual_flag", "surface_flag")),
    "transposed": ("nc", _flat("soil_moisture", "retrieval_qual_flag", "surface_flag", transposed=True)),
    "overpass in the names": ("nc", _flat("soil_moisture_am", "retrieval_qual_flag_am", "surface_flag_am",
                                          retrieval_qual_flag_pm="")),
    "group in the names": ("nc", _flat(f"{AM}soil_moisture", f"{AM}retrieval_qual_flag", f"{AM}surface_flag",
                                       **{f"{AM}albedo": "", f"{AM}retrieval_qual_flag_option3": ""})),
    "points": ("nc", _flat("soil_moisture", "Retrieval_Qual_Flag", "surface_flag", points=True)),
}  # fmt: skip


@pytest.mark.parametrize("encoding", SMAP)
def test_flags_of_smap_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    suffix, write = SMAP[encoding]
    path = tmp_path / f"SMAP_L3_SM_P_20160607_R18290_001.{suffix}"
    write(path)
    with flag_costs.collected() as costs:
        out = read_ssm([Granule("SMAP", path, DAY + dt.timedelta(1))], DOMAIN, 0.05)  # 06:00 there is of the next day
    np.testing.assert_array_equal(np.isfinite(out.ssm), USED)
    assert np.allclose(out.ssm[USED], 0.2)
    counted = flag_costs.of_day(costs, {path: "SMAP"})
    assert counted["SMAP: not recommended (missing)"] == Cost(2, 16)
    assert counted["SMAP: frozen ground (missing)"] == Cost(2, 16)
    assert counted["SMAP: dense vegetation (kept)"] == Cost(1, 16)


def test_a_conversion_without_flags_is_used_and_said(tmp_path: Path) -> None:
    path = tmp_path / "SMAP_20160607.nc"
    lat, lon = _axes()
    xr.Dataset({"soil_moisture": (("lat", "lon"), SSM), "latitude": ("lat", lat), "longitude": ("lon", lon)}).to_netcdf(
        path, engine="h5netcdf"
    )
    with flag_costs.collected() as costs:
        assert np.isfinite(read_ssm([Granule("SMAP", path, DAY)], DOMAIN, 0.05).ssm).all()
    counted = flag_costs.of_day(costs, {path: "SMAP"})
    assert counted == {"SMAP: no quality flag in the file (kept)": Cost(16, 16)}
