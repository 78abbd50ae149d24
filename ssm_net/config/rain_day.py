"""The setting ``rain_day``: where the interval of a value of rain lies, for files that say it in words only."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ssm_net.errors import ConfigError

HOUR = re.compile(r"(\d{1,2}):([0-5]\d)(?:(Z|UTC)|([+-])(\d{1,2}):([0-5]\d))", re.I)


@dataclass(frozen=True)
class RainDay:
    """The interval of a value against its time stamp.

    ``at`` is ``begins`` or ``ends``, where it begins or ends on the time stamp itself; or ``hour``, for daily values:
    the 24 hours that end ``end`` seconds after 00 UTC of the stamp's date.
    """

    at: Literal["begins", "ends", "hour"]
    end: int = 0

    @classmethod
    def hour(cls, hours: float) -> RainDay:
        """The 24 hours that end ``hours`` after 00 UTC of the stamp's date."""
        return cls("hour", round(3600 * hours))


UTC_DAY = RainDay.hour(24)


def parse_rain_day(text: str) -> RainDay | None:
    """``begins``, ``ends``, or an hour with its zone (``20:00+08:00``, up to ``48:00``); ``None`` of ``auto``.

    Raises ``ConfigError``.
    """
    if text == "auto":
        return None
    if text == "begins" or text == "ends":
        return RainDay("begins" if text == "begins" else "ends")
    match = HOUR.fullmatch(text.strip())
    if match:
        hours = int(match[1]) + int(match[2]) / 60
        zone = 0.0 if match[3] else (-1 if match[4] == "-" else 1) * (int(match[5]) + int(match[6]) / 60)
        if hours <= 48 and abs(zone) <= 14:
            return RainDay.hour(hours - zone)
    raise ConfigError(
        f"rain_day={text}: give auto, begins, ends, or the hour at which the file's day ends, with its zone, such as "
        "20:00+08:00 or 24:00+00:00 (00:00 to 48:00)"
    )
