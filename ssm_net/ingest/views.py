"""The views of a day: which pixels of the files that may hold them were seen nearest to the hour asked for.

An archive files a view under its UTC day, so the views of one local day lie in two files wherever the overpass is near
00:00 UTC, and the day that a pixel belongs to is a matter of its longitude and of the hour at which it was seen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.core.clock import HOURS, filed_days, taken, view_moments
from ssm_net.core.platforms import Platform
from ssm_net.dateline import crosses, middle_longitude
from ssm_net.ingest.modis_tiles import RADIUS
from ssm_net.ingest.raster import LazyRaster

Moments = np.ndarray | float


@dataclass(frozen=True)
class DayOfViews:
    """The local ``day`` whose ``overpass`` (``day`` or ``night``) is asked for; ``modis_day`` says whether MODIS files
    are of ``utc`` or of ``local`` days. Where the area crosses the dateline, ``dateline_middle`` is the longitude of
    its middle, degrees."""

    day: dt.date
    overpass: str
    modis_day: str = "utc"
    dateline_middle: float | None = None

    @classmethod
    def over(cls, geobox: GeoBox, day: dt.date, overpass: str, modis_day: str) -> DayOfViews:
        """For a grid in EPSG:6933."""
        return cls(day, overpass, modis_day, middle_longitude(geobox) if crosses(geobox) else None)

    def turns(self, lon: np.ndarray | float) -> np.ndarray | float:
        """1 at longitudes (-180..180) that lie east of a dateline that the area crosses, 0 elsewhere."""
        return 0.0 if self.dateline_middle is None else np.round((self.dateline_middle - lon) / 360)

    def local_day(self, lon: float) -> dt.date:
        """The day by the local calendar at a longitude (-180..180): the one before, east of the dateline."""
        return self.day - dt.timedelta(float(self.turns(lon)))


@dataclass(frozen=True)
class View:
    """The LST of one file: ``raster`` gives it and its standard error (K); ``moments`` when each pixel was seen, in
    local hours from the midnight that begins the day (one number, where all count as seen at once)."""

    raster: LazyRaster
    moments: Callable[[], Moments]


def merged(views: Sequence[View], overpass: str) -> list[LazyRaster]:
    """The files as rasters of LST and its error, with those pixels alone that the day takes; of several on the same
    pixels one raster, with the view nearest to the hour of the ``overpass`` where two are of the day.

    A file none of whose pixels the day takes is not read.
    """
    on_grid: dict[GeoBox, list[View]] = {}
    for view in views:
        on_grid.setdefault(view.raster.geobox, []).append(view)
    return [LazyRaster(geobox, lambda some=some: _nearest(some, overpass)) for geobox, some in on_grid.items()]  # type: ignore[misc]


def _nearest(views: Sequence[View], overpass: str) -> tuple[np.ndarray, np.ndarray]:
    lst, sigma = np.full((2, *views[0].raster.geobox.shape), np.nan, np.float32)
    nearest: np.ndarray | None = None
    for view in views:
        moments = view.moments()
        own = taken(overpass, moments)
        if not own.any():
            continue
        values, error = view.raster.read()
        if own.all() and len(views) == 1:
            return values, error
        seen = own & np.isfinite(values)
        off = np.where(seen, np.abs(moments - np.float32(HOURS[overpass])), np.float32(np.inf))
        better = off < (np.float32(np.inf) if nearest is None else nearest)
        np.copyto(lst, values, where=better)
        np.copyto(sigma, error, where=better)
        nearest = off if nearest is None else np.minimum(off, nearest)
    return lst, sigma


def modis_moments(
    filed: dt.date, asked: DayOfViews, platform: Platform, geobox: GeoBox, read_hours: Callable[[], np.ndarray] | None
) -> Callable[[], Moments] | None:
    """The moments of the pixels of a MODIS or VIIRS file of the day ``filed``; None where the day takes none of them.

    ``read_hours`` reads the local solar times in the file, NaN where it states none (``None``: the file has no such
    layer): there the hour of the ``platform`` counts.
    """
    lons, lat = _reach(geobox)
    utc, day = asked.modis_day == "utc", asked.local_day(sum(lons) / 2)
    usual = platform.hour(asked.overpass, asked.day)
    if filed not in filed_days(day, asked.overpass, usual, platform.spread(lat), lons, utc=utc):
        return None

    def moments() -> Moments:
        read = None if read_hours is None else read_hours()
        known = np.isfinite(read) if read is not None else np.zeros(1, bool)
        hours, extremes = np.full((1, 1), usual, np.float32), [usual, usual]
        if read is not None and known.any():
            extremes = [float(np.min(read, where=known, initial=24)), float(np.max(read, where=known, initial=0))]
            if not known.all():
                extremes = [min(usual, extremes[0]), max(usual, extremes[1])]
            hours = np.where(known, read, np.float32(usual))
        ends = np.array(extremes)[:, None]
        corners = view_moments(filed, day, ends, np.array(lons), utc=utc)
        if np.ptp(corners - ends) == 0:  # no 00:00 UTC among the views: all are of the file's one local day
            shifted = hours + np.float32(corners[0, 0] - ends[0, 0])
            return float(shifted[0, 0]) if shifted.size == 1 else shifted
        return view_moments(filed, day, hours, _lon(geobox), utc=utc).astype(np.float32)

    return moments


def _reach(geobox: GeoBox) -> tuple[tuple[float, float], float]:
    """The western and eastern end of a grid, sinusoidal or in degrees, and its highest latitude, degrees."""
    (height, width), a = geobox.shape, geobox.affine
    if geobox.crs is not None and geobox.crs.geographic:
        return (a.c, a.c + width * a.a), max(abs(a.f), abs(a.f + height * a.e))
    x, y = np.array([a.c, a.c + width * a.a]), np.array([a.f, a.f + height * a.e])
    lat = np.clip(np.degrees(y / RADIUS), -89.9, 89.9)
    lon = np.clip(np.degrees(x / RADIUS) / np.cos(np.radians(lat))[:, None], -180, 180)
    return (float(lon.min()), float(lon.max())), float(np.abs(lat).max())


def _lon(geobox: GeoBox) -> np.ndarray:
    """Longitude of the pixels of a grid, sinusoidal or in degrees: (y, x), or (1, x) in degrees, float32."""
    (height, width), a = geobox.shape, geobox.affine
    if geobox.crs is not None and geobox.crs.geographic:
        return (a.c + a.a * (np.arange(width) + 0.5))[None].astype(np.float32)
    x = np.degrees((a.c + a.a * (np.arange(width) + 0.5)) / RADIUS)
    y = (a.f + a.e * (np.arange(height) + 0.5)) / RADIUS
    return np.clip(x[None] / np.cos(y)[:, None], -180, 180).astype(np.float32)
