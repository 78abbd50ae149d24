"""Thinned pixels of a simulated world with their 1 km truth, on disk: the data of pretraining.

Of each chosen day one pixel in ``THINNING`` each way is kept, with its ``NEIGHBOURHOOD`` of 3 x 3 pixels, at an offset
drawn for the day: a network whose only spatial mixing is its first convolution needs no more, and hundreds of worlds
fit into memory.

Beside what is known on the day stand the features of LST as they would be with ``LOOKAHEADS`` days more.
"""

from __future__ import annotations

import datetime as dt
import io
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ssm_net.config import MemoryConfig
from ssm_net.core.clock import OVERPASSES
from ssm_net.core.files import write_whole
from ssm_net.cube.store import Cube
from ssm_net.errors import SsmNetError
from ssm_net.formats.truth import Truth
from ssm_net.inputs import features
from ssm_net.inputs.reading import read_cells, read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES
from ssm_net.lst.memory import Memory
from ssm_net.pretrain.observed_world import ObservedWorldDay

THINNING = 6  # pixels between those kept, each way
NEIGHBOURHOOD = 3  # pixels a side around each: the receptive field of the networks
LOOKAHEADS = (1, 3, 6)  # numbers of days that are looked ahead


# The features that look ahead: each overpass's fast memory and its confidence.
AHEAD = tuple(f"lst_{k}_{what}" for k in OVERPASSES for what in ("memory", "confidence"))


class PretrainingError(SsmNetError):
    """A simulated world cannot be used; the message names the remedy."""


@dataclass(frozen=True)
class World:
    """The samples of T days of one world: ``x`` (T, F, n K, m K) features in physical units, K = ``NEIGHBOURHOOD``, NaN
    where missing; ``truth`` (T, n, m) m3 m-3, NaN where there is none; ``offset`` (T, 2) of the first pixel; ``cells``
    (T, F, R, C) cell means of the features; ``ssm`` (S, R, C) as observed on all its days, m3 m-3, ``rain`` (S, R, C)
    of their cells, mm, and ``at`` (T,) which of these the T days are. ``ahead_x`` (T, L, A, n K, m K) and
    ``ahead_cells`` (T, L, A, R, C): the features ``AHEAD`` with each of L ``LOOKAHEADS``; L is 0 where they are not
    known."""

    x: Tensor
    truth: Tensor
    offset: Tensor
    cells: Tensor
    ssm: Tensor
    at: Tensor
    rain: Tensor
    ahead_x: Tensor
    ahead_cells: Tensor

    @classmethod
    def looking_back(cls, x: Tensor, truth: Tensor, offset: Tensor, cells: Tensor, ssm: Tensor, at: Tensor) -> World:
        """A world that knows nothing of the days ahead, nor their rain."""
        none = [torch.empty(len(v), 0, len(AHEAD), *v.shape[-2:]) for v in (x, cells)]
        return cls(x, truth, offset, cells, ssm, at, torch.full_like(ssm, torch.nan), none[0], none[1])

    @classmethod
    def load(cls, file: Path) -> World:
        with np.load(file, allow_pickle=False) as stored:
            return cls(*(torch.from_numpy(stored[f.name]) for f in fields(cls)))


