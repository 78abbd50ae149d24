"""The record of a world seen without files: memories begin with it, rain is dated as its product dates it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ssm_net.cube.masks import WATER
from ssm_net.cube.variables import API_DAYS
from ssm_net.grid import Domain
from ssm_net.pretrain import observed_world
from ssm_net.pretrain.observed_world import ObservedWorldDay, observed_days
from ssm_net.simulate.native_files import REFLECTANCE_EVERY
from ssm_net.simulate.truth import OPEN_WATER
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.physics import Laws

DOMAIN = Domain("tiny", (70, 74, 774, 778))
FAMILY, SEED = "BE", 3
BEGIN, LAST = dt.date(2016, 6, 1), dt.date(2016, 6, 12)
Record = dict[dt.date, ObservedWorldDay]


def day(n: int) -> dt.date:
    """The ``n``-th day of the record, from 0 on."""
    return BEGIN + dt.timedelta(n)


@pytest.fixture(scope="module")
def record_of() -> Callable[..., Record]:
    """The days of a world by date, with other traits where they are given; its spin-up is cut short."""

    def observed(begin: dt.date = BEGIN, first: dt.date | None = None, **groups: dict[str, Any]) -> Record:
        def changed(family: str, seed: int) -> Laws:
            laws = laws_of(family, seed)
            assert laws.traits is not None
            traits = {name: replace(getattr(laws.traits, name), **numbers) for name, numbers in groups.items()}
            return replace(laws, traits=replace(laws.traits, **traits))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(observed_world, "laws_of", changed)
            patch.setattr("ssm_net.simulate.world.days.ROOT_SPIN_UP", 0)
            return {d.date: d for d in observed_days(FAMILY, SEED, DOMAIN, begin, first or begin, LAST)}

    return observed


@pytest.fixture(scope="module")
def on_time(record_of: Callable[..., Record]) -> Record:
    return record_of(rain={"shift": 0.0})


def test_the_record_is_whole(on_time: Record) -> None:
    assert list(on_time) == [day(n) for n in range(12)]
    height, width = DOMAIN.fine_shape
    for one in on_time.values():
        assert {v.shape for v in one.fine.values()} == {(height, width)} and one.truth.shape == (height, width)
        assert {v.shape for v in one.cells.values()} == {DOMAIN.coarse_shape} and one.fine.keys() == one.cells.keys()
    assert any(float(one.fine["rain"].max()) > 1 for one in on_time.values()), "a record without rain tests no rain"


@pytest.mark.parametrize(("shift", "late"), [(1.8, 1), (-1.8, -1), (1.2, 0), (-1.2, 0)])
def test_rain_is_dated_as_the_product_of_the_world_dates_it(
    shift: float, late: int, on_time: Record, record_of: Callable[..., Record]
) -> None:
    """Products that date rain a day late are common; to a network that never met one they tell of tomorrow."""
    dated = record_of(rain={"shift": shift})
    for n in range(1, 11):
        want = on_time[day(n - late)].fine
        torch.testing.assert_close(dated[day(n)].fine["rain"], want["rain"])
        # The memories are those of the rain that is shown.
        faded = {k: np.exp(-1 / days) * dated[day(n - 1)].fine[k] for k, days in API_DAYS.items()}
        for k in API_DAYS:
            torch.testing.assert_close(dated[day(n)].fine[k], faded[k] + want["rain"])
        torch.testing.assert_close(dated[day(n)].truth, on_time[day(n)].truth, equal_nan=True)


def test_a_record_that_begins_later_remembers_nothing_from_before(
    on_time: Record, record_of: Callable[..., Record]
) -> None:
    """Users have short records: a memory that was full from the first day on would be nowhere."""
    later = record_of(begin=day(6), rain={"shift": 0.0})
    assert list(later) == [day(n) for n in range(6, 12)]
    for k in ("day", "night"):
        seen = later[day(6)].fine[f"lst_{k}_seen"]
        assert torch.equal(later[day(6)].fine[f"lst_{k}_weight"], seen)
        assert torch.equal(seen, on_time[day(6)].fine[f"lst_{k}_seen"])
        assert bool((on_time[day(6)].fine[f"lst_{k}_weight"] > seen).any())
    weight = later[day(6)].fine["lst_day_slow_weight"]
    assert float(weight.max()) <= 1 and torch.equal(weight > 0, later[day(6)].fine["lst_day_seen"] > 0)
    assert "red" in later[day(6)].fine  # its first reflectance is of its first day
    # Products of rain were there before: what fell before the record is read with its first day.
    known, whole = (record[day(6)].fine["api_10"] for record in (later, on_time))
    assert float(whole.mean()) > 3 and float((known - whole).abs().mean()) < 0.1 * float(whole.mean())


def test_days_before_those_that_are_asked_for_are_remembered(on_time: Record, record_of: Callable[..., Record]) -> None:
    asked = record_of(first=day(6), rain={"shift": 0.0})
    assert list(asked) == [day(n) for n in range(6, 12)]
    for name, values in asked[day(6)].fine.items():
        assert torch.equal(torch.nan_to_num(values), torch.nan_to_num(on_time[day(6)].fine[name])), name


def test_what_was_never_seen_is_missing(record_of: Callable[..., Record]) -> None:
    """Zero is an anomaly that was measured; a pixel that no overpass saw has none."""
    record, clear = record_of(), torch.zeros(DOMAIN.fine_shape, dtype=torch.bool)
    never, once = 0, 0
    for one in record.values():
        clear |= one.fine["lst_day_seen"] > 0
        for name, weight in (("lst_day_memory", "lst_day_weight"), ("lst_day_slow", "lst_day_slow_weight")):
            assert torch.equal(torch.isnan(one.fine[name]), ~clear), name
            assert torch.equal(one.fine[weight] > 0, clear)
        never, once = never + int((~clear).sum()), once + int(clear.sum())
        composite = one.fine["red"]
        assert torch.equal(torch.isnan(composite), torch.isnan(one.fine["reflectance_age"]))
    assert never and once


def test_reflectance_ages_until_the_next_composite(on_time: Record) -> None:
    for n, one in enumerate(on_time.values()):
        age = one.fine["reflectance_age"]
        young = age[torch.isfinite(age)]
        assert float(young.min()) == n % REFLECTANCE_EVERY and set(young.unique().tolist()) <= {
            n,
            n % REFLECTANCE_EVERY,
        }


def test_truth_is_of_land_that_is_neither_frozen_nor_under_snow(
    on_time: Record, record_of: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to map, and no label."""
    water = on_time[BEGIN].fine["water_fraction"] >= WATER
    assert torch.isnan(on_time[BEGIN].truth[water]).all() and torch.isfinite(on_time[BEGIN].truth).float().mean() > 0.9
    monkeypatch.setattr(observed_world, "FROZEN", 400.0)
    assert torch.isnan(record_of()[BEGIN].truth).all()


