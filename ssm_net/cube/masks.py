"""Masks of pixels without surface soil moisture: open water, dense towns, outside the boundary, frozen ground, snow.

Each rule rests on what the cube holds anyway, so that any set of products can follow it; a rule whose inputs are
absent masks nothing. What is masked is flagged, never filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

FROZEN = 273.15  # K: radiometers see ice as dry soil
# Normalised difference of red and 1.6 um, and near infrared, of snow: Xiao et al. (2001), Int. J. Remote Sens. 22,
# 2479 (NDSII), after Hall et al. (1995), Remote Sens. Environ. 54, 127.
SNOW_INDEX, SNOW_NIR = 0.40, 0.11
SNOW_WARMEST = 283.0  # K: what is bright and warmer is no snow (Riggs et al. 2006, MOD10 user guide, collection 5)
SNOW_OLDEST = 8  # days: an older reflectance does not say that the snow is still there
PRODUCTION_MAPS = ("water_fraction", "urban", "inside")  # static maps that ``production_mask`` reads
WATER = 0.5  # fraction of a pixel
INSIDE_BOUNDARY = 0.5  # fraction of a pixel
URBAN = 0.5  # fraction of a pixel that is built on: roofs and roads warm like dry soil, and hold no soil moisture


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


def production_mask(static: Mapping[str, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Pixels that the product covers, ``shape`` bool: less than half water, less than half built over, and inside the
    boundary. ``static`` maps names to fractions 0..1 of ``shape``; a map that is absent or NaN there masks nothing, but
    for ``inside``, which has to say yes.

    Read it by ``Cube.land``: what is trained on, weighed by the footprint, updated, written and scored are the same
    pixels.
    """
    mask = np.ones(shape, bool)
    if "water_fraction" in static:
        mask &= ~(static["water_fraction"] >= WATER)
    if "urban" in static:
        mask &= ~(static["urban"] >= URBAN)
    if "inside" in static:
        mask &= static["inside"] >= INSIDE_BOUNDARY
    return mask


def kept_pixels(land: Tensor, ratio: int) -> Tensor:
    """Pixels that a day in the cube has values of, (y, x) bool: those of all cells with ``land`` (y, x) bool and of the
    cells around them. What lies around a country, and its lakes, tell of its borders and shores; the open sea does not.
    """
    cells = torch.nn.functional.max_pool2d(land[None, None].float(), ratio)
    near = torch.nn.functional.max_pool2d(cells, 3, stride=1, padding=1)[0, 0] > 0
    return near.repeat_interleave(ratio, 0).repeat_interleave(ratio, 1)


def cell_fraction(mask: np.ndarray, ratio: int) -> np.ndarray:
    """Fraction of each coarse cell's pixels where ``mask`` (R * ratio, C * ratio) is true, (R, C) float32."""
    height, width = mask.shape
    along_rows = mask.reshape(height, width // ratio, ratio).sum(2, dtype=np.int32)
    return (along_rows.reshape(height // ratio, ratio, -1).sum(1) / ratio**2).astype(np.float32)
