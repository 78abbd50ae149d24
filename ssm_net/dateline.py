"""The dateline: areas and grids that cross it.

EASE-Grid 2.0 ends at 180 degrees on either side. East of a domain's western edge its columns, ``x`` and longitudes run
on beyond the dateline (column 964, 17367530 m, 180 degrees), so that it is one array and one map. What is read for it
lies on either ``side``; what is written of it has longitudes from -180 to 180 again (``wrapped``).
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from pyproj import Transformer

from ssm_net.errors import SsmNetError

Box = tuple[float, float, float, float]  # west, south, east, north, degrees
GRID_CRS = "EPSG:6933"
HALF_TURN = 17367530.445161372  # x of 180 degrees in EPSG:6933, metres
PER_DEGREE = HALF_TURN / 180  # x is linear in longitude
LEAST_GAP = 10.0  # degrees, more than the points of one outline are apart
NO_BOX = ("it is not [west, south, east, north] in degrees: west < east, longitudes from -180 to 180 (the dateline) or "
          "running on beyond it, south < north, latitudes from -90 to 90")  # fmt: skip
CORNERS = 360  # points that the longer side of an area is cut into at least


class DomainError(SsmNetError):
    """A window, bounding box or area is not on the coarse grid."""


def ordered_box(box: Box) -> Box:
    """A bounding box with its western edge in -180..180 and its eastern edge east of it: beyond 180 where the box
    crosses the dateline, written as ``170, -175`` or as ``170, 185``.

    Raises ``DomainError`` where it is no such box.
    """
    west, south, east, north = box
    if not (-90 <= south < north <= 90 and max(abs(west), abs(east)) <= 360):
        raise DomainError(NO_BOX)
    if east - west >= 360 and (west, east) != (-180, 180):
        raise DomainError(f"longitudes once around the Earth: give {_written((-180.0, south, 180.0, north))}")
    # From east to west: across the dateline, unless the box would then go around more than half of the globe.
    if east < west and east + 360 - west <= 180:
        east += 360
    if not west < east:
        raise DomainError(NO_BOX)
    turn = 360 if west < -180 else -360 if west >= 180 else 0
    return west + turn, south, east + turn, north


def box_beyond(area: Geometry) -> Box | None:
    """The bounds, as of ``ordered_box``, of an area (of any reference system) that crosses the dateline or is written
    with longitudes beyond 180 degrees; None of any other.

    It crosses where it is narrower around the back of the globe than around its front: where the widest stretch of
    longitudes without a part of it lies inside its bounds.
    """
    lon, lat = _outline(area)
    if lon.size == 0:
        return None
    beyond = bool(((lon > 180 + 1e-6) | (lon < -180 - 1e-6)).any())
    around = np.sort((lon + 180) % 360 - 180 if beyond else lon)
    gaps = np.diff(around)
    widest = int(np.argmax(gaps)) if gaps.size else 0
    inside = float(gaps[widest]) if gaps.size else 0.0
    outside = 360 - float(around[-1] - around[0])
    south, north = float(lat.min()), float(lat.max())
    if inside > max(outside, LEAST_GAP) and around[-1] - around[0] > 180:
        return float(around[widest + 1]), south, float(around[widest]) + 360, north
    return (float(around[0]), south, float(around[-1]), north) if beyond else None


def on_grid(area: Geometry, middle: float) -> Geometry:
    """An area (of any reference system) in EPSG:6933 with every point within half a turn of the longitude ``middle``:
    parts that meet at the dateline touch."""
    step = max(area.boundingbox.span_x, area.boundingbox.span_y) / CORNERS
    to_degrees = Transformer.from_crs(str(area.crs), "EPSG:4326", always_xy=True)
    to_grid = Transformer.from_crs("EPSG:4326", GRID_CRS, always_xy=True)

    def moved(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lon, lat = (np.asarray(v) for v in to_degrees.transform(x, y))
        return near(lon, middle) * PER_DEGREE, np.asarray(to_grid.transform(np.zeros_like(lat), lat)[1])

    return Geometry(shapely.transform(area.segmented(step).geom, moved, interleaved=False), GRID_CRS)


def near(lon: np.ndarray | float, middle: float) -> np.ndarray:
    """The same meridians within half a turn of ``middle``, degrees; -180 beside a domain that ends at 180 is 180."""
    lon = np.asarray(lon, np.float64)
    return lon + 360 * np.round((middle - lon) / 360)


def wrapped(lon: np.ndarray) -> np.ndarray:
    """The same meridians from -180 to 180 degrees."""
    return np.where(lon > 180, lon - 360, lon)


def crosses(geobox: GeoBox) -> bool:
    """Whether pixels of a grid in EPSG:6933 lie on either side of the dateline."""
    a, width = geobox.affine, geobox.shape[1]
    return str(geobox.crs) == GRID_CRS and a.c < HALF_TURN - a.a / 2 < HALF_TURN + a.a / 2 < a.c + width * a.a


def sides(geobox: GeoBox) -> list[tuple[slice, GeoBox]]:
    """The columns of a grid on either side of the dateline, and the place of each of the two on the globe; the whole
    grid where it does not cross it."""
    if not crosses(geobox):
        return [(slice(0, geobox.shape[1]), geobox)]
    width, first = geobox.shape[1], round((HALF_TURN - geobox.affine.c) / geobox.affine.a)
    east = geobox[:, first:width]
    placed = GeoBox(east.shape, Affine.translation(-2 * HALF_TURN, 0.0) @ east.affine, GRID_CRS)
    return [(slice(0, first), geobox[:, :first]), (slice(first, width), placed)]


def middle_longitude(geobox: GeoBox) -> float:
    """The longitude of the middle of a grid in EPSG:6933, degrees, beyond 180 where it is east of the dateline."""
    return (geobox.affine.c + geobox.shape[1] / 2 * geobox.affine.a) / PER_DEGREE


def _outline(area: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes of points all along the outline, degrees, without those that have none."""
    bounds = area.boundingbox
    step = max(bounds.right - bounds.left, bounds.top - bounds.bottom) / CORNERS
    dense = area.segmented(step).geom if step > 0 else area.geom
    x, y = shapely.get_coordinates(dense).T
    lon, lat = Transformer.from_crs(str(area.crs), "EPSG:4326", always_xy=True).transform(x, y)
    known = np.isfinite(lon) & np.isfinite(lat)
    return np.asarray(lon)[known], np.asarray(lat)[known]


def _written(box: Box) -> str:
    rounded = (math.floor(box[0] * 100) / 100, math.floor(box[1] * 100) / 100,
               math.ceil(box[2] * 100) / 100, math.ceil(box[3] * 100) / 100)  # fmt: skip
    return f"domain.bbox=[{','.join(f'{v:g}' for v in rounded)}]"
