"""The files of a world in native formats: what each instrument, product and station delivers, day by day.

A file that exists is complete (it is renamed into place) and is not written again, so an interrupted run resumes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ssm_net.core.clock import DAY_HOUR, NIGHT_HOUR, OVERPASSES, nearest_view
from ssm_net.core.days import ONE_DAY
from ssm_net.core.radiometers import BY_CODE
from ssm_net.grid import Domain
from ssm_net.simulate.coarse_products import CoarseProducts
from ssm_net.simulate.point_series import PointRecorder
from ssm_net.simulate.point_table import PointSeries
from ssm_net.simulate.truth import TruthStore
from ssm_net.simulate.validity import DayStatistics, observe_day
from ssm_net.simulate.world import atmosphere
from ssm_net.simulate.world.days import SPIN_UP, simulate_days
from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.fleet import Instrument, fleet
from ssm_net.simulate.world.observe import QC_NONE, TERRA_HOURS, VIIRS_HOURS, Observer, RainGrid
from ssm_net.simulate.world.overpass import WorldDay
from ssm_net.simulate.writers import modis, netcdf, static_tiles, stations, viirs
from ssm_net.simulate.writers.sinusoidal import SinusoidalTile, sinusoidal_tiles

REFLECTANCE_EVERY = 8  # days from one reflectance file to the next
RECENT_DAYS = 3  # local days that the files of a UTC day can be of
AMSR2 = BY_CODE[2]
VIIRS_FIRST = {"VNP": dt.date(2012, 1, 19), "VJ1": dt.date(2018, 1, 5)}  # first days of LST in the archive
Scene = tuple[Array, Array, NDArray[np.uint8]]  # the true LST, the error of its observation (K) and QC, (y, x)
T = TypeVar("T")


@dataclass(frozen=True)
class Content:
    """What a world's folder holds: files of the local days ``first`` to ``last``; with ``record``, of all radiometers;
    with ``auxiliary``, of a second platform and a reanalysis, too. ``sensors``: modis, viirs or both; ``ssm`` are the
    products of coarse soil moisture; ``static_tiles``: static maps as tiles of archives."""

    first: dt.date
    last: dt.date
    record: bool
    auxiliary: bool
    sensors: str = "modis"
    ssm: tuple[str, ...] = ("NNsm",)
    static_tiles: bool = False

    @property
    def modis(self) -> bool:
        return self.sensors != "viirs"

    def viirs(self, day: dt.date) -> list[str]:
        """The first letters of the products of the platforms with VIIRS that have files of ``day``."""
        platforms = ["VNP", *(["VJ1"] * self.auxiliary)] if self.sensors != "modis" else []
        return [p for p in platforms if not self.record or day >= VIIRS_FIRST[p]]


@dataclass(frozen=True)
class DayShift:
    """UTC date of an observation minus the local day that it is of, days, for each column of the domain, (x,)."""

    night: NDArray[np.int64]
    day: NDArray[np.int64]

    @classmethod
    def of(cls, domain: Domain, night: float = NIGHT_HOUR, day: float = DAY_HOUR) -> DayShift:
        """For a platform that passes at these local solar hours; one that passes late in the evening is of the night
        that follows."""
        ahead = domain.lonlat()[0] / 15
        views = nearest_view("night", night), nearest_view("day", day)
        return cls(*(np.floor((view - ahead) / 24).astype(int) for view in views))


@dataclass(frozen=True)
class Grids:
    """The grids that a world is written on: its ``domain``, MODIS tiles at 1 km and 500 m, and 0.1 degrees."""

    tiles: Sequence[SinusoidalTile]
    fine_tiles: Sequence[SinusoidalTile]
    rain: RainGrid
    domain: Domain
    centre: float  # longitude of the domain's middle, degrees

    @classmethod
    def of(cls, domain: Domain) -> Grids:
        west, _, east, _ = domain.bounds_lonlat()
        tiles, fine_tiles = sinusoidal_tiles(domain, 1200), sinusoidal_tiles(domain, 2400)
        return cls(tiles, fine_tiles, RainGrid.over(domain), domain, (west + east) / 2)


@dataclass(frozen=True)
class Recent:
    """Observations of the last local days: scenes of Aqua, Terra and VIIRS (by the first letters of its products) by
    overpass, the sky of a reanalysis, and coarse soil moisture of each product."""

    aqua: dict[dt.date, dict[str, Scene]] = field(default_factory=dict)
    terra: dict[dt.date, dict[str, Scene]] = field(default_factory=dict)
    viirs: dict[str, dict[dt.date, dict[str, Scene]]] = field(default_factory=dict)
    sky: dict[dt.date, atmosphere.SkyOfDay] = field(default_factory=dict)
    ssm: dict[dt.date, dict[str, Array]] = field(default_factory=dict)


def write_world(
    raw: Path, observer: Observer, content: Content, console: Console
) -> tuple[list[DayStatistics], PointSeries]:
    """Write the files and the truth of a world; the statistics of its days, in order, and the series of its points."""
    land, grids, recent = observer.land, Grids.of(observer.land.domain), Recent()
    first, last = content.first, content.last
    _make_folders(raw, content)
    if content.static_tiles:
        static_tiles.write_static_tiles(raw / "static", land.domain, land.maps)
    else:
        _write_static(raw, observer)
    others = fleet(observer.laws.sensor, land.domain.coarse_shape, observer.seed) if content.record else {}
    retrievals = CoarseProducts.of(raw, observer, content.ssm)
    sites = stations.make_sites(land, observer.seed)
    truth = TruthStore(raw / "truth.zarr", land, first)
    truth.begin()
    statistics: list[DayStatistics] = []
    points = PointRecorder.over(land, observer.seed)
    states: list[tuple[dt.date, Array, Array]] = []
    days = simulate_days(land, observer.laws, observer.seed, first - ONE_DAY, last + ONE_DAY)
    traits = observer.laws.traits
    late = (0 if traits is None else traits.rain.days) * ONE_DAY
    for day in track(days, "simulating", (last - first).days + 3 + SPIN_UP, console=console):
        if first - SPIN_UP * ONE_DAY <= day.date + late <= last:
            _write_rain(raw, observer, grids, day, day.date + late)
        if day.date < first - ONE_DAY:
            continue
        states.append((day.date, day.night.ssm[sites.row, sites.col], day.noon.ssm[sites.row, sites.col]))
        _observe(recent, observer, content, grids, day)
        _keep(recent.ssm, day.date, retrievals.observe(observer, day))
        if first <= day.date <= last:
            coarse = _write_coarse(raw, observer, others, day, "NNsm" in content.ssm)
            truth.append(day)
            statistics.append(observe_day(land, day, coarse))
            points.add(day, recent.aqua[day.date]["day"])
            if (day.date - first).days % REFLECTANCE_EVERY == 0:
                if content.modis:
                    _write_reflectance(raw, grids.fine_tiles, observer, day)
                if "VNP" in content.viirs(day.date):
                    _write_viirs_reflectance(raw, grids, observer, day)
        if day.date >= first:  # the UTC day before: its night overpass is of this local night
            _write_utc_day(raw, observer, content, grids, recent, day.date - ONE_DAY)
            retrievals.write(recent.ssm, day.date - ONE_DAY)
    dates, night, noon = zip(*states, strict=True)
    stations.write_stations(raw / "ismn", sites, list(dates), np.stack(night), np.stack(noon), observer.seed)
    truth.finish()
    return statistics, points.series()


def missing(path: Path) -> bool:
    """Whether a file is still to be written."""
    return not path.exists()


def _make_folders(raw: Path, content: Content) -> None:
    names = (*content.ssm, "static", "precip", *["ERA5-Land"] * content.auxiliary)
    folders = [raw / name for name in names]
    if content.modis:
        folders += [modis.folder(raw, modis.LST), modis.folder(raw, modis.REFLECTANCE)]
        folders += [modis.folder(raw, modis.TERRA_LST)] * content.auxiliary
    if platforms := content.viirs(content.last):
        products = [viirs.LST[p] + letter for p in platforms for letter in viirs.LETTERS.values()]
        folders += [viirs.folder(raw, product) for product in (*products, *viirs.REFLECTANCE)]
    for folder in folders:
        folder.mkdir(exist_ok=True)


def _write_static(raw: Path, observer: Observer) -> None:
    land = observer.land
    for key, values, units in (
        ("elevation", land.maps.elevation, "m"),
        ("sand", land.maps.sand, "%"),
        ("clay", land.maps.clay, "%"),
        ("water_fraction", land.maps.water, "1"),
    ):
        if missing(path := raw / "static" / f"{key}.tif"):
            netcdf.write_static_map(path, land.domain, values, units)


def _write_rain(raw: Path, observer: Observer, grids: Grids, day: WorldDay, date: dt.date) -> None:
    """Rain of the 24 hours before the night overpass in the middle of the domain, dated ``date``."""
    hour = dt.timedelta(seconds=round(3600 * (NIGHT_HOUR - grids.centre / 15)))
    end = dt.datetime.combine(date, dt.time()) + hour
    if missing(path := raw / "precip" / f"precip_{date:%Y%m%d}.nc"):
        netcdf.write_rain(path, grids.rain, observer.rain(day, grids.rain), end - ONE_DAY, end)


def _observe(recent: Recent, observer: Observer, content: Content, grids: Grids, day: WorldDay) -> None:
    """Add the day's thermal scenes and sky to the ``recent`` ones."""
    _keep(recent.aqua, day.date, {part: observer.lst(day, part) for part in OVERPASSES})
    for platform in content.viirs(content.last):
        scenes = {part: observer.viirs(day, part, platform) for part in OVERPASSES}
        _keep(recent.viirs.setdefault(platform, {}), day.date, scenes)
    if content.auxiliary and content.modis:
        _keep(recent.terra, day.date, {part: observer.terra(day, part) for part in OVERPASSES})
    if content.auxiliary:
        _keep(recent.sky, day.date, atmosphere.sky_of(day, grids.rain, observer.seed))


