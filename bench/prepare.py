"""From granules to the cube: against reading the same files and doing nothing, and against a warp a file.

    python bench/prepare.py FOLDER [--days 6] [--check]

FOLDER keeps a simulated world of 16 x 24 cells (576 x 864 pixels, six MODIS tiles' worth of files a day) in native
formats. In turns, so that what else the machine does meets all alike, the days one after another:

* plain: every layer of the files that a day is made of is read and decoded, by pyhdf whole tiles, by h5netcdf whole
  variables, once a file, and thrown away. That is what the formats themselves cost; ours reads only what the domain
  needs of a tile;
* ours: the same granules read, checked, decoded and put onto the grid (``granules.read_day``);
* a warp a file: the same with ``rasterio.warp`` in place of the tables.

Then ``prepare`` itself, with one and with two processes that read, in seconds a day: reading, filling, memory, packing
and writing. And what a day of domain=china takes from fields on the grid to the cube (``daily.store``), in a process of
its own, for its memory: two days of plausible fields, half under cloud, the second of which leans on the first.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import resource
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import h5netcdf
import numpy as np
import torch
from national_cube import ATTRS, CHINA, noise
from provenance import ROOT, command_of, commit_of, machine
from pyhdf.SD import SD
from rich.console import Console
from rich.table import Table

from ssm_net.config import DomainConfig, PrepareConfig, SimulateConfig
from ssm_net.cube import write_json
from ssm_net.cube_making import create_cube
from ssm_net.daily import store
from ssm_net.granules import Day, Task, read_day, task
from ssm_net.grid import Domain
from ssm_net.ingest import hdfeos, rain, resample
from ssm_net.ingest.catalog import catalog
from ssm_net.ingest.ssm import CoarseSSM
from ssm_net.inputs import OVERPASSES
from ssm_net.intercalibration import Intercalibration
from ssm_net.prepare import prepare
from ssm_net.simulate.run import simulate
from ssm_net.sources import choose_sources
from ssm_net.variables import API_DAYS, FINE

GOALS = {"ours / plain": 2.0, "ours / a warp a file": 1.0}
WINDOW = [64, 80, 764, 788]
START = dt.date(2016, 5, 1)
ROUNDS = 3


def plain(work: Task, known: set[Path]) -> int:
    """Bytes that the layers of a day hold once decoded, of files that are not ``known`` from the days before."""
    total = 0
    paths = {g.path for granules in work.granules.values() for g in granules}
    paths |= {g.path for interval in work.rain for g in interval.granules}
    new = paths - known
    known |= new
    for path in sorted(new):
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


def warped(work: Task) -> None:
    with mock.patch.object(resample, "rows_of", lambda *_: None):
        read_day(work)


def forget() -> None:
    """What is remembered of files that were read: in a record every day has files of its own."""
    for remembered in (hdfeos._grids_of, rain._about, rain._step):
        remembered.cache_clear()


def national(folder: Path) -> dict[str, float]:
    """Seconds and memory of storing a day of 24 million pixels."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_national, folder).result()


