"""Tiles of whole coarse cells that cover a domain once. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ssm_net.grid import Window


@dataclass(frozen=True)
class Tile:
    """A rectangle of coarse cells (row0, row1, col0, col1) and the same in fine pixels (y0, y1, x0, x1)."""

    cells: Window
    pixels: Window


def joined(tiles: Sequence[Tile], pixels: int) -> list[tuple[Tile, ...]]:
    """Neighbours along a row of tiles, to be computed as one of at most ``pixels`` pixels: a GPU is faster at large
    tiles, and the numbers are the same. In the order of ``tiles``; a tile that is larger stays alone."""
    out: list[tuple[Tile, ...]] = []
    for tile in tiles:
        last = out[-1] if out else ()
        together = window_of((*last, tile))
        beside = last and last[-1].cells[:2] == tile.cells[:2] and last[-1].cells[3] == tile.cells[2]
        if beside and (together[1] - together[0]) * (together[3] - together[2]) <= pixels:
            out[-1] = (*last, tile)
        else:
            out.append((tile,))
    return out


def window_of(neighbours: Sequence[Tile]) -> Window:
    """The fine pixels (y0, y1, x0, x1) of neighbours along a row."""
    y0, y1, x0, _ = neighbours[0].pixels
    return y0, y1, x0, neighbours[-1].pixels[3]


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
