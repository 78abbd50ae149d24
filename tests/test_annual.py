import datetime as dt

import numpy as np
import pytest
import torch

from ssm_net.annual import Cycle

FIRST = dt.date(2015, 1, 1)
SHAPE = (4, 8)


def region(day: dt.date) -> torch.Tensor:
    angle = 2 * np.pi * (day.timetuple().tm_yday - 200) / 365.25
    return torch.full(SHAPE, 290 + 12 * float(np.cos(angle)))


def learned(days: int, every: int = 2) -> tuple[Cycle, dt.date]:
    cycle, rng = Cycle.none(SHAPE), np.random.default_rng(0)
    for n in range(0, days, every):
        day = FIRST + dt.timedelta(n)
        cycle = cycle.learn(day, region(day) + float(rng.normal(0, 3)), torch.full(SHAPE, 0.5))
    return cycle, FIRST + dt.timedelta(days)


def test_after_two_years_a_month_without_a_view_moves_as_the_season_does():
    cycle, day = learned(730)
    later = day + dt.timedelta(100)  # in spring
    month = later + dt.timedelta(30)
    moved = cycle.step(later, month, SHAPE)
    assert moved.shape == SHAPE
    assert float(moved.mean()) == pytest.approx(float((region(month) - region(later)).mean()), abs=1.2)


def test_nothing_seen_moves_nothing_and_a_short_record_little():
    assert torch.equal(Cycle.none(SHAPE).step(FIRST, FIRST + dt.timedelta(30), SHAPE), torch.zeros(SHAPE))
    cycle, day = learned(40)
    assert float(cycle.step(day, day + dt.timedelta(5), SHAPE).abs().max()) < 1.5


def test_the_state_survives_json_to_the_last_bit():
    cycle, day = learned(100)
    again = Cycle.from_json(cycle.to_json())
    assert torch.equal(again.gram, cycle.gram)
    assert torch.equal(again.step(FIRST, day, SHAPE), cycle.step(FIRST, day, SHAPE))


def test_cells_never_seen_do_not_count():
    day = FIRST
    value = region(day)
    value[:, 4:] = torch.nan
    seen = torch.full(SHAPE, 0.5)
    one = Cycle.none(SHAPE).learn(day, value, seen)
    assert torch.isfinite(one.moment).all()
