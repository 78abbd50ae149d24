"""Sensors brought to one: pairs on common days, chains, calendars; what few pairs say, and what may not change."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.ingest.ssm import CoarseSSM
from ssm_net.prepare.intercalibration import ENOUGH_DAYS, Intercalibration, Match, fit_match, match_sensors

SHAPE = (4, 5)
FIRST = dt.date(2011, 1, 1)


def soil(day: dt.date) -> np.ndarray:
    """The same weather for every sensor: a season, a wet spell of some days, cells that differ."""
    n = (day - FIRST).days
    level = 0.2 + 0.05 * np.sin(2 * np.pi * n / 365.25) + 0.04 * np.sin(n / 3.0)
    return level + 0.03 * np.linspace(-1, 1, SHAPE[0] * SHAPE[1]).reshape(SHAPE)


class Instrument:
    def __init__(self, seed: int, gain=1.0, offset=0.0, cell=0.0, drift=0.0, noise=0.02, seen=0.7):
        rng = np.random.default_rng(seed)
        self.gain, self.offset, self.drift, self.noise, self.seen = gain, offset, drift, noise, seen
        self.cell = rng.normal(0, cell, SHAPE) if cell else np.zeros(SHAPE)
        self.seed = seed

    def clean(self, day: dt.date) -> np.ndarray:
        years = (day - FIRST).days / 365.25
        return 0.2 + self.gain * (soil(day) - 0.2) + self.offset + self.cell + self.drift * years

    def __call__(self, day: dt.date) -> np.ndarray:
        rng = np.random.default_rng([self.seed, day.toordinal()])
        value = self.clean(day) + rng.normal(0, self.noise, SHAPE)
        return np.where(rng.uniform(size=SHAPE) < self.seen, value, np.nan)


def days(first: int, number: int) -> list[dt.date]:
    return [FIRST + dt.timedelta(first + n) for n in range(number)]


def step(match: Match | None, one: Instrument, reference: Instrument, when: list[dt.date]) -> float:
    """Mean difference to the reference that is left, over all cells."""
    left = [(one.clean(d) if match is None else match(d, one.clean(d))) - reference.clean(d) for d in when]
    return float(np.mean(left))


@settings(max_examples=25, deadline=None)
@given(st.floats(0.7, 1.4), st.floats(-0.05, 0.05), st.integers(0, 10**6))
def test_the_level_and_spread_of_the_reference_come_back(gain, offset, seed):
    reference, other = Instrument(seed, cell=0.01), Instrument(seed + 1, gain, offset, cell=0.015)
    match = fit_match([(d, other(d), reference(d)) for d in days(0, 365)], "test")
    every = days(0, 365)
    assert abs(step(match, other, reference, every)) < 0.004
    spread = [np.std([at(d) for d in every], 0).mean() for at in (lambda d: match(d, other.clean(d)), reference.clean)]
    assert spread[0] == pytest.approx(spread[1], rel=0.1)  # of the soil, without the noise of either
    apart = np.mean([match(d, other.clean(d)) - reference.clean(d) for d in every], 0)
    assert apart.std() < 0.006  # of 0.018 before


def gain_left(match: Match, one: Instrument, reference: Instrument, when: list[dt.date]) -> float:
    """Slope of the matched values to the reference's, without noise, less 1."""
    x, y = (np.stack([v - 0.2 for v in values]) for values in (
        [reference.clean(d) for d in when], [match(d, one.clean(d)) for d in when]))  # fmt: skip
    x, y = x - x.mean(0), y - y.mean(0)
    return float((x * y).sum() / (x * x).sum()) - 1


@pytest.mark.parametrize("noise", [0.02, 0.05])
@pytest.mark.parametrize("number", [180, 900])
def test_noise_is_not_taken_for_soil(noise, number):
    """Matching of whole deviations damps a sensor of noise 0.05 by a fifth."""
    reference, other = Instrument(1, cell=0.01), Instrument(2, 1.2, 0.02, cell=0.01, noise=noise)
    when = {2: days(0, number), 3: days(0, number)}
    matched = match_sensors(Intercalibration(2, {}), [3], when, lambda c, d: {2: reference, 3: other}[c](d))
    assert abs(gain_left(matched.matches[3], other, reference, when[3])) < 0.05


