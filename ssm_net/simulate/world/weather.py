"""Rain, cloud and air temperature of each day."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from ssm_net.simulate.world.climate import season
from ssm_net.simulate.world.fields import Array, Hat, RandomField, stream
from ssm_net.simulate.world.land import Land
from ssm_net.simulate.world.physics import Laws

RHO = 0.45  # of the latent rain field from day to day
CLOUD_RHO = 0.6  # of the large cloud field from an overpass to the next, half a day later
DRIFT_A_DAY = (-6.0, 28.0)  # rows, cols a day: weather comes from the west-south-west


@dataclass(frozen=True)
class WeatherFields:
    """The random fields that weather is made of."""

    rain: RandomField
    shower: RandomField
    cloud: RandomField
    puff: RandomField
    synoptic: RandomField

    @classmethod
    def of(cls, shape: tuple[int, int], laws: Laws) -> WeatherFields:
        return cls(
            rain=RandomField(shape, 50),
            shower=RandomField(shape, 7),
            cloud=RandomField(shape, 180, laws.cloud_nu),
            puff=RandomField(shape, 5, 1.0),
            synoptic=RandomField(shape, 350),
        )


@dataclass(frozen=True)
class Sky:
    """The state of the weather between two days: spectra, and the latent field of the last day's rain."""

    rain: Hat
    shower: Hat
    cloud: Hat
    synoptic: Hat
    latent: Array


@dataclass(frozen=True)
class Weather:
    """One local day: 01:30 (night), 13:30 (day), and the rain until 01:30 of the next.

    ``rain`` mm; ``margin_night`` and ``margin_day`` > 0 where clear, the further from zero the further from a cloud's
    edge; ``air_night`` and ``air_day`` K.
    """

    rain: Array
    margin_night: Array
    margin_day: Array
    air_night: Array
    air_day: Array


def first_sky(land: Land, laws: Laws, tex: WeatherFields, seed: int, ordinal: int) -> Sky:
    """The sky before the first day, ``ordinal``."""

    def rng(purpose: str) -> np.random.Generator:
        return stream(seed, f"first {purpose}", ordinal)

    rain, shower = tex.rain.draw(rng("rain")), tex.shower.draw(rng("shower"))
    _, latent = _rain(land, laws, tex, seed, ordinal - 1, 0, rain, shower)
    return Sky(rain, shower, tex.cloud.draw(rng("cloud")), tex.synoptic.draw(rng("synoptic")), latent)


def next_weather(
    land: Land, laws: Laws, tex: WeatherFields, sky: Sky, seed: int, ordinal: int, doy: int
) -> tuple[Weather, Sky]:
    """The weather of the local day ``ordinal`` (days since year 1) and the sky it ends under."""

    def rng(purpose: str) -> np.random.Generator:
        return stream(seed, purpose, ordinal)

    hat_rain = tex.rain.follow(sky.rain, rng("rain"), RHO, DRIFT_A_DAY)
    hat_shower = tex.shower.follow(sky.shower, rng("shower"), RHO, DRIFT_A_DAY)
    rain, latent = _rain(land, laws, tex, seed, ordinal, doy, hat_rain, hat_shower)

    half = (DRIFT_A_DAY[0] / 2, DRIFT_A_DAY[1] / 2)
    cloud_night = tex.cloud.follow(sky.cloud, rng("cloud night"), CLOUD_RHO, half)
    cloud_day = tex.cloud.follow(cloud_night, rng("cloud day"), CLOUD_RHO, half)
    wet, big, small = laws.cloud
    norm = math.sqrt(wet**2 + big**2 + small**2)
    cover = np.clip(laws.cloud_cover - 0.10 + 0.2 * land.moist + land.climate.cloud_season * season(doy), 0.05, 0.95)
    limit = ndtri(cover)
    between = (sky.latent + latent) / math.sqrt(2 + 2 * RHO)

    def margin(hat: Hat, near: Array, purpose: str) -> Array:
        field = wet * near + big * tex.cloud.field(hat) + small * tex.puff.sample(rng(purpose))
        return (-limit - field / norm).astype(np.float32)

    margin_night = margin(cloud_night, between, "puff night")
    margin_day = margin(cloud_day, latent, "puff day")

    synoptic = tex.synoptic.follow(sky.synoptic, rng("synoptic"), 0.8, DRIFT_A_DAY)
    climate = land.climate
    air = climate.air + climate.swing * season(doy - 12) + 3.5 * tex.synoptic.field(synoptic)
    air = air - 6.5e-3 * (land.relief.elevation - climate.altitude)
    night = air - 6.0 + 2.5 * (margin_night < 0)
    day = air + 6.5 - 3.0 * (margin_day < 0)
    weather = Weather(rain, margin_night, margin_day, night.astype(np.float32), day.astype(np.float32))
    return weather, Sky(hat_rain, hat_shower, cloud_day, synoptic, latent)


