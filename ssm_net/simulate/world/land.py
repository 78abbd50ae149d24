"""The static maps of a world: relief, soil, lakes, irrigated fields, climate and phenology."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr

from ssm_net.grid import Domain
from ssm_net.simulate.world.climate import CHINA, Climate
from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.hidden import HiddenFactors
from ssm_net.simulate.world.physics import Laws, Soil
from ssm_net.simulate.world.traits import MapErrors, climate_at

EXCHANGED = 0.8  # of ``MapErrors.exchanged``, above which clay and sand are exchanged
OTHER_MAPS = 1_000_003  # added to the seed for the land whose maps are mixed into wrong ones


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
class Maps:
    """Maps as archives have them: ``elevation`` m, ``sand`` and ``clay`` percent, ``water`` fraction; (rows, cols)."""

    elevation: Array
    sand: Array
    clay: Array
    water: Array

    def mixed(self, other: Maps, errors: MapErrors) -> Maps:
        """These maps with some of ``other`` ones in them, and clay and sand perhaps exchanged."""

        def mix(name: str, share: float) -> Array:
            wrong = np.float32(np.clip(share, 0, 1))
            return (1 - wrong) * getattr(self, name) + wrong * getattr(other, name)

        sand, clay = mix("sand", errors.texture), mix("clay", errors.texture)
        if errors.exchanged > EXCHANGED:
            sand, clay = clay, sand
        return Maps(mix("elevation", errors.elevation), sand, clay, mix("water", errors.water))


@dataclass(frozen=True)
class Land:
    """Static maps, all (rows, cols) of the fine grid.

    ``water`` is the fraction 0..1; ``fields`` the number of the irrigated field that a pixel belongs to, 0 for none;
    ``moist`` the climate, 0 (arid) .. 1 (humid); ``maps`` what archives say of the land, wrong in a wide world;
    ``hidden`` what no map says, in a wide world only.
    """

    domain: Domain
    soil: Soil
    texture: SoilTexture
    relief: Relief
    water: Array
    fields: NDArray[np.int32]
    moist: Array
    phenology: Phenology
    climate: Climate
    maps: Maps
    hidden: HiddenFactors | None = None

    @property
    def latitude(self) -> float:
        """Latitude of the domain's middle, degrees north."""
        return float(self.domain.lonlat()[1].mean())


def make_land(domain: Domain, laws: Laws, seed: int) -> Land:
    """The static maps of a domain, determined by ``seed``."""
    if laws.traits is None:
        return _draw_land(domain, laws, seed, CHINA)
    lon, lat = (float(x.mean()) for x in domain.lonlat())
    traits = laws.traits
    laws = replace(laws, relief=traits.terrain.relief * laws.relief)
    land = _draw_land(domain, laws, seed, climate_at(traits.climate, lon, lat))
    other = _draw_land(domain, laws, seed + OTHER_MAPS, land.climate)
    hidden = HiddenFactors.draw(traits, laws.root_depth, domain.fine_shape, seed)
    soil = land.soil.structured(hidden.structure)
    return replace(land, soil=soil, maps=land.maps.mixed(other.maps, traits.maps), hidden=hidden)


def _draw_land(domain: Domain, laws: Laws, seed: int, climate: Climate) -> Land:
    """True maps, without what is hidden."""
    shape, k = domain.fine_shape, laws.texture
    terrain = laws.traits.terrain if laws.traits else None

    def texture(purpose: str, length: float, nu: float = np.inf, step: int = 0) -> Array:
        return RandomField(shape, length, nu, step).sample(stream(seed, purpose))

    relief = texture("relief", 120, nu=0.6, step=1)  # spectrum k^-3.2
    elevation = (climate.altitude + laws.relief * (300 * relief + 120 * relief**2)).astype(np.float32)
    pixel_m = domain.grid.pixel
    down, right = np.gradient(elevation, pixel_m)
    steep = np.hypot(down, right)
    # Relief at 1 km is far smoother than the hillsides inside it: a mean hillside has three times its slope.
    slope = np.degrees(np.arctan(3 * steep)).astype(np.float32)
    aspect = np.clip(-3 * down, -1, 1) * np.sign(domain.lonlat()[1].mean() or 1.0)
    hollow = ndimage.gaussian_filter(elevation, 8, mode="nearest") - elevation
    wetness = np.clip(hollow / hollow.std() + 0.6 * texture("hollow", 3), -2.5, 2.5)

    sand = np.clip(48 + 14 * texture("sand", 35 * k) + 15 * texture("sand fine", 5 * k, nu=1.0), 5, 90)
    if terrain:
        sand = 48 + terrain.texture * (sand - 48)
    clay = np.clip(22 - 0.25 * (sand - 48) + 7 * texture("clay", 8 * k, nu=1.0), 4, 55)
    if terrain:
        clay = 22 + terrain.texture * (clay - 22)
    clay = np.minimum(clay, 97 - sand)

    lake = texture("lake", 4) + 0.8 * texture("lake district", 40) + 0.5 * wetness
    water = ndtr((lake - np.quantile(lake, 1 - 0.022 * terrain.lakes if terrain else 0.978)) / 0.12)
    water[water < 0.02] = 0
    farm = texture("farm", 5 * k) + 0.7 * texture("farm district", 30) - 0.4 * np.tanh(slope / 3)
    labels, _ = ndimage.label((farm > np.quantile(farm, 1 - laws.irrigated)) & (water < 0.2))

    lon, lat = domain.lonlat()
    trend = climate.moist + laws.moist + climate.east * (lon[None] - climate.centre[0])
    trend = trend + climate.north * (lat[:, None] - climate.centre[1])
    moist = np.clip(trend + 0.09 * texture("climate", 60), 0, 1).astype(np.float32)
    irrigated = labels > 0
    green = terrain.greenness if terrain else 1.0
    low = np.clip(0.10 + 0.15 * moist + green * 0.03 * texture("green low", 10 * k), 0.06, 0.35)
    high = 0.22 + 0.55 * moist + green * 0.09 * texture("green high", 7 * k) + green * 0.2 * irrigated
    high = np.clip(high, 0.2, 0.9)
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
        climate=climate,
        maps=Maps(elevation, soil_texture.sand, soil_texture.clay, water.astype(f32)),
    )
