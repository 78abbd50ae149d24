"""A record of some winters in small maps: soil moisture of each day and pixel is known by a formula."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from ssm_net.formats.mosaic_days import Flag, Mosaic, write_day
from ssm_net.formats.product import pack, unpack
from ssm_net.grid import Domain

DOMAIN = Domain("test", (60, 64, 700, 704))
YEARS = range(2019, 2023)  # 2020 is a leap year
LAKE = slice(0, 20), slice(0, 30)
LATE = slice(30, 40), slice(None)  # without a value before March
ERRORS = {"uncertainty_region": 0.01, "uncertainty_cell_observed": 0.25, "uncertainty_cell_gap": 0.6}
SIGMA = 0.05
MISSING = dt.date(2019, 3, 1)
PROVISIONAL = dt.date(2022, 3, 5)


def days() -> list[dt.date]:
    """24 February to 5 March of each year but one day."""
    out = []
    for year in YEARS:
        first = dt.date(year, 2, 24)
        out += [first + dt.timedelta(n) for n in range((dt.date(year, 3, 5) - first).days + 1)]
    return [day for day in out if day != MISSING]


def soil(day: dt.date) -> np.ndarray:
    """What a map of the day holds, float32 (rows, cols) in m3 m-3, NaN where it has no value."""
    rng = np.random.default_rng(day.toordinal())
    ssm = 0.2 + 0.02 * (day.year - 2020) + 0.01 * rng.normal() + 0.01 * rng.normal(size=DOMAIN.fine_shape)
    ssm[LAKE] = np.nan
    if day.month < 3:
        ssm[LATE] = np.nan
    return unpack(pack(ssm.clip(0, 1).astype("float32")))


def mosaic(day: dt.date) -> Mosaic:
    """In the west the radiometer saw the cells on even days."""
    ssm = soil(day)
    flags = np.full(DOMAIN.fine_shape, Flag.ORBIT_GAP_FILLED | Flag.LST_FILLED, np.uint16)
    if day.toordinal() % 2 == 0:
        flags[:, :72] = Flag.COARSE_OBSERVED | Flag.LST_SEEN
    flags[LAKE] = Flag.WATER
    if day.month < 3:
        flags[LATE] = Flag.FROZEN_OR_SNOW
    attrs: dict = {
        "model": "ssm_net",
        "checkpoint": "ab12",
        "platform": "GCOM-W1",
        "input_citations": "A: by A\nB: by B",
    }
    if day == PROVISIONAL:
        flags |= np.uint16(Flag.PROVISIONAL)
        attrs |= {"status": "provisional", "platform": "Aqua"}
    sigma = np.where(np.isnan(ssm), np.nan, SIGMA).astype("float32")
    return Mosaic(day, DOMAIN, ssm, sigma, flags, ERRORS | attrs)


def write_record(folder: Path, format: str = "netcdf") -> Path:
    for day in days():
        write_day(mosaic(day), folder, format)
    return folder
