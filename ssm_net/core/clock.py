"""The clock: overpass hours in local solar time, and the UTC days and moments they fall on.

MODIS archives date a daily tile in UTC, and its view times are local solar time, UTC + longitude / 15 wrapped to 24 h
(Wan 2013, MOD11 Collection 6 user guide, "Day_view_time"). East of 22.5 degrees the night overpass (about 01:30) in the
file of UTC day D is therefore of local day D + 1, while the day overpass (13:30) is of local day D.

A day of the product is given the views nearest to its hours, 01:30 and 13:30, that do not come after its end: by night
those from 13:30 of the day before to 13:30 (Terra's 22:30 is of the evening before), by day those of the local day.

A domain across the dateline keeps the day of its western part: its longitudes run on beyond 180, so that local solar
time (UTC + longitude / 15) does too, and the views of a day are of one moment on both sides. The local calendar east
of the dateline calls it the day before.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

NIGHT_HOUR = 1.5  # local solar hour of Aqua's and AMSR's night overpass
DAY_HOUR = 13.5
HOURS = {"day": DAY_HOUR, "night": NIGHT_HOUR}
OVERPASSES = tuple(HOURS)
ONE_HOUR_WIDE = 15.0  # degrees
# The local hours, counted from the midnight that begins the day, of the views that a day takes: [first, end).
VIEWS = {"day": (0.0, 24.0), "night": (NIGHT_HOUR - 12, NIGHT_HOUR + 12)}


def utc_day(local_day: dt.date, local_hour: float, lon: float) -> dt.date:
    """UTC day of the moment ``local_hour`` (local solar, 0..24) of ``local_day`` at longitude ``lon`` (degrees, beyond
    180 east of a dateline that the domain crosses)."""
    seconds = round((local_hour - lon / 15) * 3600, 6)  # as exact as datetime
    return local_day + dt.timedelta(days=math.floor(seconds / 86400))


def overpass_utc(day: dt.date, lon: float, hour: float = NIGHT_HOUR) -> np.datetime64:
    """UTC of ``hour`` (local solar time, UTC + lon / 15 h) on ``day`` at longitude ``lon``, to the second."""
    return np.datetime64(day, "s") + np.timedelta64(round((hour - lon / 15) * 3600), "s")


def is_wide(lons: tuple[float, float]) -> bool:
    """Whether an area between these longitudes (western and eastern end, degrees) is too wide for the local solar time
    of its middle: by half an hour at its ends, less than the steps of most rain and reanalysis files tell apart."""
    return lons[1] - lons[0] > ONE_HOUR_WIDE


def hour_bands(lon: np.ndarray) -> list[tuple[slice, float]]:
    """Bands of columns at the longitudes ``lon`` (ascending), each at most 15 degrees wide, so that one local solar
    time does for it, and the longitude of its middle."""
    count = math.ceil((lon[-1] - lon[0]) / ONE_HOUR_WIDE)
    edges = np.linspace(0, lon.size, count + 1).round().astype(int).tolist()
    return [(slice(a, b), float(lon[a:b].mean())) for a, b in pairwise(edges) if b > a]


def nearest_view(overpass: str, hour: float) -> float:
    """The view at local solar ``hour`` (0..24) that a day takes for its ``overpass``, in hours from the local midnight
    that begins the day: below 0 in the evening before."""
    first, end = VIEWS[overpass]
    return hour - 24 * ((hour >= end) - (hour < first))


def filed_days(
    day: dt.date, overpass: str, hour: float, spread: float, lons: tuple[float, float], *, utc: bool = True
) -> tuple[dt.date, ...]:
    """The days under which an archive may file the views that ``day`` takes for its ``overpass``, in order.

    The platform passes within ``spread`` hours of the local solar ``hour``; ``lons`` are the western and eastern end of
    the area. Files are cut at 00:00 UTC, or else at local midnight.
    """
    first, end = VIEWS[overpass]
    middle = nearest_view(overpass, hour)
    whole = spread >= 12
    early = first if whole else max(middle - spread, first)
    late = end - 1e-6 if whole else min(middle + spread, end - 1e-6)
    if utc:
        early, late = early - lons[1] / 15, late - lons[0] / 15
    return tuple(day + dt.timedelta(n) for n in range(math.floor(early / 24), math.floor(late / 24) + 1))


def view_moments(filed: dt.date, day: dt.date, hour: np.ndarray, lon: np.ndarray, *, utc: bool = True) -> np.ndarray:
    """Moments of the views in a file, in local hours from the midnight that begins ``day``; arrays broadcast.

    ``hour`` is their local solar time (0..24), ``lon`` their longitude (-180..180); the file is of the UTC (or else
    local) day ``filed``.
    """
    moments = hour + np.float32(24 * (filed - day).days)
    if utc:
        ahead = lon / np.float32(15)
        # The UTC hour, local hour minus ``ahead``, lies in 0..24 of the day that the file is of.
        moments = moments + 24 * ((hour < ahead).astype(np.float32) - (hour - ahead >= 24))
    return moments


def taken(overpass: str, moments: np.ndarray | Sequence[float] | float) -> np.ndarray:
    """Whether a day takes views at these ``moments`` (as of ``view_moments``) for its ``overpass``; False where NaN."""
    first, end = VIEWS[overpass]
    at = np.asarray(moments)
    return (at >= first) & (at < end)
