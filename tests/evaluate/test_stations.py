import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from ssm_net.core.clock import overpass_utc
from ssm_net.evaluate.referees.point_series import Series, without_training_stations
from ssm_net.evaluate.referees.station_scores import SeriesScore, gains, score_series
from ssm_net.grid import Domain
from ssm_net.stations.ismn import read_stations
from ssm_net.stations.matching import Point, at_overpass, pixel_of, station_points, surface_sensors

DAYS = [dt.date(2016, 5, 1) + dt.timedelta(n) for n in range(60)]
NUMBER = np.arange(60)


def hourly(start: str, count: int) -> np.ndarray:
    return np.datetime64(start, "s") + np.arange(count) * np.timedelta64(3600, "s")


@pytest.mark.parametrize(
    ("lon", "utc"),
    [(0, "2016-05-01T01:30"), (110, "2016-04-30T18:10"), (-105, "2016-05-01T08:30"), (179, "2016-04-30T13:34")],
)
def test_the_overpass_in_utc(lon, utc):
    assert overpass_utc(dt.date(2016, 5, 1), lon) == np.datetime64(utc)


def test_the_nearest_value_within_an_hour_and_no_other():
    time = np.array(["2016-04-30T17:00", "2016-04-30T18:00", "2016-04-30T19:00", "2016-05-02T16:00"], "datetime64[s]")
    value = np.array([0.1, 0.2, 0.3, 0.4])
    got = at_overpass(time, value, [dt.date(2016, 5, 1), dt.date(2016, 5, 3)], 110.0)
    np.testing.assert_array_equal(got, [0.2, np.nan])
    shuffled = np.array([2, 0, 3, 1])
    np.testing.assert_array_equal(at_overpass(time[shuffled], value[shuffled], DAYS[:1], 110.0), [0.2])
    value[1] = np.nan
    np.testing.assert_array_equal(at_overpass(time, value, DAYS[:1], 110.0), [0.3])  # 50 minutes off, still within
    assert np.isnan(at_overpass(time[:0], value[:0], DAYS, 110.0)).all()


@pytest.mark.parametrize("lon", [110.0, -105.0, 2.0])
def test_a_slip_of_a_day_lowers_the_correlation(lon):
    rng = np.random.default_rng(4)
    truth = 0.25 + 0.08 * lfilter([0.8], [1, -0.6], rng.normal(size=64))
    time = hourly("2016-04-28T00:00", 66 * 24)
    local_day = (time + np.timedelta64(round(lon / 15 * 3600), "s")).astype("datetime64[D]").astype(object)
    index = np.array([(d - DAYS[0]).days + 2 for d in local_day])
    series = truth[np.clip(index, 0, 63)]
    product = truth[2:62] + rng.normal(0, 0.01, 60)
    r = {}
    for slip in (-1, 0, 1):
        days = [d + dt.timedelta(slip) for d in DAYS]
        score = score_series(at_overpass(time, series, days, lon), product, NUMBER)
        assert score is not None
        r[slip] = score.r.value
    assert r[0] > 0.98
    assert max(r[-1], r[1]) < r[0] - 0.2


def test_golden_scores():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 0.4, 60)
    y = 0.5 * x + 0.1 + rng.normal(0, 0.02, 60)
    x[5], y[9] = np.nan, np.nan
    ok = np.isfinite(x) & np.isfinite(y)
    s = score_series(x, y, NUMBER)
    assert s is not None and s.n == 58
    assert s.r.value == pytest.approx(np.corrcoef(x[ok], y[ok])[0, 1])
    assert s.ubrmse.value == pytest.approx((y - x)[ok].std())
    assert s.bias.value == pytest.approx((y - x)[ok].mean())
    assert s.slope == pytest.approx(np.polyfit(x[ok], y[ok], 1)[0])
    for e in (s.r, s.ubrmse, s.bias):
        assert e.low < e.value < e.high


def test_too_few_pairs_are_not_scored():
    assert score_series(np.linspace(0, 1, 9), np.linspace(0, 1, 9), np.arange(9)) is None
    flat = score_series(np.full(20, 0.2), np.linspace(0, 0.4, 20), np.arange(20))
    assert flat is not None and np.isnan(flat.r.value) and np.isnan(flat.slope)


