"""Thermal memories: the recursion is the weighted mean it stands for, and the sun decides what a view counts."""

from __future__ import annotations

import datetime as dt
import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.config import MemoryConfig
from ssm_net.core.platforms import platform
from ssm_net.cube.variables import FINE
from ssm_net.lst.gap_filling import OTHER_WEIGHT, ClearLST, Terrain, ThermalState, fill_gaps
from ssm_net.lst.memory import LEAST_SUN, SLOW_DAYS, Memory, sun_height

FIRST = dt.date(2016, 1, 1)
# A view of a pixel: days since the last, its anomaly (K), how much it counts, the height of the sun.
VIEW = st.tuples(
    st.integers(1, 40), st.floats(-8, 8, width=32), st.sampled_from((0.0, OTHER_WEIGHT, 1.0)), st.floats(0.1, 1.0)
)
SHAPE = (72, 72)
NORTH = torch.full((2, 2), 45.0)
FLAT = Terrain(torch.zeros(SHAPE), NORTH, 36)
PATTERN = 2 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))


def scene(n: int) -> ClearLST:
    """Day ``n``: the lasting pattern under another weather, and clouds that move."""
    random = torch.Generator().manual_seed(n)
    lst = 290 + PATTERN + 3 * math.sin(n) + torch.randn(SHAPE, generator=random)
    hidden = torch.rand(SHAPE, generator=random) < 0.5
    return ClearLST(lst.masked_fill(hidden, torch.nan), torch.ones(SHAPE))


def sun_on(day: dt.date) -> torch.Tensor:
    return sun_height(NORTH, day, 13.5)


@settings(max_examples=60, deadline=None)
@given(st.lists(VIEW, min_size=1, max_size=30), st.sampled_from((4.0, SLOW_DAYS)))
def test_the_recursion_is_the_weighted_mean_of_all_views(
    views: list[tuple[int, float, float, float]], e_folding: float
) -> None:
    memory = Memory.empty(torch.zeros(1, dtype=torch.float64))
    for days, anomaly, counted, sun in views:
        seen = torch.tensor([counted], dtype=torch.float64)
        memory = memory.faded(days, e_folding).with_views(torch.full_like(seen, anomaly), seen, sun)
    at = list(itertools.accumulate(days for days, *_ in views))
    kept = [math.exp(-(at[-1] - t) / e_folding) for t in at]
    weight = sum(k * c * s**2 for k, (_, _, c, s) in zip(kept, views, strict=True))
    assert float(memory.weight) == pytest.approx(weight, rel=1e-9, abs=1e-12)
    # The slope through the origin of anomalies on the height of the sun, by least squares.
    slope = sum(k * c * s * a for k, (_, a, c, s) in zip(kept, views, strict=True)) / weight if weight else 0.0
    assert float(memory.mean) == pytest.approx(slope, rel=1e-6, abs=1e-6)


def test_a_view_under_a_low_sun_counts_less() -> None:
    one, pixel = torch.ones(1), Memory.empty(torch.zeros(1))
    high, low = (pixel.with_views(one, one, s).weight for s in (0.9, 0.3))
    assert float(low) == pytest.approx(float(high) / 9)
    # Noise of 1 K under a sun of 0.3 would look like 3.3 K at full sun: it hardly moves what a high sun showed.
    disturbed = pixel.with_views(2 * one, one, 1.0).with_views(one, one, 0.3)
    assert 2.0 < float(disturbed.mean) < 2.15


def test_the_sun_is_high_in_summer_and_never_below_its_floor() -> None:
    latitude = torch.tensor([[68.0], [45.0], [0.0], [-45.0]])
    june, december = (sun_height(latitude, dt.date(2016, m, 21), 13.5)[:, 0] for m in (6, 12))
    # Noon heights of the almanac are 68.4 and 21.6 degrees at 45 N; an hour and a half later the sun is lower.
    assert math.sin(math.radians(60)) < float(june[1]) < math.sin(math.radians(68.4))
    assert math.sin(math.radians(15)) < float(december[1]) < math.sin(math.radians(21.6))
    assert float(june[3]) == pytest.approx(float(december[1]), abs=0.01)
    assert float(december[0]) == pytest.approx(LEAST_SUN)


def test_gap_filling_remembers_what_the_recursion_says_and_fills_the_same() -> None:
    slow, state, plain = Memory.empty(torch.zeros(SHAPE)), None, None
    for n in (0, 1, 2, 5, 9):
        day = FIRST + dt.timedelta(n)
        filled = fill_gaps(day, scene(n), FLAT, state, MemoryConfig(), sun=sun_on(day))
        without = fill_gaps(day, scene(n), FLAT, plain, MemoryConfig())
        for name in ("lst", "sigma", "lineage"):
            assert torch.equal(getattr(filled, name), getattr(without, name))
        assert without.state.slow is None  # as at night
        background = torch.nn.functional.interpolate(  # bilinear, held outside the centres of the cells
            filled.state.background.lst[None, None], SHAPE, mode="bilinear", align_corners=False
        )[0, 0]
        clear = torch.isfinite(scene(n).lst)
        anomaly = torch.nan_to_num(scene(n).lst - background)
        since = 0 if state is None else (day - state.day).days
        slow = slow.faded(since, SLOW_DAYS).with_views(anomaly, clear.float(), float(sun_on(day)[0, 0]))
        state, plain = filled.state, without.state
    assert state is not None and state.slow is not None
    torch.testing.assert_close(state.slow.weight, slow.weight)
    torch.testing.assert_close(state.slow.mean, slow.mean, atol=2e-3, rtol=0)


