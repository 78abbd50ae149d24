"""Plan of a day's granules: which files make it, before any is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.config import PrepareConfig
from ssm_net.core.clock import HOURS, overpass_utc, utc_day
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import Catalog, Granule
from ssm_net.ingest.modis_tiles import tiles_of
from ssm_net.prepare.products import CubeProducts, known_product


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
    granules: Mapping[str, tuple[Granule, ...]]  # by what is made of them: ssm, lst_day, other_lst_day, reflectance ..
    rain: tuple[RainInterval, ...]  # from one night overpass to the next, the latest first
    sigma_ssm: float
    missing_tiles: tuple[str, ...] = ()


def plan_day(
    cfg: PrepareConfig, domain: Domain, found: Catalog, sources: CubeProducts, day: dt.date, rain_days: int = 1
) -> DayPlan:
    """Which granules make ``day``; it counts the rain of ``rain_days`` days, from one night overpass to the next."""
    west, _, east, _ = domain.bounds_lonlat()
    lon = (west + east) / 2
    granules: dict[str, tuple[Granule, ...]] = {}
    for name in sources.ssm:
        if "ssm" not in granules and day in found.get(name, {}):
            granules["ssm"] = found[name][day]
    for name, prefix in [*((n, "lst") for n in sources.lst), *((n, "other_lst") for n in sources.other_lst)]:
        p = known_product(name)
        for k, hour in HOURS.items():
            if p.layer(f"lst_{k}"):
                utc = p.family == "hdfeos" and cfg.modis_day == "utc"
                filed = utc_day(day, hour, lon) if utc else day
                if filed in found.get(name, {}):
                    granules[f"{prefix}_{k}"] = granules.get(f"{prefix}_{k}", ()) + found[name][filed]
    for k, hour in HOURS.items():
        utc_date = utc_day(day, hour, lon)
        air = tuple(g for name in sources.reanalysis for g in found.get(name, {}).get(utc_date, ()))
        if air:
            granules[f"air_{k}"] = air
    for name in sources.reflectance:
        if day in found.get(name, {}):
            granules["reflectance"] = found[name][day]
    overpass = overpass_utc(day, lon)
    rain = []
    for n in range(rain_days if sources.rain else 0):
        end = overpass - np.timedelta64(n, "D")
        # East of Greenwich the rain before 01:30 fell on the UTC day before, and began on the one before that.
        utc_days = [day - dt.timedelta(days=n + back) for back in (2, 1, 0)]
        near = {g.path: g for name in sources.rain for d in utc_days for g in found.get(name, {}).get(d, ())}
        rain.append(RainInterval(end - np.timedelta64(1, "D"), end, tuple(near.values())))
    return DayPlan(day, domain, granules, tuple(rain), cfg.sigma_ssm, _missing_tiles(domain, granules))


def _missing_tiles(domain: Domain, granules: Mapping[str, Sequence[Granule]]) -> tuple[str, ...]:
    """The MODIS tiles that see the domain and have no granule, of the products that have any that day."""
    have: dict[tuple[str, str], set[str]] = {}
    for kind, found in granules.items():
        for granule in found:
            if known_product(granule.product).family == "hdfeos" and granule.tile:
                have.setdefault((kind, granule.product), set()).add(granule.tile)
    return tuple(f"{name} {tile} ({kind})" for (kind, name), tiles in sorted(have.items())
                 for tile in sorted(tiles_of(domain) - tiles))  # fmt: skip
