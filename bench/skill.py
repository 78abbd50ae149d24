"""How good the 1 km maps are where the truth is known: worlds, network, baselines and oracle, scored by one code.

    python bench/skill.py runs/skill [--size smoke|small|full] [--families A,B,C,D,E,F] [--seeds 1] [--all] [--check]

Simulates worlds, prepares, trains, infers and scores them by the functions that the scripts call, and prints a table
a family and one of the goals of the design. Each family is judged by the prior without the members that have met it
(bench/left_out.py). By default the network, bilinear interpolation, the ridge and the oracle are judged, which is all
that the goals need; --all adds training from nothing and the published classics. Worlds, cubes, models and mosaics stay
in the folder: the same command goes on where it was cut off. Numbers go to bench/results/skill-<size>.json; with
--check the exit code is 1 where a goal is missed or not judged, and the last line names it. The size `full` is meant
for a machine with a GPU.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from goal_tables import goal_table, score_table
from goals import (
    BASELINES,
    DEFAULT_METHODS,
    GOALS,
    GOALS_OF_MEANS,
    LEAK_TEST,
    METHODS,
    Scores,
    leaks,
    means_over_families,
    misses,
    not_judged,
    ratios,
    summarise,
)
from judged_places import SIZES, JudgedPlace, Size, passed_over_note, place_of
from left_out import saved_without
from oracle import split_of, train_oracle
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console

from ssm_net.config import DomainConfig, InferConfig, PrepareConfig, SimulateConfig, TrainConfig
from ssm_net.config import TrainerConfig as Trainer
from ssm_net.cube.json_files import write_json
from ssm_net.cube.store import Cube, open_cube
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, load_trained
from ssm_net.evaluate.daily_pass import EvaluationInputs, score_days
from ssm_net.evaluate.metrics.scorecard import TEXTURE_TABLE, TRUTH_TABLE
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.referees.truth import PRODUCT, TruthScores
from ssm_net.evaluate.report.tables import json_ready
from ssm_net.formats.truth import Truth
from ssm_net.infer.run import infer
from ssm_net.prepare.run import prepare
from ssm_net.simulate.run import simulate
from ssm_net.simulate.world.laws import FAMILIES
from ssm_net.train.run import train

FIRST_SEED = 31  # a world is known by its family and seed; those with smaller seeds were looked at while developing
REGIME = (
    "network: the prior without the members that have met the family, adapted to the target's coarse observations; "
    "alone: from nothing, on the target's coarse observations; oracle: the network's start, on the target's truth."
)


@dataclass(frozen=True)
class SkillRun:
    """What the worlds of a benchmark share: their size, the folder of the prior whose members are judged, the methods
    in the order of ``METHODS``, and the commit of the code."""

    size: Size
    prior: Path
    methods: tuple[str, ...]
    commit: str


def flat(scores: TruthScores, methods: Sequence[str]) -> Scores:
    """A row a method, and one of the texture of the truth; with the RMSE and sub-grid R of each sky."""
    out: Scores = {}
    for row in scores.rows(TRUTH_TABLE, methods):
        mine, sky = out.setdefault(row["method"], {}), row["stratum"]
        if sky == "all":
            mine |= {k: v for k, v in row.items() if k not in ("method", "stratum", "n", "R")}
        else:
            mine |= {f"{k} {sky}": row[k] for k in ("RMSE", "sub-grid R")}
    for row in scores.rows(TEXTURE_TABLE, methods):
        out.setdefault(row["method"], {}).update({k: v for k, v in row.items() if k != "method"})
    named = {("network" if name == PRODUCT else name): values for name, values in out.items()}
    return {name: {k: round(float(v), 6) for k, v in values.items()} for name, values in named.items()}


@contextmanager
def timed(folder: Path, step: str, commit: str) -> Iterator[None]:
    """Write how long a step took when it was first done; one that was cut off and went on has no time."""
    file = folder / "steps.json"
    steps = json.loads(file.read_text()) if file.exists() else {}
    if step in steps:
        yield
        return
    write_json(file, steps | {step: {"seconds": None, "commit": commit}})
    begun = time.perf_counter()
    yield
    write_json(file, steps | {step: {"seconds": round(time.perf_counter() - begun, 1), "commit": commit}})


def made_world(folder: Path, run: SkillRun, family: str, seed: int) -> tuple[JudgedPlace, Cube, Truth]:
    """Where the world lies, its cube and its truth; what is there is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    with timed(folder, "choose the place", run.commit):
        place = place_of(folder, run.size, family, seed)
    where: dict[str, Any] = {"start": place.start, "end": place.end, "domain": DomainConfig("bench", place.window)}
    raw, cube = folder / "raw", folder / "cube.zarr"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with timed(folder, "simulate", run.commit):
        simulate(SimulateConfig(str(raw), seed=place.seed, family=family, **where))
    with timed(folder, "prepare", run.commit):
        prepare(PrepareConfig(str(raw), str(cube), workers=cores, **where))
    opened = open_cube(cube)
    return place, opened, Truth.open(raw / "truth.zarr", opened.domain)


def train_config(run: Path, cube: Path, size: Size, seed: int, prior: Path | None) -> TrainConfig:
    """The settings of a network from ``prior``, or from nothing."""
    common: dict[str, Any] = {"cube": str(cube), "run": str(run), "trainer": Trainer(accelerator="auto"), "seed": seed}
    if prior is not None:
        return TrainConfig(prior=str(prior), **common)
    patch = min(TrainConfig.patch, size.cells)
    return TrainConfig(prior="none", model=size.model, epochs=size.epochs, patch=patch, **common)


