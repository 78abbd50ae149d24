"""Lists of days as ranges of consecutive days, and as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

ONE_DAY = dt.timedelta(days=1)


def stretches(days: Sequence[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """First and last day of each range of consecutive days; ``days`` ascend."""
    out: list[tuple[dt.date, dt.date]] = []
    for day in days:
        if out and day - out[-1][1] == ONE_DAY:
            out[-1] = (out[-1][0], day)
        else:
            out.append((day, day))
    return out


def runs(days: Sequence[dt.date]) -> str:
    """The days as text, a range of consecutive ones as ``first .. last``; ``days`` ascend."""
    return ", ".join(str(a) if a == b else f"{a} .. {b}" for a, b in stretches(days))
