"""Supervised learning of the networks from the 1 km truth of simulated worlds: pretraining, and the oracle of bench.

The own value is left out here as everywhere: what is learned is the background that an observation may then update.
"""

from __future__ import annotations

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torchmetrics import MeanMetric

from ssm_net.grid import block_mean
from ssm_net.inputs.phases import PHASES
from ssm_net.model.losses import beta_nll, masked_mean
from ssm_net.model.network import Committee
from ssm_net.pretrain.samples import NEIGHBOURHOOD, THINNING
from ssm_net.pretrain.truth_samples import TruthBatch
from ssm_net.train.leave_own_out import hidden, interpolated
from ssm_net.train.optimiser import Schedule, adamw

TYPICAL_ERROR = 0.05  # m3 m-3, scales the loss to order one
CELL_WEIGHT = 0.3  # of the likelihood of cell means next to that of pixels


class SupervisedLearner(L.LightningModule):
    """All members learn from the same batches: a likelihood of the pixels, and one of the cell means for the variance
    that a cell shares.

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
                context = interpolated(member, hidden(batch.coarse, phase), batch.coarse)
                own = context if own is None else torch.where((batch.pixel_phase == phase)[:, None], context, own)
            assert own is not None
            own = own.contiguous(memory_format=torch.channels_last)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
                out.append(member.fuse(member.fine(x, NEIGHBOURHOOD), own[:, :1], own[:, 1:]))
        return out

    def training_step(self, batch: TruthBatch, index: int) -> Tensor:
        known = batch.known
        loss = torch.zeros((), device=known.device)
        for mean, log_shared, log_local in self.pixels(batch):
            error = torch.where(known, mean - batch.truth, 0.0)
            shared, local = log_shared.exp(), log_local.exp()
            loss = loss + masked_mean(beta_nll(error, shared + local, torch.zeros_like(error), 0.5), known)
            cell = block_mean(torch.where(known, error, torch.nan), self.per)
            variance = block_mean(torch.where(known, shared, torch.nan), self.per)
            has_label = torch.isfinite(cell)
            cell, variance = torch.nan_to_num(cell), torch.nan_to_num(variance, nan=1.0)
            loss = loss + CELL_WEIGHT * masked_mean(beta_nll(cell, variance, torch.zeros_like(cell), 0.5), has_label)
        loss = loss / (len(self.network.members) * TYPICAL_ERROR)
        self.log("train/loss", loss, batch_size=len(known))
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