def _national(folder: Path) -> dict[str, float]:
    domain = Domain("china", CHINA)
    days = [START, START + dt.timedelta(1)]
    coarse = ["ssm", "ssm_sigma", "source"]
    coarse += [f"lst_{k}_{w}" for k in OVERPASSES for w in ("region", "drift", "seen", "cloud", "cloud_sigma")]
    shutil.rmtree(folder / "china.zarr", ignore_errors=True)
    cube = create_cube(folder / "china.zarr", domain, days, list(FINE), coarse, [], {**ATTRS, "boundary": ""})
    land, none = torch.ones(domain.fine_shape, dtype=torch.bool), dict.fromkeys(OVERPASSES)
    spent = []
    for day in days:
        lst = {}
        for k in OVERPASSES:
            seen = torch.where(noise(f"cloud {k}", domain.fine_shape, day) > 0, 300.0, torch.nan)
            lst[k] = (seen + noise(k, domain.fine_shape, day)).numpy(), torch.ones(domain.fine_shape).numpy()
        bands = {b: noise(b, domain.fine_shape, day).mul_(0.05).add_(0.2).clamp_(0, 1).numpy()
                 for b in ("red", "nir", "swir1", "swir2")}  # fmt: skip
        ssm = CoarseSSM(*(np.full(domain.coarse_shape, v, "float32") for v in (0.2, 0.04)),
                        np.full(domain.coarse_shape, 2, "uint8"))  # fmt: skip
        rain = noise("rain", domain.fine_shape, day).clamp_(min=0).numpy()
        fallen = dict.fromkeys(API_DAYS, rain)
        work = Day(day, ssm, lst, none, none, bands, rain, fallen, (), (), {}, ())
        with cube.writing():
            spent.append(seconds(store, cube, work, torch.zeros(domain.fine_shape), land, Intercalibration(2, {})))
    shutil.rmtree(folder / "china.zarr")
    return {"seconds a day": spent[-1], "microseconds a pixel": 1e6 * spent[-1] / land.numel(),
            "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, help="keeps the world")
    arguments.add_argument("--days", type=int, default=6)
    arguments.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder for the numbers")
    arguments.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    words = list(argv) if argv is not None else sys.argv[1:]
    args = arguments.parse_args(words)
    console = Console(width=120)
    raw, end = args.folder / "raw", START + dt.timedelta(args.days - 1)
    where = DomainConfig("bench", WINDOW)
    simulate(SimulateConfig(str(raw), str(START), str(end), domain=where, seed=5))
    cfg = PrepareConfig(str(raw), "cube", str(START), str(end), domain=where)
    days = [START + dt.timedelta(n) for n in range(args.days)]
    found = catalog(raw, (days[0] - dt.timedelta(2), days[-1] + dt.timedelta(1)))
    domain, sources = where.domain(), choose_sources(cfg, found, None)
    tasks = [task(cfg, domain, found, sources, day) for day in days]
    spent: dict[str, list[float]] = {"plain": [], "ours": [], "a warp a file": []}
    ways: dict[str, Callable[..., Any]] = {"plain": plain, "ours": read_day, "a warp a file": warped}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            forget()
            known: set[Path] = set()
            times = [seconds(way, work, *([known] if way is plain else [])) for work in tasks]
            if turn:  # the first warms up
                spent[name] += times
    known = set()
    decoded = sum(plain(work, known) for work in tasks)
    whole: dict[int, float] = {}
    for workers in (1, 2):
        cube = args.folder / f"cube-{workers}.zarr"
        shutil.rmtree(cube, ignore_errors=True)
        made = PrepareConfig(str(raw), str(cube), str(START), str(end), domain=where, workers=workers)
        whole[workers] = seconds(prepare, made) / args.days
    mean = {name: float(np.mean(times)) for name, times in spent.items()}
    pixels = int(np.prod(domain.fine_shape))
    report: dict[str, Any] = {
        "seconds a day": mean, "seconds a day, prepare, by processes": whole,
        "ours / plain": mean["ours"] / mean["plain"], "ours / a warp a file": mean["ours"] / mean["a warp a file"],
        "prepare / plain, by processes": {n: t / mean["plain"] for n, t in whole.items()},
        "decoded MB a day": decoded / args.days / 1e6, "plain, MB/s": decoded / args.days / 1e6 / mean["plain"],
        "a day of china, from the grid to the cube": national(args.folder),
        "pixels": pixels, "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }  # fmt: skip
    table = Table(title=f"A day of {len(tasks[0].granules)} kinds of granules, {pixels:,} pixels")
    for name in ("", "milliseconds", "of plain"):
        table.add_column(name, justify="right" if name else "left")
    for name, t in [*mean.items(), *((f"prepare, {n} reading", t) for n, t in whole.items())]:
        table.add_row(name, f"{1e3 * t:.0f}", f"{t / mean['plain']:.2f}")
    console.print(table)
    console.print(
        f"{report['plain, MB/s']:.0f} MB/s decoded by plain reading; peak {report['peak memory, GiB']:.2f} GiB"
    )
    whole_country = report["a day of china, from the grid to the cube"]
    console.print(
        "a day of china, from the grid to the cube: " + ", ".join(f"{v:.3g} {k}" for k, v in whole_country.items())
    )
    missed = [f"{name} {report[name]:.2f} is not <= {goal}" for name, goal in GOALS.items() if report[name] > goal]
    write_json(args.results / "prepare.json", report | {
        "command": command_of("prepare.py", words, args.folder), "commit": commit_of(ROOT), "machine": machine(),
        "goals": GOALS, "missed": missed,
    })  # fmt: skip
    console.print(f"missed: {'; '.join(missed)}" if missed else "all goals reached")
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
