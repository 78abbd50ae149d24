"""The oracle of a synthetic world: the same networks, inputs and split, with the world's own 1 km truth as their label.

It starts from the same prior and differs from ``ssm_net.train.run`` in the label alone. What it reaches is what these
inputs and these networks can give; an estimator that has seen only coarse observations and is nearer to the truth has
seen the truth somewhere: a leak. The oracle also knows what no coarse observation can tell: what the radiometer gets
wrong in each cell all the time, and what each place has that no predictor shows.
"""

from __future__ import annotations

import copy
import logging
import warnings
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
from ssm_net.formats.truth import Truth
from ssm_net.inputs.split import Split, split
from ssm_net.pretrain.samples import World, thin
from ssm_net.pretrain.supervised import Supervised, TruthSamples
from ssm_net.train.patches import PatchData

LR, WEIGHT_DECAY, BATCH = 2e-3, 0.02, 6


def split_of(cube: Cube, cfg: TrainConfig) -> Split:
    """The days and cells that ``ssm_net.train.run.train`` learns from and holds out with these settings."""
    days = [d for d in cube.done_days() if (cube.status(d) or {}).get("observed", 0) > 0]
    return split(days, cube.domain.coarse_shape, cfg.validation_fraction, cfg.validation_days, cfg.seed)


def labels_of(cube: Cube, parts: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Where pixels are labels, (T, R, C) bool: for learning, and for choosing when it was best."""
    train = np.stack([~parts.held_cells if d in parts.train_days else np.zeros_like(parts.held_cells)
                      for d in cube.days])  # fmt: skip
    held = np.stack([parts.held_cells if d in parts.train_days else np.ones_like(parts.held_cells) for d in cube.days])
    return torch.from_numpy(train), torch.from_numpy(held)


def train_oracle(cube: Cube, truth: Truth, prior: Trained, cfg: TrainConfig, epochs: int) -> Trained:
    """Train the oracle into ``cfg.run``; one that is there is loaded. ``prior`` gives its size and first weights."""
    run = Path(cfg.run)
    if (run / "model.json").exists():
        return load_trained(run)
    run.mkdir(parents=True, exist_ok=True)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # its words on devices, as in training
    warnings.filterwarnings("ignore", module="lightning")
    L.seed_everything(cfg.seed, verbose=False)
    parts = split_of(cube, cfg)
    file = run / "samples.npz"
    if not file.exists():
        thin(cube, truth, prior.scaling.names, file, cfg.seed)
    world = World.load(file)
    train, held = labels_of(cube, parts)
    sizes: dict[str, Any] = {"ratio": prior.ratio, "lags": prior.model.lags}
    data = PatchData(
        TruthSamples([world], prior.scaling, labels=[train], seed=cfg.seed, **sizes),
        TruthSamples([world], prior.scaling, labels=[held], seed=None, **sizes), BATCH, cfg.trainer.workers,
    )  # fmt: skip
    learner = Supervised(
        copy.deepcopy(prior.network), ratio=prior.ratio, lr=LR, weight_decay=WEIGHT_DECAY, seed=cfg.seed,
        steps=epochs * -(-len(data.train) // BATCH), bf16=True,
    )  # fmt: skip
    best = ModelCheckpoint(
        run / "checkpoints", filename="best", monitor="val/rmse", save_last=True, enable_version_counter=False,
    )  # fmt: skip
    trainer = L.Trainer(
        accelerator=cfg.trainer.accelerator, devices=1, max_epochs=epochs, callbacks=[best], gradient_clip_val=1.0,
        logger=False, num_sanity_val_steps=0, enable_model_summary=False, enable_progress_bar=False,
        default_root_dir=run, use_distributed_sampler=False, check_val_every_n_epoch=5,
    )  # fmt: skip
    last = run / "checkpoints" / "last.ckpt"
    trainer.fit(learner, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt("training was interrupted; the same command goes on from the last whole epoch")
    state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    learner.load_state_dict(state["state_dict"])
    save_trained(run, Trained(
        learner.network.eval().cpu(), prior.scaling, prior.model, prior.ratio, cube.attrs["footprint"], prior.fwhm,
        prior.mean_ssm, Calibration(),
        provenance={"cube": cube.path.name, "label": "1 km truth", "validation": {"rmse": float(best.best_model_score)},
                    "train_days": [str(parts.train_days[0]), str(parts.train_days[-1])]},
    ))  # fmt: skip
    return load_trained(run)
