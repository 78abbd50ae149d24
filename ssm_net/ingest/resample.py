"""Regridding from the grids of the archives to the grid of the domain.

Tiles of one grid are first mosaicked into one source array, so that a kernel reaches across their seam. Where the rows
of both grids are parallels (``rowwise``: MODIS, and all latitude/longitude grids) one table serves every file. Any
other pair of grids is warped by ``rasterio.warp``, whose kernel widens with the skew of the window that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import rasterio.warp
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling

from ssm_net.dateline import sides
from ssm_net.ingest.raster import LazyRaster, Raster
from ssm_net.ingest.rowwise import regrid_rows, row_table

VERSION = 2  # raised when resampled fields change: 1 warped all grids by rasterio's kernels
SAME = 1e-3  # metres (or 1e-3 of a pixel, whichever is larger): origins that differ by less count as equal
STRIP = 144  # rows warped at a time: bounds the memory of the mosaic of a whole country
KERNEL_MARGIN = 4  # source pixels around a strip

Span = tuple[int, int, int, int]  # row0, row1, col0, col1


def regrid(rasters: Sequence[Raster], geobox: GeoBox, resampling: str) -> np.ndarray:
    """Rasters of one variable on ``geobox``: (y, x) float32, NaN where none of them has a value.

    ``resampling`` is a name of rasterio (``bilinear``, ``average``, ``nearest``). Rasters on one grid are mosaicked
    before warping; where they overlap, or rasters of different grids do, the first that has a value is used. A pixel
    is computed from the valid source pixels in reach; bilinear gives none where the nearest is missing, so that gaps
    do not shrink.
    """
    (out,) = regrid_each([LazyRaster(r.geobox, lambda r=r: (r.data,)) for r in rasters], geobox, [resampling])  # type: ignore[misc]
    return out


def regrid_each(files: Sequence[LazyRaster], geobox: GeoBox, resamplings: Sequence[str]) -> list[np.ndarray]:
    """As ``regrid``, for several fields a file, each with its own resampling.

    It works from north to south: a file is read when the first rows need it, and released after the last. Across the
    dateline the two sides are regridded one after the other; grids in degrees go on beyond it.
    """
    places = sides(geobox)
    if len(places) == 1:
        return _regrid_side(files, geobox, resamplings)
    of_sides = [_regrid_side(_turned(files, number), side, resamplings) for number, (_, side) in enumerate(places)]
    return [np.concatenate(fields, axis=1) for fields in zip(*of_sides, strict=True)]


def _turned(files: Sequence[LazyRaster], number: int) -> list[LazyRaster]:
    """The files, and those in degrees once more a turn further: to the east of the first side of the dateline, to the
    west of the second."""
    turn = Affine.translation(-360.0 if number else 360.0, 0.0)
    again = [LazyRaster(GeoBox(f.geobox.shape, turn @ f.geobox.affine, f.geobox.crs), f.read)
             for f in files if f.geobox.crs is not None and f.geobox.crs.geographic]  # fmt: skip
    return [*files, *again]


def _regrid_side(files: Sequence[LazyRaster], geobox: GeoBox, resamplings: Sequence[str]) -> list[np.ndarray]:
    outs = [np.empty(tuple(geobox.shape), np.float32) for _ in resamplings]
    groups = _by_grid(files)
    loaded: dict[int, tuple[np.ndarray, ...]] = {}
    for start in range(0, geobox.shape[0], STRIP):
        strip = geobox[start : min(start + STRIP, geobox.shape[0]), :]
        layouts = [layout for group in groups if (layout := _layout(group, strip)) is not None]
        wanted = {id(f): f for layout in layouts for f, _ in layout.parts}
        loaded = {key: fields for key, fields in loaded.items() if key in wanted}
        loaded |= {key: f.read() for key, f in wanted.items() if key not in loaded}
        for n, (out, resampling) in enumerate(zip(outs, resamplings, strict=True)):
            target = out[start : start + STRIP]
            if not layouts:
                target[...] = np.nan
            for number, layout in enumerate(layouts):
                source = layout.mosaic([loaded[id(f)][n] for f, _ in layout.parts])
                warped = warp(source, strip, Resampling[resampling])
                np.copyto(target, warped, where=np.isnan(target) if number else True)
    return outs


def _by_grid(files: Sequence[LazyRaster]) -> list[list[LazyRaster]]:
    groups: list[list[LazyRaster]] = []
    for file in files:
        for group in groups:
            if grid_offset(group[0].geobox, file.geobox) is not None:
                group.append(file)
                break
        else:
            groups.append([file])
    return groups


def grid_offset(base: GeoBox, other: GeoBox) -> tuple[int, int] | None:
    """(rows, columns) from the corner of ``base`` to that of ``other``; None where their pixels do not coincide."""
    a, b = base.affine, other.affine
    tolerance = max(SAME, 1e-3 * abs(a.a)) if base.crs is not None and base.crs.projected else 1e-3 * abs(a.a)
    across = max(*base.shape, *other.shape)
    if base.crs != other.crs or abs(a.a - b.a) * across > tolerance or abs(a.e - b.e) * across > tolerance:
        return None
    col, row = (b.c - a.c) / a.a, (b.f - a.f) / a.e
    if abs(col - round(col)) * abs(a.a) > tolerance or abs(row - round(row)) * abs(a.e) > tolerance:
        return None
    return round(row), round(col)


@dataclass(frozen=True)
class _Layout:
    """The part of a grid that a strip needs, and the place on it of each file that overlaps it."""

    geobox: GeoBox
    parts: list[tuple[LazyRaster, Span]]

    def mosaic(self, fields: Sequence[np.ndarray]) -> Raster:
        """One array from one field of each file."""
        data = np.full(tuple(self.geobox.shape), np.nan, np.float32)
        for field, (_, (top, bottom, left, right)) in zip(fields, self.parts, strict=True):
            y0, y1, x0, x1 = max(top, 0), min(bottom, data.shape[0]), max(left, 0), min(right, data.shape[1])
            part = data[y0:y1, x0:x1]
            np.copyto(part, field[y0 - top : y1 - top, x0 - left : x1 - left], where=np.isnan(part))
        return Raster(data, self.geobox)


def _layout(group: Sequence[LazyRaster], target: GeoBox) -> _Layout | None:
    """The part of a group's common grid that ``target`` needs; None where they do not meet."""
    base = group[0].geobox
    spans: list[Span] = []
    for file in group:
        row, col = grid_offset(base, file.geobox)  # type: ignore[misc]
        height, width = file.geobox.shape
        spans.append((row, row + height, col, col + width))
    need = _needed(base, target)
    if need is None:
        return None
    r0, r1 = max(min(s[0] for s in spans), need[0]), min(max(s[1] for s in spans), need[1])
    c0, c1 = max(min(s[2] for s in spans), need[2]), min(max(s[3] for s in spans), need[3])
    if r1 <= r0 or c1 <= c0:
        return None
    parts = [(file, (top - r0, bottom - r0, left - c0, right - c0))
             for file, (top, bottom, left, right) in zip(group, spans, strict=True)
             if top < r1 and bottom > r0 and left < c1 and right > c0]  # fmt: skip
    return _Layout(GeoBox((r1 - r0, c1 - c0), base.affine * Affine.translation(c0, r0), base.crs), parts)


