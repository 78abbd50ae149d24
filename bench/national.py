"""A day of a whole country, read to written, against the bare network, plain I/O and a random forest.

    python bench/national.py FOLDER [--days 3] [--check] [--granules]

FOLDER keeps the cube (domain=china, 3888 x 6192 pixels; made once) and the maps. What is measured, turn by turn, so
that what else the machine does meets all alike:

* a day: ``infer`` of one day, from opening the cube to the file in its place; and of all days in a row;
* the bare network: the same networks in the same precision and threads on as many pixels, from normalised features
  and coarse context in memory to the estimates (interpolation of the context is theirs; reading, features, flags,
  update and files are not). In float32 on a part of the pixels;
* plain I/O: the bytes of the same variables read from the shards as they are, and those of the map written;
* a random forest of scikit-learn with its own defaults on the same features, fitted to what the network gives, on a
  part of the pixels.

With --granules a day is made from granules instead, as ``produce`` makes it (``national_maps``): seconds of preparing
and of mapping, the memory of all processes, and the random forest's seconds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from national_cube import CHINA, build
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestRegressor
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ssm_net.config import InferConfig
from ssm_net.core.files import write_whole
from ssm_net.cube.json_files import write_json
from ssm_net.cube.store import Cube
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, load_trained, save_trained
from ssm_net.estimators.network import NetworkEstimator, half_upsampled
from ssm_net.estimators.precision import choose_precision
from ssm_net.formats.mosaic_days import day_size, read_day, write_day
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Window
from ssm_net.infer.day import tiles_with_land
from ssm_net.infer.quality_flags import flag_variables
from ssm_net.infer.run import infer
from ssm_net.inputs.bands import bands
from ssm_net.inputs.reading import padded, read_coarse, read_stored, stored

GOALS = {"day / bare network": 1.25, "seconds a day": 60.0, "peak memory, GiB": 4.0}
TILES = 24  # whose inputs the bare network is given again and again
FLOAT32_PART = 8  # the bare network in float32 is timed on one in so many pixels
FOREST_TRAIN, FOREST_PIXELS = 20_000, 200_000


class Inputs(NamedTuple):
    """Of one tile: normalised features with their halo, and its window."""

    x: Tensor
    window: Window


def seconds(do: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


def peak() -> float:
    """GiB that this process has held at most."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def matmul_rate(dtype: torch.dtype) -> float:
    """Floating point operations a second of a large product, the best of five."""
    a, b = (torch.randn(4096, 4096).to(dtype) for _ in range(2))
    return 2 * 4096**3 / min(seconds(lambda: a @ b) for _ in range(5))


class Bare:
    """The networks on inputs that are in memory."""

    def __init__(self, cube: Cube, run: Path, side: int, land: Tensor, precision: torch.dtype) -> None:
        self.network = NetworkEstimator(load_trained(run), cube, torch.device("cpu"), precision)
        network, day = self.network, cube.days[0]
        coarse = read_coarse(cube, day, network.lags, network.scaling, network.lookahead)
        self.context = network.context(coarse)
        wanted = tiles_with_land(cube, land, side)
        self.tiles, self.pixels = len(wanted), len(wanted) * (side * cube.domain.ratio) ** 2
        middle = wanted[len(wanted) // 2].cells[0]
        row = [t for t in wanted if t.cells[0] == middle][:TILES]
        (band,) = bands(cube, day, row, stored(network.needs), network.halo)
        self.inputs = []
        for tile in row:
            inside, _ = padded(tile.pixels, network.halo, network.shape)
            pixels = read_stored(band, day, inside, network.needs, coarse.background)
            self.inputs.append(Inputs(network.inputs(pixels, tile.pixels)[0], tile.pixels))

    @torch.inference_mode()
    def tile(self, n: int) -> Tensor:
        x, window = self.inputs[n % len(self.inputs)]
        mean, _, _ = self.network.fused(x, half_upsampled(self.context.by_phase, self.network.ratio, window))
        return mean.mean(0)

    def seconds(self, part: int = 1) -> float:
        """Of all tiles, from one in ``part`` of them."""
        threads, count = torch.get_num_threads(), self.tiles // part
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(self.tile, range(2 * threads)))
            return seconds(lambda: list(pool.map(self.tile, range(count)))) * self.tiles / count

    def flops(self) -> float:
        """Of matrix products and convolutions, a pixel."""
        with FlopCounterMode(display=False) as counter:
            self.tile(0)
        y0, y1, x0, x1 = self.inputs[0].window
        return counter.get_total_flops() / ((y1 - y0) * (x1 - x0))

    def forest_seconds(self) -> float:
        """A random forest's for as many pixels, on all processors."""
        h = self.network.halo
        x = torch.cat([i.x[:, h:-h, h:-h].flatten(1) for i in self.inputs], 1).T.numpy()
        y = torch.cat([self.tile(n).flatten() for n in range(len(self.inputs))]).numpy()
        chosen = np.random.default_rng(0).permutation(len(x))
        train, rest = chosen[:FOREST_TRAIN], chosen[FOREST_TRAIN : FOREST_TRAIN + FOREST_PIXELS]
        forest = RandomForestRegressor(n_jobs=torch.get_num_threads(), random_state=0).fit(x[train], y[train])
        return seconds(lambda: forest.predict(x[rest])) * self.pixels / len(rest)


