"""The training sample of a record: a few of the days whose pixels are dropped, evenly spread, keep them to train on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

SHARE = 3  # one of so many days with pixels is one of the sample


def days_of_window(keep: int) -> int:
    """The latest days, all of which keep their pixels, where ``keep`` days do in all."""
    return keep - most_sampled(keep)


def most_sampled(keep: int) -> int:
    """Days before the latest ones that keep their pixels, where ``keep`` days do in all."""
    return keep // SHARE


def sampled_days(old: Sequence[dt.date], most: int, lookahead: int) -> list[dt.date]:
    """At most ``most`` of the days ``old``, which ascend from the first of the record: runs of a day and the
    ``lookahead`` days after it, which networks that look ahead learn from, too.

    As the record grows, the distance between runs doubles: days leave the sample, and none comes back that has left.
    """
    run = every = 1 + lookahead
    if run > most:
        return []
    while len(range(0, len(old), every)) * run > most:
        every *= 2
    starts = range(0, len(old) - lookahead, every)
    return [old[n + k] for n in starts for k in range(run)]