class _Samples:
    """Collects the samples of a world, day by day."""

    def __init__(self, fine_shape: tuple[int, int], seed: int) -> None:
        self.shape = (fine_shape[0] // THINNING, fine_shape[1] // THINNING)
        self.rng = np.random.default_rng(np.random.SeedSequence([seed, 5]))
        self.columns: dict[str, list[np.ndarray]] = {f.name: [] for f in fields(World)}

    def add_observation(self, ssm: Tensor, rain: Tensor) -> None:
        self.columns["ssm"].append(ssm.numpy())
        self.columns["rain"].append(rain.numpy())

    def add(self, x: Tensor, cells: Tensor, truth: Tensor, ahead: Sequence[tuple[Tensor, Tensor]], at: int) -> None:
        """A chosen day, whose observation is the ``at``-th: features of pixels and cells, the truth (y, x), and the
        features that look ``ahead``, of pixels and cells, one pair a number of days."""
        (n, m), columns, halo = self.shape, self.columns, NEIGHBOURHOOD // 2
        dy, dx = (int(k) for k in self.rng.integers(0, THINNING, 2))
        rows, cols = (_sampled(d, k).flatten() for d, k in ((dy, n), (dx, m)))

        def around(field: Tensor) -> np.ndarray:
            return pad(field, (halo,) * 4, value=torch.nan)[:, rows][:, :, cols].half().numpy()

        columns["x"].append(around(x))
        none = np.empty((0, len(AHEAD), n * NEIGHBOURHOOD, m * NEIGHBOURHOOD), np.float16)
        columns["ahead_x"].append(np.stack([around(pixels) for pixels, _ in ahead]) if ahead else none)
        none = np.empty((0, len(AHEAD), *cells.shape[1:]), np.float32)
        columns["ahead_cells"].append(np.stack([means.numpy() for _, means in ahead]) if ahead else none)
        columns["truth"].append(truth[dy::THINNING, dx::THINNING][:n, :m].half().numpy())
        columns["offset"].append(np.array([dy, dx]))
        columns["cells"].append(cells.numpy())
        columns["at"].append(np.array(at))

    def write(self, file: Path) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, **{k: np.stack(v) for k, v in self.columns.items()})  # type: ignore[arg-type]
        write_whole(file, buffer.getbuffer())


def thin_world(
    days: Iterable[ObservedWorldDay], chosen: Collection[dt.date], names: Sequence[str], file: Path, seed: int
) -> None:
    """Write the samples of the ``chosen`` days of a world, and the observations of all, to ``file`` (npz); ``days`` go
    on for the longest of the ``LOOKAHEADS`` after the last one chosen."""
    samples: _Samples | None = None
    for at, (day, following) in enumerate(with_following(days, max(LOOKAHEADS))):
        samples = samples or _Samples((day.truth.shape[0], day.truth.shape[1]), seed)
        samples.add_observation(day.ssm, day.cells["rain"])
        if day.date in chosen:
            ahead = [_looking_ahead(day, following[:n]) for n in LOOKAHEADS]
            x, cells = features.stack(names, day.fine), features.stack(names, day.cells)
            samples.add(x, cells, day.truth, ahead, at)
    assert samples is not None, "a world has days"
    samples.write(file)


def with_following(
    days: Iterable[ObservedWorldDay], number: int
) -> Iterator[tuple[ObservedWorldDay, list[ObservedWorldDay]]]:
    """Each day with the ``number`` days after it, fewer at the end."""
    held: deque[ObservedWorldDay] = deque()
    for day in days:
        held.append(day)
        if len(held) > number:
            first = held.popleft()
            yield first, list(held)
    while held:
        first = held.popleft()
        yield first, list(held)


def _looking_ahead(day: ObservedWorldDay, following: Sequence[ObservedWorldDay]) -> tuple[Tensor, Tensor]:
    """The features ``AHEAD`` of a day that knows those ``following`` it, of pixels and of cells."""
    out = []
    for which, variables in enumerate((day.fine, day.cells)):
        known: dict[str, Tensor] = {}
        for k in OVERPASSES:
            memory, weight = f"lst_{k}_memory", f"lst_{k}_weight"
            views = [(days, after.views[k][which]) for days, after in enumerate(following, 1)]
            past = Memory(variables[memory], variables[weight])
            known[memory], known[weight] = past.with_days_ahead(views, MemoryConfig().days)
        out.append(features.stack(AHEAD, known))
    return out[0], out[1]


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
        samples.add_observation(coarse.ssm[0], torch.full_like(coarse.ssm[0], torch.nan))
        on_land = torch.where(land, torch.from_numpy(field), torch.nan)
        x, cells = features.stack(names, pixels.variables()), read_cells(cube, day, names)
        samples.add(x, cells, on_land, [], len(samples.columns["ssm"]) - 1)
    samples.write(file)


def _sampled(first: int, number: int) -> Tensor:
    """Rows (or columns) of a padded field that belong to each of ``number`` samples, (number, KERNEL)."""
    return first + THINNING * torch.arange(number)[:, None] + torch.arange(NEIGHBOURHOOD)