def test_intervals_cover_an_autocorrelated_error():
    """The 95 % intervals of bias and ubRMSE hold the true values of AR(1) errors; those of independent pairs do not."""
    rng = np.random.default_rng(7)
    phi, n, sd = 0.7, 150, 0.04
    x = rng.uniform(0, 0.5, n)
    inside, naive = np.zeros(2), np.zeros(2)
    for _ in range(300):
        e = lfilter([1], [1, -phi], rng.normal(0, sd * np.sqrt(1 - phi**2), n + 100))[100:]
        for day, count in ((np.arange(n), inside), (2 * np.arange(n), naive)):  # no neighbours: taken as independent
            s = score_series(x, x + e, day)
            assert s is not None
            count += [s.bias.low < 0 < s.bias.high, s.ubrmse.low < sd < s.ubrmse.high]
    assert (inside / 300 > 0.88).all()
    assert (naive / 300 < 0.85).all()


def test_gains_are_signed_and_bounded():
    def score(slope, r, bias) -> SeriesScore:
        s = score_series(np.arange(20.0) % 7, np.arange(20.0) % 5, np.arange(20))
        assert s is not None
        return replace(s, slope=slope, r=replace(s.r, value=r), bias=replace(s.bias, value=bias))

    g = gains(score(0.4, 0.5, 0.04), score(0.8, 0.75, -0.02))
    assert g == pytest.approx({"G_EFFI": 0.5, "G_PREC": 1 / 3, "G_ACCU": 1 / 3, "G_DOWN": (0.5 + 2 / 3) / 3})
    same = gains(score(0.4, 0.5, 0.04), score(0.4, 0.5, 0.04))
    assert set(same.values()) == {0.0}
    assert gains(score(0.8, 0.7, 0.02), score(0.4, 0.5, 0.04))["G_DOWN"] < 0


def test_a_pixel_holds_its_station():
    domain = Domain("tiny", (84, 88, 776, 780))
    lon, lat = domain.lonlat()
    assert pixel_of(lon[17], lat[100], domain) == (100, 17)
    step = lon[1] - lon[0]
    assert pixel_of(lon[17] + 0.49 * step, lat[100], domain) == (100, 17)
    assert pixel_of(lon[17] + 0.51 * step, lat[100], domain) == (100, 18)
    assert pixel_of(lon[0] - 0.51 * step, lat[100], domain) is None


def test_one_sensor_a_station_the_shallowest(station_at):
    a = station_at("A", 5, 5)
    deep = replace(a, depth_from=0.1, depth_to=0.1)
    short = replace(a, time=a.time[:5], value=a.value[:5])
    assert surface_sensors([deep, short, a, station_at("B", 6, 6)])[0] is a
    assert len(surface_sensors([deep, short, a, station_at("B", 6, 6)])) == 2


def test_only_stations_of_the_full_name_count_as_trained_on(station_at):
    domain = Domain("tiny", (84, 88, 776, 780))
    stations = [station_at(name, 5, 5) for name in ("A", "A 2", "B; C", "2")]
    points, _ = station_points(stations, domain)
    points += [Point("dry pixel", 1, 1, 0.0, 0.0)]
    field = np.arange(10.0).reshape(2, 5)
    series = Series(tuple(points), (DAYS[0], DAYS[1]), {"m": field}, {"m": field}, field.astype("uint16"), field, field,
                    field, np.arange(5))  # fmt: skip
    kept = without_training_stations(series, ["", "FAKE A; FAKE B; C; X"])
    assert [p.label for p in kept.points] == ["FAKE A 2", "FAKE 2", "dry pixel"] and kept.training_stations == 2
    for values in (kept.ssm["m"], kept.sigma["m"], kept.flags, kept.truth, kept.coarse, kept.station):
        np.testing.assert_array_equal(values, field[:, [1, 3, 4]])
    assert without_training_stations(series, [""]).training_stations == 0


@pytest.mark.real
def test_a_real_series_has_a_value_at_most_overpasses(real_dir):
    """Hourly series of any depth: the time axis is what is looked at."""
    for s in read_stations(next((real_dir / "ismn").glob("*.zip")), deepest=3.0):
        first = s.time[0].astype("datetime64[D]").astype(object) + dt.timedelta(1)
        days = [
            first + dt.timedelta(n) for n in range((s.time[-1].astype("datetime64[D]").astype(object) - first).days)
        ]
        got = at_overpass(s.time, s.value, days, s.lon)
        recorded = np.unique(s.time.astype("datetime64[D]")).size
        assert np.isfinite(got).sum() > 0.8 * min(recorded, len(days))
        by_hand = s.value[np.argmin(np.abs(s.time - overpass_utc(days[3], s.lon)))]
        assert np.isnan(got[3]) or got[3] == by_hand
