"""What bench/gpu.py measures, a function a section: each takes the set-up and gives its numbers by name.

Timing waits for the device before it begins and after it ends, and nowhere between.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from national_cube import CHINA, build
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from ssm_net.config import PRIOR_MODEL, InferConfig, PretrainConfig, TrainConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, Trained, load_trained
from ssm_net.estimators.checkpoint import build as network_of
from ssm_net.estimators.network import NetworkEstimator, half_upsampled
from ssm_net.formats.product import Mosaic
from ssm_net.grid import M36, Window
from ssm_net.infer.day import background, tiles_with_land
from ssm_net.infer.streams import tile_pixels
from ssm_net.infer.writer import DayWriter
from ssm_net.inputs import features
from ssm_net.inputs.reading import padded, read_coarse, read_stored, variables
from ssm_net.inputs.scaling import unscaled
from ssm_net.inputs.tiling import joined, window_of
from ssm_net.pretrain.samples import NEIGHBOURHOOD, THINNING, World
from ssm_net.pretrain.supervised import SupervisedLearner
from ssm_net.pretrain.truth_samples import TruthSamples
from ssm_net.pretrain.worlds import FEATURE_NAMES
from ssm_net.train.aggregate_loss import AggregateLearner
from ssm_net.train.batches import collate
from ssm_net.train.from_scratch import objective_of
from ssm_net.train.optimiser import Schedule
from ssm_net.train.patches import Patches, PatchShape
from ssm_net.train.sensor_footprint import footprint_of

WARM = 3  # steps before a training is timed
TEN_MINUTES = 600.0
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """Windows (rows and columns of coarse cells) of the cubes of training and of the country, ``steps`` of a training,
    days through the ``pipeline`` and through the ``network``, days of the pretraining's ``world``."""

    part: Window
    country: Window
    steps: int
    pipeline: int
    network: int
    world: int


SIZES = {
    "full": Size((84, 108, 740, 780), CHINA, steps=60, pipeline=16, network=5, world=24),
    "smoke": Size((88, 96, 772, 780), (88, 96, 772, 780), steps=2, pipeline=2, network=1, world=4),
}


@dataclass(frozen=True)
class SetUp:
    """Where and how large: ``folder`` keeps the cubes."""

    folder: Path
    device: torch.device
    size: Size

    @functools.cached_property
    def part(self) -> Cube:
        """Two days of the window of training."""
        return build(self.folder / "part.zarr", 2, self.size.part)

    @functools.cached_property
    def country(self) -> Cube:
        """One day of a country: it is read again and again, from the page cache after the first time."""
        return build(self.folder / "country.zarr", 1, self.size.country)

    @functools.cached_property
    def prior(self) -> Trained:
        """The shipped networks, as fast as adapted ones."""
        trained = load_trained(SHIPPED_PRIOR)
        return replace(trained, provenance={"cube": "none: the prior as it is", "train_days": ["-", "-"]})

    def seconds(self, do: Callable[[], Any]) -> float:
        self.wait()
        begun = time.perf_counter()
        do()
        self.wait()
        return time.perf_counter() - begun

    def wait(self) -> None:
        """For all that the device was given to do."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


# ---- training ------------------------------------------------------------------------------------------------------


class Stopwatch(L.Callback):
    """Seconds of all steps after the first few, what Lightning does between them included."""

    def __init__(self, setup: SetUp) -> None:
        self.setup, self.begun, self.seconds = setup, 0.0, 0.0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        if index == WARM:
            self.setup.wait()
            self.begun = time.perf_counter()

    def on_train_end(self, *_: Any) -> None:
        self.setup.wait()
        self.seconds = time.perf_counter() - self.begun


class InMemory(IterableDataset[Any]):
    """One batch again and again."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield self.batch


