"""Which pixels of the maps belong to which place, and by what weight: of a point its pixel, of an area its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geom import Geometry
from scipy.sparse import csr_array

from ssm_net.core.boundary import read_areas
from ssm_net.extract.errors import ExtractError
from ssm_net.extract.map_grid import MapGrid
from ssm_net.extract.points import Points
from ssm_net.formats.geotiff import GEOGRAPHIC

OUTSIDE = "outside the maps"
LEAST_PART = 1e-6  # of a pixel: an edge on that of a pixel, but for rounding, does not add the next one


@dataclass(frozen=True)
class Selection:
    """Places and their pixels. ``rows`` and ``cols`` (n,) are the pixels that any place needs, each once; ``weights``
    (places, n) sums to 1 over the pixels of a place, and is empty for one outside the maps; ``inside`` (places,) is the
    part of its area that lies inside the maps; ``lon`` and ``lat`` (places,) are degrees."""

    names: Sequence[str]
    lon: np.ndarray
    lat: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    weights: csr_array
    inside: np.ndarray
    areas: bool

    def pixels_of(self, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and weights of the pixels of a place."""
        start, stop = self.weights.indptr[place : place + 2]
        which = self.weights.indices[start:stop]
        return self.rows[which], self.cols[which], self.weights.data[start:stop]


def select_points(points: Points, grid: MapGrid) -> Selection:
    """The pixel that each point lies in; none is looked for nearby, where that one is masked."""
    rows, cols, inside = grid.pixels_of(points.lon, points.lat)
    parts = [
        (np.array([r]), np.array([c]), np.ones(1)) if ok else _NOTHING
        for r, c, ok in zip(rows, cols, inside, strict=True)
    ]
    return _selection(points.names, points.lon, points.lat, parts, inside.astype(float), grid, areas=False)


def select_areas(file: str | Path, names: str | None, grid: MapGrid) -> Selection:
    """The pixels that each area of a vector file covers, in whole or in part: exact parts, by exactextract.

    On a grid in degrees pixels grow narrower towards the poles, and weigh by their area. Raises ``BoundaryError`` where
    the file has no polygons or no column ``names``, ``ExtractError`` without the libraries for it.
    """
    try:
        from exactextract import exact_extract
        from exactextract.feature import JSONFeatureSource
        from exactextract.raster import NumPyRasterSource

        areas = read_areas(file, names)
    except ImportError as err:
        raise ExtractError(
            f"means over areas need exactextract and pyogrio ({err}): pip install 'ssm_net[extract]'"
        ) from err
    height, width = grid.shape
    left, top = grid.corner
    right, bottom = left + width * grid.pixel[0], top - height * grid.pixel[1]
    raster = NumPyRasterSource(np.broadcast_to(np.int8(1), grid.shape), left, bottom, right, top)
    placed = [grid.placed(area.geometry) for area in areas]
    features = [{"type": "Feature", "properties": {}, "geometry": shape.__geo_interface__} for shape in placed]
    parts, inside = [], []
    for found, shape in zip(
        exact_extract(raster, JSONFeatureSource(features), ["cell_id", "coverage"]), placed, strict=True
    ):
        pixels, covered = (np.asarray(found["properties"][key]) for key in ("cell_id", "coverage"))
        pixels, covered = pixels[covered > LEAST_PART], covered[covered > LEAST_PART]
        rows, cols = pixels // width, pixels % width
        whole = shape.area / (grid.pixel[0] * grid.pixel[1])
        inside.append(covered.sum() / whole if whole > 0 else 0.0)
        weights = covered * np.cos(np.radians(grid.lat[rows])) if grid.crs == GEOGRAPHIC else covered
        parts.append((rows, cols, weights / weights.sum()) if covered.sum() > 0 else _NOTHING)
    middles = np.array([_middle(area.geometry) for area in areas])
    return _selection(
        [area.name for area in areas], middles[:, 0], middles[:, 1], parts, np.array(inside), grid, areas=True
    )


_NOTHING = (np.empty(0, int), np.empty(0, int), np.empty(0))


def _middle(area: Geometry) -> tuple[float, float]:
    """A point inside an area, degrees."""
    inside = Geometry(area.geom.representative_point(), area.crs).to_crs(GEOGRAPHIC)
    (lon, lat), *_ = inside.coords
    return float(lon), float(lat)


def _selection(
    names: Sequence[str], lon: np.ndarray, lat: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    inside: np.ndarray, grid: MapGrid, *, areas: bool,
) -> Selection:  # fmt: skip
    """Raises ``ExtractError`` where no place lies inside the maps."""
    if not any(len(rows) for rows, _, _ in parts):
        west, east = grid.lon[0], grid.lon[-1]
        raise ExtractError(
            f"none of the {len(names)} places lies inside the maps, which cover {west:.2f} to {east:.2f} E and "
            f"{grid.lat[-1]:.2f} to {grid.lat[0]:.2f} N (the first place, {names[0]}: {lon[0]:.4f} E, {lat[0]:.4f} N); "
            "check their coordinates, or give the mosaics of another domain"
        )
    flat = np.concatenate([rows * grid.shape[1] + cols for rows, cols, _ in parts])
    pixels, which = np.unique(flat, return_inverse=True)
    ends = np.cumsum([0, *(len(rows) for rows, _, _ in parts)])
    weights = csr_array((np.concatenate([w for _, _, w in parts]), which, ends), shape=(len(names), len(pixels)))
    return Selection(names, lon, lat, pixels // grid.shape[1], pixels % grid.shape[1], weights, inside, areas)
