"""Reflectance of a world: ground that darkens with moisture, canopy and water, by band.

In a wide world ground and canopy differ in colour from pixel to pixel, each band partly by itself, so that reflectance
tells of moisture anything between nothing and much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Colours:
    """Factors by which ``ground`` and ``canopy`` of a pixel are brighter than the mean, by band, (rows, cols); they do
    not change."""

    ground: Mapping[int, Array]
    canopy: Mapping[int, Array]

    @classmethod
    def of(cls, land: Land, laws: Laws, seed: int) -> Colours:
        shape = land.domain.fine_shape
        bright = 1 + laws.soil_colour * RandomField(shape, 4).sample(stream(seed, "soil colour"))
        if laws.traits is None:
            return cls(dict.fromkeys(BAND_NUMBERS, bright), dict.fromkeys(BAND_NUMBERS, np.ones_like(bright)))
        optical, rough = laws.traits.optical, rough_field(laws.traits.hidden, shape)

        def factors(what: str, deviation: float) -> dict[int, Array]:
            common = rough.sample(stream(seed, f"colour of {what}"))
            out = {}
            for band in BAND_NUMBERS:
                own = rough.sample(stream(seed, f"colour of {what} {band}"))
                standard = np.sqrt(1 - optical.spectral) * common + np.sqrt(optical.spectral) * own
                out[band] = np.exp(deviation * standard - 0.5 * deviation**2).astype(np.float32)
            return out

        ground = {band: bright * factor for band, factor in factors("ground", optical.soil).items()}
        return cls(ground, factors("canopy", optical.leaf))


def reflectance(
    land: Land, laws: Laws, colours: Colours, day: WorldDay, quality: NDArray[np.uint8], rng: np.random.Generator
) -> dict[int, Array]:
    """Nadir reflectance by band, (y, x), NaN where ``quality`` is 255; ``rng`` is that of the composite's noise."""
    cover, water = laws.cover(day.ndvi), land.water
    optical = None if laws.traits is None else laws.traits.optical
    darkening = laws.darkening * (1.0 if optical is None else optical.darkening)
    noise = np.where(quality == 1, 2, 1) * (0.01 if optical is None else optical.noise)
    bands = {}
    for band, dry, leaf, lake, dark in zip(BAND_NUMBERS, DRY_SOIL, CANOPY, WATER_REFLECTANCE, DARKENING, strict=True):
        ground = dry * colours.ground[band] * np.exp(-dark * darkening * day.soil_recent)
        value = (1 - cover) * ground + cover * leaf * colours.canopy[band]
        value = (value + water * (lake - value)) * (1 + noise * rng.standard_normal(cover.shape, dtype=np.float32))
        bands[band] = np.where(quality == 255, np.nan, np.clip(value, 0.001, 1)).astype(np.float32)
    return bands
