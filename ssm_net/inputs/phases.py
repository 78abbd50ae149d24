"""The four phases of a 2 x 2 pattern of cells, of which one at a time is hidden: how the own value is left out."""

from __future__ import annotations

import torch
from torch import Tensor

PHASES = 4


def phase_of_cells(rows: int, cols: int, row0: int = 0, col0: int = 0) -> Tensor:
    """Phase 0..3 of each coarse cell, (rows, cols); ``row0`` and ``col0`` are the window's place in the domain."""
    r = (torch.arange(rows) + row0) % 2
    c = (torch.arange(cols) + col0) % 2
    return 2 * r[:, None] + c[None]
