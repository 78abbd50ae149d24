"""Whether a record grows without its disk, its memory and its time a day growing, and whether kills change a map.

    python bench/produce.py FOLDER [--days 400] [--keep 60] [--kills 20] [--seed 1]

A world of 4 x 4 cells is simulated. Its first days (keep) are produced by one command and the others ten at a time, as
an operator would who comes by every ten days. Printed are, of blocks in the middle of the record and at its end, the
seconds a day, the bytes of the cube and of its pixels, and the peak memory of the process so far.

At the same time, in processes of its own, the whole record is produced once more in another folder, by one command
that is killed (-9) at times drawn from the seed, and given again. The benchmark fails where a map of the second record
is not that of the first, byte for byte, or where one is missing. All numbers go to bench/results/produce.json. The
seconds of the clock are those of a machine that does both; the processor's are those of the first record alone.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.config import ProduceConfig, SimulateConfig, load
from ssm_net.cube.json_files import write_json
from ssm_net.produce import produce
from ssm_net.simulate import simulate

START, BLOCK, COMPARED = dt.date(2016, 1, 1), 10, 5
SETTLED = 260  # days after which all that looks back sees as many days as it ever will: 180 of lags, 60 of pixels
LATER = 20.0  # seconds after a day is prepared within which a kill comes
DOMAIN = {"name": "tiny", "window": [70, 74, 774, 778]}
COMMAND = "from ssm_net.cli.command import main; main()"
SHOWN = ("seconds a day", "processor seconds a day", "cube MB", "cube on disk MB", "pixels MB", "peak memory MB")


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--keep", type=int, default=60)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    args = parser.parse_args(words)
    raw, last = args.folder / "raw", START + dt.timedelta(args.days - 1)
    if not (raw / "truth.zarr").exists():
        simulate(load(SimulateConfig, {"raw": str(raw), "start": str(START), "end": str(last), "domain": DOMAIN}))
    with ThreadPoolExecutor(1) as beside:
        killing = beside.submit(killed, raw, args.folder / "killed", last, args)
        rows = grown(raw, args.folder / "unbroken", args.days, args.keep)
        show(rows, args.days, args.keep)
        kills = killing.result()
    differing = compare(args.folder / "unbroken" / "mosaics", args.folder / "killed" / "mosaics", args.days)
    print(f"{len(kills)} kills; maps that differ or are missing: {len(differing)} of {args.days}")
    file = args.results / "produce.json"
    write_json(file, {
        "command": command_of("produce.py", words, args.folder), "commit": commit_of(ROOT), "machine": machine(),
        "blocks": rows, "kills": kills, "differing": differing,
    })  # fmt: skip
    print(f"Numbers: {file}")
    return int(bool(differing))


def keys_of(raw: Path, folder: Path, keep: int) -> dict[str, Any]:
    return {"raw": str(raw), "cube": str(folder / "cube.zarr"), "run": str(folder / "run"), "start": str(START),
            "mosaics": str(folder / "mosaics"), "keep": keep, "step": BLOCK}  # fmt: skip


def grown(raw: Path, folder: Path, days: int, keep: int) -> list[dict[str, Any]]:
    """A record of ``days``, begun with the ``keep`` days that networks are trained on, and added to in blocks of ten:
    what each block cost."""
    rows, made = list[dict[str, Any]](), 0
    for n in range(keep, days + 1, BLOCK):
        until, block, made = START + dt.timedelta(n - 1), n - made, n
        began, worked = time.perf_counter(), time.process_time()
        keys = keys_of(raw, folder, keep) | {"domain": DOMAIN, "until": str(until)}
        status = produce(load(ProduceConfig, keys), until)
        cube = folder / "cube.zarr"
        rows.append({
            "days": n, "state": status.state, "seconds a day": (time.perf_counter() - began) / block,
            "processor seconds a day": (time.process_time() - worked) / block,
            "cube MB": _megabytes(cube), "cube on disk MB": _allocated(cube), "pixels MB": _megabytes(cube / "fine"),
            "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        })  # fmt: skip
    return rows


def show(rows: Sequence[dict[str, Any]], days: int, keep: int) -> None:
    """The blocks in the middle of the record, and its last ones."""
    full = [row for row in rows if row["days"] > min(SETTLED, days // 2)]
    early, late = full[:COMPARED], full[-COMPARED:]
    table = Table(title=f"{days} days of 4 x 4 cells, {keep} of them with pixels", title_justify="left")
    table.add_column("")
    for rows_of in (early, late):
        table.add_column(f"days {rows_of[0]['days'] - BLOCK + 1} to {rows_of[-1]['days']}", justify="right")
    for key in SHOWN:
        table.add_row(key, *(f"{np.mean([row[key] for row in rows_of]):.3g}" for rows_of in (early, late)))
    Console().print(table)


def killed(raw: Path, folder: Path, last: dt.date, args: argparse.Namespace) -> list[dict[str, Any]]:
    """The record made by a command that is killed and given again; of each kill the seconds after which it came, and
    how many days had a map and were prepared. They spread over all of the record."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = keys_of(raw, folder, args.keep) | {"until": str(last), "domain.name": DOMAIN["name"]}
    window = f"domain.window=[{','.join(map(str, DOMAIN['window']))}]"
    words = [sys.executable, "-c", COMMAND, "produce", *(f"{k}={v}" for k, v in keys.items()), window]
    draw, kills = random.Random(args.seed), list[dict[str, Any]]()
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    share = args.days / (args.kills + 1)
    with open(folder / "log.txt", "a") as log:
        while len(kills) < args.kills:
            had = _maps(folder)
            began = time.perf_counter()
            with subprocess.Popen(words, stdout=log, stderr=log, env=env) as child:
                goal, after = share * (len(kills) + 1), draw.uniform(0, LATER)
                while child.poll() is None and _prepared(folder) < min(goal, args.days - 2):
                    time.sleep(0.05)
                time.sleep(after)
                if child.poll() is not None:
                    break
                child.kill()
            kills.append({"seconds": time.perf_counter() - began, "maps before": had, "maps": _maps(folder),
                          "prepared": _prepared(folder)})  # fmt: skip
        subprocess.run(words, stdout=log, stderr=log, env=env, check=True)
    return kills


def compare(one: Path, other: Path, days: int) -> list[str]:
    """The days whose maps differ, or are missing in one of two folders."""
    names = [f"ssm_tiny_{START + dt.timedelta(n):%Y%m%d}.nc" for n in range(days)]
    return [name for name in names if not _digest(one / name) == _digest(other / name) != ""]


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def _maps(folder: Path) -> int:
    return len(list((folder / "mosaics").glob("ssm_tiny_*.nc")))


def _prepared(folder: Path) -> int:
    return len(list((folder / "cube.zarr" / "status").glob("*.json")))


def _megabytes(folder: Path) -> float:
    """Of the files; one that several days share counts once."""
    files = {stat.st_ino: stat.st_size for f in folder.rglob("*") if f.is_file() for stat in [f.stat()]}
    return sum(files.values()) / 1e6


def _allocated(folder: Path) -> float:
    """What the files and folders take on this file system, MB."""
    return sum({stat.st_ino: stat.st_blocks * 512 for f in folder.rglob("*") for stat in [f.stat()]}.values()) / 1e6


if __name__ == "__main__":
    sys.exit(main())
