"""Plan of a day: which granules make it, before any is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ssm_net.config import PrepareConfig
from ssm_net.config.rain_day import RainDay, parse_rain_day
from ssm_net.core.clock import HOURS, OVERPASSES, filed_days, overpass_utc, utc_day
from ssm_net.core.days import ONE_DAY
from ssm_net.core.platforms import platform, platform_of_sensor, spread
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Catalog, Granule
from ssm_net.ingest.modis_tiles import tile_names
from ssm_net.prepare.products import CubeProducts, known_product

COMPOSITE_BACK = 40  # days back from which a composite is used that comes late, as all do in near real time
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
                if first < start + period * ONE_DAY:
                    out[granule.path.name] = first
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
    by_chance: frozenset[tuple[str, str]] = frozenset()  # keys of ``granules`` and files with few views of it, if any
    together: bool = False  # the coarse observation is the consensus of all sensors of the day

    def kinds(self) -> set[str]:
        """What there is a granule for: the keys of ``granules``, and ``rain`` where there is one of the day's own."""
        return {*self.certain(), *("rain" for interval in self.rain[:1] if interval.granules)}

    def certain(self) -> dict[str, tuple[Granule, ...]]:
        """The ``granules`` without those that hold views of the day by chance only: from early or late in a swath."""
        kept = {kind: tuple(g for g in of_kind if (kind, g.path.name) not in self.by_chance)
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
    for name in products.ssm:
        if day in catalogued.get(name, {}) and (together or "ssm" not in granules):
            granules["ssm"] = (*granules.get("ssm", ()), *catalogued[name][day])
    by_chance: set[tuple[str, str]] = set()
    area = (west, east), max(abs(south), abs(north))
    for name, prefix in [*((n, "lst") for n in products.lst), *((n, "other_lst") for n in products.other_lst)]:
        for k in (k for k in OVERPASSES if known_product(name).layer(f"lst_{k}")):
            kind = f"{prefix}_{k}"
            for granule in (g for n in (-1, 0, 1) for g in catalogued.get(name, {}).get(day + dt.timedelta(n), ())):
                certain, possible = _view_days(cfg, granule, day, k, *area)
                if granule.day in possible:
                    granules[kind] = (*granules.get(kind, ()), granule)
                    if granule.day not in certain:
                        by_chance.add((kind, granule.path.name))
    for k, hour in HOURS.items():
        utc_date = utc_day(day, hour, lon)
        air = tuple(g for name in products.reanalysis for g in catalogued.get(name, {}).get(utc_date, ()))
        if air:
            granules[f"air_{k}"] = air
    since: dict[str, dt.date] = {}
    for name in products.reflectance:
        if known_product(name).period:
            since = used.since(catalogued.get(name, {}), day, known_product(name).period)
            near = [g for n in range(COMPOSITE_BACK) for g in catalogued.get(name, {}).get(day - n * ONE_DAY, ())]
            if some := tuple(g for g in near if g.path.name in since):
                granules["reflectance"] = some
        elif day in catalogued.get(name, {}):
            granules["reflectance"] = catalogued[name][day]
    rain = _rain_intervals(catalogued, products, day, rain_days, lon)
    plan = DayPlan(
        day, domain, granules, rain, cfg.sigma_ssm, rain_day=parse_rain_day(cfg.rain_day),
        modis_day=cfg.modis_day, composite_since=since, by_chance=frozenset(by_chance),
        together=together,
    )  # fmt: skip
    return replace(plan, missing_tiles=_missing_tiles(domain, plan.certain()))


def _view_days(
    cfg: PrepareConfig, granule: Granule, day: dt.date, k: str, lons: tuple[float, float], lat: float
) -> tuple[set[dt.date], set[dt.date]]:
    """The days under which files like ``granule`` hold views that ``day`` takes for its overpass ``k``: those that are
    certain by the hour of the platform, and those that are possible where views are early or late."""
    p = known_product(granule.product)
    of_eos = p.family == "hdfeos"
    usual = platform(p.platform) if of_eos else platform_of_sensor(granule.path.name) or platform("")
    hour, utc = usual.hour(k, day), not of_eos or cfg.modis_day == "utc"
    certain, possible = (set(filed_days(day, k, hour, s, lons, utc=utc)) for s in (0.0, spread(lat)))
    if not of_eos:  # of UTC days where they tell the time of each pixel, else of local ones
        local = set(filed_days(day, k, hour, 0.0, lons, utc=False))
        certain, possible = certain | local, possible | local
    return certain, possible


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
    """The MODIS tiles that see the domain and have no granule, of the products that have any that day."""
    have: dict[tuple[str, str], set[str]] = {}
    for kind, of_kind in granules.items():
        for granule in of_kind:
            if known_product(granule.product).family == "hdfeos" and granule.tile:
                have.setdefault((kind, granule.product), set()).add(granule.tile)
    return tuple(f"{name} {tile} ({kind})" for (kind, name), tiles in sorted(have.items())
                 for tile in sorted(tile_names(domain) - tiles))  # fmt: skip
