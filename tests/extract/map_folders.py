"""Folders of small maps in all formats: soil moisture tells each pixel's place; with a lake and a frozen corner."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from ssm_net.formats.mosaic_days import Flag, Mosaic, write_day
from ssm_net.grid import Domain

FIRST = dt.date(2016, 6, 7)
DAYS = [FIRST, FIRST + dt.timedelta(1), FIRST + dt.timedelta(3)]  # one day has no map
DOMAIN = Domain("test", (60, 64, 700, 708))
LAKE = slice(40, 60), slice(100, 150)
FROZEN = slice(0, 36), slice(0, 36)
ERRORS = {"uncertainty_region": 0.01, "uncertainty_cell_observed": 0.25, "uncertainty_cell_gap": 0.6}
PACKING = 5.1e-5  # m3 m-3: half a count, and the rounding of float32


def plane(lon: np.ndarray, lat: np.ndarray, number: int, middle: tuple[float, float] = (83, 44)) -> np.ndarray:
    """Soil moisture of the day with this number, m3 m-3."""
    return 0.25 + 0.02 * (lon - middle[0]) + 0.03 * (lat - middle[1]) + 0.01 * number


def write_maps(folder: Path, format: str, attrs: dict | None = None, domain: Domain = DOMAIN) -> Path:
    """Orbit gaps in the east; the standard error is 0.05, on the second day 0.04."""
    lon, lat = domain.lonlat()
    for number, day in enumerate(DAYS):
        middle = (83, 44) if domain == DOMAIN else (lon.mean(), lat.mean())
        ssm = plane(lon[None, :], lat[:, None], number, middle).astype("float32")
        flags = np.full(domain.fine_shape, Flag.COARSE_OBSERVED | Flag.LST_SEEN, np.uint16)
        flags[:, 144:] = Flag.ORBIT_GAP_FILLED | Flag.LST_FILLED
        ssm[LAKE], flags[LAKE] = np.nan, Flag.WATER
        if number == 2:
            ssm[FROZEN], flags[FROZEN] = np.nan, Flag.FROZEN_OR_SNOW
        sigma = np.where(np.isnan(ssm), np.nan, 0.04 if number == 1 else 0.05).astype("float32")
        write_day(Mosaic(day, domain, ssm, sigma, flags, dict(ERRORS if attrs is None else attrs)), folder, format)
    return folder
