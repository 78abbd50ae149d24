"""How much of the domain the inputs cover: a file that ends inside it says nothing of the rest, which is missing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
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
DERIVED = ("relief", "inside")  # maps that are made of others
OTHER_REST = "the rest is missing, and the networks go without it there"
DAILY_REST = {
    "rain": "the rest is missing there, not 0, and so is the antecedent rain that rests on it for more than a third",
    "reanalysis": "beyond it the effect of cloud on LST is that of the climate, not of the day",
}


def covered(observed: ObservedDay, land: np.ndarray) -> dict[str, float]:
    """The share of the domain's ``land`` (y, x) bool that the rain and the reanalysis of a day cover, by kind, 0..1,
    where it is not all of it."""
    air = [pair[0] for pair in observed.air.values() if pair is not None]
    shares = {}
    if observed.rain is not None:
        shares["rain"] = _share(observed.rain, land)
    if air:
        shares["reanalysis"] = min(_share(temperature, land) for temperature in air)
    return {kind: share for kind, share in shares.items() if share < 1}


def _share(values: np.ndarray, land: np.ndarray) -> float:
    """The share of ``land`` that ``values``, in squares of some pixels each, are known of."""
    (rows, cols), (height, width) = values.shape, land.shape
    weight = land.reshape(rows, height // rows, cols, width // cols).sum((1, 3))
    return float(weight[np.isfinite(values)].sum() / weight.sum()) if weight.any() else 1.0


def lines(
    statuses: Mapping[dt.date, Mapping[str, Any]], static: Mapping[str, np.ndarray], land: np.ndarray
) -> Iterator[str]:
    """What is to be said of the coverage of the domain's ``land`` (y, x) bool on the days of these ``statuses``, and by
    the ``static`` maps."""
    for name, values in sorted(static.items()):
        share = float(np.isfinite(values)[land].mean()) if land.any() else 1.0
        if share < 1 and name not in DERIVED:
            rest = STATIC_REST.get(name, OTHER_REST)
            yield f"static map {name} covers {percent(share)} of the domain's land: {rest}"
    for kind, rest in DAILY_REST.items():
        partly = {day: s["covered"][kind] for day, s in statuses.items() if kind in s.get("covered", {})}
        if partly:
            low, high = percent(min(partly.values())), percent(max(partly.values()))
            shares = low if low == high else f"{low} to {high}"
            yield f"{kind} covers {shares} of the domain's land on {runs(sorted(partly))}: {rest}"
    without: dict[str, list[dt.date]] = defaultdict(list)
    for day, status in statuses.items():
        for tile in status.get("missing_tiles", ()):
            without[tile].append(day)
    for tile, days in sorted(without.items()):
        yield (
            f"no file of {tile} on {runs(sorted(days))}, while there are other tiles of it: what it would show is "
            "missing, as under cloud (of a tile that is all sea there is none)"
        )


def percent(share: float) -> str:
    """A share below 1 in percent, which is never rounded up to all of it, nor down to nothing."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    tenths = int(share * 1000) / 10
    return f"{tenths:.1f} %" if share > 0.99 or share < 0.01 else f"{share * 100:.0f} %"
