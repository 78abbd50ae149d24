"""The Trainer of Lightning, set up once for training and pretraining."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from rich.markup import escape

from ssm_net.config import TrainerConfig
from ssm_net.core.files import write_whole
from ssm_net.estimators.checkpoint import load_tensors
from ssm_net.train.devices import console, device_of


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all: Lightning's own writer copies them over the last one, and a copy
    that is cut off would leave a training that cannot go on."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        data = io.BytesIO()
        torch.save(checkpoint, data)
        write_whole(Path(path), data.getbuffer())


def make_trainer(
    cfg: TrainerConfig, run: Path, epochs: int, callbacks: Sequence[Callback], loggers: Sequence[Logger] = (),
    *, validate_every: int = 1,
) -> L.Trainer:  # fmt: skip
    """A Trainer on the devices of ``cfg`` that writes into ``run``; it validates every ``validate_every`` epochs."""
    device_of(cfg)  # a message of ours where there is no such device
    # Lightning's messages on devices and plugins are no news to a user; its warnings on short runs neither.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    return L.Trainer(
        accelerator=cfg.accelerator, devices=cfg.devices, strategy=cfg.strategy, precision=cfg.precision,  # type: ignore[arg-type]
        max_epochs=epochs, logger=list(loggers) or False, callbacks=[*callbacks, RichProgressBar(leave=False)],
        gradient_clip_val=1.0, log_every_n_steps=5, num_sanity_val_steps=0, enable_model_summary=False,
        default_root_dir=run, use_distributed_sampler=False, check_val_every_n_epoch=validate_every,
        plugins=[WholeCheckpoints()],
    )  # fmt: skip


def fit_or_resume(trainer: L.Trainer, learner: L.LightningModule, data: L.LightningDataModule, run: Path) -> None:
    """Train, from the last whole epoch in ``run/checkpoints`` on where there is one. Raises ``KeyboardInterrupt`` where
    the user stopped it, ``ModelError`` where that checkpoint is damaged."""
    last = run / "checkpoints" / "last.ckpt"
    if last.exists():
        load_tensors(last, f"remove {last.parent}, and training begins with its first epoch")
        console.print(f"going on from {escape(str(last))}")
    trainer.fit(learner, datamodule=data, ckpt_path=str(last) if last.exists() else None, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt("training was interrupted; the same command goes on from the last whole epoch")
