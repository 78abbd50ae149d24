"""Mosaics of tiles: hundreds of files of one map, averaged onto a grid without ever being in memory together.

Tiles on one grid are one large raster, of which windows are read, so that a mean knows no boundary between two tiles.
The target is cut in half until the window of a part fits into memory: a window holds little more than its part,
wherever a projection has its edges or the dateline lies. Where tiles overlap, the first that has a value counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import Resampling

from ssm_net.core import scratch
from ssm_net.ingest.raster import Raster
from ssm_net.ingest.resample import KERNEL_MARGIN, grid_offset, warp

PIXELS = 2**23  # of a window that is read at a time
FINER = 4 / 3  # source pixels along the side of a target pixel from which on they are averaged
POINTS = 17  # along each side of a part of the target, at which its place on the source is looked up
MOST_SUB_ROWS = 16
TORN = 8  # times the usual distance: points so far apart on the source are no neighbours there

Span = tuple[int, int, int, int]  # row0, row1, col0, col1


@dataclass(frozen=True)
class Tile:
    """A raster on ``geobox``, of which ``read`` gives a window: (y, x) float32, NaN where missing."""

    geobox: GeoBox
    read: Callable[[Span], np.ndarray]


def mosaic(tiles: Sequence[Tile], geobox: GeoBox) -> np.ndarray:
    """Tiles of one map on ``geobox``: (y, x) float32, NaN where none of them has a value.

    A pixel is the mean of the area that it covers, by its known part, where the tiles are finer than ``geobox``;
    otherwise bilinear. Of two tiles on one grid the first that has a value counts, and of two grids the one of the
    first tile; pixels that it covers in part are completed by the other.
    """
    out = scratch.full(tuple(geobox.shape), np.nan, np.float32)
    share = scratch.full(tuple(geobox.shape), 0.0, np.float32)  # of each pixel that is known
    for sheet in sheets_of(tiles):
        finer, sub_rows = _scale(sheet, geobox)
        for part, window in _parts(sheet, geobox):
            source = sheet.raster(window)
            if np.isnan(source.data).all():
                continue
            box = geobox[part]
            mean, known = _average(source, box, sub_rows) if finer else _bilinear(source, box)
            _complete(out[part], share[part], mean, known)
    return out


@dataclass(frozen=True)
class Sheet:
    """All tiles on one grid: ``base`` is its first tile's, and ``spans`` (n, 4) their places on it."""

    base: GeoBox
    tiles: Sequence[Tile]
    spans: np.ndarray

    def near(self, window: Span) -> np.ndarray:
        """Numbers of the tiles that a window meets."""
        top, bottom, left, right = self.spans.T
        return np.flatnonzero((top < window[1]) & (bottom > window[0]) & (left < window[3]) & (right > window[2]))

    def raster(self, window: Span) -> Raster:
        """A window of the grid, NaN where no tile has a value."""
        row0, row1, col0, col1 = window
        data = np.full((row1 - row0, col1 - col0), np.nan, np.float32)
        for n in self.near(window):
            top, bottom, left, right = (int(v) for v in self.spans[n])
            y0, y1, x0, x1 = max(top, row0), min(bottom, row1), max(left, col0), min(right, col1)
            part = data[y0 - row0 : y1 - row0, x0 - col0 : x1 - col0]
            missing = np.isnan(part)
            if missing.any():
                values = self.tiles[n].read((y0 - top, y1 - top, x0 - left, x1 - left))
                np.copyto(part, values, where=missing)
        a = self.base.affine
        return Raster(data, GeoBox(data.shape, a @ Affine.translation(col0, row0), self.base.crs))

    def window(self, box: GeoBox, margin: int = KERNEL_MARGIN) -> Span | None:
        """The window of the grid that holds ``box``; None where its projection does not reach there."""
        y, x = self.places(box)
        if not np.isfinite(x).any():
            return None
        return (math.floor(np.nanmin(y)) - margin, math.ceil(np.nanmax(y)) + margin,
                math.floor(np.nanmin(x)) - margin, math.ceil(np.nanmax(x)) + margin)  # fmt: skip

    def torn(self, box: GeoBox) -> bool:
        """Whether neighbours in ``box`` are far apart on the grid: across the dateline, or a cut of the projection."""
        steps = np.abs(np.diff(self.places(box)[1], axis=1))
        steps = steps[np.isfinite(steps)]
        return bool(steps.size) and float(steps.max()) > TORN * max(float(np.median(steps)), 1.0)

    def places(self, box: GeoBox) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the grid, as numbers from its corner, of points all over ``box``, (n, n); NaN where the
        projection does not reach."""
        (height, width), a, b = box.shape, box.affine, self.base.affine
        inside = 1e-3  # of a pixel: an edge on the dateline has two longitudes
        rows, cols = (np.linspace(inside, n - inside, POINTS) for n in (height, width))
        x, y = np.meshgrid(a.c + a.a * cols, a.f + a.e * rows)
        across, down = Transformer.from_crs(str(box.crs), str(self.base.crs), always_xy=True).transform(x, y)
        col, row = (np.asarray(across) - b.c) / b.a, (np.asarray(down) - b.f) / b.e
        known = np.isfinite(col) & np.isfinite(row)
        return np.where(known, row, np.nan), np.where(known, col, np.nan)


def sheets_of(tiles: Sequence[Tile]) -> list[Sheet]:
    """The tiles of each grid together, in the order of the first of each."""
    groups: list[tuple[GeoBox, list[Tile], list[Span]]] = []
    for tile in tiles:
        height, width = tile.geobox.shape
        for base, members, spans in groups:
            if (at := grid_offset(base, tile.geobox)) is not None:
                members.append(tile)
                spans.append((at[0], at[0] + height, at[1], at[1] + width))
                break
        else:
            groups.append((tile.geobox, [tile], [(0, height, 0, width)]))
    return [Sheet(base, members, np.array(spans)) for base, members, spans in groups]


def _scale(sheet: Sheet, geobox: GeoBox) -> tuple[bool, int]:
    """Whether a sheet is finer than ``geobox``, and in how many rows each target row is cut, so that a grid whose
    columns lean (sinusoidal) is averaged over what the pixel covers."""
    height, width = geobox.shape
    y, x = sheet.places(geobox[height // 2 : height // 2 + 1, width // 2 : width // 2 + 1])
    tall, wide = float(np.ptp(y)), float(np.ptp(x))
    if not np.isfinite(tall * wide):
        return True, 1
    leans = sheet.base.crs is not None and sheet.base.crs.projected
    return math.sqrt(max(tall * wide, 0.0)) > FINER, min(max(math.ceil(tall), 1), MOST_SUB_ROWS) if leans else 1


def _parts(sheet: Sheet, geobox: GeoBox) -> Iterator[tuple[tuple[slice, slice], Span]]:
    """Parts of the target, neighbours after each other, and the window of the sheet that each needs."""
    todo = [(0, geobox.shape[0], 0, geobox.shape[1])]
    while todo:
        y0, y1, x0, x1 = todo.pop()
        window = sheet.window(geobox[y0:y1, x0:x1])
        if window is None or not sheet.near(window).size:
            continue
        torn = x1 - x0 > 1 and sheet.torn(geobox[y0:y1, x0:x1])
        small = (window[1] - window[0]) * (window[3] - window[2]) <= PIXELS or (y1 - y0, x1 - x0) == (1, 1)
        if small and not torn:
            yield (slice(y0, y1), slice(x0, x1)), window
        elif y1 - y0 >= x1 - x0 and not torn:
            middle = (y0 + y1) // 2
            todo += [(middle, y1, x0, x1), (y0, middle, x0, x1)]
        else:
            middle = (x0 + x1) // 2
            todo += [(y0, y1, middle, x1), (y0, y1, x0, middle)]


def _average(source: Raster, box: GeoBox, sub_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean over what each pixel of ``box`` covers, (y, x), and the share of it that is known, 0..1."""
    height, width = box.shape
    fine = GeoBox((height * sub_rows, width), box.affine @ Affine.scale(1, 1 / sub_rows), box.crs)
    mean = warp(source, fine, Resampling.average)
    missing = np.isnan(source.data)
    known = np.isfinite(mean).astype(np.float32)
    if missing.any():
        known = np.nan_to_num(warp(Raster((~missing).astype(np.float32), source.geobox), fine, Resampling.average))
    if sub_rows == 1:
        return mean, known
    known = known.reshape(height, sub_rows, width)
    weight = known.sum(1)
    total = (np.nan_to_num(mean).reshape(height, sub_rows, width) * known).sum(1)
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0), weight / sub_rows


def _bilinear(source: Raster, box: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """As ``_average``, interpolated: a pixel is known or not."""
    values = warp(source, box, Resampling.bilinear)
    return values, np.isfinite(values).astype(np.float32)


def _complete(out: np.ndarray, share: np.ndarray, mean: np.ndarray, known: np.ndarray) -> None:
    """Add what another grid knows of pixels that are not fully known yet, in place."""
    new = np.minimum(known, 1 - share)
    new[np.isnan(mean) | (new <= 1e-4)] = 0
    first = (share == 0) & (new > 0)
    np.copyto(out, mean, where=first)
    both = (share > 0) & (new > 0)
    out[both] = (out[both] * share[both] + mean[both] * new[both]) / (share[both] + new[both])
    share += new
