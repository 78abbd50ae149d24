"""The clock: overpass hours in local solar time, and the UTC days and moments they fall on.

MODIS archives date a daily tile in UTC, and its view times are local solar time, UTC + longitude / 15 wrapped to 24 h
(Wan 2013, MOD11 Collection 6 user guide, "Day_view_time"). East of 22.5 degrees the night overpass (about 01:30) in the
file of UTC day D is therefore of local day D + 1, while the day overpass (13:30) is of local day D.
"""

from __future__ import annotations

import datetime as dt
import math

import numpy as np

NIGHT_HOUR = 1.5  # local solar hour of Aqua's and AMSR's night overpass
DAY_HOUR = 13.5
HOURS = {"day": DAY_HOUR, "night": NIGHT_HOUR}
OVERPASSES = tuple(HOURS)


def utc_day(local_day: dt.date, local_hour: float, lon: float) -> dt.date:
    """UTC day of the moment ``local_hour`` (local solar, 0..24) of ``local_day`` at longitude ``lon`` (degrees)."""
    return local_day + dt.timedelta(days=_days_behind(local_hour, lon))


def overpass_utc(day: dt.date, lon: float, hour: float = NIGHT_HOUR) -> np.datetime64:
    """UTC of ``hour`` (local solar time, UTC + lon / 15 h) on ``day`` at longitude ``lon``, to the second."""
    return np.datetime64(day, "s") + np.timedelta64(round((hour - lon / 15) * 3600), "s")


def _days_behind(local_hour: float, lon: float) -> int:
    """Days to add to a local day for its UTC day: -1, 0 or 1."""
    wrapped = (lon + 180) % 360 - 180
    return math.floor((local_hour - wrapped / 15) / 24)
