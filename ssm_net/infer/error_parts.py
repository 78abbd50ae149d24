"""What a map states of the parts of its error: the fraction of the variance that the pixels of a cell share.

A map holds one standard error a pixel. Who averages over a basin must know which part of it averages out: that inside
cells does, that of a cell hardly, that of the region never. Three numbers a map tell the parts apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from ssm_net.formats.product import CELL_ERROR_ATTRIBUTES, REGION_ERROR_ATTRIBUTE, Attribute, Flag

DIGITS = 3  # a sum over tiles differs with the tiles in its last digits


@dataclass
class ErrorParts:
    """Sums over the pixels of a map, of cells that were observed on the day and of the others: of the shared variance,
    and of all the variance but that of the region (``region_sigma``, m3 m-3)."""

    region_sigma: float
    shared: np.ndarray = field(default_factory=lambda: np.zeros(2))
    total: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def add(self, shared: Tensor, local: Tensor, valid: np.ndarray, flags: np.ndarray) -> None:
        """Count a tile: shared and local variance after the update, of the pixels that are ``valid``, all (y, x)."""
        of_cell, inside = (v.float().numpy() for v in (shared, local))
        valid = valid & np.isfinite(of_cell) & np.isfinite(inside)
        observed = flags & Flag.COARSE_OBSERVED > 0
        for i, which in enumerate((valid & observed, valid & ~observed)):
            cell = of_cell.sum(where=which, dtype=np.float64)
            self.shared[i] += cell
            self.total[i] += cell + inside.sum(where=which, dtype=np.float64) - which.sum() * self.region_sigma**2

    def attributes(self) -> dict[str, Attribute]:
        """The map's attributes; no fraction of cells of which there are none."""
        stated: dict[str, Attribute] = {REGION_ERROR_ATTRIBUTE: round(self.region_sigma, 6)}
        for name, shared, total in zip(CELL_ERROR_ATTRIBUTES, self.shared, self.total, strict=True):
            if total > 0:
                stated[name] = round(min(float(shared / total), 1.0), DIGITS)
        return stated
