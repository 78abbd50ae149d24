"""The laws of family F: cold and arid land, sparse plants, crusted soil, water from snow.

Evaporation has two stages: the demand of the air, then desorption, whose rate falls with the water lost so far (Philip
1957; Ritchie 1972). A crust sheds part of the rain where the soil is dry (Morin and Benyamini 1977). Rain comes in
small storms, snow melts by degree-days (Hock 2003). The ground's colour and stones show in LST more than its moisture.
"""

from __future__ import annotations

import numpy as np

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.physics import DEPTH, Laws, Orbit, Sensor, Soil

DESORBED = 5.0  # mm lost from the surface when the second stage begins, Ritchie's U


def soil_stony(sand: Array, clay: Array) -> Soil:
    """Water retention by Vereecken et al. 1989, simplified, of fine earth with a fifth of stones."""
    fine = 0.8
    wilting = fine * (0.02 + 0.0045 * clay)
    capacity = np.maximum(fine * (0.36 - 0.0027 * sand + 0.001 * clay), wilting + 0.05)
    saturation = np.maximum(fine * (0.50 - 0.001 * sand + 0.001 * clay), capacity + 0.05)
    conductivity = 24 * np.exp(0.5 + 0.035 * sand)
    return Soil(0.3 * wilting, wilting, capacity, saturation, conductivity, 2.5 + 0.2 * clay)


def efficiency_desorption(theta: Array, soil: Soil) -> Array:
    """1 until ``DESORBED`` mm are lost, then desorption S^2 / 2 E, and nothing at the residual moisture."""
    lost = DEPTH * np.maximum(soil.capacity - theta, 1e-3)
    dry = np.clip((theta - soil.residual) / (0.5 * (soil.capacity - soil.residual)), 0, 1)
    return np.minimum(1.0, DESORBED / lost) * dry


def drainage_fast(theta: Array, soil: Soil, wetness: Array, days: float) -> Array:
    """A reservoir that empties as fast as the saturated conductivity lets it."""
    tau = 0.5 + 60.0 / soil.conductivity
    return DEPTH * np.maximum(theta - soil.capacity, 0) * (1 - np.exp(-days / tau * np.exp(-0.15 * wetness)))


def leak_slow(theta: Array, soil: Soil, wetness: Array, depth: Array, days: float) -> Array:
    """Over frozen ground or rock little leaves: what exceeds field capacity, in 60 days."""
    return depth * np.maximum(theta - soil.capacity, 0) * (1 - np.exp(-days / 60.0))


def runoff_crust(theta: Array, soil: Soil, slope: Array) -> Array:
    dry = np.clip(1 - theta / soil.capacity, 0, 1)
    return 0.1 + 0.25 * dry + 0.2 * np.tanh(slope / 15)


def cover_sparse(ndvi: Array) -> Array:
    return np.clip(1.1 * (ndvi - 0.09), 0, 0.9)


def mix_sparse(soil_t: Array, canopy_t: Array, cover: Array) -> Array:
    """The square of temperatures, between linear and radiometric, over rock of a lower emissivity."""
    return np.sqrt((1 - cover) * 0.985 * soil_t**2 + cover * canopy_t**2)


FAMILY_F = Laws(
    "F",
    soil=soil_stony,
    efficiency=efficiency_desorption,
    drainage=drainage_fast,
    runoff=runoff_crust,
    cover=cover_sparse,
    mix=mix_sparse,
    rain="storms",
    cloud=(0.5, 0.7, 0.4),
    cloud_nu=0.6,
    cloud_cover=0.4,
    demand=0.8,
    heating=24.0,
    canopy_heating=4.0,
    night_cooling=6.0,
    darkening=0.6,
    response=0.2,
    response_days=30.0,
    transpiration=0.35,
    roughness=5.0,
    sunny_side=5.0,
    soil_colour=0.2,
    rain_amount=0.9,
    rain_error=0.5,
    relief=2.0,
    irrigated=0.05,
    restore=0.12,
    root_depth=300.0,
    leak=leak_slow,
    sensor=Sensor(fwhm=(38.0, 40.0), noise=0.022, bias=0.022, gain=0.03, water=0.2,
                  orbit=Orbit(swath=1450.0, orbits=227, repeat=16, inclination=98.5)),
)  # fmt: skip
