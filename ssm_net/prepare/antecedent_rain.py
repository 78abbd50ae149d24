"""Antecedent rain where the rain of some days is missing: a day without rain data is not a dry day.

An index is the sum of the rain of the days before, each faded by exp(-days / e-folding). Where the rain of a day is
missing, the index is divided by the share of its weights that known days hold, as if the mean of those had fallen. It
is missing where they hold less than ``KNOWN_SHARE``: of one missing day, ``api_2`` is missing on that day, ``api_10``
after five in a row and ``api_30`` after thirteen. Where rain was never known the index is missing, and becomes known
once enough days are. Days before a record, and days between its days of which no file is there, count as dry.

The memory of all this is the rain that the cube stores. It is read only for pixels at which rain begins to be missing
or is known again: complete rain costs nothing, and gives the plain sums.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.cube.spacing import stored_shape
from ssm_net.cube.store import CHUNK, Cube
from ssm_net.cube.variables import API_DAYS

KNOWN_SHARE = 2 / 3  # of the weights of an index that known days have to hold
HISTORY = 90  # days of stored rain that are looked at: all but 5 % of the longest index


@dataclass(frozen=True)
class RainSum:
    """Rain since the last day of a record: ``total`` (mm) by index, each day faded, 0 where missing; ``unknown``, the
    share of the weights of each index that days with missing rain hold, an array (y, x) or, where there is none of
    them, 0; ``known`` (y, x) bool where any day is known, or one bool for all pixels; ``days`` it covers."""

    total: Mapping[str, np.ndarray]
    unknown: Mapping[str, np.ndarray | float]
    known: np.ndarray | bool
    days: int


def fading(name: str, days: int = 1) -> float:
    """What remains of the rain in an index after some days, 0..1."""
    return float(np.exp(-days / API_DAYS[name]))


def antecedent_rain(cube: Cube, day: dt.date, before: dt.date | None, since: RainSum, name: str) -> np.ndarray:
    """The index ``name`` (``api_2`` ..) on ``day``, mm in the spacing of rain, NaN where it is not known: that of
    ``before``, the last stored day (None on the first), faded, and the rain ``since`` then.

    Raises ``CubeError`` where a stored day cannot be read.
    """
    none = np.zeros(stored_shape(name, cube.domain), "float32")
    total, unknown = since.total.get(name, none), since.unknown.get(name, 0.0)
    if before is None:
        first = (
            total
            if np.isscalar(unknown) and not unknown
            else _of_known(total, np.broadcast_to(1 - np.asarray(unknown), total.shape))
        )
        return first if since.known is True else np.where(since.known, first, np.float32(np.nan))
    old = cube.read_as_stored(name, before)
    out = np.asarray(old * np.float32(np.exp(-(day - before).days / API_DAYS[name])) + total)
    lost = np.isnan(old)
    missing = np.broadcast_to(np.asarray(unknown) > 0, out.shape)
    # Where rain was not known before and is not today either, nothing can have become known.
    if not (missing | lost).any() or (since.known is False and lost.all()):
        return out
    stored = [past for past in cube.days_with_pixels() if 0 < (day - past).days <= HISTORY]
    for top in range(0, out.shape[0], CHUNK):
        rows = slice(top, min(top + CHUNK, out.shape[0]))
        gone, again = missing[rows] & ~lost[rows], lost[rows] & np.broadcast_to(since.known, out.shape)[rows]
        if not gone.any() and not again.any():
            continue
        share = np.broadcast_to(np.asarray(unknown, np.float32), out.shape)[rows]
        past = _past_rain(cube, day, stored, name, rows)
        held = _of_known(out[rows], 1 - share, 1 - share - past.unknown)
        anew = _of_known(past.total + total[rows], past.known + 1 - fading(name, since.days) - share)
        out[rows] = np.where(gone, held, np.where(again, anew, out[rows]))
    return out


@dataclass(frozen=True)
class _PastRain:
    """Rain of the days before: the faded sum (mm), and the shares of the weights that days with known and with missing
    rain hold, all (y, x)."""

    total: np.ndarray
    known: np.ndarray
    unknown: np.ndarray


def _past_rain(cube: Cube, day: dt.date, stored: Sequence[dt.date], name: str, rows: slice) -> _PastRain:
    """What the cube holds of the rain of the days ``stored`` before ``day``, in some rows of pixels."""
    width = stored_shape("rain", cube.domain)[1]
    total, known, unknown = (np.zeros((rows.stop - rows.start, width), "float32") for _ in range(3))
    for past in stored:
        rain = cube.read_as_stored("rain", past, (rows.start, rows.stop, 0, width))
        missing, faded = np.isnan(rain), np.float32(fading(name, (day - past).days))
        weight = faded * np.float32(1 - fading(name))
        total += np.where(missing, 0, rain) * faded
        known += ~missing * weight
        unknown += missing * weight
    return _PastRain(total, known, unknown)


def _of_known(total: np.ndarray, share: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """A sum divided by the ``share`` of the weights that it holds; NaN where the share of known days is too small."""
    enough = (share if known is None else known) >= KNOWN_SHARE
    return np.divide(total, share, out=np.full(total.shape, np.nan, "float32"), where=enough)
