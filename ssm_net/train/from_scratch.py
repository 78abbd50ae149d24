"""Networks trained from scratch on the coarse observations of a cube."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger

from ssm_net.config import TrainConfig
from ssm_net.cube.json_files import write_json
from ssm_net.cube.store import Cube
from ssm_net.estimators.ablation import NO_ABLATION, Ablation
from ssm_net.estimators.checkpoint import build, load_tensors
from ssm_net.inputs.scaling import Scaling
from ssm_net.inputs.split import Split
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.train.aggregate_loss import AggregateLearner, Objective
from ssm_net.train.data_module import TrainingData
from ssm_net.train.devices import console
from ssm_net.train.errors import TrainingError
from ssm_net.train.optimiser import Schedule
from ssm_net.train.patches import PatchShape, patch_data
from ssm_net.train.sensor_footprint import footprint_of
from ssm_net.train.start import Start, mean_observation
from ssm_net.train.trainer import fit_or_resume, make_trainer

log = logging.getLogger(__name__)
HOT = ("lst_day_today", "lst_day_memory")  # features that are high where the ground is hot


def train_from_scratch(
    cfg: TrainConfig, cube: Cube, parts: Split, run: Path, ablation: Ablation = NO_ABLATION
) -> Start:
    """Networks trained on the cube's coarse observations alone; one that was cut off in ``run`` goes on."""
    L.seed_everything(cfg.seed, verbose=False)
    scaling = run_scaling(run, cube, parts, cfg.exclude)
    mean_ssm, observations = mean_observation(cube, parts)
    model = replace(cfg.model, lookahead=cfg.days_ahead)
    shape = PatchShape(cfg.patch, model.kernel // 2, model.lags, model.cells, model.lookahead)
    data = patch_data(
        cube, parts, scaling, shape, batch_size=cfg.batch_size, workers=cfg.trainer.workers, seed=cfg.seed
    )  # fmt: skip
    network = build(model, scaling, mean_ssm)
    learner = AggregateLearner(
        network, footprint=footprint_of(cube), objective=objective_of(cfg, scaling), schedule=schedule_of(cfg, data),
        cells=parts.held_cells.size, observations=observations, ablation=ablation,
    )  # fmt: skip
    console.print(
        f"training on {len(parts.train_days)} days, {len(scaling.names)} features, {cfg.model.members} networks of "
        f"{sum(p.numel() for p in network.parameters()) // cfg.model.members:,} parameters; held out: "
        f"{len(parts.held_days)} days, {int(parts.held_cells.sum())} of {parts.held_cells.size} cells"
    )
    best = ModelCheckpoint(
        run / "checkpoints", filename="best", monitor="val/innovation_rmse", mode="min", save_last=True,
        enable_version_counter=False, save_on_train_epoch_end=True,
    )  # fmt: skip
    stop = EarlyStopping("val/innovation_rmse", patience=cfg.patience, mode="min")
    fit_or_resume(make_trainer(cfg.trainer, run, cfg.epochs, [best, stop], loggers_of(run)), learner, data, run)
    weights = Path(best.best_model_path or run / "checkpoints" / "last.ckpt")
    trained = load_tensors(weights, f"remove {weights.parent}, and training begins with its first epoch")
    learner.load_state_dict(trained["state_dict"])
    return Start(learner.network, scaling, model, mean_ssm, None, ablation)


def run_scaling(run: Path, cube: Cube, parts: Split, exclude: Sequence[str]) -> Scaling:
    """Statistics of the features over the training days, kept in ``run`` with the name of the split.

    Resuming a training reads them instead of the cube; the cube itself is never written to.
    """
    file = run / f"scaling_{parts.name}.json"
    if not file.exists():
        write_json(file, asdict(compute_scaling(cube, parts.train_days, exclude=exclude)))
    try:
        return Scaling.from_json(json.loads(file.read_bytes()))
    except (ValueError, KeyError, TypeError) as err:
        raise TrainingError(f"{file} is damaged ({err}): remove it, and it is computed again from the cube") from err


def objective_of(cfg: TrainConfig, scaling: Scaling) -> Objective:
    """The terms of the loss that the settings give."""
    hot = [i for i, n in enumerate(scaling.names) if n in HOT]
    return Objective(cfg.beta, cfg.subgrid, cfg.subgrid_std, cfg.physics, cfg.stride, hot)


def schedule_of(cfg: TrainConfig, data: TrainingData) -> Schedule:
    """The optimiser's schedule over all epochs, on all devices together."""
    steps = cfg.epochs * math.ceil(len(data.train) / (cfg.batch_size * cfg.trainer.devices))
    return Schedule(cfg.lr, cfg.weight_decay, steps, cfg.seed)


def loggers_of(run: Path) -> list[Logger]:
    """Curves as CSV and, where it is installed, for tensorboard."""
    loggers: list[Logger] = [CSVLogger(run, name="log", version=0)]
    try:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(run, name="tensorboard", version=0))
    except ModuleNotFoundError:
        log.info("tensorboard is not installed (pip install 'ssm_net[track]'): curves go to %s/log only", run)
    return loggers
