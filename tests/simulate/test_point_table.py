"""The table of points inside cells: each row gives back what was put into the series."""

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssm_net.grid import Domain
from ssm_net.simulate.point_series import POINT_ERROR, simulate_points, with_point_error
from ssm_net.simulate.point_table import REAL, PointSeries, autocorrelation, e_folding, memory, point_table

DAYS, CELLS, POINTS = 900, 4, 13


@pytest.fixture(scope="module")
def series() -> PointSeries:
    """Moisture whose anomalies fade in 20 days, and LST that is theirs with the sign turned."""
    rng = np.random.default_rng(1)
    fading = np.zeros((DAYS, CELLS, POINTS))
    for t in range(1, DAYS):
        new = math.sqrt(1 - math.exp(-0.1)) * rng.standard_normal((CELLS, POINTS))
        fading[t] = math.exp(-1 / 20) * fading[t - 1] + new
    static = rng.standard_normal((CELLS, POINTS))
    ssm = 0.2 + 0.03 * static + 0.04 * fading + 0.05 * rng.standard_normal((DAYS, 1, 1))
    lst = 300 - 2 * fading + 5 * rng.standard_normal((DAYS, 1, 1))
    y, x = rng.uniform(0, 30, (2, CELLS, POINTS))
    warm = np.arange(DAYS) % 365 < 180
    return PointSeries(ssm, lst, ssm.copy(), -static, np.zeros((CELLS, POINTS)), y, x, warm)


def test_every_row_of_the_real_table_is_computed(series: PointSeries) -> None:
    assert set(point_table(series)) == set(REAL)


def test_spread_memory_and_links(series: PointSeries) -> None:
    rows = point_table(series)
    shrunk = math.sqrt(12 / 13)  # the mean of the cell is that of 13 points
    assert rows["SM static, sd"] == pytest.approx(0.03 * shrunk, rel=0.25)
    assert rows["SM dynamic, sd"] == pytest.approx(0.04 * shrunk, rel=0.1)
    assert rows["SM e-folding, days"] == pytest.approx(20, rel=0.2)
    assert rows["SM acf 4 d"] == pytest.approx(math.exp(-4 / 20), abs=0.05)
    assert rows["r(LST, SM) dynamic"] == pytest.approx(-1, abs=1e-6)
    assert rows["r(SM, NDVI)"] == pytest.approx(1) and rows["r(SM, clay map)"] < -0.4
    assert rows["SM half-variance 9 km"] == pytest.approx(0.03**2 + 0.04**2, rel=0.4)


def test_missing_values_are_left_out_and_too_few_give_none(series: PointSeries) -> None:
    rng = np.random.default_rng(2)
    gappy = replace(series, lst=np.where(rng.uniform(size=series.lst.shape) < 0.4, np.nan, series.lst))
    assert point_table(gappy)["LST dynamic, sd"] == pytest.approx(point_table(series)["LST dynamic, sd"], rel=0.1)
    cloudy = replace(series, lst=np.full_like(series.lst, np.nan))
    rows = point_table(cloudy)
    assert math.isnan(rows["r(LST, SM)"]) and math.isnan(rows["LST acf 1 d"]) and np.isfinite(rows["SM acf 1 d"])


def test_memory_is_a_weighted_mean_of_the_days_so_far() -> None:
    one = np.array([2.0, np.nan, 4.0])[:, None, None]
    got = memory(one, 3.0).ravel()
    keep = math.exp(-1 / 3)
    assert got[0] == got[1] == 2.0
    assert got[2] == pytest.approx((2 * keep**2 + 4) / (keep**2 + 1))


def test_what_never_fades_has_no_e_folding() -> None:
    wave = np.sin(2 * np.pi * np.arange(400) / 4000)[:, None, None] * np.ones((1, 2, 100))
    assert math.isnan(e_folding(wave)) and autocorrelation(wave, 300) is not None


def test_a_light_world_is_that_of_the_files_and_points_add_their_error() -> None:
    domain = Domain("tiny", (70, 74, 774, 778))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssm_net.simulate.world.days.ROOT_SPIN_UP", 0)
        pixels = simulate_points("D", 3, domain, dt.date(2016, 6, 1), 40)
    assert pixels.ssm.shape == (40, 16, 13) and pixels.warm.all()
    assert np.isfinite(pixels.lst).any() and np.isnan(pixels.lst).any()
    stations = with_point_error(pixels, 3)
    assert np.nanstd(stations.ssm - pixels.ssm) == pytest.approx(POINT_ERROR, rel=0.15)
    assert np.nanmin(pixels.ssm) > 0


@pytest.mark.real
def test_the_definitions_are_those_of_the_real_table(real_dir: Path) -> None:
    """One of the two cells gives nearly the values of both."""
    pd = pytest.importorskip("pandas")
    if not (file := real_dir / "yanco" / "cell_b.csv.gz").exists():
        pytest.skip("no table of stations at hand")
    table = pd.read_csv(file, parse_dates=["date"])
    days, sites = pd.date_range(table.date.min(), table.date.max()), sorted(table.site.unique())

    def series_of(column: str) -> np.ndarray:
        wide = table.pivot(index="date", columns="site", values=column).reindex(index=days, columns=sites)
        return wide.to_numpy(float)[:, None]

    static = table.groupby("site").first().reindex(sites)
    north = 111.2 * static.lat.to_numpy()[None]
    east = 111.2 * static.lon.to_numpy()[None] * math.cos(math.radians(-35))
    maps = (static[name].to_numpy()[None] for name in ("clay", "elevation"))
    warm = np.isin(days.month, (10, 11, 12, 1, 2, 3))
    rows = point_table(PointSeries(series_of("ssm"), series_of("lst_day"), series_of("ndvi"), *maps, north, east, warm))
    for name in ("SM inside the cell, sd", "SM dynamic, sd", "SM e-folding, days", "SM acf 8 d", "LST static, sd"):
        assert rows[name] == pytest.approx(REAL[name], rel=0.2), name
    assert rows["LST acf 2 d"] > rows["LST acf 1 d"]
    assert rows["r with LST memory of 365 d"] < rows["r(LST, SM)"] < 0
