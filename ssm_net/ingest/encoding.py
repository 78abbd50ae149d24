"""Stored numbers of a NetCDF, HDF5 or HDF4 variable as physical values, by what its attributes say.

Sources: NetCDF Users Guide, appendix A (attribute conventions), and CF-1.11, sections 2.5.1 and 8.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.ingest.notes import make_note
from ssm_net.ingest.raster import GranuleError

FILL_NAMES = ("_fillvalue", "missing_value", "fillvalue", "fill_value", "codemissingvalue")
# What the netCDF libraries write where nothing was written and no other fill value was chosen.
DEFAULT_FILLS = {"i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295, "i8": -9223372036854775806,
                 "u8": 18446744073709551614, "f4": 9.969209968386869e36, "f8": 9.969209968386869e36}  # fmt: skip
ROUNDING = 1e-6  # of a fill value: some attributes hold it with fewer digits than the data


@dataclass(frozen=True)
class Encoding:
    """The attributes of a variable that say what its stored numbers mean, whatever library read them.

    Values may be scalars, arrays of one element, lists or text; names and text that are not UTF-8 are left alone.
    ``path`` and ``name`` are those of the file and the variable, for messages.
    """

    path: Path
    name: str
    attributes: Mapping[Any, Any]

    def decode(self, stored: np.ndarray, fills: Iterable[float] = ()) -> np.ndarray:
        """Physical values, float64, the shape of ``stored``; NaN where they are missing.

        Missing are: fill and missing values, whose type need not be that of the data (-999.9 as a double is found in
        float32 data); what lies outside the valid range, where numbers between it and the fill value are class codes;
        infinities; and ``fills``, stored numbers that a product uses without declaring them.

        Raises ``GranuleError`` where the data or an attribute that is needed are no numbers.
        """
        stored = self._unpackable(np.asarray(stored))
        bad = np.zeros(stored.shape, bool)
        declared = [value for key in FILL_NAMES for value in self._fills(key)]
        if not self._typed("_fillvalue").size and not self._has_range:
            declared += [v for k, v in DEFAULT_FILLS.items() if np.dtype(k) == stored.dtype.newbyteorder("=")]
        unpacked_fills = []
        for value in (*declared, *(np.float64(f) for f in fills)):
            mask = _equal(stored, value)
            if mask is None:
                unpacked_fills.append(value)
            else:
                bad |= mask
        out = stored.astype(np.float64) * self.scale + self.offset
        for value in unpacked_fills:
            bad |= np.isclose(out, float(value), rtol=ROUNDING, atol=0)
        if self._has_range and not bad.all():
            low, high = self._limits
            if self._limits_are_packed(stored.dtype):
                outside = _outside(stored, _as_stored(low, stored.dtype), _as_stored(high, stored.dtype))
            else:
                outside = _outside(out, low, high)
            if (outside | bad).all():
                numbers = ", ".join(map(str, np.unique(stored[~bad])[:3]))
                make_note(self.path, self.name, "all values lie outside its valid range: missing",
                          f"valid range {low} .. {high}, stored numbers ({numbers})")  # fmt: skip
            bad |= outside
        out[bad | ~np.isfinite(out)] = np.nan
        return out

    @cached_property
    def scale(self) -> float:
        scale = self._number("scale_factor", 1.0)
        if scale == 0:
            raise self._error("its attribute scale_factor is 0")
        return scale

    @cached_property
    def offset(self) -> float:
        return self._number("add_offset", 0.0)

    def scaled_by(self, factor: float) -> Encoding:
        """The same with another scale factor."""
        kept = {key: value for key, value in self.attributes.items() if _name(key).lower() != "scale_factor"}
        return Encoding(self.path, self.name, kept | {"scale_factor": factor})

    def text(self, key: str) -> str:
        """An attribute as text, without spaces around it; empty where there is none."""
        value = self._by_name.get(key.lower(), "")
        value = value.ravel()[0] if isinstance(value, np.ndarray) and value.size == 1 else value
        return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()

    @cached_property
    def _by_name(self) -> dict[str, Any]:
        return {_name(key).lower(): value for key, value in self.attributes.items()}

    def _typed(self, key: str) -> np.ndarray:
        """The numbers of an attribute, (n,), in the type that they are stored in; empty where there is none."""
        value = self._by_name.get(key)
        if value is None:
            return np.empty(0)
        value = np.ravel(np.asarray(value))
        if value.dtype.kind in "SUO":
            text = " ".join(v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in value.tolist())
            parts = [p for p in re.split(r"[\s,;]+", text.strip("[](){} \0")) if p and p.lower() not in ("to", "none")]
            parts = [re.sub(r"(?<=[\d.])[fFdDsSbBlL]$", "", p) for p in parts]  # -9999.f, as ncdump prints it
            try:
                whole = all(re.fullmatch(r"[-+]?\d+", p) for p in parts)
                return np.array([int(p) for p in parts] if whole else [float(p) for p in parts])
            except (ValueError, OverflowError) as err:
                if key in FILL_NAMES:
                    make_note(self.path, self.name, f"its attribute {key} is no number, and counts for nothing", text)
                    return np.empty(0)
                raise self._error(f"its attribute {key} is {text!r}, which is no number") from err
        if value.dtype.kind not in "iufb":
            raise self._error(f"its attribute {key} is of type {value.dtype}, which is no number")
        return value

    def _fills(self, key: str) -> list[Any]:
        return [v for v in self._typed(key) if not np.isnan(v)]

    def _number(self, key: str, default: float) -> float:
        values = self._typed(key)
        if values.size == 0:
            return default
        if not np.isfinite(values[0]) or (values != values[0]).any():
            raise self._error(f"its attribute {key} is {values.tolist()}, where one number is needed")
        return float(values[0])

    @property
    def _has_range(self) -> bool:
        return any(self._typed(key).size for key in ("valid_range", "valid_min", "valid_max"))

    @cached_property
    def _limits(self) -> tuple[Any, Any]:
        both, low, high = (self._typed(key) for key in ("valid_range", "valid_min", "valid_max"))
        if both.size not in (0, 2):
            raise self._error(f"its attribute valid_range is {both.tolist()}, where two numbers are needed")
        pair = both if both.size else np.array([-np.inf, np.inf])
        return (low[0] if low.size else pair[0]), (high[0] if high.size else pair[1])

    def _limits_are_packed(self, dtype: np.dtype) -> bool:
        """Whether the valid range is in stored numbers: unless its type is wider than theirs and that of the unpacked
        values (NetCDF Users Guide, ``valid_range``)."""
        if self.scale == 1.0 and self.offset == 0.0:
            return True
        kinds = [np.asarray(v).dtype for v in self._limits if np.isfinite(v)]
        if dtype.kind in "iu":
            return all(k.kind in "iu" for k in kinds)
        unpacked = [self._typed(k).dtype for k in ("scale_factor", "add_offset") if self._typed(k).size]
        wider = max((k.itemsize for k in unpacked), default=0) > dtype.itemsize
        return not (wider and any(k.itemsize > dtype.itemsize for k in kinds))

    def _unpackable(self, stored: np.ndarray) -> np.ndarray:
        if stored.dtype.kind not in "iufb":
            raise self._error(f"holds {stored.dtype}, where numbers are needed")
        unsigned = self.text("_unsigned").lower()
        if unsigned in ("true", "1") and stored.dtype.kind == "i":
            return stored.view(stored.dtype.str.replace("i", "u"))
        if unsigned in ("false", "0") and stored.dtype.kind == "u":
            return stored.view(stored.dtype.str.replace("u", "i"))
        return stored.astype(np.uint8) if stored.dtype.kind == "b" else stored

    def _error(self, what: str) -> GranuleError:
        return GranuleError(
            self.path, what, layer=self.name, remedy="correct it, download the file again, or remove it"
        )


def _name(key: Any) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def attributes_of(dataset: Any) -> dict[str, Any]:
    """The attributes of an h5py dataset, without those whose type numpy does not know: none of them is a number."""
    out = {}
    for key in dataset.attrs:
        try:
            out[str(key)] = dataset.attrs[key]
        except (OSError, TypeError, ValueError):  # references, text that is not UTF-8
            continue
    return out


def _as_stored(value: Any, dtype: np.dtype) -> Any:
    """A number of an attribute in the type of the data.

    An integer outside that type is the same bits of the other sign where it could be (-1 is 255 in uint8, 65535 is -1
    in int16); else it stays as it is. A float is rounded as the data are.
    """
    number = float(value)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.asarray(value).astype(dtype)[()]
    if not np.isfinite(number) or number != np.trunc(number):
        return number
    info, bits = np.iinfo(dtype), 8 * dtype.itemsize
    whole = int(value)
    if info.min <= whole <= info.max:
        return whole
    same_bits = whole + (1 << bits) if whole < 0 else whole - (1 << bits)
    return same_bits if -(1 << (bits - 1)) <= whole < 1 << bits and info.min <= same_bits <= info.max else whole


def _equal(stored: np.ndarray, value: Any) -> np.ndarray | None:
    """Where ``stored`` is a fill value; None where no number of its type can be."""
    number = _as_stored(value, stored.dtype)
    if stored.dtype.kind == "f":
        kinds = [k for k in (stored.dtype, np.asarray(value).dtype) if k.kind == "f"]
        near = max(ROUNDING, *(4 * float(np.finfo(k).eps) for k in kinds)) * abs(float(number))
        with np.errstate(invalid="ignore", over="ignore"):
            return (stored == number) | (np.abs(stored - number) <= near)
    info = np.iinfo(stored.dtype)
    if number != np.trunc(number) or not info.min <= number <= info.max:
        return None
    return stored == stored.dtype.type(number)


def _outside(values: np.ndarray, low: Any, high: Any) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (values < low) | (values > high)
