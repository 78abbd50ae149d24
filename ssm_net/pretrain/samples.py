"""Pixels of simulated worlds with their truth, thinned: what networks are trained on beforehand.

Of each day one pixel in ``STRIDE`` each way is kept, with the ``KERNEL`` x ``KERNEL`` pixels around it, at an offset of
the day's own: a network whose only spatial mixing is its first convolution needs no more, and sixty worlds fit into
memory.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ssm_net.core.files import write_whole
from ssm_net.cube.store import Cube
from ssm_net.formats.truth import Truth
from ssm_net.inputs import features
from ssm_net.inputs.reading import read_cells, read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES

STRIDE, KERNEL = 6, 3  # pixels


@dataclass(frozen=True)
class World:
    """The samples of one world, T days: ``x`` (T, F, n K, m K) features in physical units, K = ``KERNEL``, NaN where
    missing; ``truth`` (T, n, m) m3 m-3, NaN on water; ``offset`` (T, 2) of the first pixel; ``cells`` (T, F, R, C)
    cell means of the features; ``ssm`` (T, R, C) as observed."""

    x: Tensor
    truth: Tensor
    offset: Tensor
    cells: Tensor
    ssm: Tensor

    @classmethod
    def load(cls, file: Path) -> World:
        with np.load(file, allow_pickle=False) as stored:
            return cls(*(torch.from_numpy(stored[k]) for k in ("x", "truth", "offset", "cells", "ssm")))


def thin(cube: Cube, truth: Truth, names: Sequence[str], file: Path, seed: int) -> None:
    """Write the samples of a world's days to ``file`` (npz, float16 pixels)."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 5]))
    height, width = cube.domain.fine_shape
    n, m, halo = height // STRIDE, width // STRIDE, KERNEL // 2
    land = cube.land()
    out: dict[str, list[np.ndarray]] = {k: [] for k in ("x", "truth", "offset", "cells", "ssm")}
    for day in cube.days:
        coarse = read_coarse(cube, day, 1, NO_FEATURES)
        pixels = read_stored(cube, day, (0, height, 0, width), usable(cube, names), coarse.background)
        field = truth.read(day)
        if field is None:
            raise ValueError(f"{truth.path} does not hold {day}: delete that world, it is made again")
        dy, dx = (int(k) for k in rng.integers(0, STRIDE, 2))
        rows, cols = (_places(d, k).flatten() for d, k in ((dy, n), (dx, m)))
        x = pad(features.stack(names, pixels.variables()), (halo,) * 4, value=torch.nan)[:, rows][:, :, cols]
        known = torch.where(land, torch.from_numpy(field), torch.nan)
        out["x"].append(x.half().numpy())
        out["truth"].append(known[dy::STRIDE, dx::STRIDE][:n, :m].half().numpy())
        out["offset"].append(np.array([dy, dx]))
        out["cells"].append(read_cells(cube, day, names).numpy())
        out["ssm"].append(coarse.ssm[0].numpy())
    whole = io.BytesIO()
    np.savez(whole, **{k: np.stack(v) for k, v in out.items()})  # type: ignore[arg-type]
    write_whole(file, whole.getbuffer())


def _places(first: int, number: int) -> Tensor:
    """Rows (or columns) of a padded field that belong to each of ``number`` samples, (number, KERNEL)."""
    return first + STRIDE * torch.arange(number)[:, None] + torch.arange(KERNEL)
