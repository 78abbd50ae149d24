"""Whether worlds can look like real ground: the table of points inside cells, real and over drawn worlds.

    python bench/wide_worlds.py FOLDER [--count 20] [--cells 4] [--days 730] [--families D E F ...] [--workers 2]

Each world is drawn with a family, a seed and a place of its own (both hemispheres, all longitudes). Its series at 13
points of each cell are the light path of ``simulate``: no files are written. Soil moisture carries the error of a point
(0.05 m3 m-3), but for the rows of its memory, which are those of pixels. FOLDER keeps a file a world, so that an
interrupted run continues. The table is in ``bench/results/wide_worlds.json``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.core.files import write_whole
from ssm_net.grid import Domain
from ssm_net.simulate.point_series import simulate_points, station_table
from ssm_net.simulate.point_table import REAL

FAMILIES = ("D", "E", "F", "DE", "DF", "EF", "DEF", "ADF", "BDE", "CDF")
ROWS = ((30, 180), (224, 340))  # M36 rows of 64-8 N and 6-44 S
START = dt.date(2015, 1, 1)


def make_row(family: str, number: int, cells: int, days: int) -> dict[str, Any]:
    """The table of one world, by name, with where it lies and how long it took."""
    torch.set_num_threads(1)
    rng = np.random.default_rng([number, *family.encode()])
    seed = int(rng.integers(2**31))
    low, high = ROWS[int(rng.uniform() < 0.4)]
    row, col = 4 * int(rng.integers(low // 4, high // 4)), 4 * int(rng.integers(0, (964 - cells) // 4))
    domain = Domain("world", (row, row + cells, col, col + cells))
    begin = time.perf_counter()
    pixels = simulate_points(family, seed, domain, START, days)
    seconds = time.perf_counter() - begin
    table = station_table(pixels, seed)
    rows = {name: value if math.isfinite(value) else None for name, value in table.items()}
    lon, lat = (float(x.mean()) for x in domain.lonlat())
    return {"family": family, "seed": seed, "lon": lon, "lat": lat, "seconds": seconds, "rows": rows}


def compare(worlds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row of the table: its real value, the range over worlds, and whether the value lies inside."""
    out = []
    for name, real in REAL.items():
        values = [w["rows"][name] for w in worlds if w["rows"][name] is not None and math.isfinite(w["rows"][name])]
        low, middle, high = np.quantile(values, (0, 0.5, 1)) if values else (math.nan,) * 3
        out.append({"row": name, "real": real, "low": float(low), "median": float(middle), "high": float(high),
                    "worlds": len(values), "inside": bool(low <= real <= high)})  # fmt: skip
    return out


def _print(rows: list[dict[str, Any]], console: Console) -> None:
    table = Table(title="Points inside cells: real, and over the drawn worlds", title_justify="left")
    for column in ("quantity", "real", "lowest", "median", "highest", ""):
        table.add_column(column, justify="left" if column == "quantity" else "right")
    for row in rows:
        numbers = [f"{row[key]:.3g}" for key in ("real", "low", "median", "high")]
        table.add_row(row["row"], *numbers, "inside" if row["inside"] else "OUTSIDE")
    console.print(table)
    console.print(f"{sum(r['inside'] for r in rows)} of {len(rows)} real values lie inside the range")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--cells", type=int, default=4, help="a side, a multiple of 4")
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--families", nargs="+", default=list(FAMILIES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results")
    return parser.parse_args()


def main() -> None:
    args = _arguments()
    args.folder.mkdir(parents=True, exist_ok=True)
    wanted = [(args.families[n % len(args.families)], n) for n in range(args.count)]
    files = [args.folder / f"{family}{n}_{args.cells}_{args.days}.json" for family, n in wanted]
    missing = {file: key for file, key in zip(files, wanted, strict=True) if not file.exists()}
    with ProcessPoolExecutor(args.workers) as pool:
        futures = {file: pool.submit(make_row, *key, args.cells, args.days) for file, key in missing.items()}
        for file, future in futures.items():
            write_whole(file, json.dumps(future.result(), indent=1).encode())
    worlds = [json.loads(f.read_text(encoding="utf-8")) for f in files]
    rows = compare(worlds)
    _print(rows, Console())
    result = {"command": command_of("wide_worlds.py", [str(args.folder), "--count", str(args.count)], args.folder),
              "commit": commit_of(ROOT), "machine": machine(), "cells": args.cells, "days": args.days,
              "seconds_a_world": float(np.median([w["seconds"] for w in worlds])), "rows": rows,
              "worlds": worlds}  # fmt: skip
    write_whole(args.results / "wide_worlds.json", (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
