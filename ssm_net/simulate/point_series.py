"""Series at points of a simulated world without its files: the light path, for the table of points inside cells.

The truth and what MODIS observes at 13 points of each cell, as dense station networks have them. A world of 4 x 4 cells
takes some seconds a year.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ssm_net.grid import Domain
from ssm_net.simulate.point_table import PointSeries, point_table
from ssm_net.simulate.world.climate import season, season_day
from ssm_net.simulate.world.days import SPIN_UP, simulate_days
from ssm_net.simulate.world.fields import stream
from ssm_net.simulate.world.land import Land, make_land
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.observe import QC_CLOUD, Observer
from ssm_net.simulate.world.overpass import WorldDay

CLUSTERS = (4, 4, 3, 2)  # points of a cell that lie within a few kilometres of each other
NEIGHBOURHOOD_REACH = 3  # pixels from the middle of a cluster
POINT_ERROR = 0.05  # m3 m-3, of a station as a value of its pixel
LASTING = (0.1, 0.6)  # fraction of its variance that lasts, drawn for each world
FADING = (10.0, 60.0)  # days in which the rest fades to 1/e
NDVI_ERROR = 0.02
SHORE = 0.02  # water fraction above which no station stands
OF_PIXELS = ("SM e-folding", "SM acf")  # rows of the table without the error of a point


@dataclass
class PointRecorder:
    """Collects the series of points, day after day: ``add`` each day in order, then ``series``."""

    land: Land
    seed: int
    row: NDArray[np.int64]
    col: NDArray[np.int64]
    dates: list[dt.date] = field(default_factory=list)
    ssm: list[NDArray] = field(default_factory=list)
    lst: list[NDArray] = field(default_factory=list)
    ndvi: list[NDArray] = field(default_factory=list)

    @classmethod
    def over(cls, land: Land, seed: int) -> PointRecorder:
        """Points in clusters, at the same places in every world of that many cells, (cells, points)."""
        rng = stream(0, "points")
        domain, ratio = land.domain, land.domain.ratio
        cells = domain.coarse_shape[0] * domain.coarse_shape[1]
        size = (cells, sum(CLUSTERS))
        middle = rng.integers(NEIGHBOURHOOD_REACH, ratio - NEIGHBOURHOOD_REACH, (2, cells, len(CLUSTERS)))
        offset = rng.integers(-NEIGHBOURHOOD_REACH, NEIGHBOURHOOD_REACH + 1, (2, *size))
        inside = np.repeat(middle, CLUSTERS, axis=2) + offset
        top, left = np.divmod(np.arange(cells), domain.coarse_shape[1])
        return cls(land, seed, ratio * top[:, None] + inside[0], ratio * left[:, None] + inside[1])

    def add(self, day: WorldDay, observed: tuple[NDArray, NDArray, NDArray[np.uint8]]) -> None:
        """One day, with its LST by day as ``Observer.lst`` gives it."""
        at = self.row, self.col
        true, error, qc = (f[at] for f in observed)
        noise = stream(self.seed, "point ndvi", day.date.toordinal()).normal(0, NDVI_ERROR, true.shape)
        self.dates.append(day.date)
        dry = self.land.water[at] < SHORE
        self.ssm.append(np.where(dry, 0.5 * (day.night.ssm[at] + day.noon.ssm[at]), np.nan))
        self.lst.append(np.where(dry & (qc != QC_CLOUD), true + error, np.nan))
        self.ndvi.append(day.ndvi[at] + noise)

    def series(self) -> PointSeries:
        """The days so far, without errors of points."""
        maps, latitude, pixel = self.land.maps, self.land.latitude, self.land.domain.grid.pixel / 1000
        ssm, lst, ndvi = (np.stack(f).astype(np.float64) for f in (self.ssm, self.lst, self.ndvi))
        clay, elevation = (f[self.row, self.col].astype(np.float64) for f in (maps.clay, maps.elevation))
        y, x = pixel * self.row.astype(np.float64), pixel * self.col.astype(np.float64)
        warm = np.array([season(season_day(d, latitude)) > 0 for d in self.dates])
        return PointSeries(ssm, lst, ndvi, clay, elevation, y, x, warm)


def simulate_points(family: str, seed: int, domain: Domain, start: dt.date, days: int) -> PointSeries:
    """Series of ``days`` from ``start`` at the points of each cell of a world. Raises ``ConfigError`` for unknown
    families."""
    laws = laws_of(family, seed)
    land = make_land(domain, laws, seed)
    observer, recorder = Observer(land, laws, seed), PointRecorder.over(land, seed)
    for day in simulate_days(land, laws, seed, start + dt.timedelta(SPIN_UP), start + dt.timedelta(days - 1)):
        recorder.add(day, observer.lst(day, "day"))
    return recorder.series()


def with_point_error(points: PointSeries, seed: int) -> PointSeries:
    """Points as stations, with ``POINT_ERROR``: a part of its variance lasts, the rest fades in weeks."""
    rng = stream(seed, "point error")
    share, days = rng.uniform(*LASTING), rng.uniform(*FADING)
    rho, shape = math.exp(-1 / days), points.ssm.shape[1:]
    lasting = rng.normal(0, POINT_ERROR * math.sqrt(share), shape)
    deviation = POINT_ERROR * math.sqrt(1 - share)
    fading = rng.normal(0, deviation, shape)
    out = points.ssm.copy()
    for today in out:
        today += lasting + fading
        fading = rho * fading + math.sqrt(1 - rho**2) * rng.normal(0, deviation, shape)
    return replace(points, ssm=out)


def station_table(points: PointSeries, seed: int) -> dict[str, float]:
    """The table of points inside cells, with the error of points but for the memory of soil moisture, which is that of
    pixels."""
    rows, of_pixels = point_table(with_point_error(points, seed)), point_table(points)
    return rows | {name: value for name, value in of_pixels.items() if name.startswith(OF_PIXELS)}
