"""The laws of family B: other functions, not just other numbers, so that a method tuned on A can fail here.

Two-stage evaporation with a critical moisture, percolation by unsaturated conductivity, storage-excess runoff, cover
that saturates with leaf area, a radiometric (fourth-power) mix, rain from storm cells, broken cloud, an elliptical
beam. Sources: Salvucci 1997 for the stages, Campbell 1974 for the conductivity, Saxton and Rawls 2006 for the shape of
the soil's dependence on texture (simplified to its main terms).
"""

from __future__ import annotations

import numpy as np

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.physics import DEPTH, Laws, Orbit, Sensor, Soil


def soil_saxton(sand: Array, clay: Array) -> Soil:
    s, c = sand / 100, clay / 100
    wilting = np.clip(0.031 - 0.024 * s + 0.487 * c + 0.068 * s * c, 0.03, 0.3)
    capacity = np.clip(0.299 - 0.251 * s + 0.195 * c + 0.452 * s * c, wilting + 0.05, 0.38)
    saturation = np.clip(capacity + 0.078 + 0.278 * s - 0.10 * c, capacity + 0.06, 0.52)
    exponent = (np.log(1500) - np.log(33)) / (np.log(capacity) - np.log(wilting))
    conductivity = 1930 * (saturation - capacity) ** (3 - 1 / exponent) * 24
    return Soil(0.35 * wilting, wilting, capacity, saturation, conductivity, exponent)


def efficiency_stages(theta: Array, soil: Soil) -> Array:
    """Full rate above a critical moisture, then falling with the square of what is left (desorption)."""
    critical = soil.wilting + 0.75 * (soil.capacity - soil.wilting)
    left = np.clip((theta - soil.residual) / (critical - soil.residual), 0, 1)
    return left**2


def drainage_conductivity(theta: Array, soil: Soil, wetness: Array, days: float) -> Array:
    """Ks (theta/theta_s)^(2b+3), slower in hollows, in a step at most a fifth of what exceeds field capacity."""
    rate = soil.conductivity * (theta / soil.saturation) ** (2 * soil.exponent + 3) * np.exp(-0.4 * wetness)
    excess = DEPTH * np.maximum(theta - soil.capacity, 0)
    return np.minimum(rate * days, 0.2 * excess)


def runoff_storage(theta: Array, soil: Soil, slope: Array) -> Array:
    """The share of a pixel whose storage is full (a Pareto distribution of capacities), more of it where steep."""
    full = 1 - (1 - np.clip(theta / soil.saturation, 0, 1)) ** (0.15 + 0.02 * np.minimum(slope, 15))
    return np.clip(full, 0, 0.9)


def cover_leaf_area(ndvi: Array) -> Array:
    leaf_area = -np.log(np.clip((0.95 - ndvi) / (0.95 - 0.06), 0.03, 1)) / 0.65
    return 1 - np.exp(-0.8 * leaf_area)


def mix_radiance(soil_t: Array, canopy_t: Array, cover: Array) -> Array:
    return ((1 - cover) * 0.96 * soil_t**4 + cover * 0.985 * canopy_t**4) ** 0.25 / 0.97**0.25


FAMILY_B = Laws(
    "B",
    soil=soil_saxton,
    efficiency=efficiency_stages,
    drainage=drainage_conductivity,
    runoff=runoff_storage,
    cover=cover_leaf_area,
    mix=mix_radiance,
    rain="storms",
    cloud=(0.55, 0.5, 0.65),
    cloud_nu=0.5,
    cloud_cover=0.6,
    demand=0.7,
    heating=17.0,
    canopy_heating=2.0,
    night_cooling=3.0,
    darkening=0.7,
    response=0.16,
    response_days=20.0,
    sensor=Sensor(
        fwhm=(48.0, 38.0),
        noise=0.024,
        bias=0.024,
        gain=0.08,
        water=0.2,
        orbit=Orbit(swath=1400.0, orbits=71, repeat=5, inclination=98.7),
    ),
)
