"""Tiles of whole coarse cells that cover a domain once. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ssm_net.grid import Window


@dataclass(frozen=True)
class Tile:
    """A rectangle of coarse cells (row0, row1, col0, col1) and the same in fine pixels (y0, y1, x0, x1)."""

    cells: Window
    pixels: Window


def tiles(
    coarse_shape: tuple[int, int], ratio: int, side: int, wanted: Callable[[Window], bool] | None = None
) -> list[Tile]:
    """Tiles of at most ``side`` x ``side`` cells that cover the domain once, row by row; those not ``wanted`` left out.

    The fine branch pads by its own halo, so tiles neither overlap nor are blended.
    """
    out = []
    for r in range(0, coarse_shape[0], side):
        for c in range(0, coarse_shape[1], side):
            cells = (r, min(r + side, coarse_shape[0]), c, min(c + side, coarse_shape[1]))
            if wanted is None or wanted(cells):
                y0, y1, x0, x1 = (n * ratio for n in cells)
                out.append(Tile(cells, (y0, y1, x0, x1)))
    return out
