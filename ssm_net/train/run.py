"""``train(cfg)``: from a cube to a trained model in ``run``, going on where an earlier run was cut off."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger
from rich.console import Console

from ssm_net.config import TrainConfig
from ssm_net.cube.store import Cube, open_cube, write_json
from ssm_net.errors import ConfigError, SsmNetError
from ssm_net.estimators.calibration import Innovations, calibrate
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, Trained, build, load_trained, save_trained
from ssm_net.inputs import features
from ssm_net.inputs.reading import variables
from ssm_net.inputs.scaling import Scaling
from ssm_net.inputs.split import Split, split
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.model.network import Committee
from ssm_net.train.aggregate_loss import BIAS, Learner
from ssm_net.train.last_layer import Site, adapt, gather, innovations, some_of
from ssm_net.train.patches import patch_data
from ssm_net.version import __version__

log = logging.getLogger(__name__)
console = Console(quiet=os.environ.get("LOCAL_RANK", "0") != "0")  # of several processes the first speaks

SHARED = 4  # cells a side that share a lasting bias of the sensor
# By how much the squared error inside cells exceeds the stated variance in worlds whose laws a prior has not seen:
# 0.99 and 1.21, of a prior without family B in worlds between B and C, and without A in worlds between A and C.
STRANGE = 1.1
HOT = ("lst_day_today", "lst_day_memory")  # features that are high where the ground is hot


class TrainingError(SsmNetError):
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
    if unknown := sorted(set(cfg.exclude) - set(features.available(variables(cube)))):
        raise ConfigError(f"exclude: {', '.join(unknown)} is no feature of {cube.path}; it has "
                          f"{', '.join(features.available(variables(cube)))}")  # fmt: skip
    parts = split(days, cube.domain.coarse_shape, cfg.validation_fraction, cfg.validation_days, cfg.seed)
    prior = _prior(cfg, cube)
    if cfg.plan:
        _print_plan(cfg, cube, parts)
        return None
    if cfg.restart:
        shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)
    _same_settings(run, cfg, prior)
    if (run / "model.json").exists():
        console.print(f"[green]{run} is trained already[/]; restart=true trains again")
        return load_trained(run)
    if prior is None:
        network, scaling, mean_ssm = _from_nothing(cfg, cube, parts, run)
        model = cfg.model
    else:
        network, mean_ssm, model = prior.network, prior.mean_ssm, prior.model
        have = features.available(variables(cube))
        absent = tuple(n for n in prior.scaling.names if n not in have or n in cfg.exclude)
        scaling = replace(prior.scaling, absent=absent)
        console.print(f"starting from networks that know {prior.provenance['worlds']} simulated worlds"
                      + (f"; without {', '.join(absent)}" if absent else ""))  # fmt: skip
    if int(os.environ.get("LOCAL_RANK", "0")):
        return None  # of several processes the first goes on
    network = network.eval().cpu()
    sites = _sites(cfg, cube, parts) if cfg.stations else []
    some = some_of(parts.train_days)
    with console.status("learning what they miss here" if prior else "last layer"):
        told = gather(network, cube, scaling, some, ~parts.held_cells, lags=model.lags, sites=sites)
        if told is None:
            raise TrainingError(f"{cube.path}: every observation is held out; lower validation_fraction")
        adapt(network, told)
    with console.status("measuring the error on withheld observations"):
        every = np.ones_like(parts.held_cells)
        # A prior has hardly been fitted to these observations: all of them tell its error.
        withheld = [(some, every if prior else parts.held_cells), (some_of(parts.held_days), every)]
        evidence = [gather(network, cube, scaling, some_days, cells, lags=model.lags) for some_days, cells in withheld]
        found = [innovations(e) for e in evidence if e is not None]
    if not found:
        raise TrainingError("nothing was held out to measure the background error on; raise validation_fraction")
    whole = Innovations(*(torch.cat([getattr(f, k.name) for f in found]) for k in fields(Innovations)))
    numbers = {"innovation_rmse": float((whole.innovation**2).mean().sqrt()),
               "innovation_bias": float(whole.innovation.mean()), "observations": len(whole.innovation)}  # fmt: skip
    footprint, fwhm = cube.attrs["footprint"], cube.attrs["fwhm_km"] * 1000 / cube.domain.grid.pixel
    save_trained(run, Trained(
        network, scaling, model, cube.domain.ratio, footprint, fwhm, mean_ssm,
        calibrate(whole, least=1.0 if prior else 0.0, inside=STRANGE if prior else 1.0, level=_level(cube)),
        provenance={
            "ssm_net": __version__, "torch": torch.__version__.split("+")[0], "cube": cube.path.name,
            "domain": cube.domain.name, "inputs": dict(cube.attrs), "train_days": [str(d) for d in (
                parts.train_days[0], parts.train_days[-1])], "held_cells": np.argwhere(parts.held_cells).tolist(),
            "settings": _settings(cfg, prior), "validation": numbers, "prior": prior.provenance if prior else None,
            "stations": [s.name for s in sites],
        },
    ))  # fmt: skip
    console.print(
        f"[green]trained[/]: innovation RMSE {numbers['innovation_rmse']:.4f} m3 m-3 "
        f"(bias {numbers['innovation_bias']:+.4f}) on {numbers['observations']:,} withheld observations; model in {run}"
    )
    return load_trained(run)


def _level(cube: Cube) -> float:
    """What the sensor's lasting bias leaves of the level of the domain, m3 m-3: neighbours within 4 cells share it."""
    rows, cols = cube.domain.coarse_shape
    return float(BIAS / math.sqrt(max(1.0, rows * cols / SHARED**2)))