def test_matching_keeps_the_order_of_values():
    sensors, when = chain(4)
    match = match_sensors(Intercalibration(2, {}), [1], when, lambda code, day: sensors[code](day)).matches[1]
    values = np.stack([match(when[1][0], np.full(SHAPE, v)) for v in np.linspace(0, 0.7, 30)])
    assert (np.diff(values, axis=0) >= 0).all() and (values > 0).all() and (values <= 0.7).all()


def test_what_a_short_overlap_cannot_tell_of_a_drift_is_in_the_error_of_the_chain():
    sensors, when = chain(6, drift=0.002)
    short = {**when, 2: when[2][:200]}
    found = {n: match_sensors(Intercalibration(2, {}), [1], w, lambda code, day: sensors[code](day)).matches
             for n, w in (("long", when), ("short", short))}  # fmt: skip
    assert found["short"][3].drift_error > 1.5 * found["long"][3].drift_error
    assert found["short"][1].error.mean() > found["long"][1].error.mean()


def test_the_stated_error_is_that_of_the_level():
    """Over several instruments: one of them may be lucky."""
    found, stated = [], []
    for seed in range(0, 24, 2):
        reference, other = Instrument(seed, cell=0.01), Instrument(seed + 1, 1.15, 0.02, cell=0.015)
        match = fit_match([(d, other(d), reference(d)) for d in days(0, 365)], "test")
        found.append(np.mean([match(d, other.clean(d)) - reference.clean(d) for d in days(0, 365)], 0) ** 2)
        stated.append(match.error**2)
    assert 0.5 < np.sqrt(np.mean(found) / np.mean(stated)) < 1.5


def test_few_pairs_say_what_the_region_says():
    reference, other = Instrument(1), Instrument(2, 1.2, 0.03)
    pairs = []
    for d in days(0, 300):
        x = other(d)
        if d > FIRST + dt.timedelta(1):
            x[0, 0] = np.nan  # seen on two days only, and wildly wrong
        else:
            x[0, 0] = 0.6
        pairs.append((d, x, reference(d)))
    match = fit_match(pairs, "test")
    usual = float(np.median(match.gain[1:] * 0.23 + match.offset[1:]))
    assert match.gain[0, 0] * 0.23 + match.offset[0, 0] == pytest.approx(usual, abs=0.03)
    assert match.error[0, 0] >= match.error[1:].max()


def test_a_cell_never_paired_has_the_relation_of_the_region():
    reference, other = Instrument(1), Instrument(2, 1.2, 0.03, cell=0.01)
    pairs = [(d, np.where(np.arange(5) == 4, np.nan, other(d)), reference(d)) for d in days(0, 200)]
    match = fit_match(pairs, "test")
    assert np.isfinite(match.offset).all() and np.isfinite(match.error).all()
    assert match(FIRST, np.full(SHAPE, 0.25))[0, 4] == pytest.approx(
        match(FIRST, np.full(SHAPE, 0.25)).mean(), abs=0.02
    )


def chain(seed: int, **drifts: float) -> tuple[dict[int, Instrument], dict[int, list[dt.date]]]:
    """AMSR-E to day 276, FY-3B throughout, AMSR2 from day 548: a gap of nine months that only FY-3B bridges."""
    sensors = {1: Instrument(seed, 0.85, 0.025, 0.012), 2: Instrument(seed + 1, cell=0.01),
               3: Instrument(seed + 2, 1.25, -0.03, 0.015, noise=0.03, **drifts)}  # fmt: skip
    return sensors, {1: days(0, 277), 2: days(548, 900), 3: days(0, 1448)}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_sensor_that_never_met_the_reference_is_brought_to_it_over_a_third(seed):
    sensors, when = chain(seed, drift=0.002)
    matched = match_sensors(Intercalibration(2, {}), [1], when, lambda code, day: sensors[code](day))
    assert set(matched.matches) == {1, 3}
    assert abs(step(None, sensors[1], sensors[2], when[1])) > 0.01
    for code in (1, 3):
        assert abs(step(matched.matches[code], sensors[code], sensors[2], when[code])) < 0.005, code


