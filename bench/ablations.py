"""What needs whole worlds to tell: the update, the footprint, stations, and how networks are trained from nothing.

    python bench/ablations.py runs/skill [--families A,B,C,D,E,F] [--seeds 31] [--alone-families A] [--size small]

The folder is that of bench/skill.py, whose worlds, cubes, models and mosaics are used where they are there and made
where they are not. As there, a family is judged by the prior without the members that have met it. What kinds of input,
the adaptation and the committee are worth, bench/families.py tells in more worlds. Each variant is kept in
WORLD/ablations/NAME (model and mosaics): the same command goes on where it was cut off. All are scored together, by the
code of bench/skill.py, against the 1 km truth. Prints one table and writes bench/results/ablations.json. A variant on
the prior takes a minute or two a world; those trained from nothing, three to five minutes each, are made in the
families that --alone-families names.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from goals import METHODS, mean_and_spread
from judged_places import SIZES
from left_out import comes_from
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table
from skill import FIRST_SEED, SkillRun, flat, timed, train_config, world

from ssm_net.config import InferConfig, TrainConfig
from ssm_net.cube.json_files import write_json
from ssm_net.cube.store import open_cube
from ssm_net.estimators.ablation import NO_ABLATION, Ablation
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR
from ssm_net.evaluate.daily_pass import EvaluationInputs, score_days
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.evaluate.report.tables import format_number, json_ready
from ssm_net.formats.truth import Truth
from ssm_net.infer.run import infer
from ssm_net.simulate.world.laws import FAMILIES
from ssm_net.train.run import train

OWN_VALUE_SHOWN = Ablation(own_value_shown=True)
NO_LASTING_BIAS = Ablation(sensor_bias=1e-6)  # m3 m-3: as good as none, and nothing is divided by zero
COLUMNS = {"RMSE": ("RMSE", 4), "ratio": ("/ ref", 3), "RMSE clear": ("clear", 4), "RMSE cloudy": ("cloudy", 4),
           "RMSE orbit gap": ("gap", 4), "sub-grid R": ("sub R", 3), "sub-grid std ratio": ("sub std", 2)}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """A row of the table: its folder's ``name`` and what it is. ``change`` replaces settings of ``TrainConfig`` (a
    dict: values within one). ``shares`` names the variant, or the run of bench/skill.py, whose model is taken;
    ``left`` the mosaics that are there from bench/skill.py; ``ablation`` is given to ``train`` and ``infer``."""

    name: str
    what: str
    alone: bool = False  # trained from nothing
    change: Mapping[str, Any] = field(default_factory=dict)
    update: str = "gain"
    ablation: Ablation = NO_ABLATION
    shares: str = ""
    left: str = ""
    footprint: str = ""
    stations: bool = False


VARIANTS = (
    Variant("reference", "reference: prior, adapted, gain", left="network"),
    Variant("update-none", "update none (K = 0)", update="none", shares="network"),
    Variant("update-exact", "update exact (K = 1)", update="exact", shares="network"),
    Variant("box", "box footprint", footprint="box"),
    Variant("stations", "stations on", stations=True),
    Variant("alone", "from nothing", alone=True, left="alone"),
    Variant("own-value", "  own value as an input", alone=True, ablation=OWN_VALUE_SHOWN),
    Variant("own-value-none", "  the same, update none", alone=True, ablation=OWN_VALUE_SHOWN, update="none",
            shares="own-value"),
    Variant("no-bias", "  no lasting bias modelled", alone=True, ablation=NO_LASTING_BIAS),
    Variant("no-physics", "  without the physics hinge", alone=True, change={"physics": 0.0}),
    Variant("ridge", "ridge", left="ridge"),
)  # fmt: skip


def with_footprint(cube: Path, out: Path, footprint: str) -> Path:
    """The same cube said to have another footprint: its data are links."""
    out.mkdir(parents=True, exist_ok=True)
    for item in cube.iterdir():
        if item.name not in ("cube.json", ".lock") and not (out / item.name).exists():
            (out / item.name).symlink_to(item.resolve())
    meta = json.loads((cube / "cube.json").read_text())
    write_json(out / "cube.json", meta | {"attrs": meta["attrs"] | {"footprint": footprint}})
    return out


def settings(variant: Variant, folder: Path, cube: Path, run: SkillRun, seed: int) -> TrainConfig:
    """Those of bench/skill.py with what the variant changes."""
    home = folder / "ablations" / variant.name
    prior = folder / "prior"
    base = train_config(home / "run", cube, run.size, seed, None if variant.alone else prior)
    if variant.stations:
        base = replace(base, stations=str(folder / "raw" / "ismn"))
    change = {k: replace(getattr(base, k), **v) if isinstance(v, Mapping) else v for k, v in variant.change.items()}
    return replace(base, **change)


def mapped(variant: Variant, folder: Path, run: SkillRun, seed: int) -> Path:
    """The folder of the variant's mosaics; what is there is not made again."""
    if variant.left:
        return folder / "mosaics" / variant.left
    home, cube = folder / "ablations", folder / "cube.zarr"
    mine = home / variant.name
    mine.mkdir(parents=True, exist_ok=True)
    if variant.footprint:
        cube = with_footprint(cube, mine / "cube.zarr", variant.footprint)
    model = mine / "run"
    if variant.shares:
        model = folder / "runs" / variant.shares
        if any(v.name == variant.shares and not v.left for v in VARIANTS):
            model = home / variant.shares / "run"
    else:
        with timed(home, f"train {variant.name}", run.commit):
            train(settings(variant, folder, cube, run, seed), variant.ablation)
    with timed(home, f"infer {variant.name}", run.commit):
        infer(InferConfig(str(cube), str(mine / "mosaics"), run=str(model), update=variant.update), variant.ablation)
    return mine / "mosaics"


