"""How much of the domain the inputs cover: a file that ends inside it says nothing of the rest, which is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ssm_net.core.days import runs
from ssm_net.prepare.read_day import ObservedDay

STATIC_REST = {
    "elevation": "the rest is not taken for sea level: its LST stands as observed, tells nothing of its surroundings, "
    "and gaps in it are filled without a correction for height",
    "water_fraction": "no pixel of the rest is masked as water",
    "urban": "no pixel of the rest is masked as built-up",
}
OTHER_REST = "the rest is missing, and the networks go without it there"
RAIN_REST = "the rest is missing there, not 0, and so is the antecedent rain that rests on it for more than a third"


def covered(observed: ObservedDay, land: np.ndarray) -> dict[str, float]:
    """The share of the domain's ``land`` (y, x) bool that the rain of a day covers, by kind, 0..1, where it is not all
    of it."""
    if observed.rain is None or not land.any():
        return {}
    share = float(np.isfinite(observed.rain)[land].mean())
    return {"rain": share} if share < 1 else {}


def lines(
    statuses: Mapping[dt.date, Mapping[str, Any]], static: Mapping[str, np.ndarray], land: np.ndarray
) -> Iterator[str]:
    """What is to be said of the coverage of the domain's ``land`` (y, x) bool on the days of these ``statuses``, and by
    the ``static`` maps."""
    for name, values in sorted(static.items()):
        share = float(np.isfinite(values)[land].mean()) if land.any() else 1.0
        if share < 1 and name not in ("relief", "inside"):
            rest = STATIC_REST.get(name, OTHER_REST)
            yield f"static map {name} covers {percent(share)} of the domain's land: {rest}"
    partly = {day: status["covered"]["rain"] for day, status in statuses.items() if "rain" in status.get("covered", {})}
    if partly:
        low, high = min(partly.values()), max(partly.values())
        shares = percent(low) if percent(low) == percent(high) else f"{percent(low)} to {percent(high)}"
        yield f"rain covers {shares} of the domain's land on {runs(sorted(partly))}: {RAIN_REST}"


def percent(share: float) -> str:
    """A share below 1 in percent, which is never rounded up to all of it, nor down to nothing."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    tenths = int(share * 1000) / 10
    return f"{tenths:.1f} %" if share > 0.99 or share < 0.01 else f"{share * 100:.0f} %"
