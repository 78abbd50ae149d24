"""The table of radiometers behind the coarse products: period, error and overpass hour of each.

Periods: NSIDC (AMSR-E, SMAP), JAXA (AMSR2), NSMC (FY-3B MWRI). Errors are those of a single overpass where the product
states none: for the neural-network family the level of its validation, 0.05 m3 m-3 for FY-3B with its coarser
calibration (Yao et al. 2021, Sci. Data 8, 143).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class Radiometer:
    """``code`` is its value in the cube's ``source``, 0 there for no observation; ``sigma`` its standard error, m3 m-3,
    None where the product or the settings give it; ``overpass`` the local solar time (h) of the pass that is used."""

    code: int
    name: str
    first: dt.date
    last: dt.date | None
    sigma: float | None
    overpass: float


RADIOMETERS = (
    Radiometer(1, "AMSR-E", dt.date(2002, 6, 19), dt.date(2011, 10, 4), None, 1.5),
    Radiometer(2, "AMSR2", dt.date(2012, 7, 2), None, None, 1.5),
    Radiometer(3, "FY-3B MWRI", dt.date(2010, 11, 18), dt.date(2019, 8, 19), 0.05, 1.7),
    Radiometer(4, "SMAP", dt.date(2015, 3, 31), None, None, 6.0),
    Radiometer(5, "C3S/CCI passive, AMSR2", dt.date(2012, 7, 2), None, None, 1.5),
    Radiometer(6, "C3S/CCI passive, other or several sensors", dt.date(1978, 11, 1), None, None, 1.5),
    Radiometer(7, "C3S/CCI passive, SMOS", dt.date(2010, 1, 15), None, None, 6.0),
)
BY_CODE = {r.code: r for r in RADIOMETERS}
# C3S and CCI merge sensors into one record, scaled to each other: they are intercalibrated as one.
MERGED = (5, 6, 7)


def record_of(code: int) -> int:
    """The code under which a source is intercalibrated: its own, for merged records the first of theirs."""
    return MERGED[0] if code in MERGED else code


def name_of(code: int) -> str:
    """The name of a record, as maps and reports give it."""
    return "C3S/CCI passive" if code == MERGED[0] else BY_CODE[code].name
