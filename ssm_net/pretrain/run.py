"""Pretraining: networks trained on the 1 km truth of simulated worlds, drawn between families of physics.

They learn what holds in all of these worlds; ``train`` starts from them and corrects them by the target's own coarse
observations.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from rich.markup import escape

from ssm_net.config import PretrainConfig
from ssm_net.core.locks import held_alone
from ssm_net.errors import ConfigError
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.estimators.versions import VERSIONS
from ssm_net.grid import M36
from ssm_net.inputs.scaling import Scaling
from ssm_net.inputs.statistics import FeatureMoments
from ssm_net.model.network import Committee
from ssm_net.pretrain.samples import World
from ssm_net.pretrain.supervised import SupervisedLearner
from ssm_net.pretrain.truth_samples import TruthSamples
from ssm_net.pretrain.worlds import FEATURE_NAMES, Place, make_worlds, places_of, samples_file
from ssm_net.train.data_module import TrainingData
from ssm_net.train.devices import console, device_of, first_process
from ssm_net.train.optimiser import Schedule
from ssm_net.train.trainer import fit_or_resume, make_trainer
from ssm_net.version import __version__

ERROR = "RMSE in withheld worlds, m3 m-3"
LOCK_FILE = ".lock"
WITHHELD = 0.1  # fraction of the worlds that the error is measured on
PRECISIONS = {"32-true": False, "32": False, "bf16-mixed": True, "bf16": True}  # whether pixels are in bfloat16
FOOTPRINT, FWHM_KM = "gaussian", 43.0  # of simulated worlds, as prepare assumes it


def pretrain(cfg: PretrainConfig) -> Trained | None:
    """Make the worlds, train a network on those of each group, save them as one committee into ``cfg.run`` and return
    it; what is there already is not made again.

    ``None`` with ``plan=true``. Raises ``ConfigError`` where the trainer's settings cannot be honoured, or another
    process trains in that folder.
    """
    run = Path(cfg.run)
    places = places_of(cfg)
    every = [place for of_number in zip(*places.values(), strict=True) for place in of_number]
    if cfg.trainer.precision not in PRECISIONS:
        raise ConfigError(f"trainer.precision={cfg.trainer.precision}: pretraining knows 32-true and bf16-mixed")
    device_of(cfg.trainer)
    if cfg.model.members != len(cfg.families):
        console.print(f"model.members={cfg.model.members} does not count: {len(cfg.families)} groups of families give "
                      "a network each")  # fmt: skip
    if cfg.plan:
        _print_plan(cfg, every)
        return None
    if (run / "model.json").exists():
        console.print(f"[green]{escape(str(run))} is trained already[/]")
        return load_trained(run)
    run.mkdir(parents=True, exist_ok=True)
    if not first_process():  # the processes that train together are one writer
        return _train(cfg, places, every)
    busy = f"run={run} is being pretrained by another process: wait for it to end, then give the same command again"
    with held_alone(run / LOCK_FILE, busy):
        return _train(cfg, places, every)


def _train(cfg: PretrainConfig, places: Mapping[str, Sequence[Place]], every: Sequence[Place]) -> Trained | None:
    """The committee of ``cfg.run``; None in a process that is not the first of those that train together."""
    folder, run = Path(cfg.worlds), Path(cfg.run)
    make_worlds(every, folder, cfg.workers)
    console.print("reading the worlds")
    scaling, mean_ssm = statistics_of((World.load(samples_file(p, folder)) for p in every), every)
    members = _members(cfg, scaling, mean_ssm)
    if not first_process():
        return None
    held = _withheld(cfg.count)
    withheld = [p.name for group in places.values() for p in group[:held]]
    provenance = _provenance(cfg, cfg.families) | {
        "worlds": len(every) - len(withheld),
        "withheld worlds": withheld,
        "RMSE there, m3 m-3": {g: m.provenance[ERROR] for g, m in zip(cfg.families, members, strict=True)},
    }
    save_trained(run, Trained(
        Committee(m for member in members for m in member.network).eval(), scaling,
        replace(members[0].model, members=len(members)), M36.ratio, FOOTPRINT, FWHM_KM, mean_ssm, Calibration(),
        provenance=provenance,
    ))  # fmt: skip
    of_groups = ", ".join(f"{g} {m.provenance[ERROR]:.4f}" for g, m in zip(cfg.families, members, strict=True))
    console.print(f"[green]trained[/] {len(members)} networks; RMSE in {held} other worlds each: {of_groups} m3 m-3; "
                  f"in {escape(str(run))}")  # fmt: skip
    return load_trained(run)


def _members(cfg: PretrainConfig, scaling: Scaling, mean_ssm: float) -> list[Trained]:
    """The network of each group; on a CPU beside each other in ``cfg.workers`` processes."""
    processes = min(cfg.workers, len(cfg.families))
    if device_of(cfg.trainer).type != "cpu" or cfg.trainer.devices > 1 or processes == 1:
        return [train_member(cfg, group, scaling, mean_ssm) for group in cfg.families]
    console.print(
        f"training {len(cfg.families)} networks in {processes} processes; curves in {escape(cfg.run)}/members"
    )
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(partial(train_member, cfg, scaling=scaling, mean_ssm=mean_ssm), cfg.families))


def train_member(cfg: PretrainConfig, group: str, scaling: Scaling, mean_ssm: float) -> Trained:
    """The network of a group, trained on its worlds and kept in ``cfg.run/members``; one that is there is loaded."""
    run = Path(cfg.run) / "members" / group
    if (run / "model.json").exists():
        return load_trained(run)
    run.mkdir(parents=True, exist_ok=True)
    worlds = [World.load(samples_file(p, Path(cfg.worlds))) for p in places_of(cfg)[group]]
    held, model = _withheld(len(worlds)), replace(cfg.model, members=1)
    L.seed_everything(cfg.seed, verbose=False)
    samples = partial(TruthSamples, scaling=scaling, ratio=M36.ratio, lags=model.lags, lookahead=model.lookahead)
    data = TrainingData(
        samples(worlds[held:], seed=cfg.seed), samples(worlds[:held], seed=None),
        cfg.batch_size, cfg.trainer.workers,
    )  # fmt: skip
    steps = cfg.epochs * -(-len(data.train) // (cfg.batch_size * cfg.trainer.devices))
    learner = SupervisedLearner(
        build(model, scaling, mean_ssm), ratio=M36.ratio, bf16=PRECISIONS[cfg.trainer.precision],
        schedule=Schedule(cfg.lr, cfg.weight_decay, steps, cfg.seed),
    )  # fmt: skip
    last = ModelCheckpoint(run / "checkpoints", save_last=True, enable_version_counter=False)
    # The learner itself runs its pixel-wise part in bfloat16, and nothing else.
    settings = replace(cfg.trainer, precision="32-true")
    trainer = make_trainer(settings, run, cfg.epochs, [last], [CSVLogger(run, name="log", version=0)])
    fit_or_resume(trainer, learner, data, run)
    if "val/rmse" not in trainer.callback_metrics:  # stopped between its last epoch and the saving of the network
        trainer.validate(learner, datamodule=data, verbose=False)
    error = round(float(trainer.callback_metrics["val/rmse"]), 5)
    provenance = _provenance(cfg, [group]) | {"worlds": len(worlds) - held, ERROR: error}
    network = learner.network.eval().cpu()
    trained = Trained(
        network, scaling, model, M36.ratio, FOOTPRINT, FWHM_KM, mean_ssm, Calibration(), provenance
    )  # fmt: skip
    if first_process():
        save_trained(run, trained)
    return trained


def _provenance(cfg: PretrainConfig, families: Sequence[str]) -> dict[str, Any]:
    keys = ("count", "days", "cells", "epochs", "batch_size", "lr", "weight_decay", "seed")
    settings = " ".join(f"{key}={getattr(cfg, key)}" for key in keys)
    command = f"python pretrain.py worlds=WORLDS run=PRIOR families=[{','.join(cfg.families)}] {settings}"
    return {"ssm_net": __version__, "versions": VERSIONS, "families": list(families), "command": command}


def _withheld(worlds: int) -> int:
    """How many of the worlds of a group, the first, are withheld."""
    return max(1, round(WITHHELD * worlds))


def _print_plan(cfg: PretrainConfig, places: Sequence[Place]) -> None:
    present = sum(samples_file(p, Path(cfg.worlds)).exists() for p in places)
    console.print(f"would make {len(places) - present} of {len(places)} worlds in {escape(cfg.worlds)} ({present} are "
                  f"there), {cfg.days} days each, and train a network a group, of {', '.join(cfg.families)}, on them "
                  f"into {escape(cfg.run)}")  # fmt: skip


def statistics_of(worlds: Iterable[World], places: Sequence[Place]) -> tuple[Scaling, float]:
    """Mean, standard deviation and range of each feature over the pixels of all worlds, each world with the same
    weight; and the mean of all observations, m3 m-3. One world is held at a time."""
    total, means = FeatureMoments.none(len(FEATURE_NAMES)), []
    for world in worlds:
        assert world.x.shape[1] == len(FEATURE_NAMES), "simulated worlds have every product"
        total += FeatureMoments.of(world.x[::4, :, ::5, ::5].transpose(0, 1)).as_one()
        means.append(float(torch.nanmean(world.ssm)))
    scaling = total.scaling(FEATURE_NAMES, min(p.begin for p in places), max(p.chosen[-1] for p in places))
    return scaling, float(np.nanmean(means))
