"""The laws of family E: hillslopes with a water table, under the rain of monsoon and tropics.

The deficit of the soil above the water table drains as TOPMODEL says (Beven and Kirkby 1979): exponentially in the
deficit, the slower the higher the topographic index, so that hollows stay wet for months and the surface shows
topography more than rain. Saturated areas shed the rain that falls on them (Dunne and Black 1970). Evaporation is that
of Granger and Gray's relative evaporation (1989), steep between dry and wet; cover grows with leaf area by Beer's law.
"""

from __future__ import annotations

import numpy as np

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.physics import DEPTH, Laws, Orbit, Sensor, Soil

STORAGE_SCALE = 35.0  # mm, TOPMODEL's m
BASE_FLOW = 6.0  # mm d-1 out of a saturated hillside of mean topographic index


def soil_tropical(sand: Array, clay: Array) -> Soil:
    """Aggregated clays hold less water than those of temperate soils (Tomasella and Hodnett 1998), simplified."""
    wilting = 0.03 + 0.0038 * clay
    capacity = np.maximum(0.20 + 0.0030 * clay - 0.0008 * sand, wilting + 0.06)
    saturation = np.maximum(0.42 + 0.0020 * clay - 0.0006 * sand, capacity + 0.06)
    conductivity = 150 + 4 * sand
    return Soil(0.5 * wilting, wilting, capacity, saturation, conductivity, 4.0 + 0.1 * clay)


def efficiency_relative(theta: Array, soil: Soil) -> Array:
    """Relative evaporation 1 / (1 + 0.028 exp(8.045 D)) of Granger and Gray 1989, D the relative dryness."""
    dryness = np.clip(1 - (theta - soil.residual) / (soil.capacity - soil.residual), 0, 1)
    return 1 / (1 + 0.028 * np.exp(8.045 * dryness))


def drainage_saturated(theta: Array, soil: Soil, wetness: Array, days: float) -> Array:
    """Gravity drainage to the water table, quadratic in the excess over 0.85 of field capacity, slow in hollows."""
    excess = np.maximum(theta - 0.85 * soil.capacity, 0)
    full = soil.saturation - 0.85 * soil.capacity
    return DEPTH * excess * (1 - np.exp(-days / 1.2 * excess / full * np.exp(-0.35 * wetness)))


def leak_topmodel(theta: Array, soil: Soil, wetness: Array, depth: Array, days: float) -> Array:
    """Base flow of a hillside, mm: Q0 exp(-deficit / m - topographic index); Beven and Kirkby 1979."""
    deficit = depth * np.maximum(soil.saturation - theta, 0)
    return BASE_FLOW * days * np.exp(-deficit / STORAGE_SCALE - wetness)


def runoff_dunne(theta: Array, soil: Soil, slope: Array) -> Array:
    full = np.clip((theta - 0.9 * soil.capacity) / (soil.saturation - 0.9 * soil.capacity), 0, 1)
    return 0.8 * full**1.5 + 0.05 * np.tanh(slope / 6)


def cover_beer(ndvi: Array) -> Array:
    """Leaf area exponential in NDVI, then Beer's law."""
    return 1 - np.exp(-0.5 * 0.3 * np.expm1(3.2 * np.clip(ndvi, 0, 1)))


def mix_clumped(soil_t: Array, canopy_t: Array, cover: Array) -> Array:
    """Clumped crowns hide less soil than their cover says, and shade what they do not hide."""
    shown = 1 - 0.85 * cover
    return (1 - shown) * canopy_t + shown * (soil_t - 0.4 * cover * (soil_t - canopy_t))


FAMILY_E = Laws(
    "E",
    soil=soil_tropical,
    efficiency=efficiency_relative,
    drainage=drainage_saturated,
    runoff=runoff_dunne,
    cover=cover_beer,
    mix=mix_clumped,
    rain="both",
    cloud=(0.6, 0.6, 0.55),
    cloud_nu=0.7,
    cloud_cover=0.68,
    demand=0.9,
    heating=16.0,
    canopy_heating=3.0,
    night_cooling=2.5,
    darkening=0.8,
    response=0.1,
    response_days=45.0,
    transpiration=0.25,
    roughness=2.0,
    rain_amount=1.7,
    rain_error=0.45,
    relief=1.5,
    irrigated=0.06,
    restore=0.5,
    root_depth=400.0,
    leak=leak_topmodel,
    sensor=Sensor(fwhm=(46.0, 42.0), noise=0.03, bias=0.028, gain=0.1, water=0.3, orbit=Orbit(swath=1420.0)),
)