def _keep(by_day: dict[dt.date, T], day: dt.date, value: T) -> None:
    by_day[day] = value
    by_day.pop(day - RECENT_DAYS * ONE_DAY, None)


def _write_coarse(
    raw: Path, observer: Observer, others: dict[str, Instrument], day: WorldDay, files: bool
) -> Array:  # fmt: skip
    """NNsm files of each radiometer that flies, if asked for; returns that of the world's own sensor, (R, C) m3 m-3."""
    coarse = observer.coarse(day)
    if not files:
        return coarse
    flying: dict[str, Instrument | None] = {name: other for name, other in others.items() if other.flies(day.date)}
    if not others or day.date >= AMSR2.first:
        flying["AMSR2"] = None  # the world's own sensor
    for name, instrument in flying.items():
        if missing(path := raw / "NNsm" / f"NNsm-{name}-{day.date:%Y%j}.nc"):
            values = coarse if instrument is None else observer.coarse(day, instrument)
            netcdf.write_nnsm(path, observer.land.domain, values)
    return coarse


def _write_reflectance(raw: Path, tiles: Sequence[SinusoidalTile], observer: Observer, day: WorldDay) -> None:
    paths = {t: modis.folder(raw, modis.REFLECTANCE) / modis.name(modis.REFLECTANCE, day.date, t) for t in tiles}
    if not any(missing(p) for p in paths.values()):
        return
    bands, quality = observer.reflectance(day)
    for tile, path in paths.items():
        if missing(path):
            modis.write_reflectance(path, day.date, tile, _on_tile(bands, tile), tile.nearest(quality))


