"""Gap filling of LST and the thermal memory: golden cases and the recursion over days."""

import datetime as dt
import itertools
import math

import pytest
import torch

from ssm_net.config import MemoryConfig
from ssm_net.lst.gap_filling import (
    CYCLE,
    LAPSE,
    NEIGHBOURS,
    OTHER_OVERPASS,
    SEEN,
    ClearLST,
    FilledLST,
    Terrain,
    ThermalState,
    fill_gaps,
)

DAY = dt.date(2016, 6, 1)
SHAPE = (144, 144)
NORTH = torch.full((4, 4), 35.0)  # latitude of the coarse cells
FLAT = Terrain(torch.zeros(SHAPE), NORTH, 36)
MEMORY = MemoryConfig(days=4.0, background=2.0)
ONE = torch.ones(SHAPE)
NOTHING = ClearLST(torch.full(SHAPE, torch.nan), torch.full(SHAPE, torch.nan))


def step(
    lst: torch.Tensor, before: ThermalState | None = None, day: dt.date = DAY, z: torch.Tensor | None = None
) -> FilledLST:
    terrain = FLAT if z is None else Terrain(z, NORTH, 36)
    return fill_gaps(day, ClearLST(lst, ONE), terrain, before, MEMORY)


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
    cloudy[:36, :36] = field()[:36, :36] + 4.0  # the surroundings warmed by 4 K, seen in one cell
    out = step(cloudy, clear.state, DAY + dt.timedelta(1))
    hidden = torch.isnan(cloudy)
    filled, truth = out.lst[hidden], (field() + 4.0)[hidden]
    assert torch.corrcoef(torch.stack([filled, truth]))[0, 1] > 0.93  # part of a single observation may be noise
    # Most of the warming is carried from the cell that saw it, less so to the far corner.
    assert float((filled - truth).mean().abs()) < 2.0
    assert float((filled - truth)[:3000].pow(2).mean().sqrt()) < 1.6


def test_the_memory_fades_and_its_weight_with_it() -> None:
    state = step(field()).state
    nothing = torch.full(SHAPE, torch.nan)
    later = step(nothing, state, DAY + dt.timedelta(3)).state
    assert torch.allclose(later.memory.weight, state.memory.weight * math.exp(-3 / 4))
    assert torch.allclose(later.memory.mean, state.memory.mean)  # the mean stays, the belief in it fades


def test_a_gap_of_days_equals_as_many_days_without_an_observation() -> None:
    state = step(field()).state
    nothing = torch.full(SHAPE, torch.nan)
    stepwise = state
    for n in (1, 2, 3):
        stepwise = step(nothing, stepwise, DAY + dt.timedelta(n)).state
    at_once = step(nothing, state, DAY + dt.timedelta(3)).state
    assert torch.allclose(stepwise.memory.weight, at_once.memory.weight, rtol=1e-5)
    assert torch.allclose(stepwise.memory.mean, at_once.memory.mean, atol=1e-4)


def test_elevation_is_filled_by_the_lapse_rate() -> None:
    z = torch.zeros(SHAPE)
    z[72:] = 1000.0
    lst = 300 - LAPSE * z
    lst[72:, 72:] = torch.nan
    out = step(lst, z=z)
    assert torch.allclose(out.lst[72:, 72:], torch.tensor(300 - 6.0), atol=0.01)


def test_nothing_ever_seen_stays_missing() -> None:
    out = step(torch.full(SHAPE, torch.nan))
    assert bool(torch.isnan(out.lst).all()) and bool(torch.isnan(out.state.background.lst).all())


def test_two_thirds_of_what_is_hidden_lie_within_sigma() -> None:
    state, inside = None, []
    holes = torch.zeros(SHAPE, dtype=torch.bool)
    holes[20:60, 30:90], holes[100:, 100:] = True, True
    for n in range(30):  # a lasting pattern, a smooth one of the day and a little noise
        bump = torch.nn.functional.interpolate(field(100 + n)[None, None, :6, :6], SHAPE, mode="bicubic")[0, 0]
        day = field() + bump - 295 + 0.5 * torch.randn(SHAPE, generator=torch.Generator().manual_seed(n))
        out = step(day.masked_fill(holes.roll(9 * n, 1), torch.nan), state, DAY + dt.timedelta(n))
        state = out.state
        missed = (out.lst - day).abs()[out.lineage == NEIGHBOURS]
        inside.append(float((missed <= out.sigma[out.lineage == NEIGHBOURS]).float().mean()))
    assert sum(inside[20:]) / 10 == pytest.approx(0.68, abs=0.1)


def test_sigma_grows_into_a_gap_and_the_fill_follows_its_edge() -> None:
    # Waves shorter than the background is wide.
    lst = (290 + 3 * torch.sin(torch.arange(SHAPE[1]) / 12)).expand(SHAPE).contiguous()
    seen = lst.clone()
    seen[:, 90:] = torch.nan
    out = step(seen)
    sigma = out.sigma[72, 90:]
    assert bool((sigma.diff() >= -1e-4).all()) and float(sigma[-1]) > 1.3 * float(sigma[0])
    assert float((out.lst - lst)[:, 90:95].abs().max()) < 0.8


def test_a_field_without_any_contrast_is_filled_without_error() -> None:
    flat = torch.full(SHAPE, 290.0)
    flat[:, 100:] = torch.nan
    out = step(step(flat).lst.masked_fill(torch.isnan(flat), torch.nan), step(flat).state, DAY + dt.timedelta(1))
    assert torch.allclose(out.lst, torch.tensor(290.0), atol=0.05)
    assert bool(torch.isfinite(out.sigma).all()) and all(math.isfinite(e) for e in out.state.error)


