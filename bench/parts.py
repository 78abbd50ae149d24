"""What two parts of our own are worth: reading shards, and the networks' passes over pixels as products of matrices.

    python bench/parts.py runs/skill/small-A31/cube.zarr

Processor time, so that what else the machine does hardly counts; each way in turn, the least of five turns. Shards are
read by rows of chunks, as inference does, with zarr-python beside; the shipped networks pass over pixels of the cube
module by module, and as products in float32 and bfloat16. Numbers go to bench/results/parts.json.
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

from ssm_net import features
from ssm_net.checkpoint import load_trained
from ssm_net.cube import CHUNK, open_cube, write_json
from ssm_net.estimators import NetworkEstimator, half_upsampled, upsample_by_phase
from ssm_net.inputs import read_coarse, read_fine
from ssm_net.model.fused import Fused
from ssm_net.shards import Shards

TURNS = 5
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

    trained = load_trained(ROOT / "ssm_net" / "prior")
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    coarse = read_coarse(cube, day, estimator.lags, estimator.scaling)
    context = estimator.context(coarse).by_phase
    ratio = cube.domain.ratio
    tile = (ratio, CHUNK, ratio, CHUNK)  # not at the edge, so that its halo is there
    h = estimator.halo
    around = (tile[0] - h, tile[1] + h, tile[2] - h, tile[3] + h)
    fine = read_fine(cube, day, around, estimator.needs, coarse.region)
    x = trained.scaling(features.stack(trained.scaling.names, fine))
    ways: dict[str, Callable[[], Any]] = {}
    for precision in (torch.float32, torch.bfloat16):
        fused = Fused(estimator.network, precision)
        name = f"products, {str(precision).removeprefix('torch.')}"
        ways[name] = lambda fused=fused: fused(x, half_upsampled(context, ratio, tile))

    def modules() -> list[Any]:
        out = []
        for member, told in zip(estimator.network, context, strict=True):
            both = upsample_by_phase(told, ratio, tile)[None]
            out.append(member.fuse(member.fine(x[None]), both[:, :1], both[:, 1:]))
        return out

    with torch.inference_mode():
        passes = least({"module by module, float32": modules, **ways})
    pixels = (tile[1] - tile[0]) * (tile[3] - tile[2])
    found = {"reading, ms a chunk": {k: round(1e3 * v / chunks, 4) for k, v in reading.items()},
             "networks, us a pixel": {k: round(1e6 * v / pixels, 3) for k, v in passes.items()}}  # fmt: skip
    file = args.results / "parts.json"
    write_json(file, {"command": command_of("parts.py", words, args.folder), "commit": commit_of(ROOT),
                      "machine": machine(), **found})  # fmt: skip
    console = Console()
    for title, ways in found.items():
        table = Table(title=title, title_justify="left")
        table.add_column("way")
        table.add_column("processor time", justify="right")
        for name, value in ways.items():
            table.add_row(name, f"{value:.3g}")
        console.print(table)
    console.print(f"Numbers: {file}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
