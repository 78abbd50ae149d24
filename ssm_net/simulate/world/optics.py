"""Reflectance of a world: ground that darkens with moisture, canopy and water, by band.

In a wide world ground and canopy differ in colour from pixel to pixel, each band partly by itself, so that reflectance
tells of moisture anything between nothing and much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.hidden import rough_field
from ssm_net.simulate.world.land import Land
from ssm_net.simulate.world.overpass import WorldDay
from ssm_net.simulate.world.physics import Laws

BAND_NUMBERS = (1, 2, 3, 4, 5, 6, 7)
DRY_SOIL = (0.26, 0.33, 0.16, 0.21, 0.38, 0.41, 0.36)
CANOPY = (0.04, 0.42, 0.03, 0.08, 0.38, 0.22, 0.09)
WATER_REFLECTANCE = (0.03, 0.02, 0.05, 0.05, 0.01, 0.01, 0.01)
DARKENING = (1.0, 1.2, 0.8, 0.9, 1.8, 2.6, 3.2)  # exp(-c theta) of the soil; the short-wave infrared sees water best


def reflectance(
    land: Land, laws: Laws, seed: int, day: WorldDay, quality: NDArray[np.uint8], rng: np.random.Generator
) -> dict[int, Array]:
    """Nadir reflectance by band, (y, x), NaN where ``quality`` is 255; ``rng`` is that of the composite's noise."""
    shape, cover, water = land.domain.fine_shape, laws.cover(day.ndvi), land.water
    optical = None if laws.traits is None else laws.traits.optical
    bright = 1 + laws.soil_colour * RandomField(shape, 4).sample(stream(seed, "soil colour"))
    darkening = laws.darkening * (1.0 if optical is None else optical.darkening)
    noise = np.where(quality == 1, 2, 1) * (0.01 if optical is None else optical.noise)
    bands = {}
    for band, dry, leaf, lake, dark in zip(BAND_NUMBERS, DRY_SOIL, CANOPY, WATER_REFLECTANCE, DARKENING, strict=True):
        ground = dry * bright * np.exp(-dark * darkening * day.soil_recent)
        canopy: Array | float = leaf
        if optical is not None:
            ground = ground * _colour(land, laws, seed, "ground", band, optical.soil)
            canopy = canopy * _colour(land, laws, seed, "canopy", band, optical.leaf)
        value = (1 - cover) * ground + cover * canopy
        value = (value + water * (lake - value)) * (1 + noise * rng.standard_normal(shape, dtype=np.float32))
        bands[band] = np.where(quality == 255, np.nan, np.clip(value, 0.001, 1)).astype(np.float32)
    return bands


def _colour(land: Land, laws: Laws, seed: int, what: str, band: int, deviation: float) -> Array:
    """The factor, of mean 1, by which ground or canopy of a pixel is brighter in a band; it does not change."""
    assert laws.traits is not None
    field, own = rough_field(laws.traits.hidden, land.domain.fine_shape), laws.traits.optical.spectral
    common, by_band = (field.sample(stream(seed, f"colour of {what}{k}")) for k in ("", f" {band}"))
    standard = np.sqrt(1 - own) * common + np.sqrt(own) * by_band
    return np.exp(deviation * standard - 0.5 * deviation**2).astype(np.float32)
