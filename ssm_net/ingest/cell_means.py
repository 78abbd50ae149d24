"""Means over coarse cells of values on finer grids and of boxes, weighted by the part of a cell that each covers.

Cells of latitude/longitude grids and of cylindrical EASE-Grids are rectangles in EPSG:6933, so that the part of a
coarse cell that one covers is the product of its overlaps along the two axes. The error of a mean is the mean of the
errors: values of one overpass share sensor, vegetation and calibration, so they are taken as fully correlated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyproj import Transformer

from ssm_net.grid import Domain
from ssm_net.ingest import latlon

MIN_COVER = 0.25  # fraction of a coarse cell that valid values must cover
FWHM = 2 * math.sqrt(2 * math.log(2))  # full width at half maximum of a gaussian, standard deviations


@dataclass(frozen=True)
class CellWeights:
    """The fraction of each coarse row that a row of the file covers, ``down`` (R, rows), and of each coarse column that
    a column does, ``across`` (C, cols)."""

    down: np.ndarray
    across: np.ndarray

    @classmethod
    def of_degrees(cls, grid: latlon.Axes, domain: Domain) -> CellWeights:
        """Of a regular grid of latitudes and longitudes."""
        return cls(*latlon.overlaps(grid, domain))

    @classmethod
    def of_centres(cls, lat: np.ndarray, lon: np.ndarray, domain: Domain) -> CellWeights:
        """Of a grid whose rows and columns are evenly spaced in EPSG:6933, by its centres (degrees)."""
        to_grid = Transformer.from_crs("EPSG:4326", domain.grid.crs, always_xy=True)
        y, x = to_grid.transform(np.zeros_like(lat), lat)[1], to_grid.transform(lon, np.zeros_like(lon))[0]
        return cls(*latlon.overlaps_of_edges(_edges(y), _edges(x), domain))

    @property
    def inside(self) -> np.ndarray:
        """Where values of the file touch the domain, (rows, cols) bool."""
        return np.outer(self.down.any(0), self.across.any(0))

    def spans(self) -> tuple[slice, slice]:
        """The rows and columns of the file from the first to the last that touch the domain; empty where none does."""
        return _span(self.down.any(0)), _span(self.across.any(0))

    def within(self, rows: slice, cols: slice) -> CellWeights:
        """Those of a part of the file."""
        return CellWeights(self.down[:, rows], self.across[:, cols])

    def cover(self, where: np.ndarray) -> np.ndarray:
        """The fraction of each coarse cell that values cover ``where`` (rows, cols) is true, (R, C)."""
        return self.down @ where.astype(np.float64) @ self.across.T

    def mean(self, values: np.ndarray, where: np.ndarray, enough: np.ndarray) -> np.ndarray:
        """Mean of ``values`` (rows, cols) ``where`` they count, (R, C) float32; NaN where not ``enough`` (R, C)."""
        weight = self.cover(where)
        total = self.down @ np.where(where, values, 0.0) @ self.across.T
        out = np.divide(total, weight, out=np.full(total.shape, np.nan), where=enough & (weight > 0))
        return out.astype(np.float32)

    def means(self, values: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
        """Means (R, C) of ``values``, NaN where missing, in cells that they cover enough, and of the ``others`` where
        both are known."""
        known = np.isfinite(values)
        enough = self.cover(known) >= MIN_COVER
        return [self.mean(field, known & np.isfinite(field), enough) for field in (values, *others)]


def box_means(
    domain: Domain, lon: np.ndarray, lat: np.ndarray, side: float, fields: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Means (R, C) of the first of ``fields`` (n,), NaN where missing, over the boxes about ``lon``, ``lat`` (n,)
    degrees, of ``side`` metres; and of the others where both are known."""
    grid = domain.grid
    to_grid = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
    x, y = to_grid.transform((lon + 180) % 360 - 180, lat)
    cols, col_parts = _parts(np.asarray(x) - grid.left, side, grid.cell)
    rows, row_parts = _parts(grid.top - np.asarray(y), side, grid.cell)
    at = [(rows + i, (cols + j) % grid.cols, row_parts[i] * col_parts[j]) for i in (0, 1) for j in (0, 1)]
    row, col, weight = (np.concatenate([part[n] for part in at]) for n in range(3))
    return weighted_means(domain, row, col, weight, [np.tile(field, 4) for field in fields])


def weighted_means(
    domain: Domain, row: np.ndarray, col: np.ndarray, weight: np.ndarray, fields: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Means (R, C) of the first of ``fields`` (n,), NaN where missing, by the global rows and columns of their coarse
    cells and the fraction of the cell that each stands for (``weight``); and of the others where both are known."""
    cell = place(domain, row, col)
    here = (cell >= 0) & (weight > 0)
    cell, weight, kept = cell[here], weight[here], [field[here] for field in fields]
    size, known = math.prod(domain.coarse_shape), np.isfinite(kept[0])
    enough = np.bincount(cell[known], weight[known], size) >= MIN_COVER
    out = []
    for field in kept:
        both = known & np.isfinite(field)
        total = np.bincount(cell[both], weight[both], size)
        total_value = np.bincount(cell[both], weight[both] * field[both], size)
        mean = np.divide(total_value, total, out=np.full(size, np.nan), where=enough & (total > 0))
        out.append(mean.reshape(domain.coarse_shape).astype(np.float32))
    return out


def place(domain: Domain, row: np.ndarray, col: np.ndarray) -> np.ndarray:
    """The cells of the domain, counted row by row, of global rows and columns; -1 of those outside it."""
    r0, r1, _, _ = domain.window
    across = domain.columns_of(col)
    inside = (row >= r0) & (row < r1) & (across >= 0)
    return np.where(inside, (row - r0) * domain.coarse_shape[1] + across, -1).astype(np.int64)


def parts_of_footprint(cells: int, cell: float, fwhm: float) -> np.ndarray:
    """For ``cells`` in a row, each of side ``cell`` (m), across a coarse cell: the part of a gaussian footprint about
    the middle of each, ``fwhm`` (m) wide, that lies within the coarse cell, normalised to a sum of 1, (cells,)."""
    middle = (np.arange(cells) + 0.5 - cells / 2) * cell
    half, scale = cells / 2 * cell, fwhm / FWHM * math.sqrt(2)
    part = np.array([math.erf((half - m) / scale) + math.erf((half + m) / scale) for m in middle])
    return part / part.sum()


def _parts(position: np.ndarray, side: float, cell: float) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The first cell that a box touches along an axis, and the fractions of it and of the next that the box covers."""
    start, end = (position - side / 2) / cell, (position + side / 2) / cell
    first = np.floor(start)
    within = np.minimum(end, first + 1) - start
    return first.astype(np.int64), (within, np.maximum(end - first - 1, 0.0))


def _edges(centres: np.ndarray) -> np.ndarray:
    """Edges between evenly spaced centres, and the two outer ones."""
    step = (centres[-1] - centres[0]) / (centres.size - 1)
    return centres[0] - step / 2 + step * np.arange(centres.size + 1)


def _span(touched: Any) -> slice:
    at = np.flatnonzero(touched)
    return slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, 0)
