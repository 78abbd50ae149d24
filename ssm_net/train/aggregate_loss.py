"""The aggregate loss as a LightningModule: footprint means of the networks against coarse observations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torchmetrics import MeanMetric

from ssm_net.estimators.ablation import NO_ABLATION, Ablation
from ssm_net.footprint import Footprint
from ssm_net.grid import expand
from ssm_net.inputs.phases import PHASES
from ssm_net.model.losses import beta_nll, masked_mean, subgrid_excess
from ssm_net.model.network import SSM_SCALE, Committee, Downscaler
from ssm_net.train.batches import CoarseWindow, PatchBatch
from ssm_net.train.leave_own_out import hidden, interpolated
from ssm_net.train.optimiser import Schedule, adamw
from ssm_net.train.sensor_footprint import SensorFootprint


@dataclass(frozen=True)
class Objective:
    """Terms of the loss: ``beta`` of the beta-NLL; weight ``subgrid`` of the penalty on sub-grid variance above
    ``subgrid_std`` squared (m3 m-3); weight ``physics`` of the penalty where soil gets wetter with heat, and the
    positions ``hot`` of the features that stand for heat. Every ``stride``-th pixel each way stands for a footprint."""

    beta: float
    subgrid: float
    subgrid_std: float
    physics: float
    stride: int
    hot: Sequence[int] = ()


class FootprintBackground(NamedTuple):
    """Footprint means of the members' estimates and of their stated variances, (M, B, R, C); the mean excess of
    sub-grid variance and the mean violation of the physics constraint, scalars."""

    mean: Tensor
    variance: Tensor
    subgrid_excess: Tensor
    physics_violation: Tensor


class SampledPixels(NamedTuple):
    """Every ``stride``-th pixel of a batch: channels ``x`` from the first sampled pixel on, ``land`` and ``gate``
    (B, y, x), ``coarse`` that reaches these pixels, and the footprint ``h`` of them."""

    x: Tensor
    land: Tensor
    gate: Tensor
    coarse: CoarseWindow
    h: Footprint
    stride: int


class AggregateLearner(L.LightningModule):
    """A step evaluates the fine branch once, then for each phase the context with that phase hidden, the fusion at all
    sampled pixels, and the loss at the hidden cells. All of it leaves the own value out, the overlap of footprints
    included. The members of the committee learn from the same batches.

    The radiometer's lasting bias in a cell is learned with the networks, one number a cell with a prior around 0: days
    of one cell are not independent observations of its soil's level. It is no part of the estimate. Where the batch's
    ``gate`` is open, soil must not be wetter when the features of ``objective.hot`` are higher.

    ``cells`` is the number of coarse cells of the domain, ``observations`` that of the training observations.
    """

    def __init__(
        self,
        network: Committee,
        *,
        footprint: SensorFootprint,
        objective: Objective,
        schedule: Schedule,
        cells: int,
        observations: int,
        ablation: Ablation = NO_ABLATION,
    ) -> None:
        super().__init__()
        self.network = network
        self.sensor_bias = nn.Parameter(torch.zeros(cells))  # in units of ablation.sensor_bias
        self.footprint, self.objective, self.schedule, self.observations = footprint, objective, schedule, observations
        self.ablation = ablation
        # Sums over the scored cells of the validation.
        self.innovation, self.bias, self.predicted = MeanMetric(), MeanMetric(), MeanMetric()

    def background(self, batch: PatchBatch, offset: tuple[int, int], stride: int) -> FootprintBackground:
        """The members' backgrounds with each cell's own value left out. Every ``stride``-th pixel each way from
        ``offset`` stands for all."""
        sampled = self._sampled(batch, offset, stride)
        members = [self._member_background(member, sampled, batch.target.phase) for member in self.network]
        means, variances, excesses, violations = zip(*members, strict=True)
        zero, n = torch.zeros((), device=batch.x.device), len(members)
        excess = sum((term for terms in excesses for term in terms), zero)
        return FootprintBackground(torch.stack(means), torch.stack(variances), excess / n, sum(violations, zero) / n)

    def _sampled(self, batch: PatchBatch, offset: tuple[int, int], stride: int) -> SampledPixels:
        (oy, ox), coarse = offset, batch.coarse
        up_y, up_x = coarse.up_y[:, oy::stride], coarse.up_x[:, ox::stride]
        coarse = replace(coarse, up_y=up_y, up_x=up_x, phase=self.ablation.hidden_phases(coarse.phase))
        land, gate = (field[:, oy::stride, ox::stride] for field in (batch.land, batch.gate))
        of, (rows, cols) = self.footprint, batch.target.value.shape[-2:]
        h = Footprint.of(of.kind, (rows, cols), of.ratio, of.fwhm).to(coarse.up_y)
        h = Footprint(h.rows[:, oy::stride], h.cols[:, ox::stride])  # the land weights normalise its means
        x = batch.x[:, :, oy:, ox:].contiguous(memory_format=torch.channels_last)
        return SampledPixels(x, land, gate, coarse, h, stride)

    def _member_background(
        self, member: Downscaler, s: SampledPixels, phase_of_cell: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor], Tensor]:
        """Mean and variance (B, R, C), the excess of sub-grid variance of each phase, the physics violation."""
        hinge = bool(self.objective.hot and self.objective.physics)
        fine = member.fine(s.x, s.stride)[:, :, : s.land.shape[-2], : s.land.shape[-1]]
        mean, variance = (torch.zeros(phase_of_cell.shape, device=s.x.device) for _ in range(2))
        excesses: list[Tensor] = []
        context_own, mu_own = None, torch.zeros_like(s.land, dtype=s.coarse.up_y.dtype)
        cell = self.footprint.ratio // s.stride
        pixel_phase = expand(phase_of_cell, cell)
        for phase in range(PHASES):
            context = interpolated(member, hidden(s.coarse, phase), s.coarse)
            mu, shared, _ = member.fuse(fine, context[:, :1], context[:, 1:])
            own = phase_of_cell == phase
            mean = torch.where(own, s.h.forward(mu, s.land), mean)
            variance = torch.where(own, s.h.forward(shared.exp(), s.land), variance)
            excess = subgrid_excess(mu, s.land, cell, self.objective.subgrid_std)
            excesses.append(torch.where(own, excess, 0.0).mean())
            if hinge:
                own_pixels = pixel_phase == phase
                mu_own = torch.where(own_pixels, mu, mu_own)
                context_own = context if context_own is None else torch.where(own_pixels[:, None], context, context_own)
        violation = torch.zeros((), device=s.x.device)
        if context_own is not None:
            warmer = member.warmer(fine, self.objective.hot)
            hotter, _, _ = member.fuse(warmer, context_own[:, :1], context_own[:, 1:])
            violation = masked_mean(torch.relu(hotter - mu_own), s.gate & s.land) / SSM_SCALE
        return mean, variance, excesses, violation

    def training_step(self, batch: PatchBatch, index: int) -> Tensor:
        of, target = self.objective, batch.target
        oy, ox = (int(n) for n in torch.randint(of.stride, (2,)))
        background = self.background(batch, (oy, ox), of.stride)
        mean, variance = torch.nan_to_num(background.mean), torch.nan_to_num(background.variance, nan=1.0)
        total = variance + target.sigma**2
        # Divided by a typical variance^beta, so that the weights of the other terms keep their meaning.
        nll = beta_nll(mean + self.ablation.sensor_bias * self.sensor_bias[target.place], total, target.value, of.beta)
        fit = masked_mean(nll, target.score.expand_as(nll)) / 0.05 ** (2 * of.beta)
        bias_prior = 0.5 * (self.sensor_bias**2).sum() / self.observations
        excess, violation = background.subgrid_excess, background.physics_violation
        loss: Tensor = fit + bias_prior + of.subgrid * excess + of.physics * violation
        terms = {"train/loss": loss, "train/subgrid_excess": excess, "train/physics_violation": violation}
        self.log_dict(terms, batch_size=len(target.score))
        return loss

    def validation_step(self, batch: PatchBatch, index: int) -> None:
        middle = self.objective.stride // 2
        background = self.background(batch, (middle, middle), self.objective.stride)
        score = batch.target.score
        if not bool(score.any()):
            return
        innovation = (batch.target.value - background.mean.mean(0))[score]
        self.innovation.update(innovation**2)
        self.bias.update(innovation)
        self.predicted.update((background.variance.mean(0) + background.mean.var(0, correction=0))[score])

    def on_validation_epoch_end(self) -> None:
        if self.innovation.update_called:
            # The metrics gather over processes themselves: the same number everywhere.
            self.log("val/innovation_rmse", self.innovation.compute().sqrt(), prog_bar=True, sync_dist=True)
            self.log("val/innovation_bias", self.bias.compute(), sync_dist=True)
            self.log("val/predicted_variance", self.predicted.compute(), sync_dist=True)
        for metric in (self.innovation, self.bias, self.predicted):
            metric.reset()

    def on_train_batch_start(self, batch: PatchBatch, index: int) -> None:
        self.schedule.seed_step(self.global_step)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return adamw(self, self.schedule)
