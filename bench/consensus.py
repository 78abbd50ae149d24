"""Two sensors of one day together: what their consensus gains over either alone.

    python bench/consensus.py runs/consensus [--seeds 51,52] [--days 75] [--methods network,bilinear] [--check]

Simulates worlds that two radiometers observe, AMSR2 by LPRM and SMAP, or LPRM and SMOS, each with a lasting error of
its own in every cell, in native files; prepares each world from the one, from the other and from both
(consensus=true), trains and maps, and compares with the truth. ``coarse`` is the RMSE of the observation against the
mean of the truth in its footprint: of all it observed, and of the cells and days that all three observed. ``lasting``
is the standard deviation of its mean error in each cell. ``stated / RMSE`` is the error that it states over the one
that it has. ``map`` is the RMSE of the 1 km maps on the pixels and days that all three have, by each of the methods.
Everything stays in the folder: the same command goes on where it was cut off.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.config import DomainConfig, InferConfig, PrepareConfig, SimulateConfig, TrainConfig
from ssm_net.cube.json_files import write_json
from ssm_net.cube.store import open_cube
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.referees.coarse import footprint_mean
from ssm_net.evaluate.report.tables import format_number, json_ready
from ssm_net.formats.truth import Truth
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare
from ssm_net.simulate.run import simulate
from ssm_net.train.run import train

WINDOW = [72, 80, 772, 780]
FIRST = dt.date(2016, 5, 1)
TOGETHER = "consensus"
COLUMNS = {"coarse": 4, "coarse, common": 4, "lasting": 4, "stated / RMSE": 2, "observed": 2}


@dataclass(frozen=True)
class Case:
    """A world, the sensor that it is made of (a product, or ``consensus``), and its folder."""

    world: Path
    sensor: str

    @property
    def cube(self) -> Path:
        return self.world / self.sensor / "cube.zarr"

    def mosaics(self, method: str) -> Path:
        return self.world / self.sensor / f"mosaics-{method}"


def make(world: Path, pair: Sequence[str], seed: int, days: int, family: str, methods: Sequence[str]) -> list[Case]:
    """The world and its three cubes, models and maps, as far as they are not there."""
    where: dict[str, Any] = {"domain": DomainConfig("consensus", WINDOW)}
    period = str(FIRST), str(FIRST + dt.timedelta(days - 1))
    raw = str(world / "raw")
    simulate(SimulateConfig(raw, *period, seed=seed, family=family, ssm=[*pair], **where))
    cases = [Case(world, sensor) for sensor in (*pair, TOGETHER)]
    for case in cases:
        together = case.sensor == TOGETHER
        chosen = {"consensus": True} if together else {"ssm": case.sensor}
        prepare(PrepareConfig(raw, str(case.cube), *period, **chosen, **where))  # type: ignore[arg-type]
        run = str(case.cube.parent / "run")
        if "network" in methods:
            train(TrainConfig(str(case.cube), run))
        for method in methods:
            infer(
                InferConfig(
                    str(case.cube), str(case.mosaics(method)), run if method == "network" else "", method=method
                )
            )
    return cases


def coarse_errors(case: Case, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Errors of the coarse observation and what it states of them, each (days, R, C) m3 m-3, NaN where unobserved."""
    cube = open_cube(case.cube)
    footprint, errors, stated = cube.footprint(), [], []
    for day in cube.done_days():
        field = truth.read(day)
        assert field is not None
        error = cube.read_coarse("ssm", day) - footprint_mean(field, footprint)
        errors.append(error)
        stated.append(np.where(np.isfinite(error), cube.read_coarse("ssm_sigma", day), np.nan))
    return np.stack(errors), np.stack(stated)


def map_errors(cases: Sequence[Case], truth: Truth, method: str) -> list[float]:
    """RMSE of the maps of each case, m3 m-3, on the pixels and days that all have."""
    domain = open_cube(cases[0].cube).domain
    maps = [Mosaics.open(case.mosaics(method), domain) for case in cases]
    squares, count = np.zeros(len(cases)), 0
    for day in open_cube(cases[0].cube).done_days():
        true = truth.read(day)
        assert true is not None
        errors = np.stack([one.read(day).ssm - true for one in maps])
        known = np.isfinite(errors).all(0)
        squares += (errors[:, known].astype(np.float64) ** 2).sum(1)
        count += int(known.sum())
    return [float(v) for v in np.sqrt(squares / count)]