def seconds_a_step(setup: SetUp, module: L.LightningModule, batch: Any, precision: str) -> float:
    """Of a training by Lightning, the batch being on the device."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    watch = Stopwatch(setup)
    trainer = L.Trainer(
        accelerator="gpu" if setup.device.type == "cuda" else "cpu", devices=1, precision=precision,  # type: ignore[arg-type]
        max_steps=setup.size.steps + WARM, callbacks=[watch], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, gradient_clip_val=1.0, use_distributed_sampler=False,
        default_root_dir=setup.folder,
    )  # fmt: skip
    trainer.fit(module, DataLoader(InMemory(batch.to(setup.device)), batch_size=None))
    return watch.seconds / setup.size.steps


def training_step(setup: SetUp) -> Numbers:
    """Networks from nothing, as train.py trains them with prior=none on a cube."""
    cube, cfg, out = setup.part, TrainConfig("cube", "run", prior="none"), {}
    names = features.available(variables(cube))
    scaling = unscaled(names)
    every = np.ones(cube.domain.coarse_shape, bool)
    shape = PatchShape(cfg.patch, cfg.model.kernel // 2, cfg.model.lags, cfg.model.cells)
    data = Patches(cube, cube.days, [every] * len(cube.days), scaling, shape, seed=cfg.seed)
    batch = data.batch_of([data[n] for n in range(cfg.batch_size)])
    for name, precision in (("float32", "32-true"), ("bfloat16", "bf16-mixed")):
        L.seed_everything(cfg.seed, verbose=False)
        learner = AggregateLearner(
            network_of(cfg.model, scaling, 0.2), footprint=footprint_of(cube), objective=objective_of(cfg, scaling),
            schedule=Schedule(cfg.lr, cfg.weight_decay, 1000, cfg.seed), cells=every.size, observations=1000,
        )  # fmt: skip
        took = seconds_a_step(setup, learner, batch, precision)
        out[name] = {"seconds a step": took, "samples a second": cfg.batch_size / took}
    return {**out, "batch": cfg.batch_size, "patch, cells": cfg.patch}


def simulated_world(days: int, cells: int, names: Sequence[str]) -> World:
    """Samples of a world of ``cells`` a side whose values are noise."""
    random = torch.Generator().manual_seed(0)
    n = cells * M36.ratio // THINNING

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    x = noise(days, len(names), n * NEIGHBOURHOOD, n * NEIGHBOURHOOD).half()
    truth, ssm = 0.2 + 0.05 * noise(days, n, n), 0.2 + 0.04 * noise(days, cells, cells)
    offset = torch.zeros(days, 2, dtype=torch.int64)
    return World.looking_back(x, truth.half(), offset, noise(days, len(names), cells, cells), ssm, torch.arange(days))


def pretraining_step(setup: SetUp) -> Numbers:
    """A network of the size of a prior's, as pretrain.py trains one a group, and what fits into ten minutes."""
    cfg, out = PretrainConfig("worlds", "prior"), {}
    scaling = unscaled(FEATURE_NAMES)
    world = simulated_world(setup.size.world, cfg.cells, FEATURE_NAMES)
    data = TruthSamples([world], scaling, ratio=M36.ratio, lags=cfg.model.lags,
                        lookahead=cfg.model.lookahead, seed=cfg.seed)  # fmt: skip
    begun = time.perf_counter()
    samples = [data[n] for n in range(cfg.batch_size)]
    made = cfg.batch_size / (time.perf_counter() - begun)
    batch, worlds, model = collate(samples), cfg.count * len(cfg.families), replace(PRIOR_MODEL, members=1)
    for name, bf16 in (("float32", False), ("bfloat16", True)):
        L.seed_everything(cfg.seed, verbose=False)
        learner = SupervisedLearner(network_of(model, scaling, 0.2), ratio=M36.ratio, bf16=bf16,
                                    schedule=Schedule(cfg.lr, cfg.weight_decay, 1000, cfg.seed))  # fmt: skip
        took = seconds_a_step(setup, learner, batch, "32-true")  # the learner itself runs its pixels in bfloat16
        samples_a_second = cfg.batch_size / took
        epochs = TEN_MINUTES * samples_a_second / (worlds * cfg.days)
        out[name] = {"seconds a step": took, "samples a second": samples_a_second,
                     "epochs in ten minutes": epochs, "worlds x epochs in ten minutes": epochs * worlds}  # fmt: skip
    return {**out, "batch": cfg.batch_size, "worlds": worlds, "days a world": cfg.days,
            "samples a second made by one process": made}  # fmt: skip


# ---- inference -----------------------------------------------------------------------------------------------------


