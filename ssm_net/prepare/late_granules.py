"""Granules that arrived after their day was stored: they are found and said, and used only on request.

A day that is stored stays as it is, because days after it rest on it and maps of it are published. ``revise=true``
makes it and all days after it again, with a higher revision. Files are known by the names that the days' status keeps,
so that only files that no day has used are opened.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ssm_net.config import PrepareConfig
from ssm_net.core.days import stretches
from ssm_net.cube.store import Cube
from ssm_net.ingest.catalog import Catalog, Granule, granules_of, list_granules
from ssm_net.ingest.naming import day_in_name
from ssm_net.ingest.products import product
from ssm_net.prepare.products import Sources
from ssm_net.prepare.read_day import Interval, task

ONE_DAY = dt.timedelta(days=1)


def late_granules(cfg: PrepareConfig, cube: Cube, sources: Sources) -> dict[dt.date, list[str]]:
    """The stored days that granules of ``cfg.raw`` belong to which these days have not used, with their names."""
    stored = cube.done_days()
    if not stored:
        return {}
    used: dict[str, int | None] = {}  # with the size of those that could not be read: a new copy is a new file
    for day in stored:
        status = cube.status(day) or {}
        used |= dict.fromkeys(status.get("files", []))
        used |= {name: size for name, size in status.get("left_out", {}).items() if name not in used}
    found = _catalog_of(_unused(Path(cfg.raw), sources, used, (stored[0] - ONE_DAY, stored[-1] + ONE_DAY)), cfg)
    near = {g_day + n * ONE_DAY for by_day in found.values() for g_day in by_day for n in range(-1, 3)}
    out: dict[dt.date, list[str]] = {}
    for day in sorted(near & set(stored)):
        work = task(cfg, cube.domain, found, sources, day)
        names = {g.path.name for granules in work.granules.values() for g in granules}
        names |= {g.path.name for interval in work.rain for g in interval.granules if _overlaps(g, interval)}
        if names:
            out[day] = sorted(names)
    return out


def _unused(
    raw: Path, sources: Sources, used: dict[str, int | None], period: tuple[dt.date, dt.date]
) -> Iterator[Granule]:
    """Granules of the cube's products in files that no stored day names, as far as the names tell their days."""
    wanted = {*sources.ssm, *sources.lst, *sources.reflectance, *sources.rain}
    for folder in sorted(p for p in raw.iterdir() if p.is_dir()):
        entry = product(folder.name)
        if entry is None or entry.name not in wanted:
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in entry.suffixes or path.name.startswith("."):
                continue
            if path.name in used and used[path.name] in (None, path.stat().st_size):
                continue
            named = day_in_name(path.name)
            # The names of CCI's LST tell when a file was processed, and a rain file may hold a month.
            if entry.family in ("latlon_lst", "rain") or named is None or period[0] <= named <= period[1]:
                yield from granules_of(entry, path)


def _catalog_of(granules: Iterable[Granule], cfg: PrepareConfig) -> Catalog:
    """The catalog of these granules alone, without those that a newer file of the same tile and day replaces."""
    new: dict[dt.date, list[Granule]] = defaultdict(list)
    for granule in granules:
        new[granule.day].append(granule)
    out: Catalog = {}
    for first, last in stretches(sorted(new)):  # the folders are listed once a stretch of days
        for name, by_day in list_granules(Path(cfg.raw), (first, last)).items():
            for day, counted in by_day.items():
                if here := tuple(g for g in counted if g in new[day]):
                    out.setdefault(name, {})[day] = here
    return out


def _overlaps(granule: Granule, interval: Interval) -> bool:
    """Whether the UTC day of a rain granule shares time with a day of rain, which began two days before it ended."""
    start = np.datetime64(granule.day, "s")
    return bool(start < interval.end and start + np.timedelta64(1, "D") > interval.start)
