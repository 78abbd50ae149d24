"""A day of a wide world: surface and root zone, snow, hidden factors of a pixel, and LST that may tell either layer.

The surface layer follows the family's laws. It is restored to the moisture of the root zone below it (Deardorff 1978,
Noilhan and Planton 1989), which receives its drainage, feeds the canopy and leaks; snow is stored and melts by
degree-days (Hock 2003).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from ssm_net.simulate.world.climate import YEAR, season_day
from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.hidden import HiddenFactors, irrigation_by_calendar, next_land_use
from ssm_net.simulate.world.land import Land
from ssm_net.simulate.world.overpass import HALVES, Overpass, WorldDay
from ssm_net.simulate.world.physics import DEPTH, Budget, Forcing, Laws, Surface, step
from ssm_net.simulate.world.traits import Traits
from ssm_net.simulate.world.weather import Weather

MELTING = 273.15  # K
DEGREE_DAY = 3.5  # mm K-1 d-1
SNOW_COVERS = 10.0  # mm of water above which snow hides the ground
EVEN = 41  # pixels over which even rain is spread
FREEZING = 272.0  # K of air by night, below which the surface does not evaporate
LAYER_SPIN_UP = 200  # days before the first, in which the root zone forgets its first state


@dataclass(frozen=True)
class TwoLayerState:
    """What one day leaves to the next, (rows, cols): moistures ``ssm`` and ``root`` m3 m-3, ``slow`` the mean of
    ``ssm`` over a season, ``snow`` mm, ``unstressed`` the mean of S over the vegetation's memory, ``changing`` land
    use, what a composite of reflectance remembers, and ``rain`` mm of the day before."""

    ssm: Array
    root: Array
    slow: Array
    snow: Array
    unstressed: Array
    changing: Array
    soil_recent: Array
    clear_recent: Array
    rain: Array

    @classmethod
    def first(cls, land: Land) -> TwoLayerState:
        soil = land.soil
        ssm = (soil.wilting + (0.25 + 0.5 * land.moist) * (soil.capacity - soil.wilting)).astype(np.float32)
        zero = np.zeros_like(ssm)
        return cls(ssm, ssm, ssm, zero, soil.stress(ssm), zero, ssm, zero + np.float32(0.45), zero)


@dataclass(frozen=True)
class TwoLayerWorld:
    """A wide world's land, laws and traits; ``next_day`` makes its days one after the other."""

    land: Land
    laws: Laws
    traits: Traits
    hidden: HiddenFactors
    latitude: float

    @classmethod
    def of(cls, land: Land, laws: Laws) -> TwoLayerWorld:
        assert laws.traits is not None and land.hidden is not None
        return cls(land, laws, laws.traits, land.hidden, land.latitude)

    def next_day(
        self, state: TwoLayerState, weather: Weather, eta: Array, wind: Array, date: dt.date
    ) -> tuple[WorldDay, TwoLayerState]:
        """The true day ``date`` and the state it ends in. ``eta`` mm is the water that no law explains; ``wind`` the
        standardised field of the day's wind."""
        land, laws, hidden = self.land, self.laws, self.traits.hidden
        doy = season_day(date, self.latitude)
        weather, eta = self._weather(weather), self.traits.rain.unexplained * eta
        changing = next_land_use(state.changing, hidden, self.hidden.seed, date.toordinal())
        use = np.sqrt(hidden.lasting) * self.hidden.land_use + np.sqrt(1 - hidden.lasting) * changing
        ndvi = self.greenness(doy, state.unstressed, use)
        cover = laws.cover(ndvi)
        demand = self._demand(doy, weather, use, state.snow)
        liquid, snow, melt = self._snow(state.snow, weather)
        watering = np.exp(hidden.watering * use - 0.5 * hidden.watering**2)
        supply = ((liquid + melt) * self.hidden.supply * watering).astype(np.float32)
        stress = land.soil.stress(state.root)
        water = irrigation_by_calendar(land.fields, stress, hidden, self.hidden.seed, date, doy)
        surface = Surface(land.soil, cover, land.relief.wetness, land.relief.slope)
        rain, noise, nothing = 0.5 * supply, 0.5 * eta, np.zeros_like(water)
        before, after = (Forcing(rain, w, demand * h, noise) for w, h in zip((water, nothing), HALVES, strict=True))
        noon, root, morning = self._half_day(surface, state.ssm, state.root, before)
        ssm, root, evening = self._half_day(surface, noon, root, after)
        slow = state.slow + (noon - state.slow) / self.traits.thermal.season_days
        states = (state.ssm, noon, slow, stress)
        lst_night, lst_day = self.temperature(weather, states, cover, use, wind, snow, doy)
        clear = 0.5 * ((weather.margin_day > 0) + (weather.margin_night > 0))
        recent = replace(
            state,
            soil_recent=state.soil_recent + (noon - state.soil_recent) / 8,
            clear_recent=(state.clear_recent + (clear - state.clear_recent) / 8).astype(np.float32),
            unstressed=state.unstressed + (stress - state.unstressed) / laws.response_days,
        )
        day = WorldDay(
            date,
            Overpass(state.ssm, lst_night, weather.margin_night, weather.air_night),
            Overpass(noon, lst_day, weather.margin_day, weather.air_day),
            state.rain, ndvi, recent.soil_recent, recent.clear_recent, (morning, evening), state.snow,
        )  # fmt: skip
        end = replace(recent, ssm=ssm, root=root, slow=slow, snow=snow, changing=changing, rain=weather.rain)
        return day, end

    def _weather(self, weather: Weather) -> Weather:
        """The day's weather with a part of its rain spread evenly."""
        even = np.float32(self.traits.rain.even)
        spread = ndimage.uniform_filter(weather.rain, EVEN, mode="nearest")
        return replace(weather, rain=weather.rain + even * (spread - weather.rain))

    def greenness(self, doy: int, unstressed: Array, use: Array) -> Array:
        """NDVI: the season of each pixel's crop, and the water of the weeks before."""
        land, led = self.land, self.traits.climate.water_led
        day = (doy - self.hidden.phase) % YEAR
        rise = 1 / (1 + np.exp(-0.08 * (day - land.phenology.green_up)))
        fall = 1 / (1 + np.exp(-0.07 * (day - 275.0)))
        share = (1 - led) * (rise - fall) + led * unstressed
        ndvi = land.phenology.low + (land.phenology.high - land.phenology.low) * share
        ndvi = ndvi + self.laws.response * (unstressed - 0.5) * (1 - led) + self.traits.hidden.greenness * use
        return np.clip(ndvi * (1 - land.water), 0.02, 0.95).astype(np.float32)

    def temperature(
        self, weather: Weather, states: tuple[Array, Array, Array, Array], cover: Array, use: Array,
        wind: Array, snow: Array, doy: int,
    ) -> tuple[Array, Array]:  # fmt: skip
        """True surface temperature of night and day, K. ``states``: surface moisture at night, by day and over the
        season (m3 m-3), and the root zone's factor S.

        How much the ground tells of its moisture follows the energy of the season; a part of it is that of the
        season's mean moisture. Colour, land use and wind change it, too. Snow does not exceed the melting point.
        """
        land, laws, thermal = self.land, self.laws, self.traits.thermal
        night, noon, slow, stress = states
        heat = self._energy(doy) * np.where(weather.margin_day > 0, 1.0, 0.15)
        clear_night = np.where(weather.margin_night > 0, 1.0, 0.4)
        daily = thermal.daily
        cold = daily * laws.efficiency(noon, land.soil) + (1 - daily) * laws.efficiency(slow, land.soil)
        colour = thermal.colour * laws.roughness / 3 * (self.hidden.colour + land.relief.rough) / np.sqrt(2)
        own = heat * (colour + thermal.gust * wind - thermal.land_use * use)
        bare = weather.air_day + 2 + thermal.contrast * laws.heating * heat * (1 - cold) + own
        bare = bare + laws.sunny_side * heat * land.relief.aspect
        canopy = weather.air_day + 1 + thermal.contrast * laws.canopy_heating * heat * (1 - stress) + 0.6 * own
        lst_day = laws.mix(bare, canopy, cover)
        cooling = thermal.contrast * laws.night_cooling * clear_night
        bare = weather.air_night - 1 - cooling * (1 - laws.efficiency(night, land.soil))
        canopy = weather.air_night - 0.25 * cooling * (1 - stress)
        lst_night = laws.mix(bare, canopy, cover)
        lake = 0.5 * (weather.air_day + weather.air_night)
        hides = np.minimum(snow / SNOW_COVERS, 1)
        out = []
        for lst in (lst_night, lst_day):
            lst = lst + land.water * (lake - lst)
            out.append((lst + hides * (np.minimum(lst, MELTING) - lst)).astype(np.float32))
        return out[0], out[1]

    def _energy(self, doy: int) -> float:
        """Energy of the season, 0 .. 1, to the power that the world's traits say."""
        climate = self.land.climate
        share = climate.potential_evaporation(doy) / (climate.demand + climate.demand_swing)
        return float(share**self.traits.thermal.energy)

    def _demand(self, doy: int, weather: Weather, use: Array, snow: Array) -> Array:
        """Potential evaporation, mm d-1: less under cloud, of a moist land use, in frost, and none over snow."""
        cloudy = 1 / (1 + np.exp(weather.margin_day / 0.15))
        share = self.traits.hidden.demand
        of_use = np.exp(-share * use - 0.5 * share**2) * np.clip((weather.air_night - FREEZING + 2) / 4, 0, 1)
        mean = self.laws.demand * self.land.climate.potential_evaporation(doy)
        return np.where(snow > 1, 0, mean * (1.2 - 0.6 * cloudy) * of_use)

    def _snow(self, snow: Array, weather: Weather) -> tuple[Array, Array, Array]:
        """Rain that falls as water, the snow afterwards, and what melts, mm."""
        air = 0.5 * (weather.air_day + weather.air_night)
        solid = np.clip((MELTING + 1.5 - air) / 3, 0, 1) * weather.rain
        melt = np.minimum(snow + solid, DEGREE_DAY * np.maximum(air - MELTING, 0))
        return weather.rain - solid, (snow + solid - melt).astype(np.float32), melt

    def _half_day(self, surface: Surface, ssm: Array, root: Array, forcing: Forcing) -> tuple[Array, Array, Budget]:
        """Both layers half a day later, and the surface's budget, whose noise holds the exchange with the root zone."""
        laws, soil, depth = self.laws, surface.soil, self.hidden.root_depth
        exchange = DEPTH * (1 - np.exp(-0.5 * laws.restore * self.traits.hidden.coupling)) * (root - ssm)  # upwards
        after, budget = step(laws, surface, ssm + exchange / DEPTH, forcing, 0.5)
        store = depth * root - exchange + budget.drainage
        uptake = (1 - laws.transpiration) * forcing.demand * surface.cover * soil.stress(root)
        leak = laws.leak(root, soil, surface.wetness, depth, 0.5) * self.hidden.leakage
        store = np.clip(store - uptake - leak, depth * soil.residual, depth * soil.saturation)
        return after, (store / depth).astype(np.float32), replace(budget, noise=budget.noise + exchange)
