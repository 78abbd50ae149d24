"""Matching of stations to the grid: the sensor of a station, its pixel, and its value at each overpass."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyproj import Transformer

from ssm_net.core.clock import overpass_utc
from ssm_net.grid import Domain

if TYPE_CHECKING:
    from ssm_net.stations.ismn import Station

MAX_TIME_DIFFERENCE = np.timedelta64(60, "m")


def surface_sensors(stations: Sequence[Station]) -> list[Station]:
    """One sensor of each station: the shallowest, and among equals the one with the longest record."""
    best: dict[tuple[str, str], Station] = {}
    for s in stations:
        key = (s.network, s.name)
        if key not in best or (s.depth_to, -len(s.value)) < (best[key].depth_to, -len(best[key].value)):
            best[key] = s
    return list(best.values())


def pixel_of(lon: float, lat: float, domain: Domain) -> tuple[int, int] | None:
    """Row and column of the pixel that contains a place (degrees), or None outside the domain."""
    x, y = Transformer.from_crs("EPSG:4326", domain.grid.crs, always_xy=True).transform(lon, lat)
    col, row = domain.fine.wld2pix(x, y)
    rows, cols = domain.fine_shape
    if domain.crosses_dateline:
        col %= domain.grid.cols * domain.ratio
    return (int(row), int(col)) if 0 <= row < rows and 0 <= col < cols else None


def at_overpass(time: np.ndarray, value: np.ndarray, days: Sequence[dt.date], lon: float) -> np.ndarray:
    """The value nearest the overpass of each day, within one hour; NaN where there is none. (len(days),) m3 m-3.

    ``time`` is datetime64 UTC in any order.
    """
    known = np.isfinite(value)
    order = np.argsort(time[known], kind="stable")
    time, value = time[known][order].astype("datetime64[s]"), value[known][order]
    if not time.size:
        return np.full(len(days), np.nan)
    overpass = np.array([overpass_utc(day, lon) for day in days])
    after = np.clip(np.searchsorted(time, overpass), 0, time.size - 1)
    before = np.clip(after - 1, 0, None)
    nearest = np.where(np.abs(time[before] - overpass) <= np.abs(time[after] - overpass), before, after)
    return np.where(np.abs(time[nearest] - overpass) <= MAX_TIME_DIFFERENCE, value[nearest], np.nan)


@dataclass(frozen=True)
class Point:
    """A pixel followed through time, with the station in it if there is one; ``lon`` as its domain counts them (beyond
    180 across the dateline)."""

    label: str
    row: int
    col: int
    lon: float
    lat: float
    station: Station | None = None


def station_points(stations: Sequence[Station], domain: Domain) -> tuple[list[Point], int]:
    """The stations inside the domain, and how many lie outside."""
    out = []
    for s in stations:
        pixel = pixel_of(s.lon, s.lat, domain)
        if pixel is not None:
            out.append(Point(f"{s.network} {s.name}", *pixel, float(domain.same_turn(s.lon)), s.lat, s))
    return out, len(stations) - len(out)