def test_a_biased_choice_of_observations_does_not_bias_the_background() -> None:
    pattern = torch.where(torch.arange(SHAPE[1]) % 24 < 12, -4.0, 4.0).expand(SHAPE)  # cold and warm stripes
    clear = step(290 + pattern)
    only_cold = torch.where(pattern < 0, 290 + pattern, torch.nan)
    out = step(only_cold, clear.state, DAY + dt.timedelta(1))
    # One view is half believed: the cold stripes are colder than remembered, and so is what is inpainted between.
    assert float((out.lst - (290 + pattern)).abs().mean()) < 1.5


def test_an_observation_on_one_side_reaches_the_other_side_of_an_ocean() -> None:
    lst = torch.full((36, 36 * 40), torch.nan)
    lst[:, :36] = 290.0
    terrain = Terrain(torch.zeros_like(lst), torch.full((1, 40), 35.0), 36)
    out = fill_gaps(DAY, ClearLST(lst, torch.ones_like(lst)), terrain, None, MEMORY)
    assert bool(torch.isfinite(out.lst).all()) and bool(torch.isfinite(out.state.background.lst).all())
    assert bool((out.lineage[:, -36:] == CYCLE).all()) and bool((out.lineage[:, 36:48] == NEIGHBOURS).all())


def test_the_other_platform_fills_first_corrected_by_its_offset_in_the_surroundings() -> None:
    lst, other = field(), field() - 6.0  # the other platform is 6 K colder
    lst[:, 100:] = torch.nan
    other[:, 130:] = torch.nan
    terra = ClearLST(other, ONE)
    out = fill_gaps(DAY, ClearLST(lst, ONE), FLAT, None, MEMORY, others=(terra,))
    borrowed = slice(100, 130)
    assert bool((out.lineage[:, :100] == SEEN).all()) and bool((out.lineage[:, borrowed] == OTHER_OVERPASS).all())
    assert bool((out.lineage[:, 130:] == NEIGHBOURS).all())
    assert float((out.lst - field())[:, borrowed].abs().max()) < 0.5
    assert float(out.sigma[:, borrowed].min()) > 1.0
    # The difference is remembered: on a day without observations of its own the other platform still fills.
    later = fill_gaps(DAY + dt.timedelta(1), NOTHING, FLAT, out.state, MEMORY, others=(terra,))
    assert float((later.lst - field())[:, :100].abs().max()) < 0.5


def test_an_observation_counts_by_its_error() -> None:
    lst = torch.full(SHAPE, 300.0)
    lst[:, 60:80] = torch.nan
    wrong = lst.clone()
    bad = (torch.arange(SHAPE[1]) >= 80) & (torch.arange(SHAPE[1]) % 4 < 2)
    wrong[:, bad] = 310.0
    sigma = torch.where(bad, 4.0, 1.0).expand(SHAPE).contiguous()
    doubted = fill_gaps(DAY, ClearLST(wrong, sigma), FLAT, None, MEMORY).lst[:, 60:80]
    believed = fill_gaps(DAY, ClearLST(wrong, ONE), FLAT, None, MEMORY).lst[:, 60:80]
    assert float(doubted.mean()) < float(believed.mean()) - 0.5


def test_the_background_follows_the_air_while_nothing_is_observed() -> None:
    air = torch.full((4, 4), 285.0)
    state = fill_gaps(DAY, ClearLST(field(), ONE), FLAT, None, MEMORY, air=air).state
    blind = fill_gaps(DAY + dt.timedelta(3), NOTHING, FLAT, state, MEMORY)
    cold = fill_gaps(DAY + dt.timedelta(3), NOTHING, FLAT, state, MEMORY, air=air - 8.0)
    assert torch.allclose(cold.lst, blind.lst - 8.0, atol=0.4)  # of three days of early summer part is the season's
    # A day without a reanalysis loses nothing: the next one that has it knows how far the air has come.
    late, cold = (fill_gaps(DAY + dt.timedelta(4), NOTHING, FLAT, b.state, MEMORY, air=air - 8.0)
                  for b in (blind, cold))  # fmt: skip
    assert torch.allclose(late.lst, cold.lst, atol=0.5)


def test_sigma_grows_while_nothing_is_seen_and_stops_where_weather_forgets() -> None:
    out, nothing, sigma = step(field()), torch.full(SHAPE, torch.nan), []
    for n in range(1, 41):
        out = step(nothing, out.state, DAY + dt.timedelta(n))
        sigma.append(float(out.sigma.mean()))
    assert all(b >= a - 1e-3 for a, b in itertools.pairwise(sigma))
    assert sigma[9] > sigma[0] + 2 and sigma[39] - sigma[29] < 0.2
    # As many days at once give the same, and an observation of most of the domain ends it.
    at_once = step(nothing, step(field()).state, DAY + dt.timedelta(40))
    assert torch.allclose(at_once.state.background.sigma, out.state.background.sigma, rtol=1e-3)
    half = field()
    half[:, 100:] = torch.nan
    assert float(step(half, out.state, DAY + dt.timedelta(41)).state.background.sigma.max()) < 0.5


def test_the_weather_is_learned_from_how_the_background_moved() -> None:
    def after(move: float) -> float:
        state = None
        for n in range(20):
            state = step(field() + move * (n % 2), state, DAY + dt.timedelta(n)).state
        assert state is not None
        return state.background.weather

    assert after(0.0) < 1.0 < 3.0 < after(4.0)
