"""Values checked after reading: in their unit and their range; outside missing and counted, mostly outside refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.notes import make_note
from ssm_net.ingest.quantities import (
    AIR_TEMPERATURE,
    ANY_MAP,
    ELEVATION,
    FRACTION,
    LST,
    RAIN,
    SOIL_MOISTURE,
    TEXTURE,
    Linear,
    Quantity,
    plain_unit,
)
from ssm_net.ingest.raster import GranuleError

# Numbers that files use for "no value". Those inside the range of a quantity are values of it, of course.
_NINES = [float(f"-{'9' * n}{tail}") for n in range(1, 7) for tail in ("", ".9", ".99")]
FILLS = np.array([*_NINES, -1.0, -8888.0, 9999.0, 99999.0, 999999.0, -32768.0, -32767.0, 32767.0, 65535.0, 255.0,
                  254.0, -128.0])  # fmt: skip
FILLS_OF_ANY_MAP = np.array([-9999.0, -99999.0, -32768.0])  # such a map may hold any other number
HUGE = 1e9  # no quantity has such a value; 1e20, 1e30, -3.4e38 are in use as fill values
FEW = 0.01  # of the values of a dry day
MOSTLY = 0.5  # of the values that are not 0: 0 is the same in most units


def conversion(quantity: Quantity, encoding: Encoding) -> Linear:
    """Factor and offset from the ``units`` that a file states to those of ``quantity``; (1, 0) where it states none.

    A unit that is not known is noted. Raises ``GranuleError`` where it is known and cannot be converted.
    """
    stated = encoding.text("units")
    unit = plain_unit(stated)
    if unit in quantity.refused:
        raise GranuleError(encoding.path, f"its units {stated!r}: this {quantity.refused[unit]}", layer=encoding.name,
                           remedy="remove the file, or put another product in its place")  # fmt: skip
    if unit and unit != plain_unit(quantity.unit) and unit not in quantity.units:
        make_note(encoding.path, encoding.name, f"units {stated!r} are not known for {quantity.name}",
                  f"taken for {quantity.unit or 'a plain number'}")  # fmt: skip
    return quantity.units.get(unit, (1.0, 0.0))


def plausible(
    values: np.ndarray,
    quantity: Quantity,
    path: Path,
    layer: str,
    day: dt.date | None = None,
    *,
    linear: Linear = (1.0, 0.0),
    remedies: Mapping[str, str] | None = None,
) -> np.ndarray:
    """``values`` of one file in the unit of ``quantity``, NaN where they lie outside its range; may change ``values``.

    ``linear`` brings them to that unit. How many lie outside is noted, with the likely cause; so are the numbers that
    files use as fill values (-9999, 1e30) and do not declare. ``remedies`` are words by likely unit that replace the
    usual remedy.

    Raises ``GranuleError`` where most of the values that are not 0 lie outside, or nothing is left; of an optional
    quantity that is noted, and all values are missing.
    """
    try:
        return _checked(values, _Subject(quantity, path, layer, day, remedies or {}), linear)
    except GranuleError as err:
        if not quantity.optional:
            raise
        make_note(path, layer, f"{quantity.name} is not used", err.what)
        return np.full_like(values, np.nan)


@dataclass(frozen=True)
class _Subject:
    """What is checked: the quantity that a layer of a file should hold, and the remedies by likely unit."""

    quantity: Quantity
    path: Path
    layer: str
    day: dt.date | None
    remedies: Mapping[str, str]


def _checked(values: np.ndarray, of: _Subject, linear: Linear) -> np.ndarray:
    quantity, path, layer = of.quantity, of.path, of.layer
    factor, offset = linear
    lowest, highest = _extremes(values)
    if np.isnan(lowest):
        if quantity is SOIL_MOISTURE:
            # So is a day of a small part of the Earth that lies between two orbits.
            make_note(path, layer, "the file holds no soil moisture at all", "every value is missing", expected=True)
        return values
    fill = _fills(values, (lowest, highest), quantity, linear)
    numbers = "" if fill is None else ", ".join(f"{v:.7g}" for v in np.unique(values[fill])[:3])
    if linear != (1.0, 0.0):
        # Divided where that is exact: 70 percent is 0.7, and not above it.
        values = (values / (1 / factor) if (1 / factor).is_integer() else values * factor) + offset
        lowest, highest = _extremes(values)
    low, high = quantity.limits
    clean = low <= lowest and highest <= high and (lowest > 0 or not quantity.zero_is_missing)
    if fill is not None or not clean:
        _mask(values, fill, numbers, of)
    return values


def has_impossible(values: np.ndarray, quantity: Quantity, linear: Linear) -> bool:
    """Whether ``plausible`` would leave out any of ``values``, or refuse them."""
    extremes = _extremes(values)
    lowest, highest = (v * linear[0] + linear[1] for v in extremes)
    low, high = quantity.limits
    if np.isnan(lowest):
        return False
    return lowest < low or highest > high or _fills(values, extremes, quantity, linear) is not None


def require_size(
    values: np.ndarray, quantity: Quantity, path: Path, layer: str, *, remedies: Mapping[str, str]
) -> None:
    """Raises ``GranuleError`` where all values are so small that they are in another unit (sand as 0 .. 1)."""
    lowest, highest = _extremes(values)
    if lowest >= 0 and 0 < highest <= quantity.not_all_below:
        _refuse(values, np.isfinite(values), _Subject(quantity, path, layer, None, remedies))


def _fills(values: np.ndarray, extremes: tuple[float, float], quantity: Quantity, linear: Linear) -> np.ndarray | None:
    """Where ``values``, as the file has them, are numbers that stand for a missing one; None where there are none."""
    low, high = ((limit - linear[1]) / linear[0] for limit in quantity.limits)
    numbers = FILLS_OF_ANY_MAP if quantity is ANY_MAP else FILLS[(low > FILLS) | (high < FILLS)]
    if max(low, FILLS_OF_ANY_MAP.max()) < extremes[0] and extremes[1] <= min(high, HUGE):
        return None
    with np.errstate(invalid="ignore"):
        fill = np.isin(values, numbers.astype(values.dtype)) | (np.abs(values) >= HUGE)
    return fill if fill.any() else None


def _mask(values: np.ndarray, fill: np.ndarray | None, numbers: str, of: _Subject) -> None:
    """Make missing, and note, what lies outside; refuse the file where that is most of it."""
    quantity, path, layer = of.quantity, of.path, of.layer
    known = np.isfinite(values)
    total, filled = int(known.sum()), 0
    if fill is not None:
        filled = int(fill.sum())
        known &= ~fill
        values[fill] = np.nan
    with np.errstate(invalid="ignore"):
        below, above = values < quantity.limits[0], values > quantity.limits[1]
    zero = values == 0
    if quantity.zero_is_missing:
        below &= ~zero
    counted = int(known.sum() - zero.sum())
    most_above = above.sum() > MOSTLY * counted and (not quantity.often_zero or above.sum() > FEW * known.sum())
    most_below = below.sum() > MOSTLY * (counted if quantity.zero_is_missing else known.sum())
    if most_above or most_below or (below | above).sum() > MOSTLY * known.sum():
        _refuse(values, below | above, of)
    if not known.any() or (quantity.zero_is_missing and not counted):
        raise GranuleError(
            path, f"holds no {quantity.name}: each of its {total} values is {numbers or 0}, which stands for a missing "
            "one and is not declared as such", layer=layer, day=of.day,
            remedy="state it as _FillValue (in a GeoTIFF: as nodata) if nothing was observed, or remove the file",
        )  # fmt: skip
    if filled:
        make_note(path, layer, f"{numbers} is no {quantity.name} and is not declared as its fill value: missing",
                  f"{filled} of {total} values")  # fmt: skip
    if below.any() or above.any():
        wrong = values[below | above]
        make_note(path, layer, f"values outside {quantity.range} are missing",
                  f"{wrong.size} of {total} values ({_span(wrong)})")  # fmt: skip
        values[below | above] = np.nan
    if quantity.zero_is_missing and zero.any():
        make_note(path, layer, f"0 is no {quantity.name}: missing", f"{int(zero.sum())} of {total} values")
        values[zero] = np.nan


def likely_unit(values: np.ndarray, quantity: Quantity) -> str:
    """What numbers that are no ``quantity`` may be instead, in words; empty where nothing fits.

    ``values`` (n,) are those outside its range, or all where none is.
    """
    middle, highest = float(np.median(values)), float(values.max())
    if quantity in (LST, AIR_TEMPERATURE):
        if -100 <= middle <= 100:
            return "degrees C"
        return "stored numbers whose scale_factor is missing or wrong" if middle > quantity.high else ""
    if middle < quantity.low and quantity is not ELEVATION:
        return "negative numbers used as a fill value that is not declared"
    if quantity is TEXTURE:
        return "fractions (0 .. 1)" if highest <= 1 else "g/kg" if highest <= 1000 else ""
    if quantity.high <= 1.6:
        if highest <= 1.6:
            return "degree of saturation (0 .. 1)" if quantity is SOIL_MOISTURE else ""
        if highest <= 100:
            return "percent"
        if highest <= 255 and quantity is FRACTION:
            return "bytes (0 .. 255)"
        return "g/kg or per mille" if highest <= 1000 else "stored numbers whose scale_factor is missing or wrong"
    if quantity is ELEVATION:
        return "feet, decimetres or centimetres" if middle > 0 else ""
    if quantity is RAIN:
        return "rain in another unit than the one that it states"
    return ""


def _refuse(values: np.ndarray, wrong: np.ndarray, of: _Subject) -> None:
    quantity = of.quantity
    found = values[wrong]
    unit = likely_unit(found, quantity)
    known = int(np.isfinite(values).sum())
    what = f"{found.size} of {known} values ({_span(found)}) are outside {quantity.range}, the range of {quantity.name}"
    if quantity.low <= found.min() and found.max() <= quantity.high:
        what = f"no value is above {found.max():g}, too small for {quantity.name} in {quantity.unit}"
    what += f": likely {unit}" if unit else ": in another unit, or damaged"
    wanted = f"in {quantity.unit}" if quantity.unit else f"as {quantity.range}"
    remedy = of.remedies.get(
        unit, f"check its units: give it {wanted}, or state its units attribute, or remove the file"
    )
    raise GranuleError(of.path, what, layer=of.layer, day=of.day, remedy=remedy)


def _extremes(values: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest value; NaN where there is none."""
    if not values.size:
        return np.nan, np.nan
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _span(values: np.ndarray) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} .. {high:.6g}"
