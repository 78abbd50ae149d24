"""Resampling between grids whose rows are parallels, by a table of four numbers a row.

On the EASE-Grid, as on every cylindrical grid, a row has one latitude; on the MODIS sinusoidal grid and on those of
latitude and longitude, too. So a row of the target lies in one row of the source, along which it runs evenly: where,
how high a pixel is there, where it begins and how wide a pixel is say all. They are computed once for a pair of grids,
and a kernel is applied down the columns first, then along the rows. Its width is that of the target's pixel on the
source at that latitude, whatever part of the grids is resampled.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer

BLOCK = 128  # rows worked on at a time: what lies between two steps stays in the cache
EXACT = 1e-2  # source pixels by which a row may bend


class Rows(NamedTuple):
    """Of each target row, in pixels of the source from its corner: the ``centre`` and ``height`` of the row, the left
    ``edge`` and the ``width`` of its pixels, (n,) float64."""

    centre: np.ndarray
    height: np.ndarray
    edge: np.ndarray
    width: np.ndarray


@lru_cache(64)
def rows_of(source: GeoBox, target: GeoBox) -> Rows | None:
    """The table of a pair of grids; None where a target row is not part of a source row."""
    ny, nx = target.shape
    a, b = source.affine, target.affine
    if a.b or a.d or b.b or b.d:
        return None
    to_source = Transformer.from_crs(str(target.crs), str(source.crs), always_xy=True)
    y = b.f + b.e * np.arange(ny + 1)
    middle = (y[1:] + y[:-1]) / 2
    x = b.c + b.a * np.array([0.0, nx / 2, nx])
    places = [to_source.transform(np.full(ny, at), middle) for at in x]
    left, centre, right = ((np.asarray(sx) - a.c) / a.a for sx, _ in places)
    down = [(np.asarray(sy) - a.f) / a.e for _, sy in places]
    edges = (np.asarray(to_source.transform(np.full(ny + 1, x[1]), y)[1]) - a.f) / a.e
    bends = (np.abs(down[0] - down[1]), np.abs(down[2] - down[1]), np.abs((left + right) / 2 - centre))
    if not all(np.isfinite(v).all() for v in (*bends, edges)) or max(v.max() for v in bends) > EXACT:
        return None
    return Rows(down[1], np.abs(np.diff(edges)), left, (right - left) / nx)


def resample(data: np.ndarray, rows: Rows, nx: int, how: str) -> np.ndarray:
    """``data`` (y, x) of the table's source, NaN where missing, on target ``rows`` of ``nx`` pixels: float32, NaN where
    nothing valid is in reach.

    ``nearest``; ``bilinear``, a triangle as wide as two pixels of the coarser of the two grids, with no value where the
    nearest has none; ``average``, of what the target's pixel covers.
    """
    ny = len(rows.centre)
    out = np.full((ny, nx), np.nan, np.float32)
    valid = np.isfinite(data)
    known = np.where(valid, data, np.float32(0))
    there = valid.astype(np.float32)
    across = np.arange(nx) + 0.5
    for begin in range(0, ny, BLOCK):
        some = slice(begin, begin + BLOCK)
        down = rows.centre[some]
        along = rows.edge[some, None] + rows.width[some, None] * across
        near_y, near_x = np.floor(down).astype(np.intp), np.floor(along).astype(np.intp)
        nearest = _pick(_rows_at(known, near_y), near_x)
        seen = _pick(_rows_at(there, near_y), near_x) > 0
        if how == "nearest":
            out[some] = np.where(seen, nearest, np.nan)
            continue
        sums = [np.zeros((len(down), data.shape[1]), np.float32) for _ in range(2)]
        for row, weight in _taps(down, rows.height[some], how):
            for total, field in zip(sums, (known, there), strict=True):
                total += weight[:, None] * _rows_at(field, row)
        value, weights = (np.zeros(along.shape, np.float32) for _ in range(2))
        for col, weight in _taps(along, np.abs(rows.width[some, None]), how):
            value += weight * _pick(sums[0], col)
            weights += weight * _pick(sums[1], col)
        enough = weights > 1e-6
        if how == "bilinear":
            enough &= seen
        np.divide(value, weights, out=out[some], where=enough)
    return out


def _taps(at: np.ndarray, size: np.ndarray, how: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Source pixels around ``at`` and their weights, float32; ``size`` of a target pixel in source pixels."""
    if how == "average":
        first = np.floor(at - size / 2).astype(np.intp)
        count = int(np.ceil(size.max())) + 1
        return [
            (n, np.clip(np.minimum(n + 1, at + size / 2) - np.maximum(n, at - size / 2), 0, None).astype(np.float32))
            for n in (first + k for k in range(count))
        ]
    half = np.maximum(size, 1.0)
    first = np.ceil(at - half - 0.5).astype(np.intp)
    count = int(np.ceil(2 * half.max()))
    return [
        (n, np.clip(1 - np.abs(n + 0.5 - at) / half, 0, None).astype(np.float32))
        for n in (first + k for k in range(count))
    ]


def _rows_at(field: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Rows of a field, 0 where it has none."""
    inside = (row >= 0) & (row < len(field))
    out = field[np.where(inside, row, 0)]
    out[~inside] = 0
    return out


def _pick(field: np.ndarray, col: np.ndarray) -> np.ndarray:
    """Of each row of a field the columns ``col`` (y, x), 0 where it has none."""
    width = field.shape[1]
    at = np.clip(col, 0, width - 1)
    out = field.ravel().take(at + width * np.arange(len(field))[:, None])
    if col.min() < 0 or col.max() >= width:
        out[at != col] = 0
    return out