def plain_io(cube: Cube, network: NetworkEstimator, file: Path, scratch: Path) -> dict[str, float]:
    """Seconds to read the shards that a day needs, as bytes, and to write the bytes of its map; and how many (MB)."""
    names = sorted({*stored(network.needs), *flag_variables(cube)})
    day = cube.index(cube.days[0])
    paths = [cube.path / "fine" / n / "c" / str(day) / "0" / "0" if n in cube.fine else
             cube.path / "static" / n / "c" / "0" / "0" for n in names]  # fmt: skip
    size = sum(p.stat().st_size for p in paths)
    data = file.read_bytes()
    read = seconds(lambda: [p.read_bytes() for p in paths])
    write = seconds(lambda: write_whole(scratch, data))
    scratch.unlink()
    return {"read": read, "write": write, "MB read": size / 1e6, "MB written": len(data) / 1e6}


def a_run(folder: Path) -> Path:
    """The networks that ship today as a trained run: they are as fast as adapted ones."""
    run, prior = folder / "run", load_trained(SHIPPED_PRIOR)
    run.mkdir(parents=True, exist_ok=True)
    of_a_run = {"cube": "none: the prior as it is", "train_days": ["-", "-"]}
    save_trained(run, replace(prior, provenance=prior.provenance | of_a_run))
    return run


def formats(mosaic: Mosaic, folder: Path) -> dict[str, dict[str, float]]:
    """Seconds and MB of a day in each format."""
    out = {}
    for format in ("netcdf", "cog", "zarr"):
        took = seconds(lambda kind=format: write_day(mosaic, folder / kind, kind))  # type: ignore[misc]
        size = day_size(folder / format, mosaic.domain.name, mosaic.day, format)
        out[format] = {"seconds": round(took, 2), "MB": round(size / 1e6, 1)}
    return out


def measure(folder: Path, window: Window, days: int) -> dict[str, Any]:
    """All of it. In a process of its own, whose peak memory is that of the inference."""
    cube, run, out = build(folder / "cube.zarr", days, window), a_run(folder), folder / "mosaics"
    dates = cube.days[:days]
    cfg = InferConfig(str(cube.path), str(out), str(run), end=str(dates[-1]), overwrite=True)
    precision = choose_precision("auto", load_trained(run).network, torch.device("cpu")).dtype
    with multiprocessing.get_context("spawn").Pool(1) as alone:
        in_a_row, memory = alone.apply(_in_a_row, (cfg, days))
    land = cube.land()
    bare = Bare(cube, run, cfg.tile, land, precision)
    turns = []
    for day in dates:
        one = replace(cfg, start=str(day), end=str(day))
        begun = time.process_time()
        whole = seconds(lambda one=one: infer(one))  # type: ignore[misc]
        between = time.process_time()
        network_alone = bare.seconds()
        turns.append({"day": whole, "bare": network_alone, "day, processor": between - begun,
                      "bare, processor": time.process_time() - between})  # fmt: skip
    exact = Bare(cube, run, cfg.tile, land, torch.float32)
    file = next(out.glob("ssm_*.nc"))
    day, network, day_work, network_work = (float(np.median([t[k] for t in turns])) for k in turns[0])
    rate = {str(t).removeprefix("torch."): matmul_rate(t) for t in {precision, torch.float32}}
    flops = bare.flops()
    return {
        "pixels": int(np.prod(cube.domain.fine_shape)), "land pixels": int(land.sum()), "pixels computed": bare.pixels,
        "turns": turns, "seconds a day": day, "seconds a day, in a row": in_a_row,
        "bare network, seconds": network, "day / bare network": day / network,
        "the same in processor time": day_work / network_work,
        "in a row / bare network": in_a_row / network,
        "bare network in float32, seconds": exact.seconds(FLOAT32_PART),
        "largest difference of the precisions, m3 m-3": max(
            float((bare.tile(n) - exact.tile(n)).abs().max()) for n in range(len(bare.inputs))),
        "plain I/O": plain_io(cube, bare.network, file, folder / "scratch"),
        "random forest, seconds": bare.forest_seconds(),
        "peak memory, GiB": memory, "precision": str(precision).removeprefix("torch."),
        "FLOPs a pixel": flops, "matrix rate, FLOP/s": rate,
        "share of the matrix rate": flops * bare.pixels / network / rate[str(precision).removeprefix("torch.")],
        "formats": formats(read_day(file), folder / "formats"),
    }  # fmt: skip


