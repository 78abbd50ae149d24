"""The true days of a world: soil moisture, vegetation and surface temperature, from the water balance.

The state of day d is that of 01:30 local solar time. The half day to 13:30 and the half day to 01:30 of d + 1 are one
step each, so that the temperature of 13:30 belongs to the soil of 13:30; the rain of the interval falls evenly.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ssm_net.simulate.world.climate import season, season_day
from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.land import Land
from ssm_net.simulate.world.overpass import HALVES, Overpass, WorldDay
from ssm_net.simulate.world.physics import Forcing, Laws, Surface, step
from ssm_net.simulate.world.two_layers import LAYER_SPIN_UP as ROOT_SPIN_UP
from ssm_net.simulate.world.two_layers import TwoLayerState, TwoLayerWorld
from ssm_net.simulate.world.weather import Weather, WeatherFields, first_sky, next_weather

SPIN_UP = 30  # days that are simulated before the first


@dataclass(frozen=True)
class _State:
    ssm: Array
    unstressed: Array  # mean of S over the vegetation's memory
    soil_recent: Array
    clear_recent: Array
    rain: Array


def simulate_days(land: Land, laws: Laws, seed: int, first: dt.date, last: dt.date) -> Iterator[WorldDay]:
    """The days from ``SPIN_UP`` before ``first`` to ``last``, in order."""
    begin = first - dt.timedelta(SPIN_UP)
    if laws.traits is not None:
        days = _wide_days(land, laws, seed, begin - dt.timedelta(ROOT_SPIN_UP), last)
        yield from (day for day in days if day.date >= begin)
        return
    soil = land.soil
    ssm = (soil.wilting + (0.25 + 0.5 * land.moist) * (soil.capacity - soil.wilting)).astype(np.float32)
    zero = np.zeros_like(ssm)
    state = _State(ssm, soil.stress(ssm), ssm, zero + 0.45, zero)
    for date, weather, eta, wind in _weather_days(land, laws, seed, begin, last):
        rng = stream(seed, "irrigation", date.toordinal())
        day, state = _one_day(land, laws, state, weather, eta, laws.gust * wind, rng, date)
        yield day


def _wide_days(land: Land, laws: Laws, seed: int, first: dt.date, last: dt.date) -> Iterator[WorldDay]:
    world, state = TwoLayerWorld.of(land, laws), TwoLayerState.first(land)
    for date, weather, eta, wind in _weather_days(land, laws, seed, first, last):
        day, state = world.next_day(state, weather, eta, wind, date)
        yield day


def _weather_days(
    land: Land, laws: Laws, seed: int, first: dt.date, last: dt.date
) -> Iterator[tuple[dt.date, Weather, Array, Array]]:
    """Each day's weather, the water that no law explains (mm), and the standardised field of its wind."""
    tex = WeatherFields.of(land.domain.fine_shape, laws)
    noise, wind = RandomField(land.domain.fine_shape, 10), RandomField(land.domain.fine_shape, 15)
    sky = first_sky(land, laws, tex, seed, first.toordinal())
    latitude = land.latitude
    for n in range((last - first).days + 1):
        date = first + dt.timedelta(n)
        ordinal = date.toordinal()
        weather, sky = next_weather(land, laws, tex, sky, seed, ordinal, season_day(date, latitude))
        eta = 0.5 * noise.sample(stream(seed, "balance noise", ordinal))
        yield date, weather, eta, wind.sample(stream(seed, "wind", ordinal))


