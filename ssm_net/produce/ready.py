"""Days that can be made: those whose granules are there, and those that have waited for them long enough."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from ssm_net.ingest.catalog import RawFiles
from ssm_net.ingest.products import product
from ssm_net.produce.fetch import NOT_ASKED, Fetched

AWAITED = ("ssm", "lst")  # the roles of the products that a day waits for


@dataclass(frozen=True)
class ReadyDays:
    """``days`` can be made, in order; the day after them waits for the products of the roles ``awaited``, none of whose
    files is of that day or a later one, or for an archive; ``latest`` is the last day of a file, by role."""

    days: tuple[dt.date, ...]
    awaited: tuple[str, ...]
    latest: Mapping[str, dt.date]


def ready_days(
    files: RawFiles, first: dt.date, last: dt.date, *, today: dt.date, wait: int, fetched: Fetched = NOT_ASKED
) -> ReadyDays:
    """Of ``first`` to ``last`` the days before the first that has to wait.

    A day is not made before a granule of each awaited role is there that is of that day or a later one: one that comes
    late would have to be left out. A day older than ``wait`` days is made without them, where granules of another
    product are there that are of that day or a later one (else nothing comes at all), and the archives could be asked.
    No day is made that lacks a file which an archive lists and did not give.
    """
    # Files of the days after tell that those of a day will not come any more.
    catalog, _ = files.catalog((first, today + dt.timedelta(1)))
    latest: dict[str, dt.date] = {}
    for name, by_day in catalog.items():
        if (entry := product(name)) is not None and by_day:
            latest[entry.role] = max(latest.get(entry.role, dt.date.min), *by_day)
    last_of_any = max(latest.values(), default=dt.date.min)
    days: list[dt.date] = []
    for n in range((last - first).days + 1):
        day = first + dt.timedelta(n)
        awaited = tuple(role for role in AWAITED if latest.get(role, dt.date.min) < day)
        may_come = not fetched.complete or last_of_any < day or (today - day).days <= wait
        if day >= fetched.whole_before or (awaited and may_come):
            return ReadyDays(tuple(days), awaited, latest)
        days.append(day)
    return ReadyDays(tuple(days), (), latest)