def agreement(setup: SetUp) -> Numbers:
    """The largest differences from the same pixels in float32 on the CPU: of soil moisture and of its standard error
    (m3 m-3); and between two passes, which is 0 where no copy overtakes another. All by the tiles of infer.py."""
    cube, out = setup.part, {}
    everywhere = torch.ones(cube.domain.fine_shape, dtype=torch.bool)

    def fields(device: torch.device, precision: torch.dtype) -> Tensor:
        """Soil moisture and its standard error, (2, y, x)."""
        estimator = NetworkEstimator(load_trained(SHIPPED_PRIOR), cube, device, precision)
        coarse = read_coarse(cube, cube.days[1], estimator.lags, estimator.scaling, estimator.lookahead)
        one = background(estimator, cube, coarse, everywhere, tile_of())
        return torch.stack([one.mean, (one.shared + one.local).sqrt()])

    reference = fields(torch.device("cpu"), torch.float32)
    for name, precision in PRECISIONS.items():
        first, second = (fields(setup.device, precision) for _ in range(2))
        ssm, sigma = (first - reference).abs().flatten(1).amax(1).tolist()
        out[name] = {"soil moisture": ssm, "standard error": sigma}
        out[f"{name}, two passes"] = float((first - second).abs().max())
    return {**out, "pixels": everywhere.numel()}


def country_cube(setup: SetUp) -> Numbers:
    """The country's day on the disk; made where it is not there."""
    took = setup.seconds(lambda: setup.country)
    size = sum(f.stat().st_size for f in setup.country.path.rglob("*") if f.is_file())
    return {"seconds": took, "MB": size / 1e6, "pixels": int(np.prod(setup.country.domain.fine_shape)),
            "land pixels": int(setup.country.land().sum())}  # fmt: skip


def network_alone(setup: SetUp) -> Numbers:
    """Days a second of the networks, normalised features being on the device."""
    cube, device, out = setup.country, setup.device, {}
    day, wanted = cube.days[0], tiles_with_land(cube, cube.land(), tile_of())
    together = [window_of(group) for group in joined(wanted, tile_pixels(device))]
    for name, precision in PRECISIONS.items():
        estimator = NetworkEstimator(setup.prior, cube, device, precision)
        coarse = read_coarse(cube, day, estimator.lags, estimator.scaling, estimator.lookahead)
        context = estimator.context(coarse)
        inputs = []
        for window in together:
            inside, _ = padded(window, estimator.halo, estimator.shape)
            pixels = read_stored(cube, day, inside, estimator.needs, coarse.background)
            inputs.append((estimator.inputs(pixels, window)[0], window))

        @torch.inference_mode()
        def one_day(estimator: NetworkEstimator = estimator, context: Any = context, inputs: Any = inputs) -> None:
            for x, window in inputs:
                half = half_upsampled(context.by_phase, estimator.ratio, window)
                estimator.fused(x, half)[0].mean(0)

        one_day()
        took = setup.seconds(lambda: [one_day() for _ in range(setup.size.network)]) / setup.size.network
        out[name] = {"seconds a day": took, "days a second": 1 / took}
    pixels = sum((y1 - y0) * (x1 - x0) for y0, y1, x0, x1 in together)
    return {**out, "tiles": len(together), "pixels computed": pixels}


class HeldCube(Cube):
    """A cube whose arrays stay in memory, as stored, once they were read."""

    @functools.cached_property
    def held(self) -> dict[tuple[str, dt.date | None], np.ndarray]:
        return {}

    def _read(self, key: str, window: Window | None, day: dt.date | None = None) -> np.ndarray:
        if (key, day) not in self.held:
            self.held[key, day] = super()._read(key, None, day)
        field = self.held[key, day]
        y0, y1, x0, x1 = window or (0, field.shape[0], 0, field.shape[1])
        return field[y0:y1, x0:x1]


def tile_of() -> int:
    """Coarse cells a side of a tile, as infer.py has them by default."""
    return InferConfig("cube", "maps", "run").tile


def pipeline(setup: SetUp, *, in_memory: bool) -> Numbers:
    """Days a second from the cube to maps in memory, flags and update included, a day after the other."""
    cfg = InferConfig(str(setup.country.path), str(setup.folder / "maps"), "run", device=setup.device.type)
    days, day = DayWriter.open(cfg, setup.prior), setup.country.days[0]
    if in_memory:
        known = vars(setup.country)
        cube = HeldCube(**{name: known[name] for name in Cube.__dataclass_fields__})
        days = replace(days, cube=cube)

    def mapped(day: dt.date) -> Mosaic:
        return days.predict(day).mosaic({})

    first = mapped(day)  # arrays are read, pinned memory is there
    number, work = setup.size.pipeline, time.process_time()
    took = setup.seconds(lambda: [mapped(day).day for _ in range(number)]) / number
    covered = float(np.isfinite(first.ssm).mean())
    return {"seconds a day": took, "days a second": 1 / took, "days": number, "mapped, part": covered,
            "processor seconds a day": (time.process_time() - work) / number,
            "precision": days.precision.name}  # fmt: skip
