"""Reflectance and the hour of the thermal overpass: worlds in which they tell of moisture, and worlds in which they do
not. Networks that met only the first kind trust them everywhere."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ssm_net.grid import Domain
from ssm_net.simulate.world.land import Land, make_land
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.observe import Observer
from ssm_net.simulate.world.overpass import Overpass, WorldDay
from ssm_net.simulate.world.physics import Laws
from ssm_net.simulate.world.traits import HOUR_FROM, HOURS_SEEN, hour_on

DOMAIN = Domain("tiny", (70, 74, 774, 778))
SEED, DAY = 3, dt.date(2016, 6, 20)
SWIR2 = 7


def wide(**groups: dict[str, Any]) -> Laws:
    """Laws of a wide world with these numbers in the groups of its traits."""
    laws = laws_of("D", SEED)
    assert laws.traits is not None
    changed = {name: replace(getattr(laws.traits, name), **numbers) for name, numbers in groups.items()}
    return replace(laws, traits=replace(laws.traits, **changed))


@pytest.fixture(scope="module")
def land() -> Land:
    return make_land(DOMAIN, laws_of("D", SEED), SEED)


def day_of(ssm: np.ndarray, lst: float = 300.0) -> WorldDay:
    """A clear day of bare ground: ``ssm`` is its moisture, ``lst`` K the temperature of noon."""
    shape = ssm.shape
    even = {v: np.full(shape, v, np.float32) for v in (0.0, 0.05, 1.0, 280.0, lst)}
    night, noon = (Overpass(ssm, even[k], even[1.0], even[k]) for k in (280.0, lst))
    return WorldDay(DAY, night, noon, even[0.0], even[0.05], ssm, even[1.0], ())  # type: ignore[arg-type]


def moist_and_dry(land: Land) -> tuple[np.ndarray, np.ndarray]:
    """Soil moisture of two days, m3 m-3; between them half of the pixels, at random, became wet."""
    dry = np.full(DOMAIN.fine_shape, 0.1, np.float32)
    wetted = np.random.default_rng(1).random(DOMAIN.fine_shape) < 0.5
    return np.where(wetted, np.float32(0.3), dry), dry


def told_by_reflectance(laws: Laws, land: Land) -> float:
    """Correlation of the reflectance at 2.1 um with moisture over the pixels of a day."""
    wet, _ = moist_and_dry(land)
    value = Observer(land, laws, SEED).reflectance(day_of(wet))[0][SWIR2]
    ground = land.water < 0.1
    return float(np.corrcoef(value[ground], wet[ground])[0, 1])


def test_reflectance_tells_of_moisture_as_much_as_is_drawn(land: Land) -> None:
    quiet = {"soil": 0.03, "leaf": 0.03, "spectral": 0.1, "noise": 0.01}
    assert told_by_reflectance(wide(optical={"darkening": 1.3, **quiet}), land) < -0.9
    assert abs(told_by_reflectance(wide(optical={"darkening": 0.001, **quiet}), land)) < 0.1
    loud = {"soil": 0.4, "leaf": 0.3, "spectral": 1.0, "noise": 0.08}
    assert -0.6 < told_by_reflectance(wide(optical={"darkening": 0.3, **loud}), land) < -0.1


def test_colours_stay_and_noise_does_not(land: Land) -> None:
    """A network that is given two days can tell the colour of a field from what it is wetted by."""
    observer = Observer(land, wide(optical={"darkening": 0.001, "soil": 0.4, "noise": 0.01}), SEED)
    _, dry = moist_and_dry(land)
    first = day_of(dry)
    one, again = (observer.reflectance(replace(first, date=DAY + dt.timedelta(n)))[0][SWIR2] for n in (0, 8))
    ground = land.water < 0.1
    assert np.corrcoef(one[ground], again[ground])[0, 1] > 0.95 and not np.array_equal(one, again)
    assert one[ground].std() > 0.05 * one[ground].mean()


def test_bands_differ_in_colour_as_much_as_is_drawn(land: Land) -> None:
    _, dry = moist_and_dry(land)
    ground = land.water < 0.1
    alike = {}
    for spectral in (0.1, 1.0):
        laws = replace(wide(optical={"darkening": 0.001, "soil": 0.4, "spectral": spectral}), soil_colour=0.0)
        bands = Observer(land, laws, SEED).reflectance(day_of(dry))[0]
        alike[spectral] = float(np.corrcoef(bands[6][ground], bands[7][ground])[0, 1])
    assert alike[0.1] > 0.7 and abs(alike[1.0]) < 0.3


def contrast(laws: Laws, land: Land, date: dt.date = DAY) -> float:
    """K, of the day overpass over the night overpass, on a day whose noon is 20 K warmer than its night."""
    _, dry = moist_and_dry(land)
    observer, day = Observer(land, laws, SEED), replace(day_of(dry, 300.0), date=date)
    return float((observer.lst(day, "day")[0] - observer.lst(day, "night")[0]).mean())


def test_an_earlier_platform_sees_a_smaller_contrast_of_day_and_night(land: Land) -> None:
    noon = contrast(wide(thermal={"hour": 1.0, "drift": 0.0}), land)
    morning = contrast(wide(thermal={"hour": 0.7, "drift": 0.0}), land)
    assert noon == pytest.approx(20, abs=1e-3) and morning == pytest.approx(14, abs=1e-3)


def test_a_platform_drifts_from_year_to_year(land: Land) -> None:
    """As Aqua does in its last years: what heat says of moisture in one year is not what it says in another."""
    laws = wide(thermal={"hour": 0.9, "drift": -0.05})
    seen = [contrast(laws, land, dt.date(year, 1, 1)) for year in (2015, 2017, 2019)]
    assert seen == pytest.approx([18, 16, 14], abs=0.05)


@pytest.mark.parametrize(("hour", "drift", "limit"), [(0.7, -0.12, HOURS_SEEN[0]), (1.0, 0.06, HOURS_SEEN[1])])
def test_a_drift_ends_where_no_platform_was_left(hour: float, drift: float, limit: float) -> None:
    traits = wide(thermal={"hour": hour, "drift": drift}).traits
    assert traits is not None
    years = [hour_on(traits.thermal, HOUR_FROM.toordinal() + 365 * n) for n in range(-10, 30)]
    assert years[10] == pytest.approx(hour) and years[-1] == limit
    assert HOURS_SEEN[0] <= min(years) and max(years) <= HOURS_SEEN[1]
