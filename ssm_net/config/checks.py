"""Checks of settings that several verbs share: days, periods, ranges. All raise ``ConfigError``."""

from __future__ import annotations

import datetime as dt

from ssm_net.errors import ConfigError

YEARS = 1970, 2100  # of the days that a period may hold
METHODS = ("network", "bilinear", "dispatch", "gwr", "forest", "ridge")


def days_between(start: str, end: str) -> list[dt.date]:
    """All days from ``start`` to ``end``, both included, as yyyy-mm-dd."""
    first, last = parse_day(start, "start"), parse_day(end, "end")
    if last < first:
        raise ConfigError(f"end={end} lies before start={start}")
    return [first + dt.timedelta(n) for n in range((last - first).days + 1)]


def parse_day(text: str, key: str) -> dt.date:
    """The day of ``text``, yyyy-mm-dd; ``key`` is the setting that an error names."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{key}={text} is not a day; write yyyy-mm-dd") from None
    if not YEARS[0] <= day.year <= YEARS[1]:
        raise ConfigError(f"{key}={text}: give a day of the years {YEARS[0]} to {YEARS[1]}")
    return day


def check_period(start: str | None, end: str | None) -> None:
    """Either end of a period may be left open."""
    if start is not None and end is not None:
        days_between(start, end)
    for key, text in (("start", start), ("end", end)):
        if text is not None:
            parse_day(text, key)


def require_paths(settings: object, *keys: str) -> None:
    """Each key that is given names a file or a folder; an empty one would be the working folder."""
    for key in keys:
        value = getattr(settings, key)
        if value is not None and not value.strip():
            raise ConfigError(f"{key}= is empty: give a path, {key}=. for the working folder")
        if value is not None and "\0" in value:
            raise ConfigError(f"{key}={value!r} is no path")


def require(ok: bool, message: str) -> None:
    if not ok:
        raise ConfigError(message)
