"""The nested grid: coarse cells and fine pixels of EASE-Grid 2.0, domains on it, and the arithmetic between the two.

A coarse cell (36 km) holds exactly ``ratio x ratio`` fine pixels (36 x 36 at 1 km) of equal area, so the mean of
a cell is an average pool.

Source of the grid constants: NSIDC EASE-Grid 2.0 global cylindrical (EPSG:6933), M36 and M01.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox, Geometry, bbox_intersection, box
from torch import Tensor

from ssm_net.dateline import GRID_CRS, HALF_TURN, PER_DEGREE, DomainError, box_beyond, near, ordered_box, wrapped

Window = tuple[int, int, int, int]  # row0, row1, col0, col1, half-open
CACHE_PIXELS = 1 << 16  # a float32 block of so many pixels fits in a processor's cache


def check_name(name: str) -> str:
    """The name of a domain, which is part of file names. Raises ``DomainError`` where it could not be one, or could
    lead to another folder."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise DomainError(f"domain.name={name[:80]!r}: give 1 to 64 letters (a-z, A-Z), digits, _ and -; it is part of "
                          "the names of the maps")  # fmt: skip
    return name


@dataclass(frozen=True)
class Grid:
    """A global coarse grid and the fine grid nested in it.

    ``cell`` is the side of a coarse cell in metres; a fine pixel is ``cell / ratio``. ``align`` is the number of
    coarse cells to which windows snap, each way: 4 x 36 = 144 pixels, the inner chunk of the cube.
    """

    crs: str
    left: float
    top: float
    cell: float
    rows: int
    cols: int
    ratio: int
    align: int = 4

    @property
    def pixel(self) -> float:
        """Side of a fine pixel, metres."""
        return self.cell / self.ratio

    @property
    def goes_around(self) -> bool:
        """Whether its last column meets its first at the dateline."""
        ends = self.left + HALF_TURN, self.left + self.cols * self.cell - HALF_TURN
        return self.crs == GRID_CRS and max(abs(end) for end in ends) < self.pixel / 100

    def geobox(self) -> GeoBox:
        """The whole coarse grid."""
        affine = Affine(self.cell, 0.0, self.left, 0.0, -self.cell, self.top)
        return GeoBox((self.rows, self.cols), affine, self.crs)


M36 = Grid("EPSG:6933", -17367530.4451615, 7314540.8306386, 36032.220840584, rows=406, cols=964, ratio=36)


