"""Areas across the dateline, which no window of the grid can hold: they are refused, with what to give instead.

The grid ends at 180 degrees on either side, so such an area is prepared as two domains, one on each side.
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from odc.geo.geom import Geometry
from pyproj import Transformer

Box = tuple[float, float, float, float]  # west, south, east, north, degrees
LEAST_GAP = 10.0  # degrees, more than the points of one outline are apart
NO_BOX = ("it is not [west, south, east, north] in degrees with west < east, south < north, longitudes from -180 to "
          "180 (the dateline) and latitudes from -90 to 90")  # fmt: skip
CORNERS = 360  # points that the longer side of an area is cut into at least


def refusal_of_box(box: Box) -> str | None:
    """Why a box is refused: it is none, or its longitudes are not from -180 to 180, rising from west to east; None for
    any other."""
    west, south, east, north = box
    if not (-90 <= south < north <= 90 and max(abs(west), abs(east)) <= 360):
        return NO_BOX
    if -180 <= west < east <= 180:
        return None
    if east - west >= 360:
        return f"longitudes run from -180 to 180, from dateline to dateline: {_written((-180.0, south, 180.0, north))}"
    west, east = (lon - 360 if lon > 180 else lon + 360 if lon < -180 else lon for lon in (west, east))
    if west < east:
        same = _written((west, south, east, north))
        return f"longitudes run from -180 to 180 degrees, from dateline to dateline: the same box is {same}"
    if west == east or west - east < 180:  # a box given from east to west, rather than one around half the globe
        return NO_BOX
    return _crosses((west, south, 180.0, north), (-180.0, south, east, north))


def refusal_of_area(area: Geometry) -> str | None:
    """Why an area (of any reference system) is refused whose parts meet at the dateline; None for any other.

    It crosses where it is narrower around the back of the globe than around its front: where the widest stretch of
    longitudes without a part of it lies inside its bounds.
    """
    lon, lat = _outline(area)
    if lon.size == 0:
        return None
    beyond = (lon > 180 + 1e-6) | (lon < -180 - 1e-6)
    around = np.sort((lon + 180) % 360 - 180 if beyond.any() else lon)
    gaps = np.diff(around)
    widest = int(np.argmax(gaps)) if gaps.size else 0
    inside = float(gaps[widest]) if gaps.size else 0.0
    outside = 360 - float(around[-1] - around[0])
    if inside > max(outside, LEAST_GAP) and around[-1] - around[0] > 180:
        south, north = float(lat.min()), float(lat.max())
        return _crosses((float(around[widest + 1]), south, 180.0, north), (-180.0, south, float(around[widest]), north))
    if beyond.any():
        return "its longitudes lie beyond -180 to 180 degrees: write the file with longitudes from dateline to dateline"
    return None


def _outline(area: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes of points all along the outline, degrees, without those that have none."""
    bounds = area.boundingbox
    step = max(bounds.right - bounds.left, bounds.top - bounds.bottom) / CORNERS
    dense = area.segmented(step).geom if step > 0 else area.geom
    x, y = shapely.get_coordinates(dense).T
    lon, lat = Transformer.from_crs(str(area.crs), "EPSG:4326", always_xy=True).transform(x, y)
    known = np.isfinite(lon) & np.isfinite(lat)
    return np.asarray(lon)[known], np.asarray(lat)[known]


def _crosses(west_of_it: Box, east_of_it: Box) -> str:
    parts = [_written(b) for b in (west_of_it, east_of_it) if b[0] < b[2]]
    return (
        "it crosses the dateline (180 degrees), where the grid ends: make two domains, one on each side, each with its "
        f"own cube and maps: {' and '.join(parts)}, or a boundary file cut in two there"
    )


def _written(box: Box) -> str:
    rounded = (math.floor(box[0] * 100) / 100, math.floor(box[1] * 100) / 100,
               math.ceil(box[2] * 100) / 100, math.ceil(box[3] * 100) / 100)  # fmt: skip
    return f"domain.bbox=[{','.join(f'{v:g}' for v in rounded)}]"
