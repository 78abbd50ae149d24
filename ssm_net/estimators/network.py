"""The trained networks behind the estimators' interface, own value left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ssm_net.cube.store import Cube
from ssm_net.estimators.ablation import NO_ABLATION, Ablation
from ssm_net.estimators.calibration import any_near
from ssm_net.estimators.checkpoint import ModelError, Trained
from ssm_net.estimators.interface import Estimate
from ssm_net.grid import Window, expand, interpolation_matrix, upsample
from ssm_net.inputs import features
from ssm_net.inputs.channels import PackedPixels, channels_and_extrapolated
from ssm_net.inputs.phases import PHASES, phase_of_cells
from ssm_net.inputs.reading import CoarseDay, padded, variables
from ssm_net.inputs.scaling import NO_FEATURES
from ssm_net.model import fused

SAME_FWHM = 0.01  # relative difference of footprint widths that is rounding: of kilometres to pixels, say


class NetworkEstimator:
    """The trained networks, own value left out; where several were trained, their mean.

    ``precision`` is that of the matrix products over pixels (``choose_precision``); the coarse branch is in float32.
    """

    name = "network"
    updates = True

    def __init__(
        self, trained: Trained, cube: Cube, device: torch.device, precision: torch.dtype = torch.float32,
        ablation: Ablation = NO_ABLATION,
    ) -> None:  # fmt: skip
        have = features.available(variables(cube))
        if missing := [n for n in trained.scaling.present if n not in have]:
            raise ModelError(
                f"{cube.path} lacks what the model was trained on: {', '.join(missing)}; prepare the cube with the "
                "same products, or train a model for this cube"
            )
        _check_sensor(trained, cube)
        self.trained, self.device, self.ablation = trained, device, ablation
        self.network = trained.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.fused = fused.Fused(self.network, precision)
        self.scaling = trained.scaling if trained.model.cells else NO_FEATURES
        self.lags, self.lookahead, self.halo = trained.model.lags, trained.model.lookahead, trained.network.halo
        self.needs = features.needed(trained.scaling.present)
        self.shape, self.ratio = cube.domain.fine_shape, cube.domain.ratio

    @torch.inference_mode()
    def context(self, coarse: CoarseDay) -> NetworkContext:
        rows, cols = coarse.ssm.shape[-2:]
        phase = self.ablation.hidden_phases(phase_of_cells(rows, cols))
        ssm = torch.stack([coarse.without(phase == p).observations for p in range(PHASES)]).to(self.device)
        cells = coarse.cells.to(self.device).expand(PHASES, -1, -1, -1)
        contexts = [member.context(ssm, cells) for member in self.network]
        by_phase = tuple(torch.cat([c.base, c.deep], 1).float() for c in contexts)
        scale, alone = self.trained.calibration.scale(coarse), ~any_near(torch.cat([coarse.ssm, coarse.ahead]))
        return NetworkContext(by_phase, scale.to(self.device), alone.to(self.device))

    @torch.inference_mode()
    def estimate(self, context: NetworkContext, pixels: PackedPixels, window: Window) -> Estimate:
        x, far = self.inputs(pixels, window)
        means, shared, local = self.fused(x, half_upsampled(context.by_phase, self.ratio, window))
        mean, disagreement = means.mean(0), _variance(means)
        stated = (shared.mean(0) + disagreement) * upsample(context.scale, self.ratio, window)
        h, (y0, y1, x0, x1) = self.halo, (n // self.ratio for n in window)
        far = far[h : far.shape[0] - h, h : far.shape[1] - h] | expand(context.alone[y0:y1, x0:x1], self.ratio)
        known = self.trained.calibration
        inside = known.inside * local.mean(0) + known.level**2
        return Estimate(mean, stated, inside, far)

    def inputs(self, pixels: PackedPixels, window: Window) -> tuple[Tensor, Tensor]:
        """The channels of ``window`` with their halo, (F, y + 2 halo, x + 2 halo), 0 outside the domain; and where one
        of them is out of the range that was learned on, (y + 2 halo, x + 2 halo) bool."""
        _, around = padded(window, self.halo, self.shape)
        x, far = channels_and_extrapolated(pixels.to(self.device), self.trained.scaling)
        return pad(x, around), pad(far, around)


def _variance(means: Tensor) -> Tensor:
    """Of the members, (M, y, x) to (y, x): the numbers of ``torch.var``, in less time on a processor."""
    if means.is_cuda:
        return means.var(0, correction=0)
    mean = means[0].double()
    total = torch.zeros_like(mean)
    for n in range(1, len(means)):
        moved = means[n] - mean
        mean += moved / (n + 1)
        total += moved * (means[n] - mean)
    return (total / len(means)).to(means.dtype)


def _check_sensor(trained: Trained, cube: Cube) -> None:
    """Raises ``ModelError`` where the cube's grid or footprint is not that of the model. What a network states of its
    error, and its calibration, are of footprint means: they hold for the footprint that it was trained through."""
    pixel = cube.domain.grid.pixel / 1000
    have = {"grid ratio": cube.domain.ratio, "footprint": cube.attrs["footprint"]}
    want = {"grid ratio": trained.ratio, "footprint": trained.footprint}
    if trained.footprint == "gaussian" and abs(cube.fwhm - trained.fwhm) > SAME_FWHM * trained.fwhm:
        have["FWHM"], want["FWHM"] = f"{cube.attrs['fwhm_km']:g} km", f"{trained.fwhm * pixel:.4g} km"
    if differ := [f"{k} {have[k]} (the model: {want[k]})" for k in have if have[k] != want[k]]:
        raise ModelError(
            f"{cube.path} was prepared for another sensor than the model was trained for: {'; '.join(differ)}; "
            f"adapt the model to it (python train.py cube={cube.path} run=RUN prior=FOLDER) or prepare the cube with "
            "the model's fwhm_km and footprint"
        )


@dataclass(frozen=True)
class NetworkContext:
    """A member's context each, with each phase hidden, (phase, channel, R, C); by what the stated variance is
    multiplied, (R, C); where nothing was observed near, today or on the days before, (R, C) bool."""

    by_phase: tuple[Tensor, ...]
    scale: Tensor
    alone: Tensor


def half_upsampled(by_phase: Sequence[Tensor], ratio: int, window: Window) -> fused.HalfUpsampled:
    """``upsample_by_phase`` of each member's context with the product along the columns left to do.

    A pixel's columns of weights are those of its own cell's phase: K counts the columns of cells near, twice.
    """
    rows, cols = by_phase[0].shape[-2:]
    y0, y1, x0, x1 = window
    near_y, near_x = (slice(max(a // ratio - 1, 0), -(-b // ratio) + 1) for a, b in ((y0, y1), (x0, x1)))
    # The parity of cells counts from the domain's first, not from the window's.
    both = torch.stack([c[..., near_y, near_x] for c in by_phase]).unflatten(1, (2, 2))
    up_y = interpolation_matrix(range(y0, y1), rows, ratio, both.device).to(both)[:, near_y].unflatten(0, (-1, ratio))
    up_x = interpolation_matrix(range(x0, x1), cols, ratio, both.device).to(both)[:, near_x]
    odd_column = (torch.arange(x0, x1, device=both.device) // ratio % 2)[:, None]
    columns = torch.cat([up_x * (odd_column == parity) for parity in (0, 1)], 1)
    rows_of_cells = [
        torch.einsum("yr,mpkrc->mypck", up_y[i], both[:, (y0 // ratio + i) % 2]).flatten(2, 3) for i in range(len(up_y))
    ]
    half = torch.cat(rows_of_cells, 1)
    return fused.HalfUpsampled(columns, half[..., 0].permute(1, 2, 0).contiguous(), half[..., 1:].contiguous())
