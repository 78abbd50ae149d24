"""The plan of an inference: which days are to be made and why, as a value; printing it is the dry run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from ssm_net.config import InferConfig, parse_day
from ssm_net.core.days import runs
from ssm_net.cube.lookahead import ArchiveCube
from ssm_net.cube.store import Cube
from ssm_net.errors import SsmNetError
from ssm_net.formats.mosaic_days import day_done, provisional_file, revision_of
from ssm_net.inputs.tiling import tiles


class InferenceError(SsmNetError):
    """These maps cannot be made: no prepared day, no such device, or a folder of another model; the message names the
    remedy."""


@dataclass(frozen=True)
class InferencePlan:
    """``days`` asked for and prepared, in order; ``todo`` those to be made; ``unprepared`` those that the cube lacks;
    ``dropped`` those whose pixels it does not keep, and which have no map;
    ``outdated`` those whose mosaic rests on an earlier revision of the cube's day and stays as it is."""

    cfg: InferConfig
    domain: str
    days: tuple[dt.date, ...]
    todo: tuple[dt.date, ...]
    unprepared: tuple[dt.date, ...]
    dropped: tuple[dt.date, ...]
    outdated: tuple[dt.date, ...]
    tiles: int
    tile_pixels: int

    @property
    def done(self) -> list[dt.date]:
        """The days that are there and stay as they are."""
        return sorted(set(self.days) - set(self.todo))

    def __str__(self) -> str:
        return (
            f"would make {len(self.todo)} of {len(self.days)} days ({self.days[0]} .. {self.days[-1]}) of domain "
            f"{self.domain} with {self.cfg.method} into {self.cfg.mosaics}, each in {self.tiles} tiles of "
            f"{self.tile_pixels} x {self.tile_pixels} pixels; the other {len(self.done)} are done"
        )

    @property
    def warnings(self) -> list[str]:
        """What the user should know before she starts, a line each."""
        out = []
        if self.unprepared:
            out.append(f"not prepared yet, left out: {runs(self.unprepared)}")
        if self.dropped:
            out.append(
                f"no map is made of {runs(self.dropped)}: the cube no longer keeps their pixels (produce keep=..)"
            )
        if self.outdated:
            out.append(f"prepare.py has made {runs(self.outdated)} again since their mosaics were made; revise=true "
                       "makes them again too")  # fmt: skip
        return out


def plan_inference(cfg: InferConfig, cube: Cube) -> InferencePlan:
    """Raises ``InferenceError`` where the cube holds none of the days, or no coarse soil moisture."""
    if "ssm" not in cube.coarse:
        raise InferenceError(f"{cube.path} holds no coarse soil moisture, which all methods start from: prepare a cube "
                             "with one (NNsm, C3S, CCI or SMAP in raw/)")  # fmt: skip
    first = parse_day(cfg.start, "start") if cfg.start else cube.days[0]
    last = parse_day(cfg.end, "end") if cfg.end else cube.days[-1]
    period = [d for d in cube.days if first <= d <= last]
    since = cube.pixels_since
    stored = [d for d in period if cube.done(d)]
    prepared = [d for d in stored if d >= since or _done(cfg, cube, d)]
    if not prepared:
        raise InferenceError(
            f"{cube.path} holds no whole day in {first} .. {last} (its period: {cube.days[0]} .. {cube.days[-1]}); "
            "run prepare.py for these days"
        )
    days = prepared[(cfg.part - 1) * len(prepared) // cfg.parts : cfg.part * len(prepared) // cfg.parts]
    if not days:
        raise InferenceError(
            f"part={cfg.part} of parts={cfg.parts} holds none of the {len(prepared)} days; give fewer parts"
        )
    outdated = set(outdated_days(cfg, cube, days))
    remade = (outdated if cfg.revise else set()) | set(made_final(cfg, cube, days))
    todo = [d for d in days if d >= since and (cfg.overwrite or d in remade or not _done(cfg, cube, d))]
    ratio, side = cube.domain.ratio, cfg.tile
    return InferencePlan(
        cfg, cube.domain.name, tuple(days), tuple(todo),
        unprepared=tuple(sorted(set(period) - set(stored))), dropped=tuple(sorted(set(stored) - set(prepared))),
        outdated=tuple(sorted(outdated - set(todo))), tiles=len(tiles(cube.domain.coarse_shape, ratio, side)),
        tile_pixels=side * ratio,
    )  # fmt: skip


def outdated_days(cfg: InferConfig, cube: Cube, days: list[dt.date]) -> list[dt.date]:
    """Days whose mosaic rests on an earlier revision of the cube's day."""
    revised = [d for d in days if cube.revision(d) > 1 and _done(cfg, cube, d)]
    return [d for d in revised if revision_of(Path(cfg.mosaics), cube.domain.name, d, cfg.format) < cube.revision(d)]


def made_final(cfg: InferConfig, cube: Cube, days: list[dt.date]) -> list[dt.date]:
    """Days whose map is provisional, and whose days ahead have come."""
    if not isinstance(cube, ArchiveCube):
        return []
    folder, name = Path(cfg.mosaics), cube.domain.name
    return [d for d in days if provisional_file(folder, name, d).exists() and cube.whole(d)]


def _done(cfg: InferConfig, cube: Cube, day: dt.date) -> bool:
    return day_done(Path(cfg.mosaics), cube.domain.name, day, cfg.format)
