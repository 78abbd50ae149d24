"""Families left out: how networks do in many worlds of a family of physics that they have never met.

    python bench/families.py FOLDER [--prior ssm_net/prior] [--families A B C D E F] [--count 6] [--workers 2]

A family is judged by the members of the prior that have not met it. Worlds lie all over the Earth, in all seasons;
their thinned pixels are kept in FOLDER (half a minute of one core a world). Each is mapped as ``train`` and ``infer``
would map it, with one part of the method or one kind of input left out at a time, and after 1, 3 and 10 days without
any observation. Beside the networks: bilinear interpolation; the regional slopes alone, which are a ridge on the
target's record; and an oracle, the same networks with their last layer fitted to the truth of every second day. Prints
a table a family and one of all; numbers go to bench/results/families.json.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from family_scores import COLUMNS, score
from family_worlds import Method, judged_worlds, maps_of, oracle_maps, slope_maps
from left_out import without_family
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.cube.json_files import write_json
from ssm_net.estimators.checkpoint import load_trained
from ssm_net.evaluate.report.tables import json_ready
from ssm_net.pretrain.samples import World

HEAT = ("lst_day_today", "lst_night_today")
FAST = ("lst_day_memory", "lst_day_confidence", "lst_night_memory", "lst_night_confidence")
SLOW = ("lst_day_slow", "lst_day_slow_confidence")
GREEN = ("ndvi", "ndwi", "swir_index", "swir2", "brightness", "reflectance_age")
SWIR = ("ndwi", "swir_index", "swir2")
MAPS = ("relief", "sand", "clay", "water_fraction")
RAIN = ("rain", "api_2", "api_10", "api_30")
SEEN = ("lst_day_seen", "lst_night_seen")


KEPT = ("bilinear", "regional slopes alone", "networks", "oracle")  # of each world in the results

METHODS: dict[str, Method] = {
    "networks": Method(),
    "without regional slopes": Method(slopes=False),
    "without last layer": Method(last_layer=False),
    "last layer of 0.003": Method(weight=0.003),
    "last layer of 0.03": Method(weight=0.03),
    "level of 0.01, pattern of 0.003": Method(pattern=0.003),
    "level of 0.03, pattern of 0.003": Method(weight=0.03, pattern=0.003),
    "drawn back where members disagree": Method(drawn_back=True),
    "without either: the prior": Method(slopes=False, last_layer=False),
    "without the update": Method(update=False),
    "13 stations in one cell": Method(stations=13),
    "one member": Method(alone=True),
    "without texture, relief, water": Method(without=MAPS),
    "without texture": Method(without=("sand", "clay")),
    "without reflectance": Method(without=GREEN),
    "without SWIR": Method(without=SWIR),
    "without brightness": Method(without=("brightness",)),
    "without NDVI": Method(without=("ndvi",)),
    "without today's LST": Method(without=HEAT),
    "without the fast memory": Method(without=FAST),
    "without the slow memory": Method(without=SLOW),
    "without LST": Method(without=HEAT + FAST + SLOW + SEEN),
    "without rain": Method(without=RAIN),
    "1 day without observations": Method(outage=1),
    "3 days without observations": Method(outage=3),
    "10 days without observations": Method(outage=10),
    "10 days without, and no LST": Method(outage=10, without=HEAT + FAST + SEEN),
    "no observation in reach": Method(unobserved=True),
    "no observation in reach, not told what is usual": Method(unobserved=True, usual=False),
    "1 day ahead": Method(ahead=1),
    "3 days ahead": Method(ahead=3),
    "6 days ahead": Method(ahead=6),
}


def judge(name: str, world: World, prior: Path, family: str, methods: Sequence[str]) -> dict[str, Any]:
    """The scores of each method in one world."""
    torch.set_num_threads(1)
    trained = without_family(load_trained(prior), family)
    maps = maps_of(world, trained, METHODS["networks"])
    out = {
        "bilinear": score(maps, [m.bilinear for m in maps]),
        "regional slopes alone": score(maps, slope_maps(world, trained, maps)),
        "oracle": score(oracle_maps(world, trained)),
    }
    for method in methods:
        out[method] = score(maps if method == "networks" else maps_of(world, trained, METHODS[method]))
    return {"world": name, "family": family, "scores": out}


def means(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Over worlds: errors as root mean squares, all else as means."""
    out: dict[str, dict[str, float]] = {}
    for method in rows[0]["scores"]:
        values = {key: np.array([row["scores"][method][key] for row in rows]) for key in COLUMNS}
        known = {key: v[np.isfinite(v)] for key, v in values.items()}
        out[method] = {
            key: math.nan if not v.size else float(np.sqrt((v**2).mean())) if COLUMNS[key].error else float(v.mean())
            for key, v in known.items()
        }
    return out


def table_of(title: str, scores: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(title=title, title_justify="left", caption="m3 m-3; inside: of 36 km cells", caption_justify="left")
    table.add_column("", no_wrap=True)
    for column in COLUMNS.values():
        table.add_column(column.heading, justify="right")
    for method, row in scores.items():
        cells = ["" if math.isnan(row[key]) else f"{row[key]:.{c.digits}f}" for key, c in COLUMNS.items()]
        table.add_row(method, *cells, end_section=method in ("oracle", "networks", "one member"))
    return table


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prior", type=Path, default=ROOT / "ssm_net" / "prior")
    parser.add_argument("--families", nargs="+", default=list("ABCDEF"))
    parser.add_argument("--count", type=int, default=6, help="worlds a family")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS), metavar="METHOD")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    parser.add_argument("--name", default="families", help="of the JSON, without its ending")
    args = parser.parse_args(words)
    console = Console()
    console.width = max(console.width, 170)  # a log file has no width of its own
    rows = []
    for family in args.families:
        worlds = judged_worlds(family, args.count, args.folder, args.workers)
        with ProcessPoolExecutor(args.workers) as pool:
            jobs = [pool.submit(judge, name, w, args.prior, family, args.methods) for name, w in worlds.items()]
            of_family = [job.result() for job in jobs]
        console.print(table_of(f"Family {family}, {len(worlds)} worlds", means(of_family)))
        rows += of_family
    families = {f: means([r for r in rows if r["family"] == f]) for f in args.families}
    console.print(table_of(f"All families, {len(rows)} worlds", means(rows)))
    file = args.results / f"{args.name}.json"
    write_json(file, json_ready({
        "command": command_of("families.py", words, args.folder), "commit": commit_of(ROOT), "machine": machine(),
        "prior": load_trained(args.prior).digest, "families": families, "all": means(rows),
        "worlds": [row | {"scores": {m: row["scores"][m] for m in KEPT}} for row in rows],
    }))  # fmt: skip
    console.print(f"Numbers: {file}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
