"""Wide worlds: seasons of both hemispheres, maps that are wrong, factors that no map shows, instruments as they are."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from ssm_net.config import PrepareConfig, load
from ssm_net.core.clock import DAY_HOUR, NIGHT_HOUR, utc_day
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import list_granules
from ssm_net.prepare.day_plan import plan_day
from ssm_net.prepare.products import choose_products
from ssm_net.prepare.read_day import read_granules
from ssm_net.simulate.native_files import Content, DayShift, write_world
from ssm_net.simulate.world.climate import CHINA, season, season_day
from ssm_net.simulate.world.days import SPIN_UP, simulate_days
from ssm_net.simulate.world.hidden import irrigation_by_calendar, next_land_use, rough_field
from ssm_net.simulate.world.land import Land, make_land
from ssm_net.simulate.world.laws import FAMILIES, laws_of
from ssm_net.simulate.world.observe import Observer
from ssm_net.simulate.world.overpass import WorldDay
from ssm_net.simulate.world.physics import Laws
from ssm_net.simulate.world.traits import climate_at
from ssm_net.simulate.world.two_layers import TwoLayerState, TwoLayerWorld
from ssm_net.simulate.world.weather import Weather

DOMAIN = Domain("tiny", (70, 74, 774, 778))
PLACES = {
    "10 E": (68, 72, 508, 512),
    "100 W": (68, 72, 212, 216),
    "35 S": (320, 324, 872, 876),
    "172 E": (336, 340, 940, 944),
    "8 N": (184, 188, 500, 504),
}


def with_traits(laws: Laws, **groups: dict[str, Any]) -> Laws:
    """``laws`` with other numbers in the groups of its traits."""
    assert laws.traits is not None
    changed = {name: replace(getattr(laws.traits, name), **numbers) for name, numbers in groups.items()}
    return replace(laws, traits=replace(laws.traits, **changed))


def last_day(laws: Laws, domain: Domain, day: dt.date, spin_up: int = SPIN_UP) -> tuple[Land, WorldDay]:
    land = make_land(domain, laws, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssm_net.simulate.world.days.ROOT_SPIN_UP", 0)
        patch.setattr("ssm_net.simulate.world.days.SPIN_UP", spin_up)
        return land, list(simulate_days(land, laws, 3, day, day))[-1]


@pytest.mark.parametrize(
    ("family", "pinned"),
    [
        ("A", (0.16844623, 296.26578)),
        ("B", (0.19818327, 297.01471)),
        ("C", (0.14182015, 297.41583)),
        ("ABC", (0.19300732, 297.39355)),
    ],
)
def test_families_of_before_give_the_worlds_of_before(family: str, pinned: tuple[float, float]) -> None:
    """Whoever trained on them can make them again."""
    _, day = last_day(laws_of(family, 3), DOMAIN, dt.date(2016, 6, 20))
    assert (day.night.ssm.mean(), day.noon.lst.mean()) == pytest.approx(pinned, rel=1e-5)


@pytest.mark.parametrize("place", sorted(PLACES))
def test_worlds_can_be_made_everywhere(place: str) -> None:
    """Summer is warm and winter cold where they are; nothing is missing or beyond the pores."""
    domain = Domain("place", PLACES[place])
    mean = {}
    for day in (dt.date(2016, 1, 20), dt.date(2016, 7, 20)):
        land, world = last_day(laws_of("DEF", 5), domain, day, spin_up=5)
        assert np.isfinite(world.noon.lst).all() and np.isfinite(world.night.ssm).all()
        assert (world.night.ssm <= land.soil.saturation + 1e-4).all()
        mean[day.month] = float(world.noon.air.mean())
    if place == "8 N":
        assert abs(mean[7] - mean[1]) < 15
    else:
        assert (mean[7] > mean[1] + 3) == ("S" not in place and place != "172 E")


def test_the_seasons_of_the_south_are_half_a_year_later() -> None:
    assert season(season_day(dt.date(2016, 1, 15), -35.0)) == pytest.approx(1, abs=0.01)
    assert season_day(dt.date(2016, 1, 15), 35.0) == 15
    days = [season_day(dt.date(2015, 1, 1) + dt.timedelta(n), -1.0) for n in range(365)]
    assert sorted(days) == list(range(1, 366))


@pytest.mark.parametrize("place", sorted(PLACES))
def test_thermal_images_are_filed_under_the_utc_day_they_are_of(place: str) -> None:
    domain = Domain("place", PLACES[place])
    shift, day = DayShift.of(domain), dt.date(2016, 6, 20)
    for column, lon in enumerate(domain.lonlat()[0][::40]):
        for hour, got in ((NIGHT_HOUR, shift.night), (DAY_HOUR, shift.day)):
            assert day + dt.timedelta(int(got[40 * column])) == utc_day(day, hour, lon)


def test_maps_are_as_wrong_as_drawn() -> None:
    true = with_traits(
        laws_of("D", 1),
        terrain={"texture": 1.0},
        maps={"texture": -0.2, "elevation": 0.0, "water": 0.0, "exchanged": 0.0},
    )
    land = make_land(DOMAIN, true, 1)
    np.testing.assert_array_equal(land.maps.clay, land.texture.clay)
    np.testing.assert_array_equal(land.maps.elevation, land.relief.elevation)
    wrong = with_traits(true, maps={"texture": 1.0, "elevation": 0.5, "exchanged": 0.9})
    land = make_land(DOMAIN, wrong, 1)
    assert abs(np.corrcoef(land.maps.sand.ravel(), land.texture.clay.ravel())[0, 1]) < 0.6
    assert land.maps.clay.mean() > 1.4 * land.maps.sand.mean(), "there is more sand than clay"
    assert 0.3 < np.corrcoef(land.maps.elevation.ravel(), land.relief.elevation.ravel())[0, 1] < 0.99
    np.testing.assert_array_equal(land.maps.water, land.water)


def test_the_root_zone_closes_its_balance_and_keeps_the_surface_moist() -> None:
    """All water that leaves the root zone is uptake or leakage; without either, what the surface loses stays."""
    laws = with_traits(replace(laws_of("D", 2), leak=lambda *_: 0.0, transpiration=1.0), hidden={"leakage": 0.0})
    land = make_land(DOMAIN, laws, 2)
    world, state = TwoLayerWorld.of(land, laws), TwoLayerState.first(land)
    shape = DOMAIN.fine_shape
    dry = Weather(*(np.full(shape, v, np.float32) for v in (0.0, 1.0, 1.0, 290.0, 300.0)))
    zero = np.zeros(shape, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssm_net.simulate.world.two_layers.irrigation_by_calendar", lambda *_: zero)
        day, after = world.next_day(state, dry, zero, zero, dt.date(2016, 6, 20))
    lost = 50 * (state.ssm - after.ssm) + world.hidden.root_depth * (state.root - after.root)
    np.testing.assert_allclose(lost, sum(b.evaporation for b in day.budgets), atol=2e-2)
    assert (after.ssm < after.root).mean() > 0.9


def test_snow_is_kept_until_it_melts() -> None:
    laws = with_traits(laws_of("F", 2), hidden={"watering": 0.0})
    land = make_land(DOMAIN, laws, 2)
    world, state = TwoLayerWorld.of(land, laws), TwoLayerState.first(land)
    shape = DOMAIN.fine_shape
    zero = np.zeros(shape, np.float32)
    cold = Weather(*(np.full(shape, v, np.float32) for v in (10.0, -1.0, -1.0, 260.0, 265.0)))
    warm = Weather(*(np.full(shape, v, np.float32) for v in (0.0, 1.0, 1.0, 275.0, 285.0)))
    _, state = world.next_day(state, cold, zero, zero, dt.date(2016, 1, 20))
    np.testing.assert_allclose(state.snow, 10)
    day, state = world.next_day(state, warm, zero, zero, dt.date(2016, 1, 21))
    assert day.snow is not None and (day.snow == 10).all()
    assert (day.noon.lst[land.water < 0.02] <= 273.16).mean() == 1 or state.snow.max() < 10
    np.testing.assert_allclose(sum(b.rain for b in day.budgets), 10 * world.hidden.supply, rtol=1e-4)


def test_land_use_fades_as_slowly_as_drawn() -> None:
    traits = laws_of("D", 1).traits
    assert traits is not None
    hidden = replace(traits.hidden, fading=60.0, length=1.0)
    first = rough_field(hidden, (144, 144)).sample(np.random.default_rng(1))
    later = first
    for ordinal in range(1, 61):
        later = next_land_use(later, hidden, 4, ordinal)
    assert np.corrcoef(first.ravel(), later.ravel())[0, 1] == pytest.approx(np.exp(-1), abs=0.1)


def test_fields_are_irrigated_in_a_season_of_their_own_only() -> None:
    traits = laws_of("D", 1).traits
    assert traits is not None
    hidden = replace(traits.hidden, calendar=30.0, districts=0.8)
    fields = np.arange(1, 401, dtype=np.int32).reshape(20, 20)
    stress = np.zeros((20, 20), np.float32)
    got = []
    for doy in range(1, 366, 2):
        date = dt.date(2015, 12, 31) + dt.timedelta(doy)
        got.append(irrigation_by_calendar(fields, stress, hidden, 4, date, doy) > 0)
    watered = np.stack(got)
    assert 0.7 < watered.any(0).mean() < 0.9
    last, first = watered[::-1].argmax(0), watered.argmax(0)
    length = 2 * (len(got) - last - first)[watered.any(0)]
    assert np.median(length) == pytest.approx(28, abs=8)
    assert not (irrigation_by_calendar(fields, stress + 1, hidden, 4, dt.date(2016, 5, 15), 136) > 0).any()


def test_view_angles_leave_a_pattern_that_repeats_with_the_orbit() -> None:
    laws = with_traits(laws_of("D", 1), thermal={"view": 1.0, "noise": 0.1})
    laws = replace(laws, lst_error=0.1)
    land, day = last_day(laws, DOMAIN, dt.date(2016, 6, 20))
    observer = Observer(land, laws, 1)

    def error(n: int) -> np.ndarray:
        later = replace(day, date=day.date + dt.timedelta(n))
        return np.clip(observer.lst(later, "day")[1].ravel(), -3, 3)  # without thin clouds

    lag = {n: np.corrcoef(error(0), error(n))[0, 1] for n in (1, 2, 8, 16)}
    assert lag[16] > 0.7 and lag[8] < -0.5 and lag[1] < lag[2]


def test_a_radiometer_sees_nothing_under_snow() -> None:
    laws = laws_of("F", 1)
    land, day = last_day(laws, DOMAIN, dt.date(2016, 6, 20))
    observer = Observer(land, laws, 1)
    day = replace(day, night=replace(day.night, lst=np.full_like(day.night.lst, 280)))
    days = [replace(day, date=day.date + dt.timedelta(n)) for n in range(3)]
    assert any(np.isfinite(observer.coarse(d)).any() for d in days)
    assert not any(np.isfinite(observer.coarse(replace(d, snow=d.rain + 20))).any() for d in days)


def test_climates_of_places() -> None:
    assert CHINA == replace(CHINA) and FAMILIES["A"].traits is None
    traits = laws_of("E", 1).traits
    assert traits is not None
    wide = replace(traits.climate, warmth=0.0, altitude=200.0, continental=1.0)
    equator, north, south = (climate_at(wide, 20.0, lat) for lat in (2.0, 50.0, -50.0))
    assert equator.air > north.air + 10 and equator.swing < 3 < 10 < north.swing
    assert (north.air, north.swing) == (south.air, south.swing)
    assert equator.potential_evaporation(15) == pytest.approx(equator.demand, rel=0.05)


@pytest.fixture(scope="module", params=["172 E", "100 W"])
def southern_raw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Domain]:
    """Native files of three days of a wide world far from China, whose rain is dated a day late."""
    domain = Domain("place", PLACES[request.param])
    raw = tmp_path_factory.mktemp("wide") / "raw"
    raw.mkdir()
    laws = replace(
        with_traits(
            laws_of("D", 3),
            rain={"shift": 1.8},
            climate={"moist": 0.3},
            thermal={"hour": 1.0, "drift": 0.0},  # that of the truth, with which images are compared
        ),
        cloud_cover=0.1,
        lst_error=0.3,
    )
    observer = Observer(make_land(domain, laws, 3), laws, 3)
    content = Content(dt.date(2016, 1, 10), dt.date(2016, 1, 12), record=False, auxiliary=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssm_net.simulate.world.days.ROOT_SPIN_UP", 0)
        patch.setattr("ssm_net.simulate.native_files.SPIN_UP", 3)
        patch.setattr("ssm_net.simulate.world.days.SPIN_UP", 3)
        write_world(raw, observer, content, Console(quiet=True))
    return raw, domain


def test_thermal_images_of_another_continent_are_read_on_their_own_day(southern_raw: tuple[Path, Domain]) -> None:
    raw, domain = southern_raw
    day, one = dt.date(2016, 1, 11), dt.timedelta(1)
    keys = {"raw": str(raw), "cube": "unused", "start": str(day), "end": str(day)}
    cfg = load(PrepareConfig, {**keys, "domain": {"name": "place", "window": list(domain.window)}})
    granules = list_granules(raw, (day - one, day + one))
    read = read_granules(plan_day(cfg, domain, granules, choose_products(cfg, granules), day))
    truth = xr.open_zarr(raw / "truth.zarr", consolidated=False, chunks=None).load()
    for part in ("night", "day"):
        lst = read.lst[part][0]
        error = {n: np.nanmedian(np.abs(lst - truth[f"lst_{part}"].sel(time=str(day + n * one)))) for n in (-1, 0, 1)}
        assert error[0] < 0.9 * min(error[-1], error[1]), part
    assert np.isfinite(read.lst["day"][0]).mean() > 0.05


def test_late_rain_is_dated_a_day_late(southern_raw: tuple[Path, Domain]) -> None:
    raw, _ = southern_raw
    dated = {f.stem.split("_")[1] for f in (raw / "precip").glob("*.nc")}
    assert {"20160108", "20160110", "20160111", "20160112"} <= dated and "20160113" not in dated
