"""The static maps of a world: relief, soil, lakes, irrigated fields, climate and phenology."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr

from ssm_net.grid import Domain
from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.physics import Laws, Soil


@dataclass(frozen=True)
class Relief:
    """``elevation`` m; ``slope`` degrees; ``aspect`` -1..1, positive on slopes that face the noon sun; ``wetness`` the
    standardised topographic index; ``rough`` the standardised effect of colour and roughness of the ground on its
    temperature. All (rows, cols) of the fine grid."""

    elevation: Array
    slope: Array
    aspect: Array
    wetness: Array
    rough: Array


@dataclass(frozen=True)
class SoilTexture:
    """Percent of ``sand`` and ``clay``, (rows, cols) of the fine grid."""

    sand: Array
    clay: Array


@dataclass(frozen=True)
class Phenology:
    """The double logistic of NDVI: its floor ``low``, its peak ``high`` and the day of year ``green_up`` on which it
    rises, (rows, cols) of the fine grid."""

    low: Array
    high: Array
    green_up: Array


@dataclass(frozen=True)
class Land:
    """Static maps, all (rows, cols) of the fine grid.

    ``water`` is the fraction 0..1; ``fields`` the number of the irrigated field that a pixel belongs to, 0 for none;
    ``moist`` the climate, 0 (arid) .. 1 (humid).
    """

    domain: Domain
    soil: Soil
    texture: SoilTexture
    relief: Relief
    water: Array
    fields: NDArray[np.int32]
    moist: Array
    phenology: Phenology


def make_land(domain: Domain, laws: Laws, seed: int) -> Land:
    """The static maps of a domain, determined by ``seed``."""
    shape, k = domain.fine_shape, laws.texture

    def texture(purpose: str, length: float, nu: float = np.inf, step: int = 0) -> Array:
        return RandomField(shape, length, nu, step).sample(stream(seed, purpose))

    relief = texture("relief", 120, nu=0.6, step=1)  # spectrum k^-3.2
    elevation = (1250 + laws.relief * (300 * relief + 120 * relief**2)).astype(np.float32)
    pixel_m = domain.grid.pixel
    down, right = np.gradient(elevation, pixel_m)
    steep = np.hypot(down, right)
    # Relief at 1 km is far smoother than the hillsides inside it: a mean hillside has three times its slope.
    slope = np.degrees(np.arctan(3 * steep)).astype(np.float32)
    aspect = np.clip(-3 * down, -1, 1) * np.sign(domain.lonlat()[1].mean() or 1.0)
    hollow = ndimage.gaussian_filter(elevation, 8, mode="nearest") - elevation
    wetness = np.clip(hollow / hollow.std() + 0.6 * texture("hollow", 3), -2.5, 2.5)

    sand = np.clip(48 + 14 * texture("sand", 35 * k) + 15 * texture("sand fine", 5 * k, nu=1.0), 5, 90)
    clay = np.clip(22 - 0.25 * (sand - 48) + 7 * texture("clay", 8 * k, nu=1.0), 4, 55)
    clay = np.minimum(clay, 97 - sand)

    lake = texture("lake", 4) + 0.8 * texture("lake district", 40) + 0.5 * wetness
    water = ndtr((lake - np.quantile(lake, 0.978)) / 0.12)
    water[water < 0.02] = 0
    farm = texture("farm", 5 * k) + 0.7 * texture("farm district", 30) - 0.4 * np.tanh(slope / 3)
    labels, _ = ndimage.label((farm > np.quantile(farm, 1 - laws.irrigated)) & (water < 0.2))

    lon, lat = domain.lonlat()
    # China: humid to the south-east.
    trend = 0.48 + laws.moist + 0.012 * (lon[None] - 108) - 0.022 * (lat[:, None] - 37)
    moist = np.clip(trend + 0.09 * texture("climate", 60), 0, 1).astype(np.float32)
    irrigated = labels > 0
    low = np.clip(0.10 + 0.15 * moist + 0.03 * texture("green low", 10 * k), 0.06, 0.35)
    high = np.clip(0.22 + 0.55 * moist + 0.09 * texture("green high", 7 * k) + 0.2 * irrigated, 0.2, 0.9)
    up = 118 + 8 * texture("green up", 15 * k) + 8 * irrigated
    f32 = np.float32
    soil_texture = SoilTexture(sand.astype(f32), clay.astype(f32))
    return Land(
        domain,
        laws.soil(soil_texture.sand, soil_texture.clay),
        soil_texture,
        Relief(elevation, slope, aspect.astype(f32), wetness.astype(f32), texture("rough", 6 * k, nu=0.5)),
        water=water.astype(f32),
        fields=labels.astype(np.int32),
        moist=moist,
        phenology=Phenology(low.astype(f32), high.astype(f32), up.astype(f32)),
    )
