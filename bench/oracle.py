"""The oracle of a synthetic world: the same network, inputs and split, with the 1 km truth as its label.

It differs from ``ssm_net.training`` in the label alone. What it reaches is what these inputs and this network can give;
an estimator that has seen only coarse observations and is nearer to the truth has seen the truth somewhere: a leak.
"""

from __future__ import annotations

import datetime as dt
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor
from torchmetrics import MeanMetric

from ssm_net.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.config import TrainConfig
from ssm_net.cube import Cube
from ssm_net.evaluation.sources import Truth
from ssm_net.grid import block_mean, expand
from ssm_net.inputs import Scaling
from ssm_net.learning import Batch, Learner
from ssm_net.model.loss import beta_nll, masked_mean
from ssm_net.model.network import PHASES
from ssm_net.patches import PatchData, Patches
from ssm_net.split import Split, split

SSM_ERROR = 0.05  # m3 m-3, brings the loss to order one


def split_of(cube: Cube, cfg: TrainConfig) -> Split:
    """The days and cells that ``ssm_net.training.train`` learns from and holds out with these settings."""
    days = [d for d in cube.done_days() if (cube.status(d) or {}).get("observed", 0) > 0]
    return split(days, cube.domain.coarse_shape, cfg.validation_fraction, cfg.validation_days, cfg.seed)


class TruthPatches(Patches):
    """The samples of training with ``truth`` (y, x), m3 m-3, and ``known`` (y, x) bool, the land of labelled cells."""

    def __init__(
        self,
        truth: Truth,
        cube: Cube,
        days: Sequence[dt.date],
        labels: Sequence[np.ndarray],
        scaling: Scaling,
        *,
        lags: int,
        halo: int,
        patch: int,
        seed: int | None,
    ) -> None:
        super().__init__(cube, days, labels, scaling, lags=lags, halo=halo, patch=patch, seed=seed)
        self.truth = truth

    def sample(self, which: int, row: int, col: int, hide: Tensor) -> dict[str, Tensor]:
        out = super().sample(which, row, col, hide)
        field = self.truth.read(self.days[which])
        if field is None:
            raise ValueError(f"{self.truth.path} does not hold {self.days[which]}: make the world again")
        ratio = self.cube.domain.ratio
        height, width = (n * ratio for n in self.size)
        here = slice(row * ratio, row * ratio + height), slice(col * ratio, col * ratio + width)
        values = torch.from_numpy(field[here])
        labels = expand(torch.from_numpy(self.labels[which]), ratio)[here]
        known = torch.isfinite(values) & out["land"] & labels
        return out | {"truth": torch.nan_to_num(values), "known": known}


