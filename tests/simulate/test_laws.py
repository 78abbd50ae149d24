"""Families, and worlds drawn between them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.errors import ConfigError
from ssm_net.simulate.world.laws import FACTORS, FAMILIES, LAWS, laws_of


@given(st.sampled_from(["AB", "AC", "BC", "ABC"]), st.integers(0, 10_000))
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
    for name in ("soil", "efficiency", "drainage", "runoff", "cover", "mix", "rain"):
        assert len({getattr(laws, name) for laws in FAMILIES.values()}) == len(FAMILIES), name


def test_one_letter_is_the_family_itself() -> None:
    assert laws_of("B", 99) is FAMILIES["B"]


@pytest.mark.parametrize("family", ["", "D", "AD"])
def test_an_unknown_family_is_said(family: str) -> None:
    with pytest.raises(ConfigError, match="choose of A, B, C"):
        laws_of(family, 1)
