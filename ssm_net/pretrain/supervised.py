"""Learning from the truth at 1 km, which only simulated worlds have: networks trained beforehand, and the oracle.

The own value is left out here as everywhere: what is learned is the background that an observation may then update.
"""

from __future__ import annotations

from collections.abc import Sequence

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torchmetrics import MeanMetric

from ssm_net.grid import block_mean, expand, interpolation_matrix
from ssm_net.inputs.phases import PHASES, phase_of_cells
from ssm_net.inputs.scaling import Scaling
from ssm_net.model.losses import beta_nll, masked_mean
from ssm_net.model.network import Committee
from ssm_net.pretrain.samples import KERNEL, STRIDE, World
from ssm_net.train.aggregate_loss import Batch, adamw, hidden, interpolated
from ssm_net.train.patches import Samples

PART = 4  # cells a side of the part of a world whose pixels make one sample; the context is that of the whole world
MOST_HIDDEN = 0.5  # of the day's observations, drawn uniformly
BLIND = 0.1  # of the samples have no observation of the day at all: practice for orbit gaps
MAIMED = 0.15  # of the samples lack one group of features: practice for cubes without that product
GROUPS = (("rain", "api"), ("ndvi", "ndwi", "swir", "reflectance"), ("sand", "clay"), ("lst_night",), ("lst_day",),
          ("relief",))  # fmt: skip
ERROR = 0.05  # m3 m-3, brings the loss to order one
CELL_WEIGHT = 0.3  # of the likelihood of cell means beside that of pixels