def score(cases: Sequence[Case], methods: Sequence[str]) -> dict[str, dict[str, float]]:
    """The columns of the table, by sensor."""
    domain = open_cube(cases[0].cube).domain
    truth = Truth.open(cases[0].world / "raw" / "truth.zarr", domain)
    both = [coarse_errors(case, truth) for case in cases]
    common = np.isfinite(np.stack([errors for errors, _ in both])).all(0)
    out: dict[str, dict[str, float]] = {}
    for case, (errors, stated) in zip(cases, both, strict=True):
        rmse = float(np.sqrt(np.nanmean(errors**2)))
        out[case.sensor] = {
            "coarse": rmse, "coarse, common": float(np.sqrt((errors[common] ** 2).mean())),
            "lasting": float(np.nanstd(np.nanmean(errors, 0))),
            "stated / RMSE": float(np.sqrt(np.nanmean(stated**2)) / rmse),
            "observed": float(np.isfinite(errors).mean()),
        }  # fmt: skip
    for method in methods:
        for case, rmse in zip(cases, map_errors(cases, truth, method), strict=True):
            out[case.sensor][f"map, {method}"] = rmse
    return out


def means(worlds: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Root mean squares over worlds (plain means of ratios and fractions)."""
    plain = ("stated / RMSE", "observed")
    return {sensor: {column: float(np.mean(v) if column in plain else np.sqrt(np.mean(np.square(v))))
                     for column in worlds[0][sensor] for v in [[w[sensor][column] for w in worlds]]}
            for sensor in worlds[0]}  # fmt: skip


def misses(table: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Where the consensus is worse than the better of the two, in words."""
    out = []
    for pair, rows in table.items():
        for column in ("coarse", *(c for c in rows[TOGETHER] if c.startswith("map"))):
            best = min(row[column] for sensor, row in rows.items() if sensor != TOGETHER)
            if rows[TOGETHER][column] > best:
                out.append(
                    f"{pair}: {column} of the consensus {rows[TOGETHER][column]:.4f}, of the better one {best:.4f}"
                )
    return out


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", default="51,52", help="a world each")
    parser.add_argument("--pairs", default="LPRM+SMAP,LPRM+SMOS", help="products of the two sensors")
    parser.add_argument("--days", type=int, default=75)
    parser.add_argument("--methods", default="network,bilinear", help="of the maps")
    parser.add_argument("--family", default="C", help="the physics of the worlds")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 where the consensus is worse than one sensor")
    args = parser.parse_args(words)
    commit, console = commit_of(ROOT), Console()
    console.width = max(console.width, 132)
    methods = args.methods.split(",")
    columns = COLUMNS | {f"map, {method}": 4 for method in methods}
    by_world: dict[str, dict[str, Any]] = {}
    table = {}
    for pair in (text.split("+") for text in args.pairs.split(",")):
        name = " and ".join(pair)
        by_world[name] = {}
        for seed in map(int, args.seeds.split(",")):
            cases = make(args.folder / f"{'-'.join(pair)}-{seed}", pair, seed, args.days, args.family,
                         methods)  # fmt: skip
            by_world[name][str(seed)] = score(cases, methods)
        table[name] = means(list(by_world[name].values()))
    for name, rows in table.items():
        shown = Table(title=f"{name}: RMSE, m3 m-3", title_justify="left")
        for column in ("sensor", *columns):
            shown.add_column(column, justify="left" if column == "sensor" else "right")
        for sensor, row in rows.items():
            shown.add_row(sensor, *(format_number(row[column], digits) for column, digits in columns.items()))
        console.print(shown)
    missed = misses(table)
    file = args.results / "consensus.json"
    write_json(file, json_ready({
        "command": command_of("consensus.py", words, args.folder), "commit": commit, "machine": machine(),
        "missed": missed, "means": table, "worlds": by_world,
    }))  # fmt: skip
    console.print(f"Numbers: {file}", soft_wrap=True)
    print("missed: " + "; ".join(missed) if missed else "the consensus is better than either sensor in all")
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
