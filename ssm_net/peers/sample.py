"""Values of one file at places, each with the moment that it is of; and where a place lies on a grid."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from pyproj import Transformer

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.dateline import wrapped
from ssm_net.grid import M36
from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.quantities import SOIL_MOISTURE
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.volumetric import volumetric

EDGE = 1e-6  # of a pixel: a place on its edge still lies in it


@dataclass(frozen=True)
class Places:
    """Where values are asked for: longitudes and latitudes (P,), degrees."""

    lon: np.ndarray
    lat: np.ndarray

    @property
    def size(self) -> int:
        return int(self.lon.size)

    def xy(self, crs: str) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates (P,) in ``crs``."""
        x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(wrapped(self.lon), self.lat)
        return np.asarray(x), np.asarray(y)

    def ease_cells(self, finer: int) -> tuple[np.ndarray, np.ndarray]:
        """Global rows and columns (P,) on the EASE-Grid 2.0 whose cells are ``finer`` times smaller than 36 km: 4 is
        9 km, 12 is 3 km, 36 is 1 km."""
        x, y = self.xy(M36.crs)
        side = M36.cell / finer
        rows, cols = np.floor((M36.top - y) / side), np.floor((x - M36.left) / side)
        return rows.astype(np.int64), cols.astype(np.int64) % (M36.cols * finer)

    def on_axes(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The nearest rows and columns of a grid with centres ``lat`` and ``lon`` (1-D, ascending or not, evenly spaced
        or not), (P,) each, and whether the place lies in that pixel, (P,) bool."""
        middle = float(np.nanmean(lon))
        near = middle + (self.lon - middle + 180) % 360 - 180  # of its turns, the one that the axis goes through
        row, in_row = _nearest(lat, self.lat)
        col, in_col = _nearest(lon, near)
        return row, col, in_row & in_col


def _nearest(centres: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The index of the nearest of ``centres`` (n,) for each place, and whether it is no farther than half a step."""
    order = np.argsort(centres)
    ascending = centres[order]
    edges = (ascending[1:] + ascending[:-1]) / 2
    at = np.searchsorted(edges, places)
    first, last = 2 * ascending[0] - edges[0], 2 * ascending[-1] - edges[-1]  # the outer pixels reach as far out as in
    west, east = np.append(first, edges), np.append(edges, last)
    slack = EDGE * (east - west)[at]
    return order[at], (places >= west[at] - slack) & (places <= east[at] + slack)


@dataclass(frozen=True)
class Sample:
    """Soil moisture ``values`` (P,) m3 m-3, NaN where missing, and the ``moment`` (P,) datetime64[s] UTC of each."""

    values: np.ndarray
    moment: np.ndarray

    @classmethod
    def of_night(cls, values: np.ndarray, day: dt.date, places: Places) -> Sample:
        """Of the night overpass of ``day``, about 01:30 local solar time: a map that states a day and no hour."""
        since = np.round((NIGHT_HOUR - places.lon / 15) * 3600)
        return cls(values, np.datetime64(day, "s") + since.astype("timedelta64[s]"))


def soil_moisture(stored: np.ndarray, encoding: Encoding, fills: tuple[float, ...] = ()) -> np.ndarray:
    """Stored numbers (P,) of a layer of soil moisture in m3 m-3, NaN where missing, by what its attributes say.

    Raises ``GranuleError`` where it is in another unit, or no volumetric soil moisture.
    """
    return plausible(encoding.decode(stored, fills), SOIL_MOISTURE, encoding.path, encoding.name,
                     linear=volumetric(encoding))  # fmt: skip


def nowhere(places: Places) -> np.ndarray:
    """No value at any place, (P,) NaN."""
    return np.full(places.size, np.nan)
