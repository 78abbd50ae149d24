"""What two parts of our own are worth: reading shards, and the networks' passes over pixels as products of matrices.

    python bench/parts.py runs/skill/small-A31/cube.zarr [--beside FOLDER]

Processor time, so that what else the machine does hardly counts; each way in turn, the least of fifteen turns. Shards
are read by rows of chunks, as inference does, with zarr-python beside; the shipped networks pass over pixels of the
cube module by module, and as products in float32 and bfloat16; with --beside, those of another prior take turns with
them. How far bfloat16 is from float32 is over all tiles inside the cube. Numbers go to bench/results/parts.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import zarr
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from rich.table import Table

from ssm_net.cube.json_files import write_json
from ssm_net.cube.shards import Shards
from ssm_net.cube.store import CHUNK, open_cube
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, load_trained
from ssm_net.estimators.network import NetworkEstimator, half_upsampled
from ssm_net.grid import Window
from ssm_net.inputs.channels import channels
from ssm_net.inputs.phases import upsample_by_phase
from ssm_net.inputs.reading import read_coarse, read_stored
from ssm_net.model.fused import Fused, HalfUpsampled

TURNS = 15
VARIABLE = "lst_day"


def least(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of processor time of each way, the least of the turns."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(TURNS):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - begun)
    return best


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a cube of prepare.py with every product of a simulated world")
    parser.add_argument("--beside", type=Path, help="a folder of pretrain.py, whose networks take turns with them")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder of the JSON")
    args = parser.parse_args(words)
    torch.set_num_threads(1)
    cube = open_cube(args.folder)
    day, width = cube.done_days()[-1], cube.domain.fine_shape[1]
    window = (0, CHUNK, 0, width)
    days = range(len(cube.days))
    shards, array = Shards.open(cube.path / "fine" / VARIABLE), zarr.open_array(cube.path / "fine" / VARIABLE, mode="r")
    reading = least({
        "zarr-python": lambda: [array[i, :CHUNK] for i in days],
        "shards": lambda: [shards.read(window, i) for i in days],
    })  # fmt: skip
    chunks = len(days) * width // CHUNK

    trained = load_trained(SHIPPED_PRIOR)
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    coarse = read_coarse(cube, day, estimator.lags, estimator.scaling, estimator.lookahead)
    context = estimator.context(coarse).by_phase
    ratio = cube.domain.ratio
    side = CHUNK - ratio  # of a tile that has its halo
    h = estimator.halo

    def given(y: int, x: int) -> tuple[torch.Tensor, HalfUpsampled, Window]:
        tile = (y, y + side, x, x + side)
        around = (tile[0] - h, tile[1] + h, tile[2] - h, tile[3] + h)
        pixels = read_stored(cube, day, around, estimator.needs, coarse.background)
        return (channels(pixels, trained.scaling).contiguous(),
                half_upsampled(context, ratio, tile), tile)  # fmt: skip

    x, told, tile = given(ratio, ratio)
    single, half = Fused(estimator.network, torch.float32), Fused(estimator.network, torch.bfloat16)
    ways: dict[str, Callable[[], Any]] = {
        "products, float32": lambda: single(x, half_upsampled(context, ratio, tile)),
        "products, bfloat16": lambda: half(x, half_upsampled(context, ratio, tile)),
    }
    if args.beside is not None:
        other = NetworkEstimator(load_trained(args.beside), cube, torch.device("cpu"))
        other_half, its_context = Fused(other.network, torch.bfloat16), other.context(coarse).by_phase
        ways["products, bfloat16, of the other prior"] = lambda: other_half(x, half_upsampled(its_context, ratio, tile))

    def modules() -> list[Any]:
        out = []
        for member, told in zip(estimator.network, context, strict=True):
            both = upsample_by_phase(told, ratio, tile)[None]
            out.append(member.fuse(member.fine(x[None]), both[:, :1], both[:, 1:]))
        return out

    with torch.inference_mode():
        passes = least({"module by module, float32": modules, **ways})
        apart = 0.0
        height, width = cube.domain.fine_shape
        for y in range(ratio, height - side - h, side):
            for left in range(ratio, width - side - h, side):
                x, told, _ = given(y, left)
                apart = max(apart, float((half(x, told)[0].mean(0) - single(x, told)[0].mean(0)).abs().max()))
    pixels = side * side
    tables = {"reading, ms a chunk": {k: round(1e3 * v / chunks, 4) for k, v in reading.items()},
              "networks, us a pixel": {k: round(1e6 * v / pixels, 3) for k, v in passes.items()},
              "largest difference from float32, m3 m-3": {"products, bfloat16": round(apart, 6)}}  # fmt: skip
    file = args.results / "parts.json"
    named = ["PRIOR" if word == str(args.beside) else word for word in words]
    write_json(file, {"command": command_of("parts.py", named, args.folder), "commit": commit_of(ROOT),
                      "machine": machine(), **tables})  # fmt: skip
    console = Console()
    for title, rows in tables.items():
        table = Table(title=title, title_justify="left")
        table.add_column("way")
        table.add_column("difference" if "difference" in title else "processor time", justify="right")
        for name, value in rows.items():
            table.add_row(name, f"{value:.3g}")
        console.print(table)
    console.print(f"Numbers: {file}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
