"""Traits of a wide world: what differs from place to place on the Earth beside the laws, drawn for each world.

Each trait lies between nothing and more than was measured on dense station networks (OzNet Yanco: Smith et al. 2012,
Water Resources Research 48, W07701): factors of a pixel that no map shows, maps that are wrong, noise and view angles
of LST, and the link between LST and moisture. A world drawn from several families draws its traits from the ranges
of one of them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ssm_net.simulate.world.climate import Climate

Range = tuple[float, float]
HOUR_FROM = dt.date(2015, 1, 1)  # on which ``Thermal.hour`` holds
HOURS_SEEN = (0.6, 1.05)  # limits of what a drift leads to


def uniform(low: float, high: float) -> Any:
    """A number drawn evenly between two."""
    return field(metadata={"range": (low, high), "log": False})


def log_uniform(low: float, high: float) -> Any:
    """A number drawn evenly in the logarithm between two."""
    return field(metadata={"range": (low, high), "log": True})


@dataclass(frozen=True)
class Hidden:
    """How much pixels differ in what no map shows, as standard deviations (of logarithms where it is a factor)."""

    length: float = log_uniform(0.6, 4.0)  # correlation length, pixels: rough at 1-3 km
    structure: float = log_uniform(0.02, 0.35)  # of the moistures that the soil holds, whatever its texture
    demand: float = log_uniform(0.05, 1.0)  # of the evaporation, by land use
    supply: float = log_uniform(0.03, 0.7)  # of the water that reaches the soil: run-on, furrows, drains
    watering: float = log_uniform(0.02, 0.8)  # of the same water, by land use, which changes
    coupling: float = log_uniform(0.4, 4.0)  # multiplies the rate at which the surface returns to the root zone
    rooting: float = uniform(0.0, 0.7)  # of the rooting depth
    leakage: float = log_uniform(0.05, 0.9)  # of the drainage below the roots
    lasting: float = uniform(0.0, 0.7)  # fraction of the variance of land use that stays as it is
    fading: float = log_uniform(25.0, 1000.0)  # days in which the rest of land use fades to 1/e
    phase: float = uniform(0.0, 90.0)  # days, season of the crops
    greenness: float = uniform(-0.02, 0.08)  # of NDVI, by land use
    calendar: float = log_uniform(20.0, 150.0)  # days a year that a field is irrigated
    districts: float = uniform(0.2, 1.0)  # fraction of the fields that are irrigated in a year


@dataclass(frozen=True)
class TerrainTraits:
    """Factors by which the maps of a world vary more or less than its family's."""

    relief: float = log_uniform(0.05, 1.5)  # of heights
    texture: float = uniform(0.1, 1.1)  # of sand and clay
    greenness: float = uniform(0.2, 1.2)  # of NDVI
    lakes: float = log_uniform(0.02, 1.2)  # of the area of water


@dataclass(frozen=True)
class Thermal:
    """Surface temperature as it is on the ground and as it is observed, K unless said otherwise."""

    daily: float = uniform(0.0, 1.0)  # fraction of the heating that follows the moisture of the day, not of the season
    season_days: float = log_uniform(20.0, 120.0)  # days over which the rest of it follows the moisture
    contrast: float = log_uniform(0.05, 1.3)  # multiplies the heating of dry ground
    colour: float = log_uniform(0.02, 2.0)  # of ground by day, albedo and emissivity, whatever its moisture
    land_use: float = log_uniform(0.02, 1.2)  # by which an evaporating land use is cooler
    colour_link: float = uniform(-0.9, 0.9)  # correlation of warm colour with the moisture that the structure holds
    energy: float = log_uniform(1.0, 8.0)  # exponent of the season's energy: the higher, the less LST tells in winter
    noise: float = log_uniform(0.2, 1.5)  # of each pixel and day
    thin_cloud: float = log_uniform(3e-4, 0.02)  # fraction of clear pixels under a cloud that the mask misses
    view: float = log_uniform(0.03, 1.0)  # pattern of the view angle, which repeats with the orbit
    gust: float = log_uniform(0.05, 1.5)  # of wind, over some 15 km, of each day
    hour: float = uniform(0.7, 1.0)  # fraction of the way from night to noon at which the platform observes by day
    drift: float = uniform(-0.12, 0.06)  # a year, by which that fraction changes as the platform drifts


@dataclass(frozen=True)
class Optical:
    """How much the reflectance tells of moisture, relative to it unless said otherwise."""

    darkening: float = log_uniform(0.05, 1.3)  # multiplies the decrease of soil reflectance with moisture
    soil: float = log_uniform(0.03, 0.4)  # of bare ground, by colour, residue and roughness
    leaf: float = log_uniform(0.03, 0.3)  # of the canopy, by crop
    spectral: float = uniform(0.1, 1.0)  # fraction of both variances that each band has to itself
    noise: float = log_uniform(0.01, 0.08)  # of each pixel and composite: atmosphere, view and sun