def test_each_row_of_cells_has_its_own_sun_and_the_other_platform_counts_less() -> None:
    latitude = torch.tensor([[60.0, 60.0], [20.0, 20.0]])
    sun = sun_height(latitude, FIRST, 13.5)
    whole = ClearLST(290 + PATTERN, torch.ones(SHAPE))
    left = ClearLST(torch.where(torch.arange(SHAPE[1]) < 50, whole.lst, torch.nan), whole.sigma)
    terrain = Terrain(torch.zeros(SHAPE), latitude, 36)
    slow = fill_gaps(FIRST, left, terrain, None, MemoryConfig(), others=(whole,), sun=sun).state.slow
    assert slow is not None
    for rows, height in ((slice(0, 36), sun[0, 0]), (slice(36, 72), sun[1, 0])):
        torch.testing.assert_close(slow.weight[rows, :50], (height**2).expand(36, 50))
        torch.testing.assert_close(slow.weight[rows, 50:], OTHER_WEIGHT * (height**2).expand(36, 22))


def test_the_slow_memory_outlasts_a_season_under_cloud() -> None:
    nothing = ClearLST(torch.full(SHAPE, torch.nan), torch.full(SHAPE, torch.nan))
    state: ThermalState | None = None
    for n in range(5):
        day = FIRST + dt.timedelta(n)
        state = fill_gaps(day, scene(n), FLAT, state, MemoryConfig(), sun=sun_on(day)).state
    assert state is not None and state.slow is not None
    later = FIRST + dt.timedelta(94)
    after = fill_gaps(later, nothing, FLAT, state, MemoryConfig(), sun=sun_on(later)).state
    assert after.slow is not None
    assert float(after.memory.weight.max()) < 1e-6
    torch.testing.assert_close(after.slow.weight, state.slow.weight * math.exp(-90 / SLOW_DAYS))
    torch.testing.assert_close(after.slow.mean, state.slow.mean)


def test_stored_each_day_it_still_follows_ground_that_changed() -> None:
    """Rounded too coarsely, a day's part of a year's mean would be lost each day: the memory would stand still."""
    mean, weight = FINE["lst_day_slow"], FINE["lst_day_slow_weight"]
    random = torch.Generator().manual_seed(0)
    stored = exact = Memory.empty(torch.zeros(200))
    for n in range(900):
        anomaly = (1.0 if n > 400 else 0.0) + 0.5 * torch.randn(200, generator=random)  # warmer by 1 K since day 400
        sun = 0.6 + 0.3 * math.sin(2 * math.pi * n / 365)
        stored, exact = (m.faded(1, SLOW_DAYS).with_views(anomaly * sun, torch.ones(200), sun) for m in (stored, exact))
        packed = mean.pack(stored.mean.numpy()), weight.pack(stored.weight.numpy())
        stored = Memory(*(torch.from_numpy(v.unpack(p)) for v, p in zip((mean, weight), packed, strict=True)))
    assert float(exact.mean.mean()) > 0.6
    assert float((stored.mean - exact.mean).mean().abs()) < 0.01
    torch.testing.assert_close(stored.weight, exact.weight, rtol=0.01, atol=0.02)
    assert float(exact.weight.max()) < 0.005 * 65534  # what can be stored


def test_a_platform_that_drifts_is_not_taken_for_a_change_of_the_ground() -> None:
    """Contrasts of the ground go with the sun at the hour of the view. With Terra's hours of 2016 and of 2026 the slow
    memory is the same where it knows the hour; at 10:30 of all years it shrinks by more than a tenth."""
    latitude, day = torch.full((1, 1), 35.0), dt.date(2026, 12, 1)
    hours = {year: platform("terra").hour("day", day.replace(year=year)) for year in (2016, 2026)}
    kept = {}
    for year, hour in hours.items():
        for known in (hour, hours[2016]):
            memory = Memory.empty(latitude)
            for n in range(30):
                on = day.replace(year=year) - dt.timedelta(n)
                anomaly = 10 * sun_height(latitude, on, hour)
                memory = memory.with_views(anomaly, torch.ones(1, 1), sun_height(latitude, on, known))
            kept[year, known] = float(memory.mean)
    assert kept[2016, hours[2016]] == pytest.approx(10, rel=1e-5)
    assert kept[2026, hours[2026]] == pytest.approx(10, rel=1e-5)
    assert kept[2026, hours[2016]] < 9
