"""The time axis of a NetCDF file: the moments of its steps, and the intervals that the file itself states, in UTC.

Calendars are those of the CF conventions, 4.4.1. ``standard``, ``gregorian`` and ``proleptic_gregorian`` are the civil
calendar; a ``noleap`` date is the civil day of the same name. ``julian``, in which AppEEARS counts days since 2000, has
the days of the civil calendar from 1901 to 2099. The others have days that the civil calendar lacks, and are refused.
``day as %Y%m%d.%f`` is the axis of ``cdo -a``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from ssm_net.ingest.raster import GranuleError

TIME_NAMES = ("time", "valid_time", "t")
ONE_UTC_DAY = np.timedelta64(1, "D")
CIVIL = ("standard", "gregorian", "proleptic_gregorian", "none", "")
NO_LEAP = ("noleap", "365_day")
JULIAN = np.datetime64("1901-01-01"), np.datetime64("2099-12-31")  # every fourth year leaps in both calendars
SECONDS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "h": 3600,
           "day": 86400, "d": 86400}  # fmt: skip
SINCE = re.compile(
    r"\s*([a-z]+?)s?\s+since\s+(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[ t]+(\d{1,2}):?(\d{2})?:?([\d.]*))?", re.I
)


def time_name(dataset: xr.Dataset) -> str | None:
    """The name of the time axis, ``None`` where the file has none."""
    return next((name for name in TIME_NAMES if name in dataset.variables), None)


def times(path: Path, dataset: xr.Dataset) -> np.ndarray:
    """The moments of the steps, datetime64[s] UTC; empty where the file has no time axis, or one number without units.

    Raises ``GranuleError`` where the axis cannot be understood, or has a calendar with days of its own.
    """
    name = time_name(dataset)
    if name is None:
        return np.empty(0, "datetime64[s]")
    values = np.atleast_1d(dataset[name].values).ravel()
    if values.size == 1 and not np.issubdtype(values.dtype, np.datetime64) and "units" not in dataset[name].attrs:
        return np.empty(0, "datetime64[s]")
    return _decoded(path, name, values, {**dataset[name].encoding, **dataset[name].attrs})


def unit_and_origin(path: Path, variable: xr.DataArray) -> tuple[int, np.datetime64]:
    """Of a variable in units such as ``seconds since 1981-01-01``: the seconds of its unit, and the moment of its 0.

    Raises ``GranuleError`` as ``times``.
    """
    attributes = {**variable.encoding, **variable.attrs}
    match, name = SINCE.match(str(attributes.get("units", ""))), str(variable.name)
    (origin,) = _decoded(path, name, np.zeros(1, np.int64), attributes)
    if match is None or match[1].lower() not in SECONDS:
        raise GranuleError(path, f"counts in {attributes.get('units')!r}", layer=name,
                           remedy="use files as the archive delivers them")  # fmt: skip
    return SECONDS[match[1].lower()], origin


def stated_intervals(path: Path, dataset: xr.Dataset) -> np.ndarray | None:
    """Start and end of the interval of each step as the file states them, (n, 2) datetime64[s] UTC, or ``None``.

    By the bounds that the time axis names; else by the attributes ``time_coverage_start`` and ``_end`` of a file with
    one step. Raises ``GranuleError`` as ``times``.
    """
    name = time_name(dataset)
    attributes = {} if name is None else {**dataset[name].encoding, **dataset[name].attrs}
    named = (attributes.get("bounds"), "time_bnds", "time_bounds", "valid_time_bnds")
    bounds = next((b for b in named if b and b in dataset.variables), None)
    if bounds is not None and name is not None:
        raw = np.asarray(dataset[bounds].values).reshape(-1, 2)
        attributes = {**attributes, **dataset[bounds].attrs}  # most bounds have none of their own
        edges = np.sort(_decoded(path, bounds, raw.ravel(), attributes).reshape(-1, 2), axis=1)
        if _calendar(attributes) in NO_LEAP:  # 28 February does not last until 1 March of a leap year
            edges[:, 1] = edges[:, 0] + _lengths(str(attributes["units"]), raw)
        return edges if (edges[:, 0] < edges[:, 1]).all() else None
    stamps = times(path, dataset)
    covered = [_moment(dataset.attrs.get(f"time_coverage_{edge}")) for edge in ("start", "end")]
    if stamps.size <= 1 and covered[0] is not None and covered[1] is not None:
        begin, end = covered[0], covered[1]
        end = end + np.timedelta64(1, "s") if str(end).endswith("59") else end
        # Some files state the coverage of their whole record there.
        if begin < end <= begin + 32 * ONE_UTC_DAY and (stamps.size == 0 or begin <= stamps[0] <= end):
            return np.array([[begin, end]])
    return None


def _decoded(path: Path, name: str, values: np.ndarray, attributes: Mapping[Hashable, object]) -> np.ndarray:
    """Stored numbers of the axis or the bounds ``name`` as datetime64[s], rounded to seconds."""
    if np.issubdtype(values.dtype, np.datetime64):
        return _to_seconds(values)
    units, calendar = str(attributes.get("units", "")), _calendar(attributes)
    try:
        if re.fullmatch(r"\s*day as %Y%m%d(\.%f)?\s*", units):
            return _absolute(values.astype(np.float64))
        if calendar in NO_LEAP:
            return _without_leap_days(values.astype(np.float64), units)
        if calendar in (*CIVIL, "julian") and "since" in units:
            civil = "standard" if calendar in ("", "julian") else calendar
            kept = {"units": units, "calendar": civil}
            out = xr.decode_cf(xr.Dataset({"moment": ("n", values, kept)}))["moment"].values
            if np.issubdtype(out.dtype, np.datetime64) and (calendar != "julian" or _alike(units, out)):
                return _to_seconds(out)
    except (ValueError, OverflowError, TypeError) as err:
        raise GranuleError(path, f"its units {units!r} cannot be understood ({err})", layer=name,
                           remedy="give the time axis CF units, such as 'hours since 1970-01-01'") from err  # fmt: skip
    if calendar not in CIVIL:
        raise GranuleError(path, f"has the calendar {calendar!r}, whose days are not those of the civil calendar",
                           layer=name, remedy="give files with the standard calendar")  # fmt: skip
    raise GranuleError(path, f"its units {units!r} state no day", layer=name,
                       remedy="give the time axis CF units, such as 'hours since 1970-01-01'")  # fmt: skip


def _alike(units: str, moments: np.ndarray) -> bool:
    """Whether the Julian calendar has the same days from the origin of ``units`` to all ``moments``."""
    match = SINCE.match(units)
    inside = (moments >= JULIAN[0]) & (moments <= JULIAN[1])
    return match is not None and 1901 <= int(match[2]) <= 2099 and bool(inside.all())


def _calendar(attributes: Mapping[Hashable, object]) -> str:
    return str(attributes.get("calendar", "")).strip().lower()


def _to_seconds(moments: np.ndarray) -> np.ndarray:
    if np.isnat(moments).any():
        raise ValueError("a moment is missing")
    return ((moments.astype("datetime64[ns]").astype(np.int64) + 500_000_000) // 1_000_000_000).astype("datetime64[s]")


def _absolute(values: np.ndarray) -> np.ndarray:
    """Numbers such as 20160501.25: a date and the fraction of its day."""
    dates = np.floor(values + 1e-7).astype(np.int64)
    seconds = np.rint((values - dates) * 86400).clip(0).astype("timedelta64[s]")
    days = [np.datetime64(dt.date(int(d) // 10000, int(d) // 100 % 100, int(d) % 100), "s") for d in dates]
    return np.array(days, "datetime64[s]") + seconds


def _without_leap_days(values: np.ndarray, units: str) -> np.ndarray:
    """Dates of years of 365 days, as the civil days of the same names."""
    match = SINCE.match(units)
    if match is None or match[1].lower() not in SECONDS:
        raise ValueError("no unit since a date")
    year, month, day, hour, minute = (int(g or 0) for g in match.groups()[1:6])
    start = (dt.date(2001, month, day) - dt.date(2001, 1, 1)).days  # 2001: any year without a leap day
    clock = hour * 3600 + minute * 60 + float(match[7] or 0)
    seconds = np.rint(values * SECONDS[match[1].lower()] + clock).astype(np.int64)
    years, day_of_year = np.divmod(start + seconds // 86400, 365)
    years = years + year
    leap = (years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0))
    date = (years - 1970).astype("datetime64[Y]").astype("datetime64[D]") + day_of_year + (leap & (day_of_year >= 59))
    return date.astype("datetime64[s]") + (seconds % 86400).astype("timedelta64[s]")


def _lengths(units: str, raw: np.ndarray) -> np.ndarray:
    match = SINCE.match(units)
    assert match is not None  # the axis was decoded by it
    return np.rint(np.abs(np.diff(raw, axis=1)[:, 0]) * SECONDS[match[1].lower()]).astype("timedelta64[s]")


def _moment(text: object) -> np.datetime64 | None:
    """An ISO date and time, with or without dashes and colons; None where ``text`` is something else."""
    digits = re.sub(r"\D", "", str(text))[:14] if text is not None else ""
    if len(digits) not in (8, 14):
        return None
    digits = digits.ljust(14, "0")
    try:
        return np.datetime64(dt.datetime.strptime(digits, "%Y%m%d%H%M%S"), "s")
    except ValueError:
        return None
