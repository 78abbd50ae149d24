"""Composites: each pixel counts from the day on which it was seen, as the composite's day-of-year layer tells.

A composite is filed under the first day of its period, days before most of its pixels were seen. On a day of the
product those pixels count that were seen by then, and their age is known; nothing is taken from days ahead.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.ingest import hdfeos
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.notes import make_note
from ssm_net.ingest.products import Layer
from ssm_net.ingest.raster import LazyRaster

NONE = np.uint8(255)  # as an age: not seen, or on a day that does not count


@dataclass(frozen=True)
class SeenByDay:
    """The pixels that count on ``day``: those seen from ``since`` (by file name; the first day of the composite where
    it has none) to ``day``; ``period`` is the length of the composites, days."""

    day: dt.date
    period: int
    since: Mapping[str, dt.date]
    _ages: dict[tuple[Path, dt.date, GeoBox], np.ndarray] = field(default_factory=dict)

    def find(self, granules: Sequence[Granule], layer: Layer, geobox: GeoBox) -> list[LazyRaster]:
        """A layer of the composites: on each tile the newest view that counts, its age (days) and, where the product
        has them, its class of quality."""
        tiles: dict[GeoBox, list[tuple[Granule, LazyRaster]]] = {}
        for granule in granules:
            lazy = hdfeos.find_layer(granule.path, layer, geobox, granule.day)
            if lazy is not None:
                tiles.setdefault(lazy.geobox, []).append((granule, lazy))
        return [LazyRaster(on, lambda of=of: self._newest(layer, of)) for on, of in tiles.items()]  # type: ignore[misc]

    def _newest(self, layer: Layer, files: Sequence[tuple[Granule, LazyRaster]]) -> tuple[np.ndarray, ...]:
        shape = tuple(files[0][1].geobox.shape)
        newest = np.full(shape, NONE)
        out = [np.full(shape, np.nan, np.float32) for _ in range(1 + layer.has_error)]
        for granule, lazy in files:
            age = self._age(granule, layer, lazy.geobox)
            better = age < newest
            if better.any():
                for values, read in zip(out, lazy.read(), strict=True):
                    np.copyto(values, read, where=better)
                np.copyto(newest, age, where=better)
        days = np.where(newest == NONE, np.nan, newest).astype(np.float32)
        return (out[0], days, *out[1:])

    def _age(self, granule: Granule, layer: Layer, geobox: GeoBox) -> np.ndarray:
        """Days since each pixel was seen, uint8; ``NONE`` where it does not count."""
        key = granule.path, granule.day, geobox
        if key in self._ages:
            return self._ages[key]
        after = (self.day - granule.day).days  # days since the composite began
        times = hdfeos.find_stored(granule.path, layer.view_time, geobox, granule.day)
        if times is None:
            make_note(granule.path, layer.view_time[0], "there is no such layer",
                      "its pixels count from the last day of the composite on")  # fmt: skip
            on = np.full(tuple(geobox.shape), self.period - 1)
        else:
            first = granule.day.timetuple().tm_yday
            of_year = (
                np.nan_to_num(times, nan=-1).astype(np.int32) if times.dtype.kind == "f" else times.astype(np.int32)
            )
            on = of_year - first
            on += np.where(on < -180, dt.date(granule.day.year, 12, 31).timetuple().tm_yday, 0)
            on = np.where((of_year >= 1) & (of_year <= 366), on, 10_000)
        age = after - on
        oldest = (self.day - self.since.get(granule.path.name, granule.day)).days
        counts = (age >= 0) & (age <= min(oldest, int(NONE) - 1)) & (on >= 0) & (on < self.period)
        self._ages[key] = np.where(counts, age, NONE).astype(np.uint8)
        return self._ages[key]
