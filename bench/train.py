"""A training step on a cube: how long it waits for its batch, and what the networks alone take.

    python bench/train.py FOLDER [--days 3] [--steps 20] [--model small] [--workers 1] [--check]

FOLDER keeps the cube (that of bench/loader.py). Lightning trains the networks as train.py
does with prior=none, in turns on the loader's batches and on one batch in memory, so that what else the machine does
meets both alike. Waiting is the time from the end of a step to the beginning of the next: what Lightning does between
steps and, on a GPU or without workers, making the batch's channels are in it. On a GPU where there is one.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from loader import PART, samples
from national import matmul_rate
from national_cube import build
from provenance import ROOT, command_of, commit_of, machine
from rich.console import Console
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube.json_files import write_json
from ssm_net.estimators.checkpoint import build as network_of
from ssm_net.train.aggregate_loss import AggregateLearner
from ssm_net.train.batches import PatchBatch, collate
from ssm_net.train.data_module import TrainingData
from ssm_net.train.from_scratch import objective_of
from ssm_net.train.optimiser import Schedule
from ssm_net.train.patches import Patches
from ssm_net.train.sensor_footprint import footprint_of

GOALS = {"waiting, part of a step": 0.05}
MODELS = {"small": ModelConfig(), "base": ModelConfig(width=48, depth=3, coarse_width=64, coarse_depth=2, cells=True)}
ROUNDS = 3
WARM = 3  # steps of a round before it is timed


class Clock(L.Callback):
    """Seconds that each step took and that passed before it, but for the first few."""

    def __init__(self, warm: int) -> None:
        self.warm = warm
        self.steps: list[float] = []
        self.waits: list[float] = []
        self.ended, self.begun = 0.0, 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.begun = time.perf_counter()
        if self.ended:
            self.waits.append(self.begun - self.ended)

    def on_train_batch_end(self, *_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ended = time.perf_counter()
        self.steps.append(self.ended - self.begun)

    def told(self) -> tuple[float, float]:
        """Mean seconds a step and before it."""
        return float(np.mean(self.steps[self.warm :])), float(np.mean(self.waits[self.warm :]))


def learner(data: Patches, model: ModelConfig, stride: int) -> AggregateLearner:
    cfg, cube = TrainConfig("cube", "run", stride=stride), data.cube
    L.seed_everything(1, verbose=False)
    return AggregateLearner(
        network_of(model, data.scaling, 0.2), footprint=footprint_of(cube), objective=objective_of(cfg, data.scaling),
        schedule=Schedule(cfg.lr, cfg.weight_decay, steps=1000, seed=1), cells=int(np.prod(cube.domain.coarse_shape)),
        observations=1000,
    )  # fmt: skip


def timed(module: AggregateLearner, batches: Any, steps: int) -> tuple[float, float]:
    clock = Clock(WARM)
    trainer = L.Trainer(max_steps=steps + WARM, callbacks=[clock], logger=False, enable_checkpointing=False,
                        enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0,
                        use_distributed_sampler=False, devices=1)  # fmt: skip
    trainer.fit(module, batches)
    return clock.told()


class Loaded(TrainingData):
    """The loader's batches, without an end; ``unpacking`` are the seconds spent on each in the training process."""

    def __init__(self, data: Patches, batch_size: int, workers: int) -> None:
        super().__init__(data, data, batch_size, workers)
        self.unpacking: list[float] = []

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        begun = time.perf_counter()
        batch = super().on_after_batch_transfer(batch, dataloader_idx)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.unpacking.append(time.perf_counter() - begun)
        return batch

    def train_dataloader(self) -> DataLoader[Any]:
        return self.loader(self.train, range(10_000))


class InMemory(torch.utils.data.IterableDataset[Any]):
    """One batch again and again."""

    def __init__(self, batch: PatchBatch) -> None:
        self.batch = batch

    def __iter__(self) -> Any:
        while True:
            yield self.batch


def main(argv: Sequence[str] | None = None) -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path, help="keeps the cube")
    arguments.add_argument("--days", type=int, default=3)
    arguments.add_argument("--window", type=int, nargs=4, default=PART, help="rows and columns of coarse cells")
    arguments.add_argument("--steps", type=int, default=20, help="of each round")
    arguments.add_argument("--batch-size", type=int, default=4)
    arguments.add_argument("--stride", type=int, default=6, help="one pixel in so many stands for all, each way")
    arguments.add_argument("--model", choices=MODELS, default="small")
    arguments.add_argument("--workers", type=int, default=1, help="processes that make batches")
    arguments.add_argument("--results", type=Path, default=ROOT / "bench" / "results", help="folder for the numbers")
    arguments.add_argument("--check", action="store_true", help="exit 1 where a goal is missed")
    words = list(argv) if argv is not None else sys.argv[1:]
    args = arguments.parse_args(words)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    console = Console(width=120)
    data = samples(build(args.folder / "cube.zarr", args.days, tuple(args.window)))
    module = learner(data, MODELS[args.model], args.stride)
    batch = data.complete(collate([data[n] for n in range(args.batch_size)]))
    pixels = args.batch_size * batch.land[0].numel()
    with FlopCounterMode(display=False) as counter:
        found = module.background(batch, (0, 0), args.stride)
        (found.mean.mean() + found.variance.mean()).backward()
    turns, unpacking = [], []
    for _ in range(ROUNDS):
        loaded = Loaded(data, args.batch_size, args.workers)
        turns.append((timed(module, loaded, args.steps),
                      timed(module, DataLoader(InMemory(batch), batch_size=None), args.steps)))  # fmt: skip
        unpacking += loaded.unpacking[WARM : WARM + args.steps]
    (step, wait), (bare, between) = (np.mean([t[i] for t in turns], 0) for i in (0, 1))
    rate = matmul_rate(torch.float32)
    report: dict[str, Any] = {
        "seconds a step": step + wait, "of it waiting": wait, "waiting, part of a step": wait / (step + wait),
        "unpacking in it, part of a step": float(np.mean(unpacking)) / (step + wait),
        "between steps with the batch in memory, part": between / (bare + between),
        "seconds a step, batch in memory": bare + between, "step / in memory": (step + wait) / (bare + between),
        "FLOPs a pixel of the patch": counter.get_total_flops() / pixels,
        "pixels a second": pixels / (step + wait), "matrix rate, float32, FLOP/s": rate,
        "part of the matrix rate": counter.get_total_flops() / (bare + between) / rate,
        "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "model": args.model, "batch": args.batch_size, "workers": args.workers, "stride": args.stride,
    }  # fmt: skip
    for name, value in report.items():
        console.print(f"{name:46s} {value:.3g}" if isinstance(value, float) else f"{name:46s} {value}")
    missed = [f"{name} {report[name]:.2f} is not <= {goal}" for name, goal in GOALS.items() if report[name] > goal]
    where = {**machine(), "load": [round(n, 1) for n in os.getloadavg()]}
    write_json(args.results / "train.json", report | {
        "command": command_of("train.py", words, args.folder), "commit": commit_of(ROOT), "machine": where,
        "goals": GOALS, "missed": missed,
    })  # fmt: skip
    print("missed: " + "; ".join(missed) if missed else "all goals reached")
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