def left_whole(folder: Path, prior: Path, methods: Sequence[str]) -> bool:
    """Whether bench/skill.py has left all that is used of it: the mosaics of ``methods``, made with ``prior``."""
    if not (folder / "cube.zarr" / "cube.json").exists() or not comes_from(folder / "prior", prior):
        return False
    cube = open_cube(folder / "cube.zarr")
    mosaics = [folder / "mosaics" / m for m in methods]
    return all(m.is_dir() and Mosaics.open(m, cube.domain).days == tuple(cube.done_days()) for m in mosaics)


def ablate(
    folder: Path, run: SkillRun, family: str, seed: int, chosen: Sequence[Variant], console: Console
) -> dict[str, Any]:
    """Make and score the variants in one world. Returns its record for the results."""
    used = tuple(m for m in METHODS if m in {v.left for v in chosen})
    if not left_whole(folder, run.prior, used):
        console.print(f"{folder}: not there as a whole; made as bench/skill.py makes it")
        world(folder, replace(run, methods=used), family, seed)
    cube = open_cube(folder / "cube.zarr")
    truth = Truth.open(folder / "raw" / "truth.zarr", cube.domain)
    methods = {}
    for n, variant in enumerate(chosen, 1):
        console.print(f"[bold]{n} of {len(chosen)}: {variant.what.strip()}[/] ({variant.name})")
        out = mapped(variant, folder, run, seed)
        # The product says where it is clear or cloudy, and gives these strata their pixels: the reference here too.
        methods[PRODUCT if variant.name == "reference" else variant.name] = Mosaics.open(out, cube.domain)
    console.print(f"scoring {len(methods)} variants")
    found = score_days(EvaluationInputs(methods, truth, cube), methods[PRODUCT].days).scores
    scores = flat(found, list(methods))
    scores["reference"] = scores.pop("network")  # as the product is named in the tables of bench/skill.py
    kept = {v.name: {k: scores[v.name][k] for k in COLUMNS if k in scores[v.name]} for v in chosen}
    for row in kept.values():
        row["ratio"] = round(row["RMSE"] / kept["reference"]["RMSE"], 4)
    steps: dict[str, Any] = json.loads((folder / "steps.json").read_text())
    if (folder / "ablations" / "steps.json").exists():
        steps |= json.loads((folder / "ablations" / "steps.json").read_text())
    return {"family": family, "seed": seed, "pixels scored": found.counted, "scores": kept, "steps": steps}


def summary(worlds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over the seeds of each family."""
    out = {}
    for family in dict.fromkeys(w["family"] for w in worlds):
        mine = [w for w in worlds if w["family"] == family]
        out[family] = {
            "seeds": [w["seed"] for w in mine],
            "scores": {name: mean_and_spread([w["scores"][name] for w in mine]) for name in mine[0]["scores"]},
        }
    return out


def table_of(families: Mapping[str, Any]) -> Table:
    """All variants, family by family; those not made in a family are left out there."""
    seeds = "; ".join(f"{f}: seed {', '.join(map(str, found['seeds']))}" for f, found in families.items())
    table = Table(title=f"Ablations ({seeds})", title_justify="left", caption_justify="left",
                  caption="m3 m-3, against the 1 km truth; / ref: RMSE over that of the reference; sub: inside 36 km "
                  "cells, std over that of the truth")  # fmt: skip
    for heading in ("family", "variant"):
        table.add_column(heading, no_wrap=True)
    for heading, _ in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for family, found in families.items():
        rows = [v for v in VARIANTS if v.name in found["scores"]]
        for v in rows:
            score = found["scores"][v.name]
            cells = [format_number(score[k]["mean"], n) if k in score else "" for k, (_, n) in COLUMNS.items()]
            table.add_row(family, v.what, *cells, end_section=v is rows[-1])
    return table


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="that of bench/skill.py")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--seeds", default=str(FIRST_SEED), help="of the worlds, with commas")
    parser.add_argument("--alone-families", default="", help="families in which networks are trained from nothing too")
    parser.add_argument("--prior", type=Path, default=SHIPPED_PRIOR, help="a folder of pretrain.py; the shipped one")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    args = parser.parse_args(words)
    console, run = Console(), SkillRun(SIZES[args.size], args.prior, (), commit_of(ROOT))
    console.width = max(console.width, 120)  # a log file has no width of its own
    worlds = []
    for seed in map(int, args.seeds.split(",")):
        for family in args.families.split(","):
            console.rule(f"family {family}, seed {seed}")
            chosen = [v for v in VARIANTS if not v.alone or family in args.alone_families.split(",")]
            where = args.folder / f"{args.size}-{family}{seed}"
            worlds.append(ablate(where, run, family, seed, chosen, console))
    found = summary(worlds)
    command = command_of("ablations.py", words, args.folder)
    file = args.results / "ablations.json"
    write_json(file, json_ready({"command": command, "commit": run.commit, "machine": machine(),
                            "variants": {v.name: v.what.strip() for v in VARIANTS},
                            "families": found, "worlds": worlds}))  # fmt: skip
    console.print(table_of(found))
    console.print(f"Numbers: {file}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
