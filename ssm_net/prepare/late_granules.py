"""Late-arriving granules: those that came after their day was stored.

They are named, and used only on request (``remake`` says how), because later days rest on a stored day and maps of it
are published. Files are known by the names in the days' status, so that only files that no day has used are opened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ssm_net.config import PrepareConfig
from ssm_net.config.rain_day import RainDay
from ssm_net.core.days import stretches
from ssm_net.cube.store import Cube
from ssm_net.ingest.catalog import Catalog, Granule, RawFiles
from ssm_net.ingest.files_below import FoundFile
from ssm_net.ingest.products import product
from ssm_net.ingest.rain import rain_intervals
from ssm_net.ingest.raster import GranuleError
from ssm_net.prepare.day_plan import RainInterval, plan_day
from ssm_net.prepare.products import CubeProducts

_ONE_DAY = dt.timedelta(days=1)


def late_granules(
    cfg: PrepareConfig,
    cube: Cube,
    products: CubeProducts,
    statuses: Mapping[dt.date, Mapping[str, Any]],
    files: RawFiles,
) -> dict[dt.date, list[str]]:
    """The stored days that have granules among ``files`` which they were made without, with the names of the files.

    ``statuses`` are those of the stored days, in order.
    """
    if not statuses:
        return {}
    used: dict[str, int | None] = {}  # with the size of those that could not be read: a new copy is a new file
    for status in statuses.values():
        used |= dict.fromkeys(status.get("files", []))
        used |= {name: size for name, size in status.get("left_out", {}).items() if name not in used}
    new = {name: [f for f in of_product if f.path.name not in used or used[f.path.name] not in (None, f.size)]
           for name, of_product in files.files.items() if name in products.names()}  # fmt: skip
    period = min(statuses) - _ONE_DAY, max(statuses) + _ONE_DAY
    unused = _counted(files, new, period)
    # A composite gives pixels to all days of its period.
    reach = {name: max(3, entry.period if (entry := product(name)) else 0) for name in unused}
    near = {day + n * _ONE_DAY for name, by_day in unused.items() for day in by_day for n in range(-1, reach[name])}
    late: dict[dt.date, list[str]] = {}
    for day in sorted(near & set(statuses)):
        plan = plan_day(cfg, cube.domain, unused, products, day)
        names = {g.path.name for granules in plan.certain().values() for g in granules}
        names |= {g.path.name for interval in plan.rain for g in _overlapping(interval, plan.rain_day)}
        if names:
            late[day] = sorted(names)
    return late


def _counted(files: RawFiles, new: Mapping[str, Sequence[FoundFile]], period: tuple[dt.date, dt.date]) -> Catalog:
    """The catalog of the ``new`` files alone, without those that a newer file of the same tile and day replaces."""
    of_new, _ = replace(files, files=new).catalog(period)
    paths = {file.path for of_product in new.values() for file in of_product}
    out: Catalog = {}
    for first, last in stretches(sorted({day for by_day in of_new.values() for day in by_day})):
        for name, by_day in files.catalog((first, last), of_new)[0].items():
            for day, counted in by_day.items():
                if granules_of_day := tuple(g for g in counted if g.path in paths):
                    out.setdefault(name, {})[day] = granules_of_day
    return out


def _overlapping(interval: RainInterval, rain_day: RainDay | None) -> list[Granule]:
    """The granules whose sums share time with a day of rain."""
    try:
        covered = rain_intervals([g.path for g in interval.granules], rain_day)
    except GranuleError:  # reported where the day is made with it
        return list(interval.granules)
    return [g for g in interval.granules
            if any(start < interval.end and end > interval.start for start, end in covered[g.path])]  # fmt: skip
