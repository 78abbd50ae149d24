"""Weighted means of places over their pixels, days after days: soil moisture, its error in three parts, flags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy.sparse import csr_array

from ssm_net.extract.error_correlation import CELL_RANGE_KM, INSIDE_RANGE_KM, mean_correlation
from ssm_net.extract.selection import Selection
from ssm_net.formats.map_pixels import DayPixels, MapPixels
from ssm_net.formats.product import FILL, SCALE, Flag

BLOCK_PIXELS = 1 << 20  # pixels times days that are averaged at once


@dataclass(frozen=True)
class ErrorStatement:
    """What the maps state of the parts of their error: ``region`` (days,) in m3 m-3, and the fraction of the rest of a
    pixel's variance that its cell shares where the cell was ``observed`` and in a ``gap``, (days,), NaN where a map
    does not say."""

    region: np.ndarray
    observed: np.ndarray
    gap: np.ndarray

    def __getitem__(self, days: slice) -> ErrorStatement:
        return ErrorStatement(self.region[days], self.observed[days], self.gap[days])


@dataclass(frozen=True)
class PlaceMeans:
    """Of each place and day, float32 (places, days): the mean ``ssm`` and the parts of its standard error (m3 m-3, NaN
    where no pixel is valid), the part of the place that is ``valid``, and the part that has each flag, by its name."""

    ssm: np.ndarray
    inside: np.ndarray
    cell: np.ndarray
    region: np.ndarray
    valid: np.ndarray
    flags: dict[str, np.ndarray]

    @property
    def total(self) -> np.ndarray:
        """The standard error of the mean, m3 m-3."""
        return np.sqrt(self.inside**2 + self.cell**2 + self.region**2)


def place_means(
    pixels: MapPixels, days: Sequence[int], selection: Selection, size_km: tuple[float, float], errors: ErrorStatement,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> PlaceMeans:  # fmt: skip
    """The means of the days with these numbers in the folder, of which each is read once; ``errors`` is of the same
    days, ``size_km`` the width and height of a pixel."""
    left = np.array([
        [mean_correlation(*selection.pixels_of(p), size_km, range_km) if selection.inside[p] > 0 else 1.0
         for p in range(len(selection.names))] for range_km in (INSIDE_RANGE_KM, CELL_RANGE_KM)
    ])  # fmt: skip
    step = max(1, BLOCK_PIXELS // max(1, len(selection.rows)))
    blocks: list[PlaceMeans] = []
    waiting: list[DayPixels] = []
    ahead = (pixels.read_all(days[first : first + step]) for first in range(0, len(days), step))
    for n, (_, day) in enumerate(zip(progress(days), chain.from_iterable(ahead), strict=True)):
        waiting.append(day)
        if len(waiting) == step or n == len(days) - 1:
            blocks.append(_block_means(waiting, selection.weights, left, errors[n + 1 - len(waiting) : n + 1]))
            waiting = []
    fields = ("ssm", "inside", "cell", "region", "valid")
    joined = {field: np.concatenate([getattr(block, field) for block in blocks], 1) for field in fields}
    flags = {name: np.concatenate([block.flags[name] for block in blocks], 1) for name in blocks[0].flags}
    return PlaceMeans(flags=flags, **joined)


def _block_means(days: Sequence[DayPixels], weights: csr_array, left: np.ndarray, errors: ErrorStatement) -> PlaceMeans:
    """``left`` (2, places) is the mean correlation of errors inside cells, and of those that cells share."""
    ssm, sigma, flags = (np.stack([getattr(day, name) for day in days], 1) for name in ("ssm", "sigma", "flags"))
    valid = (ssm != FILL) & (sigma != FILL)
    of_valid = weights @ valid.astype(np.float32)

    def mean(values: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(of_valid > 0, (weights @ np.where(valid, values, np.float32(0))) / of_valid, np.nan)

    rest = np.maximum((sigma * SCALE) ** 2 - (errors.region**2).astype(np.float32), 0)
    shared = np.where(flags & Flag.COARSE_OBSERVED, errors.observed, errors.gap).astype(np.float32)
    shared = np.nan_to_num(shared, nan=1.0)  # not stated: taken as shared, which averages out the least
    with np.errstate(invalid="ignore", divide="ignore"):
        # Fewer pixels average out less: the correlation of those that are left is at most so much larger.
        inside, cell = (np.minimum(r[:, None] / np.minimum(of_valid, 1), 1) for r in left)
    nowhere = ~(weights.sum(1) > 0)
    flagged = {str(flag.name).lower(): _fraction(weights, flags & flag > 0, nowhere) for flag in Flag}
    variances = {"inside": mean(rest * (1 - shared)) * inside, "cell": mean(rest * shared) * cell}
    fields = {"ssm": mean(ssm * SCALE), "region": np.where(of_valid > 0, errors.region, np.nan)}
    fields |= {name: np.sqrt(variance) for name, variance in variances.items()}
    packed = {name: field.astype(np.float32) for name, field in fields.items()}
    return PlaceMeans(valid=_fraction(weights, valid, nowhere), flags=flagged, **packed)


def _fraction(weights: csr_array, which: np.ndarray, nowhere: np.ndarray) -> np.ndarray:
    """The part of each place, (places, days), that pixels (n, days) make up; NaN for places without pixels."""
    part = np.minimum(weights @ which.astype(np.float32), 1).astype(np.float32)
    part[nowhere] = np.nan
    return part
