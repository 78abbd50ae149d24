"""How good the maps are inside a coarse cell, at the stations of a dense network.

    python bench/ground.py TABLE.csv.gz [--prior shipped|FOLDER] [--predictions FILE.csv] [--results FOLDER]

TABLE holds a row a station and day of one 36 km cell: date (UTC), site, lat, ssm (m3 m-3), lst_day (K), elevation (m),
and where they are known ndvi, sand and clay (fractions) and rain (mm; the rain of a row fell in the UTC day before it).
A column `cell` may distinguish several cells. A station is judged on each day on which at least six others report:
the truth is its value less their mean, which a method predicts from satellite values alone.

The networks run by the product's own code on an endless plain whose cells hold the mean of the others
(bench/ground_network.py). Soil moisture of the table enters only as that mean, also when the last layer is adapted, as
train.py does. Slopes of the baselines come from simulated worlds (bench/results/ground-slopes.json); with --worlds they
are learned anew, in worlds that stay in that folder. With --ablations the networks, not adapted, do without one kind of
feature at a time, and each predicts alone; numbers then go to RESULTS/ground-ablations.json.

Prints two tables and writes RESULTS/ground.json. With --predictions a row a station and day goes to that file: date,
site, coarse (mean of the others), anomaly, and its standard error sigma, all in m3 m-3.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from families import FAST, HEAT, MAPS, RAIN, SEEN, SLOW
from ground_baselines import FAMILIES, SEED, learn_slopes, linear_anomalies, read_slopes, station_features
from ground_inputs import absent_columns
from ground_network import GroundNetworks, Predictions
from ground_scores import Scores, at_rows, judged_rows, score, score_tables
from ground_table import StationCell, read_cells
from left_out import one_member
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console

from ssm_net.core.files import write_whole
from ssm_net.cube.json_files import write_json
from ssm_net.errors import SsmNetError
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, Trained, load_trained
from ssm_net.evaluate.report.tables import json_ready

SLOPES = "ground-slopes.json"
RESULTS = ROOT / "bench" / "results"
NO_LEVEL = ("brightness",)  # an index has none
TEXTURE = ("sand", "clay")
NETWORKS = {"ssm_net": NO_LEVEL, "ssm_net without texture, NDVI": (*NO_LEVEL, *TEXTURE, "ndvi")}
# Of --ablations: the features that the networks do without. A table may lack some of them anyway.
ABLATIONS = {
    "ssm_net": NO_LEVEL,
    "without texture": (*NO_LEVEL, *TEXTURE),
    "without NDVI": (*NO_LEVEL, "ndvi"),
    "without texture, NDVI": (*NO_LEVEL, *TEXTURE, "ndvi"),
    "without static maps": (*NO_LEVEL, *MAPS),
    "without today's LST": (*NO_LEVEL, *HEAT),
    "without the fast memory": (*NO_LEVEL, *FAST),
    "without the slow memory": (*NO_LEVEL, *SLOW),
    "without LST": (*NO_LEVEL, *HEAT, *FAST, *SLOW, *SEEN),
    "without rain": (*NO_LEVEL, *RAIN),
}
UNDOWNSCALED = "undownscaled"
INTERVALS = (
    "95 % intervals resample stations. Static: of the stations' means; dynamic: of the rest. R in time: the median of "
    "stations. Intervals of 68 and 90 % include a point error of 0.05 m3 m-3."
)


def exchanged(cell: StationCell) -> StationCell:
    """The cell with the maps of sand and clay in each other's place."""
    if not {"sand", "clay"} <= cell.static.keys():
        return cell
    return replace(cell, static=cell.static | {"sand": cell.static["clay"], "clay": cell.static["sand"]})


def network_predictions(cells: Sequence[StationCell], trained: Trained, adapt: bool) -> dict[str, list[Predictions]]:
    """Predictions of each set of features and each setting of the networks, cell by cell; with ``adapt`` also of the
    adapted ones."""
    out: dict[str, list[Predictions]] = {}
    for cell in cells:
        for name, exclude in NETWORKS.items():
            for setting, predictions in GroundNetworks(cell, trained, exclude).predict(adapt).items():
                out.setdefault(f"{name}, {setting}", []).append(predictions)
    return out


def ablated_predictions(cells: Sequence[StationCell], trained: Trained) -> dict[str, list[Predictions]]:
    """Predictions of the networks as they are, without one kind of feature at a time, and by each member alone."""
    out: dict[str, list[Predictions]] = {}
    alone = [one_member(trained, n) for n in range(len(trained.network.members))]
    variants = [(name, trained, exclude) for name, exclude in ABLATIONS.items()]
    variants += [(f"network {n} alone", member, NO_LEVEL) for n, member in enumerate(alone, 1)]
    for n, (name, networks, exclude) in enumerate(variants, 1):
        print(f"{n} of {len(variants)}: {name}", flush=True)
        out[name] = [GroundNetworks(cell, networks, exclude).predict(adapt=False)["prior"] for cell in cells]
    return out


def baseline_scores(
    cells: Sequence[StationCell], rows: pd.DataFrame, slopes: Mapping[str, Mapping[str, float]]
) -> dict[str, Scores]:
    """Scores of the undownscaled value and of each linear baseline."""
    by_cell = [linear_anomalies(cell, station_features(cell), slopes) for cell in cells]
    scores = {UNDOWNSCALED: score(rows, np.zeros(len(rows)))}
    return scores | {name: score(rows, at_rows(cells, [p[name] for p in by_cell])) for name in slopes}


