"""Whether 90 % intervals of basin means hold the truth: many worlds of every family, thinned.

    python bench/basin_worlds.py FOLDER [--families A,B,C,D,E,F] [--count 8] [--basins 24]

One world a family, as ``bench/extract.py coverage`` maps it through files, cannot decide: all its basins share the
error of one region. Here are the worlds of ``bench/families.py`` (FOLDER may be the same one; half a minute of one core
each), mapped as there by the members of the shipped prior that have not met the family. Of each day one pixel in 6 each
way is known. Such a map is written as a file of pixels of 6 km, with the parts of its error as ``infer`` states them,
and its means over random basins are those of ``ssm_net.extract``, compared with the truth of the same pixels. What is
in FOLDER is not made again.

Prints the coverage of each family with a 95 % interval over its worlds (t distribution), the error over the stated one
part by part as ``bench/basin_errors.py`` does, the correlation of the errors of cells 36 to 108 km apart, and how the
distance over which cells share errors (CELL_RANGE_KM of ``ssm_net.extract``) would be chosen by all families but one,
with the coverage that this gives in the one left out. With ``--files FOLDER`` that ``bench/extract.py coverage``
filled, it prints what thinning does: coverage there by all pixels and by one in 36. Numbers go to
bench/results/basin_worlds.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from basin_errors import cell_errors, day_parts
from families import METHODS
from family_worlds import DayMap, judged_worlds, maps_of
from left_out import without_family
from provenance import ROOT, command_of, commit_of, machine
from scipy.stats import t as student

import extract as basins
from ssm_net.cube.json_files import write_json
from ssm_net.estimators.ablation import NO_ABLATION
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, Trained, load_trained
from ssm_net.extract import means
from ssm_net.formats.mosaic_days import write_day
from ssm_net.formats.product import Flag, Mosaic
from ssm_net.grid import M36, Domain
from ssm_net.infer.day import LARGEST_SIGMA
from ssm_net.infer.error_parts import ErrorParts
from ssm_net.pretrain.samples import THINNING, World
from ssm_net.train.withheld import CORRELATED_CELLS

RESULTS = ROOT / "bench" / "results" / "basin_worlds.json"
CELLS = 8  # a side of a world
THINNED = Domain("thinned", (60, 60 + CELLS, 764, 764 + CELLS), replace(M36, ratio=M36.ratio // THINNING))
CELL_RANGES_KM = (25.0, 35.0, 50.0, 75.0, 100.0)  # to choose from
APART = 3  # cells, up to which errors are correlated with each other
LEAST_LAND = 0.1  # of the pixels with a value, for the parts of a day's error to be told apart
FIRST = dt.date(2016, 1, 1)
# What ``ssm_net.train.withheld.calibrated`` states for a domain of this size; ``maps_of`` leaves it to its caller.
LEVEL = NO_ABLATION.sensor_bias / math.sqrt(max(1.0, CELLS**2 / CORRELATED_CELLS**2))


@dataclass(frozen=True)
class ThinnedTruth:
    """The truth of the days of a world, each (y, x), NaN where there is none."""

    days: dict[dt.date, np.ndarray]

    def read(self, day: dt.date) -> np.ndarray:
        return self.days[day]


def mosaic_of(day: dt.date, drawn: DayMap) -> Mosaic:
    """The map as ``infer`` would write it."""
    known = torch.isfinite(drawn.truth).numpy()
    shared, local = drawn.shared, drawn.local + LEVEL**2
    flags = np.where(drawn.observed.numpy(), Flag.COARSE_OBSERVED, Flag.ORBIT_GAP_FILLED).astype(np.uint16)
    sigma = (shared + local).sqrt().clamp(max=LARGEST_SIGMA).numpy()
    parts = ErrorParts(LEVEL)
    parts.add(shared, local, known, flags)
    ssm, sigma = (np.where(known, field, np.nan).astype(np.float32) for field in (drawn.mean.numpy(), sigma))
    return Mosaic(day, THINNED, ssm, sigma, flags, parts.attributes())


def judged(name: str, world: World, prior: Trained, family: str, number: int, folder: Path) -> dict[str, Any]:
    """What ``judge`` finds in a world; kept in ``folder``, for as long as the prior is this one."""
    file = folder / "basin_worlds" / f"{name}-{number}-{means.CELL_RANGE_KM:.0f}km-{prior.digest[:12]}.json"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        write_json(file, judge(name, world, without_family(prior, family), number))
    return dict(json.loads(file.read_text()))


def judge(name: str, world: World, prior: Trained, number: int) -> dict[str, Any]:
    """Coverage by radius, the mean square of standardised errors, and the parts of the error of one world."""
    maps = maps_of(world, prior, METHODS["networks"])
    days = [FIRST + dt.timedelta(n) for n in range(len(maps))]
    mosaics = [mosaic_of(day, drawn) for day, drawn in zip(days, maps, strict=True)]
    truth = ThinnedTruth({day: drawn.truth.numpy().astype(np.float32) for day, drawn in zip(days, maps, strict=True)})
    with tempfile.TemporaryDirectory() as folder:
        for mosaic in mosaics:
            write_day(mosaic, Path(folder) / "mosaics", "netcdf")
        z_of = {}
        for range_km in {*CELL_RANGES_KM, means.CELL_RANGE_KM}:
            with mock.patch.object(means, "CELL_RANGE_KM", range_km):
                z_of[range_km] = basins.z_scores(Path(folder), truth, number, thinning=THINNING)
    z = z_of[means.CELL_RANGE_KM]
    by_range = {f"{km:.0f} km": float(np.mean([*held_in(z_of[km]).values()])) for km in CELL_RANGES_KM}
    usable = [one for one in mosaics if np.isfinite(one.ssm).mean() > LEAST_LAND]
    by_day = [day_parts(one, truth.read(one.day)) for one in usable]
    sums = {part: np.mean([day[part] for day in by_day], 0).tolist() for part in by_day[0]}
    held, squares = held_in(z), float(np.mean(np.concatenate([*z.values()]) ** 2))
    print(name, {k: round(v, 3) for k, v in held.items()}, "rms of z", round(math.sqrt(squares), 2), flush=True)
    return {
        "world": name, "held": held, "squares of z": squares, "parts": sums,
        "by range": by_range,
        "products of cells": np.nanmean([products(one, truth.read(one.day)) for one in usable], 0).tolist(),
    }  # fmt: skip


def held_in(z: dict[int, np.ndarray]) -> dict[str, float]:
    """The part of 90 % intervals that hold the truth, by the radius of basins."""
    return {f"{radius} km": float((np.abs(values) < basins.Z90).mean()) for radius, values in z.items() if values.size}


def products(mosaic: Mosaic, truth: np.ndarray) -> list[float]:
    """Mean products of the errors of two cells 0, 1 .. ``APART`` cells apart in a row or a column, each over the
    standard error that cells share as the map states it, less the mean of the region; NaN where there are no two."""
    cells, stated = cell_errors(mosaic, truth)
    z = cells / np.sqrt(stated)
    out = []
    for lag in range(APART + 1):
        pairs = [z[:, lag:] * z[:, : z.shape[1] - lag], z[lag:] * z[: len(z) - lag]]
        known = np.concatenate([pair[np.isfinite(pair)] for pair in pairs])
        out.append(float(known.mean()) if known.size else math.nan)
    return out


def chosen_by_others(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each family: the range at which the coverage of the other families, each counting alike, is nearest to 90 %,
    and the coverage that it gives in this one."""
    table: dict[str, dict[str, float]] = {}
    for family in sorted({row["world"][0] for row in rows}):
        mine = [row["by range"] for row in rows if row["world"][0] == family]
        table[family] = {name: float(np.mean([held[name] for held in mine])) for name in mine[0]}
    out = {}
    for family, held in table.items():
        others = [other for name, other in table.items() if name != family]
        best = min(held, key=lambda name: abs(float(np.mean([other[name] for other in others])) - 0.9))
        out[family] = {"range": best, "all": round(held[best], 3)}
    return out


