"""Supervised learning of the networks from the 1 km truth of simulated worlds: pretraining, and the oracle of bench.

The own value is left out here as everywhere: what is learned is the background that an observation may then update.
"""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torchmetrics import MeanMetric

from ssm_net.grid import block_mean, expand
from ssm_net.inputs.phases import PHASES
from ssm_net.model.losses import beta_nll, masked_mean
from ssm_net.model.network import Committee
from ssm_net.pretrain.samples import NEIGHBOURHOOD, THINNING
from ssm_net.pretrain.truth_samples import TruthBatch
from ssm_net.train.leave_own_out import hidden, interpolated
from ssm_net.train.optimiser import Schedule, adamw

TYPICAL_ERROR = 0.05  # m3 m-3, scales the loss to order one
CELL_WEIGHT = 0.5  # of the likelihood of cell means next to that of pixels inside them
BETA = 0.5  # of the beta-NLL


class SupervisedLearner(L.LightningModule):
    """All members learn from the same batches: a likelihood of the cell means, whose error a cell shares, and one of
    the differences from them inside the cells. The level of a cell, which the radiometer tells, so takes no part in how
    its inside is drawn.

    With ``bf16`` the pixel-wise part runs in bfloat16, twice as fast on processors and GPUs that have it; the coarse
    branch, which is small and holds the soil moisture itself, stays in float32.
    """

    def __init__(self, network: Committee, *, ratio: int, schedule: Schedule, bf16: bool) -> None:
        super().__init__()
        self.network, self.schedule, self.bf16 = network, schedule, bf16
        self.per = ratio // THINNING
        self.squared = MeanMetric()

    def pixels(self, batch: TruthBatch) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Each member's mean, log of the variance a cell shares, and of that inside it, (B, y, x)."""
        x = batch.x.contiguous(memory_format=torch.channels_last)
        out = []
        for member in self.network:
            own: Tensor | None = None  # each pixel's context with the phase of its own cell hidden
            for phase in range(PHASES):
                context = interpolated(member, hidden(batch.coarse, phase), batch.coarse, batch.slopes)
                own = context if own is None else torch.where((batch.pixel_phase == phase)[:, None], context, own)
            assert own is not None
            own = own.contiguous(memory_format=torch.channels_last)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
                fine = member.fine(x, NEIGHBOURHOOD, batch.slopes)
                out.append(member.fuse(fine, own[:, :1], own[:, 1:]))
        return out

    def training_step(self, batch: TruthBatch, index: int) -> Tensor:
        loss = torch.zeros((), device=batch.known.device)
        for mean, log_shared, log_local in self.pixels(batch):
            error = torch.where(batch.known, mean - batch.truth, torch.nan)
            cell = block_mean(error, self.per)
            inside = error - expand(cell, self.per)
            shared = block_mean(torch.where(batch.known, log_shared.exp(), torch.nan), self.per)
            loss = loss + _likelihood(inside, log_local.exp()) + CELL_WEIGHT * _likelihood(cell, shared)
        loss = loss / (len(self.network.members) * TYPICAL_ERROR)
        self.log("train/loss", loss, batch_size=len(batch.known))
        return loss

    def validation_step(self, batch: TruthBatch, index: int) -> None:
        mean = torch.stack([mean for mean, _, _ in self.pixels(batch)]).mean(0)
        if bool(batch.known.any()):
            self.squared.update(((mean - batch.truth)[batch.known]) ** 2)

    def on_validation_epoch_end(self) -> None:
        if self.squared.update_called:
            # The metric gathers over processes itself: the same number everywhere.
            self.log("val/rmse", self.squared.compute().sqrt(), prog_bar=True, sync_dist=True)
        self.squared.reset()

    def on_train_batch_start(self, batch: TruthBatch, index: int) -> None:
        self.schedule.seed_step(self.global_step)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return adamw(self, self.schedule)


def _likelihood(error: Tensor, variance: Tensor) -> Tensor:
    """The mean beta-NLL of errors that have a value."""
    known = torch.isfinite(error)
    error, variance = torch.nan_to_num(error), torch.where(known, variance, 1.0)
    return masked_mean(beta_nll(error, variance, torch.zeros_like(error), BETA), known)
