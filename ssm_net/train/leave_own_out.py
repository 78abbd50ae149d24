"""The coarse context of training with one phase's observations hidden: the own value is left out.

Cells are hidden and scored phase by phase (``inputs.phases``), so that no estimate depends on the observation that it
is compared with.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ssm_net.model.network import Downscaler
from ssm_net.train.batches import CoarseWindow

MOST_HIDDEN = 0.5  # of the day's observations, at random and beyond the phase: practice for orbit gaps


def hidden(coarse: CoarseWindow, phase: int) -> Tensor:
    """The observations (B, L, R, C) without those of the day in the cells of ``phase``."""
    today = torch.where((coarse.phase == phase)[:, None], torch.nan, coarse.ssm[:, :1])
    return torch.cat([today, coarse.ssm[:, 1:]], 1)


def interpolated(member: Downscaler, ssm: Tensor, coarse: CoarseWindow, slopes: Tensor | None = None) -> Tensor:
    """The context of ``ssm`` at the pixels of a window, (B, 1 + W, y, x), the base first; ``slopes`` as of
    ``Downscaler.context``."""
    context = member.context(ssm, coarse.cells, slopes)
    return coarse.up_y[:, None] @ torch.cat([context.base, context.deep], 1) @ coarse.up_x.transpose(1, 2)[:, None]
