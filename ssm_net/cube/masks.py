"""Where there is no surface soil moisture to map: frozen ground, snow, open water, dense towns.

Each rule rests on what the cube holds anyway, so that any set of products can follow it; a rule whose inputs are
absent masks nothing. What is masked is flagged, never filled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

FROZEN = 273.15  # K: radiometers see ice as dry soil
# Normalised difference of red and 1.6 um, and near infrared, of snow: Xiao et al. (2001), Int. J. Remote Sens. 22,
# 2479 (NDSII), after Hall et al. (1995), Remote Sens. Environ. 54, 127.
SNOW_INDEX, SNOW_NIR = 0.40, 0.11
SNOW_WARMEST = 283.0  # K: what is bright and warmer is no snow (Riggs et al. 2006, MOD10 user guide, collection 5)
SNOW_OLDEST = 8  # days: an older reflectance does not say that the snow is still there
WATER = 0.5  # part of a pixel
URBAN = 0.5  # part of a pixel that is built on: roofs and roads warm like dry soil, and hold no soil moisture


def surface_temperature(overpasses: Sequence[np.ndarray]) -> np.ndarray:
    """Mean LST (K) of the overpasses there are, (y, x) float32; NaN where there is none."""
    total = np.zeros(overpasses[0].shape, np.float32)
    count = np.zeros(overpasses[0].shape, np.uint8)
    for lst in overpasses:
        known = ~np.isnan(lst)
        total += np.where(known, lst, 0)
        count += known
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def frozen(temperature: np.ndarray) -> np.ndarray:
    """Where the mean of day and night LST (K) lies below freezing, (y, x) bool; filled LST serves as well as seen."""
    return temperature < FROZEN


def snow(
    red: np.ndarray, nir: np.ndarray, swir1: np.ndarray, age: np.ndarray, temperature: np.ndarray | None
) -> np.ndarray:
    """Where the last reflectance is that of snow, not older than ``SNOW_OLDEST`` days, and the ground not too warm for
    it; (y, x) bool. Reflectances 0..1, ``age`` in days, ``temperature`` in K, NaN where missing.
    """
    total = red + swir1
    index = np.divide(red - swir1, total, out=np.full_like(red, np.nan), where=total > 0)
    white = (index > SNOW_INDEX) & (nir > SNOW_NIR) & (age <= SNOW_OLDEST)
    return white if temperature is None else white & ~(temperature > SNOW_WARMEST)


def land_mask(water_fraction: Tensor | None, shape: tuple[int, int]) -> Tensor:
    """Pixels that are produced, (y, x) bool: less than half water."""
    return torch.ones(shape, dtype=torch.bool) if water_fraction is None else ~(water_fraction >= 0.5)
