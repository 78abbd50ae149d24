"""Where and when the worlds of pretraining lie: networks know no land, season or record that no world had."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import pytest

from ssm_net.config import PretrainConfig
from ssm_net.grid import M36, Domain
from ssm_net.pretrain.worlds import (
    EARTH,
    HISTORY,
    MOST_DAYS,
    NARROW_EVERY,
    YEAR,
    Place,
    families_of,
    places_of,
    samples_file,
)
from ssm_net.simulate.world.laws import WIDE


def draw(family: str, number: int, seed: int = 1, cells: int = 8, days: int = 32) -> Place:
    return Place.draw(family, number, seed=seed, cells=cells, days=days)


@pytest.fixture(scope="module")
def wide() -> list[Place]:
    return [draw("AD", number) for number in range(200)]


@pytest.fixture(scope="module")
def narrow() -> list[Place]:
    return [draw(family, number) for family in "ABC" for number in range(60)]


def centre(place: Place) -> tuple[float, float]:
    west, south, east, north = Domain("world", place.window).bounds_lonlat()
    return (west + east) / 2, (south + north) / 2


def test_worlds_are_decided_by_the_whole_name_of_their_family_and_the_seed() -> None:
    one = draw("BE", 3)
    assert one == draw("BE", 3)
    for family, seed in (("AD", 1), ("BE", 2), ("EB", 1)):
        other = draw(family, 3, seed)
        assert (one.window, one.begin) != (other.window, other.begin) and one.seed != other.seed
    assert all(n % 4 == 0 for n in one.window)
    # Samples of a world of another size are not taken for this one's.
    sizes = ((8, 32), (12, 32), (8, 48))
    assert len({draw("BE", 3, cells=cells, days=days).name for cells, days in sizes}) == 3


def test_all_default_worlds_differ() -> None:
    """Worlds that share place, season or relief teach the same thing twice."""
    cfg = PretrainConfig("worlds", "run")
    groups = places_of(cfg)
    assert list(groups) == cfg.families and {len(places) for places in groups.values()} == {cfg.count}
    places = [place for of_group in groups.values() for place in of_group]
    assert len({(p.window, p.begin) for p in places}) == len(places)
    assert len({p.seed for p in places}) == len(places)  # of relief, weather and soil
    assert len({p.name for p in places}) == len(places)
    others = [p for of_group in places_of(PretrainConfig("worlds", "run", seed=2)).values() for p in of_group]
    assert not {p.seed for p in places} & {p.seed for p in others}


def test_wide_worlds_lie_in_both_hemispheres_and_at_all_longitudes(wide: list[Place]) -> None:
    lon, lat = zip(*map(centre, wide), strict=True)
    assert max(lat) > 50 and min(lat) < -35 and sum(v < 0 for v in lat) > 50
    assert min(abs(v) for v in lat) < 12
    assert {int(v // 45) for v in lon} == set(range(-4, 4))
    # None reaches over the edge of the grid.
    assert all(0 <= p.window[0] and p.window[1] <= M36.rows and p.window[3] <= M36.cols for p in wide)


def test_wide_worlds_are_seen_in_all_seasons_and_over_more_than_one(wide: list[Place]) -> None:
    assert set(Counter(p.begin.month for p in wide)) == set(range(1, 13))
    for south in (False, True):
        months = Counter(day.month for p in wide if (centre(p)[1] < 0) == south for day in p.chosen)
        assert min(months[m] for m in range(1, 13)) > 0.03 * months.total()
    spans = [(p.chosen[-1] - p.chosen[0]).days for p in wide]
    assert min(spans) < 75 and max(spans) > 330 and max(spans) < MOST_DAYS
    assert all(EARTH.first <= p.begin for p in wide)


def test_half_of_the_wide_worlds_have_a_year_of_history(wide: list[Place]) -> None:
    """Memories are full in these, and nearly empty in others: users have records of either kind."""
    before = [(p.chosen[0] - p.begin).days for p in wide]
    assert 0.4 < sum(n >= YEAR for n in before) / len(before) < 0.6
    assert min(before) < HISTORY and sum(n < 30 for n in before) > 20 and min(before) >= 5
    assert any(60 < n < 300 for n in before)


def test_narrow_worlds_lie_in_china_in_its_growing_season(narrow: list[Place]) -> None:
    """Their laws and their climate are of there: elsewhere, or in winter, they would teach what is nowhere."""
    assert all(20 < lat < 55 and 73 < lon < 135 for lon, lat in map(centre, narrow))
    days = [day for p in narrow for day in p.chosen]
    assert all(dt.date(2016, 3, 15) <= day < dt.date(2016, 12, 15) for day in days)
    assert sum(4 <= day.month <= 10 for day in days) > 0.95 * len(days)
    assert all(4 <= p.chosen[len(p.chosen) // 2].month <= 10 for p in narrow)


@pytest.mark.parametrize("family", ["A", "AC", "ABC"])
def test_one_wide_letter_makes_a_world_wide(family: str) -> None:
    assert all(700 <= draw(family, n).window[2] < 832 for n in range(20))
    cols = [draw(family + "F", n).window[2] for n in range(20)]
    assert sum(700 <= col < 832 for col in cols) < 10


def test_samples_are_taken_from_days_apart(wide: list[Place], narrow: list[Place]) -> None:
    for place in (*wide, *narrow):
        assert list(place.chosen) == sorted(set(place.chosen)) and 26 <= len(place.chosen) <= 32
        assert place.begin < place.chosen[0]


def test_every_fourth_world_of_a_group_is_a_narrow_one() -> None:
    assert NARROW_EVERY == 4
    assert families_of("AD", 9) == ["AD", "AD", "AD", "A", "AD", "AD", "AD", "A", "AD"]
    assert families_of("ABD", 8) == ["ABD"] * 3 + ["A"] + ["ABD"] * 3 + ["B"]  # in turn
    assert families_of("DE", 8) == ["DE"] * 8  # none of them is narrow
    places = places_of(PretrainConfig("w", "r", families=["AD", "CF"], count=8))
    assert [p.family for p in places["CF"]] == families_of("CF", 8)
    assert all(set(p.family) & set(WIDE) for p in places["AD"][:3])


def test_groups_that_share_a_letter_share_its_narrow_worlds() -> None:
    places = places_of(PretrainConfig("w", "r", families=["AD", "AE"], count=4))
    one, other = places["AD"], places["AE"]
    assert one[3] == other[3] and not {p.name for p in one[:3]} & {p.name for p in other[:3]}


def test_the_file_of_a_world_is_named_after_what_decides_it() -> None:
    place = draw("AD", 0)
    file = samples_file(place, Path("worlds"))
    assert file.parent == Path("worlds") and file.suffix == ".npz"
    assert f"{place.seed:08x}" in file.name and f"{place.begin:%Y%m%d}" in file.name