def _prior(cfg: TrainConfig, cube: Cube) -> Trained | None:
    """The networks to start from. Raises ``ConfigError`` where they do not fit the cube."""
    if cfg.prior == "none":
        return None
    prior = load_trained(SHIPPED_PRIOR if cfg.prior == "shipped" else cfg.prior)
    if prior.ratio != cube.domain.ratio or not set(prior.scaling.names) & set(features.available(variables(cube))):
        raise ConfigError(f"prior={cfg.prior}: these networks are for another grid or other products than {cube.path}; "
                          "prior=none trains from nothing")  # fmt: skip
    return prior


def _sites(cfg: TrainConfig, cube: Cube, parts: Split) -> list[Site]:
    """The stations in cells that are not held out, with their values at the overpass; the others are for judging."""
    from ssm_net.stations.ismn import read_stations
    from ssm_net.stations.matching import at_overpass, station_points, surface_sensors

    assert cfg.stations is not None
    points, _ = station_points(surface_sensors(read_stations(Path(cfg.stations))), cube.domain)
    out = []
    for p in points:
        if p.station is None or parts.held_cells[p.row // cube.domain.ratio, p.col // cube.domain.ratio]:
            continue
        values = at_overpass(p.station.time, p.station.value, parts.train_days, p.lon)
        out.append(Site(p.label, p.row, p.col, dict(zip(parts.train_days, values.tolist(), strict=True))))
    if not out:
        raise TrainingError(f"stations={cfg.stations}: none lies in {cube.domain.name} outside the cells held out")
    console.print(f"learning from {len(out)} of {len(points)} stations; the others lie in cells that are held out")
    return out


def _from_nothing(cfg: TrainConfig, cube: Cube, parts: Split, run: Path) -> tuple[Committee, Scaling, float]:
    """Networks trained on the cube's coarse observations alone; an earlier run that was cut off goes on."""
    # Lightning's own words on devices and plugins are no news to a user; its warnings on short runs neither.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    L.seed_everything(cfg.seed, verbose=False)
    scaling = _scaling(cube, parts, cfg.exclude)
    mean_ssm, observations = _mean_ssm(cube, parts)
    data = patch_data(
        cube, parts, scaling, lags=cfg.model.lags, halo=cfg.model.kernel // 2, patch=cfg.patch, cells=cfg.model.cells,
        batch_size=cfg.batch_size, workers=cfg.trainer.workers, seed=cfg.seed,
    )  # fmt: skip
    learner = Learner(
        build(cfg.model, scaling, mean_ssm), ratio=cube.domain.ratio, footprint=cube.attrs["footprint"],
        fwhm=cube.attrs["fwhm_km"] * 1000 / cube.domain.grid.pixel, lr=cfg.lr, weight_decay=cfg.weight_decay,
        beta=cfg.beta, subgrid=cfg.subgrid, subgrid_std=cfg.subgrid_std, physics=cfg.physics,
        hot=[i for i, n in enumerate(scaling.names) if n in HOT], cells=parts.held_cells.size,
        observations=observations, seed=cfg.seed, stride=cfg.stride,
        steps=cfg.epochs * math.ceil(len(data.train) / (cfg.batch_size * cfg.trainer.devices)),
    )  # fmt: skip
    console.print(
        f"training on {len(parts.train_days)} days, {len(scaling.names)} features, {cfg.model.members} networks of "
        f"{sum(p.numel() for p in learner.network.parameters()) // cfg.model.members:,} parameters; held out: "
        f"{len(parts.held_days)} days, {int(parts.held_cells.sum())} of {parts.held_cells.size} cells"
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
    return learner.network, scaling, mean_ssm


def _settings(cfg: TrainConfig, prior: Trained | None) -> dict[str, Any]:
    """What decides the result; where it runs and where it is written do not."""
    out = asdict(cfg)
    if prior is not None:  # nothing of these counts for networks that are there already
        for key in ("model", "epochs", "batch_size", "patch", "lr", "weight_decay", "beta", "subgrid", "subgrid_std",
                    "physics", "patience"):  # fmt: skip
            del out[key]
        out["prior"] = prior.digest
    for key in ("run", "restart", "plan", "trainer"):
        del out[key]
    return out | {"precision": cfg.trainer.precision, "cube": str(Path(cfg.cube).resolve().name)}


def _same_settings(run: Path, cfg: TrainConfig, prior: Trained | None) -> None:
    file, want = run / "settings.json", json.loads(json.dumps(_settings(cfg, prior)))
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


def _scaling(cube: Cube, parts: Split, exclude: Sequence[str]) -> Scaling:
    """Statistics of the training days."""
    return compute_scaling(cube, parts.train_days, exclude=exclude)


def _mean_ssm(cube: Cube, parts: Split) -> tuple[float, int]:
    """Mean of the observations of the training days, m3 m-3, and their number."""
    total, n = 0.0, 0
    for day in parts.train_days:
        y = cube.read_coarse("ssm", day)
        total, n = total + float(np.nansum(y)), n + int(np.isfinite(y).sum())
    return total / n, n


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


def _print_plan(cfg: TrainConfig, cube: Cube, parts: Split) -> None:
    how = f"train {cfg.epochs} epochs from nothing" if cfg.prior == "none" else f"learn from prior={cfg.prior}"
    console.print(
        f"would {how} on {len(parts.train_days)} days of {cube.path} "
        f"({parts.train_days[0]} .. {parts.train_days[-1]}), holding out {len(parts.held_days)} days and "
        f"{int(parts.held_cells.sum())} of {parts.held_cells.size} cells, into {cfg.run}"
    )