@lru_cache(1024)
def _needed(base: GeoBox, target: GeoBox) -> Span | None:
    """Rows and columns, counted from the corner of ``base``, that hold ``target``; None outside their projection."""
    outline = target.extent.to_crs(str(base.crs), resolution=abs(target.affine.a) * 16).boundingbox
    if not all(np.isfinite(v) for v in (outline.left, outline.bottom, outline.right, outline.top)):
        return None
    a = base.affine
    reach_x = KERNEL_MARGIN + int(np.ceil((outline.right - outline.left) / target.shape[1] / abs(a.a)))
    reach_y = KERNEL_MARGIN + int(np.ceil((outline.top - outline.bottom) / target.shape[0] / abs(a.e)))
    c0, c1 = int((outline.left - a.c) // a.a), int((outline.right - a.c) // a.a) + 1
    r0, r1 = int((outline.top - a.f) // a.e), int((outline.bottom - a.f) // a.e) + 1
    return r0 - reach_y, r1 + reach_y, c0 - reach_x, c1 + reach_x


def warp(source: Raster, target: GeoBox, method: Resampling) -> np.ndarray:
    """One raster on ``target``, (y, x) float32, NaN where it has no value: by the table of rows where there is one."""
    out = np.full(tuple(target.shape), np.nan, np.float32)
    if np.isnan(source.data).all():
        return out
    rows = row_table(source.geobox, target)
    if rows is not None:
        return regrid_rows(source.data, rows, target.shape[1], method.name)
    rasterio.warp.reproject(
        source.data,
        out,
        src_transform=source.geobox.affine,
        src_crs=str(source.geobox.crs),
        src_nodata=np.nan,
        dst_transform=target.affine,
        dst_crs=str(target.crs),
        dst_nodata=np.nan,
        resampling=method,
    )
    return out
