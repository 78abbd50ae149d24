"""Learning from aggregates: the LightningModule with its loss, its masked metrics and its optimiser."""

from __future__ import annotations

import math

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torchmetrics import MeanMetric

from ssm_net.grid import Footprint
from ssm_net.model.loss import beta_nll, masked_mean, subgrid_excess
from ssm_net.model.network import PHASES, Downscaler

Batch = dict[str, Tensor]


class Learner(L.LightningModule):
    """One step: the fine branch once, then for each phase the context with that phase hidden, the fusion everywhere in
    its footprints, and the loss at its hidden cells. All of it is leave-own-out, the overlap of footprints included.
    """

    def __init__(
        self,
        network: Downscaler,
        *,
        ratio: int,
        footprint: str,
        fwhm: float,
        lr: float,
        weight_decay: float,
        beta: float,
        subgrid: float,
        subgrid_std: float,
        seed: int,
        steps: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.ratio, self.footprint, self.fwhm = ratio, footprint, fwhm
        self.lr, self.weight_decay, self.beta = lr, weight_decay, beta
        self.subgrid, self.subgrid_std, self.seed = subgrid, subgrid_std, seed
        self.steps, self.stride = steps, stride
        # Sums over the scored cells of the validation: innovation^2, R and H variance, for P = Var(innovation) - R.
        self.innovation, self.observation, self.predicted = MeanMetric(), MeanMetric(), MeanMetric()
        self.bias = MeanMetric()

    def background(self, batch: Batch, offset: tuple[int, int], stride: int) -> tuple[Tensor, Tensor, Tensor]:
        """Footprint means and variances of the background at each cell, own value left out, (B, R, C), and the mean
        excess of sub-grid variance (scalar). Every ``stride``-th pixel each way from ``offset`` stands for all."""
        rows, cols = batch["target"].shape[-2:]
        oy, ox = offset
        up_y, up_x = batch["up_y"][:, oy::stride], batch["up_x"][:, ox::stride]
        land = batch["land"][:, oy::stride, ox::stride].to(up_y)
        h = Footprint.of(self.footprint, (rows, cols), self.ratio, self.fwhm).to(up_y)
        h = Footprint(h.rows[:, oy::stride], h.cols[:, ox::stride])  # weighted means: the land weights make them whole
        x = batch["x"][:, :, oy:, ox:].contiguous(memory_format=torch.channels_last)
        fine = self.network.fine(x, stride)[:, :, : land.shape[-2], : land.shape[-1]]
        mean, variance = torch.zeros_like(batch["target"]), torch.zeros_like(batch["target"])
        excess = torch.zeros((), device=up_y.device)
        for phase in range(PHASES):
            hidden = (batch["phase"] == phase)[:, None]
            today = torch.where(hidden, torch.nan, batch["ssm"][:, :1])
            context = self.network.context(torch.cat([today, batch["ssm"][:, 1:]], 1))
            both = torch.cat([context.base, context.deep], 1)
            both = up_y[:, None] @ both @ up_x.transpose(1, 2)[:, None]
            mu, log_var = self.network.fuse(fine, both[:, :1], both[:, 1:])
            own = batch["target_phase"] == phase
            mean = torch.where(own, h.forward(mu, land), mean)
            variance = torch.where(own, h.forward(log_var.exp(), land), variance)
            over = subgrid_excess(mu, land, self.ratio // stride, self.subgrid_std)
            excess = excess + torch.where(own, over, 0.0).mean()
        return mean, variance, excess

    def training_step(self, batch: Batch, index: int) -> Tensor:
        oy, ox = (int(n) for n in torch.randint(self.stride, (2,)))
        mean, variance, excess = self.background(batch, (oy, ox), self.stride)
        score = batch["score"]
        mean, variance = torch.nan_to_num(mean), torch.nan_to_num(variance, nan=1.0)
        total = variance + batch["target_sigma"] ** 2
        # Divided by a typical variance^beta, so that the weights of the other terms keep their meaning.
        fit = masked_mean(beta_nll(mean, total, batch["target"], self.beta), score) / 0.05 ** (2 * self.beta)
        loss: Tensor = fit + self.subgrid * excess
        self.log_dict({"train/loss": loss, "train/subgrid_excess": excess}, batch_size=len(score))
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        middle = self.stride // 2
        mean, variance, _ = self.background(batch, (middle, middle), self.stride)
        score = batch["score"]
        if not bool(score.any()):
            return
        innovation = (batch["target"] - mean)[score]
        self.innovation.update(innovation**2)
        self.bias.update(innovation)
        self.observation.update(batch["target_sigma"][score] ** 2)
        self.predicted.update(variance[score])

    def on_validation_epoch_end(self) -> None:
        if self.innovation.update_called:
            # The metrics gather over processes themselves: the same number everywhere.
            squared, r = self.innovation.compute(), self.observation.compute()
            self.log("val/innovation_rmse", squared.sqrt(), prog_bar=True, sync_dist=True)
            self.log("val/innovation_bias", self.bias.compute(), sync_dist=True)
            self.log("val/background_variance", squared - r, sync_dist=True)
            self.log("val/predicted_variance", self.predicted.compute(), sync_dist=True)
        for metric in (self.innovation, self.observation, self.predicted, self.bias):
            metric.reset()

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        # Dropout and offsets depend on seed and step alone: a resumed run repeats what an unbroken one does.
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        decay = [p for p in self.parameters() if p.ndim >= 2 and p is not self.network.own_out.logits]
        chosen = {id(p) for p in decay}
        rest = [p for p in self.parameters() if id(p) not in chosen]
        optimiser = torch.optim.AdamW(
            [{"params": decay, "weight_decay": self.weight_decay}, {"params": rest, "weight_decay": 0.0}], lr=self.lr
        )
        warm = max(1, self.steps // 20)

        def rate(step: int) -> float:
            return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, self.steps)))) + 0.01)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
