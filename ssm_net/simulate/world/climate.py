"""The climate of a world: seasons of temperature, rain, cloud and potential evaporation at its place.

The seasons of the southern hemisphere are half a year later. Families A, B and C know one climate, that of China;
the wide families draw theirs for the latitude of the domain.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

HALF_YEAR = 183  # days
YEAR = 365.25


def season(doy: int) -> float:
    """-1 in the middle of the local winter, 1 in that of the local summer; ``doy`` as of ``season_day``."""
    return -math.cos(2 * math.pi * (doy - 15) / YEAR)


def season_day(date: dt.date, latitude: float) -> int:
    """The day of the year, 1 .. 366, counted from the first of July in the southern hemisphere."""
    doy = date.timetuple().tm_yday
    return doy if latitude >= 0 else (doy + HALF_YEAR - 1) % 365 + 1


@dataclass(frozen=True)
class Climate:
    """Means and seasons. ``air`` and its half range ``swing`` in K at ``altitude`` m; ``moist`` 0 (arid) .. 1 (humid)
    at ``centre`` (degrees east and north), growing by ``east`` and ``north`` a degree; ``rain`` multiplies the chance
    of rain, ``rain_season`` is the half range of that chance, relative, ``rain_phase`` days after mid-summer;
    ``amount_season`` that of the rain of a wet day, ``cloud_season`` that of cloud cover; ``demand`` and
    ``demand_swing`` mm d-1."""

    air: float = 281.5
    swing: float = 13.5
    altitude: float = 1250.0
    moist: float = 0.48
    centre: tuple[float, float] = (108.0, 37.0)
    east: float = 0.012
    north: float = -0.022
    rain: float = 1.0
    rain_season: float = 0.5
    rain_phase: int = 0
    amount_season: float = 0.25
    cloud_season: float = 0.04
    demand: float = 2.7
    demand_swing: float = 1.6

    def potential_evaporation(self, doy: int) -> float:
        """Potential evaporation of a day half under cloud, mm."""
        return self.demand + self.demand_swing * season(doy - 8)


CHINA = Climate()  # humid to the south-east
