"""A country's days from granules to maps, one after the other, as ``produce`` makes them.

The granules are those of ``national_granules``, the networks those that ship. Each day is prepared and then mapped in
the same process. The first, which counts the rain of sixty days before it and makes the static maps, is told apart.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import national
import national_granules
import numpy as np
import torch
from memory import held_by_children

from ssm_net.config import DomainConfig, InferConfig, PrepareConfig
from ssm_net.core.boundary import domain_of
from ssm_net.cube.store import open_cube
from ssm_net.estimators.checkpoint import load_trained
from ssm_net.estimators.precision import choose_precision
from ssm_net.grid import Window
from ssm_net.infer.run import infer
from ssm_net.prepare.plan import RAIN_BEFORE
from ssm_net.prepare.run import prepare

GOALS = {"prepare, seconds a day": 15.0, "infer, seconds a day": 15.0, "peak memory, GiB": 4.0}
START, ONE = dt.date(2016, 5, 1), dt.timedelta(1)


def measure(folder: Path, window: Window, days: int) -> dict[str, Any]:
    """Seconds by step, the most memory that all processes held together, and the random forest's seconds."""
    raw, run = folder / "raw", national.a_run(folder)
    where = DomainConfig("china", list(window))
    dates = [START + n * ONE for n in range(days)]
    national_granules.write(raw, domain_of(where), dates, RAIN_BEFORE)
    cube, maps = folder / "maps.zarr", folder / "maps"
    for old in (cube, maps):
        shutil.rmtree(old, ignore_errors=True)
    making = PrepareConfig(str(raw), str(cube), str(START), str(START), domain=where)
    mapping = InferConfig(str(cube), str(maps), str(run))
    spawn = multiprocessing.get_context("spawn")
    with held_by_children() as held, ProcessPoolExecutor(1, mp_context=spawn) as pool:
        steps = pool.submit(_days, making, mapping, dates).result()
    prepared, mapped = (np.array(part) for part in zip(*steps, strict=True))
    later = slice(1, None) if days > 1 else slice(None)
    precision = choose_precision("auto", load_trained(run).network, torch.device("cpu")).dtype
    stored = open_cube(cube)
    forest = national.Bare(stored, run, mapping.tile, stored.land(), precision).forest_seconds()
    found = {
        "first day, seconds": float(prepared[0] + mapped[0]),
        "prepare, seconds a day": float(np.median(prepared[later])),
        "infer, seconds a day": float(np.median(mapped[later])),
        "granules to map, seconds a day": float(np.median((prepared + mapped)[later])),
        "random forest, seconds": forest, "peak memory, GiB": max(held), "days": days,
    }  # fmt: skip
    missed = [f"{goal} {found[goal]:.2f} is not <= {limit:g}" for goal, limit in GOALS.items() if found[goal] > limit]
    return found | {"goals": GOALS, "missed": missed}


def _days(making: PrepareConfig, mapping: InferConfig, dates: list[dt.date]) -> list[tuple[float, float]]:
    """Seconds of preparing and of mapping of each day."""
    out = []
    for day in dates:
        begun = time.perf_counter()
        prepare(replace(making, end=str(day)))
        between = time.perf_counter()
        infer(replace(mapping, start=str(day), end=str(day)))
        out.append((between - begun, time.perf_counter() - between))
    return out


def lines(found: dict[str, Any]) -> Iterator[str]:
    """What was found, in words."""
    preparing, mapping = found["prepare, seconds a day"], found["infer, seconds a day"]
    day, first = found["granules to map, seconds a day"], found["first day, seconds"]
    yield (f"A day from granules to its map takes {day:.1f} s: {preparing:.1f} s of preparing and {mapping:.1f} s of "
           f"mapping; the first day {first:.1f} s.")  # fmt: skip
    yield (f"All processes held {found['peak memory, GiB']:.2f} GiB at most. A random forest takes "
           f"{found['random forest, seconds']:.1f} s for the estimates alone.")  # fmt: skip
    yield "missed: " + "; ".join(found["missed"]) if found["missed"] else "all goals reached"
