"""The simulated worlds of pretraining: where and when each lies, and its samples on disk.

Worlds are simulated in native files and prepared like any raw folder; then only their thinned pixels are kept.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import Progress

from ssm_net.config import DomainConfig, PrepareConfig, PretrainConfig, SimulateConfig
from ssm_net.formats.truth import Truth
from ssm_net.inputs import features
from ssm_net.inputs.reading import variables
from ssm_net.prepare.run import prepare
from ssm_net.pretrain.samples import thin
from ssm_net.simulate.run import simulate
from ssm_net.train.trainer import console

EXCLUDED = ("elevation",)  # heights above the sea in one world say nothing about those in another
WORLD_ROWS, WORLD_COLS = (
    (44, 92),
    (700, 824),
)  # M36 rows and columns between which a world's first lies: about 23-52N, 81-127E
FIRST_START, LAST_START = dt.date(2016, 4, 1), dt.date(2016, 8, 14)  # between which worlds begin


@dataclass(frozen=True)
class Place:
    """One world: its ``family`` and ``number`` in it, the seed of its simulation, its window (M36 rows and columns) and
    its first and last day."""

    family: str
    number: int
    seed: int
    window: tuple[int, int, int, int]
    start: dt.date
    end: dt.date

    @classmethod
    def draw(cls, family: str, number: int, *, seed: int, cells: int, days: int) -> Place:
        """Place, season and seed of a world of ``cells`` a side and ``days``, decided by ``seed``, the whole name of
        the family and ``number``."""
        sequence = np.random.SeedSequence([seed, number, *family.encode()])
        rng = np.random.default_rng(sequence)
        row, col = (4 * int(rng.integers(a // 4, b // 4)) for a, b in (WORLD_ROWS, WORLD_COLS))
        start = FIRST_START + dt.timedelta(int(rng.integers((LAST_START - FIRST_START).days)))
        (simulation_seed,) = sequence.spawn(1)[0].generate_state(1)
        window = (row, row + cells, col, col + cells)
        return cls(family, number, int(simulation_seed), window, start, start + dt.timedelta(days - 1))

    @property
    def name(self) -> str:
        """Names the world's samples: other settings give other names."""
        row, last_row, col, _ = self.window
        cells = last_row - row
        return f"{self.family}{self.number}_{self.seed:08x}_{row}_{col}_{cells}_{self.start:%Y%m%d}_{self.end:%Y%m%d}"


def places_of(cfg: PretrainConfig) -> list[Place]:
    """The worlds of all families, family after family for each number."""
    return [
        Place.draw(family, number, seed=cfg.seed, cells=cfg.cells, days=cfg.days)
        for number in range(cfg.count)
        for family in cfg.families
    ]


def samples_file(place: Place, folder: Path) -> Path:
    """Where the samples of a world are, or will be."""
    return folder / f"{place.name}.npz"


def make_world(place: Place, folder: Path) -> Path:
    """The file of a world's samples; where it is not there, the world is simulated, prepared, thinned and removed."""
    file = samples_file(place, folder)
    if file.exists():
        return file
    torch.set_num_threads(1)
    work = folder / place.name
    where: dict[str, Any] = {"start": str(place.start), "end": str(place.end),
                             "domain": DomainConfig("world", list(place.window))}  # fmt: skip
    simulate(SimulateConfig(str(work / "raw"), seed=place.seed, family=place.family, **where))
    cube = prepare(PrepareConfig(str(work / "raw"), str(work / "cube.zarr"), **where))
    assert cube is not None
    thin(cube, Truth.open(work / "raw" / "truth.zarr", cube.domain), feature_names(variables(cube)), file, place.seed)
    shutil.rmtree(work)
    return file


def feature_names(have: Sequence[str]) -> list[str]:
    """The features that networks are pretrained on, of those that the variables ``have`` allow."""
    return [n for n in features.available(have) if n not in EXCLUDED]


def make_worlds(places: Sequence[Place], folder: Path, workers: int) -> None:
    """Make the samples that are not there, in ``workers`` processes."""
    missing = [p for p in places if not samples_file(p, folder).exists()]
    if not missing:
        return
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context) as pool, Progress(console=console) as bar:
        task = bar.add_task("worlds", total=len(places), completed=len(places) - len(missing))
        for done in as_completed([pool.submit(make_world, p, folder) for p in missing]):
            done.result()
            bar.advance(task)
