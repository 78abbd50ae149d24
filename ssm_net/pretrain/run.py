"""Pretraining: networks trained on the 1 km truth of simulated worlds, drawn between families of physics.

They learn what holds in all of these worlds; ``train`` starts from them and corrects them by the target's own coarse
observations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from ssm_net.config import PretrainConfig
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
from ssm_net.train.optimiser import Schedule
from ssm_net.train.trainer import console, device_of, first_process, fit_or_resume, make_trainer
from ssm_net.version import __version__

WITHHELD = 0.1  # fraction of the worlds that the error is measured on
PRECISIONS = {"32-true": False, "32": False, "bf16-mixed": True, "bf16": True}  # whether pixels are in bfloat16
FOOTPRINT, FWHM_KM = "gaussian", 43.0  # of simulated worlds, as prepare assumes it


def pretrain(cfg: PretrainConfig) -> Trained | None:
    """Make the worlds, train a network on those of each group, save them as one committee into ``cfg.run`` and return
    it; what is there already is not made again.

    ``None`` with ``plan=true``. Raises ``ConfigError`` where the trainer's settings cannot be honoured.
    """
    folder, run = Path(cfg.worlds), Path(cfg.run)
    places = places_of(cfg)
    every = [place for of_number in zip(*places.values(), strict=True) for place in of_number]
    if cfg.trainer.precision not in PRECISIONS:
        raise ConfigError(f"trainer.precision={cfg.trainer.precision}: pretraining knows 32-true and bf16-mixed")
    device_of(cfg.trainer)
    if cfg.plan:
        _print_plan(cfg, every)
        return None
    if (run / "model.json").exists():
        console.print(f"[green]{run} is trained already[/]")
        return load_trained(run)
    run.mkdir(parents=True, exist_ok=True)
    make_worlds(every, folder, cfg.workers)
    console.print("reading the worlds")
    worlds = {group: [World.load(samples_file(p, folder)) for p in of_group] for group, of_group in places.items()}
    scaling = scaling_of([w for of_group in worlds.values() for w in of_group], every)
    mean_ssm = float(np.mean([float(torch.nanmean(w.ssm)) for of_group in worlds.values() for w in of_group]))
    members, errors = [], {}
    for group, of_group in worlds.items():
        console.print(f"training on {len(of_group)} worlds of {group}")
        network, errors[group] = _train(cfg, of_group, scaling, mean_ssm, run / "members" / group)
        members += list(network)
    if not first_process():
        return None
    held = _withheld(cfg.count)
    save_trained(run, Trained(
        Committee(members).eval(), scaling, replace(cfg.model, members=len(members)), M36.ratio, FOOTPRINT, FWHM_KM,
        mean_ssm, Calibration(),
        provenance={"ssm_net": __version__, "versions": VERSIONS, "families": list(cfg.families),
                    "worlds": len(cfg.families) * (cfg.count - held), "seed": cfg.seed,
                    "withheld worlds": [p.name for of_group in places.values() for p in of_group[:held]],
                    "RMSE there, m3 m-3": {group: round(error, 5) for group, error in errors.items()}},
    ))  # fmt: skip
    of_groups = ", ".join(f"{group} {error:.4f}" for group, error in errors.items())
    console.print(f"[green]trained[/] {len(members)} networks; RMSE in {held} other worlds each: {of_groups} m3 m-3; "
                  f"in {run}")  # fmt: skip
    return load_trained(run)


def _train(
    cfg: PretrainConfig, worlds: Sequence[World], scaling: Scaling, mean_ssm: float, run: Path
) -> tuple[Committee, float]:
    """A network trained on these worlds, and its RMSE in those of them that are withheld, m3 m-3."""
    held, lags, model = _withheld(len(worlds)), cfg.model.lags, replace(cfg.model, members=1)
    L.seed_everything(cfg.seed, verbose=False)
    data = TrainingData(
        TruthSamples(worlds[held:], scaling, ratio=M36.ratio, lags=lags, seed=cfg.seed),
        TruthSamples(worlds[:held], scaling, ratio=M36.ratio, lags=lags, seed=None),
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
    return learner.network.eval().cpu(), float(trainer.callback_metrics["val/rmse"])


def _withheld(worlds: int) -> int:
    """How many of the worlds of a group, the first, are withheld."""
    return max(1, round(WITHHELD * worlds))


def _print_plan(cfg: PretrainConfig, places: Sequence[Place]) -> None:
    present = sum(samples_file(p, Path(cfg.worlds)).exists() for p in places)
    console.print(f"would make {len(places) - present} of {len(places)} worlds in {cfg.worlds} ({present} are there), "
                  f"{cfg.days} days each, and train a network a group, of {', '.join(cfg.families)}, on them into "
                  f"{cfg.run}")  # fmt: skip


def scaling_of(worlds: Sequence[World], places: Sequence[Place]) -> Scaling:
    """Mean, standard deviation and range of each feature over the pixels of all worlds, each world with the same
    weight."""
    assert worlds[0].x.shape[1] == len(FEATURE_NAMES), "simulated worlds have every product"
    moments = [FeatureMoments.of(w.x[::4, :, ::5, ::5].transpose(0, 1)).as_one() for w in worlds]
    total = sum(moments[1:], start=moments[0])
    return total.scaling(FEATURE_NAMES, min(p.begin for p in places), max(p.chosen[-1] for p in places))
