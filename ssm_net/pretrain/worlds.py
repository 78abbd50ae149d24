"""The simulated worlds of pretraining: where and when each lies, and its samples on disk.

A group of families, written as its letters, has worlds whose laws are drawn between them, between 44 S and 6 S or
5 N and 59 N, on land or sea of the Earth; and some of its narrow families alone, which lie in China as these are made
for it.
"""

from __future__ import annotations

import datetime as dt
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from ssm_net.config import PretrainConfig
from ssm_net.grid import M36, Domain
from ssm_net.inputs import features
from ssm_net.pretrain.observed_world import observed_days
from ssm_net.pretrain.samples import LOOKAHEADS, thin_world
from ssm_net.simulate.world.laws import FAMILIES, WIDE
from ssm_net.train.devices import console

EXCLUDED = ("elevation",)  # heights above the sea in one world say nothing about those in another
NARROW_EVERY = 4  # of so many worlds of a group one is of a narrow family alone, where the group has one
HISTORY = 12  # days of observations before the first sample
YEAR = 365
MOST_DAYS = 420  # from the first sample to the last


@dataclass(frozen=True)
class Region:
    """Where and when worlds begin: M36 ``rows`` (ranges, one of them drawn) and ``cols``, the ``first`` day and the
    number of days after it; ``years``: whether worlds may be seen in all seasons, and for more than one."""

    rows: tuple[tuple[int, int], ...]
    cols: tuple[int, int]
    first: dt.date
    days: int
    years: bool


EARTH = Region(((30, 180), (224, 340)), (0, M36.cols), dt.date(2013, 1, 1), 4 * YEAR, True)
CHINA = Region(((44, 92),), (700, 824), dt.date(2016, 3, 15), 60, False)  # 23-52N, 81-127E, its growing season


@dataclass(frozen=True)
class Place:
    """One world: its ``family`` and ``number`` in it, the seed of its simulation, its window (M36 rows and columns);
    its record begins on ``begin``, and samples are taken on the days ``chosen``."""

    family: str
    number: int
    seed: int
    window: tuple[int, int, int, int]
    begin: dt.date
    chosen: tuple[dt.date, ...]

    @classmethod
    def draw(cls, family: str, number: int, *, seed: int, cells: int, days: int) -> Place:
        """Place, season and seed of a world of ``cells`` a side and ``days`` samples, decided by ``seed``, the whole
        name of the family and ``number``.

        Half of the worlds have been observed for a year before the first sample, so that memories are full; the others
        for as little as a few days.
        """
        sequence = np.random.SeedSequence([seed, number, *family.encode()])
        rng = np.random.default_rng(sequence)
        region = EARTH if set(family) & set(WIDE) else CHINA
        low, high = region.rows[int(rng.integers(len(region.rows)))]
        first_row, first_col = (
            4 * int(rng.integers(low // 4, high // 4)),
            4 * int(rng.integers(region.cols[0] // 4, (region.cols[1] - cells) // 4)),
        )
        begin = region.first + dt.timedelta(int(rng.integers(region.days)))
        before = YEAR if region.years and rng.uniform() < 0.5 else _log_uniform(rng, 5, YEAR if region.years else 100)
        span = max(days, _log_uniform(rng, 60, MOST_DAYS if region.years else 110))
        at = np.unique(((np.arange(days) + rng.uniform(size=days)) * span / days).astype(int))
        chosen = tuple(begin + dt.timedelta(before + int(n)) for n in at)
        (simulation_seed,) = sequence.spawn(1)[0].generate_state(1)
        window = (first_row, first_row + cells, first_col, first_col + cells)
        return cls(family, number, int(simulation_seed), window, begin, chosen)

    @property
    def name(self) -> str:
        """Names the world's samples: other settings give other names."""
        row, last_row, col, _ = self.window
        cells, last = last_row - row, self.chosen[-1]
        return (
            f"{self.family}{self.number}_{self.seed:08x}_{row}_{col}_{cells}_{self.begin:%Y%m%d}_"
            f"{len(self.chosen)}_{last:%Y%m%d}"
        )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> int:
    return round(float(low * (high / low) ** rng.uniform()))


def families_of(group: str, count: int) -> list[str]:
    """The families of the worlds of a group: ``group`` itself, and every fourth its narrow ones in turn."""
    narrow = [letter for letter in sorted(set(group) & set(FAMILIES)) if letter not in WIDE]
    return [
        narrow[n // NARROW_EVERY % len(narrow)] if narrow and n % NARROW_EVERY == NARROW_EVERY - 1 else group
        for n in range(count)
    ]


def places_of(cfg: PretrainConfig) -> dict[str, list[Place]]:
    """The worlds of each group."""
    return {
        group: [
            Place.draw(family, number, seed=cfg.seed, cells=cfg.cells, days=cfg.days)
            for number, family in enumerate(families_of(group, cfg.count))
        ]
        for group in cfg.families
    }


def samples_file(place: Place, folder: Path) -> Path:
    """Where the samples of a world are, or will be."""
    return folder / f"{place.name}.npz"


def make_world(place: Place, folder: Path) -> Path:
    """The file of a world's samples; where it is not there, the world is simulated, observed and thinned."""
    file = samples_file(place, folder)
    if not file.exists():
        torch.set_num_threads(1)
        domain, first = Domain("world", place.window), place.chosen[0] - dt.timedelta(HISTORY)
        last = place.chosen[-1] + dt.timedelta(max(LOOKAHEADS))
        days = observed_days(place.family, place.seed, domain, place.begin, first, last)
        thin_world(days, set(place.chosen), FEATURE_NAMES, file, place.seed)
    return file


FEATURE_NAMES = [f.name for f in features.FEATURES if not f.classics_only and f.name not in EXCLUDED]


def make_worlds(places: Sequence[Place], folder: Path, workers: int) -> None:
    """Make the samples that are not there, in ``workers`` processes; a world that several groups have is made once."""
    places = list(dict.fromkeys(places))
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
