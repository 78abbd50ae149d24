"""The optimiser: AdamW with a warm start and half a cosine, the same for training and pretraining."""

from __future__ import annotations

import math
from dataclasses import dataclass

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig

FASTER = 4.0  # the learning rate of the sensor's biases over that of the networks, whose steps are small


@dataclass(frozen=True)
class Schedule:
    """Peak learning rate ``lr``, ``weight_decay``, and the number of ``steps`` over which the rate falls; ``seed`` of
    dropout and offsets."""

    lr: float
    weight_decay: float
    steps: int
    seed: int

    def seed_step(self, step: int) -> None:
        """Dropout and offsets depend on seed and step alone: a resumed run repeats what an unbroken one does."""
        torch.manual_seed(self.seed * 1_000_003 + step)


def adamw(module: L.LightningModule, schedule: Schedule) -> OptimizerLRSchedulerConfig:
    """AdamW (Loshchilov and Hutter 2019) without decay of biases, norms and the kernels of the observations' means."""
    lr, steps = schedule.lr, schedule.steps
    decay = [p for n, p in module.named_parameters() if p.ndim >= 2 and not n.endswith("logits")]
    fast = [p for n, p in module.named_parameters() if n == "sensor_bias"]
    listed = {id(p) for p in decay + fast}
    rest = [p for p in module.parameters() if id(p) not in listed]
    groups = [{"params": decay, "weight_decay": schedule.weight_decay}, {"params": rest, "weight_decay": 0.0},
              {"params": fast, "weight_decay": 0.0, "lr": FASTER * lr}]  # fmt: skip
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=lr)
    warm = max(1, steps // 20)

    def rate(step: int) -> float:
        return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))) + 0.01)

    cosine = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}
