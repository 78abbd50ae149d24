import datetime as dt

import numpy as np
import pytest
import torch

from ssm_net.lst.annual_cycle import AirMemory, Cycle

FIRST = dt.date(2015, 1, 1)
SHAPE = (4, 8)
NORTH = torch.full(SHAPE, 40.0)  # degrees


def background(day: dt.date) -> torch.Tensor:
    angle = 2 * np.pi * (day.timetuple().tm_yday - 200) / 365.25
    return torch.full(SHAPE, 290 + 12 * float(np.cos(angle)))


def learned(days: int, every: int = 2) -> tuple[Cycle, dt.date]:
    cycle, rng = Cycle.prior(NORTH), np.random.default_rng(0)
    for n in range(0, days, every):
        day = FIRST + dt.timedelta(n)
        cycle = cycle.learn(day, background(day) + float(rng.normal(0, 3)), torch.full(SHAPE, 0.5))
    return cycle, FIRST + dt.timedelta(days)


def test_after_two_years_a_month_without_an_observation_moves_as_the_season_does():
    cycle, day = learned(730)
    later = day + dt.timedelta(100)  # in spring
    month = later + dt.timedelta(30)
    moved = cycle.change(later, month, SHAPE)
    assert moved.shape == SHAPE
    assert float(moved.mean()) == pytest.approx(float((background(month) - background(later)).mean()), abs=1.2)


def test_before_any_observation_and_in_a_short_record_the_cycle_is_that_of_the_latitude():
    spring, summer = dt.date(2015, 4, 1), dt.date(2015, 7, 15)
    assert float(Cycle.prior(NORTH).change(spring, summer, SHAPE).mean()) == pytest.approx(14.9, abs=0.2)
    assert float(Cycle.prior(-NORTH).change(spring, summer, SHAPE).mean()) == pytest.approx(-14.9, abs=0.2)
    cycle, day = learned(40)  # in winter
    assert float(cycle.change(day, day + dt.timedelta(60), SHAPE).mean()) == pytest.approx(8, abs=4)


def test_the_air_is_expected_to_move_with_its_cycle_and_the_rest_is_weather():
    warm = torch.full(SHAPE, 285.0)
    memory = AirMemory.first(FIRST, warm, NORTH)
    later = FIRST + dt.timedelta(5)
    expected = warm + memory.cycle.change(FIRST, later, SHAPE)
    weather, after = memory.follow(FIRST, later, expected + 3.0)
    assert torch.allclose(weather, torch.full(SHAPE, 3.0), atol=1e-3)
    assert torch.equal(after.temperature, expected + 3.0)
    weather, after = memory.follow(FIRST, later, None)
    assert not weather.any() and torch.equal(after.temperature, expected)
    some = expected.clone()
    some[:, 4:] = torch.nan
    weather, after = memory.follow(FIRST, later, some)
    assert torch.isfinite(weather).all() and torch.isfinite(after.temperature).all()


def test_the_state_survives_json_to_the_last_bit():
    cycle, day = learned(100)
    again = Cycle.from_json(cycle.to_json())
    assert torch.equal(again.gram, cycle.gram)
    assert torch.equal(again.change(FIRST, day, SHAPE), cycle.change(FIRST, day, SHAPE))


def test_cells_never_seen_do_not_count():
    day = FIRST
    value = background(day)
    value[:, 4:] = torch.nan
    seen = torch.full(SHAPE, 0.5)
    one = Cycle.prior(NORTH).learn(day, value, seen)
    assert torch.isfinite(one.moment).all()
