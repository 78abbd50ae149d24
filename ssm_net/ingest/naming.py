"""Dates and sensors in the file names of the archives."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np

from ssm_net.core.days import ONE_DAY

SMAP_L3 = r"(?i)_L3_|SPL3"  # in the names of SMAP's maps of a UTC day


def day_in_name(name: str) -> dt.date | None:
    """The first date in a file name: yyyy-mm-dd, yyyymmdd (a time may follow) or yyyyddd; None where there is none."""
    for y, m, d in re.findall(r"(?<!\d)((?:19|20)\d\d)[-_]?([01]\d)[-_]?([0-3]\d)(?=\D|\d{4}(?:\d\d)?(?!\d)|$)", name):
        try:
            return dt.date(int(y), int(m), int(d))
        except ValueError:
            continue
    for y, doy in re.findall(r"(?<!\d)((?:19|20)\d\d)([0-3]\d\d)(?!\d)", name):
        if 1 <= int(doy) <= 366:
            return dt.date(int(y), 1, 1) + (int(doy) - 1) * ONE_DAY
    return None


def moment_in_name(name: str) -> np.datetime64 | None:
    """The moment in a file name, UTC: yyyymmddThhmmss, or else the midnight that begins the first date in it; None
    where there is none."""
    match = re.search(r"(?<!\d)((?:19|20)\d\d[01]\d[0-3]\dT[0-2]\d[0-5]\d[0-5]\d)(?!\d)", name)
    if match:
        try:
            return np.datetime64(dt.datetime.strptime(match[1], "%Y%m%dT%H%M%S").isoformat(), "s")
        except ValueError:  # digits that are no date
            pass
    day = day_in_name(name)
    return None if day is None else np.datetime64(day.isoformat(), "s")


def is_fengyun(name: str) -> bool:
    """Whether a file name contains FY, the sign of FY-3B."""
    return re.search(r"(?<![A-Za-z])FY(?![A-Za-z])", name) is not None
