"""Sums over days of what the maps hold, of each pixel of a block; sums of sums are sums of all days."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.climate.time_correlation import LASTING_CELL, LASTING_INSIDE, left_of_error, mean_decay
from ssm_net.extract.means import ErrorStatement
from ssm_net.formats.map_pixels import DayPixels
from ssm_net.formats.product import FILL, SCALE, Flag

FIRST_YEAR = 1970  # of the 64 bits of ``years``; no record of satellites is longer


@dataclass
class DaySums:
    """Of each pixel (rows, cols): the number of ``days`` with a value, a bit for each of the ``years`` that have one,
    the sums of ``ssm`` and of its ``squares`` (counts of the maps: exact sums), of the parts of the variance
    (``inside``, ``cell``, ``region``, m6 m-6), and the days that have each flag, (flags, rows, cols), masked or not."""

    days: np.ndarray
    years: np.ndarray
    ssm: np.ndarray
    squares: np.ndarray
    inside: np.ndarray
    cell: np.ndarray
    region: np.ndarray
    flags: np.ndarray

    BYTES_A_PIXEL = 2 + 8 + 4 + 8 + 3 * 4 + 2 * len(Flag)

    @classmethod
    def zero(cls, shape: tuple[int, int]) -> DaySums:
        kinds = (np.uint16, np.uint64, np.int32, np.int64, np.float32, np.float32, np.float32)
        fields = [np.zeros(shape, kind) for kind in kinds] + [np.zeros((len(Flag), *shape), np.uint16)]
        return cls(*fields)

    def add(self, pixels: DayPixels, year: int, errors: ErrorStatement) -> None:
        """Count a day, whose ``errors`` are statements of one day."""
        valid = pixels.ssm != FILL
        ssm = np.where(valid, pixels.ssm, 0).astype(np.int32)
        region = np.float32(errors.region[0] ** 2)
        rest = np.maximum((pixels.sigma * SCALE) ** 2 - region, 0)
        # Not stated: taken as shared, as extract does.
        observed, gap = (np.float32(np.nan_to_num(part[0], nan=1.0)) for part in (errors.observed, errors.gap))
        shared = np.where(pixels.flags & Flag.COARSE_OBSERVED, observed, gap)
        self.days += valid
        self.years |= valid.astype(np.uint64) << np.uint64((year - FIRST_YEAR) % 64)
        self.ssm += ssm
        self.squares += ssm.astype(np.int64) ** 2
        self.inside += np.where(valid, rest * (1 - shared), 0)
        self.cell += np.where(valid, rest * shared, 0)
        self.region += np.where(valid, region, 0)
        for n, flag in enumerate(Flag):
            self.flags[n] += pixels.flags & flag > 0

    def merge(self, other: DaySums) -> None:
        """Count the days of other sums, of the same pixels, which share no day with these."""
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            np.bitwise_or(mine, theirs, out=mine) if field.name == "years" else np.add(mine, theirs, out=mine)


@dataclass(frozen=True)
class Moments:
    """Of each pixel (rows, cols), float32 in m3 m-3, NaN where no day has a value: the ``mean`` of the days, their
    ``spread`` (standard deviation), and the standard error ``sigma`` of the mean."""

    mean: np.ndarray
    spread: np.ndarray
    sigma: np.ndarray

    @classmethod
    def of(cls, sums: DaySums, days: Sequence[dt.date]) -> Moments:
        """``days`` are all days that were added, with a value or without."""
        if not days:
            nothing = np.full(sums.days.shape, np.nan, np.float32)
            return cls(nothing, nothing, nothing)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = sums.ssm / sums.days
            variance = np.maximum(sums.squares / sums.days - mean**2, 0)
            decay, fraction = mean_decay(days), sums.days / np.float32(len(days))
            inside = sums.inside / sums.days * left_of_error(LASTING_INSIDE, decay, fraction)
            cell = sums.cell / sums.days * left_of_error(LASTING_CELL, decay, fraction)
            sigma = np.sqrt(inside + cell + sums.region / sums.days)
        scale = float(SCALE)
        spread = np.sqrt(variance) * scale
        return cls((mean * scale).astype(np.float32), spread.astype(np.float32), sigma.astype(np.float32))


def number_of_years(sums: DaySums) -> np.ndarray:
    """The years, (rows, cols) uint8, that have a value."""
    return np.bitwise_count(sums.years)


def one_day(errors: ErrorStatement, number: int) -> ErrorStatement:
    return errors[number : number + 1]
