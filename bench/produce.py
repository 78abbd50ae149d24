"""Whether a record grows without its disk, its memory and its time a day growing: 400 small days through ``produce``.

    python bench/produce.py FOLDER [--days 400] [--keep 60]

A world of 4 x 4 cells is simulated, and its days are produced ten at a time, as an operator would who comes by every
ten days. Printed are, of the blocks after the window of days is full and of the last ones, the seconds a day, the bytes
of the cube and of its pixels, and the peak memory of the process so far; the numbers go to bench/results/produce.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.config import ProduceConfig, SimulateConfig, load
from ssm_net.cube.store import write_json
from ssm_net.produce import produce
from ssm_net.simulate import simulate

START, BLOCK, COMPARED = dt.date(2016, 1, 1), 10, 5
DOMAIN = {"name": "tiny", "window": [70, 74, 774, 778]}


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--keep", type=int, default=60)
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    args = parser.parse_args(words)
    raw, last = args.folder / "raw", START + dt.timedelta(args.days - 1)
    simulate(load(SimulateConfig, {"raw": str(raw), "start": str(START), "end": str(last), "domain": DOMAIN}))
    keys = {"raw": str(raw), "cube": str(args.folder / "cube.zarr"), "run": str(args.folder / "run"),
            "mosaics": str(args.folder / "mosaics"), "start": str(START), "domain": DOMAIN,
            "keep": args.keep, "step": BLOCK}  # fmt: skip
    rows = []
    for n in range(BLOCK, args.days + 1, BLOCK):
        until = START + dt.timedelta(n - 1)
        began = time.perf_counter()
        status = produce(load(ProduceConfig, keys | {"until": str(until)}), until)
        seconds = time.perf_counter() - began
        cube = args.folder / "cube.zarr"
        rows.append({
            "days": n, "state": status.state, "seconds a day": seconds / BLOCK,
            "cube MB": _megabytes(cube), "pixels MB": _megabytes(cube / "fine"),
            "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        })  # fmt: skip
    full = [row for row in rows if row["days"] > args.keep + BLOCK]
    early, late = full[:COMPARED], full[-COMPARED:]
    table = Table(title=f"{args.days} days of 4 x 4 cells, {args.keep} of them with pixels", title_justify="left")
    table.add_column("")
    for rows_of in (early, late):
        table.add_column(f"days {rows_of[0]['days'] - BLOCK + 1} to {rows_of[-1]['days']}", justify="right")
    for key in ("seconds a day", "cube MB", "pixels MB", "peak memory MB"):
        table.add_row(key, *(f"{np.mean([row[key] for row in rows_of]):.3g}" for rows_of in (early, late)))
    Console().print(table)
    file = args.results / "produce.json"
    write_json(file, {"command": command_of("produce.py", words, args.folder), "commit": commit_of(ROOT),
                      "machine": machine(), "blocks": rows})  # fmt: skip
    print(f"Numbers: {file}")
    return 0


def _megabytes(folder: Path) -> float:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6


if __name__ == "__main__":
    sys.exit(main())