def _on_tile(bands: Mapping[int, Array], tile: SinusoidalTile) -> dict[int, Array]:
    """Interpolated, but next to a pixel without a value the nearest one as it is."""
    pairs = {b: (tile.linear(v), tile.nearest(v)) for b, v in bands.items()}
    return {b: np.where(np.isfinite(fine), fine, near) for b, (fine, near) in pairs.items()}


def _write_viirs_reflectance(raw: Path, grids: Grids, observer: Observer, day: WorldDay) -> None:
    """Of Suomi NPP: its imagery bands at 500 m, the others at 1 km."""
    bands, quality = observer.reflectance(day)
    for product, tiles in (("VNP43IA4", grids.fine_tiles), ("VNP43MA4", grids.tiles)):
        for tile in tiles:
            if missing(path := viirs.folder(raw, product) / viirs.name(product, day.date, tile)):
                fields = _on_tile(bands, tile)
                viirs.write_reflectance(path, product, day.date, tile, fields, tile.nearest(quality))


def _write_utc_day(raw: Path, observer: Observer, content: Content, grids: Grids, recent: Recent, utc: dt.date) -> None:
    """The files that the archives date by the UTC day: LST of all platforms asked for, and the reanalysis."""
    if content.modis:
        _write_lst(raw, modis.LST, grids, recent.aqua, utc, observer.view_hours(utc))
    if content.modis and content.auxiliary:
        _write_lst(raw, modis.TERRA_LST, grids, recent.terra, utc, TERRA_HOURS)
    for platform in content.viirs(utc):
        _write_viirs_lst(raw, platform, grids, recent.viirs[platform], utc)
    if content.auxiliary:
        if missing(path := raw / "ERA5-Land" / f"era5_land_{utc:%Y%m%d}.nc"):
            air, sun = atmosphere.hours(recent.sky, utc, grids.centre, grids.rain.lat)
            netcdf.write_reanalysis(path, grids.rain, utc, air, sun)


