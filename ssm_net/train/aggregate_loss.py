"""Learning from aggregates: the LightningModule with its loss, its masked metrics and its optimiser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torchmetrics import MeanMetric

from ssm_net.grid import Footprint, expand
from ssm_net.inputs.phases import PHASES
from ssm_net.model.losses import beta_nll, masked_mean, subgrid_excess
from ssm_net.model.network import SSM_SCALE, Committee, Downscaler

Batch = dict[str, Tensor]
BIAS = 0.02  # m3 m-3, what a radiometer gets wrong in a cell all the time: 0.02-0.03
FASTER = 4.0  # learns the sensor's bias than the networks, whose steps are small


class Background(NamedTuple):
    """Footprint means of the members' estimates and of their stated variances, (M, B, R, C); the mean excess of
    sub-grid variance and the mean rise of soil moisture with heat where there should be none, scalars."""

    mean: Tensor
    variance: Tensor
    excess: Tensor
    wrong: Tensor


class Learner(L.LightningModule):
    """One step: the fine branch once, then for each phase the context with that phase hidden, the fusion everywhere in
    its footprints, and the loss at its hidden cells. All of it is leave-own-out, the overlap of footprints included.
    The members of the committee learn side by side from the same batches.

    What the radiometer gets wrong in a cell all the time is learned beside the networks, a number a cell that is drawn
    to nothing: days of one cell are no independent witnesses of the level of its soil. It is no part of the estimate.
    ``hot`` are the places of the features that stand for today's and remembered heat; where the batch's ``gate`` is
    open, soil must not be wetter when they are higher.
    """

    def __init__(
        self,
        network: Committee,
        *,
        ratio: int,
        footprint: str,
        fwhm: float,
        lr: float,
        weight_decay: float,
        beta: float,
        subgrid: float,
        subgrid_std: float,
        physics: float,
        hot: Sequence[int],
        cells: int,
        observations: int,
        seed: int,
        steps: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.sensor_bias = nn.Parameter(torch.zeros(cells))  # in units of BIAS
        self.observations = observations
        self.ratio, self.footprint, self.fwhm = ratio, footprint, fwhm
        self.lr, self.weight_decay, self.beta = lr, weight_decay, beta
        self.subgrid, self.subgrid_std, self.physics, self.hot = subgrid, subgrid_std, physics, list(hot)
        self.seed, self.steps, self.stride = seed, steps, stride
        # Sums over the scored cells of the validation.
        self.innovation, self.bias, self.predicted = MeanMetric(), MeanMetric(), MeanMetric()

    def background(self, batch: Batch, offset: tuple[int, int], stride: int) -> Background:
        """The members' backgrounds with each cell's own value left out. Every ``stride``-th pixel each way from
        ``offset`` stands for all."""
        rows, cols = batch["target"].shape[-2:]
        oy, ox = offset
        up_y, up_x = batch["up_y"][:, oy::stride], batch["up_x"][:, ox::stride]
        land, gate = (batch[k][:, oy::stride, ox::stride] for k in ("land", "gate"))
        h = Footprint.of(self.footprint, (rows, cols), self.ratio, self.fwhm).to(up_y)
        h = Footprint(h.rows[:, oy::stride], h.cols[:, ox::stride])  # weighted means: the land weights make them whole
        x = batch["x"][:, :, oy:, ox:].contiguous(memory_format=torch.channels_last)
        means, variances = [], []
        excess, wrong = torch.zeros((), device=up_y.device), torch.zeros((), device=up_y.device)
        for member in self.network:
            fine = member.fine(x, stride)[:, :, : land.shape[-2], : land.shape[-1]]
            mean, variance = torch.zeros_like(batch["target"]), torch.zeros_like(batch["target"])
            both_own, mu_own = None, torch.zeros_like(land, dtype=up_y.dtype)
            pixel_phase = expand(batch["target_phase"], self.ratio // stride)
            for phase in range(PHASES):
                both = interpolated(member, hidden(batch, phase), batch["cells"], up_y, up_x)
                mu, shared, _ = member.fuse(fine, both[:, :1], both[:, 1:])
                own = batch["target_phase"] == phase
                mean = torch.where(own, h.forward(mu, land), mean)
                variance = torch.where(own, h.forward(shared.exp(), land), variance)
                over = subgrid_excess(mu, land, self.ratio // stride, self.subgrid_std)
                excess = excess + torch.where(own, over, 0.0).mean()
                if self.hot and self.physics:
                    here = pixel_phase == phase
                    mu_own = torch.where(here, mu, mu_own)
                    both_own = both if both_own is None else torch.where(here[:, None], both, both_own)
            if both_own is not None:
                hotter, _, _ = member.fuse(member.warmer(fine, self.hot), both_own[:, :1], both_own[:, 1:])
                wrong = wrong + masked_mean(torch.relu(hotter - mu_own), gate & land) / SSM_SCALE
            means.append(mean)
            variances.append(variance)
        n = len(means)
        return Background(torch.stack(means), torch.stack(variances), excess / n, wrong / n)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        oy, ox = (int(n) for n in torch.randint(self.stride, (2,)))
        found = self.background(batch, (oy, ox), self.stride)
        score = batch["score"]
        mean, variance = torch.nan_to_num(found.mean), torch.nan_to_num(found.variance, nan=1.0)
        total = variance + batch["target_sigma"] ** 2
        # Divided by a typical variance^beta, so that the weights of the other terms keep their meaning.
        nll = beta_nll(mean + BIAS * self.sensor_bias[batch["place"]], total, batch["target"], self.beta)
        fit = masked_mean(nll, score.expand_as(nll)) / 0.05 ** (2 * self.beta)
        drawn = 0.5 * (self.sensor_bias**2).sum() / self.observations
        loss: Tensor = fit + drawn + self.subgrid * found.excess + self.physics * found.wrong
        told = {"train/loss": loss, "train/subgrid_excess": found.excess, "train/wrong_way": found.wrong}
        self.log_dict(told, batch_size=len(score))
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        middle = self.stride // 2
        found = self.background(batch, (middle, middle), self.stride)
        score = batch["score"]
        if not bool(score.any()):
            return
        innovation = (batch["target"] - found.mean.mean(0))[score]
        self.innovation.update(innovation**2)
        self.bias.update(innovation)
        self.predicted.update((found.variance.mean(0) + found.mean.var(0, correction=0))[score])

    def on_validation_epoch_end(self) -> None:
        if self.innovation.update_called:
            # The metrics gather over processes themselves: the same number everywhere.
            self.log("val/innovation_rmse", self.innovation.compute().sqrt(), prog_bar=True, sync_dist=True)
            self.log("val/innovation_bias", self.bias.compute(), sync_dist=True)
            self.log("val/predicted_variance", self.predicted.compute(), sync_dist=True)
        for metric in (self.innovation, self.bias, self.predicted):
            metric.reset()

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        # Dropout and offsets depend on seed and step alone: a resumed run repeats what an unbroken one does.
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return adamw(self, self.lr, self.weight_decay, self.steps)


def hidden(batch: Batch, phase: int) -> Tensor:
    """The observations (B, L, R, C) without those of the day in the cells of ``phase``."""
    today = torch.where((batch["phase"] == phase)[:, None], torch.nan, batch["ssm"][:, :1])
    return torch.cat([today, batch["ssm"][:, 1:]], 1)


def interpolated(member: Downscaler, ssm: Tensor, cells: Tensor, up_y: Tensor, up_x: Tensor) -> Tensor:
    """The context at the pixels of a patch, (B, 1 + W, y, x), the base first."""
    context = member.context(ssm, cells)
    return up_y[:, None] @ torch.cat([context.base, context.deep], 1) @ up_x.transpose(1, 2)[:, None]


def adamw(module: L.LightningModule, lr: float, weight_decay: float, steps: int) -> OptimizerLRSchedulerConfig:
    """AdamW that leaves biases, norms and the kernels of the observations' means undecayed; a warm start, then half a
    cosine over ``steps``."""
    decay = [p for n, p in module.named_parameters() if p.ndim >= 2 and not n.endswith("logits")]
    fast = [p for n, p in module.named_parameters() if n == "sensor_bias"]
    chosen = {id(p) for p in decay + fast}
    rest = [p for p in module.parameters() if id(p) not in chosen]
    groups = [{"params": decay, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0},
              {"params": fast, "weight_decay": 0.0, "lr": FASTER * lr}]  # fmt: skip
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=lr)
    warm = max(1, steps // 20)

    def rate(step: int) -> float:
        return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))) + 0.01)

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