def _in_a_row(cfg: InferConfig, days: int) -> tuple[float, float]:
    took = seconds(lambda: infer(cfg)) / days
    return took, peak()


def table(found: dict[str, Any]) -> Table:
    out = Table(title="A national day", title_justify="left")
    for heading in ("", "seconds", "of the bare network"):
        out.add_column(heading, justify="left" if not heading else "right")
    bare, io = found["bare network, seconds"], found["plain I/O"]
    rows = {
        f"bare network, {found['precision']}": bare, "bare network, float32": found["bare network in float32, seconds"],
        "a day, read to written": found["seconds a day"], "a day of several in a row": found["seconds a day, in a row"],
        f"plain reading of {io['MB read']:.0f} MB": io["read"],
        f"plain writing of {io['MB written']:.0f} MB": io["write"],
        "a random forest (scikit-learn)": found["random forest, seconds"],
    }  # fmt: skip
    for name, value in rows.items():
        out.add_row(name, f"{value:.2f}", f"{value / bare:.2f}")
    return out


def misses(found: dict[str, Any]) -> list[str]:
    return [f"{goal} {found[goal]:.2f} is not <= {limit:g}" for goal, limit in GOALS.items() if found[goal] > limit]


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--window", type=int, nargs=4, default=CHINA, help="rows and columns of coarse cells")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    parser.add_argument("--granules", action="store_true", help="time granules to maps")
    args = parser.parse_args(words)
    console = Console(width=120)
    if args.granules:
        import national_maps

        made = national_maps.measure(args.folder, tuple(args.window), args.days)
        file = args.results / "national-granules.json"
        write_json(file, {"command": command_of("national.py", words, args.folder), "commit": commit_of(ROOT),
                          "machine": machine(), **made})  # fmt: skip
        for line in (*national_maps.lines(made), f"Numbers: {file}"):
            console.print(line, soft_wrap=True)
        return 1 if args.check and made["missed"] else 0
    found = measure(args.folder, tuple(args.window), args.days)
    missed = misses(found)
    file = args.results / "national.json"
    where = {**machine(), "load": [round(n, 1) for n in os.getloadavg()]}
    command = command_of("national.py", words, args.folder)
    write_json(file, {"command": command, "commit": commit_of(ROOT), "machine": where, "goals": GOALS,
                      "missed": missed, **found})  # fmt: skip
    console.print(table(found))
    rates = ", ".join(f"{r / 1e9:.0f} GFLOP/s in {k}" for k, r in found["matrix rate, FLOP/s"].items())
    work, share = found["the same in processor time"], found["share of the matrix rate"]
    apart = found["largest difference of the precisions, m3 m-3"]
    sizes = ", ".join(f"{k}: {v['MB']} MB in {v['seconds']} s" for k, v in found["formats"].items())
    for line in (
        f"{found['pixels']:,} pixels, {found['land pixels']:,} of land, {found['pixels computed']:,} computed.",
        f"Peak memory {found['peak memory, GiB']:.2f} GiB. In processor time a day is {work:.2f} of the bare network.",
        f"{found['FLOPs a pixel']:,.0f} FLOPs a pixel; products: {rates}; {share:.0%} of that in the bare network.",
        f"Largest difference from float32: {apart:.1e} m3 m-3. A day as {sizes}.",
        f"Numbers: {file}",
    ):
        console.print(line, soft_wrap=True)
    print("missed: " + "; ".join(missed) if missed else "all goals reached")
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
