"""The laws of a synthetic world, and family A. A family is one ``Laws``: its structure is a set of functions.

Soil moisture theta is in m3 m-3, water in mm, temperature in K, time in days; every function takes and returns arrays
of the fine grid. Sources: Cosby et al. 1984 for the soil (as in CLM), Noilhan and Planton 1989 for the evaporation
efficiency, a linear reservoir for drainage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.traits import Traits

DEPTH = 50.0  # mm of soil that the radiometer's 0-5 cm stands for


@dataclass(frozen=True)
class Soil:
    """Water retention by pixel, m3 m-3, and what drainage needs."""

    residual: Array
    wilting: Array
    capacity: Array
    saturation: Array
    conductivity: Array  # saturated, mm d-1
    exponent: Array  # b of Clapp and Hornberger

    def stress(self, theta: Array) -> Array:
        """Root-zone factor S: 0 at wilting, 1 from 60 % of the way to field capacity."""
        return np.clip((theta - self.wilting) / (0.6 * (self.capacity - self.wilting)), 0, 1)

    def structured(self, factor: Array) -> Soil:
        """A soil whose structure holds ``factor`` times the moisture that its texture says, up to saturation."""
        capacity = np.minimum(factor * self.capacity, self.saturation - 0.03)
        share = capacity / self.capacity
        return replace(self, residual=share * self.residual, wilting=share * self.wilting, capacity=capacity)


@dataclass(frozen=True)
class Orbit:
    """A repeating orbit, of which the descending passes observe: ``orbits`` in ``repeat`` days."""

    swath: float = 1450.0  # km
    orbits: int = 233
    repeat: int = 16
    inclination: float = 98.2  # degrees


@dataclass(frozen=True)
class Sensor:
    """The radiometer: its beam, its errors (m3 m-3) and its orbit."""

    fwhm: tuple[float, float] = (43.0, 43.0)  # km along rows' and columns' axes
    noise: float = 0.028
    bias: float = 0.018  # of a field smooth over three cells, constant in time
    gain: float = 0.05  # half range: less over dense vegetation
    water: float = 0.3  # added to a cell all of water
    orbit: Orbit = Orbit()


def leak_reservoir(theta: Array, soil: Soil, wetness: Array, depth: Array, days: float) -> Array:
    """Deep percolation, mm: what exceeds 0.8 of field capacity in the root zone, in 40 days, slower in hollows."""
    over = np.maximum(theta - 0.8 * soil.capacity, 0)
    return depth * over * (1 - np.exp(-days / 40 * np.exp(-0.3 * wetness)))


@dataclass(frozen=True)
class Laws:
    """The laws and numbers of a family of worlds.

    ``soil(sand, clay)`` in percent; ``efficiency(theta, soil)`` is the soil evaporation as a fraction of the demand;
    ``drainage(theta, soil, wetness, days)`` in mm, ``wetness`` the standardised topographic index;
    ``runoff(theta, soil, slope)`` the fraction of rain that does not infiltrate, slope in degrees;
    ``cover(ndvi)`` the vegetated fraction; ``mix(soil_t, canopy_t, cover)`` the temperature a radiometer sees.

    With ``traits`` the world is a wide one: below the surface lies a root zone, from which
    ``leak(theta, soil, wetness, depth, days)`` mm are lost, and pixels differ in what no map shows.
    """

    name: str
    soil: Callable[[Array, Array], Soil]
    efficiency: Callable[[Array, Soil], Array]
    drainage: Callable[[Array, Soil, Array, float], Array]
    runoff: Callable[[Array, Soil, Array], Array]
    cover: Callable[[Array], Array]
    mix: Callable[[Array, Array, Array], Array]
    rain: str = "latent"  # a thresholded Gaussian field; "storms": a Poisson cluster of cells; or "both"
    cloud: tuple[float, float, float] = (0.7, 0.65, 0.35)  # weights of rain, 200 km and 6 km fields
    cloud_nu: float = 0.8
    cloud_cover: float = 0.54
    demand: float = 1.0  # multiplies the potential evaporation
    heating: float = 22.0  # K, dry bare soil above air at summer noon
    canopy_heating: float = 2.5
    night_cooling: float = 4.0  # K, dry soil below wet soil at 01:30
    darkening: float = 1.0  # multiplies the decrease of soil reflectance with moisture
    response: float = 0.10  # NDVI gained by a month without stress
    response_days: float = 30.0
    transpiration: float = 0.3  # fraction of the demand that the canopy draws from the top soil
    roughness: float = 3.0  # K by day over bare soil, one standard deviation of colour and roughness of the ground
    gust: float = 1.5  # the same, of the day's wind
    sunny_side: float = 3.0  # K by day, a slope to the sun above flat ground
    lst_error: float = 1.0  # multiplies the error of a clear-sky LST
    soil_colour: float = 0.12  # relative, one standard deviation
    rain_amount: float = 1.0  # multiplies the rain of a wet day
    rain_error: float = 0.35  # relative, of the rain product
    moist: float = 0.0  # added to the climate's wetness, 0 arid .. 1 humid
    relief: float = 1.0  # multiplies the height of the relief
    texture: float = 1.0  # multiplies the lengths over which soil, greenness and roughness vary
    irrigated: float = 0.10  # fraction of the land
    irrigation: float = 0.35  # chance a day that a dry field is watered
    sensor: Sensor = Sensor()
    restore: float = 0.2  # a day, rate at which the surface returns to the moisture of the root zone
    root_depth: float = 600.0  # mm
    leak: Callable[[Array, Soil, Array, Array, float], Array] = leak_reservoir
    traits: Traits | None = None


def soil_cosby(sand: Array, clay: Array) -> Soil:
    wilting = 0.02 + 0.004 * clay
    saturation = 0.489 - 0.00126 * sand
    capacity = np.minimum(wilting + 0.11 + 0.0010 * clay, saturation - 0.04)
    conductivity = 0.0070556e-3 * 10 ** (-0.884 + 0.0153 * sand) * 86400 * 1000
    return Soil(0.5 * wilting, wilting, capacity, saturation, conductivity, 2.91 + 0.159 * clay)


def efficiency_cosine(theta: Array, soil: Soil) -> Array:
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(theta / soil.capacity, 0, 1))


def drainage_reservoir(theta: Array, soil: Soil, wetness: Array, days: float) -> Array:
    tau = 1.4 * np.exp(0.3 * wetness)  # valleys stay wet
    return DEPTH * np.maximum(theta - soil.capacity, 0) * (1 - np.exp(-days / tau))


def runoff_saturation(theta: Array, soil: Soil, slope: Array) -> Array:
    return 0.5 * (theta / soil.saturation) ** 2 * np.tanh(slope / 10)


def cover_scaled(ndvi: Array) -> Array:
    return np.clip((ndvi - 0.08) / 0.5, 0, 1)


def mix_linear(soil_t: Array, canopy_t: Array, cover: Array) -> Array:
    return cover * canopy_t + (1 - cover) * soil_t


FAMILY_A = Laws(
    "A",
    soil=soil_cosby,
    efficiency=efficiency_cosine,
    drainage=drainage_reservoir,
    runoff=runoff_saturation,
    cover=cover_scaled,
    mix=mix_linear,
)


@dataclass(frozen=True)
class Budget:
    """Water of one step, mm by pixel: storage + rain + irrigation + noise - evaporation - drainage - runoff."""

    rain: Array
    irrigation: Array
    runoff: Array
    evaporation: Array
    drainage: Array
    noise: Array

    def change(self) -> Array:
        """Change of the storage, mm."""
        return self.rain + self.irrigation - self.runoff - self.evaporation - self.drainage + self.noise


@dataclass(frozen=True)
class Forcing:
    """What the atmosphere and farmers do to a pixel during one step, mm: ``demand`` is the potential evaporation, and
    ``noise`` the water that the other terms do not explain."""

    rain: Array
    irrigation: Array
    demand: Array
    noise: Array


@dataclass(frozen=True)
class Surface:
    """The ground of a step: soil, vegetated fraction ``cover``, topographic ``wetness`` index, ``slope`` in degrees."""

    soil: Soil
    cover: Array
    wetness: Array
    slope: Array


def step(laws: Laws, surface: Surface, theta: Array, forcing: Forcing, days: float) -> tuple[Array, Budget]:
    """The soil moisture (m3 m-3) ``days`` later, and the water budget of the step.

    Fluxes are limited so that the state stays within [residual, saturation]; the state is never clipped, so the budget
    closes.
    """
    soil, rain, irrigation = surface.soil, forcing.rain, forcing.irrigation
    low, high = DEPTH * soil.residual, DEPTH * soil.saturation
    store = DEPTH * theta
    supply = rain + irrigation
    enters = np.minimum(
        supply * (1 - laws.runoff(theta, soil, surface.slope)), high - store + soil.conductivity * days * 0.1
    )
    wet = store + enters
    through = np.maximum(wet - high, 0)  # water beyond saturation percolates
    held = wet - through
    moist = held / DEPTH
    use = laws.transpiration * surface.cover * soil.stress(moist)
    evaporation = forcing.demand * ((1 - surface.cover) * laws.efficiency(moist, soil) + use)
    evaporation = np.clip(evaporation, 0, held - low)
    drainage = np.clip(laws.drainage(moist, soil, surface.wetness, days), 0, held - evaporation - low)
    stored = held - evaporation - drainage
    noise = np.clip(forcing.noise, low - stored, high - stored)
    budget = Budget(rain, irrigation, supply - enters, evaporation, drainage + through, noise)
    return ((stored + noise) / DEPTH).astype(np.float32), budget
