"""Hidden factors of a pixel: land use, irrigation, rooting depth, drainage and colour, which no map shows.

They last from weeks to years, are rough over 1-3 km, and show in soil moisture and in LST.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.traits import Hidden, Traits

EVERY = 5  # days from one state of the land use to the next
CHANCE = 0.35  # a day, that a field is watered that needs it


@dataclass(frozen=True)
class HiddenFactors:
    """Factors by pixel, (rows, cols): ``structure``, ``supply`` and ``leakage`` multiply (the mean is about 1),
    ``root_depth`` in mm, ``phase`` in days, ``colour`` and ``land_use`` (its lasting part) in standard deviations,
    ``view`` the two standardised patterns of the view angle."""

    structure: Array
    supply: Array
    leakage: Array
    root_depth: Array
    phase: Array
    colour: Array
    land_use: Array
    view: tuple[Array, Array]
    seed: int

    @classmethod
    def draw(cls, traits: Traits, root_depth: float, shape: tuple[int, int], seed: int) -> HiddenFactors:
        """The factors of a world, determined by ``seed``; ``root_depth`` mm, their median."""
        hidden = traits.hidden
        rough = rough_field(hidden, shape)

        def field(purpose: str) -> Array:
            return rough.sample(stream(seed, f"hidden {purpose}"))

        def factor(of: Array, deviation: float) -> Array:
            return np.exp(deviation * of - 0.5 * deviation**2).astype(np.float32)

        structure, link = field("structure"), traits.thermal.colour_link

        return cls(
            structure=factor(structure, hidden.structure),
            supply=factor(field("supply"), hidden.supply),
            leakage=factor(field("leakage"), hidden.leakage),
            root_depth=np.clip(root_depth * factor(field("rooting"), hidden.rooting), 100, 3000),
            phase=hidden.phase * field("phase"),
            colour=(link * structure + np.sqrt(1 - link**2) * field("colour")).astype(np.float32),
            land_use=field("land use"),
            view=(field("view east"), field("view west")),
            seed=seed,
        )


def rough_field(hidden: Hidden, shape: tuple[int, int]) -> RandomField:
    """The field that hidden factors are drawn as: exponential covariance, rough at 1-3 km."""
    return RandomField(shape, hidden.length, 0.5)


def next_land_use(changing: Array, hidden: Hidden, seed: int, ordinal: int) -> Array:
    """The changing part of the land use on the next day, an autoregressive field, standardised."""
    if ordinal % EVERY:
        return changing
    rho = math.exp(-EVERY / hidden.fading)
    new = rough_field(hidden, changing.shape).sample(stream(seed, "land use", ordinal))
    return (rho * changing + math.sqrt(1 - rho**2) * new).astype(np.float32)


def irrigation_by_calendar(
    fields: NDArray[np.int32], stress: Array, hidden: Hidden, seed: int, date: dt.date, doy: int
) -> Array:
    """Irrigation, mm: 15-30 mm on fields in their season whose root zone is stressed.

    Each field has a season of its own, weeks to months long, in some years and not in others; ``stress`` is the
    factor S of the root zone, 1 where there is none.
    """
    count = int(fields.max())
    out = np.zeros(count + 1, np.float32)
    year = stream(seed, "irrigation calendar", date.year)
    used = year.uniform(size=count) < hidden.districts
    begin = year.normal(135, 40, count)
    length = hidden.calendar * np.exp(0.4 * year.standard_normal(count))
    rng = stream(seed, "irrigation", date.toordinal())
    chance, amount = rng.uniform(size=count), rng.uniform(15, 30, count)
    on = used & (doy >= begin) & (doy < begin + length) & (chance < CHANCE)
    if on.any():
        size = np.maximum(np.bincount(fields.ravel(), minlength=count + 1), 1)
        mean = np.bincount(fields.ravel(), stress.ravel(), minlength=count + 1) / size
        out[1:] = np.where(on & (mean[1:] < 0.85), amount, 0)
    return out[fields]
