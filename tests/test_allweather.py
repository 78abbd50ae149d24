"""Filling LST and remembering it: golden cases and the recursion."""

import datetime as dt
import math

import pytest
import torch

from ssm_net.allweather import LAPSE, NEIGHBOURS, SEEN, AllWeather, ThermalState, fill

DAY = dt.date(2016, 6, 1)
SHAPE = (144, 144)


def step(
    lst: torch.Tensor, before: ThermalState | None = None, day: dt.date = DAY, z: torch.Tensor | None = None
) -> AllWeather:
    return fill(day, lst, torch.full(SHAPE, 1.0), torch.zeros(SHAPE) if z is None else z, before, ratio=36,
                memory_days=4.0, region_cells=2.0)  # fmt: skip


def field(seed: int = 0) -> torch.Tensor:
    return 295 + 3 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def test_what_is_seen_stays_as_it_is() -> None:
    lst = field()
    lst[:50] = torch.nan
    out = step(lst)
    seen = torch.isfinite(lst)
    assert torch.equal(out.lst[seen], lst[seen]) and bool((out.lineage[seen] == SEEN).all())
    assert bool((out.lineage[~seen] == NEIGHBOURS).all()) and bool(torch.isfinite(out.lst).all())
    assert float(out.sigma[~seen].min()) > float(out.sigma[seen].max())


def test_a_cloudy_day_remembers_the_pattern_of_the_clear_one() -> None:
    clear = step(field())
    cloudy = torch.full(SHAPE, torch.nan)
    cloudy[:36, :36] = field()[:36, :36] + 4.0  # the region warmed by 4 K, seen in one cell
    out = step(cloudy, clear.state, DAY + dt.timedelta(1))
    hidden = torch.isnan(cloudy)
    filled, truth = out.lst[hidden], (field() + 4.0)[hidden]
    assert torch.corrcoef(torch.stack([filled, truth]))[0, 1] > 0.95
    # Most of the warming is carried from the cell that saw it, less so to the far corner.
    assert float((filled - truth).mean().abs()) < 2.0
    assert float((filled - truth)[:3000].pow(2).mean().sqrt()) < 1.5


def test_the_memory_fades_and_its_weight_with_it() -> None:
    state = step(field()).state
    nothing = torch.full(SHAPE, torch.nan)
    later = step(nothing, state, DAY + dt.timedelta(3)).state
    assert torch.allclose(later.weight, state.weight * math.exp(-3 / 4))
    assert torch.allclose(later.memory, state.memory)  # the mean stays, the belief in it fades


def test_a_gap_of_days_equals_as_many_days_without_a_view() -> None:
    state = step(field()).state
    nothing = torch.full(SHAPE, torch.nan)
    stepwise = state
    for n in (1, 2, 3):
        stepwise = step(nothing, stepwise, DAY + dt.timedelta(n)).state
    at_once = step(nothing, state, DAY + dt.timedelta(3)).state
    assert torch.allclose(stepwise.weight, at_once.weight, rtol=1e-5)
    assert torch.allclose(stepwise.memory, at_once.memory, atol=1e-4)


def test_elevation_is_filled_by_the_lapse_rate() -> None:
    z = torch.zeros(SHAPE)
    z[72:] = 1000.0
    lst = 300 - LAPSE * z
    lst[72:, 72:] = torch.nan
    out = step(lst, z=z)
    assert torch.allclose(out.lst[72:, 72:], torch.tensor(300 - 6.0), atol=0.01)


def test_nothing_ever_seen_stays_missing() -> None:
    out = step(torch.full(SHAPE, torch.nan))
    assert bool(torch.isnan(out.lst).all()) and bool(torch.isnan(out.state.region).all())


def test_the_error_of_filling_is_learned_from_what_is_seen_again() -> None:
    state = step(field()).state
    for n in range(1, 40):  # white noise of 3 K: the memory cannot know it
        state = step(field(n), state, DAY + dt.timedelta(n)).state
    assert state.error == pytest.approx(3.0 * math.sqrt(1 + 0.2), rel=0.15)
    for n in range(40, 80):
        state = step(field(0), state, DAY + dt.timedelta(n)).state
    assert state.error < 1.0
