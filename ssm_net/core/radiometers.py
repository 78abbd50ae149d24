"""The table of radiometers behind the coarse products: period, error and overpass hour of each.

Periods: NSIDC (AMSR-E, SMAP), JAXA (AMSR2), NSMC (FY-3B MWRI), ESA (SMOS). Errors are those of a single overpass where
the product states none: for the neural-network family the level of its validation, 0.05 m3 m-3 for FY-3B with its
coarser calibration (Yao et al. 2021, Sci. Data 8, 143); for the unified land product the accuracy that AMSR-E was
built for, 0.06 m3 m-3 (Njoku et al. 2003, IEEE Trans. Geosci. Remote Sens. 41, 215).

``lasting`` is how far the mean of a cell is off, over all days. No product states it. The numbers are our judgement of
what validation at dense networks found, where sites differ by this much and more: 0.02 m3 m-3 for retrievals at L band
with careful maps of vegetation and soil (SMAP), 0.03 for those that were trained on or scaled to such a record, 0.05
for those at C and X band, which know the vegetation only from themselves.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Radiometer:
    """``code`` is its value in the cube's ``source``, 0 there for no observation; ``sigma`` its standard error, m3 m-3,
    None where the product or the settings give it; ``overpass`` the local solar time (h) of the pass that is used.

    ``lasting`` is the standard deviation of the error that stays in a cell, m3 m-3. Two records of one ``instrument``
    share its noise: they are no independent observations.
    """

    code: int
    name: str
    first: dt.date
    last: dt.date | None
    sigma: float | None
    overpass: float
    instrument: str
    lasting: float


_AMSRE, _AMSR2 = (dt.date(2002, 6, 19), dt.date(2011, 10, 4)), (dt.date(2012, 7, 2), None)
_MANY = "several"

RADIOMETERS = (
    Radiometer(1, "AMSR-E", *_AMSRE, None, 1.5, "AMSR-E", 0.03),
    Radiometer(2, "AMSR2", *_AMSR2, None, 1.5, "AMSR2", 0.03),
    Radiometer(3, "FY-3B MWRI", dt.date(2010, 11, 18), dt.date(2019, 8, 19), 0.05, 1.7, "MWRI", 0.03),
    Radiometer(4, "SMAP", dt.date(2015, 3, 31), None, None, 6.0, "SMAP", 0.02),
    Radiometer(5, "C3S/CCI passive, AMSR2", *_AMSR2, None, 1.5, _MANY, 0.03),
    Radiometer(6, "C3S/CCI passive, other or several sensors", dt.date(1978, 11, 1), None, None, 1.5, _MANY, 0.03),
    Radiometer(7, "C3S/CCI passive, SMOS", dt.date(2010, 1, 15), None, None, 6.0, _MANY, 0.03),
    Radiometer(8, "AMSR-E (LPRM)", *_AMSRE, None, 1.5, "AMSR-E", 0.05),
    Radiometer(9, "AMSR2 (LPRM)", *_AMSR2, None, 1.5, "AMSR2", 0.05),
    Radiometer(10, "AMSR-E by day (LPRM)", *_AMSRE, None, 13.5, "AMSR-E", 0.05),
    Radiometer(11, "AMSR2 by day (LPRM)", *_AMSR2, None, 13.5, "AMSR2", 0.05),
    Radiometer(12, "AMSR-E (unified)", *_AMSRE, 0.06, 1.5, "AMSR-E", 0.05),
    Radiometer(13, "AMSR2 (unified)", *_AMSR2, 0.06, 1.5, "AMSR2", 0.05),
    Radiometer(14, "AMSR-E by day (unified)", *_AMSRE, 0.06, 13.5, "AMSR-E", 0.05),
    Radiometer(15, "AMSR2 by day (unified)", *_AMSR2, 0.06, 13.5, "AMSR2", 0.05),
    Radiometer(16, "SMOS", dt.date(2010, 1, 15), None, None, 6.0, "SMOS", 0.03),
)
BY_CODE = {r.code: r for r in RADIOMETERS}
# C3S and CCI merge sensors into one record, scaled to each other: they are intercalibrated as one.
MERGED = (5, 6, 7)
DAY_PASS = 13.5  # local solar hour of AMSR's ascending pass
# Records of AMSR by product: of AMSR-E and AMSR2, by night and by day.
AMSR_RECORDS = {
    (family, sensor, by_day): 8 + n
    for n, (family, by_day, sensor) in enumerate(
        (family, by_day, sensor)
        for family in ("lprm", "au_land")
        for by_day in (False, True)
        for sensor in ("AMSR-E", "AMSR2")
    )
}


def record_of(code: int) -> int:
    """The code under which a source is intercalibrated: its own, for merged records the first of theirs."""
    return MERGED[0] if code in MERGED else code


def name_of(code: int) -> str:
    """The name of a record, as maps and reports give it."""
    return "C3S/CCI passive" if code == MERGED[0] else BY_CODE[code].name


def by_day(code: int) -> bool:
    """Whether a record is of a pass at about 13:30, after the night overpass that the maps are of."""
    return BY_CODE[code].overpass == DAY_PASS
