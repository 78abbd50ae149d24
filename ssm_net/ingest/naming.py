"""Dates, versions and radiometers in the file names of the archives."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator

import numpy as np

from ssm_net.core.days import ONE_DAY

SMAP_L3 = r"(?i)_L3_|SPL3"  # in the names of SMAP's maps of a UTC day
# AMSR_U2_L2_Land_B02_202312312326_D.he5, LPRM-AMSR2_L3_DS_D_SOILM3_V001_20150401013507.nc4,
# LPRM-AMSR_E_L3_D_SOILM3_V002_20020619.nc, SM_RE06_MIR_CDF3SA_20180101T000000_20180101T235959_105_001_8.DBL.nc
LPRM = re.compile(r"LPRM[-_]AMSR(?P<sensor>2|[-_]?E)_L(?P<level>\d)_(?P<fine>DS_)?(?P<way>[AD])_SOILM\d", re.I)
AU_LAND = re.compile(r"AMSR_(?P<sensor>U2|E)_L2_Land_[A-Z]+\d+_(?P<start>\d{12})_(?P<way>[AD])(?![A-Za-z])", re.I)
SMOS_IC = re.compile(r"MIR_CDF3S(?P<way>[AD])_", re.I)
Period = tuple[dt.date, dt.date]  # first and last day, both included

# A time of day may follow a date. Both separators are the same, so that 201601-201612 is two months and no day.
_DAY = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_.]?)([01]\d)\2([0-3]\d)(?=\D|\d{4}(?:\d\d)?(?!\d)|$)")
_DAY_OF_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?([0-3]\d\d)(?!\d)")
_MONTH = re.compile(r"(?<![\dvV])((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])(?!\d)")
_YEAR = re.compile(r"(?<![\dvV])((?:19|20)\d\d)(?!\d)")
_VERSION = re.compile(r"[ ._-]?(?<![A-Za-z])f?v(\d{1,6}(?:\.\d{1,2})*)([A-Za-z]?)(?![\dA-Za-z])", re.I)
_COPY = re.compile(r"[ _-]*(\(\d+\)|copy(?: \d+)?)(?=\.|$)", re.I)
_RADIOMETERS = {
    1: re.compile(r"amsr[-_]?e(?![a-z])", re.I),
    2: re.compile(r"amsr[-_]?2", re.I),
    3: re.compile(r"(?<![a-z])fy(?![a-z])|mwri|fengyun", re.I),
}


def day_in_name(name: str) -> dt.date | None:
    """The first date in a file name: yyyy-mm-dd, yyyymmdd (a time may follow) or yyyyddd; None where there is none."""
    return next((day for _, day in _days(name)), None)


def period_in_name(name: str) -> Period | None:
    """All that the dates in a file name span, first and last day: days, months (yyyymm) and years count whole.

    None where a name has no date. A name says where a file may belong; what it holds is for its content to say.
    """
    found: list[Period] = []
    for span, day in _days(name):
        found.append((day, day))
        name = _blanked(name, span)
    for match in list(_MONTH.finditer(name)):
        year, month = int(match[1]), int(match[3])
        last = calendar.monthrange(year, month)[1]
        found.append((dt.date(year, month, 1), dt.date(year, month, last)))
        name = _blanked(name, match.span())
    found += [(dt.date(int(m[1]), 1, 1), dt.date(int(m[1]), 12, 31)) for m in _YEAR.finditer(name)]
    return (min(first for first, _ in found), max(last for _, last in found)) if found else None


def version_in_name(name: str) -> tuple[str, tuple[tuple[int, ...], str]]:
    """A file name without its version (V07B, fv04.2, v202012.0.0) and marks of copies, and the version as a key that
    sorts by age: two names that differ in nothing else are versions of one file."""
    found = list(_VERSION.finditer(name))
    if not found:
        return _COPY.sub("", name), ((), "")
    match = found[-1]  # a name may state the version of its algorithm before that of the file
    return _COPY.sub("", name[: match.start()] + name[match.end() :]), _key(match)


def radiometer_in_name(name: str) -> int | None:
    """The code of the radiometer that a name of the NNsm family states: 1 AMSR-E, 2 AMSR2, 3 FY-3B; None where it
    states none."""
    return next((code for code, pattern in _RADIOMETERS.items() if pattern.search(name)), None)


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


def amsr_in_name(family: str, name: str) -> tuple[str, bool] | None:
    """The sensor, AMSR-E or AMSR2, that a file of LPRM or of the unified land product is named after, and whether it is
    of the ascending pass, by day; None where the name is not that of the archive."""
    match = {"lprm": LPRM, "au_land": AU_LAND}[family].search(name)
    if match is None:
        return None
    return "AMSR2" if match["sensor"].endswith("2") else "AMSR-E", match["way"].upper() == "A"


def is_enhanced(name: str) -> bool:
    """Whether a file name is that of a SMAP product at 9 km."""
    return "_P_E_" in name.upper()


def is_fengyun(name: str) -> bool:
    """Whether a file name states FY-3B."""
    return radiometer_in_name(name) == 3


def _days(name: str) -> Iterator[tuple[tuple[int, int], dt.date]]:
    """Each whole date in a name, with its place there; days of the year only where there is no calendar date."""
    found = []
    for match in _DAY.finditer(name):
        try:
            found.append((match.span(), dt.date(int(match[1]), int(match[3]), int(match[4]))))
        except ValueError:
            continue
    if not found:
        for match in _DAY_OF_YEAR.finditer(name):
            year, number = int(match[1]), int(match[2])
            if 1 <= number <= 365 + calendar.isleap(year):
                found.append((match.span(), dt.date(year, 1, 1) + (number - 1) * ONE_DAY))
    yield from found


def _blanked(name: str, span: tuple[int, int]) -> str:
    return name[: span[0]] + "|" * (span[1] - span[0]) + name[span[1] :]


def _key(match: re.Match[str]) -> tuple[tuple[int, ...], str]:
    return tuple(int(n) for n in match[1].split(".")), match[2].upper()
