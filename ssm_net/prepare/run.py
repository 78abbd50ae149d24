"""``prepare(cfg)``: native granules onto the grid and into the cube, day by day, forward in time.

Reading and warping a day's granules depends on that day alone and may run in several processes; gap filling, memory,
age and rain index need the day before, as the cube stores it, and run in order. A bad granule costs its own pixels,
never the day. A stored day is not touched again, unless it is made again as ``remake`` says.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from ssm_net.config import PrepareConfig
from ssm_net.core.days import runs
from ssm_net.core.reading_mark import OF_DAY
from ssm_net.cube.layout import create_cube
from ssm_net.cube.lock import CubeLock, write_lock
from ssm_net.cube.store import Cube, open_cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.ingest.account import Account
from ssm_net.ingest.catalog import RawFiles
from ssm_net.prepare import coverage
from ssm_net.prepare.account import DayAccount, account_lines, with_days
from ssm_net.prepare.intercalibration import Intercalibration
from ssm_net.prepare.known_files import keep_known_files
from ssm_net.prepare.lag_doctor import report_lags
from ssm_net.prepare.plan import PreparePlan, make_plan
from ssm_net.prepare.read_day import read_ahead
from ssm_net.prepare.reference_sensor import fit_reference_sensor
from ssm_net.prepare.static_maps import store_static_maps
from ssm_net.prepare.store_day import LandSurface, store_day

log = logging.getLogger(__name__)
console = Console()


def prepare(cfg: PrepareConfig, files: RawFiles | None = None) -> Cube | None:
    """Make or extend the cube; returns it, or ``None`` with ``plan=true``. Days already stored are left alone.
    ``files`` are those of raw/ where they have been listed before.

    The writer's lock is held from before the plan is made. Raises ``CubeError`` where another process holds it.
    """
    if cfg.plan:
        plan = make_plan(cfg, files)
        for line in plan.lines():
            console.print(line)
        plan.remake.report(cfg.revise)
        return None
    with write_lock(cfg.cube) as lock:
        return _carry_out(make_plan(cfg, files, lock.path), lock)


def _carry_out(plan: PreparePlan, lock: CubeLock) -> Cube:
    cfg = plan.cfg
    writer = create_cube(lock, plan.layout(), list(plan.day_plans))
    cube = writer.cube
    plan.remake.report(cfg.revise)
    store_static_maps(writer, plan.static, plan.static_sources, plan.remake.damaged_static)
    if cfg.revise and (first := plan.remake.first()) is not None:
        writer.withdraw(first)
    if not plan.todo:
        keep_known_files(writer, plan.files, plan.remake.used)
        console.print(f"[green]{escape(str(cube.path))} holds all {len(plan.day_plans)} days already[/]")
        return cube
    plans = {day: plan.day_plans[day] for day in plan.todo}
    sensors = fit_reference_sensor(cfg, writer, plan.products, plans, plan.archive)
    made, missing = _make_days(plan, writer, sensors)
    keep_known_files(writer, plan.files, plan.remake.used.union(name for day in made for name in day.files))
    _report_missing(missing)
    report_lags(open_cube(cube.path), console)
    problems = len({problem for day in made for problem in day.problems})
    console.print(
        f"[green]{len(plan.todo)} days[/] in {escape(str(cube.path))}"
        + (f"; [yellow]{problems} problems with granules[/], each logged above" if problems else "")
    )
    for line in account_lines(with_days(plan.account, plan.products, plan.day_plans, made)):
        console.print(line, soft_wrap=True)
    return cube


def _make_days(
    plan: PreparePlan, writer: CubeWriter, sensors: Intercalibration
) -> tuple[list[DayAccount], Mapping[str, Sequence[dt.date]]]:
    """Read and store the days of the plan; returns the account of each, and the days that were made without each kind
    of granule."""
    cfg, surface = plan.cfg, LandSurface.of(writer.cube)
    made: list[DayAccount] = []
    said: set[str] = set()
    missing = defaultdict(list)
    statuses: dict[dt.date, Mapping[str, Any]] = {}
    with _reporting(made), _leaving_processors(cfg), Progress(console=console) as bar:
        progress = bar.add_task(
            "prepare: days", total=len(plan.day_plans), completed=len(plan.day_plans) - len(plan.todo)
        )
        todo = [plan.day_plans[day] for day in plan.todo]
        for observed in read_ahead(todo, cfg.workers, cfg.engine, writer.cube.path / OF_DAY):
            for problem in dict.fromkeys(observed.problems):
                if problem not in said:  # a granule may serve the views of two days
                    log.warning("%s: %s", observed.day, problem)
            said.update(observed.problems)
            made.append(DayAccount.of(observed))
            for kind in store_day(writer, observed, surface, sensors):
                missing[kind].append(observed.day)
            statuses[observed.day] = writer.cube.status(observed.day) or {}
            bar.advance(progress)
    for line in coverage.lines(statuses, plan.static, surface.land.numpy()):
        log.warning("%s", line)
    return made, missing


@contextlib.contextmanager
def _reporting(made: Sequence[DayAccount]) -> Iterator[None]:
    """Warn once of each thing that the readers of the days ``made`` remarked, also where the run is broken off."""
    try:
        yield
    finally:
        for line in Account().with_remarks(r for day in made for r in day.remarks).warnings():
            log.warning("%s", line)


WITHOUT = {
    "ssm": "a day without soil moisture is filled by the model from the days before it and the cells around",
    "lst_day": "temperature is filled from the days before and the pixels around",
    "rain": "rain is missing there, and is not 0; the antecedent rain of the days after goes without it",
}


def _report_missing(missing: Mapping[str, Sequence[dt.date]]) -> None:
    # Of composites there is no file on most days: the last one stands, and its age is stored.
    kinds = {kind: days for kind, days in missing.items() if kind != "reflectance"}
    if kinds:
        consequences = dict.fromkeys(WITHOUT["lst_day" if kind.startswith("lst") else kind] for kind in kinds)
        log.warning(
            "no usable granule: %s. That is: %s. Once the granules are in raw/, revise=true makes these days and all "
            "days after them again, as a new revision",
            "; ".join(f"{kind} on {runs(days)}" for kind, days in kinds.items()),
            "; ".join(consequences),
        )


@contextlib.contextmanager
def _leaving_processors(cfg: PrepareConfig) -> Iterator[None]:
    """Fewer threads for gap filling while other processes read: with as many as there are processors for each, two
    readers were slower than one."""
    threads = torch.get_num_threads()
    if cfg.workers > 1 and cfg.engine.name == "local":
        torch.set_num_threads(max(1, threads + 1 - cfg.workers))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
