"""The laws of a world: the water balance closes, soil dries as it should, rain wets it, the seed decides."""

import datetime as dt
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from ssm_net.grid import Domain
from ssm_net.simulate.world.days import simulate_days
from ssm_net.simulate.world.fields import RandomField, stream
from ssm_net.simulate.world.land import Land, make_land
from ssm_net.simulate.world.laws import FAMILIES, laws_of
from ssm_net.simulate.world.overpass import Overpass, WorldDay
from ssm_net.simulate.world.physics import DEPTH, Forcing, Surface, step

DOMAIN = Domain("tiny", (70, 74, 774, 778))


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def made(request: pytest.FixtureRequest) -> tuple[Land, list[WorldDay]]:
    laws = laws_of(request.param, 3)
    land = make_land(DOMAIN, laws, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssm_net.simulate.world.days.ROOT_SPIN_UP", 0)
        return land, list(simulate_days(land, laws, 3, dt.date(2016, 6, 20), dt.date(2016, 6, 24)))


def test_water_balance_closes(made: tuple[Land, list[WorldDay]]) -> None:
    land, series = made
    for today, tomorrow in pairwise(series):
        gained = sum(b.change() for b in today.budgets)
        np.testing.assert_allclose(DEPTH * (tomorrow.night.ssm - today.night.ssm), gained, atol=1e-3)
        if land.hidden is None:  # elsewhere land use gives and takes
            np.testing.assert_allclose(sum(b.rain for b in today.budgets), tomorrow.rain, rtol=1e-5)


def test_fluxes_are_not_negative_and_states_stay_in_the_pores(made: tuple[Land, list[WorldDay]]) -> None:
    land, series = made
    for day in series:
        assert (day.night.ssm >= land.soil.residual - 1e-4).all() and (
            day.night.ssm <= land.soil.saturation + 1e-4
        ).all()
        for b in day.budgets:
            for flux in (b.rain, b.irrigation, b.runoff, b.evaporation, b.drainage):
                assert flux.min() >= -1e-3


def test_wetter_after_rain(made: tuple[Land, list[WorldDay]]) -> None:
    _, series = made
    change = np.stack([b.night.ssm - a.night.ssm for a, b in pairwise(series)])
    rain = np.stack([b.rain for b in series[1:]])
    assert rain.max() > 5, "a month without rain tests nothing"
    assert change[rain > 5].mean() > 0.02
    assert change[rain == 0].mean() < 0


def test_dry_ground_is_hotter_by_day(made: tuple[Land, list[WorldDay]]) -> None:
    land, series = made
    if land.hidden is not None:
        pytest.skip("a wide world's heat may tell the season's moisture, or nothing")
    for day in series[-3:]:
        bare = (day.ndvi < 0.4) & (day.noon.margin > 0)
        if bare.sum() > 3000:
            assert np.corrcoef(day.noon.lst[bare], day.noon.ssm[bare])[0, 1] < -0.2


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_drydown(family: str) -> None:
    """From field capacity without rain, 4 mm a day of demand: fast first, then slower, never past residual."""
    laws = FAMILIES[family]
    one = np.ones((1, 1), np.float32)
    soil = laws.soil(45 * one, 22 * one)
    surface = Surface(soil, cover=0 * one, wetness=0 * one, slope=0 * one)
    theta, series = soil.capacity, [float(soil.capacity[0, 0])]
    for _ in range(40):
        theta, _ = step(laws, surface, theta, Forcing(0 * one, 0 * one, demand=4 * one, noise=0 * one), days=1.0)
        series.append(float(theta[0, 0]))
    loss = -np.diff(series)
    assert (loss >= -1e-7).all()
    drained = float(laws.drainage(soil.capacity, soil, 0 * one, 1.0)[0, 0])  # some soils still drain there
    assert 0.5 * 4 < DEPTH * loss[0] <= 4 + drained + 1e-4
    assert loss[30] < 0.2 * loss[0]
    assert series[-1] >= float(soil.residual[0, 0]) - 1e-6
    assert 0.06 < series[0] - series[5] < 0.30


def test_runoff_and_percolation_take_what_does_not_fit() -> None:
    laws = FAMILIES["A"]
    one = np.ones((1, 1), np.float32)
    soil = laws.soil(20 * one, 40 * one)
    surface = Surface(soil, cover=0 * one, wetness=0 * one, slope=5 * one)
    theta, budget = step(laws, surface, soil.saturation, Forcing(100 * one, 0 * one, 0 * one, 0 * one), days=0.5)
    assert theta <= soil.saturation
    assert budget.runoff + budget.drainage > 95
    np.testing.assert_allclose(DEPTH * (theta - soil.saturation), budget.change(), atol=1e-3)


def test_the_seed_decides() -> None:
    laws = FAMILIES["A"]

    def final(seed: int) -> WorldDay:
        day = dt.date(2016, 5, 3)
        return list(simulate_days(make_land(DOMAIN, laws, seed), laws, seed, day, day))[-1]

    one, again, other = final(1), final(1), final(2)
    for name in ("rain", "ndvi", "soil_recent", "clear_recent"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name), err_msg=name)
    for f in fields(Overpass):
        for part in ("night", "day"):
            first, second = (getattr(day.at(part), f.name) for day in (one, again))
            np.testing.assert_array_equal(first, second, err_msg=f"{f.name} by {part}")
    assert np.abs(one.night.ssm - other.night.ssm).mean() > 0.02


@pytest.mark.parametrize(("length", "nu"), [(4, np.inf), (30, np.inf), (20, 0.5)])
def test_random_fields_have_their_variance_and_length(length: float, nu: float) -> None:
    texture = RandomField((400, 500), length, nu)
    many = np.stack([texture.sample(stream(n, "test")) for n in range(12)])
    assert many.std() == pytest.approx(1, abs=0.15)
    lag = round(length)
    seen = (many[:, :, lag:] * many[:, :, :-lag]).mean() / many.var()
    assert seen == pytest.approx(np.exp(-0.5) if np.isinf(nu) else np.exp(-1), abs=0.12)


def test_a_drifting_field_moves() -> None:
    texture = RandomField((200, 200), 10)
    first = texture.draw(stream(1, "a"))
    moved = texture.field(texture.follow(first, stream(1, "b"), 1.0, (0.0, 20.0)))
    np.testing.assert_allclose(moved[:, 20:], texture.field(first)[:, :-20], atol=0.05)
