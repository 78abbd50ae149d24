"""Which files may hold days of a period, by what their names say, so that the others need not be opened."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ssm_net.core.days import ONE_DAY
from ssm_net.ingest.files_below import FoundFile
from ssm_net.ingest.holdings import EOS_NAME, by_name
from ssm_net.ingest.naming import Period, period_in_name
from ssm_net.ingest.products import Product

Days = tuple[dt.date, dt.date]
MONTH = 40 * ONE_DAY  # a file may hold a month and be named after its first or last day


def may_hold(entry: Product, files: Sequence[FoundFile], days: Days | None) -> Iterator[FoundFile]:
    """Those of ``files`` that may hold days within ``days`` (first and last); all where that is None.

    The names of MODIS tell the day. Any other file may hold a month around the dates in its name, and all days up to
    those of the next and of the previous file of its series, whose names differ from its own in numbers only: files of
    a year are often named after its first day. A file that is alone in its series, or without a date, may hold any day.
    """
    if days is None:
        yield from files
        return
    if entry.family == "hdfeos":
        for file in files:
            match = EOS_NAME.search(file.path.name)
            if match is None or _near(dt.date(int(match[2]), 1, 1) + (int(match[3]) - 1) * ONE_DAY, days):
                yield file
        return
    # The names of CCI's LST tell when a file was processed.
    dated = {} if entry.family == "latlon_lst" else _reaches(entry, files)
    for n, file in enumerate(files):
        if n not in dated or (dated[n][0] <= days[1] and days[0] <= dated[n][1]):
            yield file


def _near(day: dt.date, days: Days) -> bool:
    return days[0] - ONE_DAY <= day <= days[1] + ONE_DAY


def _reaches(entry: Product, files: Sequence[FoundFile]) -> dict[int, Period]:
    """The days that the n-th file may hold, of those whose names tell."""
    out: dict[int, Period] = {}
    series: dict[str, dict[Period, list[int]]] = defaultdict(lambda: defaultdict(list))
    for n, file in enumerate(files):
        named = by_name(entry, file.path)
        if named is not None and named.days:
            out[n] = named.days[0], named.days[-1]
        elif named is None and (period := period_in_name(file.path.name)) is not None:
            series[re.sub(r"\d+", "0", file.path.name)][period].append(n)
    for by_period in series.values():
        periods = sorted(by_period)
        if len(periods) == 1:
            continue
        for k, (first, last) in enumerate(periods):
            after = periods[min(k + 1, len(periods) - 1)][0]
            before = periods[max(k - 1, 0)][1]
            # At either end of a series its file may hold as much as its neighbour.
            forward = after - last if k + 1 < len(periods) else first - before
            backward = first - before if k else after - last
            reach = first - max(backward, MONTH), last + max(forward, MONTH)
            out |= dict.fromkeys(by_period[first, last], reach)
    return out
