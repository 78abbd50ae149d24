"""Thinned pixels of a simulated world with their 1 km truth, on disk: the data of pretraining.

Of each day one pixel in ``THINNING`` each way is kept, with its ``NEIGHBOURHOOD`` of 3 x 3 pixels, at an offset drawn
for the day: a network whose only spatial mixing is its first convolution needs no more, and sixty worlds fit into
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
from ssm_net.errors import SsmNetError
from ssm_net.formats.truth import Truth
from ssm_net.inputs import features
from ssm_net.inputs.reading import read_cells, read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES

THINNING = 6  # pixels between those kept, each way
NEIGHBOURHOOD = 3  # pixels a side around each: the receptive field of the networks


class PretrainingError(SsmNetError):
    """A simulated world cannot be used; the message names the remedy."""


@dataclass(frozen=True)
class World:
    """The samples of one world, T days: ``x`` (T, F, n K, m K) features in physical units, K = ``NEIGHBOURHOOD``, NaN
    where missing; ``truth`` (T, n, m) m3 m-3, NaN on water; ``offset`` (T, 2) of the first pixel; ``cells``
    (T, F, R, C) cell means of the features; ``ssm`` (T, R, C) as observed, m3 m-3."""

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
    n, m, halo = height // THINNING, width // THINNING, NEIGHBOURHOOD // 2
    land = cube.land()
    out: dict[str, list[np.ndarray]] = {k: [] for k in ("x", "truth", "offset", "cells", "ssm")}
    for day in cube.days:
        coarse = read_coarse(cube, day, 1, NO_FEATURES)
        pixels = read_stored(cube, day, (0, height, 0, width), usable(cube, names), coarse.background)
        field = truth.read(day)
        if field is None:
            raise PretrainingError(f"{truth.path} does not hold {day}: delete that world's folder, it is made again")
        dy, dx = (int(k) for k in rng.integers(0, THINNING, 2))
        rows, cols = (_sampled(d, k).flatten() for d, k in ((dy, n), (dx, m)))
        x = pad(features.stack(names, pixels.variables()), (halo,) * 4, value=torch.nan)[:, rows][:, :, cols]
        on_land = torch.where(land, torch.from_numpy(field), torch.nan)
        out["x"].append(x.half().numpy())
        out["truth"].append(on_land[dy::THINNING, dx::THINNING][:n, :m].half().numpy())
        out["offset"].append(np.array([dy, dx]))
        out["cells"].append(read_cells(cube, day, names).numpy())
        out["ssm"].append(coarse.ssm[0].numpy())
    buffer = io.BytesIO()
    np.savez(buffer, **{k: np.stack(v) for k, v in out.items()})  # type: ignore[arg-type]
    write_whole(file, buffer.getbuffer())


def _sampled(first: int, number: int) -> Tensor:
    """Rows (or columns) of a padded field that belong to each of ``number`` samples, (number, KERNEL)."""
    return first + THINNING * torch.arange(number)[:, None] + torch.arange(NEIGHBOURHOOD)
