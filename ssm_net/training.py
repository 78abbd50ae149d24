"""``train(cfg)``: from a cube to a trained model in ``run``, going on where an earlier run was cut off."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger
from rich.console import Console

import ssm_net
from ssm_net import features
from ssm_net.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.config import ConfigError, TrainConfig
from ssm_net.cube import Cube, open_cube, write_json
from ssm_net.inputs import Scaling, variables
from ssm_net.learning import Learner
from ssm_net.patches import compute_scaling, patch_data
from ssm_net.split import Split, split

log = logging.getLogger(__name__)
console = Console(quiet=os.environ.get("LOCAL_RANK", "0") != "0")  # of several processes the first speaks

UNRESOLVED = 0.04  # m3 m-3; what no predictor explains inside a cell: 0.02-0.04, and aggregates cannot tell
LEAST_PART = 0.2  # of Var(innovation) is P at least: a stated R that is too large must not close the update


class TrainingError(ValueError):
    """The cube cannot be trained on; the message says what is missing."""


def train(cfg: TrainConfig) -> Trained | None:
    """Train and return the model; ``None`` with ``plan=true``. What is finished in ``cfg.run`` is not done again."""
    run = Path(cfg.run)
    cube = open_cube(cfg.cube)
    days = [d for d in cube.done_days() if (cube.status(d) or {}).get("observed", 0) > 0]
    if not days:
        raise TrainingError(f"{cube.path}: no day with a coarse observation; was its product in raw/? See prepare.py")
    if cube.domain.ratio % cfg.stride:
        raise ConfigError(f"stride={cfg.stride} must divide the {cube.domain.ratio} pixels of a cell's side")
    parts = split(days, cube.domain.coarse_shape, cfg.validation_fraction, cfg.validation_days, cfg.seed)
    if cfg.plan:
        _print_plan(cfg, cube, parts)
        return None
    if cfg.restart:
        shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)
    _same_settings(run, cfg)
    if (run / "model.json").exists():
        console.print(f"[green]{run} is trained already[/]; restart=true trains again")
        return load_trained(run)

    # Lightning's own words on devices and plugins are no news to a user; its warnings on short runs neither.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    L.seed_everything(cfg.seed, verbose=False)
    scaling = _scaling(cube, parts)
    mean_ssm = _mean_ssm(cube, parts)
    data = patch_data(
        cube, parts, scaling, lags=cfg.model.lags, halo=cfg.model.kernel // 2, patch=cfg.patch,
        batch_size=cfg.batch_size, workers=cfg.trainer.workers, seed=cfg.seed,
    )  # fmt: skip
    steps = cfg.epochs * math.ceil(len(data.train) / (cfg.batch_size * cfg.trainer.devices))
    footprint, fwhm = cube.attrs["footprint"], cube.attrs["fwhm_km"] * 1000 / cube.domain.grid.pixel
    learner = Learner(
        build(cfg.model, scaling, mean_ssm), ratio=cube.domain.ratio, footprint=footprint, fwhm=fwhm, lr=cfg.lr,
        weight_decay=cfg.weight_decay, beta=cfg.beta, subgrid=cfg.subgrid, subgrid_std=cfg.subgrid_std, seed=cfg.seed,
        steps=steps, stride=cfg.stride,
    )  # fmt: skip
    console.print(
        f"training on {len(parts.train_days)} days, {len(scaling.names)} features, "
        f"{sum(p.numel() for p in learner.parameters()):,} parameters; held out: {len(parts.held_days)} days, "
        f"{int(parts.held_cells.sum())} of {parts.held_cells.size} cells"
    )
    trainer, best = _trainer(cfg, run)
    last = run / "checkpoints" / "last.ckpt"
    if last.exists():
        console.print(f"going on from {last}")
    trainer.fit(learner, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt("training was interrupted; the same command goes on from the last whole epoch")

    state = torch.load(best.best_model_path or last, map_location="cpu", weights_only=True)
    learner.load_state_dict(state["state_dict"])
    numbers = _validate(trainer, learner, data)
    p = max(numbers["val/background_variance"], LEAST_PART * numbers["val/innovation_rmse"] ** 2)
    scale = p / numbers["val/predicted_variance"]
    trained = Trained(
        learner.network.eval().cpu(), scaling, cfg.model, cube.domain.ratio, footprint, fwhm,
        variance_scale=scale, unresolved=UNRESOLVED, mean_ssm=mean_ssm,
        provenance={
            "ssm_net": ssm_net.__version__, "torch": torch.__version__.split("+")[0], "cube": cube.path.name,
            "domain": cube.domain.name, "inputs": dict(cube.attrs), "train_days": [str(d) for d in (
                parts.train_days[0], parts.train_days[-1])], "held_cells": np.argwhere(parts.held_cells).tolist(),
            "settings": _settings(cfg), "validation": numbers, "epochs_done": int(state["epoch"]) + 1,
        },
    )  # fmt: skip
    if trainer.is_global_zero:
        save_trained(run, trained)
    trainer.strategy.barrier("model saved")
    console.print(
        f"[green]trained[/]: innovation RMSE {numbers['val/innovation_rmse']:.4f} m3 m-3 on held-out cells and days "
        f"(bias {numbers['val/innovation_bias']:+.4f}); model in {run}"
    )
    return load_trained(run)


def _settings(cfg: TrainConfig) -> dict[str, Any]:
    """What decides the result; where it runs and where it is written do not."""
    out = asdict(cfg)
    for key in ("run", "restart", "plan", "trainer"):
        del out[key]
    return out | {"precision": cfg.trainer.precision, "cube": str(Path(cfg.cube).resolve().name)}


def _same_settings(run: Path, cfg: TrainConfig) -> None:
    file, want = run / "settings.json", json.loads(json.dumps(_settings(cfg)))
    if not file.exists():
        if any(run.iterdir()):
            raise ConfigError(f"run={run} is not empty and holds no training; choose another folder")
        write_json(file, want)
        return
    have = json.loads(file.read_text())
    if differ := [
        f"{k}={want.get(k)} (was {have.get(k)})" for k in sorted({*have, *want}) if have.get(k) != want.get(k)
    ]:
        raise ConfigError(
            f"run={run} holds a training with other settings: {'; '.join(differ)}. "
            "Choose another run=FOLDER, or restart=true to throw it away"
        )


def _scaling(cube: Cube, parts: Split) -> Scaling:
    """Statistics of the training days, kept in the cube under their dates and the features they are for."""
    stored = cube.stats(parts.name)
    if stored is None or list(stored["names"]) != features.available(variables(cube)):
        scaling = compute_scaling(cube, parts.train_days)
        cube.write_stats(parts.name, asdict(scaling))
        return scaling
    return Scaling.from_json(stored)


def _mean_ssm(cube: Cube, parts: Split) -> float:
    total, n = 0.0, 0
    for day in parts.train_days:
        y = cube.read_coarse("ssm", day)
        total, n = total + float(np.nansum(y)), n + int(np.isfinite(y).sum())
    return total / n


def _trainer(cfg: TrainConfig, run: Path) -> tuple[L.Trainer, ModelCheckpoint]:
    best = ModelCheckpoint(
        run / "checkpoints", filename="best", monitor="val/innovation_rmse", mode="min", save_last=True,
        enable_version_counter=False, save_on_train_epoch_end=True,
    )  # fmt: skip
    stop = EarlyStopping("val/innovation_rmse", patience=cfg.patience, mode="min")
    loggers: list[Logger] = [CSVLogger(run, name="log", version=0)]
    try:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(run, name="tensorboard", version=0))
    except ModuleNotFoundError:
        log.info("tensorboard is not installed (pip install 'ssm_net[track]'): curves go to %s/log only", run)
    t = cfg.trainer
    trainer = L.Trainer(
        accelerator=t.accelerator, devices=t.devices, strategy=t.strategy, precision=t.precision,  # type: ignore[arg-type]
        max_epochs=cfg.epochs, logger=loggers, callbacks=[best, stop, RichProgressBar(leave=False)],
        gradient_clip_val=1.0, log_every_n_steps=5, num_sanity_val_steps=0, enable_model_summary=False,
        default_root_dir=run, use_distributed_sampler=False,
    )  # fmt: skip
    return trainer, best


def _validate(trainer: L.Trainer, learner: Learner, data: L.LightningDataModule) -> dict[str, float]:
    (numbers,) = trainer.validate(learner, datamodule=data, verbose=False)
    if "val/innovation_rmse" not in numbers:
        raise TrainingError("nothing was held out to measure the background error on; raise validation_fraction")
    return {k: float(v) for k, v in numbers.items()}


def _print_plan(cfg: TrainConfig, cube: Cube, parts: Split) -> None:
    console.print(
        f"would train {cfg.epochs} epochs on {len(parts.train_days)} days of {cube.path} "
        f"({parts.train_days[0]} .. {parts.train_days[-1]}), holding out {len(parts.held_days)} days and "
        f"{int(parts.held_cells.sum())} of {parts.held_cells.size} cells, into {cfg.run}"
    )
