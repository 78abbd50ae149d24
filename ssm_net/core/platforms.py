"""The table of platforms with thermal imagers: the local solar hour at which each passes, by date.

It counts where a file does not state the time of each view. Sources: NASA's plans of the last years of Terra and Aqua
(no manoeuvre of inclination since 2020 and 2021: Terra at 10:15 in October 2022, about 9:00 at the end of 2025 and 8:30
at the end of 2026; Aqua at 15:50 in August 2026); NOAA (VIIRS), ESA (ATSR, SLSTR). Hours are those of the
equator; a swath sees a place up to ``spread`` earlier or later. Suomi NPP, NOAA-20 and NOAA-21 fly in one plane, kept
at 13:30; VIIRS delivers LST from 19 January 2012, 5 January 2018 and 10 February 2023 on (LP DAAC).
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np

from ssm_net.core.clock import HOURS

HALF_SWATH = 11.0  # degrees of arc from the middle of a swath of 2330 km (MODIS) to its edge
HALF_SWATH_OF_VIIRS = 14.0  # of 3060 km
LATITUDE_OF_TURN = 81.8  # degrees, the highest latitude of a ground track of inclination 98.2 degrees
MARGIN = 1.0  # h, by which the table may be wrong


@dataclass(frozen=True)
class Platform:
    """A sun-synchronous platform; ``course`` is its hour by day at some dates: linear between them, constant before the
    first and after the last. It passes by night 12 h before; ``half_swath`` degrees of arc are seen to either side."""

    name: str
    course: tuple[tuple[dt.date, float], ...]
    half_swath: float = HALF_SWATH

    def hour(self, overpass: str, day: dt.date) -> float:
        """Local solar hour (0..24) of its ``day`` or ``night`` overpass at the equator on ``day``."""
        dates, hours = zip(*((date.toordinal(), hour) for date, hour in self.course), strict=True)
        by_day = float(np.interp(day.toordinal(), dates, hours))
        return by_day if overpass == "day" else (by_day + 12) % 24

    def off(self, overpass: str, day: dt.date) -> float:
        """Hours by which it passes before or after the hour of the product, 13:30 by day and 1:30 by night."""
        late = (self.hour(overpass, day) - HOURS[overpass]) % 24
        return min(late, 24 - late)

    def spread(self, lat: float) -> float:
        """Hours by which a view at latitude ``lat`` (degrees) may be earlier or later than its hour."""
        return spread(lat, self.half_swath)


LAUNCH = dt.date(1999, 12, 18)
VIIRS = ("snpp", "noaa-20", "noaa-21")
PLATFORMS = {
    name: Platform(name, course, HALF_SWATH_OF_VIIRS if name in VIIRS else HALF_SWATH)
    for name, course in {
        "terra": (
            (dt.date(2020, 3, 1), 10.5), (dt.date(2021, 7, 1), 10.42), (dt.date(2022, 10, 1), 10.25),
            (dt.date(2024, 1, 1), 9.9), (dt.date(2025, 12, 15), 9.0), (dt.date(2026, 12, 1), 8.5),
        ),
        "aqua": (
            (dt.date(2021, 12, 1), 13.5), (dt.date(2023, 1, 1), 13.75), (dt.date(2024, 7, 1), 14.4),
            (dt.date(2025, 7, 1), 15.05), (dt.date(2026, 8, 15), 15.83),
        ),
        "snpp": ((LAUNCH, 13.5),),
        "noaa-20": ((LAUNCH, 13.5),),
        "noaa-21": ((LAUNCH, 13.5),),
        "ers-2": ((LAUNCH, 10.5),),
        "envisat": ((LAUNCH, 10.0),),
        "sentinel-3": ((LAUNCH, 10.0),),
    }.items()
}  # fmt: skip
# The names of sensors in the files of ESA CCI.
OF_SENSOR = {
    "MODISA": "aqua", "MODIST": "terra", "ATSR": "ers-2", "AATSR": "envisat", "SLSTR": "sentinel-3",
    "VIIRSJ": "noaa-20", "VIIRS": "snpp",
}  # fmt: skip


def platform(name: str) -> Platform:
    """The platform of this name; Aqua, at whose hours the product is defined, where there is none."""
    return PLATFORMS.get(name.lower(), PLATFORMS["aqua"])


def platform_of_sensor(text: str) -> Platform | None:
    """The platform of the sensor that a file's name contains as ESA CCI writes it; None where there is none."""
    upper = text.upper()
    longest = sorted(OF_SENSOR, key=len, reverse=True)
    return next((PLATFORMS[OF_SENSOR[s]] for s in longest if s in upper), None)


def spread(lat: float, half_swath: float = HALF_SWATH) -> float:
    """Hours by which a view at latitude ``lat`` (degrees) may be earlier or later than the platform's hour: the turn of
    its track, ``half_swath`` (degrees of arc) and ``MARGIN``; 12 near the poles, which are seen at all hours."""
    steep = math.tan(math.radians(min(abs(lat), 89.0))) / math.tan(math.radians(LATITUDE_OF_TURN))
    if steep >= 1:
        return 12.0
    across = half_swath / math.cos(math.radians(lat))
    return min(12.0, (math.degrees(math.asin(steep)) + across) / 15 + MARGIN)
