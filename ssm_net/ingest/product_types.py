"""The words of the table of products: a product, its layers, their quality bits and flags.

What a flag does to a value follows one rule. Where it says that the ground was not seen (cloud, shadow, high cirrus),
or that the number is no measurement of it, the value is missing. Where it makes the value less certain (next to a
cloud, thin cirrus, haze, a replaced detector), the value is of lower quality: a larger error, or the second quality of
a reflectance. A flag that only describes the ground (snow in reflectance, from which snow is found; bare ground) takes
nothing away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Family = Literal[
    "hdfeos", "latlon_lst", "easegrid", "latlon_ssm", "smap", "lprm", "au_land", "smos", "rain", "reanalysis"
]  # fmt: skip
Role = Literal["ssm", "lst", "reflectance", "rain", "reanalysis"]


@dataclass(frozen=True)
class Bits:
    """``count`` bits from bit ``first`` of an integer layer; ``layer`` lists the names that it has in files."""

    layer: tuple[str, ...]
    first: int
    count: int

    def of(self, stored: np.ndarray) -> np.ndarray:
        """The value of these bits, same shape, int64."""
        return (stored.astype(np.int64) >> self.first) & ((1 << self.count) - 1)


Effect = Literal["missing", "lower", "kept"]
MISSING: Effect = "missing"
LOWER: Effect = "lower"
KEPT: Effect = "kept"


@dataclass(frozen=True)
class Flag:
    """A quality flag: a value has it where ``bits`` hold one of ``values``.

    Its ``effect``: the value is missing; or of lower quality, with a standard error of at least ``error`` (K for LST,
    m3 m-3 for soil moisture; 1, the second quality, for a reflectance); or kept as it is, and only counted.
    ``required``: a file without this layer is refused, because nothing else marks bad pixels (clouds in MOD09).
    Otherwise a missing layer is logged, and only the fill value and the valid range mask the values.
    """

    meaning: str
    bits: Bits
    values: tuple[int, ...] = (1,)
    effect: Effect = MISSING
    error: float = 1.0
    required: bool = False

    @staticmethod
    def codes(flags: Sequence[Flag], stored: np.ndarray) -> np.ndarray:
        """Which of at most 16 ``flags`` of one layer each stored number has: bit n of a uint8, or of a uint16 where
        there are more than eight, is that of flag n."""
        kind = np.uint8 if len(flags) <= 8 else np.uint16
        out = np.zeros(stored.shape, kind)
        for n, flag in enumerate(flags):
            out |= np.isin(flag.bits.of(stored), flag.values) * kind(1 << n)
        return out

    @staticmethod
    def bit_of(flags: Sequence[Flag], effect: Effect) -> int:
        """The bits in ``codes`` of the flags with an effect."""
        return sum(1 << n for n, flag in enumerate(flags) if flag.effect == effect)


def by_layer(flags: Sequence[Flag]) -> dict[tuple[str, ...], tuple[Flag, ...]]:
    """Flags by the names of the layer that holds them."""
    return {
        names: tuple(f for f in flags if f.bits.layer == names) for names in dict.fromkeys(f.bits.layer for f in flags)
    }


@dataclass(frozen=True)
class Layer:
    """The layer of a file that holds a variable.

    ``names`` are those that it has in files. ``sigma`` is the meaning of each value of ``sigma_bits``: for LST the
    error in K, for a reflectance 0 for the best quality and 1 for the second; ``pixel`` the side of a pixel, m.
    ``view_time`` are the names of the layer with the local solar time of each view (h), or, in a composite, with the
    day of the year on which each pixel was seen.
    """

    variable: str
    names: tuple[str, ...]
    flags: tuple[Flag, ...] = ()
    sigma_bits: Bits | None = None
    sigma: tuple[float, ...] = ()
    pixel: float = 926.6254331
    resampling: str = "bilinear"
    view_time: tuple[str, ...] = ()

    def times(self) -> Layer:
        """The layer of its view times, on the same pixels."""
        return Layer(f"{self.variable}_time", self.view_time, pixel=self.pixel, resampling="nearest")

    @property
    def has_error(self) -> bool:
        """Whether the product tells an error, or a second quality."""
        return self.sigma_bits is not None or any(flag.effect == LOWER for flag in self.flags)


@dataclass(frozen=True)
class Product:
    """One folder of raw/.

    ``suffixes`` are the endings of file names, lower case; ``group`` names products that belong together (day and
    night of MxD21; the bands of VNP43 at 500 m and 1 km). ``layers`` is empty where a family has one variable only,
    whose quality flags are ``flags``: where the first of their layers holds no number, the value is missing.
    ``centred``: the file name's day is the middle of the stated range, not its beginning (MCD43).
    ``period``: days that a composite covers whose pixels are each of one day, 0 for all other products.
    ``line``: reflectance products of one line are made alike, and one goes on where another one ends.
    """

    name: str
    family: Family
    role: Role
    suffixes: tuple[str, ...]
    layers: tuple[Layer, ...] = ()
    flags: tuple[Flag, ...] = ()
    platform: str = ""
    group: str = ""
    centred: bool = False
    period: int = 0
    line: str = ""
    aliases: tuple[str, ...] = field(default=())

    def layer(self, variable: str) -> Layer | None:
        """The layer of a variable, None where the product has none."""
        return next((layer for layer in self.layers if layer.variable == variable), None)

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(layer.variable for layer in self.layers)
