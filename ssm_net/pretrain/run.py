"""``pretrain(cfg)``: worlds drawn between families of physics, and networks that learn from their truth.

What is learned is what holds in all of these worlds. ``train`` starts from it and learns from the target's own coarse
observations where the target differs. Worlds are simulated in native files and prepared like any raw folder; then only
their thinned pixels are kept.
"""

from __future__ import annotations

import datetime as dt
import logging
import multiprocessing
import shutil
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger
from rich.console import Console
from rich.progress import Progress

from ssm_net.config import DomainConfig, PrepareConfig, PretrainConfig, SimulateConfig
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.formats.truth import Truth
from ssm_net.inputs import features
from ssm_net.inputs.reading import variables
from ssm_net.inputs.scaling import Scaling
from ssm_net.inputs.statistics import FeatureMoments
from ssm_net.prepare.run import prepare
from ssm_net.pretrain.samples import World, thin
from ssm_net.pretrain.supervised import Supervised, TruthSamples
from ssm_net.simulate.run import simulate
from ssm_net.train.patches import PatchData
from ssm_net.version import __version__

console = Console()

LEFT_OUT = ("elevation",)  # of a world's relief nothing may be learned about another's heights above the sea
WITHHELD = 0.1  # of the worlds: the error of what was learned is told on them
ROWS, COLS = (44, 92), (700, 824)  # M36 rows and columns between which a world's first lies: about 23-52N, 81-127E
FIRST, LAST = dt.date(2016, 4, 1), dt.date(2016, 8, 14)  # between which worlds begin