def test_a_lake_that_the_map_lacks_has_no_truth(record_of: Callable[..., Record]) -> None:
    """A wrong map of water is met by the networks; the soil of a lake's ground would be no label."""
    lakes = {"terrain": {"lakes": 1.2}}
    true, wrong = (record_of(maps={"water": share}, **lakes)[BEGIN] for share in (0.0, 1.0))
    lake = true.fine["water_fraction"] > OPEN_WATER
    unknown = lake & (wrong.fine["water_fraction"] < WATER)
    assert unknown.sum() > 10 and torch.isnan(wrong.truth[unknown]).all()
    elsewhere = ~lake & (wrong.fine["water_fraction"] < WATER)
    assert torch.isfinite(wrong.truth[elsewhere]).all()


def test_cell_means_are_those_of_a_cube(on_time: Record) -> None:
    """What changes from day to day is averaged over land, a map over the whole cell: lakes count as water."""
    one = on_time[day(3)]
    land = one.fine["water_fraction"] < WATER
    assert not land[:36].all()
    for name in ("lst_day_seen", "rain"):
        values = torch.where(land, one.fine[name], torch.nan)[:36, :144].reshape(36, 4, 36).numpy()
        np.testing.assert_allclose(one.cells[name][0], np.nanmean(values, (0, 2)), rtol=1e-4, err_msg=name)
    for name in ("sand", "relief", "water_fraction"):
        values = one.fine[name][:36, :144].reshape(36, 4, 36).numpy()
        np.testing.assert_allclose(one.cells[name][0], values.mean((0, 2)), rtol=1e-3, atol=1e-4, err_msg=name)
