"""The laws of family C, a third structure: evaporation that starts late and rises fast, drainage that clay slows down,
runoff by excess of intensity, cover as a power of NDVI, rain of fronts with storms in them.

Sources: Lee and Pielke 1992 for the evaporation efficiency; linear dependences of water retention on texture in the
range of continental pedotransfer functions (Toth et al. 2015), simplified to their main terms.
"""

from __future__ import annotations

import numpy as np

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.physics import DEPTH, Laws, Orbit, Sensor, Soil


def soil_linear(sand: Array, clay: Array) -> Soil:
    silt = np.maximum(100 - sand - clay, 0)
    wilting = 0.025 + 0.0046 * clay
    capacity = np.maximum(0.10 + 0.0034 * clay + 0.0016 * silt, wilting + 0.05)
    saturation = np.maximum(0.37 + 0.0010 * clay + 0.0006 * silt, capacity + 0.05)
    conductivity = 24 * 10 * np.exp(0.02 * sand - 0.05 * clay)
    return Soil(0.4 * wilting, wilting, capacity, saturation, conductivity, 3.0 + 0.14 * clay)


def efficiency_late(theta: Array, soil: Soil) -> Array:
    return 0.25 * (1 - np.cos(np.pi * np.clip(theta / soil.capacity, 0, 1))) ** 2


def drainage_clay(theta: Array, soil: Soil, wetness: Array, days: float) -> Array:
    """A reservoir that empties the slower the finer the pores, and the wetter the place lies."""
    tau = 0.25 * soil.exponent * np.exp(0.2 * wetness)
    return DEPTH * np.maximum(theta - 0.9 * soil.capacity, 0) * (1 - np.exp(-days / tau))


def runoff_excess(theta: Array, soil: Soil, slope: Array) -> Array:
    return np.clip(0.05 + 0.35 * np.tanh(slope / 8) * theta / soil.saturation, 0, 0.9)


def cover_power(ndvi: Array) -> Array:
    return np.clip((ndvi - 0.05) / 0.80, 0, 1) ** 1.4


def mix_shaded(soil_t: Array, canopy_t: Array, cover: Array) -> Array:
    """Soil between plants is partly in their shadow."""
    part = cover**0.85
    return part * canopy_t + (1 - part) * (soil_t - 0.25 * cover * (soil_t - canopy_t))


FAMILY_C = Laws(
    "C",
    soil=soil_linear,
    efficiency=efficiency_late,
    drainage=drainage_clay,
    runoff=runoff_excess,
    cover=cover_power,
    mix=mix_shaded,
    rain="both",
    cloud=(0.8, 0.45, 0.45),
    cloud_nu=1.0,
    cloud_cover=0.5,
    demand=0.85,
    heating=19.0,
    canopy_heating=3.5,
    night_cooling=5.0,
    darkening=0.85,
    response=0.13,
    response_days=25.0,
    roughness=2.5,
    sunny_side=4.0,
    rain_amount=1.2,
    sensor=Sensor(fwhm=(40.0, 46.0), noise=0.026, bias=0.02, gain=0.03, water=0.25, orbit=Orbit(orbits=199, repeat=14)),
)