def test_a_drift_is_told_by_years_of_common_days():
    sensors, when = chain(5, drift=0.008)
    matched = match_sensors(Intercalibration(2, {}), [3], when, lambda code, day: sensors[code](day))
    match = matched.matches[3]
    assert match.drift == pytest.approx(-0.008, abs=0.003)
    for part in (when[3][:200], when[3][-200:]):
        assert abs(step(match, sensors[3], sensors[2], part)) < 0.005


def test_a_match_stays_as_it_was_fitted():
    sensors, when = chain(7)
    read = lambda code, day: sensors[code](day)  # noqa: E731
    early = {k: [d for d in v if d < days(900, 1)[0]] for k, v in when.items()}
    first = match_sensors(Intercalibration(2, {}), [3], early, read)
    later = match_sensors(first, [1, 3], when, read)
    assert later.matches[3] is first.matches[3]
    again = Intercalibration.from_json(later.to_json())
    assert again.to_json() == later.to_json()


def test_without_common_days_the_calendar_serves_and_says_so(caplog):
    one, reference = Instrument(1, 1.1, 0.04), Instrument(2)
    when = {1: days(0, 365), 2: days(730, 365)}
    matched = match_sensors(Intercalibration(2, {}), [1], when, lambda c, d: {1: one, 2: reference}[c](d))
    assert "shares no days" in caplog.text
    assert abs(step(matched.matches[1], one, reference, when[1])) < 0.01
    assert (matched.matches[1].error >= 0.02).all()


def test_a_sensor_that_shares_nothing_stays_as_it_is_with_a_larger_error(caplog):
    one, reference = Instrument(1), Instrument(2)
    when = {1: days(0, 20), 2: days(500, 20)}
    match = match_sensors(Intercalibration(2, {}), [1], when, lambda c, d: {1: one, 2: reference}[c](d)).matches[1]
    assert "neither days nor months" in caplog.text
    np.testing.assert_array_equal(match(FIRST, soil(FIRST)), soil(FIRST))
    assert (match.error > 0).all()


def test_only_the_other_sources_are_touched_and_their_errors_grow():
    sensors, when = chain(9)
    matched = match_sensors(Intercalibration(2, {}), [3], when, lambda code, day: sensors[code](day))
    source = np.full(SHAPE, 2, np.uint8)
    source[0], source[1] = 3, 0
    ssm = np.where(source > 0, 0.25, np.nan).astype("float32")
    seen = CoarseSSM(ssm, np.where(source > 0, 0.04, np.nan).astype("float32"), source)
    out = matched.apply(when[3][0], seen)
    np.testing.assert_array_equal(out.ssm[2:], seen.ssm[2:])
    np.testing.assert_array_equal(out.sigma[2:], seen.sigma[2:])
    assert np.isnan(out.ssm[1]).all()
    assert (out.ssm[0] != seen.ssm[0]).all()
    gain = matched.matches[3].gain[0]
    assert (out.sigma[0] > gain * 0.04).all()
    assert seen.ssm[0, 0] == np.float32(0.25)  # the argument is not changed


def test_days_enough_is_what_it_says():
    one, reference = Instrument(1, offset=0.03), Instrument(2)
    when = {1: days(0, ENOUGH_DAYS), 2: days(0, 400)}
    match = match_sensors(Intercalibration(2, {}), [1], when, lambda c, d: {1: one, 2: reference}[c](d)).matches[1]
    assert match.days == ENOUGH_DAYS