@dataclass(frozen=True)
class MapErrors:
    """Fractions 0 .. 1 of another field that is mixed into each map as it is written; ``exchanged``: above 0.8, clay is
    written as sand and sand as clay."""

    texture: float = uniform(-0.3, 1.0)
    elevation: float = uniform(-0.6, 1.0)
    water: float = uniform(-0.6, 1.0)
    exchanged: float = uniform(0.0, 1.0)


@dataclass(frozen=True)
class RainTraits:
    """``lasting``: standard deviation of the logarithm of the rain product's error that lasts; ``shift``: below -1.5
    its day is a day early, above 1.5 a day late; ``even``: fraction of the rain that falls evenly over some 40 km;
    ``unexplained``: multiplies the water of each day that no law explains."""

    even: float = uniform(0.0, 1.0)
    unexplained: float = log_uniform(0.05, 1.0)
    lasting: float = uniform(0.0, 0.5)
    shift: float = uniform(-2.0, 2.0)

    @property
    def days(self) -> int:
        """Days by which the product's day is late."""
        return 0 if abs(self.shift) < 1.5 else int(np.sign(self.shift))


@dataclass(frozen=True)
class SensorBias:
    """Weights with which the radiometer's lasting bias follows vegetation, water and relief of its cells."""

    vegetation: float = uniform(-1.5, 1.5)
    water: float = uniform(-1.0, 1.5)
    relief: float = uniform(-1.5, 1.0)


@dataclass(frozen=True)
class ClimateTraits:
    """The climate as it departs from what the latitude of a place alone says."""

    moist: float = uniform(0.1, 0.9)
    gradient: float = uniform(-0.04, 0.04)  # of ``moist``, a degree
    warmth: float = uniform(-4.0, 4.0)  # K
    continental: float = uniform(0.4, 1.3)  # multiplies the half range of temperature over the year
    altitude: float = uniform(200.0, 1500.0)  # m
    rain: float = uniform(0.6, 1.3)
    rain_season: float = uniform(-0.7, 0.8)
    rain_phase: float = uniform(-40.0, 60.0)  # days
    cloud_season: float = uniform(-0.15, 0.2)
    water_led: float = uniform(0.1, 0.8)  # fraction of the greenness that follows water, not warmth


@dataclass(frozen=True)
class Traits:
    hidden: Hidden
    terrain: TerrainTraits
    thermal: Thermal
    optical: Optical
    maps: MapErrors
    rain: RainTraits
    sensor: SensorBias
    climate: ClimateTraits


def hour_on(thermal: Thermal, ordinal: int) -> float:
    """``Thermal.hour`` on the day ``ordinal`` (days since year 1), as far as the platform has drifted from 2015 on."""
    years = (ordinal - HOUR_FROM.toordinal()) / 365.25
    return float(np.clip(thermal.hour + thermal.drift * years, *HOURS_SEEN))


def draw_traits(rng: np.random.Generator, climate: dict[str, Range]) -> Traits:
    """Traits drawn from their ranges; those of ``climate`` by name are narrower than the Earth's."""
    return Traits(
        Hidden(**_numbers(Hidden, rng, {})),
        TerrainTraits(**_numbers(TerrainTraits, rng, {})),
        Thermal(**_numbers(Thermal, rng, {})),
        Optical(**_numbers(Optical, rng, {})),
        MapErrors(**_numbers(MapErrors, rng, {})),
        RainTraits(**_numbers(RainTraits, rng, {})),
        SensorBias(**_numbers(SensorBias, rng, {})),
        ClimateTraits(**_numbers(ClimateTraits, rng, climate)),
    )


def _numbers(group: type, rng: np.random.Generator, other: dict[str, Range]) -> dict[str, float]:
    drawn = {}
    for f in fields(group):
        low, high = other.get(f.name, f.metadata["range"])
        share = rng.uniform()
        if f.metadata["log"]:
            drawn[f.name] = float(low * (high / low) ** share)
        else:
            drawn[f.name] = float(low + (high - low) * share)
    return drawn


def climate_at(traits: ClimateTraits, lon: float, lat: float) -> Climate:
    """The climate of a place, degrees east and north.

    Temperature falls with latitude by half a degree a degree beyond the tropics, and its range over the year grows; the
    potential evaporation goes with both (the order of the zonal means of Hargreaves and Samani 1985).
    """
    high = min(abs(lat), 65.0)
    air = 300.0 - 0.5 * max(high - 15.0, 0.0) + traits.warmth - 5e-3 * traits.altitude
    swing = min(1.0 + 0.32 * high * traits.continental, 22.0)
    demand = float(np.clip(2.7 + 0.11 * (air - 281.5), 1.2, 5.5))
    return Climate(
        air=air, swing=swing, altitude=traits.altitude, moist=traits.moist, centre=(lon, lat),
        east=traits.gradient, north=-traits.gradient, rain=traits.rain, rain_season=traits.rain_season,
        rain_phase=round(traits.rain_phase), amount_season=0.4 * traits.rain_season,
        cloud_season=traits.cloud_season, demand=demand, demand_swing=min(0.6, 0.0165 * high) * demand,
    )  # fmt: skip
