"""What two parts of our own are worth: reading shards, and the networks' passes over pixels as products of matrices.

    python bench/parts.py runs/skill/small-A31/cube.zarr [--prior FOLDER]

Processor time, so that what else the machine does hardly counts; each way in turn, the least of five turns. Shards are
read by rows of chunks, as inference does, with zarr-python beside; the networks of a prior pass over pixels of the cube
module by module, and as products in float32 and bfloat16; with the extra ``bench``, by OpenVINO in bfloat16, too. How
far the ways in bfloat16 are from float32 is over all tiles inside the cube. Numbers go to bench/results/parts.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
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


class Products(torch.nn.Module):
    """What ``Fused`` does with a tile, all rows at once, for OpenVINO to read."""

    def __init__(self, fused: Fused) -> None:
        super().__init__()
        self.fused = fused

    def forward(self, x: torch.Tensor, columns: torch.Tensor, base: torch.Tensor, deep: torch.Tensor) -> Any:
        f, h = self.fused, self.fused.halo
        centre = x[:, h : h + len(base), h : h + len(columns)].permute(1, 2, 0)
        stem = torch.nn.functional.conv2d(x[None], f.stem.contiguous(), f.bias)[0].permute(1, 2, 0)
        return f._pixels(stem, centre, HalfUpsampled(columns, base, deep))


def openvino_way(
    fused: Fused, x: torch.Tensor, told: HalfUpsampled
) -> Callable[[torch.Tensor, HalfUpsampled], np.ndarray] | None:
    """The mean of each member, (M, y, x), by OpenVINO in bfloat16 on one thread; None where it is not installed."""
    try:
        import openvino
    except ImportError:
        return None
    given = (x, *told)
    # OpenVINO knows no logit.
    with torch.no_grad(), mock.patch.object(torch, "logit", lambda p: torch.log(p / (1 - p))):
        model = openvino.convert_model(Products(fused), example_input=tuple(t.clone() for t in given))
    settings = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda x, told: np.array(request.infer([t.numpy() for t in (x, *told)])[0])


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a cube of prepare.py with every product of a simulated world")
    parser.add_argument("--prior", type=Path, default=SHIPPED_PRIOR, help="a folder of pretrain.py; the shipped one")
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

    trained = load_trained(args.prior)
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
    by_openvino = openvino_way(single, x, told)
    if by_openvino is not None:
        ways["products, OpenVINO, bfloat16"] = lambda: by_openvino(x, half_upsampled(context, ratio, tile))

    def modules() -> list[Any]:
        out = []
        for member, told in zip(estimator.network, context, strict=True):
            both = upsample_by_phase(told, ratio, tile)[None]
            out.append(member.fuse(member.fine(x[None]), both[:, :1], both[:, 1:]))
        return out

    with torch.inference_mode():
        passes = least({"module by module, float32": modules, **ways})
        apart: dict[str, float] = {}
        height, width = cube.domain.fine_shape
        for y in range(ratio, height - side - h, side):
            for left in range(ratio, width - side - h, side):
                x, told, _ = given(y, left)
                right = single(x, told)[0].mean(0).numpy()
                found = {"products, bfloat16": half(x, told)[0].mean(0).numpy()}
                if by_openvino is not None:
                    found["products, OpenVINO, bfloat16"] = by_openvino(x, told).mean(0)
                for name, mean in found.items():
                    apart[name] = max(apart.get(name, 0.0), float(np.abs(mean - right).max()))
    pixels = side * side
    tables = {"reading, ms a chunk": {k: round(1e3 * v / chunks, 4) for k, v in reading.items()},
              "networks, us a pixel": {k: round(1e6 * v / pixels, 3) for k, v in passes.items()},
              "largest difference from float32, m3 m-3": {k: round(v, 6) for k, v in apart.items()}}  # fmt: skip
    file = args.results / "parts.json"
    write_json(file, {"command": command_of("parts.py", words, args.folder), "commit": commit_of(ROOT),
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
