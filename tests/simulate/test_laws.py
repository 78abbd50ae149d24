"""Families, and worlds drawn between them."""

from dataclasses import asdict, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.errors import ConfigError
from ssm_net.simulate.world.laws import FACTORS, FAMILIES, LAWS, WIDE, laws_of
from ssm_net.simulate.world.traits import (
    ClimateTraits,
    Hidden,
    MapErrors,
    RainTraits,
    SensorBias,
    TerrainTraits,
    Thermal,
)


@given(st.sampled_from(["AB", "AC", "BC", "ABC", "AD", "DEF", "CEF"]), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_a_drawn_world_takes_each_law_from_its_families_and_no_other(family: str, seed: int) -> None:
    laws = laws_of(family, seed)
    for name in LAWS:
        assert any(getattr(laws, name) == getattr(FAMILIES[letter], name) for letter in family), name
    for name, factor in FACTORS.items():
        of = [getattr(FAMILIES[letter], name) for letter in family]
        assert min(of) / factor <= getattr(laws, name) * (1 + 1e-9)
        assert getattr(laws, name) <= max(of) * factor * (1 + 1e-9)
    orbits = {(FAMILIES[letter].sensor.orbit, FAMILIES[letter].sensor.fwhm) for letter in family}
    assert (laws.sensor.orbit, laws.sensor.fwhm) in orbits


def test_the_seed_decides_and_the_order_of_letters_does_not() -> None:
    assert laws_of("CB", 3).heating == laws_of("BC", 3).heating
    assert laws_of("BC", 3).heating != laws_of("BC", 4).heating


def test_families_differ_in_structure() -> None:
    assert {laws.rain for laws in FAMILIES.values()} == {"latent", "storms", "both"}
    for name in ("soil", "efficiency", "drainage", "runoff", "cover", "mix"):
        assert len({getattr(laws, name) for laws in FAMILIES.values()}) == len(FAMILIES), name


def test_one_letter_is_the_family_itself() -> None:
    assert laws_of("B", 99) is FAMILIES["B"]


@pytest.mark.parametrize("family", ["", "Z", "AZ"])
def test_an_unknown_family_is_said(family: str) -> None:
    with pytest.raises(ConfigError, match="choose of A, B, C"):
        laws_of(family, 1)


@pytest.mark.parametrize("family", ["D", "E", "F", "ABF", "DEF"])
def test_each_wide_world_has_traits_of_its_own_within_their_ranges(family: str) -> None:
    worlds = [laws_of(family, seed).traits for seed in range(20)]
    assert all(world is not None for world in worlds)
    assert worlds[0] == laws_of(family, 0).traits != worlds[1]
    groups = (Hidden, TerrainTraits, Thermal, MapErrors, RainTraits, SensorBias, ClimateTraits)
    for group, name in zip(groups, ("hidden", "terrain", "thermal", "maps", "rain", "sensor", "climate"), strict=True):
        for f in fields(group):
            drawn = [asdict(world)[name][f.name] for world in worlds if world is not None]
            bounds = [WIDE[letter].get(f.name, f.metadata["range"]) for letter in family if letter in WIDE]
            assert min(low for low, _ in bounds) <= min(drawn) < max(drawn) <= max(high for _, high in bounds), f.name


@pytest.mark.parametrize("family", ["A", "C", "ABC"])
def test_families_of_before_have_no_traits(family: str) -> None:
    assert laws_of(family, 1).traits is None


def test_some_worlds_have_true_maps_and_some_wrong_ones() -> None:
    maps = [world.maps for world in (laws_of("D", seed).traits for seed in range(40)) if world is not None]
    for name in ("texture", "elevation", "water"):
        share = [getattr(m, name) for m in maps]
        assert min(share) < 0 and max(share) > 0.8, name
    assert 2 < sum(m.exchanged > 0.8 for m in maps) < 16