def _rain(
    land: Land, laws: Laws, tex: WeatherFields, seed: int, ordinal: int, doy: int, rain: Hat, shower: Hat
) -> tuple[Array, Array]:
    """Rain of a day, mm, and a standard normal latent that clouds follow."""
    climate = land.climate
    swing = season(doy - climate.rain_phase)
    chance = np.clip(climate.rain * (0.16 + 0.22 * land.moist) * (1.05 + climate.rain_season * swing), 0.02, 0.6)
    scale = laws.rain_amount * (4.0 + 2.0 * land.moist) * (1 + climate.amount_season * swing)
    if laws.rain == "storms":
        return _storms(land, chance, scale, seed, ordinal, tex, rain)
    latent = (0.9 * tex.rain.field(rain) + 0.4 * tex.shower.field(shower)) / math.hypot(0.9, 0.4)
    excess = np.clip((ndtr(latent) - (1 - chance)) / chance, 0, 0.9995)
    amount = (-np.log1p(-excess) * scale).astype(np.float32)  # exponential
    if laws.rain == "both":
        storm, cells = _storms(land, chance, scale, seed, ordinal, tex, rain)
        amount, latent = (0.5 * amount + 0.5 * storm).astype(np.float32), (latent + cells) / math.sqrt(2)
    return amount, latent.astype(np.float32)


def _storms(
    land: Land, chance: Array, mean: Array, seed: int, ordinal: int, tex: WeatherFields, hat: Hat
) -> tuple[Array, Array]:
    """A Poisson cluster of elliptical storm cells, more of them where the large latent is high."""
    rng = stream(seed, "storms", ordinal)
    rows, cols = land.domain.fine_shape
    pad = 60
    large = tex.rain.field(hat)
    number = rng.poisson((rows + 2 * pad) * (cols + 2 * pad) / 1100)
    y, x = rng.uniform(-pad, rows + pad, number), rng.uniform(-pad, cols + pad, number)
    cell = np.clip(y, 0, rows - 1).astype(int), np.clip(x, 0, cols - 1).astype(int)
    keep = rng.uniform(size=number) < np.clip(chance[cell] * np.exp(1.3 * large[cell] - 0.85), 0, 1) * 0.9
    y, x = y[keep], x[keep]
    height, width = rng.lognormal(np.log(9), 0.5, y.size), rng.lognormal(np.log(16), 0.5, y.size)
    peak = rng.exponential(1.0, y.size) * mean[cell[0][keep], cell[1][keep]] * 1.3
    down = np.exp(-0.5 * ((np.arange(rows)[:, None] + 0.5 - y) / height) ** 2).astype(np.float32)
    along = np.exp(-0.5 * ((np.arange(cols)[:, None] + 0.5 - x) / width) ** 2).astype(np.float32)
    rain = (down * peak.astype(np.float32)) @ along.T
    rain = np.where(rain > 0.3, rain, 0).astype(np.float32)
    return rain, (0.6 * large + 0.8 * (np.log1p(rain) - 0.7)).astype(np.float32)
