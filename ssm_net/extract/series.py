"""Series of maps at points and over areas as one dataset, (place, time), with all that is to be known of each value."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ssm_net.config import parse_day
from ssm_net.core.days import ONE_DAY, runs
from ssm_net.extract.dataset import as_dataset
from ssm_net.extract.errors import ExtractError
from ssm_net.extract.map_grid import MapGrid
from ssm_net.extract.means import ErrorStatement, place_means
from ssm_net.extract.points import Points
from ssm_net.extract.selection import Selection, select_areas, select_points
from ssm_net.formats.map_pixels import MapPixels
from ssm_net.formats.mosaic_folder import MosaicFolder, find_mosaics
from ssm_net.formats.mosaic_series import open_mosaics
from ssm_net.formats.product import CELL_ERROR_ATTRIBUTES, REGION_ERROR_ATTRIBUTE

log = logging.getLogger(__name__)

Progress = Callable[[Sequence[int]], Iterable[int]]


@dataclass(frozen=True)
class Maps:
    """The maps of a folder, their grid, and the numbers of the days that are asked for."""

    mosaics: MosaicFolder
    dataset: xr.Dataset
    grid: MapGrid
    days: range

    @classmethod
    def open(
        cls, folder: str | PathLike[str], *, start: str | None, end: str | None, domain: str | None, format: str | None
    ) -> Maps:
        """Raises ``MosaicError`` as ``open_mosaics`` does, ``ExtractError`` where there is no map in the period."""
        mosaics = find_mosaics(Path(folder), domain, format)
        dataset = open_mosaics(folder, mosaics.domain_name, format=mosaics.format)
        first = parse_day(start, "start") if start else mosaics.days[0]
        last = parse_day(end, "end") if end else mosaics.days[-1]
        wanted = [n for n, day in enumerate(mosaics.days) if first <= day <= last]
        if not wanted:
            raise ExtractError(f"{folder} has no map from {first} to {last}; it holds {mosaics.days[0]} .. "
                               f"{mosaics.days[-1]}: change start= and end=")  # fmt: skip
        return cls(mosaics, dataset, MapGrid.of(dataset), range(wanted[0], wanted[-1] + 1))

    @property
    def dates(self) -> list[dt.date]:
        return [self.mosaics.days[n] for n in self.days]

    @property
    def missing(self) -> list[dt.date]:
        """Days between the first and the last that have no map."""
        have, number = set(self.dates), (self.dates[-1] - self.dates[0]).days
        return [day for n in range(number) if (day := self.dates[0] + n * ONE_DAY) not in have]

    def errors(self) -> ErrorStatement:
        """What the maps state of the parts of their error."""

        def of_days(name: str, missing: float) -> np.ndarray:
            if name in self.dataset.coords:
                return np.asarray(self.dataset[name].values, float)[self.days.start : self.days.stop]
            return np.full(len(self.days), float(self.dataset.attrs.get(name, missing)))

        return ErrorStatement(
            of_days(REGION_ERROR_ATTRIBUTE, 0.0), *(of_days(n, np.nan) for n in CELL_ERROR_ATTRIBUTES)
        )


def at_points(
    mosaics: str | PathLike[str],
    points: str | Path | Mapping[str, tuple[float, float]] | Sequence[tuple[float, float]],
    *,
    start: str | None = None,
    end: str | None = None,
    domain: str | None = None,
    format: str | None = None,
) -> xr.Dataset:
    """Daily soil moisture at points, of the pixel that each lies in; no other one is looked for where it is masked.

    ``points`` are a CSV file with the columns lon, lat and name, a mapping of names to (lon, lat) or a sequence of
    (lon, lat), degrees. ``start`` and ``end`` are days, yyyy-mm-dd; ``domain`` and ``format`` as of ``open_mosaics``.

    The dataset has the dimensions (place, time): ``ssm`` and ``ssm_uncertainty`` (its standard error) in m3 m-3, the
    parts of that error, and the fraction of the place that is valid and that has each flag (0 or 1 at a point).
    ``note`` (place) says what is wrong with a place, such as that it lies outside the maps; it is logged, too.

        series = ssm_net.at_points("mosaics", {"Toro": (-5.4, 41.5)})
        series.ssm.sel(place=0).plot()

    Raises ``ExtractError`` where no point lies inside the maps, ``MosaicError`` where there are no maps or one is
    damaged.
    """
    maps = Maps.open(mosaics, start=start, end=end, domain=domain, format=format)
    return extracted(maps, select_points(Points.of(points), maps.grid))


def over_areas(
    mosaics: str | PathLike[str],
    areas: str | Path,
    *,
    names: str | None = None,
    start: str | None = None,
    end: str | None = None,
    domain: str | None = None,
    format: str | None = None,
) -> xr.Dataset:
    """Daily mean soil moisture over areas, each pixel weighted by the part of it that lies inside, and its uncertainty.

    ``areas`` is a vector file of polygons in any format of OGR, ``names`` its column with their names; the rest as of
    ``at_points``. The mean is over the valid pixels; ``fraction_valid`` says how much of the area they are. Its
    standard error counts that errors inside a cell average out, and that those that a cell or the region shares do not.

        basins = ssm_net.over_areas("mosaics", "basins.gpkg", names="basin")
        basins.ssm.isel(place=0).plot()

    Raises ``ExtractError`` where no area lies inside the maps, ``BoundaryError`` where the file has no polygons or no
    such column, ``MosaicError`` where there are no maps or one is damaged.
    """
    maps = Maps.open(mosaics, start=start, end=end, domain=domain, format=format)
    return extracted(maps, select_areas(areas, names, maps.grid))


def extracted(maps: Maps, selection: Selection, progress: Progress = iter) -> xr.Dataset:
    """The dataset of ``at_points`` and ``over_areas``."""
    errors = maps.errors()
    if np.isnan(errors.observed).all() and np.isnan(errors.gap).all():
        log.warning("%s: the maps do not state which part of their error a cell shares (they were made by an older "
                    "version): all of it is taken as shared, so that uncertainties of means are too large "
                    "not too small; make them again with infer overwrite=true", maps.mosaics.folder)  # fmt: skip
    if maps.missing:
        log.warning("no map of %s: these days are not in the series; infer makes them", runs(maps.missing))
    pixels = MapPixels.choose(maps.mosaics, selection.rows, selection.cols)
    means = place_means(pixels, maps.days, selection, maps.grid.size_km, errors, progress)
    attrs: dict[str, Any] = dict(maps.dataset.attrs) | {"domain": maps.mosaics.domain_name}
    dataset = as_dataset(means, selection, maps.grid, maps.dates, attrs)
    for name, note in zip(dataset["name"].values, dataset["note"].values, strict=True):
        if note:
            log.warning("%s: %s", name, note)
    return dataset