@dataclass(frozen=True)
class Domain:
    """A window of coarse cells and the fine pixels inside it.

    ``window`` is ``(row0, row1, col0, col1)``, half-open, in rows and columns of ``grid``; its height and width are
    multiples of ``grid.align``. Across the dateline columns, x and longitudes run on: beyond 964, beyond 180 degrees.

    Raises ``DomainError`` where the window is empty, leaves the grid, or is not a multiple of ``grid.align``, or the
    name is none (``check_name``).
    """

    name: str
    window: Window
    grid: Grid = M36

    def __post_init__(self) -> None:
        check_name(self.name)
        r0, r1, c0, c1 = self.window
        g = self.grid
        last_col = c0 + g.cols if g.goes_around else g.cols
        if not (0 <= r0 < r1 <= g.rows and 0 <= c0 < min(c1, g.cols) and c1 <= last_col):
            raise DomainError(
                f"domain {self.name!r}: window {list(self.window)} is not inside the coarse grid of "
                f"{g.rows} rows x {g.cols} columns; give domain.window=[row0,row1,col0,col1], half-open, "
                "or domain.bbox=[west,south,east,north] in degrees"
            )
        if (r1 - r0) % g.align or (c1 - c0) % g.align:
            raise DomainError(
                f"domain {self.name!r}: window {list(self.window)} is {r1 - r0} x {c1 - c0} cells; "
                f"height and width must be multiples of {g.align}"
            )

    @classmethod
    def from_bbox(cls, name: str, bbox: tuple[float, float, float, float], grid: Grid = M36) -> Domain:
        """The smallest window that holds ``bbox`` = (west, south, east, north), degrees, snapped outward.

        Across the dateline east is beyond 180, or less than west: [170, -50, 185, -30] is [170, -50, -175, -30].

        Raises ``DomainError`` where ``bbox`` is no such box or lies outside the grid.
        """
        try:
            west, south, east, north = ordered_box(bbox)
        except DomainError as err:
            raise DomainError(f"domain {name!r}: bbox {list(bbox)}: {err}") from None
        if east <= 180:
            return cls.from_geometry(name, box(west, south, east, north, "EPSG:4326"), grid)
        bounds = box(0.0, south, 1.0, north, "EPSG:4326").to_crs(grid.crs).boundingbox
        extent = BoundingBox(west * PER_DEGREE, bounds.bottom, east * PER_DEGREE, bounds.top, grid.crs)
        return cls._around(name, extent, grid)

    @classmethod
    def from_geometry(cls, name: str, geometry: Geometry, grid: Grid = M36) -> Domain:
        """The smallest window that holds the bounds of ``geometry`` (any CRS), snapped outward.

        Raises ``DomainError`` where they lie outside the grid.
        """
        if (beyond := box_beyond(geometry)) is not None:
            return cls.from_bbox(name, beyond, grid)
        # A long straight edge in degrees is straight here too (cylindrical), but not in every CRS: add points to it.
        return cls._around(name, geometry.to_crs(grid.crs, resolution="auto").boundingbox, grid)

    @classmethod
    def _around(cls, name: str, bounds: BoundingBox, grid: Grid) -> Domain:
        """The smallest window that holds ``bounds`` on the grid, which may run on beyond the dateline."""
        whole = grid.geobox().boundingbox
        cols = 2 * grid.cols if grid.goes_around and bounds.right > whole.right else grid.cols
        limits = BoundingBox(whole.left, whole.bottom, grid.left + cols * grid.cell, whole.top, grid.crs)
        extent = bbox_intersection([bounds, limits])
        if extent.left >= extent.right or extent.bottom >= extent.top:
            raise DomainError(f"domain {name!r}: the area given lies outside the coarse grid {grid.crs}")
        eps = 1e-6  # a bound on a cell's edge does not pull in the next cell
        r0 = math.floor((grid.top - extent.top) / grid.cell + eps)
        r1 = math.ceil((grid.top - extent.bottom) / grid.cell - eps)
        c0 = math.floor((extent.left - grid.left) / grid.cell + eps)
        c1 = math.ceil((extent.right - grid.left) / grid.cell - eps)
        r0, r1 = _snap(r0, max(r1, r0 + 1), grid.rows, grid.align)
        c0, c1 = _snap(c0, max(c1, c0 + 1), cols, grid.align)
        return cls(name, (r0, r1, c0, c1), grid)

    @property
    def ratio(self) -> int:
        return self.grid.ratio

    @property
    def crosses_dateline(self) -> bool:
        return self.window[3] > self.grid.cols

    def same_turn(self, lon: np.ndarray | float) -> np.ndarray:
        """Longitudes (degrees, -180..180 or 0..360) as this domain counts them: beyond 180 east of a dateline that it
        crosses."""
        if not self.crosses_dateline:
            return wrapped(np.asarray(lon))
        west, _, east, _ = self.bounds_lonlat()
        return near(lon, (west + east) / 2)

    def columns_of(self, col: np.ndarray) -> np.ndarray:
        """Columns of the domain, from 0, of columns of the grid (below 0: none); -1 of those outside the domain."""
        _, _, c0, c1 = self.window
        own = (col - c0) % self.grid.cols if self.crosses_dateline else col - c0
        return np.where((col >= 0) & (own >= 0) & (own < c1 - c0), own, -1)

    @property
    def coarse_shape(self) -> tuple[int, int]:
        r0, r1, c0, c1 = self.window
        return r1 - r0, c1 - c0

    @property
    def fine_shape(self) -> tuple[int, int]:
        rows, cols = self.coarse_shape
        return rows * self.ratio, cols * self.ratio

    @property
    def coarse(self) -> GeoBox:
        """GeoBox of the coarse cells."""
        r0, _, c0, _ = self.window
        g = self.grid
        return GeoBox(
            self.coarse_shape, Affine(g.cell, 0.0, g.left + c0 * g.cell, 0.0, -g.cell, g.top - r0 * g.cell), g.crs
        )

    @property
    def fine(self) -> GeoBox:
        """GeoBox of the fine pixels; its corners are those of ``coarse``."""
        r0, _, c0, _ = self.window
        g = self.grid
        affine = Affine(g.pixel, 0.0, g.left + c0 * g.cell, 0.0, -g.pixel, g.top - r0 * g.cell)
        return GeoBox(self.fine_shape, affine, g.crs)

    def bounds_lonlat(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in degrees; east is beyond 180 across the dateline."""
        if self.crosses_dateline:
            first = Domain(self.name, (*self.window[:2], 0, self.grid.align), self.grid)
            (_, south, _, north), x = first.bounds_lonlat(), self.coarse.boundingbox
            return x.left / PER_DEGREE, south, x.right / PER_DEGREE, north
        b = self.coarse.geographic_extent.boundingbox
        return b.left, b.bottom, b.right, b.top

    def lonlat(self, *, coarse: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Longitudes of the columns and latitudes of the rows, degrees: the projection is cylindrical, so 1-D.

        Beyond the dateline longitudes run on, above 180, so that a day of local solar time is one day on both sides.
        """
        from pyproj import Transformer

        gbox = self.coarse if coarse else self.fine
        y, x = (np.asarray(gbox.coordinates[d].values) for d in gbox.dims)
        to_deg = Transformer.from_crs(self.grid.crs, "EPSG:4326", always_xy=True)
        lon, _ = to_deg.transform(x, np.full_like(x, y[0]))
        lon = np.where(x > HALF_TURN, lon + 360, lon) if self.crosses_dateline else lon
        _, lat = to_deg.transform(np.full_like(y, x[0]), y)
        return lon, lat


def _snap(lo: int, hi: int, size: int, align: int) -> tuple[int, int]:
    """Grow ``[lo, hi)`` outward to multiples of ``align``; at the grid's far edge, which need not be one, shift."""
    lo, hi = lo // align * align, -(-hi // align) * align
    if hi <= size:
        return lo, hi
    height = -(-(size - lo) // align) * align
    if height > size:
        raise DomainError(f"{height} cells do not fit in a grid of {size} in steps of {align}")
    return size - height, size


def row_blocks(shape: tuple[int, ...], pixels: int = CACHE_PIXELS, multiple: int = 1) -> Iterator[slice]:
    """Slices of the first axis that together cover ``shape`` once, each of about ``pixels`` values.

    Pixel-wise work done block by block keeps its intermediate fields in the processor's cache, and never holds one of
    a whole country. Each block but the last has a multiple of ``multiple`` rows (a coarse cell's, a chunk's).
    """
    rows = max(1, pixels // max(1, multiple * math.prod(shape[1:]))) * multiple
    return (slice(y, min(y + rows, shape[0])) for y in range(0, shape[0], rows))


def block_mean(x: Tensor, ratio: int, weight: Tensor | None = None) -> Tensor:
    """Mean of the fine pixels of each coarse cell.

    ``x`` is (..., R*ratio, C*ratio), returned as (..., R, C). Where ``x`` is NaN it does not count; with ``weight``
    (broadcastable to ``x``, >= 0) the mean is weighted. A cell without anything that counts is NaN.
    """
    height, width = x.shape[-2:]
    means = []
    for block in row_blocks((height, width), 4 * CACHE_PIXELS, multiple=ratio):
        values = x[..., block, :]
        shape = (*values.shape[:-2], values.shape[-2] // ratio, ratio, width // ratio, ratio)
        counts = finite(values)
        if weight is None or weight.dtype == torch.bool:
            some = counts if weight is None else counts & weight.expand(x.shape)[..., block, :]
            w = as_number(some, x.dtype)
        else:
            w = counts * weight.expand(x.shape)[..., block, :].to(x.dtype)
        total = (torch.nan_to_num(values) * w).reshape(shape).sum((-3, -1))
        means.append(total / w.reshape(shape).sum((-3, -1)))
    return torch.cat(means, -2)


def finite(x: Tensor) -> Tensor:
    """As ``torch.isfinite``, bool; on a processor by numpy, which is faster."""
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64):
        return torch.from_numpy(np.isfinite(x.detach().numpy()))
    return torch.isfinite(x)


def as_number(condition: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """1 where a bool tensor is true, 0 elsewhere: a conversion from bytes is faster than one from bool.
    A product with it chooses between a finite value and 0 faster than ``torch.where``."""
    return condition.view(torch.uint8).to(dtype)


def expand(x: Tensor, ratio: int) -> Tensor:
    """Each coarse value on all fine pixels of its cell: (..., R, C) to (..., R*ratio, C*ratio)."""
    *lead, rows, cols = x.shape
    tall = x[..., :, None, :, None].expand(*lead, rows, ratio, cols, ratio)
    return tall.reshape(*lead, rows * ratio, cols * ratio)


@functools.cache
def interpolation_matrix(fine: range, cells: int, ratio: int, device: torch.device | None = None) -> Tensor:
    """Bilinear weights along one axis from ``cells`` coarse centres to the fine pixels ``fine``: (len(fine), cells).

    ``fine`` counts from the first coarse cell's edge. Outside the outermost centres the value is held. Rows sum to 1.
    Made once and shared: read it only.
    """
    with torch.inference_mode(False):  # it may be asked for first by inference, and then by training
        centre = (torch.arange(fine.start, fine.stop, dtype=torch.float64, device=device) + 0.5) / ratio - 0.5
        centre = centre.clamp(0, cells - 1)
        low = centre.floor().clamp(max=max(cells - 2, 0)).long()
        frac = centre - low
        out = torch.zeros(len(fine), cells, dtype=torch.float64, device=device)
        row = torch.arange(len(fine), device=device)
        out[row, low] += 1 - frac
        if cells > 1:
            out[row, low + 1] += frac
        matrix = out.float()
    if matrix.is_cuda:
        torch.cuda.current_stream(matrix.device).synchronize()  # others may use it on streams of their own
    return matrix


def upsample(x: Tensor, ratio: int, window: Window | None = None) -> Tensor:
    """Bilinear field of coarse values on fine pixels.

    ``x`` is (..., R, C) on the whole domain; with ``window`` = (row0, row1, col0, col1), in fine pixels, only that
    part of the fine field is computed, equal to the same part of the whole one.
    """
    rows, cols = x.shape[-2:]
    y0, y1, x0, x1 = window or (0, rows * ratio, 0, cols * ratio)
    # Only the cells around the window have weight.
    near_y, near_x = (slice(max(a // ratio - 1, 0), -(-b // ratio) + 1) for a, b in ((y0, y1), (x0, x1)))
    up_y = interpolation_matrix(range(y0, y1), rows, ratio, x.device)[:, near_y].to(x)
    up_x = interpolation_matrix(range(x0, x1), cols, ratio, x.device)[:, near_x].to(x)
    return up_y @ x[..., near_y, near_x] @ up_x.T