class OracleLearner(Learner):
    """Learns the mean by squared error at the pixels, and the variance beside it; the own value is left out as ever."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        # Over the held-out pixels: squared error, squared error of cell means, stated variance.
        self.pixel, self.cell, self.stated = MeanMetric(), MeanMetric(), MeanMetric()

    def pixels(self, batch: Batch, offset: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean, variance, truth and where it counts, (B, y, x): every ``stride``-th pixel each way from ``offset``."""
        (oy, ox), stride = offset, self.stride
        up_y, up_x = batch["up_y"][:, oy::stride], batch["up_x"][:, ox::stride]
        truth, known = (batch[k][:, oy::stride, ox::stride] for k in ("truth", "known"))
        x = batch["x"][:, :, oy:, ox:].contiguous(memory_format=torch.channels_last)
        fine = self.network.fine(x, stride)[:, :, : truth.shape[-2], : truth.shape[-1]]
        phase_of = expand(batch["target_phase"], self.ratio // stride)
        mean, log_var = torch.zeros_like(truth), torch.zeros_like(truth)
        for phase in range(PHASES):
            hidden = (batch["phase"] == phase)[:, None]
            today = torch.where(hidden, torch.nan, batch["ssm"][:, :1])
            context = self.network.context(torch.cat([today, batch["ssm"][:, 1:]], 1))
            both = torch.cat([context.base, context.deep], 1)
            both = up_y[:, None] @ both @ up_x.transpose(1, 2)[:, None]
            mu, spread = self.network.fuse(fine, both[:, :1], both[:, 1:])
            mean = torch.where(phase_of == phase, mu, mean)
            log_var = torch.where(phase_of == phase, spread, log_var)
        return mean, log_var.exp(), truth, known

    def training_step(self, batch: Batch, index: int) -> Tensor:
        oy, ox = (int(n) for n in torch.randint(self.stride, (2,)))
        mean, variance, truth, known = self.pixels(batch, (oy, ox))
        # With beta = 1 the gradient of the mean is that of the squared error (Seitzer et al. 2022).
        return masked_mean(beta_nll(mean, variance, truth, 1.0), known) / SSM_ERROR**2

    def validation_step(self, batch: Batch, index: int) -> None:
        mean, variance, truth, known = self.pixels(batch, (self.stride // 2, self.stride // 2))
        if not bool(known.any()):
            return
        error = mean - truth
        cells = block_mean(error, self.ratio // self.stride, known)
        self.pixel.update(error[known] ** 2)
        self.cell.update(cells[torch.isfinite(cells)] ** 2)
        self.stated.update(variance[known])

    def on_validation_epoch_end(self) -> None:
        metrics = {"val/pixel": self.pixel, "val/cell": self.cell, "val/stated": self.stated}
        self.log_dict({name: metric.compute() for name, metric in metrics.items()})
        for metric in metrics.values():
            metric.reset()


def train_oracle(cube: Cube, truth: Truth, like: Trained, cfg: TrainConfig) -> Trained:
    """Train the oracle into ``cfg.run`` with the settings of ``cfg``; one that is there is loaded, one begun goes on.

    ``like`` is the network trained on the coarse observations of the same cube: its size, inputs and their scaling are
    taken over. ``infer`` makes mosaics of the oracle as of any trained network.
    """
    run = Path(cfg.run)
    if (run / "model.json").exists():
        return load_trained(run)
    run.mkdir(parents=True, exist_ok=True)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)  # its words on devices, as in training
    warnings.filterwarnings("ignore", module="lightning")
    L.seed_everything(cfg.seed, verbose=False)
    parts, every = split_of(cube, cfg), np.ones(cube.domain.coarse_shape, bool)
    # As for the network: held-out cells on some of the days trained on, every cell of the days held out.
    seen = parts.train_days[:: max(1, len(parts.train_days) // max(1, len(parts.held_days)))]
    labels = [parts.held_cells] * len(seen) + [every] * len(parts.held_days)
    size = {"lags": like.model.lags, "halo": like.network.halo, "patch": cfg.patch}
    free = [~parts.held_cells] * len(parts.train_days)
    data = PatchData(
        TruthPatches(truth, cube, parts.train_days, free, like.scaling, seed=cfg.seed, **size),
        TruthPatches(truth, cube, [*seen, *parts.held_days], labels, like.scaling, seed=None, **size),
        cfg.batch_size, cfg.trainer.workers,
    )  # fmt: skip
    learner = OracleLearner(
        build(like.model, like.scaling, like.mean_ssm), ratio=like.ratio, footprint=like.footprint, fwhm=like.fwhm,
        lr=cfg.lr, weight_decay=cfg.weight_decay, beta=1.0, subgrid=0.0, subgrid_std=cfg.subgrid_std, seed=cfg.seed,
        steps=cfg.epochs * -(-len(data.train) // cfg.batch_size), stride=cfg.stride,
    )  # fmt: skip
    best = ModelCheckpoint(
        run / "checkpoints", filename="best", monitor="val/pixel", save_last=True, enable_version_counter=False,
        save_on_train_epoch_end=True,
    )  # fmt: skip
    trainer = L.Trainer(
        accelerator=cfg.trainer.accelerator, devices=1, precision=cfg.trainer.precision, max_epochs=cfg.epochs,
        callbacks=[best, EarlyStopping("val/pixel", patience=cfg.patience)], gradient_clip_val=1.0, logger=False,
        num_sanity_val_steps=0, enable_model_summary=False, enable_progress_bar=False, default_root_dir=run,
        use_distributed_sampler=False,
    )  # fmt: skip
    last = run / "checkpoints" / "last.ckpt"
    trainer.fit(learner, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt("training was interrupted; the same command goes on from the last whole epoch")
    state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    learner.load_state_dict(state["state_dict"])
    (numbers,) = trainer.validate(learner, datamodule=data, verbose=False)
    numbers = {name: float(value) for name, value in numbers.items()}
    # The stated variance is that of a pixel: of it the cells' part enters the update, the rest stays beside it.
    shared, rest = numbers["val/cell"], max(numbers["val/pixel"] - numbers["val/cell"], 0.0)
    save_trained(run, Trained(
        learner.network.eval().cpu(), like.scaling, like.model, like.ratio, like.footprint, like.fwhm,
        variance_scale=shared / numbers["val/stated"], unresolved=rest**0.5, mean_ssm=like.mean_ssm,
        provenance={"cube": cube.path.name, "label": "1 km truth", "validation": numbers,
                    "train_days": [str(parts.train_days[0]), str(parts.train_days[-1])],
                    "epochs_done": int(state["epoch"]) + 1},
    ))  # fmt: skip
    return load_trained(run)
