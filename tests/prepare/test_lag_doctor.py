"""The lag doctor: it finds an input that lies on another day, says what to do, and is silent about a sound record."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import road
import xarray as xr

from ssm_net.cube.lags import DAYS_NEEDED, LAGS, LagRow, rows_of
from ssm_net.grid import Domain
from ssm_net.prepare.lag_doctor import advice
from ssm_net.prepare.run import prepare
from ssm_net.simulate.writers.netcdf import write_nnsm

SHAPE = (6, 6)
DAYS = 60


CUBE = SimpleNamespace(  # what the advice reads of a cube
    attrs={"rain": "precip", "lst": "MYD11A1", "other_lst": "MOD11A1", "modis_day": "utc", "rain_day": ""}
)


def record(seed: int, days: int = DAYS, shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The observation at 01:30 and inputs of a land that dries within days and is wetted by passing storms, in half
    days: LST of 13:30 is of the soil then, seen where the sky is clear, below weather that soil has no part in."""
    rng = np.random.default_rng(seed)
    cells = shape[0] * shape[1]
    near = np.exp(-np.hypot(*(np.subtract.outer(a, a) for a in np.indices(shape).reshape(2, -1))) / 2)
    root = np.linalg.cholesky(near)
    memory = rng.uniform(4, 8)
    soil, weather = np.full(cells, 0.2), np.zeros(cells)
    ssm, rain, noon, night = (np.full((days, cells), np.nan) for _ in range(4))
    fallen = np.zeros(cells)
    for day in range(-20, days):
        storm = root @ rng.standard_normal(cells)
        for half in range(2):
            if half == 0 and day >= 0:  # 01:30: the observation, and the rain since that of the day before
                ssm[day] = np.where(rng.uniform(size=cells) < 0.65, soil + 0.02 * rng.standard_normal(cells), np.nan)
                rain[day] = fallen * rng.uniform(0.5, 1.5, cells)
                night[day] = np.where(storm < 0.3, 285 + weather + 10 * soil, np.nan)
            if half == 0:
                fallen = np.zeros(cells)
            wet = np.where(storm > 0.8, rng.exponential(8) * (storm - 0.5), 0.0)
            soil = 0.06 + (soil - 0.06) * np.exp(-0.5 / memory)
            soil = np.minimum(soil + 0.006 * wet, 0.42)
            fallen += wet
            weather = 0.85 * weather + 1.5 * (root @ rng.standard_normal(cells))
            if half == 0 and day >= 0:  # 13:30
                noon[day] = np.where(storm < 0.3, 300 + 0.5 * weather - 40 * soil, np.nan)
    return ssm, {"rain": rain, "lst_day": noon, "lst_night": night, "lst_day_other": noon + 1.0}


def moved(values: np.ndarray, days: int) -> np.ndarray:
    """Each value filed so many days later."""
    out = np.full_like(values, np.nan)
    out[max(0, days) : len(values) + min(0, days)] = values[max(0, -days) : len(values) - max(0, days)]
    return out


@pytest.mark.parametrize("seed", range(12))
def test_a_sound_record_gives_no_warning(seed):
    rows = rows_of(*record(seed), SHAPE)
    assert [row.name for row in rows] == ["rain", "lst_day", "lst_night", "lst_day_other"]
    assert not [row for row in rows if row.clear]
    assert rows[0].best == 0 and rows[0].r[LAGS.index(0)] > 0.3


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("days", [-1, 1])
def test_rain_of_another_day_is_found(seed, days):
    ssm, inputs = record(seed)
    rows = rows_of(ssm, inputs | {"rain": moved(inputs["rain"], days)}, SHAPE)
    assert [(row.name, row.best) for row in rows if row.clear] == [("rain", days)]
    said = advice(CUBE, rows[0])
    assert f"rain lies a day too {'late' if days > 0 else 'early'}" in said and "precip" in said
    assert f"rain_day={'ends' if days > 0 else 'begins'}" in said and "time stamp" in said


@pytest.mark.parametrize("days", [-1, 1])
def test_lst_of_another_day_is_found(days):
    found = []
    for seed in range(4):
        ssm, inputs = record(seed)
        rows = rows_of(ssm, {"lst_day": moved(inputs["lst_day"], days)}, SHAPE)
        found += [row.best for row in rows if row.clear]
    assert len(found) >= 3 and set(found) == {days}


def test_words_name_the_product_and_its_setting():
    said = advice(CUBE, LagRow("lst_night_other", (0.0, 0.0, 0.1, 0.3, 0.0), 900, 1, True))
    assert "MOD11A1" in said and "modis_day=local" in said and "platform" in said


def test_short_records_and_few_pairs_tell_nothing():
    ssm, inputs = record(0, DAYS_NEEDED - 1)
    assert rows_of(ssm, inputs, SHAPE) == []
    ssm, inputs = record(0)
    assert [row.name for row in rows_of(ssm, inputs | {"lst_night": np.full_like(ssm, np.nan)}, SHAPE)] == [
        "rain", "lst_day", "lst_day_other"
    ]  # fmt: skip
    assert not [row for row in rows_of(ssm, inputs | {"rain": np.zeros_like(ssm)}, SHAPE) if row.clear]


@pytest.mark.slow
def test_rain_that_says_its_interval_in_words_is_found_on_the_road(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Daily sums that end on their stamps, which only words say: prepare takes them a day late, says so, and the
    setting that it names mends it."""
    domain, first, days = Domain("place", (68, 72, 540, 544)), dt.date(2016, 5, 1), 45  # 01:30 is 00:00 UTC at 22.5 E
    ssm, inputs = record(1, days, domain.coarse_shape)
    lon, lat = domain.lonlat(coarse=True)
    at_lat, at_lon = np.arange(lat.max() + 1, lat.min() - 1, -0.25), np.arange(lon.min() - 1, lon.max() + 1, 0.25)
    row, col = (np.abs(np.subtract.outer(a, b)).argmin(1) for a, b in ((at_lat, lat), (at_lon, lon)))
    for folder in ("NNsm", "precip"):
        (tmp_path / folder).mkdir()
    for n in range(days):
        day = first + dt.timedelta(n)
        write_nnsm(tmp_path / "NNsm" / f"NNsm-AMSR2-{day:%Y%j}.nc", domain, ssm[n].reshape(4, 4).astype(np.float32))
        mm = inputs["rain"][n].reshape(4, 4)[np.ix_(row, col)].astype(np.float32)[None]
        words = {"units": "mm", "comment": "sum of the 24 hours that end at the time stamp"}
        data = {"rainfall": (("time", "lat", "lon"), mm, words)}
        of_day = xr.Dataset(data, {"time": [np.datetime64(day, "ns")], "lat": at_lat, "lon": at_lon})
        of_day.to_netcdf(tmp_path / "precip" / f"rain_{day:%Y%m%d}.nc", engine="h5netcdf")
    end, where = str(first + dt.timedelta(days - 2)), {"name": "place", "window": list(domain.window)}
    said = {}
    for rain_day in ("auto", "ends"):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            prepare(road.preparation(tmp_path, tmp_path / f"{rain_day}.zarr", str(first), end, domain=where,
                                     rain_day=rain_day))  # fmt: skip
        said[rain_day] = [r.getMessage() for r in caplog.records if "lies a day too" in r.getMessage()]
    assert len(said["auto"]) == 1 and "rain lies a day too late" in said["auto"][0]
    assert "precip" in said["auto"][0] and "rain_day=ends" in said["auto"][0]
    assert said["ends"] == []
