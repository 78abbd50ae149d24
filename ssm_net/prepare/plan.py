"""Plan of a ``prepare``: a value that is made before anything is written, and printed as the dry run."""

from __future__ import annotations

import datetime as dt
import itertools
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.markup import escape

from ssm_net.config import PrepareConfig, days_between
from ssm_net.core.boundary import domain_of
from ssm_net.core.days import ONE_DAY, runs
from ssm_net.core.reading_mark import OF_LISTING, OF_STATIC
from ssm_net.cube.json_files import DamagedError
from ssm_net.cube.layout import CubeLayout
from ssm_net.cube.record import CONSENSUS, INTERCALIBRATION, KEYS
from ssm_net.cube.store import Cube, open_cube
from ssm_net.errors import ConfigError
from ssm_net.grid import Domain
from ssm_net.ingest.account import Account
from ssm_net.ingest.catalog import RawFiles, find_files
from ssm_net.ingest.static import sources_of
from ssm_net.ingest.static_files import find_static
from ssm_net.prepare.account import account_lines, found_by
from ssm_net.prepare.day_plan import COMPOSITE_BACK, Composites, DayPlan, plan_day
from ssm_net.prepare.known_files import known_files
from ssm_net.prepare.products import CubeProducts, choose_products, known_product, present_products, stored_products
from ssm_net.prepare.remake import Remake, find_remake, read_again_since, require_granules
from ssm_net.prepare.static_maps import kept_maps, sources_by_map, static_fields

log = logging.getLogger(__name__)

RAIN_BEFORE = 60  # days of rain before a record that its first day counts, where there are files


@dataclass(frozen=True)
class PreparePlan:
    """What ``prepare`` would do: ``day_plans`` of all days asked for, of which those in ``todo`` are made."""

    cfg: PrepareConfig
    domain: Domain
    products: CubeProducts
    static: Mapping[str, np.ndarray]  # by name, (y, x)
    day_plans: Mapping[dt.date, DayPlan]
    todo: Sequence[dt.date]
    remake: Remake
    files: RawFiles  # of raw/, that may be looked at
    archive: RawFiles  # all of raw/
    account: Account  # of what was found in raw/, before any granule is read
    static_sources: Mapping[str, str]  # the product of each static map in raw/

    def layout(self) -> CubeLayout:
        """What the cube has to hold."""
        cfg, products = self.cfg, self.products
        attrs = {
            "ssm": " ".join(products.ssm), "lst": " ".join(products.lst),
            "reflectance": " ".join(products.reflectance), "rain": " ".join(products.rain),
            "footprint": cfg.footprint, "fwhm_km": cfg.fwhm_km, "sigma_ssm": cfg.sigma_ssm,
            "rain_day": "" if cfg.rain_day == "auto" else cfg.rain_day,
            "modis_day": cfg.modis_day, "memory_days": cfg.memory.days,
            "memory_background": cfg.memory.background,
            "boundary": Path(cfg.domain.boundary).name if cfg.domain.boundary else "",
            "reanalysis": " ".join(products.reanalysis), "other_lst": " ".join(products.other_lst),
        }  # fmt: skip
        if products.other_reflectance:
            attrs["other_reflectance"] = " ".join(products.other_reflectance)
        return CubeLayout(self.domain, products.fine(), products.coarse(), sorted(self.static), attrs)

    def lines(self) -> Iterator[str]:
        """The plan as text for a rich console."""
        cfg, (rows, cols), (ny, nx) = self.cfg, self.domain.coarse_shape, self.domain.fine_shape
        stored = len(self.day_plans) - len(self.todo)
        yield (
            f"would prepare {len(self.todo)} days ({cfg.start} .. {cfg.end}) of domain {self.domain.name}: window "
            f"{list(self.domain.window)}, {rows} x {cols} coarse cells, {ny} x {nx} pixels, into {escape(cfg.cube)}"
            + (f"; {stored} days are stored already" if stored else "")
        )
        for role in ("ssm", "lst", "other_lst", "reflectance", "rain", "reanalysis"):
            names = getattr(self.products, role)
            without = [day for day, plan in self.day_plans.items() if not plan.has_granules(role)]
            # Of composites there is no file on most days: the last one stands.
            gaps = f"; none on {runs(without)}" if names and without and role != "reflectance" else ""
            number = f"files on {len(self.day_plans) - len(without)} of {len(self.day_plans)} days"
            yield f"  {role.replace('_', ' ')}: {', '.join(names) or 'none'}, {number}{gaps}"
        absent = defaultdict(list)
        for day, plan in self.day_plans.items():
            for tile in plan.missing_tiles:
                absent[tile].append(day)
        for tile, days in sorted(absent.items()):
            yield f"  [yellow]tile missing[/]: {tile} on {runs(days)}"
        yield f"  static: {', '.join(sorted(self.static)) or 'none'}"
        yield from account_lines(self.account)


