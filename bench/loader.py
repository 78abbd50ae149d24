"""Patches for training from the cube of a country, against plain reading and against what one would write otherwise.

    python bench/loader.py FOLDER [--days 3] [--patches 40] [--check]

FOLDER keeps the cube (domain=china, the same that bench/national.py makes). The same patches (8 x 8 cells and their
halo, all variables of the default predictors) are made in turns, in one process and thread, so that what else the
machine does meets all alike:

* plain: the compressed bytes of the chunks under the patch are read and decoded, and what belongs to the patch is
  copied; where each chunk lies is known beforehand. Nobody can feed the patch in less;
* ours: samples as the DataLoader's processes make them, coarse fields, labels and all;
* ours, to channels: with what is left to do of a batch on its device, here the CPU;
* zarr: windows of the arrays, as zarr-python reads them;
* xarray + dask: windows of ``open_zarr`` with its own chunks, computed;
* xbatcher: the patches of a ``BatchGenerator``, which lie on its own raster and have no halo: fewer chunks a patch.

Then the DataLoader itself with its processes, in samples a second.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dask
import numpy as np
import torch
import xarray as xr
import xbatcher
import zarr
from national_cube import build
from numcodecs.blosc import Blosc
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table
from torch.utils.data import default_collate

from ssm_net import features
from ssm_net.cube import Cube, write_json
from ssm_net.inputs import Scaling, padded, variables
from ssm_net.patches import PatchData, Patches
from ssm_net.shards import ABSENT, Shards

GOALS = {"plain / ours": 0.70}
PATCH, HALO, LAGS, ROUNDS = 8, 1, 6, 5
WARM = 12  # samples before a DataLoader is timed
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


def window(cube: Cube, place: Place) -> tuple[int, int, int, int]:
    """The pixels of a patch with its halo."""
    _, row, col = place
    ratio = cube.domain.ratio
    pixels = (row * ratio, (row + PATCH) * ratio, col * ratio, (col + PATCH) * ratio)
    return padded(pixels, HALO, cube.domain.fine_shape)[0]


def samples(cube: Cube) -> Patches:
    names = features.available(variables(cube))
    scaling = Scaling(tuple(names), (0.0,) * len(names), (1.0,) * len(names), "", "")
    every = np.ones(cube.domain.coarse_shape, bool)
    return Patches(cube, cube.days, [every] * len(cube.days), scaling, lags=LAGS, halo=HALO, patch=PATCH, cells=False,
                   seed=1)  # fmt: skip


def feeders(cube: Cube, data: Patches) -> dict[str, Callable[[Place], Any]]:
    """What is timed, by name: each makes one patch."""
    none = torch.zeros(cube.domain.coarse_shape, dtype=torch.bool)
    arrays = {n: zarr.open(cube.path / ("static" if n in cube.static else "fine") / n, mode="r") for n in data.names}
    fine = xr.open_zarr(cube.path / "fine", consolidated=False, mask_and_scale=False, chunks={})
    static = xr.open_zarr(cube.path / "static", consolidated=False, mask_and_scale=False, chunks={})
    dynamic = [n for n in data.names if n not in cube.static]
    both = fine[dynamic].merge(static[[n for n in data.names if n in cube.static]])
    side = PATCH * cube.domain.ratio
    generators = [
        xbatcher.BatchGenerator(both.isel(time=i), {"y": side, "x": side}, preload_batch=False)
        for i in range(len(cube.days))
    ]

    def by_zarr(place: Place) -> dict[str, np.ndarray]:
        y0, y1, x0, x1 = window(cube, place)
        here = slice(y0, y1), slice(x0, x1)
        return {n: a[here] if n in cube.static else a[(place[0], *here)] for n, a in arrays.items()}  # type: ignore[index]

    def by_dask(place: Place) -> xr.Dataset:
        y0, y1, x0, x1 = window(cube, place)
        with dask.config.set(scheduler="synchronous"):
            return both.isel(time=place[0], y=slice(y0, y1), x=slice(x0, x1)).compute()

    def by_xbatcher(place: Place) -> xr.Dataset:
        generator = generators[place[0]]
        across = cube.domain.coarse_shape[1] // PATCH
        number = place[1] // PATCH * across + place[2] // PATCH
        with dask.config.set(scheduler="synchronous"):
            return generator[min(number, len(generator) - 1)].compute()

    return {
        "plain": Plain(cube, data.names),
        "ours": lambda place: data.sample(*place, none),
        "ours, to channels": lambda place: data.complete(default_collate([data.sample(*place, none)])),
        "zarr": by_zarr,
        "xarray + dask": by_dask,
        "xbatcher": by_xbatcher,
    }


def through_workers(data: Patches, workers: int, number: int) -> float:
    """Samples a second of the DataLoader, its processes being there and warm."""
    loader = PatchData(data, data, 1, workers)._loader(data, range(number + WARM))
    begun = 0.0
    for n, _ in enumerate(loader):
        if n == WARM - 1:
            begun = time.perf_counter()
    return number / (time.perf_counter() - begun)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("folder", type=Path, help="keeps the cube")
    arguments.add_argument("--days", type=int, default=3)
    arguments.add_argument("--patches", type=int, default=40, help="of each round")
    arguments.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder for the numbers")
    arguments.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    words = list(argv) if argv is not None else None
    args = arguments.parse_args(words)
    console = Console(width=120)
    torch.set_num_threads(1)
    cube = build(args.folder / "cube.zarr", args.days)
    data = samples(cube)
    makers = feeders(cube, data)
    rng = np.random.default_rng(3)
    rows, cols = cube.domain.coarse_shape
    spent: dict[str, list[float]] = {name: [] for name in makers}
    for turn in range(ROUNDS + 1):
        places = [
            (int(rng.integers(args.days)), int(rng.integers(rows - PATCH + 1)), int(rng.integers(cols - PATCH + 1)))
            for _ in range(args.patches if turn else 3)
        ]
        for place in places:
            for name, make in makers.items():
                begun = time.perf_counter()
                make(place)
                if turn:  # the first warms up
                    spent[name].append(time.perf_counter() - begun)
    median = {name: float(np.median(times)) for name, times in spent.items()}
    plain = makers["plain"]
    assert isinstance(plain, Plain)
    read = plain.bytes / (len(spent["plain"]) + 3)
    workers = {n: through_workers(data, n, 4 * args.patches) for n in (0, 1, 2)}
    sample = data.sample(*places[0], torch.zeros(rows, cols, dtype=torch.bool))
    report: dict[str, Any] = {
        "milliseconds a patch, median": {name: 1e3 * t for name, t in median.items()},
        "plain / ours": median["plain"] / median["ours"],
        "ours / xarray + dask": median["ours"] / median["xarray + dask"],
        "ours / xbatcher": median["ours"] / median["xbatcher"],
        "patches": len(spent["plain"]), "pixels a patch": (PATCH * cube.domain.ratio) ** 2,
        "compressed MB a patch": read / 1e6, "plain, MB/s": read / 1e6 / median["plain"],
        "MB that travel to the device, of a patch": sum(v.nbytes for v in sample["stored"].values()) / 1e6,
        "samples a second, by processes": workers,
        "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }  # fmt: skip
    table = Table(title=f"A patch of {PATCH} x {PATCH} cells, {len(data.names)} variables")
    for name in ("", "milliseconds", "of plain"):
        table.add_column(name, justify="right" if name else "left")
    for name, t in median.items():
        table.add_row(name, f"{1e3 * t:.1f}", f"{t / median['plain']:.2f}")
    console.print(table)
    rates = ", ".join(f"{rate:.1f} with {n}" for n, rate in workers.items())
    console.print(f"DataLoader, samples a second by processes: {rates}; peak {report['peak memory, GiB']:.2f} GiB")
    missed = [f"{name} {report[name]:.2f} is not >= {goal}" for name, goal in GOALS.items() if report[name] < goal]
    command = command_of("loader.py", words if words is not None else sys.argv[1:], args.folder)
    write_json(args.results / "loader.json", report | {
        "command": command, "commit": commit_of(ROOT), "machine": machine(), "goals": GOALS, "missed": missed,
    })  # fmt: skip
    console.print(f"missed: {'; '.join(missed)}" if missed else "all goals reached")
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
