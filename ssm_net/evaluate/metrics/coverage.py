"""How complete the product is: a count of pixels a month, from its own flags, and of the days each input lacked."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.cube.store import Cube
from ssm_net.evaluate.metrics.statistics import Sums
from ssm_net.formats.product import Flag, Mosaic

INPUTS = {"ssm": "coarse", "lst_day": "LST by day", "lst_night": "LST at night", "rain": "rain"}


@dataclass(frozen=True)
class Coverage(Sums):
    """Numbers of days and of land pixels in each state.

    A land pixel either has a value or is masked, for the first of these reasons that holds: frozen or under snow, in a
    town, outside the boundary or without any input (``unexplained``).
    """

    days: int
    land: int
    frozen: int
    urban: int  # not frozen
    unexplained: int
    produced: int
    observed: int  # the coarse cell was observed
    gap: int
    lst_seen: int
    lst_filled: int
    extrapolated: int

    @classmethod
    def of(cls, mosaic: Mosaic) -> Coverage:
        def has(flag: Flag) -> np.ndarray:
            return (mosaic.flags & int(flag)) > 0

        land, value = ~has(Flag.WATER), np.isfinite(mosaic.ssm)
        frozen = land & has(Flag.FROZEN_OR_SNOW)
        urban = land & ~frozen & has(Flag.URBAN)
        made = land & value
        count = [land, frozen, urban, land & ~value & ~frozen & ~urban, made]
        lineage = (Flag.COARSE_OBSERVED, Flag.ORBIT_GAP_FILLED, Flag.LST_SEEN, Flag.LST_FILLED, Flag.EXTRAPOLATED)
        count += [made & has(flag) for flag in lineage]
        return cls(1, *(int(np.count_nonzero(c)) for c in count))

    def row(self) -> dict[str, float | int]:
        """Per cent of land pixels, but ``produced of thawed land``: per cent of the land neither frozen nor urban."""

        def percent(part: int, whole: int) -> float:
            return 100 * part / whole if whole else float("nan")

        return {
            "days": self.days,
            "land pixels": round(self.land / self.days),
            "produced": percent(self.produced, self.land),
            "produced of thawed land": percent(self.produced, self.land - self.frozen - self.urban),
            "masked": percent(self.land - self.produced, self.land),
            "frozen or snow": percent(self.frozen, self.land),
            "urban": percent(self.urban, self.land),
            "no input or outside": percent(self.unexplained, self.land),
            "coarse observed": percent(self.observed, self.land),
            "orbit gap filled": percent(self.gap, self.land),
            "LST seen": percent(self.lst_seen, self.land),
            "LST filled": percent(self.lst_filled, self.land),
            "extrapolated": percent(self.extrapolated, self.land),
        }


def inputs(cube: Cube, days: Sequence[dt.date]) -> dict[str, dict[str, int]]:
    """By month (yyyy-mm): ``days`` asked for, those not prepared, those for which each input had no usable granule,
    those for which a tile was missing, and granules that could not be read."""
    out: dict[str, Counter[str]] = {}
    for day in days:
        month = out.setdefault(f"{day:%Y-%m}", Counter())
        month["days"] += 1
        status = cube.status(day)
        if status is None:
            month["not prepared"] += 1
            continue
        for kind, name in INPUTS.items():
            month[f"without {name}"] += kind in status.get("missing", [])
        month["with a tile missing"] += bool(status.get("missing_tiles"))
        month["granules not read"] += len(status.get("problems", []))
    used = [k for k in INPUTS if k in cube.coarse or k in cube.fine]
    keys = ["days", "not prepared", *(f"without {INPUTS[k]}" for k in used), "with a tile missing", "granules not read"]
    return {month: {k: count[k] for k in keys} for month, count in out.items()}
