"""Write a world into a raw folder: the truth and everything that instruments make of it, in native formats."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ssm_net.config import SimulateConfig, days_between
from ssm_net.core.boundary import domain_of
from ssm_net.core.files import write_whole
from ssm_net.core.radiometers import BY_CODE
from ssm_net.errors import ConfigError
from ssm_net.grid import Domain
from ssm_net.simulate.truth import TruthStore
from ssm_net.simulate.validity import DayStatistics, ground, observe_day, report, summarise
from ssm_net.simulate.world import atmosphere
from ssm_net.simulate.world.days import DAY_HOUR, NIGHT_HOUR, SPIN_UP, Day, days
from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.fleet import fleet
from ssm_net.simulate.world.land import Land, make_land
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.observe import QC_NONE, Observer, RainGrid
from ssm_net.simulate.writers import modis, netcdf, stations
from ssm_net.simulate.writers.sinusoidal import Tile, tiles_of

VERSION = 1  # of the world: raised whenever the same settings give other numbers
EVERY = 8  # days from one reflectance file to the next
ONE = dt.timedelta(1)
AMSR2 = BY_CODE[2]
View = tuple[Array, Array, NDArray[np.uint8]]


def simulate(cfg: SimulateConfig) -> Path:
    """The raw folder of a synthetic world, made if it is not there yet.

    A run that was cut off goes on where it stopped; one that is done does nothing. Raises ``ConfigError`` where the
    folder holds another world or files that no simulation wrote.
    """
    console = Console()
    domain = domain_of(cfg.domain)
    wanted = days_between(cfg.start, cfg.end)
    try:
        laws = laws_of(cfg.family, cfg.seed)
    except ValueError as err:
        raise ConfigError(str(err)) from err
    raw = Path(cfg.raw)
    settings = {
        "version": VERSION,
        "family": cfg.family,
        "seed": cfg.seed,
        "window": list(domain.window),
        "start": cfg.start,
        "end": cfg.end,
        "record": cfg.record,
        "auxiliary": cfg.auxiliary,
    }
    done = _check(raw, settings)
    if cfg.plan:
        rows, cols = domain.fine_shape
        tiles = ", ".join(t.name for t in tiles_of(domain, 1200))
        state = "is done; nothing would be made" if done else "would be made"
        console.print(
            f"world {domain.name}, family {cfg.family}, seed {cfg.seed}: {len(wanted)} days {cfg.start}..{cfg.end}, "
            f"{rows} x {cols} pixels, MODIS tiles {tiles}, in {raw}: {state}"
        )
        return raw
    if done:
        console.print(f"{raw}: this world is there already ({len(wanted)} days); nothing to do")
        return raw
    raw.mkdir(parents=True, exist_ok=True)
    _mark(raw, settings, done=False)
    land = make_land(domain, laws, cfg.seed)
    checks = summarise(
        _write(raw, land, Observer(land, laws, cfg.seed), wanted[0], wanted[-1], cfg.record, cfg.auxiliary, console)
    )
    report(checks + ground(land), raw / "validity.json", console)
    _mark(raw, settings, done=True)
    return raw


def _check(raw: Path, settings: dict[str, Any]) -> bool:
    """Whether this world is in the folder, whole."""
    marker = raw / "world.json"
    if not marker.exists():
        if raw.is_dir() and any(raw.iterdir()):
            raise ConfigError(
                f"raw={raw} holds files but no world.json: a world is not mixed with other data; give another folder"
            )
        return False
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
        there = {"record": False, "auxiliary": False} | found["settings"]  # worlds of before had one sensor
    except (json.JSONDecodeError, KeyError, TypeError) as err:
        raise ConfigError(f"{marker}: not the marker of a world ({err}); delete {raw} or give another raw=") from err
    other = [f"{key}={there.get(key)} (now {value})" for key, value in settings.items() if there.get(key) != value]
    if other:
        raise ConfigError(f"raw={raw} holds another world: {', '.join(other)}; give another raw= or delete that folder")
    return bool(found.get("done"))


def _mark(raw: Path, settings: dict[str, Any], *, done: bool) -> None:
    write_whole(raw / "world.json", (json.dumps({"settings": settings, "done": done}, indent=1) + "\n").encode())


@dataclass(frozen=True)
class Shift:
    """By how many days the UTC date of a view differs from its local day, for each column of the domain."""

    night: NDArray[np.int64]
    day: NDArray[np.int64]

    @classmethod
    def of(cls, domain: Domain) -> Shift:
        hours = domain.lonlat()[0] / 15
        return cls(*(np.floor((h - hours) / 24).astype(int) for h in (NIGHT_HOUR, DAY_HOUR)))


def _write(
    raw: Path,
    land: Land,
    observer: Observer,
    first: dt.date,
    last: dt.date,
    record: bool,
    auxiliary: bool,
    console: Console,
) -> list[DayStatistics]:
    domain = land.domain
    sites = stations.make_sites(land, observer.seed)
    rain_grid = RainGrid.over(domain)
    tiles, fine_tiles = tiles_of(domain, 1200), tiles_of(domain, 2400)
    shift = Shift.of(domain)
    west, _, east, _ = domain.bounds_lonlat()
    centre = (west + east) / 2
    lst_folder, reflectance_folder = (modis.folder(raw, p) for p in (modis.LST, modis.REFLECTANCE))
    folders = [lst_folder, reflectance_folder, raw / "NNsm", raw / "static", raw / "precip"]
    for folder in folders + [modis.folder(raw, modis.TERRA_LST), raw / "ERA5-Land"] * auxiliary:
        folder.mkdir(exist_ok=True)
    for key, field, units in (
        ("elevation", land.elevation, "m"),
        ("sand", land.sand, "%"),
        ("clay", land.clay, "%"),
        ("water_fraction", land.water, "1"),
    ):
        if missing(path := raw / "static" / f"{key}.tif"):
            netcdf.write_static(path, domain, field, units)
    others = fleet(observer.laws.sensor, domain.coarse_shape, observer.seed) if record else {}
    truth = TruthStore(raw / "truth.zarr", land, first)
    truth.begin()
    statistics: list[DayStatistics] = []
    views: dict[dt.date, dict[str, View]] = {}  # of the last three local days
    terra: dict[dt.date, dict[str, View]] = {}
    skies: dict[dt.date, atmosphere.SkyOfDay] = {}
    states: list[tuple[dt.date, Array, Array]] = []
    count = (last - first).days + 3 + SPIN_UP
    for day in track(
        days(land, observer.laws, observer.seed, first - ONE, last + ONE), "simulating", count, console=console
    ):
        date = day.date
        if first - SPIN_UP * ONE <= date <= last:
            end = dt.datetime.combine(date, dt.time()) + dt.timedelta(seconds=round(3600 * (NIGHT_HOUR - centre / 15)))
            if missing(path := raw / "precip" / f"precip_{date:%Y%m%d}.nc"):
                netcdf.write_rain(path, rain_grid, observer.rain(day, rain_grid), end - ONE, end)
        if date < first - ONE:
            continue
        states.append((date, day.ssm[sites.row, sites.col], day.ssm_noon[sites.row, sites.col]))
        views[date] = {part: observer.lst(day, part) for part in ("day", "night")}
        views.pop(date - 3 * ONE, None)
        if first <= date <= last:
            coarse = observer.coarse(day)
            flying = {name: i for name, i in others.items() if i.flies(date)}
            if (not others or date >= AMSR2.first) and missing(path := raw / "NNsm" / f"NNsm-AMSR2-{date:%Y%j}.nc"):
                netcdf.write_nnsm(path, domain, coarse)
            for name, instrument in flying.items():
                if missing(path := raw / "NNsm" / f"NNsm-{name}-{date:%Y%j}.nc"):
                    netcdf.write_nnsm(path, domain, observer.coarse(day, instrument))
            truth.append(day)
            statistics.append(observe_day(land, day, coarse))
            if (date - first).days % EVERY == 0:
                _reflectance(raw, fine_tiles, observer, day)
        if auxiliary:
            terra[date] = {part: observer.terra(day, part) for part in ("day", "night")}
            terra.pop(date - 3 * ONE, None)
            skies[date] = atmosphere.sky_of(day, rain_grid, observer.seed)
            skies.pop(date - 3 * ONE, None)
        if date >= first:  # the UTC day before: its night view is of this local night
            _lst(raw, modis.LST, tiles, views, shift, date - ONE)
            if auxiliary:
                _lst(raw, modis.TERRA_LST, tiles, terra, shift, date - ONE)
                if missing(path := raw / "ERA5-Land" / f"era5_land_{date - ONE:%Y%m%d}.nc"):
                    air, sun = atmosphere.hours(skies, date - ONE, centre, rain_grid.lat)
                    netcdf.write_reanalysis(path, rain_grid, date - ONE, air, sun)
    dates, night, noon = zip(*states, strict=True)
    stations.write_stations(raw / "ismn", sites, list(dates), np.stack(night), np.stack(noon), observer.seed)
    truth.finish()
    return statistics


def missing(path: Path) -> bool:
    """Whether a file is still to be made: they are renamed into place whole, so one that is there is done."""
    return not path.exists()


def _reflectance(raw: Path, tiles: list[Tile], observer: Observer, day: Day) -> None:
    paths = {t: modis.folder(raw, modis.REFLECTANCE) / modis.name(modis.REFLECTANCE, day.date, t) for t in tiles}
    if not any(missing(p) for p in paths.values()):
        return
    bands, quality = observer.reflectance(day)
    for tile, path in paths.items():
        seen = tile.nearest(quality)
        if missing(path):
            # Interpolated, but beside a pixel without a value the nearest one as it is.
            pairs = {b: (tile.linear(v), tile.nearest(v)) for b, v in bands.items()}
            fields = {b: np.where(np.isfinite(fine), fine, near) for b, (fine, near) in pairs.items()}
            modis.write_reflectance(path, day.date, tile, fields, seen)


def _lst(
    raw: Path, product: str, tiles: list[Tile], views: dict[dt.date, dict[str, View]], shift: Shift, utc: dt.date
) -> None:
    """The files of a UTC day, as the archive dates them: the night view over Asia is of the local day after."""
    scene = {"Day": _utc_view(views, "day", shift.day, utc), "Night": _utc_view(views, "night", shift.night, utc)}
    for tile in tiles:
        if missing(path := modis.folder(raw, product) / modis.name(product, utc, tile)):
            seen = {
                part: (tile.linear(true) + tile.nearest(error), tile.nearest(qc))
                for part, (true, error, qc) in scene.items()
            }
            modis.write_lst(path, product, utc, tile, seen)


def _utc_view(views: dict[dt.date, dict[str, View]], part: str, shift: NDArray[np.int64], utc: dt.date) -> View:
    template = views[max(views)][part]
    true, error, qc = template[0].copy(), template[1].copy(), np.full_like(template[2], QC_NONE)
    for ahead in np.unique(shift):
        local = utc - int(ahead) * ONE
        if local in views:
            at = shift == ahead
            seen = views[local][part]
            true[:, at], error[:, at], qc[:, at] = seen[0][:, at], seen[1][:, at], seen[2][:, at]
    return true, error, qc
