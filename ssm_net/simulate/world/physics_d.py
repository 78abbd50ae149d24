"""The laws of family D: an irrigated plain with two layers of soil.

The surface is restored to the moisture of the root zone (force-restore; Deardorff 1978, Noilhan and Planton 1989),
which loses water by transpiration and by a leakage that grows exponentially above field capacity (Laio et al. 2001).
The canopy's heat follows the root zone. Evaporation falls linearly below a critical moisture (Mahfouf and Noilhan
1991), runoff is that of the curve-number kind (Mishra and Singh 2003), cover is quadratic in scaled NDVI
(Carlson and Ripley 1997).
"""

from __future__ import annotations

import numpy as np

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.physics import DEPTH, Laws, Orbit, Sensor, Soil


def soil_rosetta(sand: Array, clay: Array) -> Soil:
    """Class means of Rosetta (Schaap et al. 2001) as a plane over sand and clay, simplified to their main terms."""
    wilting = 0.045 + 0.0037 * clay
    capacity = np.maximum(0.30 - 0.0019 * sand + 0.0016 * clay, wilting + 0.05)
    saturation = np.maximum(0.45 - 0.0007 * sand + 0.0006 * clay, capacity + 0.05)
    conductivity = 10 ** (1.0 + 0.02 * sand - 0.006 * clay)
    return Soil(0.6 * wilting, wilting, capacity, saturation, conductivity, 3.5 + 0.12 * clay)


def efficiency_linear(theta: Array, soil: Soil) -> Array:
    return np.clip((theta - soil.residual) / (0.85 * soil.capacity - soil.residual), 0, 1)


def drainage_exponential(theta: Array, soil: Soil, wetness: Array, days: float) -> Array:
    """Leakage that grows exponentially from field capacity to saturation (Laio et al. 2001)."""
    over = np.clip((theta - soil.capacity) / (soil.saturation - soil.capacity), 0, 1)
    rate = soil.conductivity * np.expm1(3.0 * over) / np.expm1(3.0) * np.exp(-0.1 * wetness)
    return np.minimum(rate * days, 0.6 * DEPTH * np.maximum(theta - soil.capacity, 0))


def runoff_curve(theta: Array, soil: Soil, slope: Array) -> Array:
    wet = np.clip((theta - soil.residual) / (soil.saturation - soil.residual), 0, 1)
    return 0.3 * wet**3 + 0.1 * np.tanh(slope / 12)


def cover_quadratic(ndvi: Array) -> Array:
    return np.clip((ndvi - 0.05) / 0.75, 0, 1) ** 2


def mix_two_source(soil_t: Array, canopy_t: Array, cover: Array) -> Array:
    """Fourth powers of soil and canopy at nadir (Norman et al. 1995)."""
    return ((1 - cover) * soil_t**4 + cover * canopy_t**4) ** 0.25


FAMILY_D = Laws(
    "D",
    soil=soil_rosetta,
    efficiency=efficiency_linear,
    drainage=drainage_exponential,
    runoff=runoff_curve,
    cover=cover_quadratic,
    mix=mix_two_source,
    rain="latent",
    cloud=(0.75, 0.6, 0.3),
    cloud_nu=0.9,
    cloud_cover=0.45,
    demand=1.1,
    heating=20.0,
    canopy_heating=6.0,
    night_cooling=3.5,
    darkening=0.9,
    response=0.2,
    response_days=40.0,
    transpiration=0.2,
    rain_amount=1.4,
    relief=0.25,
    irrigated=0.18,
    restore=0.3,
    root_depth=500.0,
    sensor=Sensor(fwhm=(42.0, 38.0), noise=0.027, bias=0.02, gain=0.06, water=0.25, orbit=Orbit(swath=1445.0)),
)