def mapped(folder: Path, run: SkillRun, family: str, seed: int, cube: Cube, truth: Truth) -> dict[str, Mosaics]:
    """Train the methods and make their mosaics, by name; what is there is not made again."""
    prior, runs, out = saved_without(run.prior, family, folder / "prior"), folder / "runs", {}
    for name in (m for m in run.methods if m not in BASELINES):
        cfg = train_config(runs / name, cube.path, run.size, seed, None if name == "alone" else prior)
        with timed(folder, f"train {name}", run.commit):
            if name == "oracle":
                train_oracle(cube, truth, load_trained(prior), cfg, run.size.oracle_epochs)
            else:
                train(cfg)
    for name in run.methods:
        mosaics = folder / "mosaics" / name
        how = {"method": name} if name in BASELINES else {"run": str(runs / name)}
        with timed(folder, f"infer {name}", run.commit):
            infer(InferConfig(str(cube.path), str(mosaics), **how))
        out[PRODUCT if name == "network" else name] = Mosaics.open(mosaics, cube.domain)
    return out


def world(folder: Path, run: SkillRun, family: str, seed: int) -> dict[str, Any]:
    """Make, map and score one world; what is there is not made again. Returns its record for the results."""
    place, cube, truth = made_world(folder, run, family, seed)
    methods = mapped(folder, run, family, seed, cube, truth)
    # The days that no label was taken from apart: there the oracle has no truth of the day either.
    held = set(split_of(train_config(folder / "runs" / "network", cube.path, run.size, seed, None), cube).held_days)
    days = methods[PRODUCT].days
    inputs = EvaluationInputs(methods, truth, cube)
    fitted, withheld = (score_days(inputs, [d for d in days if (d in held) == part]).scores for part in (False, True))
    scores = flat(fitted + withheld, list(methods))
    steps = json.loads((folder / "steps.json").read_text())
    seconds = {name: step["seconds"] or math.nan for name, step in steps.items()}
    for name in run.methods:
        scores[name]["seconds"] = seconds[f"infer {name}"] + seconds.get(f"train {name}", 0.0)
    counted, offered = fitted.counted + withheld.counted, fitted.offered + withheld.offered
    return {
        "family": family, "seed": seed, "place": asdict(place), "days": len(days), "held-out days": len(held),
        "members met": load_trained(folder / "prior").provenance["families"], "steps": steps,
        "pixels scored": counted, "pixels offered": offered, "scores": scores,
        "scores on held-out days": flat(withheld, list(methods)),
        "ratios": ratios(scores, seconds.get("train alone", math.nan) / 60), "leaks": leaks(scores),
    }  # fmt: skip


def chosen_methods(names: str, every: bool) -> tuple[str, ...]:
    """The methods named, with commas, or all; the network is always among them. Raises ``ValueError`` for an unknown
    name."""
    wanted = set(METHODS) if every else {"network", *names.split(",")}
    if unknown := sorted(wanted - set(METHODS)):
        raise ValueError(f"{', '.join(unknown)}: no such method; choose of {', '.join(METHODS)}")
    return tuple(m for m in METHODS if m in wanted)


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--seeds", type=int, default=1, help=f"worlds a family, from seed {FIRST_SEED} on")
    parser.add_argument("--methods", default=",".join(DEFAULT_METHODS), help=f"of {', '.join(METHODS)}, with commas")
    parser.add_argument("--all", action="store_true", help="all methods: the published classics and training from "
                        "nothing too, which are slow")  # fmt: skip
    parser.add_argument("--prior", type=Path, default=SHIPPED_PRIOR, help="a folder of pretrain.py; the shipped one")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed or not judged")
    args = parser.parse_args(words)
    try:
        args.methods = chosen_methods(args.methods, args.all)
    except ValueError as err:
        parser.error(str(err))
    return args


def verdict(missed: Sequence[str], unjudged: Sequence[str]) -> str:
    """The last line: what was missed, and what was not judged."""
    text = "missed: " + "; ".join(missed) if missed else "no judged goal is missed" if unjudged else "all goals reached"
    return text + (" | not judged: " + "; ".join(unjudged) if unjudged else "")


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    args = arguments(words)
    console, run = Console(), SkillRun(SIZES[args.size], args.prior, args.methods, commit_of(ROOT))
    console.width = max(console.width, 170)  # a log file has no width of its own
    worlds, notes = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + args.seeds):
        for family in args.families.split(","):
            console.rule(f"family {family}, seed {seed}")
            worlds.append(world(args.folder / f"{args.size}-{family}{seed}", run, family, seed))
            if note := passed_over_note(family, JudgedPlace(**worlds[-1]["place"])):
                notes.append(note)
                console.print(note, soft_wrap=True)
    families = summarise(worlds)
    missed, unjudged = misses(families, worlds), not_judged(families)
    command = command_of("skill.py", words, args.folder)
    file = args.results / f"skill-{args.size}.json"
    goals = {**GOALS, **{f"mean of families: {k}": v for k, v in GOALS_OF_MEANS.items()}}
    write_json(file, json_ready({"command": command, "commit": run.commit, "machine": machine(), "regime": REGIME,
                            "goals": {k: str(v) for k, v in goals.items()} | {"leaks": LEAK_TEST},
                            "missed": missed, "not judged": unjudged, "places passed over": notes,
                            "means over families": means_over_families(families), "families": families,
                            "worlds": worlds}))  # fmt: skip
    for family, summary in families.items():
        console.print(score_table(family, summary))
    console.print(goal_table(families))
    console.print(REGIME, *notes, f"Numbers: {file}", sep="\n", soft_wrap=True)
    print(verdict(missed, unjudged))
    return 1 if args.check and (missed or unjudged) else 0


if __name__ == "__main__":
    sys.exit(main())