def make_plan(cfg: PrepareConfig, archive: RawFiles | None = None, marks: Path | None = None) -> PreparePlan:
    """Read what is in raw/ and in the cube, and plan; nothing is written but marks in the folder ``marks``, which name
    the file that is being read. ``archive`` are the files of raw/ where they have been listed before.

    Raises ``ConfigError`` where no granule is there, or days are asked for that rest on days not made; ``CubeError``
    and ``PrepareError`` as ``remake`` says.
    """
    domain, days = domain_of(cfg.domain), days_between(cfg.start, cfg.end)
    raw, products = Path(cfg.raw), stored_products(Path(cfg.cube))
    cube = None if products is None else open_cube(cfg.cube)
    if archive is None:
        archive = find_files(raw, known_files(cube), marks and marks / OF_LISTING)
    since = dt.date.min if cube is None else read_again_since(cube)
    files = archive if since == dt.date.min else archive.near((since, dt.date.max - 366 * ONE_DAY))
    remake = Remake() if cube is None or products is None else find_remake(cfg, cube, products, files)
    first = remake.first() if cfg.revise else None
    if cube is not None and first is not None:
        days = sorted({*days, *(day for day in cube.days if day >= first)})
    rain_days = _rain_days(days, () if cube is None else cube.days)
    # In the far east the rain of a day begins two UTC days before it, and its LST is filed a day off.
    earliest = min(day - dt.timedelta(days=rain_days[day] + 1) for day in days)
    granules, account = files.catalog((earliest, days[-1] + dt.timedelta(days=1)))
    maps = find_static(raw)
    account = account.with_remarks((*maps.remarks, *sources_of(maps)))
    for warning in account.warnings():  # before a product is missed for which its files were left out
        log.warning("%s", warning)
    products = choose_products(cfg, granules, products, present_products(archive))
    if composites := [name for name in products.reflectance if known_product(name).period]:
        early = days[0] - dt.timedelta(days=COMPOSITE_BACK)
        granules |= files.catalog((early, days[-1]), only=composites)[0]
    together = _together(cfg, cube)
    plans: dict[dt.date, DayPlan] = {}
    used = Composites() if cube is None or not composites else _used_composites(cube, days[0])
    for day in days:
        plans[day] = plan_day(cfg, domain, granules, products, day, rain_days[day], used, together)
        stays = cube is not None and composites and cube.done(day) and (first is None or day < first)
        used = used.after(day, _files_of(cube, day) if cube is not None and stays else plans[day].composite_since)
    if cube is not None and first is not None:
        require_granules(cube, first, plans)
    todo = [day for day in days if cube is None or not cube.done(day) or (first is not None and day >= first)]
    if cube is not None and todo:
        _require_days_before(cube, todo, plans)
    kept = None if remake.damaged_static else kept_maps(cube, maps, cfg.domain.boundary)
    static = static_fields(raw, domain, cfg.domain.boundary, marks and marks / OF_STATIC) if kept is None else kept
    account = found_by(account, products, plans)
    sources = sources_by_map(maps)
    return PreparePlan(cfg, domain, products, static, plans, todo, remake, files, archive, account, sources)


def _together(cfg: PrepareConfig, cube: Cube | None) -> bool:
    """Whether days are made of the consensus of all sensors: as a cube with days was begun."""
    stored = None if cube is None else cube.metadata(INTERCALIBRATION, *KEYS)
    if stored is None or not stored["reference"]:
        return cfg.consensus and (cube is None or not cube.done_days())
    begun = CONSENSUS in stored
    if cfg.consensus and not begun:
        log.warning("consensus=true: %s was begun with one sensor a day, and goes on so; make a new cube",
                    cfg.cube)  # fmt: skip
    return begun


def _used_composites(cube: Cube, day: dt.date) -> Composites:
    """The files of the days of ``cube`` before ``day``, as far back as composites reach."""
    used = Composites()
    for before in cube.done_days():
        if 0 < (day - before).days <= 2 * COMPOSITE_BACK:
            used = used.after(before, _files_of(cube, before))
    return used


def _files_of(cube: Cube, day: dt.date) -> Sequence[str]:
    """The names of the files that a stored day was made of; none where its status is damaged, which is reported where
    the day is."""
    try:
        return (cube.status(day) or {}).get("files", ())
    except DamagedError:
        return ()


def _rain_days(days: Sequence[dt.date], stored: Sequence[dt.date]) -> dict[dt.date, int]:
    """Days whose rain each day counts: those since the day before it in the record, or ``RAIN_BEFORE`` of the first."""
    record = sorted({*days, *stored})
    since = {day: min((day - before).days, RAIN_BEFORE) for before, day in itertools.pairwise(record)}
    return {day: since.get(day, RAIN_BEFORE) for day in days}


def _require_days_before(cube: Cube, todo: Sequence[dt.date], plans: Mapping[dt.date, DayPlan]) -> None:
    done = set(cube.done_days())
    missing = [day for day in cube.days if day < todo[-1] and day not in plans and day not in done]
    if missing:
        raise ConfigError(
            f"{cube.path} lacks {runs(missing)}, which later days rest on: give start={missing[0]}, so that they are "
            "made first"
        )
