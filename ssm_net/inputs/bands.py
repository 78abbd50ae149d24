"""Bands: the pixels of a day from north to south, so that each chunk of the cube is read and decoded once.

A band is a row of tiles. Tiles want a halo from their neighbours, and chunks are as high as four cells: read by
themselves, a tile and the rows around it would decode most chunks several times. So each row of tiles is read whole,
over the columns that hold land, and lends its edge to the bands above and below. What is held is a few rows of tiles,
as packed in the cube, however high the domain.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ssm_net.cube.store import CHUNK, Cube
from ssm_net.cube.variables import FINE
from ssm_net.grid import Domain, Window
from ssm_net.inputs.tiling import Tile


@dataclass(frozen=True)
class Band:
    """Rows of a day as packed in the cube; windows inside them are read as from a ``Cube``.

    ``window`` is (y0, y1, x0, x1) of the domain; ``arrays`` hold it, packed, by name; ``tiles`` are to be made from it.
    ``cells`` are coarse variables of the whole domain.
    """

    domain: Domain
    day: dt.date
    tiles: tuple[Tile, ...]
    window: Window
    arrays: dict[str, np.ndarray]
    cells: dict[str, np.ndarray]

    @property
    def coarse(self) -> tuple[str, ...]:
        return tuple(self.cells)

    @property
    def fine(self) -> tuple[str, ...]:
        return tuple(name for name in self.arrays if name in FINE)

    @property
    def static(self) -> tuple[str, ...]:
        return tuple(name for name in self.arrays if name not in FINE)

    def read_packed(self, name: str, day: dt.date, window: Window) -> np.ndarray:
        assert day == self.day
        return self.read_static(name, window)

    def read(self, name: str, day: dt.date, window: Window) -> np.ndarray:
        return FINE[name].unpack(self.read_packed(name, day, window))

    def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
        assert day == self.day
        return self.cells[name]

    def read_static(self, name: str, window: Window) -> np.ndarray:
        (y0, y1, x0, x1), (top, _, left, _) = window, self.window
        return self.arrays[name][y0 - top : y1 - top, x0 - left : x1 - left]


@dataclass(frozen=True)
class _Rows:
    """What was read of a row of tiles: pixel rows ``y0 .. y1`` and columns ``x0 .. x1``."""

    window: Window
    arrays: dict[str, np.ndarray]


def bands(
    cube: Cube, day: dt.date, tiles: Sequence[Tile], names: Sequence[str], halo: int, of_cells: Sequence[str] = ()
) -> Iterator[Band]:
    """``tiles`` (row by row) with the stored variables ``names`` on them and ``halo`` pixels around, inside the domain;
    and the coarse variables ``of_cells``.

    Raises ``CubeError`` with the variable and the day where a shard is damaged.
    """
    height, width = cube.domain.fine_shape
    rows = [tuple(group) for _, group in groupby(tiles, key=lambda tile: tile.cells[:2])]
    known: dict[tuple[int, int], _Rows] = {}
    cells = {name: cube.read_coarse(name, day) for name in of_cells}

    def columns(y0: int, y1: int) -> tuple[int, int]:
        """Of those tiles that want rows ``y0 .. y1``, out to whole chunks."""
        want = [t.pixels for row in rows for t in row if t.pixels[0] - halo < y1 and y0 < t.pixels[1] + halo]
        left, right = min(w[2] for w in want) - halo, max(w[3] for w in want) + halo
        return max(left, 0) // CHUNK * CHUNK, min(-(-right // CHUNK) * CHUNK, width)

    def read(y0: int, y1: int) -> _Rows:
        if (y0, y1) not in known:
            window = (y0, y1, *columns(y0, y1))
            arrays = {
                name: cube.read_packed(name, day, window) if name in FINE else cube.read_static(name, window)
                for name in names
            }
            known[y0, y1] = _Rows(window, arrays)
        return known[y0, y1]

    spans = [row[0].pixels[:2] for row in rows]
    above, below = {y1: (y0, y1) for y0, y1 in spans}, {y0: (y0, y1) for y0, y1 in spans}
    for row, (y0, y1) in zip(rows, spans, strict=True):
        parts = [(y0, y1)]
        if halo and y0:
            parts.insert(0, above.get(y0, (max(y0 - halo, 0) // CHUNK * CHUNK, y0)))
        if halo and y1 < height:
            parts.append(below.get(y1, (y1, min(-(-(y1 + halo) // CHUNK) * CHUNK, height))))
        window = (max(y0 - halo, 0), min(y1 + halo, height),
                  max(row[0].pixels[2] - halo, 0), min(row[-1].pixels[3] + halo, width))  # fmt: skip
        held = [read(*part) for part in parts]
        arrays = {name: np.concatenate([_cut(part, name, window) for part in held]) for name in names}
        for old in [key for key in known if key[1] <= y0]:
            del known[old]
        yield Band(cube.domain, day, row, window, arrays, cells)


def _cut(rows: _Rows, name: str, window: Window) -> np.ndarray:
    """The part of ``window`` that lies in those rows."""
    y0, y1, x0, x1 = window
    top, bottom, left, _ = rows.window
    return rows.arrays[name][max(y0, top) - top : min(y1, bottom) - top, x0 - left : x1 - left]
