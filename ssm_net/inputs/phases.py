"""Leave-own-value-out by phases: of a 2 x 2 pattern of cells, one at a time is hidden from the estimate."""

from __future__ import annotations

import torch
from torch import Tensor

from ssm_net.grid import Window, interpolation_matrix

PHASES = 4


def phase_of_cells(rows: int, cols: int, row0: int = 0, col0: int = 0) -> Tensor:
    """Phase 0..3 of each coarse cell, (rows, cols); ``row0`` and ``col0`` are the window's place in the domain."""
    r = (torch.arange(rows) + row0) % 2
    c = (torch.arange(cols) + col0) % 2
    return 2 * r[:, None] + c[None]


def upsample_by_phase(context: Tensor, ratio: int, window: Window) -> Tensor:
    """Each pixel's context from the run in which its own cell's phase was hidden.

    ``context`` (phase, channel, R, C) to (channel, y, x) of ``window``, which holds whole cells. The pixels of a phase
    are a regular subset of rows and columns, so the four interpolations together cost one.
    """
    rows, cols = context.shape[-2:]
    y0, y1, x0, x1 = window
    up_y = interpolation_matrix(range(y0, y1), rows, ratio).to(context).reshape(-1, ratio, rows)
    up_x = interpolation_matrix(range(x0, x1), cols, ratio).to(context).reshape(-1, ratio, cols)
    out = context.new_empty(context.shape[1], len(up_y), ratio, len(up_x), ratio)
    for phase in range(PHASES):
        # The parity of cells counts from the domain's first, not from the window's.
        r, c = (phase // 2 - y0 // ratio) % 2, (phase % 2 - x0 // ratio) % 2
        part = up_y[r::2].flatten(0, 1) @ context[phase] @ up_x[c::2].flatten(0, 1).T
        out[:, r::2, :, c::2] = part.reshape(len(part), len(up_y[r::2]), ratio, len(up_x[c::2]), ratio)
    return out.reshape(len(out), y1 - y0, x1 - x0)
