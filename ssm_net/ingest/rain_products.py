"""The table of rain products: how each cuts time where its files do not state it.

Sources: ECMWF, ERA5 and ERA5-Land data documentation ("accumulations"); CMFD user's guide (He et al. 2020: the rate of
3 hours is the mean from -3 h to 0 h); CN05.1 (Wu and Gao 2013: station days from 20:00 to 20:00 Beijing time); CHIRPS
(Funk et al. 2015); IMERG (Huffman et al. 2020); GLDAS-2 README (fields of 3 hours are backward means).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ssm_net.config.rain_day import UTC_DAY, RainDay

BEGINS, ENDS = RainDay("begins"), RainDay("ends")


@dataclass(frozen=True)
class RainProduct:
    """A product and its ``marks`` in a file's name or attributes: where values of a ``day``, and of ``part`` of one,
    lie against their time stamps. ``hour_before``: a value is of one hour, whatever the time between two steps."""

    name: str
    marks: re.Pattern[str]
    day: RainDay
    part: RainDay
    hour_before: bool = False


ERA5_LAND = RainProduct("ERA5-Land", re.compile(r"era[-_ ]?5[-_ ]?land"), ENDS, ENDS)
ERA5 = RainProduct("ERA5", re.compile(r"era[-_ ]?5"), UTC_DAY, ENDS, hour_before=True)
RAIN_PRODUCTS = (
    ERA5_LAND,
    RainProduct("CMFD", re.compile(r"cmfd|china meteorological forcing|itpcas"), UTC_DAY, ENDS),
    RainProduct("CN05.1", re.compile(r"cn05"), RainDay.hour(20 - 8), ENDS),
    RainProduct("CHIRPS", re.compile(r"chirps?\b|chirps?[-_.]"), UTC_DAY, BEGINS),
    RainProduct("IMERG", re.compile(r"imerg|3b-(hhr|day)"), UTC_DAY, BEGINS),
    RainProduct("GLDAS", re.compile(r"gldas"), UTC_DAY, ENDS),
    ERA5,
)


def rain_product(marks: str) -> RainProduct | None:
    """The product whose marks are in ``marks``, a file's name and attributes; ``None`` where none is known."""
    return next((product for product in RAIN_PRODUCTS if product.marks.search(marks.lower())), None)
