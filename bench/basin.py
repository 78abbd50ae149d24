"""From an empty folder to daily maps of a small basin, against an archive on this machine, as its user would do it.

    python bench/basin.py build/basin

A world is simulated in the native formats of the archives and served by ``loopback_archive.py``. Then, in processes of
their own: ``download``, killed (-9) in the middle of a file and begun again, ``prepare``, ``train``, ``infer`` and
``evaluate``. It fails where a file that came differs from the archive's, where the second download fetches a file again
that the first one had finished, or where a day has no map. What takes how long is printed at the end.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from archive_entry import Granule
from loopback_archive import USER, WORD, LoopbackArchive

from ssm_net.config import SimulateConfig, load
from ssm_net.download.archive_products import ARCHIVE_PRODUCTS, Collection
from ssm_net.ingest.naming import day_in_name
from ssm_net.simulate import simulate

ROOT = Path(__file__).parents[1]
START, END, LEAD = dt.date(2018, 6, 1), dt.date(2018, 6, 30), 12
BBOX = [24.8, 45.6, 25.6, 46.2]
# What the world holds, what is downloaded of it, and what its user puts into raw/ herself.
WORLD: dict[str, object] = {"sensors": "viirs", "ssm": ["LPRM"], "static_tiles": True}
PRODUCTS = ("LPRM", "VNP21A1", "VNP43MA4", "IMERG", "MOD44W")
BY_HAND = ("static", "ismn")
IMERG = "3B-DAY.MS.MRG.3IMERG.{:%Y%m%d}-S000000-E235959.V07B.nc4"  # of the files of ``precip``


def main(folder: Path) -> None:
    world, raw = folder / "world", folder / "raw"
    times: dict[str, float] = {}
    began = time.perf_counter()
    domain = {"name": "basin", "bbox": BBOX}
    first = START - dt.timedelta(days=LEAD)
    simulate(load(SimulateConfig, {"raw": str(world), "start": str(first), "end": str(END), "domain": domain} | WORLD))
    times["simulate"] = time.perf_counter() - began
    shutil.rmtree(raw, ignore_errors=True)
    for name in BY_HAND:
        if (world / name).exists():
            shutil.copytree(world / name, raw / name, ignore=shutil.ignore_patterns("MOD44W*"))
    with LoopbackArchive(list(served(world))) as archive:
        times["download"] = fetch(archive, raw, folder)
    compare(archive.granules, raw)
    cube, run, maps = folder / "cube.zarr", folder / "run", folder / "mosaics"
    where = ["domain.name=basin", f"domain.bbox=[{','.join(map(str, BBOX))}]"]
    for verb, *keys in (
        ("prepare", f"raw={raw}", f"cube={cube}", *where, f"start={first}", f"end={END}"),
        ("train", f"cube={cube}", f"run={run}"),
        ("infer", f"cube={cube}", f"run={run}", f"mosaics={maps}", f"start={START}", f"end={END}"),
        ("evaluate", f"mosaics={maps}", f"cube={cube}", f"report={folder / 'report'}", f"truth={world / 'truth.zarr'}",
         f"stations={raw / 'ismn'}"),
    ):  # fmt: skip
        times[verb] = timed([verb, *keys])
    made = sorted(maps.glob("ssm_basin_*.nc"))
    days = (END - START).days + 1
    if len(made) != days:
        sys.exit(f"{len(made)} maps of {days} days")
    print(f"\n{days} daily maps in {maps}, the report in {folder / 'report'}")
    print("seconds: " + ", ".join(f"{verb} {seconds:.0f}" for verb, seconds in times.items()))


def served(world: Path) -> Iterator[Granule]:
    """The files of a world that an archive has, each in the collection that its name tells."""
    collections = [c for product in ARCHIVE_PRODUCTS for c in (*product.collections, *product.late)]
    for path in sorted(p for p in world.rglob("*") if p.is_file() and "truth.zarr" not in p.parts):
        day = day_in_name(path.name)
        name = IMERG.format(day) if path.parent.name == "precip" and day else path.name
        if (collection := _collection(name, collections)) is not None:
            begin = dt.datetime.combine(day, dt.time()) if day else None
            yield Granule((collection.short_name, collection.version or "009"), name, path.read_bytes(), begin,
                          signed=not collection.whole_earth)  # fmt: skip


def _collection(name: str, collections: Sequence[Collection]) -> Collection | None:
    return next((c for c in collections if c.name.fullmatch(name)), None)


def fetch(archive: LoopbackArchive, raw: Path, folder: Path) -> float:
    """Download, killed in the middle of a file, and again; returns the seconds of both."""
    keys = [f"raw={raw}", f"domain.bbox=[{','.join(map(str, BBOX))}]", "domain.name=basin", f"start={START}",
            f"end={END}", f"lead={LEAD}", f"products=[{','.join(PRODUCTS)}]", *archive.keys()]  # fmt: skip
    begin = time.perf_counter()
    timed(["download", *keys, "plan=true"])
    archive.faults[archive.granules[len(archive.granules) // 2].name] = ["stall"]
    with subprocess.Popen(command(["download", *keys]), env=environment(folder), stdout=subprocess.DEVNULL) as child:
        if not archive.stalled.wait(300):
            sys.exit("the download did not come to the middle")
        child.kill()
    archive.go_on.set()
    whole = {path.name for path in raw.rglob("*") if path.is_file()}
    parts = sorted(name for name in whole if name.endswith(".part"))
    print(f"\nkilled: {sum(g.name in whole for g in archive.granules)} of {len(archive.granules)} files are whole, "
          f"unfinished: {', '.join(parts) or 'none'}\n")  # fmt: skip
    archive.requests.clear()
    timed(["download", *keys], folder)
    again = {r.path.partition("?")[0].rpartition("/")[2] for r in archive.requests if r.server == "data"} & whole
    if again:
        sys.exit(f"fetched again, though they were whole: {', '.join(sorted(again))}")
    timed(["download", *keys], folder)
    return time.perf_counter() - begin


def compare(granules: Sequence[Granule], raw: Path) -> None:
    """End where a file that came is not the archive's, byte for byte."""
    here = {path.name: path for path in raw.rglob("*") if path.is_file()}
    came = [g for g in granules if g.name in here]
    other = [g.name for g in came if here[g.name].read_bytes() != g.content]
    left = [name for name in here if name.endswith(".part")]
    if other or left or not came:
        sys.exit(f"other bytes: {other}; unfinished: {left}; came: {len(came)}")
    print(f"{len(came)} of the archive's {len(granules)} files are wanted, and came as they are there")


def timed(words: Sequence[str], folder: Path = ROOT) -> float:
    """Run a verb in a process of its own, and end where it fails; the seconds it took."""
    begin = time.perf_counter()
    subprocess.run(command(words), env=environment(folder), check=True)
    return time.perf_counter() - begin


def command(words: Sequence[str]) -> list[str]:
    return [sys.executable, str(ROOT / f"{words[0]}.py"), *words[1:]]


def environment(folder: Path) -> dict[str, str]:
    """With a login of the loopback archive, and no other."""
    known = {k: v for k, v in os.environ.items() if not k.startswith("EARTHDATA")}
    login = {"EARTHDATA_USERNAME": USER, "EARTHDATA_PASSWORD": WORD, "NETRC": str(folder / "no-netrc")}
    return known | login | {"PYTHONPATH": os.pathsep.join([str(ROOT), known.get("PYTHONPATH", "")])}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder.absolute())
