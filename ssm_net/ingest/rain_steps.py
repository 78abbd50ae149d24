"""The steps of rain files as sums over intervals in UTC: by the files, else a setting, else the table of products.

A file states its intervals by time bounds. A variable that only grows from the first hour of a UTC day to 00:00 of the
next (ERA5-Land) is the sum since 00 UTC: an interval is then the difference of two steps, and a step at 00:00 alone is
the sum of the day before. Else the length of an interval is the time between two steps, for which the files of a day
are put together, and ``rain_day``, the product's row in the table or the stamp tells where it lies. What is guessed is
said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssm_net.config.rain_day import UTC_DAY, RainDay
from ssm_net.ingest.latlon import Axes
from ssm_net.ingest.rain_products import BEGINS, ENDS, RainProduct
from ssm_net.ingest.raster import GranuleError

ONE_DAY = np.timedelta64(86400, "s")
ONE_HOUR = np.timedelta64(3600, "s")
ONE_SECOND = np.timedelta64(1, "s")
BOUNDS_REMEDY = "give its time axis bounds (CF)"

Say = Callable[[str], None]


@dataclass(frozen=True)
class RainHeader:
    """What a file says of its steps: their ``stamps`` (n,) and, where it states them, their intervals (n, 2), UTC.

    ``since_midnight``: values are sums since 00 UTC. ``backward``: it says that a value is of the time before its
    stamp.
    """

    path: Path
    stamps: np.ndarray
    stated: np.ndarray | None
    grid: Axes
    name: str
    time_name: str | None
    units: str
    product: RainProduct | None
    since_midnight: bool
    backward: bool


@dataclass(frozen=True)
class RainStep:
    """A sum over the interval from ``start`` to ``end``: the step of a file, ``less`` one of the same or another."""

    start: np.datetime64
    end: np.datetime64
    header: RainHeader
    step: int
    less: tuple[RainHeader, int] | None = None


def rain_steps(headers: Sequence[RainHeader], rain_day: RainDay | None, say: Say) -> list[RainStep]:
    """The steps of all files, those of each file together and in its order.

    Raises ``GranuleError`` where the intervals of a file cannot be known.
    """
    series: dict[tuple[object, ...], list[RainHeader]] = defaultdict(list)
    for header in headers:
        if header.stated is None:
            series[_kind(header)].append(header)
    unstated: dict[Path, list[RainStep]] = {}
    for alike in series.values():
        made = _since_midnight(alike) if alike[0].since_midnight else _of_equal_steps(alike, rain_day, say)
        for step in made:
            unstated.setdefault(step.header.path, []).append(step)
    out: list[RainStep] = []
    for header in headers:
        if header.stated is None:
            out += sorted(unstated.get(header.path, []), key=lambda s: s.step)
            continue
        if rain_day is not None:
            say("rain_day= is not used where files of rain state their own intervals (time bounds)")
        out += [RainStep(start, end, header, n) for n, (start, end) in enumerate(header.stated)]
    return out


def _kind(header: RainHeader) -> tuple[object, ...]:
    """What files of one series have in common."""
    grid = header.grid
    place = tuple(round(float(v), 4) for axis in (grid.lat, grid.lon) for v in (axis[0], axis[-1])) + grid.lat.shape
    return header.name, header.product, header.since_midnight, header.backward, place


def _since_midnight(alike: Sequence[RainHeader]) -> Iterator[RainStep]:
    """Differences of sums since 00 UTC; the first of a day, and one that has none before it, since 00 UTC itself."""
    steps = sorted({stamp: (h, n) for h in alike for n, stamp in enumerate(h.stamps)}.items(), key=lambda s: s[0])
    before = None
    for stamp, (header, n) in steps:
        midnight = (stamp - ONE_SECOND).astype("datetime64[D]").astype("datetime64[s]")
        follows = before is not None and before[0] > midnight
        yield RainStep(before[0] if before and follows else midnight, stamp, header, n,
                       before[1] if before and follows else None)  # fmt: skip
        before = stamp, (header, n)


def _of_equal_steps(alike: Sequence[RainHeader], rain_day: RainDay | None, say: Say) -> Iterator[RainStep]:
    """Steps of a series that states no intervals: as long as the time between two of them, or a day."""
    first = alike[0]
    stamps = np.unique(np.concatenate([h.stamps for h in alike]))
    length = _length(first, stamps)
    if first.product is not None and first.product.hour_before and (first.backward or length < ONE_DAY):
        if length != ONE_HOUR:
            every = "a day" if length == ONE_DAY else f"every {length // ONE_HOUR} hours"
            raise GranuleError(first.path, f"{first.product.name} gives the rain of the hour before each step, and has "
                               f"one {every}", layer=first.name, remedy="download all hours")  # fmt: skip
    at = _placement(first, stamps, length, rain_day, say)
    for header in alike:
        for n, stamp in enumerate(header.stamps):
            start = stamp
            if at is None:
                start = stamp - length / 2
            elif at.at == "hour":
                start = stamp.astype("datetime64[D]").astype("datetime64[s]") + np.timedelta64(at.end, "s") - ONE_DAY
            elif at.at == "ends":
                start = stamp - length
            yield RainStep(start, start + length, header, n)


def _length(header: RainHeader, stamps: np.ndarray) -> np.timedelta64:
    """The time between two steps; a day where there is one only, or days are missing."""
    gaps = np.diff(stamps)
    if gaps.size == 0:
        return ONE_DAY
    length = gaps.min()
    if length >= ONE_DAY:
        if gaps.size > 1 and length >= 5 * ONE_DAY:
            raise GranuleError(header.path, f"its steps are {length // ONE_DAY} days apart: not the rain of a day",
                               layer=header.name, remedy="give daily or hourly rain")  # fmt: skip
        return ONE_DAY
    if (gaps % length != np.timedelta64(0, "s")).any():
        raise GranuleError(header.path, "several steps a day, not equally long, and no bounds of time",
                           layer=header.name, remedy=BOUNDS_REMEDY)  # fmt: skip
    return np.timedelta64(length)


def _placement(
    header: RainHeader, stamps: np.ndarray, length: np.timedelta64, rain_day: RainDay | None, say: Say
) -> RainDay | None:
    """Where an interval lies against its stamp; ``None`` where the stamp is its middle."""
    daily = length == ONE_DAY
    if rain_day is not None and (daily or rain_day.at != "hour"):
        return rain_day
    if rain_day is not None:
        say("rain_day= with an hour is not used for rain of several steps a day: give begins or ends for it")
    if header.product is not None:
        return header.product.day if daily else header.product.part
    midnights = stamps.astype("datetime64[D]").astype("datetime64[s]")
    if ((stamps - midnights) % length == length // 2).all():
        return UTC_DAY if daily else None
    if header.backward:
        return ENDS
    taken = "the UTC day of its time stamp" if daily else "the time that begins at its time stamp"
    say(
        f"files of rain ({header.name!r}) do not say which interval a value covers, and their product is not known: "
        f"each is taken for {taken}. rain_day= says it: begins, ends, or the hour at which a day ends, such as "
        "20:00+08:00"
    )
    return UTC_DAY if daily else BEGINS
