import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from ssm_net.evaluate.referees.breaks import DayLevel, break_table, segments

FIRST = dt.date(2011, 5, 1)


def record(step: float = 0.0, noise: float = 0.01, truth: bool = True, seed: int = 0, louder: float = 1.0):
    """AMSR-E for 150 days, FY-3B for 200, AMSR2 for 150; the last part ``step`` higher and ``louder``."""
    rng = np.random.default_rng(seed)
    out, api = [], 0.0
    for n in range(500):
        day = FIRST + dt.timedelta(n)
        api = 0.8 * api + (rng.gamma(1, 8) if rng.uniform() < 0.3 else 0)
        last = n >= 350
        error = rng.normal(0, noise * (louder if last else 1)) + (step if last else 0)
        level = 0.15 + 0.002 * api + 0.03 * np.sin(2 * np.pi * n / 365.25) + error
        source = 1 if n < 150 else 3 if n < 350 else 2
        if n % 7 == 3:
            source = 0  # a day without any
        if n in (400, 401):
            source = 3  # FY-3B leads for a day or two where AMSR2 had a gap
        known = error if truth else np.nan
        out.append(DayLevel(day, level, known, known, (api,), source))
    return out


def test_the_parts_of_a_record_are_led_by_one_sensor():
    parts = segments(record())
    assert [code for code, _ in parts] == [1, 3, 2]
    assert sum(len(part) for _, part in parts) == 500
    assert parts[1][1][0].day in (FIRST + dt.timedelta(n) for n in range(150, 153))


def test_a_sensor_that_fills_orbit_gaps_makes_no_part_of_its_own():
    """Over a small region FY-3B leads every third day, the first one too, and the parts are what they are."""
    days = [replace(d, source=3 if n % 3 == 0 else d.source) for n, d in enumerate(record())]
    parts = segments(days)
    assert [code for code, _ in parts] == [1, 3, 2]
    assert sum(len(part) for _, part in parts) == 500
    for (_, part), first in zip(parts, (0, 150, 350), strict=True):
        assert abs((part[0].day - FIRST).days - first) <= 2
    rows = {(r["change"], r["series"]): r for r in break_table(days)}
    assert len({change for change, _ in rows}) == 3


def test_sides_of_a_change_are_of_the_same_seasons_where_both_have_them():
    """What summer does to the error is no step from a summer to a winter."""
    season = [replace(d, error=0.02 * np.sin(2 * np.pi * n / 365.25)) for n, d in enumerate(record(noise=0.002))]
    row = next(r for r in break_table(season) if r["change"] == "AMSR-E to AMSR2")
    assert row["seasons"] == "the same" and row["step"] == pytest.approx(0, abs=0.004)
    short = break_table(season[:150] + season[150:200])
    assert {r["seasons"] for r in short} == {"others"}


def test_days_without_an_observation_count_for_no_sensor():
    """Half the days after a change without any observation, and the maps far off on them."""
    gap = [replace(d, source=0, error=0.1) if n >= 350 and n % 2 else d for n, d in enumerate(record())]
    row = next(r for r in break_table(gap) if r["change"] == "FY-3B MWRI to AMSR2")
    assert row["step"] == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize("truth", [True, False])
def test_a_step_is_found_where_it_is_and_not_where_it_is_not(truth):
    rows = {(r["change"], r["series"]): r for r in break_table(record(0.02, truth=truth))}
    first, second = rows["AMSR-E to FY-3B MWRI", "map"], rows["FY-3B MWRI to AMSR2", "map"]
    assert second["step"] == pytest.approx(0.02, abs=0.006)
    assert second["step low"] > 0.005
    assert first["step low"] < 0 < first["step high"]
    assert rows["AMSR-E to AMSR2", "map"]["step"] == pytest.approx(0.02, abs=0.006)
    assert first["against"] == ("truth" if truth else "rain and season")


def test_a_change_of_spread_is_found():
    row = next(r for r in break_table(record(louder=2.0)) if r["change"] == "FY-3B MWRI to AMSR2")
    assert row["std ratio"] == pytest.approx(2.0, rel=0.2)
    assert row["std ratio low"] > 1.4


def test_one_sensor_has_no_break():
    assert break_table([d for d in record() if d.source == 2]) == []


def test_too_few_days_give_no_step():
    days = record()
    rows = break_table([*days[:150], *[DayLevel(d.day, np.nan, np.nan, np.nan, d.rain, 3) for d in days[150:200]]])
    assert np.isnan(rows[0]["step"])