def _one_day(
    land: Land,
    laws: Laws,
    state: _State,
    weather: Weather,
    eta: Array,
    gust: Array,
    rng: np.random.Generator,
    date: dt.date,
) -> tuple[WorldDay, _State]:
    doy = season_day(date, land.latitude)
    soil = land.soil
    ndvi = greenness(land, laws, doy, state.unstressed)
    cover = laws.cover(ndvi)
    cloudy = 1 / (1 + np.exp(weather.margin_day / 0.15))
    demand = laws.demand * land.climate.potential_evaporation(doy) * (1.2 - 0.6 * cloudy)
    water = irrigation(land, laws.irrigation, state.ssm, doy, rng)
    surface = Surface(soil, cover, land.relief.wetness, land.relief.slope)
    rain, noise = 0.5 * weather.rain, 0.5 * eta
    noon, morning = step(laws, surface, state.ssm, Forcing(rain, water, demand * HALVES[0], noise), 0.5)
    nothing = np.zeros_like(water)
    later, evening = step(laws, surface, noon, Forcing(rain, nothing, demand * HALVES[1], noise), 0.5)
    lst_night, lst_day = temperature(land, laws, weather, state.ssm, noon, cover, doy, gust)
    clear = 0.5 * ((weather.margin_day > 0) + (weather.margin_night > 0))
    recent = replace(
        state,
        soil_recent=state.soil_recent + (noon - state.soil_recent) / 8,
        clear_recent=(state.clear_recent + (clear - state.clear_recent) / 8).astype(np.float32),
        unstressed=state.unstressed + (soil.stress(state.ssm) - state.unstressed) / laws.response_days,
    )
    day = WorldDay(
        date,
        Overpass(state.ssm, lst_night, weather.margin_night, weather.air_night),
        Overpass(noon, lst_day, weather.margin_day, weather.air_day),
        state.rain,
        ndvi,
        recent.soil_recent,
        recent.clear_recent,
        (morning, evening),
    )
    return day, replace(recent, ssm=later, rain=weather.rain)


def greenness(land: Land, laws: Laws, doy: int, unstressed: Array) -> Array:
    """NDVI: a double logistic of the day of year, moved by the water of the weeks before."""
    rise = 1 / (1 + np.exp(-0.08 * (doy - land.phenology.green_up)))
    fall = 1 / (1 + np.exp(-0.07 * (doy - 275.0)))
    ndvi = land.phenology.low + (land.phenology.high - land.phenology.low) * (rise - fall)
    ndvi = ndvi + laws.response * (unstressed - 0.5) * np.clip(rise - fall, 0.3, 1)
    return np.clip(ndvi * (1 - land.water), 0.02, 0.95).astype(np.float32)


def irrigation(land: Land, chance: float, ssm: Array, doy: int, rng: np.random.Generator) -> Array:
    """Irrigation, mm: 15-30 mm on fields whose mean stress factor S is below 0.4, with a ``chance`` a day, April to
    September."""
    count = int(land.fields.max())
    if count == 0 or not 91 <= doy <= 273:
        return np.zeros_like(ssm)
    number = np.arange(1, count + 1)
    dry = ndimage.mean(land.soil.stress(ssm), land.fields, number) < 0.4
    amount = np.where(dry & (rng.uniform(size=count) < chance), rng.uniform(15, 30, count), 0)
    return np.concatenate([[0.0], amount]).astype(np.float32)[land.fields]


def temperature(
    land: Land, laws: Laws, weather: Weather, ssm: Array, noon: Array, cover: Array, doy: int, gust: Array
) -> tuple[Array, Array]:
    """True surface temperature of night and day, K: dry ground is warmer by day, colder at night, less so under cloud.

    It also depends on colour and roughness of the ground (constant) and on wind (``gust``, K, of the day).
    """
    soil = land.soil
    sun = 0.75 + 0.25 * season(doy)
    clear_day = np.where(weather.margin_day > 0, 1.0, 0.15)
    clear_night = np.where(weather.margin_night > 0, 1.0, 0.4)
    heat = sun * clear_day
    bare = weather.air_day + 2 + laws.heating * heat * (1 - laws.efficiency(noon, soil))
    bare = bare + laws.sunny_side * heat * land.relief.aspect
    bare = bare + heat * (laws.roughness * land.relief.rough + gust)
    canopy = weather.air_day + 1 + laws.canopy_heating * heat * (1 - soil.stress(noon)) + heat * land.relief.rough
    lst_day = laws.mix(bare, canopy, cover)
    bare = weather.air_night - 1 - laws.night_cooling * clear_night * (1 - laws.efficiency(ssm, soil))
    canopy = weather.air_night - 0.5 * laws.night_cooling * clear_night * (1 - soil.stress(ssm)) * 0.5
    lst_night = laws.mix(bare, canopy, cover)
    lake = 0.5 * (weather.air_day + weather.air_night)
    mixed = [lst + land.water * (lake - lst) for lst in (lst_night, lst_day)]
    return mixed[0].astype(np.float32), mixed[1].astype(np.float32)
