"""Hours from the night overpass of a day (01:30 local solar time) to observations, by the times that a file states."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.core.radiometers import DAY_PASS
from ssm_net.grid import Domain
from ssm_net.ingest.naming import moment_in_name
from ssm_net.ingest.raster import GranuleError

TAI_93 = np.datetime64("1993-01-01T00:00:00", "s")  # from which AMSR's products count; leap seconds do not matter here


def hours_from_night(seconds: np.ndarray, origin: np.datetime64, lon: np.ndarray, day: dt.date) -> np.ndarray:
    """Of moments, ``seconds`` (UTC) after ``origin``, at longitudes ``lon`` (degrees); arrays broadcast, NaN stays."""
    since = seconds / 3600 + float((origin - np.datetime64(day, "s")) / np.timedelta64(1, "h"))
    return since + lon / 15 - NIGHT_HOUR


def hours_of_utc_map(path: Path, lon: np.ndarray, day: dt.date, hour: float) -> np.ndarray:
    """Of what is seen at local solar ``hour`` in a map of the UTC day that its name states, same shape as ``lon``.

    Raises ``GranuleError`` where its name states none.
    """
    return named_hours(path, day) + (hour - lon / 15) % 24 + lon / 15 - NIGHT_HOUR


def named_hours(path: Path, day: dt.date) -> float:
    """Hours of UTC from the midnight that begins ``day`` to the moment in the name of a file.

    Raises ``GranuleError`` where it holds none.
    """
    moment = moment_in_name(path.name)
    if moment is None:
        raise GranuleError(path, "no time of observation, in the file or in its name", day=day)
    return float((moment - np.datetime64(day, "s")) / np.timedelta64(1, "h"))


def of_day(hours: np.ndarray, *, by_day: bool = False) -> np.ndarray:
    """Whether observations are of the day that ``hours`` are counted for: nearest to its night overpass, or else to its
    day overpass, 12 hours later; False where NaN."""
    return np.abs(hours - (DAY_PASS - NIGHT_HOUR if by_day else 0.0)) < 12


def of_another_day(known: np.ndarray, seen: np.ndarray) -> bool:
    """Whether a file has values, where ``known``, and none of them ``seen`` on the day: it was looked into because it
    might have had."""
    return bool(known.any()) and not bool((known & seen).any())


def nowhere(domain: Domain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Soil moisture, its error and the hours of a file without a value, each (R, C), NaN."""
    value, error, hours = np.full((3, *domain.coarse_shape), np.nan, np.float32)
    return value, error, hours
