"""Patches for training from a cube, against plain reading and against what one would write otherwise.

    python bench/loader.py FOLDER [--days 3] [--patches 40] [--check]

FOLDER keeps the cube (as bench/national.py makes it, by default a part of the country: made once, in a minute). The
same patches (8 x 8 cells and their halo, all variables of the default predictors) are made in turns, in one process and
thread, their files in the page cache, so that what else the machine does meets all alike:

* plain: the compressed bytes of the chunks under the patch are read and decoded, and what belongs to the patch is
  copied; where each chunk lies is known beforehand. Nobody can feed the patch in less;
* ours: samples as the DataLoader's processes make them, coarse fields, labels and all;
* ours, to channels: with what is left to do of a batch on its device, here the CPU;
* zarr: windows of the arrays, as zarr-python reads them; with zarrs as its codecs, and by tensorstore, where these are
  installed (extra ``fast``);
* xarray + dask: windows of ``open_zarr`` with its own chunks, computed;
* xbatcher: the patches of a ``BatchGenerator``. It knows those of a raster only, so all are given patches of that one.

Then the DataLoader itself with its processes, in samples a second.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import zarr
from national_cube import build
from numcodecs.blosc import Blosc
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.cube.json_files import write_json
from ssm_net.cube.shards import ABSENT, Shards
from ssm_net.cube.store import Cube
from ssm_net.grid import Window
from ssm_net.inputs import features
from ssm_net.inputs.reading import padded, variables
from ssm_net.inputs.scaling import unscaled
from ssm_net.train.batches import PatchSample, collate
from ssm_net.train.data_module import TrainingData
from ssm_net.train.patches import Patches, PatchShape

GOALS = {"plain / ours": 0.70}
PATCH, HALO, LAGS, ROUNDS = 8, 1, 6, 5
WARM = 12  # samples before a DataLoader is timed
PART = (84, 108, 740, 780)  # rows and columns of coarse cells: a part of China, all land
FIRST_CELL = 1  # of the raster of patches each way: three chunks a side, as most patches have that lie anywhere
Place = tuple[int, int, int]  # day, row and column of the patch


class Plain:
    """Chunks read and decoded; their places in the shards are known beforehand."""

    def __init__(self, cube: Cube, names: Sequence[str]) -> None:
        self.cube, self.names = cube, names
        self.shards = {n: Shards.open(cube.path / ("static" if n in cube.static else "fine") / n) for n in names}
        self.open: dict[tuple[str, int], tuple[int, np.ndarray]] = {}
        self.bytes = 0
        for name in names:
            for day in [-1] if name in cube.static else range(len(cube.days)):
                number = os.open(self._file(name, day), os.O_RDONLY)
                self.open[name, day] = number, self.shards[name]._index(number)

    def _file(self, name: str, day: int) -> Path:
        return self.shards[name].path.joinpath("c", *([] if day < 0 else [str(day)]), "0", "0")

    def __call__(self, place: Place) -> dict[str, np.ndarray]:
        (y0, y1, x0, x1), out, blosc = window(self.cube, place), {}, Blosc()
        for name in self.names:
            shards = self.shards[name]
            number, index = self.open[name, -1 if name in self.cube.static else place[0]]
            height, width = shards.chunk
            field = np.empty((y1 - y0, x1 - x0), shards.dtype)
            for r in range(y0 // height, -(-y1 // height)):
                for c in range(x0 // width, -(-x1 // width)):
                    top, left = r * height, c * width
                    a, b, e, f = max(y0, top), min(y1, top + height), max(x0, left), min(x1, left + width)
                    offset, size = index[r, c]
                    if offset == ABSENT:
                        field[a - y0 : b - y0, e - x0 : f - x0] = shards.fill
                        continue
                    data = os.pread(number, int(size), int(offset))
                    self.bytes += len(data)
                    pixels = np.frombuffer(blosc.decode(data), shards.dtype).reshape(height, width)
                    field[a - y0 : b - y0, e - x0 : f - x0] = pixels[a - top : b - top, e - left : f - left]
            out[name] = field
        return out


def window(cube: Cube, place: Place) -> Window:
    """The pixels of a patch with its halo."""
    _, row, col = place
    ratio = cube.domain.ratio
    pixels = (row * ratio, (row + PATCH) * ratio, col * ratio, (col + PATCH) * ratio)
    return padded(pixels, HALO, cube.domain.fine_shape)[0]


def raster(cube: Cube) -> list[tuple[int, int]]:
    """Upper left cells of the patches that xbatcher makes, in its order: whole ones, their halo in the domain."""
    rows, cols = (range(FIRST_CELL, n - PATCH, PATCH) for n in cube.domain.coarse_shape)
    return [(row, col) for row in rows for col in cols]


def opened_by_tensorstore(path: Path) -> Any:
    import tensorstore

    one = {"data_copy_concurrency": {"limit": 1}, "file_io_concurrency": {"limit": 1}}
    where = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    return tensorstore.open(where, context=tensorstore.Context(one), read=True).result()


def same(found: dict[str, Any], cube: Cube, names: Sequence[str], place: Place) -> bool:
    """Whether each that gives pixels as stored gives those that the cube gives."""
    for name in names:
        want = cube.read_static(name, window(cube, place)) if name in cube.static else cube.read_packed(
            name, cube.days[place[0]], window(cube, place))  # fmt: skip
        for fed in found.values():
            ours = isinstance(fed, PatchSample)
            got = fed.pixels.variables[name].numpy() if ours else np.asarray(fed[name])
            if not np.array_equal(got.view(want.dtype), want, equal_nan=want.dtype.kind == "f"):
                return False
    return True


def samples(cube: Cube) -> Patches:
    names = features.available(variables(cube))
    every = np.ones(cube.domain.coarse_shape, bool)
    shape = PatchShape(side=PATCH, halo=HALO, lags=LAGS, cells=False)
    return Patches(cube, cube.days, [every] * len(cube.days), unscaled(names), shape, seed=1)


def feeders(cube: Cube, data: Patches) -> dict[str, Callable[[Place], Any]]:
    """What is timed, by name: each makes one patch."""
    try:
        import dask
        import xbatcher
    except ImportError as err:
        raise SystemExit(f"{err}: pip install -c constraints.txt 'ssm_net[bench]' for what is compared here") from err
    none = torch.zeros(cube.domain.coarse_shape, dtype=torch.bool)
    paths = {n: cube.path / ("static" if n in cube.static else "fine") / n for n in data.names}
    arrays, fast, stores = {n: zarr.open(p, mode="r") for n, p in paths.items()}, {}, {}
    if importlib.util.find_spec("zarrs"):
        with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "threading.max_workers": 1}):
            fast = {n: zarr.open(p, mode="r") for n, p in paths.items()}
    if importlib.util.find_spec("tensorstore"):
        stores = {n: opened_by_tensorstore(p) for n, p in paths.items()}
    fine = xr.open_zarr(cube.path / "fine", consolidated=False, mask_and_scale=False, chunks={})
    static = xr.open_zarr(cube.path / "static", consolidated=False, mask_and_scale=False, chunks={})
    dynamic = [n for n in data.names if n not in cube.static]
    both = fine[dynamic].merge(static[[n for n in data.names if n in cube.static]])
    side, start = PATCH * cube.domain.ratio, FIRST_CELL * cube.domain.ratio - HALO
    generators = [
        xbatcher.BatchGenerator(
            both.isel(time=i, y=slice(start, None), x=slice(start, None)),
            {"y": side + 2 * HALO, "x": side + 2 * HALO},
            input_overlap={"y": 2 * HALO, "x": 2 * HALO},
            preload_batch=False,
        )
        for i in range(len(cube.days))
    ]

    def by_zarr(arrays: dict[str, Any], place: Place) -> dict[str, np.ndarray]:
        y0, y1, x0, x1 = window(cube, place)
        here = slice(y0, y1), slice(x0, x1)
        return {n: a[here] if n in cube.static else a[(place[0], *here)] for n, a in arrays.items()}

    def by_tensorstore(place: Place) -> dict[str, np.ndarray]:
        y0, y1, x0, x1 = window(cube, place)
        asked = {n: (s if n in cube.static else s[place[0]])[y0:y1, x0:x1].read() for n, s in stores.items()}
        return {n: found.result() for n, found in asked.items()}

    def by_dask(place: Place) -> xr.Dataset:
        y0, y1, x0, x1 = window(cube, place)
        with dask.config.set(scheduler="synchronous"):
            return both.isel(time=place[0], y=slice(y0, y1), x=slice(x0, x1)).compute()

    def by_xbatcher(place: Place) -> xr.Dataset:
        number = raster(cube).index(place[1:])
        with dask.config.set(scheduler="synchronous"):
            return generators[place[0]][number].compute()

    return {
        "plain": Plain(cube, data.names),
        "ours": lambda place: data.sample(*place, none),
        "ours, to channels": lambda place: data.complete(collate([data.sample(*place, none)])),
        "zarr": lambda place: by_zarr(arrays, place),
        **({"zarr with zarrs": lambda place: by_zarr(fast, place)} if fast else {}),
        **({"tensorstore": by_tensorstore} if stores else {}),
        "xarray + dask": by_dask,
        "xbatcher": by_xbatcher,
    }


def through_workers(data: Patches, workers: int, number: int) -> float:
    """Samples a second of the DataLoader, its processes being there and warm."""
    loader = TrainingData(data, data, 1, workers).loader(data, range(number + WARM))
    begun = 0.0
    for n, _ in enumerate(loader):
        if n == WARM - 1:
            begun = time.perf_counter()
    return number / (time.perf_counter() - begun)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, help="keeps the cube")
    arguments.add_argument("--days", type=int, default=3)
    arguments.add_argument("--window", type=int, nargs=4, default=PART, help="rows and columns of coarse cells")
    arguments.add_argument("--patches", type=int, default=40, help="of each round")
    arguments.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder for the numbers")
    arguments.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    words = list(argv) if argv is not None else None
    args = arguments.parse_args(words)
    console = Console(width=120)
    torch.set_num_threads(1)
    cube = build(args.folder / "cube.zarr", args.days, tuple(args.window))
    data = samples(cube)
    makers = feeders(cube, data)
    rng = np.random.default_rng(3)
    rows, cols = cube.domain.coarse_shape
    spent: dict[str, list[float]] = {name: [] for name in makers}
    work: dict[str, list[float]] = {name: [] for name in makers}
    everywhere = raster(cube)
    first = (0, *everywhere[-1])
    stored = {name: make(first) for name, make in makers.items() if name != "ours, to channels"}
    if not same(stored, cube, data.names, first):
        raise SystemExit(f"{cube.path}: the readers do not give the same pixels; nothing is timed")
    for turn in range(ROUNDS + 1):
        places = [
            (int(rng.integers(args.days)), *everywhere[rng.integers(len(everywhere))])
            for _ in range(args.patches if turn else 3)
        ]
        for place in places:
            for name, make in makers.items():
                begun, worked = time.perf_counter(), time.process_time()
                make(place)
                if turn:  # the first warms up
                    spent[name].append(time.perf_counter() - begun)
                    work[name].append(time.process_time() - worked)
    median = {name: float(np.median(times)) for name, times in spent.items()}
    processor = {name: float(np.median(times)) for name, times in work.items()}
    plain = makers["plain"]
    assert isinstance(plain, Plain)
    read = plain.bytes / (len(spent["plain"]) + 4)  # and three to warm up, one to compare
    workers = {n: through_workers(data, n, 4 * args.patches) for n in (0, 1, 2)}
    sample = data.sample(*places[0], torch.zeros(rows, cols, dtype=torch.bool))
    size = sum(v.nbytes for v in sample.pixels.variables.values()) / 1e6
    report: dict[str, Any] = {
        "milliseconds a patch, median": {name: 1e3 * t for name, t in median.items()},
        "processor time, milliseconds a patch": {name: 1e3 * t for name, t in processor.items()},
        "plain / ours": median["plain"] / median["ours"],
        "plain / ours, processor time": processor["plain"] / processor["ours"],
        "ours / xarray + dask": median["ours"] / median["xarray + dask"],
        "ours / xbatcher": median["ours"] / median["xbatcher"],
        "patches": len(spent["plain"]), "window": list(args.window), "days": args.days,
        "patches a second": {name: 1 / t for name, t in median.items()},
        "MB a second, decoded": {name: size / t for name, t in median.items()},
        "MB a patch, compressed": read / 1e6, "MB a patch, decoded": size,
        "samples a second, by processes": workers,
        "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }  # fmt: skip
    table = Table(title=f"A patch of {PATCH} x {PATCH} cells, {len(data.names)} variables")
    for name in ("", "milliseconds", "patches/s", "MB/s", "of plain", "of plain, processor"):
        table.add_column(name, justify="right" if name else "left")
    for name, t in median.items():
        parts = t / median["plain"], processor[name] / processor["plain"]
        table.add_row(name, f"{1e3 * t:.1f}", f"{1 / t:.1f}", f"{size / t:.0f}", *(f"{n:.2f}" for n in parts))
    console.print(table)
    speeds = ", ".join(f"{v:.1f} samples a second with {n}" for n, v in workers.items())
    console.print(f"DataLoader: {speeds} processes; peak {report['peak memory, GiB']:.2f} GiB", soft_wrap=True)
    missed = [f"{name} {report[name]:.2f} is not >= {goal}" for name, goal in GOALS.items() if report[name] < goal]
    command = command_of("loader.py", words if words is not None else sys.argv[1:], args.folder)
    where = {**machine(), "load": [round(n, 1) for n in os.getloadavg()]}
    write_json(args.results / "loader.json", report | {
        "command": command, "commit": commit_of(ROOT), "machine": where, "goals": GOALS, "missed": missed,
    })  # fmt: skip
    print("missed: " + "; ".join(missed) if missed else "all goals reached")
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
