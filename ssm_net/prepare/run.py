"""``prepare(cfg)``: native granules onto the grid and into the cube, day by day, forward in time.

Reading and warping a day's granules depends on that day alone and may run in several processes; filling, memory, age
and rain index lean on the day before, as the cube stores it, and run in order. A bad granule costs its own pixels,
never the day; a day that is stored is never touched again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from ssm_net.config import PrepareConfig, days_between
from ssm_net.core.boundary import domain_of
from ssm_net.core.clock import OVERPASSES
from ssm_net.core.days import runs
from ssm_net.cube.layout import create_cube
from ssm_net.cube.store import Cube, open_cube
from ssm_net.errors import ConfigError
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import list_granules
from ssm_net.prepare.late_granules import late_granules
from ssm_net.prepare.products import Sources, choose_sources, settled_sources
from ssm_net.prepare.read_day import Task, read_ahead, task
from ssm_net.prepare.reference_sensor import settle_sensors
from ssm_net.prepare.static_maps import static_fields, write_static
from ssm_net.prepare.store_day import store

log = logging.getLogger(__name__)
console = Console()

RAIN_BEFORE = 60  # days of rain before a record that its first day counts, where there are files


def prepare(cfg: PrepareConfig) -> Cube | None:
    """Make or extend the cube; returns it, or ``None`` with ``plan=true``. Days already stored are left alone."""
    domain, days = domain_of(cfg.domain), days_between(cfg.start, cfg.end)
    raw = Path(cfg.raw)
    late = _late(cfg)
    if cfg.revise and late:
        days = sorted({*days, *(d for d in open_cube(cfg.cube).days if d >= min(late))})
    back = _days_since_stored(Path(cfg.cube), days[0])
    # In the far east the rain of a day begins two UTC days before it, and its LST is filed a day off.
    found = list_granules(raw, (days[0] - dt.timedelta(days=back + 1), days[-1] + dt.timedelta(days=1)))
    sources = choose_sources(cfg, found, settled_sources(Path(cfg.cube)))
    static = static_fields(raw, domain, cfg.domain.boundary)
    tasks = {d: task(cfg, domain, found, sources, d, back if d == days[0] else 1) for d in days}
    if cfg.plan:
        _print_plan(cfg, domain, sources, static, tasks)
        _say_late(cfg, late)
        return None
    fine = sources.fine()
    coarse = ["ssm", "ssm_sigma", "source"] if sources.ssm else []
    told = ["background", "background_sigma", "seen", "cloud", "cloud_sigma"]
    told += ["platform_offset"] * bool(sources.other_lst) + ["minus_air", "air"] * bool(sources.reanalysis)
    coarse += [f"lst_{k}_{w}" for k in OVERPASSES if f"lst_{k}" in fine for w in told]
    coarse += [v for v in fine if not v.endswith(("_lineage", "_sigma", "_quality"))]
    attrs = {
        "ssm": " ".join(sources.ssm), "lst": " ".join(sources.lst), "reflectance": " ".join(sources.reflectance),
        "rain": " ".join(sources.rain), "footprint": cfg.footprint, "fwhm_km": cfg.fwhm_km, "sigma_ssm": cfg.sigma_ssm,
        "modis_day": cfg.modis_day, "memory_days": cfg.memory.days,
        "memory_background": cfg.memory.background,
        "boundary": Path(cfg.domain.boundary).name if cfg.domain.boundary else "",
        "reanalysis": " ".join(sources.reanalysis), "other_lst": " ".join(sources.other_lst),
    }  # fmt: skip
    cube = create_cube(cfg.cube, domain, days, fine, coarse, sorted(static), attrs)
    _say_late(cfg, late)
    with cube.writing():
        write_static(cube, static)
        if cfg.revise and late:
            cube.withdraw(min(late))
        todo = [d for d in cube.days if d in tasks and not cube.done(d)]
        if not todo:
            console.print(f"[green]{cube.path} holds all {len(days)} days already[/]")
            return cube
        if holes := [d for d in cube.days if d < todo[-1] and d not in tasks and not cube.done(d)]:
            raise ConfigError(
                f"{cube.path} lacks {runs(holes)}, which later days rest on: give start={holes[0]}, so that they are "
                "made first"
            )
        land = cube.land()
        elevation = torch.from_numpy(static.get("elevation", np.zeros(domain.fine_shape, "float32"))).nan_to_num()
        sensors = settle_sensors(cfg, cube, sources, {d: tasks[d] for d in todo})
        problems, missing = 0, defaultdict(list)
        with _leaving_processors(cfg), Progress(console=console) as bar:
            shown = bar.add_task("prepare: days", total=len(days), completed=len(days) - len(todo))
            for seen in read_ahead([tasks[d] for d in todo], cfg.workers, cfg.engine):
                for problem in seen.problems:
                    log.warning("%s: %s", seen.day, problem)
                problems += len(seen.problems)
                for kind in store(cube, seen, elevation, land, sensors):
                    missing[kind].append(seen.day)
                bar.advance(shown)
    # Of composites there is no file on most days: the last one stands, and its age is said.
    if said := "; ".join(f"{kind} on {runs(at)}" for kind, at in missing.items() if kind != "reflectance"):
        log.warning(
            "no usable granule: %s. These days are filled from the days before and around them. To make one again with "
            "new files, delete its %s/status/yyyymmdd.json and give the same command", said, cube.path,
        )  # fmt: skip
    console.print(
        f"[green]{len(todo)} days[/] in {cube.path}"
        + (f"; [yellow]{problems} problems with granules[/], each logged above" if problems else "")
    )
    return cube


@contextlib.contextmanager
def _leaving_processors(cfg: PrepareConfig) -> Iterator[None]:
    """Fewer threads for filling while processes beside this one read: with as many as there are processors for each,
    two readers were slower than one."""
    threads = torch.get_num_threads()
    if cfg.workers > 1 and cfg.engine.name == "local":
        torch.set_num_threads(max(1, threads + 1 - cfg.workers))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _late(cfg: PrepareConfig) -> dict[dt.date, list[str]]:
    sources = settled_sources(Path(cfg.cube))
    return {} if sources is None else late_granules(cfg, open_cube(cfg.cube), sources)


def _say_late(cfg: PrepareConfig, late: Mapping[dt.date, Sequence[str]]) -> None:
    if not late:
        return
    files = sorted({name for names in late.values() for name in names})
    some = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
    if cfg.revise:
        log.warning("late granules of %s: %s; %s and all days after it are made again, as a new revision",
                    runs(list(late)), some, min(late))  # fmt: skip
    else:
        log.warning("late granules of %s are not used: %s; these days stay as they are. revise=true makes them and all "
                    "days after them again, as a new revision", runs(list(late)), some)  # fmt: skip


def _days_since_stored(cube: Path, first: dt.date) -> int:
    """Days whose rain the first new day has to count: since the last stored day, or what a new record begins with."""
    last = open_cube(cube).last_done(first) if (cube / "cube.json").exists() else None
    return RAIN_BEFORE if last is None else min((first - last).days, RAIN_BEFORE)


def _print_plan(
    cfg: PrepareConfig,
    domain: Domain,
    sources: Sources,
    static: Mapping[str, np.ndarray],
    tasks: Mapping[dt.date, Task],
) -> None:
    rows, cols = domain.coarse_shape
    console.print(
        f"would prepare {len(tasks)} days ({cfg.start} .. {cfg.end}) of domain {domain.name}: window "
        f"{list(domain.window)}, {rows} x {cols} coarse cells, {domain.fine_shape[0]} x {domain.fine_shape[1]} pixels, "
        f"into {cfg.cube}"
    )
    made = {"lst": "lst", "other_lst": "other_lst", "reanalysis": "air"}  # of which there is a day and a night
    for role in ("ssm", "lst", "other_lst", "reflectance", "rain", "reanalysis"):
        names = getattr(sources, role)
        keys = tuple(f"{made[role]}_{k}" for k in OVERPASSES) if role in made else (role,)
        without = [
            d
            for d, t in tasks.items()
            if not (any(k in t.granules for k in keys) if role != "rain" else any(i.granules for i in t.rain[:1]))
        ]
        said = f"; none on {runs(without)}" if names and without and role != "reflectance" else ""
        with_files = f"files on {len(tasks) - len(without)} of {len(tasks)} days"
        console.print(f"  {role.replace('_', ' ')}: {', '.join(names) or 'none'}, {with_files}{said}")
    absent = defaultdict(list)
    for day, work in tasks.items():
        for tile in work.missing_tiles:
            absent[tile].append(day)
    for tile, at in sorted(absent.items()):
        console.print(f"  [yellow]tile missing[/]: {tile} on {runs(at)}")
    console.print(f"  static: {', '.join(sorted(static)) or 'none'}")
