"""The oracle of a synthetic world: the same networks, inputs and split, with the world's own 1 km truth as their label.

It starts from the same prior, is given the regional slopes of the world's coarse record as the networks are, and
differs from ``ssm_net.train.run`` in the label. What it reaches is what these inputs and these networks can give; an
estimator that has seen only coarse observations and is nearer to the truth has seen the truth somewhere: a leak. The
oracle also knows what no coarse observation can tell: what the radiometer gets wrong in each cell all the time, and
what each place has that no predictor shows.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from ssm_net.config import TrainConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, load_trained, save_trained
from ssm_net.estimators.versions import VERSIONS
from ssm_net.formats.truth import Truth
from ssm_net.inputs.split import Split
from ssm_net.pretrain.samples import World, thin
from ssm_net.pretrain.supervised import SupervisedLearner
from ssm_net.pretrain.truth_samples import TruthSamples
from ssm_net.train.data_module import TrainingData
from ssm_net.train.optimiser import Schedule
from ssm_net.train.run import split_of
from ssm_net.train.trainer import fit_or_resume, make_trainer

LR, WEIGHT_DECAY, BATCH = 2e-3, 0.02, 6


def labels_of(cube: Cube, parts: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Where pixels are labels, (T, R, C) bool: for learning, and for choosing when it was best."""
    train = np.stack([~parts.held_cells if d in parts.train_days else np.zeros_like(parts.held_cells)
                      for d in cube.days])  # fmt: skip
    held = np.stack([parts.held_cells if d in parts.train_days else np.ones_like(parts.held_cells) for d in cube.days])
    return torch.from_numpy(train), torch.from_numpy(held)


def record_slopes(samples: TruthSamples) -> torch.Tensor:
    """The regional slopes (F,) m3 m-3 of the only world of ``samples``, from all observations of its record; 0 of
    features that it never shows. Samples without draws are given the same, but for features that a day lacks."""
    (world,) = samples.versions[0]  # no map of it is another's
    return world.records[0].slopes(torch.isfinite(world.cells).transpose(0, 1).flatten(1).any(1))


def train_oracle(cube: Cube, truth: Truth, prior: Trained, cfg: TrainConfig, epochs: int) -> Trained:
    """Train the oracle into ``cfg.run``; one that is there is loaded. ``prior`` gives its size and first weights."""
    run = Path(cfg.run)
    if (run / "model.json").exists():
        return load_trained(run)
    run.mkdir(parents=True, exist_ok=True)
    L.seed_everything(cfg.seed, verbose=False)
    parts = split_of(cfg, cube)
    file = run / "samples.npz"
    if not file.exists():
        thin(cube, truth, prior.scaling.names, file, cfg.seed)
    world = World.load(file)
    train, held = labels_of(cube, parts)
    model = prior.model
    sizes: dict[str, Any] = {"ratio": prior.ratio, "lags": model.lags, "lookahead": model.lookahead}
    data = TrainingData(
        TruthSamples([world], prior.scaling, labels=[train], seed=cfg.seed, **sizes),
        TruthSamples([world], prior.scaling, labels=[held], seed=None, **sizes), BATCH, cfg.trainer.workers,
    )  # fmt: skip
    schedule = Schedule(LR, WEIGHT_DECAY, steps=epochs * -(-len(data.train) // BATCH), seed=cfg.seed)
    learner = SupervisedLearner(copy.deepcopy(prior.network), ratio=prior.ratio, schedule=schedule, bf16=True)
    best = ModelCheckpoint(
        run / "checkpoints", filename="best", monitor="val/rmse", save_last=True, enable_version_counter=False,
    )  # fmt: skip
    settings = replace(cfg.trainer, devices=1, strategy="auto", precision="32-true")
    fit_or_resume(make_trainer(settings, run, epochs, [best], validate_every=5), learner, data, run)
    state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    learner.load_state_dict(state["state_dict"])
    for member in learner.network:  # samples had them with them; inference has those of the network
        member.slopes.copy_(record_slopes(data.held))
    save_trained(run, Trained(
        learner.network.eval().cpu(), prior.scaling, prior.model, prior.ratio, cube.attrs["footprint"], prior.fwhm,
        prior.mean_ssm, Calibration(),
        provenance={"versions": VERSIONS, "cube": cube.path.name, "label": "1 km truth",
                    "validation": {"rmse": float(best.best_model_score)},
                    "train_days": [str(parts.train_days[0]), str(parts.train_days[-1])]},
    ))  # fmt: skip
    return load_trained(run)