def over_worlds(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A family's coverage, each world and radius counting alike, and its 95 % interval over worlds; the rest as means
    of squares over worlds."""
    radii = list(rows[0]["held"])
    each = np.array([np.mean([*row["held"].values()]) for row in rows])
    out: dict[str, Any] = {radius: round(float(np.mean([r["held"][radius] for r in rows])), 3) for radius in radii}
    out |= {"all": round(float(each.mean()), 3), "worlds": len(rows), "least": round(float(each.min()), 3)}
    if len(each) > 1:
        half = float(student.ppf(0.975, len(each) - 1) * each.std(ddof=1) / math.sqrt(len(each)))
        out["95 % interval"] = [round(float(each.mean()) - half, 3), round(min(float(each.mean()) + half, 1.0), 3)]
    out["rms of z"] = round(math.sqrt(np.mean([row["squares of z"] for row in rows])), 2)
    apart = np.nanmean([row["products of cells"] for row in rows], 0)
    out["correlation of cells 36, 72, 108 km apart"] = [round(float(v), 2) for v in apart[1:] / apart[0]]
    out["by range"] = {k: round(float(np.mean([row["by range"][k] for row in rows])), 3) for k in rows[0]["by range"]}
    sums = {part: np.mean([row["parts"][part] for row in rows], 0) for part in rows[0]["parts"]}
    out["error over stated error"] = {p: round(math.sqrt(squared / stated), 2) for p, (squared, stated) in sums.items()}
    return out


def what_thinning_does(folder: Path, families: Sequence[str], days: int, number: int) -> dict[str, Any]:
    """Coverage in the worlds that ``bench/extract.py coverage`` left in ``folder``, by all pixels and by one in 36."""
    out: dict[str, Any] = {}
    for family in families:
        home = basins.world_folder(folder, family, basins.SEED)
        truth = basins.mapped_world(home, family, days)
        for title, thinning in (("all pixels", 1), ("one in 36", THINNING)):
            z = basins.z_scores(home, truth, number, thinning=thinning)
            held = {f"{r} km": round(float((np.abs(v) < basins.Z90).mean()), 3) for r, v in z.items() if v.size}
            out.setdefault(family, {})[title] = held
        print(family, out[family], flush=True)
    return out


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--families", default="A,B,C,D,E,F")
    parser.add_argument("--count", type=int, default=8, help="worlds a family")
    parser.add_argument("--basins", type=int, default=24, help="of each size")
    parser.add_argument("--files", type=Path, help="folder of bench/extract.py coverage")
    args = parser.parse_args(words)
    logging.getLogger("ssm_net").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    table, rows, prior = {}, [], load_trained(SHIPPED_PRIOR)
    for family in args.families.split(","):
        worlds = judged_worlds(family, args.count, args.folder, workers=1)
        of_family = [judged(n, w, prior, family, args.basins, args.folder) for n, w in worlds.items()]
        table[family] = over_worlds(of_family)
        rows += of_family
        print(family, table[family], flush=True)
    result = {
        "command": command_of("basin_worlds.py", words, args.folder), "commit": commit_of(ROOT), "machine": machine(),
        "prior": prior.digest, "basins of each size": args.basins, "error of the region as stated, m3 m-3": LEVEL,
        "coverage of 90 % intervals": table, "all families": over_worlds(rows),
        "range of cells, km": means.CELL_RANGE_KM,
        "range of cells chosen by the other families": chosen_by_others(rows) if len(table) > 1 else {},
        "worlds": {row["world"]: {k: round(v, 3) for k, v in row["held"].items()} for row in rows},
    }  # fmt: skip
    if args.files:
        result["worlds of bench/extract.py, all pixels and one in 36"] = what_thinning_does(
            args.files, args.families.split(","), 30, args.basins
        )
    print("all", result["all families"])
    print("range of cells chosen by the other families", result["range of cells chosen by the other families"])
    write_json(RESULTS, result)


if __name__ == "__main__":
    main(sys.argv[1:])