def network_scores(
    cells: Sequence[StationCell], rows: pd.DataFrame, networks: Mapping[str, Sequence[Predictions]]
) -> dict[str, Scores]:
    """Scores of the networks, with the bias of the level of the cell, m3 m-3."""
    out = {}
    for name, predictions in networks.items():
        anomaly, sigma, level = (at_rows(cells, [getattr(p, k) for p in predictions])
                                 for k in ("anomaly", "sigma", "level"))  # fmt: skip
        out[name] = score(rows, anomaly, sigma) | {"bias of the level": float(np.mean(level - rows["coarse"]))}
    return out


def write_predictions(
    file: Path, cells: Sequence[StationCell], rows: pd.DataFrame, predictions: Sequence[Predictions]
) -> None:
    """A row a station and day: date, site, coarse, anomaly and sigma."""
    table = rows[["date", "site", "coarse"]].assign(
        anomaly=at_rows(cells, [p.anomaly for p in predictions]), sigma=at_rows(cells, [p.sigma for p in predictions])
    )
    if rows["cell"].nunique() > 1:
        table.insert(1, "cell", rows["cell"])
    text = table.sort_values(["date", "site"]).to_csv(index=False, float_format="%.6f", date_format="%Y-%m-%d")
    write_whole(file, text.encode())


def command(words: Sequence[str], arguments: argparse.Namespace) -> str:
    """The command as another would type it, with names in place of the folders and files of this machine."""
    names = {arguments.table: "TABLE.csv.gz", arguments.worlds: "WORLDS", arguments.predictions: "FILE.csv"}
    named = [next((name for path, name in names.items() if path and str(path) == word), word) for word in words]
    return command_of("ground.py", named, arguments.results)


def slopes_of(arguments: argparse.Namespace, words: Sequence[str], commit: str) -> dict[str, dict[str, float]]:
    """Those that are kept, or, with ``--worlds``, those learned in simulated worlds, which are then kept."""
    if arguments.worlds is None:
        return read_slopes(RESULTS / SLOPES)
    slopes = learn_slopes(arguments.worlds, arguments.seeds)
    worlds = [f"{family}{SEED + n}" for family in FAMILIES for n in range(arguments.seeds)]
    write_json(arguments.results / SLOPES, {"command": command(words, arguments), "commit": commit,
                                            "worlds": worlds, "slopes": slopes})  # fmt: skip
    return slopes


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("table", type=Path, metavar="TABLE", help="station table, CSV, may be compressed")
    out.add_argument("--prior", default="shipped", help="folder of a trained model, or shipped (default)")
    out.add_argument("--predictions", type=Path, metavar="FILE", help="CSV to write, a row a station and day")
    out.add_argument("--no-adapt", action="store_true",
                     help="the prior as it is only: half the time, and its predictions are written")  # fmt: skip
    out.add_argument("--ablations", action="store_true",
                     help="the networks without one kind of feature at a time, not adapted")  # fmt: skip
    out.add_argument("--exchange-texture", action="store_true",
                     help="read the columns sand and clay the other way round")  # fmt: skip
    out.add_argument("--worlds", type=Path, metavar="FOLDER", help="learn the baselines' slopes anew, in worlds there")
    out.add_argument("--seeds", type=int, default=2, help="worlds of each family for --worlds (default 2)")
    out.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER", help="folder of the JSON files")
    return out


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(words)
    console, commit = Console(), commit_of(ROOT)
    console.width = max(console.width, 150)  # a log file has no width of its own
    try:
        cells = read_cells(arguments.table)
        if arguments.exchange_texture:
            cells = [exchanged(cell) for cell in cells]
        if absent := absent_columns(cells):
            console.print(f"the table has no {', '.join(absent)}: features made of them are missing")
        begun, rows = time.perf_counter(), judged_rows(cells)
        scores = baseline_scores(cells, rows, slopes_of(arguments, words, commit))
        trained = load_trained(SHIPPED_PRIOR if arguments.prior == "shipped" else arguments.prior)
        if arguments.ablations:
            networks = ablated_predictions(cells, trained)
        else:
            networks = network_predictions(cells, trained, not arguments.no_adapt)
    except SsmNetError as err:
        console.print(f"[red]{err}[/]", soft_wrap=True)
        return 2
    scores |= network_scores(cells, rows, networks)
    if arguments.predictions is not None:
        product = "ssm_net" if arguments.ablations else f"ssm_net, {'prior' if arguments.no_adapt else 'adapted'}"
        write_predictions(arguments.predictions, cells, rows, networks[product])
    stations = sum(len(cell.sites) for cell in cells)
    title = f"{stations} stations, {len(rows):,} station-days, {arguments.table.name}"
    console.print(*score_tables(scores, title))
    console.print(INTERVALS, soft_wrap=True)
    record = {
        "command": command(words, arguments), "commit": commit, "machine": machine(),
        "seconds": round(time.perf_counter() - begun, 1), "cells": len(cells), "stations": stations,
        "station-days": len(rows), "prior": Path(arguments.prior).name, "methods": scores,
    }  # fmt: skip
    file = arguments.results / ("ground-ablations.json" if arguments.ablations else "ground.json")
    write_json(file, json_ready(record))
    console.print(f"Numbers: {file}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
