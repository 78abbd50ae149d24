"""Days as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence


def runs(days: Sequence[dt.date]) -> str:
    """Consecutive days as ``first .. last``; ``days`` ascend."""
    parts: list[list[dt.date]] = []
    for day in days:
        if parts and day - parts[-1][-1] == dt.timedelta(1):
            parts[-1].append(day)
        else:
            parts.append([day])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]} .. {p[-1]}" for p in parts)
