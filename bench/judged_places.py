"""Where and when the judged worlds lie.

The narrow families know the climate of China: their worlds have the window and the period of their size. A world of a
wide family lies anywhere on the Earth and begins on any day, as those of pretraining do; its climate is that of the
place. Where frozen or snowy ground leaves hardly anything to judge, the next place of the sequence is taken, and the
results name those that were passed over.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.core.days import ONE_DAY
from ssm_net.cube.json_files import write_json
from ssm_net.cube.masks import WATER
from ssm_net.grid import Domain
from ssm_net.pretrain.observed_world import observed_days
from ssm_net.pretrain.worlds import Place
from ssm_net.simulate.world.laws import WIDE

# Two minutes of one core a world of size small; so many labels do not overfit, and the line must be a low one.
ORACLE_EPOCHS = 120
LEAST_SCORED = 0.3  # of the land's pixel-days with soil moisture, and of the cell-days with an observation
MOST_PASSED_OVER = 20


@dataclass(frozen=True)
class Size:
    """A setting: the window in coarse cells, the period, and how long and how large the network is trained."""

    window: tuple[int, int, int, int]
    start: str
    end: str
    epochs: int = TrainConfig.epochs
    oracle_epochs: int = ORACLE_EPOCHS
    model: ModelConfig = field(default_factory=ModelConfig)

    @property
    def cells(self) -> int:
        """Coarse cells a side."""
        return self.window[1] - self.window[0]

    @property
    def days(self) -> int:
        return (dt.date.fromisoformat(self.end) - dt.date.fromisoformat(self.start)).days + 1


SIZES = {
    "smoke": Size(
        (70, 74, 774, 778), "2016-05-01", "2016-05-12", 3, 5, ModelConfig(members=1, width=8, depth=1, lags=3)
    ),
    "small": Size((68, 76, 772, 780), "2016-04-15", "2016-06-13"),
    "full": Size((60, 84, 764, 788), "2016-04-15", "2016-08-12"),
}


@dataclass(frozen=True)
class JudgedPlace:
    """The seed of a world's simulation, its window (M36 rows and columns) and its period; ``passed_over`` are the
    places that were drawn before, with the parts of them that could have been judged."""

    seed: int
    window: list[int]
    start: str
    end: str
    passed_over: list[dict[str, Any]] = field(default_factory=list)


def place_of(folder: Path, size: Size, family: str, seed: int) -> JudgedPlace:
    """Where world ``seed`` of a family lies; what was drawn once is kept in ``folder``.

    Raises ``RuntimeError`` where none of the first places can be judged.
    """
    file = folder / "place.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(file, asdict(_draw(size, family, seed)))
    return JudgedPlace(**json.loads(file.read_text()))


def _draw(size: Size, family: str, seed: int) -> JudgedPlace:
    if not set(family) & set(WIDE):
        return JudgedPlace(seed, list(size.window), size.start, size.end)
    passed_over = []
    for number in range(MOST_PASSED_OVER):
        place = Place.draw(family, number, seed=seed, cells=size.cells, days=size.days)
        last = place.begin + ONE_DAY * (size.days - 1)
        known, observed = judged_parts(family, place.seed, place.window, place.begin, last)
        if min(known, observed) >= LEAST_SCORED:
            return JudgedPlace(place.seed, list(place.window), str(place.begin), str(last), passed_over)
        passed_over.append({"number": number, "window": list(place.window), "start": str(place.begin),
                            "pixel-days with soil moisture": round(known, 3),
                            "cell-days observed": round(observed, 3)})  # fmt: skip
    raise RuntimeError(f"family {family}, seed {seed}: none of the first {MOST_PASSED_OVER} places can be judged")


def judged_parts(
    family: str, seed: int, window: tuple[int, int, int, int], first: dt.date, last: dt.date
) -> tuple[float, float]:
    """The part of the land's pixel-days that have soil moisture, being neither frozen nor under snow, and the part of
    the cell-days with an observation, of the world as it is seen from ``first`` to ``last``."""
    land = known = cells = observed = 0
    for day in observed_days(family, seed, Domain("judged", window), first, first, last):
        land += int((day.fine["water_fraction"] < WATER).sum())
        known += int(torch.isfinite(day.truth).sum())
        cells += day.ssm.numel()
        observed += int(torch.isfinite(day.ssm).sum())
    return known / max(land, 1), observed / cells


def passed_over_note(family: str, place: JudgedPlace) -> str:
    """A line that says which places were passed over; empty where the first one was taken."""
    if not place.passed_over:
        return ""
    parts = ", ".join(f"{p['pixel-days with soil moisture']:.0%} of pixel-days" if
                      p["pixel-days with soil moisture"] < LEAST_SCORED else f"{p['cell-days observed']:.0%} observed"
                      for p in place.passed_over)  # fmt: skip
    return (f"family {family}: {len(place.passed_over)} drawn places passed over, where frozen ground, snow or gaps "
            f"leave too little to judge ({parts}; at least {LEAST_SCORED:.0%} are needed)")  # fmt: skip
