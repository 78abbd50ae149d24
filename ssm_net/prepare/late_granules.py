"""Late-arriving granules: those that came after their day was stored.

They are named, and used only on request (``remake`` says how), because later days rest on a stored day and maps of it
are published. Files are known by the names in the days' status, so that only files that no day has used are opened.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.config import PrepareConfig
from ssm_net.core.days import stretches
from ssm_net.core.files import stamp
from ssm_net.cube.store import Cube
from ssm_net.ingest.catalog import Catalog, Granule, granules_of, list_granules
from ssm_net.ingest.naming import day_in_name
from ssm_net.ingest.products import product
from ssm_net.prepare.day_plan import RainInterval, plan_day
from ssm_net.prepare.products import CubeProducts

_ONE_DAY = dt.timedelta(days=1)


def late_granules(
    cfg: PrepareConfig, cube: Cube, products: CubeProducts, statuses: Mapping[dt.date, Mapping[str, Any]]
) -> dict[dt.date, list[str]]:
    """The stored days that have granules in ``cfg.raw`` which they were made without, with the names of the files.

    ``statuses`` are those of the stored days, in order.
    """
    if not statuses:
        return {}
    used: dict[str, int | None] = {}  # with the size of those that could not be read: a new copy is a new file
    for status in statuses.values():
        used |= dict.fromkeys(status.get("files", []))
        used |= {name: size for name, size in status.get("left_out", {}).items() if name not in used}
    period = min(statuses) - _ONE_DAY, max(statuses) + _ONE_DAY
    unused = _catalog_of(_unused(Path(cfg.raw), products, used, period), cfg)
    near = {day + n * _ONE_DAY for by_day in unused.values() for day in by_day for n in range(-1, 3)}
    late: dict[dt.date, list[str]] = {}
    for day in sorted(near & set(statuses)):
        plan = plan_day(cfg, cube.domain, unused, products, day)
        names = {g.path.name for granules in plan.granules.values() for g in granules}
        names |= {g.path.name for interval in plan.rain for g in interval.granules if _overlaps(g, interval)}
        if names:
            late[day] = sorted(names)
    return late


def _unused(
    raw: Path, products: CubeProducts, used: dict[str, int | None], period: tuple[dt.date, dt.date]
) -> Iterator[Granule]:
    """Granules of the cube's products in files that no stored day names, as far as the names tell their days."""
    wanted = products.names()
    for folder in sorted(p for p in raw.iterdir() if p.is_dir()):
        entry = product(folder.name)
        if entry is None or entry.name not in wanted:
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in entry.suffixes or path.name.startswith(".") or not path.is_file():
                continue
            if path.name in used and used[path.name] in (None, stamp(path)[1]):
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
                if granules_of_day := tuple(g for g in counted if g in new[day]):
                    out.setdefault(name, {})[day] = granules_of_day
    return out


def _overlaps(granule: Granule, interval: RainInterval) -> bool:
    """Whether the UTC day of a rain granule shares time with a day of rain, which began two days before it ended."""
    start = np.datetime64(granule.day, "s")
    return bool(start < interval.end and start + np.timedelta64(1, "D") > interval.start)
