"""Disk and processor time of a small basin, from granules to maps, in simulation; and what a season would take.

    python bench/basin_cost.py FOLDER [--days 12] [--season 183] [--check]

One block of 144 x 144 km (the smallest domain, of which 100 x 100 km is a part) at the soil moisture network REMEDHUS
in Spain, in native formats, with static maps as tiles. Each command runs in a process of its own. Processor time is
printed, not time on the clock: other programs on the machine do not change it much. Simulated granules are smaller than
those of the archives, which hold whole tiles: `ssm-net download ... plan=true` says how large those are.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from provenance import ROOT, command_of, commit_of, machine

from ssm_net.cube.json_files import write_json

BOX = "[-5.9,41.0,-5.3,41.5]"
FIRST = dt.date(2018, 4, 1)
GOAL_MINUTES = 60  # of a processor, for a season


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def timed(verb: str, *keys: str) -> float:
    """Processor seconds of a verb."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, str(ROOT / f"{verb}.py"), *keys], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(folder: Path, days: int) -> dict[str, dict[str, float]]:
    """Seconds of each verb for the first day alone and for all days, and bytes of what it writes for all of them."""
    raw, cube, run, maps = (folder / name for name in ("raw", "cube.zarr", "run", "mosaics"))
    where = ["domain=custom", "domain.name=duero", f"domain.bbox={BOX}"]
    last = FIRST + dt.timedelta(days=days - 1)
    shutil.rmtree(folder, ignore_errors=True)
    timed("simulate", f"raw={raw}", *where, f"start={FIRST}", f"end={last}", "static_tiles=true")
    out: dict[str, dict[str, float]] = {}

    def both(verb: str, first: list[str], rest: list[str], made: Path) -> None:
        one = timed(verb, *first)
        more = timed(verb, *rest)
        out[verb] = {"first": one, "day": max(more, 0) / (days - 1), "bytes_a_day": folder_size(made) / days}

    prepare = [f"raw={raw}", f"cube={cube}", *where, f"start={FIRST}"]
    both("prepare", [*prepare, f"end={FIRST}"], [*prepare, f"end={last}"], cube)
    out["train"] = {"first": timed("train", f"cube={cube}", f"run={run}"), "day": 0.0, "bytes_a_day": 0.0}
    infer = [f"cube={cube}", f"run={run}", f"mosaics={maps}"]
    both("infer", [*infer, f"start={FIRST}", f"end={FIRST}"], infer, maps)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=12)
    parser.add_argument("--season", type=int, default=183, help="days to extrapolate to")
    parser.add_argument("--results", type=Path, help="folder for basin_cost.json")
    parser.add_argument(
        "--check", action="store_true", help=f"fail above {GOAL_MINUTES} minutes of a processor a season"
    )
    args = parser.parse_args()
    out = measured(args.folder, args.days)
    minutes = 0.0
    print(f"{'':10}{'first day':>10}{'a day more':>12}{f'{args.season} days':>12}{'disk':>10}")
    for verb, cost in out.items():
        season = (cost["first"] + cost["day"] * (args.season - 1)) / 60
        minutes += season
        disk = f"{cost['bytes_a_day'] * args.season / 2**20:.0f} MiB" if cost["bytes_a_day"] else ""
        print(f"{verb:10}{cost['first']:8.1f} s{cost['day']:10.2f} s{season:8.1f} min{disk:>10}")
    print(f"{args.season} days (extrapolated from {args.days}): {minutes:.0f} minutes of one processor")
    if args.results:
        made = {
            "command": command_of("basin_cost.py", sys.argv[1:], args.folder),
            "commit": commit_of(ROOT),
            "machine": machine(),
        }
        write_json(args.results / "basin_cost.json", made | {"days": args.days, "verbs": out})
    if args.check and minutes > GOAL_MINUTES:
        sys.exit(f"goal missed: {minutes:.0f} minutes, goal {GOAL_MINUTES}")


if __name__ == "__main__":
    main()
