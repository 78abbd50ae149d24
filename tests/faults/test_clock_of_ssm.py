"""The moment of a coarse observation: days of SMAP, half orbits, and which of several files of a day counts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import h5py
import numpy as np
import pytest
import viewfile
import xarray as xr

from ssm_net.grid import M36, Domain
from ssm_net.ingest.catalog import list_granules
from ssm_net.ingest.ssm import read_ssm
from ssm_net.prepare.read_day import read_granules
from ssm_net.simulate.world.observe import RainGrid
from ssm_net.simulate.writers import netcdf

DAY, ONE = dt.date(2016, 5, 3), dt.timedelta(1)
DOMAIN = Domain.from_bbox("E105", (105, 34, 106, 35))


def smap_map(raw: Path, day: dt.date, value: float, times: str, lon: np.ndarray) -> None:
    """SPL3SMP of a UTC day: ``value`` everywhere at 06:00 local solar time, ``times`` the variable that says so."""
    shape = (M36.rows, M36.cols)
    path = raw / "SMAP" / f"SMAP_L3_SM_P_{day:%Y%m%d}_R18290_001.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    utc = np.datetime64(day, "s") + np.rint(((6 - lon / 15) % 24) * 3600).astype("timedelta64[s]")
    with h5py.File(path, "w") as file:
        group = file.create_group("Soil_Moisture_Retrieval_Data_AM")
        group.create_dataset("soil_moisture", data=np.full(shape, value, np.float32), compression=1)
        group.create_dataset("retrieval_qual_flag", data=np.zeros(shape, np.uint16), compression=1)
        if times == "tb_time_utc":
            row = np.char.add(np.datetime_as_string(utc), ".000Z").astype("S24")
            group.create_dataset(times, data=np.broadcast_to(row, shape), compression=1)
        elif times == "tb_time_seconds":
            row = (utc - np.datetime64("2000-01-01T12:00:00")).astype(np.float64)
            group.create_dataset(times, data=np.broadcast_to(row, shape), compression=1)
            group[times].attrs["_FillValue"] = -9999.0


def of_day(raw: Path, domain: Domain, day: dt.date = DAY) -> np.ndarray:
    return read_ssm(list_granules(raw, (day - ONE, day + ONE))["SMAP"][day], domain, 0.04).ssm


@pytest.mark.parametrize("times", ["tb_time_utc", "tb_time_seconds", "none"])
def test_S1_a_smap_day_is_of_the_local_mornings_in_it(tmp_path: Path, times: str) -> None:
    """East of 90 E the file of a UTC day holds the morning of the next local day."""
    lon = Domain("all", (100, 104, 0, M36.cols)).lonlat(coarse=True)[0]
    for n in (-1, 0, 1):
        smap_map(tmp_path, DAY + n * ONE, 0.2 + 0.1 * n, times, lon)
    assert np.allclose(of_day(tmp_path, DOMAIN), 0.1, atol=1e-6)
    across = Domain("across_90E", (100, 104, 720, 728))
    expected = np.where(across.lonlat(coarse=True)[0] <= 90, 0.2, 0.1)
    assert np.ptp(expected) > 0 and np.allclose(of_day(tmp_path, across), expected, atol=1e-6)
    west = Domain("far_west", (100, 104, 0, 4))
    assert np.allclose(of_day(tmp_path, west), 0.2, atol=1e-6)


def half_orbit(raw: Path, name: str, utc: str, value: float) -> None:
    r0, _, c0, _ = DOMAIN.window
    path = raw / "SMAP" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        group = file.create_group("Soil_Moisture_Retrieval_Data")
        group["EASE_row_index"], group["EASE_column_index"] = np.full(2, r0), np.array([c0, c0 + 1])
        group["longitude"] = np.full(2, 105.0, np.float32)
        group["soil_moisture"] = np.array([value, value], np.float32)
        group["retrieval_qual_flag"] = np.array([0, 0 if value > 0.2 else 1], np.uint16)
        group["tb_time_utc"] = np.full(2, utc, "S24")


@pytest.mark.parametrize("names", [("_A_", "_D_"), ("_D_", "_A_")])
def test_S3_the_observation_nearest_to_the_night_overpass_counts(tmp_path: Path, names: tuple[str, str]) -> None:
    """18:00 of the evening before is 7.5 h from 01:30, 06:00 of the day 4.5 h, whichever file comes first. The evening
    fills the cell that the morning leaves open."""
    evening, morning = (f"SMAP_L2_SM_P_0{n}{way}{{}}_R18290_001.h5" for n, way in zip((2800, 2801), names, strict=True))
    half_orbit(tmp_path, evening.format("20160502T103002"), "2016-05-02T11:00:00.000Z", 0.3)
    half_orbit(tmp_path, morning.format("20160502T223002"), "2016-05-02T23:00:00.000Z", 0.1)
    np.testing.assert_allclose(of_day(tmp_path, DOMAIN)[0, :2], [0.1, 0.3], atol=1e-6)


def quarter_degrees(raw: Path, day: dt.date, place: Domain, hours: tuple[float | None, ...], value: float) -> None:
    """A C3S file of a place, and rain beside it: the columns were observed, in turn, so many hours from 00:00 UTC of
    ``day``; None without a time."""
    west, south, _, _ = place.bounds_lonlat()
    lat, lon = south // 1 + np.arange(24, -8, -1) / 4 + 0.125, west // 1 + np.arange(-8, 24) / 4 + 0.125
    since = (day - dt.date(1970, 1, 1)).days
    row = [np.nan if h is None else since + h / 24 for h in (hours * lon.size)[: lon.size]]
    t0 = np.broadcast_to(np.array(row), (1, lat.size, lon.size))
    units = {"units": "days since 1970-01-01 00:00:00 UTC"}
    data = {
        "sm": (("time", "lat", "lon"), np.full(t0.shape, value, np.float32), {"units": "m3 m-3"}),
        "t0": (("time", "lat", "lon"), t0, units | {"_FillValue": -9999.0}),
    }
    name = f"C3S-SOILMOISTURE-L3S-SSMV-PASSIVE-DAILY-{day:%Y%m%d}000000-TCDR-v202212.0.0.nc"
    for folder in (raw / "C3S", raw / "precip"):
        folder.mkdir(parents=True, exist_ok=True)
    dataset = xr.Dataset(data, {"time": ("time", [since], units), "lat": lat, "lon": lon})
    dataset.to_netcdf(raw / "C3S" / name, engine="h5netcdf")
    begin = dt.datetime.combine(day, dt.time())
    rain, grid = np.zeros((lat.size, lon.size), np.float32), RainGrid(lat, lon, lat, lon)
    netcdf.write_rain(raw / "precip" / f"precip_{day:%Y%m%d}.nc", grid, rain, begin, begin + ONE)


@pytest.mark.parametrize(
    ("lon", "hour", "filed"),
    [
        pytest.param(105, -5.5, 0, id="AMSR2 over China, in the file of the day"),
        pytest.param(105, -13.0 + 24, -1, id="18:00 of the evening before, in the file of the day before"),
        pytest.param(-100, 8.2, 0, id="AMSR2 over America"),
        pytest.param(-110, 13.3 - 24, 1, id="SMAP at 06:00 over America, in the file of the day after"),
        pytest.param(0, 6.0, 0, id="06:00 at Greenwich"),
    ],
)
def test_S6_t0_says_of_which_night_a_value_is(tmp_path: Path, lon: float, hour: float, filed: int) -> None:
    """C3S and ESA CCI file what lies within 12 hours of 00:00 UTC: of which local night depends on place and sensor."""
    place = Domain.from_bbox("place", (lon, 32, lon + 1, 33))
    for n in (-1, 0, 1):
        quarter_degrees(tmp_path, DAY + n * ONE, place, (hour, hour + 0.1), 0.2 + 0.1 * n)
    plan = viewfile.planned(tmp_path, place, DAY)
    assert "ssm" in plan.kinds()
    got = read_granules(plan)
    assert got.ssm is not None and np.allclose(got.ssm.ssm, 0.2 + 0.1 * filed, atol=1e-6)
    assert {g.day - DAY for g in plan.certain()["ssm"]} == {dt.timedelta(0)}, "no day is late for its neighbour's file"


def test_S6_without_times_the_date_of_the_file_counts(tmp_path: Path) -> None:
    place = Domain.from_bbox("place", (105, 32, 106, 33))
    for n, hours in ((-1, (0.0,)), (0, (0.0,)), (1, (None,))):
        quarter_degrees(tmp_path, DAY + n * ONE, place, hours, 0.2 + 0.1 * n)
    got = read_granules(viewfile.planned(tmp_path, place, DAY)).ssm
    assert got is not None and np.allclose(got.ssm, 0.2, atol=1e-6)
