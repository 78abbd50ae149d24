"""Plan of a day: which granules make it, before any is read."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ssm_net.config import PrepareConfig
from ssm_net.config.rain_day import RainDay, parse_rain_day
from ssm_net.core.clock import HOURS, OVERPASSES, filed_days, is_wide, overpass_utc, utc_day
from ssm_net.core.days import ONE_DAY
from ssm_net.core.platforms import platform, platform_of_sensor
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Catalog, Granule
from ssm_net.ingest.modis_tiles import tile_names
from ssm_net.prepare.products import CubeProducts, known_product

NEAR_DAYS = (-2, -1, 0, 1)  # days that a file with views of a day can be named after
COMPOSITE_BACK = 40  # days back from which a composite is used that comes late, as all do in near real time
RADIOMETERS = (-6.0, 6.0)  # from and to which hour of the day radiometers pass by night: SMOS and SMAP 18:00, 06:00
OVERPASS_ROLES = {"lst": "lst", "other_lst": "other_lst", "reanalysis": "air"}  # roles with granules of day and night


@dataclass(frozen=True)
class Composites:
    """The composites that the days before have used, by file name, and the ``last`` of these days; None at the start of
    a record."""

    names: frozenset[str] = frozenset()
    last: dt.date | None = None

    def since(self, catalogued: Mapping[dt.date, Sequence[Granule]], day: dt.date, period: int) -> dict[str, dt.date]:
        """The files with pixels for ``day``, with the first day of view that counts: of a file that was used before,
        the day after the last; of one that is new, all since it began."""
        out: dict[str, dt.date] = {}
        for start, granules in catalogued.items():
            if not 0 <= (day - start).days < COMPOSITE_BACK:
                continue
            for granule in granules:
                known = self.last is not None and granule.path.name in self.names
                first = start if not known or self.last is None else self.last + ONE_DAY
                if first < start + period * ONE_DAY:  # a crop holds many composites: from the earliest day of any
                    out[granule.path.name] = min(first, out.get(granule.path.name, first))
        return out

    def after(self, day: dt.date, names: Iterable[str]) -> Composites:
        """Those that are used when ``day`` is made of the files ``names``."""
        return Composites(self.names | set(names), day)


@dataclass(frozen=True)
class RainInterval:
    """A day of rain: its bounds in UTC and the granules that may hold it."""

    start: np.datetime64
    end: np.datetime64
    granules: tuple[Granule, ...]


@dataclass(frozen=True)
class DayPlan:
    """All that reading one day needs."""

    day: dt.date
    domain: Domain
    granules: Mapping[str, tuple[Granule, ...]]  # by what they give: ssm, lst_day, other_lst_day, air_day, reflectance
    rain: tuple[RainInterval, ...]  # from one night overpass to the next, the latest first
    sigma_ssm: float
    missing_tiles: tuple[str, ...] = ()
    rain_day: RainDay | None = None  # where the intervals of rain lie that files do not state
    modis_day: str = "utc"
    composite_since: Mapping[str, dt.date] = field(default_factory=dict)  # as of ``read_reflectance``
    by_chance: frozenset[tuple[str, Granule]] = frozenset()  # by key, ``granules`` with few views of it, if any
    together: bool = False  # the coarse observation is the consensus of all sensors of the day

    def kinds(self) -> set[str]:
        """What there is a granule for: the keys of ``granules``, and ``rain`` where there is one of the day's own."""
        return {*self.certain(), *("rain" for interval in self.rain[:1] if interval.granules)}

    def certain(self) -> dict[str, tuple[Granule, ...]]:
        """The ``granules`` without those that hold views of the day by chance only: from early or late in a swath."""
        kept = {kind: tuple(g for g in of_kind if (kind, g) not in self.by_chance)
                for kind, of_kind in self.granules.items()}  # fmt: skip
        return {kind: of_kind for kind, of_kind in kept.items() if of_kind}

    def has_granules(self, role: str) -> bool:
        """Whether there is a granule of ``role``: one of the table of products, or ``other_lst``."""
        kinds = {f"{OVERPASS_ROLES[role]}_{k}" for k in OVERPASSES} if role in OVERPASS_ROLES else {role}
        return bool(kinds & self.kinds())


