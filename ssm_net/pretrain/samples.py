"""Thinned pixels of a simulated world with their 1 km truth, on disk: the data of pretraining.

Of each chosen day one pixel in ``THINNING`` each way is kept, with its ``NEIGHBOURHOOD`` of 3 x 3 pixels, at an offset
drawn for the day: a network whose only spatial mixing is its first convolution needs no more, and hundreds of worlds
fit into memory.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Collection, Iterable, Sequence
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
from ssm_net.pretrain.observed_world import ObservedWorldDay

THINNING = 6  # pixels between those kept, each way
NEIGHBOURHOOD = 3  # pixels a side around each: the receptive field of the networks


class PretrainingError(SsmNetError):
    """A simulated world cannot be used; the message names the remedy."""


@dataclass(frozen=True)
class World:
    """The samples of T days of one world: ``x`` (T, F, n K, m K) features in physical units, K = ``NEIGHBOURHOOD``, NaN
    where missing; ``truth`` (T, n, m) m3 m-3, NaN where there is none; ``offset`` (T, 2) of the first pixel; ``cells``
    (T, F, R, C) cell means of the features; ``ssm`` (S, R, C) as observed on all its days, m3 m-3, and ``at`` (T,)
    which of these the T days are."""

    x: Tensor
    truth: Tensor
    offset: Tensor
    cells: Tensor
    ssm: Tensor
    at: Tensor

    @classmethod
    def load(cls, file: Path) -> World:
        with np.load(file, allow_pickle=False) as stored:
            return cls(*(torch.from_numpy(stored[k]) for k in ("x", "truth", "offset", "cells", "ssm", "at")))


class _Samples:
    """Collects the samples of a world, day by day."""

    def __init__(self, fine_shape: tuple[int, int], seed: int) -> None:
        self.shape = (fine_shape[0] // THINNING, fine_shape[1] // THINNING)
        self.rng = np.random.default_rng(np.random.SeedSequence([seed, 5]))
        self.columns: dict[str, list[np.ndarray]] = {k: [] for k in ("x", "truth", "offset", "cells", "ssm", "at")}

    def add_observation(self, ssm: Tensor) -> None:
        self.columns["ssm"].append(ssm.numpy())

    def add(self, x: Tensor, cells: Tensor, truth: Tensor) -> None:
        """A chosen day, whose observation was added last: features of pixels and cells, and the truth (y, x)."""
        (n, m), columns, halo = self.shape, self.columns, NEIGHBOURHOOD // 2
        dy, dx = (int(k) for k in self.rng.integers(0, THINNING, 2))
        rows, cols = (_sampled(d, k).flatten() for d, k in ((dy, n), (dx, m)))
        columns["x"].append(pad(x, (halo,) * 4, value=torch.nan)[:, rows][:, :, cols].half().numpy())
        columns["truth"].append(truth[dy::THINNING, dx::THINNING][:n, :m].half().numpy())
        columns["offset"].append(np.array([dy, dx]))
        columns["cells"].append(cells.numpy())
        columns["at"].append(np.array(len(columns["ssm"]) - 1))

    def write(self, file: Path) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **{k: np.stack(v) for k, v in self.columns.items()})  # type: ignore[arg-type]
        write_whole(file, buffer.getbuffer())


def thin_world(
    days: Iterable[ObservedWorldDay], chosen: Collection[dt.date], names: Sequence[str], file: Path, seed: int
) -> None:
    """Write the samples of the ``chosen`` days of a world, and the observations of all, to ``file`` (npz)."""
    samples: _Samples | None = None
    for day in days:
        samples = samples or _Samples((day.truth.shape[0], day.truth.shape[1]), seed)
        samples.add_observation(day.ssm)
        if day.date in chosen:
            samples.add(features.stack(names, day.fine), features.stack(names, day.cells), day.truth)
    assert samples is not None, "a world has days"
    samples.write(file)


def thin(cube: Cube, truth: Truth, names: Sequence[str], file: Path, seed: int) -> None:
    """Write the samples of all days of a cube whose truth is known to ``file`` (npz, float16 pixels)."""
    samples, land = _Samples(cube.domain.fine_shape, seed), cube.land()
    height, width = cube.domain.fine_shape
    for day in cube.days:
        coarse = read_coarse(cube, day, 1, NO_FEATURES)
        pixels = read_stored(cube, day, (0, height, 0, width), usable(cube, names), coarse.background)
        field = truth.read(day)
        if field is None:
            raise PretrainingError(f"{truth.path} does not hold {day}: delete that world's folder, it is made again")
        samples.add_observation(coarse.ssm[0])
        on_land = torch.where(land, torch.from_numpy(field), torch.nan)
        samples.add(features.stack(names, pixels.variables()), read_cells(cube, day, names), on_land)
    samples.write(file)


def _sampled(first: int, number: int) -> Tensor:
    """Rows (or columns) of a padded field that belong to each of ``number`` samples, (number, KERNEL)."""
    return first + THINNING * torch.arange(number)[:, None] + torch.arange(NEIGHBOURHOOD)