class TruthSamples(Samples):
    """Days of worlds of one size; a pixel is a label where ``labels`` of its world, (T, R, C) bool, are true.

    With ``seed=None`` nothing is drawn: item i is the i-th day, whole, every observation visible but the own.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        scaling: Scaling,
        *,
        ratio: int,
        lags: int,
        labels: Sequence[Tensor] | None = None,
        seed: int | None,
    ) -> None:
        self.worlds, self.scaling, self.ratio, self.lags, self.seed = worlds, scaling, ratio, lags, seed
        self.labels = labels or [torch.ones_like(w.ssm, dtype=torch.bool) for w in worlds]
        self.days = [(i, t) for i, w in enumerate(worlds) for t in range(len(w.ssm)) if bool(self.labels[i][t].any())]

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, key: int) -> dict[str, Tensor]:
        if self.seed is None:
            return self.sample(*self.days[key], None)
        epoch, index = divmod(key, len(self))
        order = np.random.default_rng(np.random.SeedSequence([self.seed, epoch])).permutation(len(self))
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, epoch, index]))
        return self.sample(*self.days[int(order[index])], rng)

    def sample(self, which: int, t: int, rng: np.random.Generator | None) -> dict[str, Tensor]:
        world = self.worlds[which]
        rows, cols = world.ssm.shape[1:]
        per = self.ratio // STRIDE
        ssm = torch.full((self.lags, rows, cols), torch.nan)
        n = min(t + 1, self.lags)
        ssm[:n] = world.ssm[t - n + 1 : t + 1].flip(0)
        up_y, up_x = (
            interpolation_matrix(range(size * self.ratio), size, self.ratio)[int(first) :: STRIDE][: size * per]
            for size, first in zip((rows, cols), world.offset[t], strict=True)
        )
        fields = {"x": self.scaling(world.x[t].float()), "truth": world.truth[t].float(), "ssm": ssm,
                  "cells": self.scaling(world.cells[t]), "label": self.labels[which][t]}  # fmt: skip
        height, width, row, col = rows, cols, 0, 0
        if rng is not None:
            height, width = min(PART, rows), min(PART, cols)
            row, col = int(rng.integers(rows - height + 1)), int(rng.integers(cols - width + 1))
            hide = torch.from_numpy(rng.random((rows, cols)) < rng.uniform(0, MOST_HIDDEN))
            blind, maimed, turn = rng.random() < BLIND, rng.random() < MAIMED, int(rng.integers(8))
            ssm[0] = torch.where(hide | blind, torch.nan, ssm[0])
            if maimed:
                group = GROUPS[int(rng.integers(len(GROUPS)))]
                gone = [i for i, name in enumerate(self.scaling.names) if name.startswith(group)]
                fields["x"][gone], fields["cells"][gone] = 0, 0
            # Weather comes from one side, but nothing that is learned may depend on which.
            if turn & 1:
                fields, up_x = {k: v.flip(-1) for k, v in fields.items()}, up_x.flip(0, 1)
            if turn & 2:
                fields, up_y = {k: v.flip(-2) for k, v in fields.items()}, up_y.flip(0, 1)
            if turn & 4 and rows == cols:
                fields, up_y, up_x = {k: v.transpose(-1, -2) for k, v in fields.items()}, up_x, up_y
        ys, xs = slice(row * per, (row + height) * per), slice(col * per, (col + width) * per)
        phase = phase_of_cells(rows, cols)
        mine = phase[row : row + height, col : col + width]
        truth = fields["truth"][ys, xs]
        known = torch.isfinite(truth) & expand(fields["label"][row : row + height, col : col + width], per)
        return {
            "x": fields["x"][
                :, ys.start * KERNEL : ys.stop * KERNEL, xs.start * KERNEL : xs.stop * KERNEL
            ].contiguous(),
            "truth": torch.nan_to_num(truth),
            "known": known,
            "cells": fields["cells"].contiguous(),
            "ssm": fields["ssm"].contiguous(),
            "phase": phase,
            "pixel_phase": expand(mine, per),
            "up_y": up_y[ys].contiguous(),
            "up_x": up_x[xs].contiguous(),
        }


class Supervised(L.LightningModule):
    """The members side by side: a likelihood of the pixels, and one of the cell means for the variance they share.

    With ``bf16`` the pixel-wise part runs in bfloat16, twice as fast on processors and GPUs that have it; the coarse
    branch, which is small and holds the soil moisture itself, stays in float32.
    """

    def __init__(
        self, network: Committee, *, ratio: int, lr: float, weight_decay: float, steps: int, seed: int, bf16: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.lr, self.weight_decay, self.steps, self.seed, self.bf16 = lr, weight_decay, steps, seed, bf16
        self.per = ratio // STRIDE
        self.squared = MeanMetric()

    def pixels(self, batch: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Each member's mean, log of the variance a cell shares, and of that inside it, (B, y, x)."""
        x = batch["x"].contiguous(memory_format=torch.channels_last)
        out = []
        for member in self.network:
            both: Tensor | None = None
            for phase in range(PHASES):
                one = interpolated(member, hidden(batch, phase), batch["cells"], batch["up_y"], batch["up_x"])
                both = one if both is None else torch.where((batch["pixel_phase"] == phase)[:, None], one, both)
            assert both is not None
            both = both.contiguous(memory_format=torch.channels_last)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
                out.append(member.fuse(member.fine(x, KERNEL), both[:, :1], both[:, 1:]))
        return out

    def training_step(self, batch: Batch, index: int) -> Tensor:
        known = batch["known"]
        loss = torch.zeros((), device=known.device)
        for mean, log_shared, log_local in self.pixels(batch):
            error = torch.where(known, mean - batch["truth"], 0.0)
            shared, local = log_shared.exp(), log_local.exp()
            loss = loss + masked_mean(beta_nll(error, shared + local, torch.zeros_like(error), 0.5), known)
            cell = block_mean(torch.where(known, error, torch.nan), self.per)
            stated = block_mean(torch.where(known, shared, torch.nan), self.per)
            there = torch.isfinite(cell)
            cell, stated = torch.nan_to_num(cell), torch.nan_to_num(stated, nan=1.0)
            loss = loss + CELL_WEIGHT * masked_mean(beta_nll(cell, stated, torch.zeros_like(cell), 0.5), there)
        loss = loss / (len(self.network.members) * ERROR)
        self.log("train/loss", loss, batch_size=len(known))
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        mean = torch.stack([mean for mean, _, _ in self.pixels(batch)]).mean(0)
        if bool(batch["known"].any()):
            self.squared.update(((mean - batch["truth"])[batch["known"]]) ** 2)

    def on_validation_epoch_end(self) -> None:
        if self.squared.update_called:
            self.log("val/rmse", self.squared.compute().sqrt(), prog_bar=True)
        self.squared.reset()

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return adamw(self, self.lr, self.weight_decay, self.steps)