def plan_day(
    cfg: PrepareConfig, domain: Domain, catalogued: Catalog, products: CubeProducts, day: dt.date, rain_days: int = 1,
    used: Composites = Composites(), together: bool = False,
) -> DayPlan:  # fmt: skip
    """The granules of ``day`` among those catalogued; its rain is that of ``rain_days`` days, from one night overpass
    to the next. ``used`` are the composites of the days before. Its soil moisture is of the first product that has a
    file, or of all of them ``together``."""
    west, south, east, north = domain.bounds_lonlat()
    lon = (west + east) / 2
    granules: dict[str, tuple[Granule, ...]] = {}
    by_chance: set[tuple[str, Granule]] = set()
    for name in products.ssm:
        if day in catalogued.get(name, {}) and (together or "ssm" not in granules):
            beside = [g for at in _days_beside(name, day, (west, east)) for g in catalogued[name].get(at, ())]
            granules["ssm"] = (*granules.get("ssm", ()), *catalogued[name][day], *beside)
            by_chance |= {("ssm", g) for g in beside}
    places = _local_days(domain, day), max(abs(south), abs(north))
    for name, prefix in [*((n, "lst") for n in products.lst), *((n, "other_lst") for n in products.other_lst)]:
        for k in (k for k in OVERPASSES if known_product(name).layer(f"lst_{k}")):
            kind = f"{prefix}_{k}"
            for granule in (g for n in NEAR_DAYS for g in catalogued.get(name, {}).get(day + dt.timedelta(n), ())):
                certain, possible = _view_days(cfg, granule, k, *places)
                if granule.day in possible:
                    granules[kind] = (*granules.get(kind, ()), granule)
                    if granule.day not in certain:
                        by_chance.add((kind, granule))
    for k, hour in HOURS.items():
        ends = (west, east) if is_wide((west, east)) else (lon, lon)
        utc_dates = sorted({utc_day(day, hour, at) for at in ends})
        air = tuple({g.path: g for name in products.reanalysis for utc_date in utc_dates
                     for g in catalogued.get(name, {}).get(utc_date, ())}.values())  # fmt: skip
        if air:
            granules[f"air_{k}"] = air
    since: dict[str, dt.date] = {}
    for side_by_side in products.reflectance_in_order():  # those of a line after the first stand in for it
        some: tuple[Granule, ...] = ()
        for name in side_by_side:
            if known_product(name).period:
                since = used.since(catalogued.get(name, {}), day, known_product(name).period)
                near = [g for n in range(COMPOSITE_BACK) for g in catalogued.get(name, {}).get(day - n * ONE_DAY, ())]
                some = (*some, *(g for g in near if g.path.name in since))
            else:
                some = (*some, *catalogued.get(name, {}).get(day, ()))
        if some:
            granules["reflectance"] = some
            break
    rain = _rain_intervals(catalogued, products, day, rain_days, lon)
    plan = DayPlan(
        day, domain, granules, rain, cfg.sigma_ssm, rain_day=parse_rain_day(cfg.rain_day),
        modis_day=cfg.modis_day, composite_since=since, by_chance=frozenset(by_chance),
        together=together,
    )  # fmt: skip
    return replace(plan, missing_tiles=_missing_tiles(domain, plan.certain()))


def _local_days(domain: Domain, day: dt.date) -> list[tuple[dt.date, tuple[float, float]]]:
    """``day`` by the local calendar, and between which longitudes; of two parts where the dateline lies between."""
    west, _, east, _ = domain.bounds_lonlat()
    if not domain.crosses_dateline:
        return [(day, (west, east))]
    return [(day, (west, 180.0)), (day - ONE_DAY, (-180.0, east - 360))]


def _days_beside(name: str, day: dt.date, lons: tuple[float, float]) -> list[dt.date]:
    """The days beside ``day`` whose files of soil moisture may hold observations of its night, 18:00 to 06:00: C3S and
    ESA CCI file what is within 12 hours of 00:00 UTC, and tell the time of each value."""
    if known_product(name).family != "latlon_ssm":
        return []
    first, last = (math.floor((hour - lon / 15 + 12) / 24) for hour, lon in zip(RADIOMETERS, lons[::-1], strict=True))
    return [day + n * ONE_DAY for n in range(first, last + 1) if n]


def _view_days(
    cfg: PrepareConfig, granule: Granule, k: str, places: Sequence[tuple[dt.date, tuple[float, float]]], lat: float
) -> tuple[set[dt.date], set[dt.date]]:
    """The days under which files like ``granule`` hold views that the ``places`` on their local days take for the
    overpass ``k``: those that are certain by the hour of the platform, and those that are possible where views are
    early or late."""
    p = known_product(granule.product)
    of_eos = p.family == "hdfeos"
    usual = platform(p.platform) if of_eos else platform_of_sensor(granule.path.name) or platform("")
    utc = not of_eos or cfg.modis_day == "utc"
    certain, possible = set[dt.date](), set[dt.date]()
    for day, lons in places:
        hour = usual.hour(k, day)
        certain |= set(filed_days(day, k, hour, 0.0, lons, utc=utc))
        possible |= set(filed_days(day, k, hour, usual.spread(lat), lons, utc=utc))
        if not of_eos:  # of UTC days where they tell the time of each pixel, else of local ones
            certain |= set(filed_days(day, k, hour, 0.0, lons, utc=False))
    return certain, certain | possible


def _rain_intervals(
    catalogued: Catalog, products: CubeProducts, day: dt.date, rain_days: int, lon: float
) -> tuple[RainInterval, ...]:
    """The ``rain_days`` days of rain that end at the night overpass of ``day`` at longitude ``lon``."""
    overpass = overpass_utc(day, lon)
    intervals = []
    for n in range(rain_days if products.rain else 0):
        end = overpass - np.timedelta64(n, "D")
        # East of Greenwich the rain before 01:30 fell on the UTC day before, and began on the one before that.
        utc_days = [day - dt.timedelta(days=n + back) for back in (2, 1, 0)]
        near = {g.path: g for name in products.rain for d in utc_days for g in catalogued.get(name, {}).get(d, ())}
        intervals.append(RainInterval(end - np.timedelta64(1, "D"), end, tuple(near.values())))
    return tuple(intervals)


def _missing_tiles(domain: Domain, granules: Mapping[str, Sequence[Granule]]) -> tuple[str, ...]:
    """The MODIS tiles that see the domain and have no granule, of the products that have any that day; not of those of
    which there is a crop."""
    have: dict[tuple[str, str], set[str]] = {}
    for kind, of_kind in granules.items():
        for granule in of_kind:
            if known_product(granule.product).family == "hdfeos" and granule.tile:
                have.setdefault((kind, granule.product), set()).add(granule.tile)
    have = {key: tiles for key, tiles in have.items() if not any(tile.startswith("crop") for tile in tiles)}
    return tuple(f"{name} {tile} ({kind})" for (kind, name), tiles in sorted(have.items())
                 for tile in sorted(tile_names(domain) - tiles))  # fmt: skip
