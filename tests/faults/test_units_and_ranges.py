"""Units and ranges: impossible values are missing and counted; a file that mostly holds such is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import eosfile
import lonlat_file as lonlat
import numpy as np
import pytest
import road
import xarray as xr
from lonlat_file import DAY, DOMAIN, SHAPE
from pyproj import Transformer
from worlds import tiny_cube

from ssm_net.grid import M36
from ssm_net.ingest.account import Account
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.fine import read_lst, read_reflectance
from ssm_net.ingest.notes import collected
from ssm_net.ingest.products import product
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.reanalysis import read_reanalysis
from ssm_net.ingest.ssm import read_ssm
from ssm_net.prepare.day_plan import DayPlan, RainInterval
from ssm_net.prepare.read_day import read_granules
from ssm_net.train.errors import TrainingError
from ssm_net.train.run import split_of

MIDNIGHT, NEXT = np.datetime64("2016-06-07", "s"), np.datetime64("2016-06-08", "s")
f4 = np.float32


def noted(read: Callable[[], object]) -> tuple[object, str]:
    """What a reader returns, and its notes as text."""
    with collected() as notes:
        out = read()
    return out, "\n".join(map(str, notes))


# --- soil moisture


PASSIVE = "C3S-SOILMOISTURE-L3S-SSMV-PASSIVE-DAILY-20160607000000-TCDR-v202312.0.0.nc"
ACTIVE = "ESACCI-SOILMOISTURE-L3S-SSMS-ACTIVE-20160607000000-fv08.1.nc"


def quarter(path: Path, values: np.ndarray, **attributes: str) -> list[Granule]:
    lonlat.write(path, "sm", values, attributes, others={"sm_uncertainty": 0.1 * values})
    return [Granule("CCI" if "CCI" in path.name else "C3S", path, DAY)]


def moist(value: float) -> np.ndarray:
    out = np.full((1, *SHAPE), value, f4)
    out[:, ::3] = np.nan  # orbit gaps
    return out


@pytest.mark.parametrize(
    ("name", "value", "attributes", "words"),
    [
        pytest.param(ACTIVE, 0.6, {"units": "percent"}, "ACTIVE soil moisture", id="S9"),
        pytest.param(ACTIVE, 0.6, {}, "ACTIVE soil moisture", id="S9 without units"),
        pytest.param("sm_20160607.nc", 0.6, {"units": "percent", "long_name": "Percent of Saturation Soil Moisture"},
                     "degree of saturation", id="S9 renamed"),
        pytest.param("sm_20160607.nc", 55.0, {"units": "%"}, "degree of saturation", id="S10 percent of anything"),
        pytest.param(ACTIVE, 55.0, {}, "ACTIVE soil moisture", id="S10"),
        pytest.param(PASSIVE, 25.0, {}, "(25).*outside 0 .. 0.7 m3 m-3.*likely percent; check its units", id="Q1"),
        pytest.param(PASSIVE, 250.0, {"units": "m3 m-3"}, "g/kg or per mille", id="per mille"),
        pytest.param(PASSIVE, 25.0, {"units": "kg m-2"}, "water in a layer of unstated depth", id="water of a layer"),
        pytest.param(PASSIVE, 0.0, {}, "each of its [0-9]+ values is 0, which stands for a missing one", id="Q2 all 0"),
        pytest.param(PASSIVE, -1e30, {}, "each of its .*-1e.30.*state it as _FillValue", id="Q2 all -1e30"),
    ],
)  # fmt: skip
def test_what_is_no_soil_moisture_is_refused(tmp_path: Path, name: str, value: float, attributes: dict, words: str):
    with pytest.raises(GranuleError, match=words) as error:
        read_ssm(quarter(tmp_path / name, moist(value), **attributes), DOMAIN, 0.05)
    assert name in str(error.value)
    assert name == ACTIVE or "'sm'" in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["Q2 nan", "Q2 infinite"])
def test_a_file_without_any_soil_moisture_is_named(tmp_path: Path, value: float) -> None:
    granules = quarter(tmp_path / PASSIVE, np.full((1, *SHAPE), value, f4))
    out, said = noted(lambda: read_ssm(granules, DOMAIN, 0.05))
    assert np.isnan(out.ssm).all()  # type: ignore[attr-defined]
    assert PASSIVE in said and "holds no soil moisture at all" in said


@pytest.mark.parametrize("units", ["%", "percent", "vol.%"])
def test_percent_of_the_volume_is_converted_Q1(tmp_path: Path, units: str) -> None:
    out = read_ssm(quarter(tmp_path / PASSIVE, moist(25.0), units=units), DOMAIN, 0.05)
    seen = np.isfinite(out.ssm)
    np.testing.assert_allclose(out.ssm[seen], 0.25, rtol=1e-6)
    np.testing.assert_allclose(out.sigma[seen], 0.025, rtol=1e-6)


def global_map(path: Path, value: float, **attributes: str) -> list[Granule]:
    to = Transformer.from_crs(M36.crs, "EPSG:4326", always_xy=True)
    x, y = M36.left + (np.arange(M36.cols) + 0.5) * M36.cell, M36.top - (np.arange(M36.rows) + 0.5) * M36.cell
    lon, lat = to.transform(x, 0 * x)[0], to.transform(0 * y, y)[1]
    values = np.full((M36.rows, M36.cols), value, f4)
    values[84, 792:795] = [-9999, 1e20, -32768]
    xr.Dataset({"sm": (("lat", "lon"), values, attributes), "lat": lat, "lon": lon}).to_netcdf(path, engine="h5netcdf")
    return [Granule("NNsm", path, DAY)]


@pytest.mark.parametrize(("value", "units"), [(0.25, "m3/m3"), (0.25, "cm^3 cm^-3"), (25, "%"), (25, "percent")])
def test_a_global_map_in_any_unit_with_undeclared_fills(tmp_path: Path, value: float, units: str) -> None:
    granules = global_map(tmp_path / "NNsm-AMSR2-2016159.nc", value, units=units)
    out, said = noted(lambda: read_ssm(granules, DOMAIN, 0.05))
    np.testing.assert_allclose(out.ssm[0], [np.nan] * 3 + [0.25], rtol=1e-6)  # type: ignore[attr-defined]
    assert "-32768, 1e+20 is no soil moisture and is not declared" in said and "2 of 391383 values" in said


def test_the_highest_percent_is_still_soil_moisture(tmp_path: Path) -> None:
    out = read_ssm(quarter(tmp_path / PASSIVE, moist(70.0), units="%"), DOMAIN, 0.05)
    np.testing.assert_allclose(out.ssm[np.isfinite(out.ssm)], 0.7, rtol=1e-6)
    assert np.isfinite(out.ssm).any()


def test_an_unknown_unit_is_said(tmp_path: Path) -> None:
    _, said = noted(lambda: read_ssm(global_map(tmp_path / "NNsm-AMSR2-2016159.nc", 0.2, units="bushel"), DOMAIN, 0.05))
    assert "units 'bushel' are not known for soil moisture; taken for m3 m-3" in said


# --- rain and reanalysis


def rain(path: Path, values: np.ndarray, units: str = "mm") -> list[Granule]:
    lonlat.write(path, "precip", values, {"units": units})
    return [Granule("precip", path, DAY, path.name)]


def sum_of(granules: list[Granule]) -> np.ndarray:
    return rain_between(granules, MIDNIGHT, NEXT, DOMAIN.fine)


@pytest.mark.parametrize("usual", [0.0, 7.0], ids=["dry", "wet"])
@pytest.mark.parametrize(
    ("bad", "words"),
    [(-9999.0, "-9999 is no rain and is not declared"), (1e30, "1e.30 is no rain"), (-50.0, "outside 0 .. 2000 mm"),
     (5000.0, "outside 0 .. 2000 mm are missing; 3 of 690 values .5000."), (-1.0, "-1 is no rain")],
    ids=["R23", "Q10 1e30", "Q10 -50", "Q10 5000", "-1"],
)  # fmt: skip
def test_impossible_rain_is_missing_and_counted(tmp_path: Path, usual: float, bad: float, words: str) -> None:
    values = np.full((1, *SHAPE), usual, f4)
    values[0, 8, 9:12] = bad  # in the domain
    with collected() as notes:
        out = sum_of(rain(tmp_path / "a.nc", values))
    assert len(notes) == 1
    np.testing.assert_allclose(out[np.isfinite(out)], usual, atol=1e-5)
    assert re.search(words, str(notes[0])) and "3 of 690 values" in str(notes[0])


@pytest.mark.parametrize(
    ("value", "units", "words"),
    [
        pytest.param(-9999.0, "mm", "each of its 690 values is -9999, which stands for a missing one", id="R23"),
        pytest.param(1e30, "mm", "each of its 690 values is 1e", id="Q10 1e30"),
        pytest.param(5000.0, "mm", "690 of 690 values .5000. are outside 0 .. 2000 mm.*another unit", id="Q10 5000"),
        pytest.param(-50.0, "mm", "negative numbers", id="Q10 -50"),
        pytest.param(12.0, "m", "12000. are outside 0 .. 2000 mm, the range of rain", id="mm said to be m"),
    ],
)
def test_a_file_that_is_no_rain_is_refused(tmp_path: Path, value: float, units: str, words: str) -> None:
    with pytest.raises(GranuleError, match=rf"rain_20160607\.nc, layer 'precip'.*{words}"):
        sum_of(rain(tmp_path / "rain_20160607.nc", np.full((1, *SHAPE), value, f4), units))


def test_rounding_of_packed_rain_is_no_fault(tmp_path: Path) -> None:
    out, said = noted(lambda: sum_of(rain(tmp_path / "a.nc", np.full((1, *SHAPE), -1e-6, f4))))
    assert said == "" and (out == 0).all()  # type: ignore[attr-defined]


def air(path: Path, value: float, units: str = "K", bad: float | None = None) -> np.ndarray:
    values = np.full((1, *SHAPE), value, f4)
    if bad is not None:
        values[0, :3] = bad
    lonlat.write(path, "t2m", values, {"units": units})
    found = read_reanalysis([Granule("ERA5-Land", path, DAY)], MIDNIGHT, DOMAIN)
    assert found is not None
    return found[0]


def test_air_temperature(tmp_path: Path) -> None:
    np.testing.assert_allclose(air(tmp_path / "a.nc", 21.85, "degC"), 295.0, rtol=1e-6)
    out, said = noted(lambda: air(tmp_path / "b.nc", 295.0, bad=1e30))  # Q10
    np.testing.assert_allclose(out, 295.0)
    assert "1e+30 is no air temperature" in said and "90 of 690" in said
    for value, words in ((21.85, "likely degrees C"), (1e30, "holds no air temperature"), (0.0, "is 0, which stands")):
        with pytest.raises(GranuleError, match=rf"c\.nc, layer 't2m'.*{words}"):
            air(tmp_path / "c.nc", value)


# --- temperature and reflectance of the ground


LST = {"scale_factor": 0.02, "valid_range": [7500, 65535], "_FillValue": 0}


def lst(path: Path, stored: np.ndarray, **change: object) -> np.ndarray:
    grid = eosfile.lst_grid(np.full((40, 40), 300.0), 9_500_000.0, 3_950_000.0)
    grid["layers"]["LST_Day_1km"] = stored, {**LST, **change}
    value = eosfile.read_layer(eosfile.write(path, [grid]), product("MYD11A1").layer("lst_day"))
    assert value is not None
    return value[0].data


def test_bytes_that_are_no_temperature_Q3(tmp_path: Path) -> None:
    stored = np.full((40, 40), 15000, np.uint16)
    stored[3, :4] = 0xFFFE
    out, said = noted(lambda: lst(tmp_path / "MYD11A1.hdf", stored))
    assert np.isnan(out[3, :4]).all() and np.isfinite(out).sum() == 1596  # type: ignore[index]
    assert "outside 150 .. 360 K are missing; 4 of 1600 values (1310.68)" in said and "MYD11A1.hdf" in said
    for change in ({"scale_factor": 1e30}, {"scale_factor": 0.2}, {"scale_factor": 0.0002}):
        with pytest.raises(GranuleError, match=r"MYD11A1\.hdf, layer 'LST_Day_1km'.*land surface temperature"):
            lst(tmp_path / "MYD11A1.hdf", stored, **change)


@pytest.mark.parametrize(
    ("value", "units", "kelvin", "words"),
    [(300.0, "kelvin", 300.0, ""), (26.85, "degree_Celsius", 300.0, ""), (26.85, "", None, "likely degrees C"),
     (30000.0, "K", None, "scale_factor is missing")],
)  # fmt: skip
def test_temperature_of_a_latitude_longitude_file(tmp_path, value, units, kelvin, words) -> None:
    path = tmp_path / "ESACCI-LST-L3C-LST-MODISA-0.01deg_1DAILY_DAY-20160607000000-fv3.00.nc"
    lonlat.write(path, "lst", np.full((1, *SHAPE), value, f4), {"units": units} if units else {})
    granules = [Granule("ESACCI-LST", path, DAY, "DAY MODISA")]
    if kelvin is not None:
        np.testing.assert_allclose(read_lst(granules, "day", DOMAIN.fine)[0], kelvin, rtol=1e-6)
        return
    with pytest.raises(GranuleError, match=words):
        read_lst(granules, "day", DOMAIN.fine)


def test_reflectance_in_percent_is_refused(tmp_path: Path) -> None:
    names = ("1 km 16 days red reflectance", "1 km 16 days pixel reliability")
    layers = {names[0]: (np.full((40, 40), 2000, np.int16), {"scale_factor": 0.01, "valid_range": [0, 10000]}),
              names[1]: (np.zeros((40, 40), np.int8), {})}  # fmt: skip
    west, _, _, north = DOMAIN.bounds_lonlat()
    x, y = Transformer.from_crs("EPSG:4326", "+proj=sinu +R=6371007.181", always_xy=True).transform(
        west + 0.5, north - 0.5
    )
    path = eosfile.write(tmp_path / "MOD13A2.hdf", [{"left": x, "top": y, "shape": (40, 40), "layers": layers}])
    with pytest.raises(GranuleError, match=r"MOD13A2\.hdf, layer '1 km 16 days red.*20. are outside.*likely percent"):
        read_reflectance([Granule("MOD13A2", path, DAY, "h26v05")], DOMAIN.fine)


# --- how it is told


def test_a_day_carries_its_notes_and_a_run_tells_each_once(tmp_path: Path) -> None:
    days = []
    for n in (1, 2, 3):
        values = np.full((1, *SHAPE), 4, f4)
        values[0, 0, :n] = -9999
        granules = tuple(rain(tmp_path / f"rain_2016060{n}.nc", values))
        plan = DayPlan(DAY, DOMAIN, {}, (RainInterval(MIDNIGHT, NEXT, granules),), 0.05)
        days.append(read_granules(plan))
        assert days[-1].problems == () and days[-1].files == (f"rain_2016060{n}.nc",)
    files = Account().with_remarks(r for day in days for r in day.remarks if r.file).warnings()
    assert files == ["precip: 3 files: layer 'precip': -9999 is no rain and is not declared as its fill value: missing "
                     "(rain_20160601.nc: 1 of 690 values and 2 more)"]  # fmt: skip


def test_a_cube_of_water_is_named_as_such_Q12(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "cube.zarr", days=2, static={"urban": (slice(None), slice(None))})
    with pytest.raises(TrainingError, match=r"cube\.zarr: no pixel is land.*Check the static maps water_fraction"):
        split_of(road.training(cube.path, tmp_path / "run"), cube)
