"""Separable regridding between grids whose rows are parallels, by a table of four numbers a row.

On the EASE-Grid, as on every cylindrical grid, a row has one latitude; so it has on the MODIS sinusoidal grid and on
latitude/longitude grids. A row of the target therefore lies within one row of the source and runs evenly along it.
Four numbers describe it: its position and height across the source's rows, its left edge and the width of its pixels.
They are computed once for a pair of grids. The kernel is applied down the columns first, then along the rows; it is as
wide as the target's pixel on the source at that latitude, whatever part of the grids is regridded.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from ssm_net.grid import row_blocks

MAX_BEND = 1e-2  # source pixels by which a row may deviate from a straight, evenly spaced one


class RowTable(NamedTuple):
    """Of each target row, in pixels of the source from its corner: the ``centre`` and ``height`` of the row, the left
    ``edge`` and the ``width`` of its pixels, (n,) float64."""

    centre: np.ndarray
    height: np.ndarray
    edge: np.ndarray
    width: np.ndarray


@lru_cache(1024)
def row_table(source: GeoBox, target: GeoBox) -> RowTable | None:
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
    if not all(np.isfinite(v).all() for v in (*bends, edges)) or max(v.max() for v in bends) > MAX_BEND:
        return None
    return RowTable(down[1], np.abs(np.diff(edges)), left, (right - left) / nx)


def regrid_rows(data: np.ndarray, rows: RowTable, nx: int, how: str) -> np.ndarray:
    """``data`` (y, x) of the table's source, NaN where missing, on target ``rows`` of ``nx`` pixels: float32, NaN where
    nothing valid is in reach.

    ``how`` is ``nearest``; ``bilinear``: a triangle two pixels wide of the coarser of the two grids, NaN where the
    nearest pixel is; or ``average``: of the area that the target's pixel covers.
    """
    out = np.empty((len(rows.centre), nx), np.float32)
    across = np.arange(nx) + 0.5
    for block in row_blocks((len(out), max(nx, data.shape[1]))):
        some = RowTable(*(column[block] for column in rows))
        along = some.edge[:, None] + some.width[:, None] * across
        out[block] = _nearest(data, some, along) if how == "nearest" else _mean(data, some, along, how)
    return out


def _nearest(data: np.ndarray, rows: RowTable, along: np.ndarray) -> np.ndarray:
    """The source pixel that holds the centre of each target pixel; ``along`` (y, x) are their columns."""
    height, width = data.shape
    y, x = np.floor(rows.centre).astype(np.intp), np.floor(along).astype(np.intp)
    at = np.clip(x, 0, width - 1)
    outside = at != x
    at += width * np.clip(y, 0, height - 1)[:, None]
    out = data.ravel().take(at)
    np.copyto(out, np.nan, where=outside)
    out[(y < 0) | (y >= height)] = np.nan
    return out


def _mean(data: np.ndarray, rows: RowTable, along: np.ndarray, how: str) -> np.ndarray:
    """The kernel-weighted mean of valid pixels: down the columns a matrix product, along the rows tap by tap."""
    (height, width), size = data.shape, np.abs(rows.width)[:, None]
    tall, reach = _reach(rows.height, how), _reach(size, how)
    top = max(int(np.floor(rows.centre.min())) - tall, 0)
    bottom = min(int(np.floor(rows.centre.max())) + tall + 1, height)
    if bottom <= top:
        return np.full(along.shape, np.nan, np.float32)
    pad = 2 * reach + 1  # empty, so that a tap outside the source adds nothing
    part = data[top:bottom]
    valid = np.isfinite(part)
    known, present = np.zeros((2, len(part), width + 2 * pad), np.float32)
    np.copyto(known[:, pad:-pad], part, where=valid)
    present[:, pad:-pad] = valid
    down = _kernel(np.arange(top, bottom) + 0.5 - rows.centre[:, None], rows.height[:, None], how).astype(np.float32)
    sums, weights = (down @ known).ravel(), (down @ present).ravel()

    col = np.floor(along)
    gap = (col + 0.5 - along).astype(np.float32)
    at = np.clip(col, -reach - 1, width + reach).astype(np.intp)
    at += pad - reach + (width + 2 * pad) * np.arange(len(at))[:, None]  # of the first tap
    size = size.astype(np.float32)
    value, weight = np.zeros((2, *at.shape), np.float32)
    for k in range(2 * reach + 1):
        tap = _kernel(gap + np.float32(k - reach), size, how)
        value += tap * sums[k:].take(at, mode="clip")
        weight += tap * weights[k:].take(at, mode="clip")
    if how == "bilinear":
        near = np.floor(rows.centre).astype(np.intp) - top
        inside = (near >= 0) & (near < len(part))
        nearest = present[np.where(inside, near, 0)] * inside[:, None]
        weight *= nearest.ravel()[reach:].take(at, mode="clip")
    np.copyto(weight, np.nan, where=weight <= 1e-6)
    return value / weight


def _reach(size: np.ndarray, how: str) -> int:
    """How many source pixels on either side of the one at the centre of a target pixel of ``size`` may count."""
    half = (size + 1) / 2 if how == "average" else np.maximum(size, 1.0)
    return int(np.ceil(half.max() - 0.5))


def _kernel(gap: np.ndarray, size: np.ndarray, how: str) -> np.ndarray:
    """The weight of a source pixel whose centre is ``gap`` source pixels from that of a target pixel of ``size``;
    ``gap`` is overwritten."""
    np.abs(gap, out=gap)
    if how == "average":  # the length of their overlap
        np.subtract((size + 1) / 2, gap, out=gap)
        return np.clip(gap, 0, np.minimum(size, 1), out=gap)
    gap /= np.maximum(size, 1)
    np.subtract(1, gap, out=gap)
    return np.maximum(gap, 0, out=gap)
