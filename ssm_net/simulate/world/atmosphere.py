"""The reanalysis of a world: hourly air temperature and sunlight on a 0.1 degree grid, with errors."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.lst.cloud_effect import clear_sky_radiation
from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.observe import RainGrid
from ssm_net.simulate.world.overpass import WorldDay

REANALYSIS_ERROR = 1.0  # K, over some 30 km, of each day
REANALYSIS_BIAS = 0.5  # K, always
SUN_ERROR = 0.08  # relative
SHADE = 0.7  # fraction of clear-sky radiation that a complete cover of cloud keeps


@dataclass(frozen=True)
class SkyOfDay:
    """Air temperature (K) at night and day, and the fraction of clear-sky radiation, on the grid of the reanalysis."""

    night: Array
    day: Array
    sun: Array


def sky_of(day: WorldDay, grid: RainGrid, seed: int) -> SkyOfDay:
    """The sky of a day as the reanalysis has it."""

    def averaged(field: Array) -> Array:
        return grid.down @ field.astype(np.float32) @ grid.along.T

    rng = stream(seed, "reanalysis", day.date.toordinal())
    wrong = REANALYSIS_ERROR * RandomField((len(grid.lat), len(grid.lon)), 3.0).sample(rng)
    bias = REANALYSIS_BIAS * stream(seed, "reanalysis bias").standard_normal()
    shade = SHADE * averaged((day.noon.margin < 0).astype(np.float32))
    sun = np.clip((1 - shade) * (1 + SUN_ERROR * rng.standard_normal(shade.shape)), 0.05, 1.05)
    return SkyOfDay(averaged(day.night.air) + wrong + bias, averaged(day.noon.air) + wrong + bias, sun)


def hours(skies: Mapping[dt.date, SkyOfDay], utc: dt.date, lon: float, lat: NDArray[np.float64]) -> tuple[Array, Array]:
    """Air temperature (24, lat, lon) K and radiation since 00 UTC, J m-2, of a UTC day at longitude ``lon``."""
    air, sun, total = [], [], np.zeros_like(next(iter(skies.values())).sun)
    latitude = torch.from_numpy(lat.copy()).float()
    for hour in range(24):
        local = hour + lon / 15
        sky = skies.get(utc + dt.timedelta(math.floor(local / 24)), skies[max(skies)])
        wave = -math.cos(2 * math.pi * (local % 24 - NIGHT_HOUR) / 24)
        air.append(0.5 * (sky.night + sky.day) + 0.5 * (sky.day - sky.night) * wave)
        if hour:
            clear = clear_sky_radiation(latitude, utc, (local - 0.5) % 24).numpy()[:, None]
            total = total + 3600 * clear * sky.sun
        sun.append(total)
    return np.stack(air).astype(np.float32), np.stack(sun).astype(np.float32)
