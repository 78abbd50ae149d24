"""The days of the year as places on a calendar of 366 days, and the windows around them.

A day has the place of its month and day in a leap year, counted from 0: 29 February is 59, and 1 March is 60 in every
year. A window runs on over the end of the year. In a year without 29 February a window across it holds one day less;
29 February itself has a window in every year.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

LEAP_YEAR = 2000
PLACES = 366


def place_of(day: dt.date) -> int:
    """0 to 365."""
    return day.replace(year=LEAP_YEAR).timetuple().tm_yday - 1


def places_of_month(month: int) -> range:
    """The places of the days of a month (1 to 12), 29 February included."""
    first = dt.date(LEAP_YEAR, month, 1)
    return range(place_of(first), place_of(first) + days_of_month(LEAP_YEAR, month))


def window_places(place: int, half: int) -> list[int]:
    """The places of the window of ``half`` days on each side, in order of the calendar."""
    return [(place + step) % PLACES for step in range(-half, half + 1)]


def days_of_month(year: int, month: int) -> int:
    return (month_end(year, month) - dt.date(year, month, 1)).days


def month_end(year: int, month: int) -> dt.date:
    """The first day after a month."""
    return dt.date(year + month // 12, month % 12 + 1, 1)


def representative_day(place: int, years: Sequence[int]) -> dt.date:
    """The day that stands for a place of the calendar on a time axis: of the leap year that is nearest to the middle of
    the first and last of ``years``."""
    middle = (years[0] + years[-1]) / 2
    leap = [year for year in range(years[0] - 8, years[-1] + 9) if _is_leap(year)]
    year = min(leap, key=lambda y: (not years[0] <= y <= years[-1], abs(y - middle)))
    return dt.date(year, 1, 1) + dt.timedelta(place)


def climatology_bounds(place: int, half: int, years: Sequence[int]) -> tuple[dt.date, dt.date]:
    """Begin and end of the climatological interval of a place (CF 1.11, section 7.4): from the first day of its window
    in the first of ``years`` to the day after its window in the last, no further than these years."""
    step, year_begin, year_end = dt.timedelta(half), dt.date(years[0], 1, 1), dt.date(years[-1] + 1, 1, 1)
    first, last = (_day_in(year, place) for year in (years[0], years[-1]))
    return max(first - step, year_begin), min(last + step + dt.timedelta(1), year_end)


def _day_in(year: int, place: int) -> dt.date:
    """The day of a year at a place; 29 February of other years is 1 March."""
    day = dt.date(LEAP_YEAR, 1, 1) + dt.timedelta(place)
    if (day.month, day.day) == (2, 29) and not _is_leap(year):
        return dt.date(year, 3, 1)
    return day.replace(year=year)


def _is_leap(year: int) -> bool:
    return days_of_month(year, 2) == 29
