"""Completeness of the product: pixels with a value by its own quality flags, and days that lacked an input."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.cube.store import Cube
from ssm_net.evaluate.metrics.statistics import Sums
from ssm_net.formats.product import Flag, Mosaic

INPUT_NAMES = {"ssm": "coarse", "lst_day": "LST by day", "lst_night": "LST at night", "rain": "rain"}


STATES = (
    "land", "frozen", "urban", "unexplained", "produced", "observed", "gap", "lst_seen", "lst_filled", "extrapolated",
)  # fmt: skip


@dataclass(frozen=True)
class Coverage(Sums):
    """Numbers of days and of land pixels in each of ``STATES``.

    A land pixel either has a value (``produced``) or is masked, for the first of these reasons that holds: frozen or
    under snow, ``urban``, outside the boundary or without any input (``unexplained``). ``observed`` and the states
    after it are of pixels with a value.
    """

    days: int
    pixels: np.ndarray  # one number a state, int64

    @classmethod
    def of(cls, mosaic: Mosaic, inside: np.ndarray | None = None) -> Coverage:
        """Of the pixels ``inside`` (Ny, Nx) bool; of all where it is None."""

        def has(flag: Flag) -> np.ndarray:
            return (mosaic.flags & int(flag)) > 0

        land, value = ~has(Flag.WATER), np.isfinite(mosaic.ssm)
        land = land if inside is None else land & inside
        frozen = land & has(Flag.FROZEN_OR_SNOW)
        urban = land & ~frozen & has(Flag.URBAN)
        produced = land & value
        masks = [land, frozen, urban, land & ~value & ~frozen & ~urban, produced]
        inputs = (Flag.COARSE_OBSERVED, Flag.ORBIT_GAP_FILLED, Flag.LST_SEEN, Flag.LST_FILLED, Flag.EXTRAPOLATED)
        masks += [produced & has(flag) for flag in inputs]
        return cls(1, np.array([np.count_nonzero(mask) for mask in masks]))

    def row(self) -> dict[str, float | int]:
        """Per cent of land pixels, but ``produced of thawed land``: per cent of the land neither frozen nor urban."""
        count = dict(zip(STATES, map(int, self.pixels), strict=True))

        def percent(pixels: int, total: int = count["land"]) -> float:
            return 100 * pixels / total if total else float("nan")

        return {
            "days": self.days,
            "land pixels": round(count["land"] / self.days),
            "produced": percent(count["produced"]),
            "produced of thawed land": percent(count["produced"], count["land"] - count["frozen"] - count["urban"]),
            "masked": percent(count["land"] - count["produced"]),
            "frozen or snow": percent(count["frozen"]),
            "urban": percent(count["urban"]),
            "no input or outside": percent(count["unexplained"]),
            "coarse observed": percent(count["observed"]),
            "orbit gap filled": percent(count["gap"]),
            "LST seen": percent(count["lst_seen"]),
            "LST filled": percent(count["lst_filled"]),
            "extrapolated": percent(count["extrapolated"]),
        }


def missing_inputs(cube: Cube, days: Sequence[dt.date]) -> dict[str, dict[str, int]]:
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
        for kind, name in INPUT_NAMES.items():
            month[f"without {name}"] += kind in status.get("missing", [])
        month["with a tile missing"] += bool(status.get("missing_tiles"))
        month["granules not read"] += len(status.get("problems", []))
    used = [k for k in INPUT_NAMES if k in cube.coarse or k in cube.fine]
    keys = [
        "days",
        "not prepared",
        *(f"without {INPUT_NAMES[k]}" for k in used),
        "with a tile missing",
        "granules not read",
    ]
    return {month: {k: count[k] for k in keys} for month, count in out.items()}