@dataclass(frozen=True)
class Place:
    """One world to be made: its family and seed, where and when it lies."""

    family: str
    seed: int
    window: tuple[int, int, int, int]
    start: dt.date
    end: dt.date

    @classmethod
    def draw(cls, family: str, seed: int, cells: int, days: int) -> Place:
        rng = np.random.default_rng([seed, len(family), ord(family[0])])
        row, col = (4 * int(rng.integers(a // 4, b // 4)) for a, b in (ROWS, COLS))
        start = FIRST + dt.timedelta(int(rng.integers((LAST - FIRST).days)))
        return cls(family, seed, (row, row + cells, col, col + cells), start, start + dt.timedelta(days - 1))

    @property
    def name(self) -> str:
        return f"{self.family}{self.seed}"


def make(place: Place, folder: Path) -> Path:
    """The samples of a world; they are there already, or it is made, thinned and thrown away."""
    file = folder / f"{place.name}.npz"
    if file.exists():
        return file
    torch.set_num_threads(1)
    here = folder / place.name
    where = {"start": str(place.start), "end": str(place.end), "domain": DomainConfig("world", list(place.window))}
    simulate(SimulateConfig(str(here / "raw"), seed=place.seed, family=place.family, **where))  # type: ignore[arg-type]
    cube = prepare(PrepareConfig(str(here / "raw"), str(here / "cube.zarr"), **where))  # type: ignore[arg-type]
    assert cube is not None
    thin(cube, Truth.open(here / "raw" / "truth.zarr", cube.domain), names_of(variables(cube)), file, place.seed)
    shutil.rmtree(here)
    return file


def names_of(have: list[str]) -> list[str]:
    """The features that networks are trained on beforehand, of those that these variables allow."""
    return [n for n in features.available(have) if n not in LEFT_OUT]


def pretrain(cfg: PretrainConfig) -> Trained | None:
    """Make the worlds, train, save into ``cfg.run`` and return; what is there already is not made again."""
    folder, run = Path(cfg.worlds), Path(cfg.run)
    places = [Place.draw(f, cfg.seed * 100 + n, cfg.cells, cfg.days) for n in range(cfg.count) for f in cfg.families]
    if cfg.plan:
        there = sum((folder / f"{p.name}.npz").exists() for p in places)
        console.print(f"would make {len(places) - there} of {len(places)} worlds in {folder} ({there} are there), "
                      f"{cfg.days} days each, and train {cfg.model.members} networks on them into {run}")  # fmt: skip
        return None
    if (run / "model.json").exists():
        console.print(f"[green]{run} is trained already[/]")
        return load_trained(run)
    folder.mkdir(parents=True, exist_ok=True)
    run.mkdir(parents=True, exist_ok=True)
    _make_all(places, folder, cfg.workers)
    console.print("reading the worlds")
    worlds = [World.load(folder / f"{p.name}.npz") for p in places]
    scaling = scaling_of(worlds, places)
    mean = float(np.mean([float(torch.nanmean(w.ssm)) for w in worlds]))
    held = max(1, round(WITHHELD * len(worlds)))
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    L.seed_everything(cfg.seed, verbose=False)
    ratio = 36
    samples: dict[str, Any] = {"ratio": ratio, "lags": cfg.model.lags}
    data = PatchData(
        TruthSamples(worlds[held:], scaling, seed=cfg.seed, **samples),
        TruthSamples(worlds[:held], scaling, seed=None, **samples), cfg.batch_size, cfg.trainer.workers,
    )  # fmt: skip
    steps = cfg.epochs * -(-len(data.train) // cfg.batch_size)
    learner = Supervised(build(cfg.model, scaling, mean), ratio=ratio, lr=cfg.lr, weight_decay=cfg.weight_decay,
                         steps=steps, seed=cfg.seed, bf16=cfg.trainer.precision.startswith("bf16"))  # fmt: skip
    last = ModelCheckpoint(run / "checkpoints", save_last=True, enable_version_counter=False)
    trainer = L.Trainer(
        accelerator=cfg.trainer.accelerator, devices=1, max_epochs=cfg.epochs, gradient_clip_val=1.0,
        callbacks=[last, RichProgressBar(leave=False)], logger=CSVLogger(run, name="log", version=0),
        num_sanity_val_steps=0, enable_model_summary=False, default_root_dir=run, use_distributed_sampler=False,
        log_every_n_steps=20,
    )  # fmt: skip
    begun = run / "checkpoints" / "last.ckpt"
    trainer.fit(learner, datamodule=data, ckpt_path=str(begun) if begun.exists() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt("training was interrupted; the same command goes on from the last whole epoch")
    error = float(trainer.callback_metrics["val/rmse"])
    save_trained(run, Trained(
        learner.network.eval().cpu(), scaling, cfg.model, ratio, "gaussian", 43.0, mean, Calibration(),
        provenance={"ssm_net": __version__, "families": list(cfg.families), "worlds": len(places) - held,
                    "withheld worlds": [p.name for p in places[:held]], "RMSE there, m3 m-3": round(error, 5)},
    ))  # fmt: skip
    console.print(
        f"[green]trained[/] on {len(places) - held} worlds: RMSE {error:.4f} m3 m-3 in {held} others; in {run}"
    )
    return load_trained(run)


def _make_all(places: list[Place], folder: Path, workers: int) -> None:
    todo = [p for p in places if not (folder / f"{p.name}.npz").exists()]
    if not todo:
        return
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context) as pool, Progress(console=console) as bar:
        task = bar.add_task("worlds", total=len(places), completed=len(places) - len(todo))
        for done in as_completed([pool.submit(make, p, folder) for p in todo]):
            done.result()
            bar.advance(task)


def scaling_of(worlds: list[World], places: list[Place]) -> Scaling:
    """Mean and spread of each feature over the pixels of all worlds, each counting alike."""
    cube_names = [f.name for f in features.FEATURES if not f.classics_only and f.name not in LEFT_OUT]
    assert worlds[0].x.shape[1] == len(cube_names), "simulated worlds have every product"
    moments = [FeatureMoments.of(w.x[::4, :, ::5, ::5].transpose(0, 1)).as_one() for w in worlds]
    total = sum(moments[1:], start=moments[0])
    return total.scaling(cube_names, min(p.start for p in places), max(p.end for p in places))
