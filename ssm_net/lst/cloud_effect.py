"""The effect of cloud on land surface temperature, K: what is added to a gap that was filled as under a clear sky.

Without a reanalysis it is a climatology: ground under cloud is colder by day, most so in early summer, and warmer at
night. Gallo & Krishnan (2022, J. Appl. Meteor. Climatol. 61, 1485) found clear days 2.6 K warmer than all days at the
MODIS overpasses over a year, 5.6 K in May and nothing in January. With half of all days under cloud the difference
between clear and cloudy is twice as much. At night a cover of cloud keeps half of the 5 K by which clear ground cools
below the air, and the air itself cools about 1 K less. The contrast of a pixel to its surroundings comes from the same
exchange of radiation, so it shrinks with it, by day as much as sunlight does (``contrast_under_cloud``).

``DAY_ERROR`` and ``NIGHT_ERROR`` hold two thirds of what lies under cloud in worlds of family C. Clouds there are all
equally thick, real ones are not, and no measurement under cloud at 1 km is at hand: both are lower bounds. By day the
response itself is known to a factor only: 1-3 K per 100 W m-2 of sunlight, which, taken as uniform, adds a relative
error of 0.29.

With a reanalysis, the ground stands above (or below) the air of the day by what it does under a clear sky times the
fraction of radiation that comes through: by day in proportion to the sunlight (LST responds to shortwave radiation,
1-3 K per 100 W m-2), at night by a constant fraction.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.lst.sun import sine_of_sun

DAY_MEAN, DAY_SEASON, DAY_ERROR = -5.2, 0.9, 1.8  # K, relative, K
DAY_RESPONSE = 0.29  # relative standard error: (3 - 1) / sqrt(12) K per 100 W m-2 around a mean of 2
NIGHT_MEAN, NIGHT_ERROR = 3.5, 0.7
CONTRAST = {"day": 0.3, "night": 0.5}  # fraction of a pixel's clear-sky contrast that remains under cloud
NIGHT_KEPT = 0.4  # fraction of the clear-sky cooling below the air that remains under cloud: 0.25-0.5
AIR_ERROR = {
    "day": 1.1,
    "night": 1.0,
}  # K: error of a reanalysis' air temperature at a place and hour, and of the response
UNKNOWN = 0.6  # mean cloud fraction at an overpass, assumed on a day without a granule
SUN_RANGE = (0.1, 0.9)  # fraction of clear-sky radiation that comes through a cloud
MINUS_AIR_DAYS = 20.0  # e-folding memory of clear-sky LST minus air temperature
CLEAR_TRANSMITS = (
    0.75  # fraction of the radiation at the top of the atmosphere, clear sky (FAO-56, Allen et al. 1998, eq. 37)
)


@dataclass(frozen=True)
class Air:
    """A reanalysis at an overpass, (R, C): air ``temperature`` (K) at sea level, and ``sun``, the fraction of clear-sky
    shortwave radiation that reaches the ground, mean of the cell; None at night."""

    temperature: Tensor
    sun: Tensor | None


def climate_effect(k: str, day: dt.date, latitude: Tensor) -> tuple[Tensor, Tensor]:
    """Climatological effect of complete cloud and its standard error, K, at ``latitude`` (degrees, of any shape).

    ``k`` is ``day`` or ``night``.
    """
    if k == "night":
        return torch.full_like(latitude, NIGHT_MEAN), torch.full_like(latitude, NIGHT_ERROR)
    summer = -math.cos(2 * math.pi * (day.timetuple().tm_yday - 15) / 365.25)
    season = summer * (latitude / 35.0).clamp(-1, 1)  # reversed in the south, gone at the equator
    effect = DAY_MEAN * (1 + DAY_SEASON * season)
    return effect, torch.sqrt(DAY_ERROR**2 + (DAY_RESPONSE * effect) ** 2)


def contrast_under_cloud(k: str, clear: Tensor, surroundings: Tensor) -> Tensor:
    """Clear-sky LST ``clear`` (K) with its contrast to the ``surroundings`` (K) reduced to what remains under cloud."""
    return surroundings + CONTRAST[k] * (clear - surroundings)


def minus_air_of(before: Tensor | None, days: int, background: Tensor, air: Tensor, seen: Tensor) -> Tensor:
    """Clear-sky LST minus air temperature, (R, C) K: a fading mean over days, NaN where nothing was observed yet.

    ``before`` is the mean ``days`` ago (None on the first day), ``background`` (K) the day's background LST, ``air``
    (K) its air temperature at sea level, ``seen`` the fraction of each cell that was observed, 0..1.
    """
    today = background - air
    if before is None:
        return torch.where(seen > 0, today, torch.nan)
    kept = math.exp(-days / MINUS_AIR_DAYS)
    gain = (1 - kept) * seen.clamp(0, 1)
    moved = before + gain * torch.nan_to_num(today - before)  # no news where the air of the day is not known
    return torch.where(torch.isnan(before), torch.where(seen > 0, today, torch.nan), moved)


def air_effect(k: str, air: Air, background: Tensor, minus_air: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Effect of the day's cloud and its standard error, K, (R, C), from a reanalysis.

    ``background`` (K) is the day's background LST, ``minus_air`` (K) that of ``minus_air_of`` (the effect is NaN where
    it is), ``seen`` the fraction of each cell that was observed, 0..1.
    """
    if k == "day" and air.sun is not None:
        # In a partly clear cell, the cloudy part has less sun than the cell's mean.
        kept = ((air.sun - seen) / (1 - seen).clamp(min=0.1)).clamp(*SUN_RANGE)
    else:
        kept = torch.full_like(background, NIGHT_KEPT if k == "night" else sum(SUN_RANGE) / 2)
    return air.temperature + kept * minus_air - background, torch.full_like(background, AIR_ERROR[k])


def clear_sky_radiation(latitude: Tensor, day: dt.date, hour: float) -> Tensor:
    """Shortwave radiation (W m-2) at the ground under a clear sky at ``hour`` local solar time (FAO-56)."""
    doy = day.timetuple().tm_yday
    near = 1 + 0.033 * math.cos(2 * math.pi * doy / 365)
    return CLEAR_TRANSMITS * 1361.0 * near * sine_of_sun(latitude, day, hour).clamp(min=0.0)
