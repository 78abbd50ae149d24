"""Time to prepare a country: from granules to the cube, relative to reading alone, and to warping file by file.

    python bench/prepare.py FOLDER [--days 4] [--check]

FOLDER keeps granules of domain=china (24 million pixels, 34 MODIS tiles) in native formats, some 2 GB. Reading, in
turns, so that what else the machine does meets all alike, of a day with reflectance (one in eight) and of one without:

* plain: every layer of the files that a day is made of is read and decoded, by pyhdf whole tiles, by h5netcdf whole
  variables, once a file, and thrown away. That is what the formats themselves cost;
* ours: the same granules read, checked, decoded and regridded (``prepare.read_day``);
* a warp a file: the same with ``rasterio.warp`` in place of the tables.

Then ``prepare`` itself, from the granules to the cube, with one process and with one that reads beside it: the first
day, which counts the rain of sixty days before it, and each of the others, with the memory of all processes together;
and the bytes of the last day in the cube, by variable.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import multiprocessing
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import h5netcdf
import national_granules
import numpy as np
from memory import held_by_children
from national_cube import CHINA, in_words, megabytes
from provenance import ROOT, command_of, commit_of, machine
from pyhdf.SD import SD
from rich.console import Console
from rich.table import Table

from ssm_net.config import DomainConfig, PrepareConfig
from ssm_net.core.boundary import domain_of
from ssm_net.cube.json_files import write_json
from ssm_net.ingest import eos_metadata, rain, resample
from ssm_net.ingest.catalog import list_granules
from ssm_net.prepare.day_plan import DayPlan, plan_day
from ssm_net.prepare.plan import RAIN_BEFORE
from ssm_net.prepare.products import choose_products
from ssm_net.prepare.read_day import read_granules
from ssm_net.prepare.run import prepare

GOALS = {"ours / plain": 2.0, "ours / a warp a file": 1.0}
START = dt.date(2016, 5, 1)
ONE = dt.timedelta(1)
EIGHTH = 1 / national_granules.REFLECTANCE_EVERY  # of the days have reflectance
ROUNDS = 2


def plain(work: DayPlan) -> int:
    """Bytes that the layers of a day's files hold once decoded."""
    total = 0
    paths = {g.path for granules in work.granules.values() for g in granules}
    paths |= {g.path for interval in work.rain for g in interval.granules[:1]}  # its second is the next day's first
    for path in sorted(paths):
        if path.suffix == ".hdf":
            file = SD(str(path))
            for name in file.datasets():
                total += file.select(name).get().nbytes
            file.end()
        else:
            with h5netcdf.File(path, "r") as file:
                for variable in file.variables.values():
                    total += np.asarray(variable[...]).nbytes
    return total


def seconds(do: Any, *args: Any) -> float:
    begun = time.perf_counter()
    do(*args)
    return time.perf_counter() - begun


def warped(work: DayPlan) -> None:
    with mock.patch.object(resample, "row_table", lambda *_: None):
        read_granules(work)


def forget() -> None:
    """What is remembered of files that were read: in a record every day has files of its own."""
    for remembered in (eos_metadata._cached_grids, rain._header, rain._opened):
        remembered.cache_clear()


def reading(tasks: dict[str, DayPlan]) -> dict[str, float]:
    """Seconds a day by way, a day with reflectance counted for one in eight."""
    ways: dict[str, Callable[[DayPlan], Any]] = {"plain": plain, "ours": read_granules, "a warp a file": warped}
    spent: dict[tuple[str, str], list[float]] = {}
    for turn in range(ROUNDS + 1):
        for kind, work in tasks.items():
            for name, way in ways.items():
                forget()
                took = seconds(way, work)
                if turn:  # the first warms up
                    spent.setdefault((name, kind), []).append(took)
    share = {"with reflectance": EIGHTH, "without": 1 - EIGHTH}
    return {name: sum(part * float(np.median(spent[name, kind])) for kind, part in share.items()) for name in ways}


