"""What cloud does to the ground's temperature, K: what is filled in as a clear sky would show it is not what is there.

Without a reanalysis it is the climate's: the ground under cloud is colder by day, most so in early summer, and warmer
at night. Gallo & Krishnan (2022, J. Appl. Meteor. Climatol. 61, 1485) found clear days 2.6 K warmer than all days at
the MODIS overpasses over a year, 5.6 K in May and nothing in January; at half of all days under cloud that is twice as
much between clear and cloudy. At night a cover of cloud keeps half of the 5 K by which clear ground cools below air,
and the air itself cools about 1 K less. What a pixel differs from its surroundings is made by the same exchange of
radiation: as much of it is left as comes through, by day of the sun (``contrast_under_cloud``).

``DAY_ERROR`` and ``NIGHT_ERROR`` are such that two thirds of what lies under cloud in worlds of family C is within.
Clouds there are all equally thick; nature's are not, and no measurement under cloud at 1 km is at hand: they are the
least they can be. By day the response itself is known to a factor only: 1-3 K per 100 W m-2 of sun, which by an even
chance is a relative error of 0.29 more.

With a reanalysis the ground stands above (or below) the air of the day by what it does under a clear sky, by day in
proportion to the sun that comes through (LST responds to shortwave radiation, 1-3 K per 100 W m-2), at night by part.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import torch
from torch import Tensor

DAY_MEAN, DAY_SEASON, DAY_ERROR = -5.2, 0.9, 1.8  # K, relative, K
DAY_RESPONSE = 0.29  # relative: 2 / sqrt(12) K of 1-3 K per 100 W m-2, whose middle is 2
NIGHT_MEAN, NIGHT_ERROR = 3.5, 0.7
CONTRAST = {"day": 0.3, "night": 0.5}  # part of a pixel's clear-sky contrast that is left under cloud
NIGHT_KEPT = 0.4  # of the cooling below the air under a clear sky that is left under cloud: 0.25-0.5
AIR_ERROR = {"day": 1.1, "night": 1.0}  # K: of a reanalysis' air temperature at a place and hour, and of the response
UNKNOWN = 0.6  # part of the land under cloud at an overpass: what a day without a granule is taken for
SUN_RANGE = (0.1, 0.9)  # of the clear sky's radiation that comes through a cloud
EXCESS_DAYS = 20.0  # e-folding memory of how far the ground stands above the air in the clear
CLEAR_TRANSMITS = 0.75  # of the radiation at the top of the atmosphere, clear sky (FAO-56, Allen et al. 1998, eq. 37)


@dataclass(frozen=True)
class Air:
    """A reanalysis at an overpass, (R, C): air temperature (K) at sea level; by day the part of the clear sky's
    shortwave radiation that reaches the ground, mean of the cell, None at night."""

    temperature: Tensor
    sun: Tensor | None


def climate_effect(k: str, day: dt.date, latitude: Tensor) -> tuple[Tensor, Tensor]:
    """Effect of complete cloud and its error, K, in the climate of ``latitude`` (degrees), of any shape."""
    if k == "night":
        return torch.full_like(latitude, NIGHT_MEAN), torch.full_like(latitude, NIGHT_ERROR)
    summer = -math.cos(2 * math.pi * (day.timetuple().tm_yday - 15) / 365.25)
    season = summer * (latitude / 35.0).clamp(-1, 1)  # reversed in the south, gone at the equator
    effect = DAY_MEAN * (1 + DAY_SEASON * season)
    return effect, torch.sqrt(DAY_ERROR**2 + (DAY_RESPONSE * effect) ** 2)


def contrast_under_cloud(k: str, clear: Tensor, surroundings: Tensor) -> Tensor:
    """``clear`` (K) with only that part of what it differs from its ``surroundings`` (K) that cloud leaves of it."""
    return surroundings + CONTRAST[k] * (clear - surroundings)


def minus_air_of(before: Tensor | None, days: int, background: Tensor, air: Tensor, seen: Tensor) -> Tensor:
    """How far clear ground stands above the air, (R, C) K: a fading mean over days, by the part ``seen`` of a cell."""
    today = background - air
    if before is None:
        return torch.where(seen > 0, today, torch.nan)
    kept = math.exp(-days / EXCESS_DAYS)
    gain = (1 - kept) * seen.clamp(0, 1)
    moved = before + gain * (today - before)
    return torch.where(torch.isnan(before), torch.where(seen > 0, today, torch.nan), torch.nan_to_num(moved))


def air_effect(k: str, air: Air, background: Tensor, minus_air: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Effect of the cloud there is and its error, K, (R, C); NaN where ``minus_air`` is not known yet."""
    if k == "day" and air.sun is not None:
        # Where part of the cell is clear, the rest has less sun than the mean says.
        kept = ((air.sun - seen) / (1 - seen).clamp(min=0.1)).clamp(*SUN_RANGE)
    else:
        kept = torch.full_like(background, NIGHT_KEPT if k == "night" else sum(SUN_RANGE) / 2)
    return air.temperature + kept * minus_air - background, torch.full_like(background, AIR_ERROR[k])


def clear_sky_radiation(latitude: Tensor, day: dt.date, hour: float) -> Tensor:
    """Shortwave radiation (W m-2) at the ground under a clear sky at ``hour`` local solar time (FAO-56)."""
    doy = day.timetuple().tm_yday
    tilt = 0.409 * math.sin(2 * math.pi * doy / 365 - 1.39)
    near = 1 + 0.033 * math.cos(2 * math.pi * doy / 365)
    phi = torch.deg2rad(latitude)
    up = torch.sin(phi) * math.sin(tilt) + torch.cos(phi) * math.cos(tilt) * math.cos(math.pi * (hour - 12) / 12)
    return CLEAR_TRANSMITS * 1361.0 * near * up.clamp(min=0.0)