def _write_lst(
    raw: Path, product: str, grids: Grids, scenes: dict[dt.date, dict[str, Scene]], utc: dt.date,
    hours: Mapping[str, float],
) -> None:  # fmt: skip
    """LST of a UTC day, as the archive dates it: over Asia its night overpass is of the next local day. The platform
    passes at these local solar ``hours``."""
    shift = DayShift.of(grids.domain, hours["night"], hours["day"])
    of_utc_day = {
        "Day": _utc_scene(scenes, "day", shift.day, utc),
        "Night": _utc_scene(scenes, "night", shift.night, utc),
    }
    for tile in grids.tiles:
        if missing(path := modis.folder(raw, product) / modis.name(product, utc, tile)):
            observed = {
                part: (tile.linear(true) + tile.nearest(error), tile.nearest(qc))
                for part, (true, error, qc) in of_utc_day.items()
            }
            modis.write_lst(path, product, utc, tile, observed, hours)


def _write_viirs_lst(
    raw: Path, platform: str, grids: Grids, scenes: dict[dt.date, dict[str, Scene]], utc: dt.date
) -> None:
    """As ``_write_lst``, in a file a view."""
    shift = DayShift.of(grids.domain, VIIRS_HOURS["night"], VIIRS_HOURS["day"])
    for part, ahead in (("day", shift.day), ("night", shift.night)):
        product = viirs.LST[platform] + viirs.LETTERS[part]
        true, error, qc = _utc_scene(scenes, part, ahead, utc)
        for tile in grids.tiles:
            if missing(path := viirs.folder(raw, product) / viirs.name(product, utc, tile)):
                observed = tile.linear(true) + tile.nearest(error), tile.nearest(qc)
                viirs.write_lst(path, product, utc, tile, observed, VIIRS_HOURS[part])


def _utc_scene(scenes: dict[dt.date, dict[str, Scene]], part: str, shift: NDArray[np.int64], utc: dt.date) -> Scene:
    """The scene of a UTC day, each column from the local day that it falls on."""
    template = scenes[max(scenes)][part]
    true, error, qc = template[0].copy(), template[1].copy(), np.full_like(template[2], QC_NONE)
    for ahead in np.unique(shift):
        local = utc - int(ahead) * ONE_DAY
        if local in scenes:
            at = shift == ahead
            scene = scenes[local][part]
            true[:, at], error[:, at], qc[:, at] = scene[0][:, at], scene[1][:, at], scene[2][:, at]
    return true, error, qc