def whole(cfg: PrepareConfig) -> dict[str, Any]:
    """``prepare`` in a process of its own: seconds of the first day and of each other, the most memory that it and
    those it started held together, GiB, and MB of the last day by variable."""
    shutil.rmtree(cfg.cube, ignore_errors=True)
    spawn = multiprocessing.get_context("spawn")
    with held_by_children() as held, ProcessPoolExecutor(1, mp_context=spawn) as pool:
        took = pool.submit(_whole, cfg).result()
    size = megabytes(Path(cfg.cube))
    shutil.rmtree(cfg.cube)
    return took | {"peak memory, GiB": max(held), "MB a day": size}


def _whole(cfg: PrepareConfig) -> dict[str, float]:
    begun = time.time()
    prepare(cfg)
    at = [file.stat().st_mtime for file in sorted(Path(cfg.cube).glob("status/*.json"))]
    return {"first day, seconds": at[0] - begun, "seconds a day": float(np.mean(np.diff(at)))}


def main(argv: Sequence[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, help="keeps the granules")
    arguments.add_argument("--days", type=int, default=4)
    arguments.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder for the numbers")
    arguments.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    words = list(argv) if argv is not None else sys.argv[1:]
    args = arguments.parse_args(words)
    console = Console(width=120)
    raw, days = args.folder / "raw", [START + dt.timedelta(n) for n in range(args.days)]
    where = DomainConfig("china", list(CHINA))
    domain = domain_of(where)
    with console.status("granules"):
        national_granules.write(raw, domain, days, RAIN_BEFORE)
    cfg = PrepareConfig(str(raw), str(args.folder / "cube.zarr"), str(days[0]), str(days[-1]), domain=where)
    found = list_granules(raw, (days[0] - 2 * ONE, days[-1] + ONE))
    sources = choose_products(cfg, found, None)
    tasks = {kind: plan_day(cfg, domain, found, sources, day)
             for kind, day in (("with reflectance", days[0]), ("without", days[1]))}  # fmt: skip
    mean = reading(tasks)
    decoded = {kind: plain(work) / 1e6 for kind, work in tasks.items()}
    readers = {"one process": 1, "two that read": 2}
    prepared = {name: whole(dataclasses.replace(cfg, workers=n)) for name, n in readers.items()}
    report: dict[str, Any] = {
        "reading, seconds a day": mean, "decoded, MB": decoded,
        "ours / plain": mean["ours"] / mean["plain"], "ours / a warp a file": mean["ours"] / mean["a warp a file"],
        "prepare": prepared,
        "prepare / plain": {n: took["seconds a day"] / mean["plain"] for n, took in prepared.items()},
        "pixels": int(np.prod(domain.fine_shape)), "days": args.days,
    }  # fmt: skip
    table = Table(title=f"A day of domain=china, {report['pixels']:,} pixels")
    for name in ("", "seconds", "of plain", "peak memory, GiB"):
        table.add_column(name, justify="right" if name else "left")
    for name, t in mean.items():
        table.add_row(f"reading: {name}", f"{t:.2f}", f"{t / mean['plain']:.2f}", "")
    for name, took in prepared.items():
        t = took["seconds a day"]
        table.add_row(f"prepare, {name}", f"{t:.1f}", f"{t / mean['plain']:.1f}", f"{took['peak memory, GiB']:.1f}")
    console.print(table)
    console.print(in_words(prepared["one process"]["MB a day"]))
    missed = [f"{name} {report[name]:.2f} is not <= {goal}" for name, goal in GOALS.items() if report[name] > goal]
    write_json(args.results / "prepare.json", report | {
        "command": command_of("prepare.py", words, args.folder), "commit": commit_of(ROOT), "machine": machine(),
        "goals": GOALS, "missed": missed,
    })  # fmt: skip
    console.print(f"missed: {'; '.join(missed)}" if missed else "all goals reached")
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
