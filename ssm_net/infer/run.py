"""``infer(cfg)``: one mosaic a day. Plan the days, predict, write; a day that is there is not made again."""

from __future__ import annotations

import datetime as dt
import functools
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from ssm_net.config import InferConfig, parse_day
from ssm_net.core import scratch
from ssm_net.core.days import runs
from ssm_net.core.workers import as_they_come
from ssm_net.cube import masks
from ssm_net.cube.masks import land_mask
from ssm_net.cube.store import CHUNK, Cube, open_cube, write_json
from ssm_net.estimators.checkpoint import Trained, load_trained
from ssm_net.estimators.interface import Estimator
from ssm_net.estimators.network import NetworkEstimator, fastest_precision
from ssm_net.estimators.registry import baseline
from ssm_net.formats import zarr_store
from ssm_net.formats.mosaic_days import (
    day_done,
    day_path,
    day_size,
    quicklook_path,
    read_day,
    revision_of,
    write_day,
    write_quicklook,
)
from ssm_net.formats.product import Attribute, Flag
from ssm_net.infer import quality_flags
from ssm_net.infer.day import Gathered, gather_day
from ssm_net.inputs.tiling import tiles
from ssm_net.version import __version__

log = logging.getLogger(__name__)
console = Console()

FEW = 40  # tiles of a day beyond which their progress is shown


def infer(cfg: InferConfig) -> list[dt.date]:
    """Write the mosaics of ``cfg``; returns the days that were made now."""
    cube = open_cube(cfg.cube)
    days = plan_days(cfg, cube)
    out = Path(cfg.mosaics)
    stale = _stale(cfg, cube, days)
    todo = [
        d
        for d in days
        if cfg.overwrite or (cfg.revise and d in stale) or not day_done(out, cube.domain.name, d, cfg.format)
    ]
    if not cfg.overwrite and not cfg.revise and stale:
        log.warning("%s: prepare.py has made %s again since their mosaics were made; revise=true makes them again too",
                    cube.path, runs(stale))  # fmt: skip
    if cfg.plan:
        side = cfg.tile * cube.domain.ratio
        console.print(
            f"would make {len(todo)} of {len(days)} days ({days[0]} .. {days[-1]}) of domain {cube.domain.name} with "
            f"{cfg.method} into {out}, each in {len(tiles(cube.domain.coarse_shape, cube.domain.ratio, cfg.tile))} "
            f"tiles of {side} x {side} pixels; the other {len(days) - len(todo)} are done"
        )
        return []
    trained = _trained(cfg)
    made_by = _made_by(cfg, trained)
    _one_maker(out, {**made_by, "update": cfg.update, "domain": cube.domain.name}, cfg.overwrite)
    if cfg.quicklook:
        _missing_quicklooks(cfg, cube, sorted(set(days) - set(todo)))
    if not todo:
        console.print(f"[green]{out} holds all {len(days)} days already[/]; overwrite=true makes them again")
        return []
    with Progress(console=console) as bar:
        task = bar.add_task(f"{cfg.method}: mosaics", total=len(days), completed=len(days) - len(todo))
        if cfg.engine.name == "local":
            for _ in _make_here(_maker(cfg, trained), todo, bar):
                bar.advance(task)
        else:
            for _ in _make_there(cfg, trained, todo):
                bar.advance(task)
    size = np.mean([day_size(out, cube.domain.name, day, cfg.format) for day in todo]) / 1e6
    console.print(f"[green]{len(todo)} mosaics[/] in {out}, {size:.3g} MB a day")
    return todo


@dataclass(frozen=True)
class Maker:
    """All that days are made with."""

    cfg: InferConfig
    cube: Cube
    estimator: Estimator
    attrs: dict[str, Attribute]
    land: Tensor
    ground: np.ndarray

    def gather(self, day: dt.date, told: Callable[[int, int], None] | None = None) -> Gathered:
        own: dict[str, Attribute] = {
            "revision": self.cube.revision(day), "coarse_sources": quality_flags.said_sources(self.cube, day),
        }  # fmt: skip
        return gather_day(self.estimator, self.cube, day, self.land, how=self.cfg.update, side=self.cfg.tile,
                          ground=self.ground, told=told, attrs=self.attrs | own)  # fmt: skip

    def finish(self, found: Gathered) -> Path:
        """The picture comes first: a day is done when its file is there."""
        mosaic, out = found.finish(), Path(self.cfg.mosaics)
        if self.cfg.quicklook:
            write_quicklook(mosaic, out)
        return write_day(mosaic, out, self.cfg.format)


def _trained(cfg: InferConfig) -> Trained | None:
    """The networks; None for a baseline."""
    return load_trained(cfg.run) if cfg.method == "network" else None


def _maker(cfg: InferConfig, trained: Trained | None) -> Maker:
    cube = open_cube(cfg.cube)
    if trained is not None:
        device = choose_device(cfg.device)
        estimator: Estimator = NetworkEstimator(trained, cube, device, fastest_precision(device))
    else:
        estimator = baseline(cfg.method, cube)
    return Maker(cfg, cube, estimator, _made_by(cfg, trained) | _describe(cfg, cube, estimator), *ground_of(cube))


def _make_here(maker: Maker, todo: Sequence[dt.date], bar: Progress) -> Iterator[dt.date]:
    """A day is finished, compressed and written while the next goes through the networks; its error ends the run
    then."""
    within = bar.add_task("tiles", visible=False)
    with ThreadPoolExecutor(1) as writer:
        writing: Future[Path] | None = None
        for day in todo:

            def told(done: int, number: int, day: dt.date = day) -> None:
                bar.update(within, description=f"{day}: tiles", completed=done, total=number, visible=number > FEW)

            found = maker.gather(day, told)
            if writing is not None:
                writing.result()
            writing = writer.submit(maker.finish, found)
            yield day
        if writing is not None:
            writing.result()


def _make_there(cfg: InferConfig, trained: Trained | None, todo: Sequence[dt.date]) -> Iterator[dt.date]:
    """Days as tasks of a scheduler's workers, each written by the worker that made it."""
    if cfg.format == "zarr":  # days of a store stand in their order, whoever is first
        maker = _maker(cfg, trained)
        maker.finish(maker.gather(todo[0]))
        zarr_store.reserve(day_path(Path(cfg.mosaics), maker.cube.domain.name, todo[0], "zarr"), todo)
        yield todo[0]
        todo = todo[1:]
    run = uuid.uuid4().hex
    for day, _ in as_they_come(functools.partial(_make_one, cfg, run), todo, cfg.engine):
        yield day


ONE = threading.Lock()  # a worker with several threads makes one day with all of them


@functools.lru_cache(1)
def _maker_of(cfg: InferConfig, run: str) -> Maker:
    """Made once a worker and run."""
    return _maker(cfg, _trained(cfg))


def _make_one(cfg: InferConfig, run: str, day: dt.date) -> None:
    from distributed import get_worker

    with ONE:
        torch.set_num_threads(get_worker().state.nthreads)
        maker = _maker_of(cfg, run)
        again = cfg.overwrite or cfg.revise
        if not again and day_done(Path(cfg.mosaics), maker.cube.domain.name, day, cfg.format):
            return  # by a worker that died before it could say so
        maker.finish(maker.gather(day))


def _made_by(cfg: InferConfig, trained: Trained | None) -> dict[str, Attribute]:
    """What tells one maker of mosaics from another."""
    if trained is None:
        return {"model": cfg.method, "checkpoint": "none"}
    attrs: dict[str, Attribute] = {
        "model": "ssm_net", "checkpoint": trained.digest, "features": " ".join(trained.scaling.names),
        "trained_on": f"{trained.provenance['cube']} {' .. '.join(trained.provenance['train_days'])}",
    }  # fmt: skip
    if stations := trained.provenance.get("stations"):
        attrs["stations_trained_on"] = "; ".join(stations)
    return attrs


def _missing_quicklooks(cfg: InferConfig, cube: Cube, done: Sequence[dt.date]) -> None:
    """Pictures of days that were made without; a GeoTIFF lies on another grid, and has none to be made of."""
    out = Path(cfg.mosaics)
    lacking = [d for d in done if not quicklook_path(out, cube.domain.name, d).exists()]
    if lacking and cfg.format == "cog":
        log.warning("no picture is made of %s: their maps are GeoTIFFs; overwrite=true makes both", runs(lacking))
        return
    for day in lacking:
        write_quicklook(read_day(day_path(out, cube.domain.name, day, cfg.format), day), out)


def _stale(cfg: InferConfig, cube: Cube, days: Sequence[dt.date]) -> list[dt.date]:
    """Days whose mosaic rests on an earlier revision of the cube's day."""
    revised = [d for d in days if cube.revision(d) > 1 and day_done(Path(cfg.mosaics), cube.domain.name, d, cfg.format)]
    return [d for d in revised if revision_of(Path(cfg.mosaics), cube.domain.name, d, cfg.format) < cube.revision(d)]


def _one_maker(out: Path, made_by: dict[str, Attribute], overwrite: bool) -> None:
    """Refuse to put the days of two models, or of two ways of updating, into one folder and call them a record."""
    file = out / "made_by.json"
    have = json.loads(file.read_text()) if file.exists() and not overwrite else made_by
    if differ := [f"{k}={made_by[k]} (there: {have.get(k)})" for k in made_by if have.get(k) != made_by[k]]:
        raise ValueError(
            f"the days in {out} were made otherwise: {'; '.join(differ)}; give another mosaics=FOLDER, or "
            "overwrite=true to make all of them again"
        )
    if overwrite or not file.exists():
        write_json(file, made_by)


def plan_days(cfg: InferConfig, cube: Cube) -> list[dt.date]:
    """The cube's whole days between ``start`` and ``end``, of those the part asked for; days that are not whole are
    said."""
    first = parse_day(cfg.start, "start") if cfg.start else cube.days[0]
    last = parse_day(cfg.end, "end") if cfg.end else cube.days[-1]
    inside = [d for d in cube.days if first <= d <= last]
    days = [d for d in inside if cube.done(d)]
    if not days:
        raise ValueError(
            f"{cube.path} holds no whole day in {first} .. {last} (its period: {cube.days[0]} .. {cube.days[-1]}); "
            "run prepare.py for these days"
        )
    if missing := sorted(set(inside) - set(days)):
        log.warning("%s: not prepared yet, left out: %s", cube.path, runs(missing))
    mine = days[(cfg.part - 1) * len(days) // cfg.parts : cfg.part * len(days) // cfg.parts]
    if not mine:
        raise ValueError(f"part={cfg.part} of parts={cfg.parts} holds none of the {len(days)} days; give fewer parts")
    return mine


def choose_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device={name}: torch finds no CUDA device here; use device=cpu or device=auto")
    return torch.device(name)


def ground_of(cube: Cube) -> tuple[Tensor, np.ndarray]:
    """Pixels that are produced (bool): land, not built over, inside the boundary where one was given; and the flags of
    each pixel (uint16) that no day changes."""
    rows, cols = cube.domain.fine_shape
    land, flags = (scratch.empty((rows, cols), kind) for kind in (np.bool_, np.uint16))
    for y in range(0, rows, CHUNK):
        window = (y, min(y + CHUNK, rows), 0, cols)
        here = slice(*window[:2])
        given = {name: cube.read_static(name, window) for name in ("water_fraction", "urban", "inside")
                 if name in cube.static}  # fmt: skip
        produced = np.ones((window[1] - y, cols), bool)
        flags[here] = 0
        if "water_fraction" in given:
            produced = land_mask(torch.from_numpy(given["water_fraction"]), produced.shape).numpy()
            flags[here] |= (given["water_fraction"] >= masks.WATER) * np.uint16(Flag.WATER)
        if "urban" in given:
            urban = given["urban"] >= masks.URBAN
            produced &= ~urban
            flags[here] |= urban * np.uint16(Flag.URBAN)
        if "inside" in given:
            produced &= given["inside"] >= 0.5
        land[here] = produced
    return torch.from_numpy(land), flags


def _describe(cfg: InferConfig, cube: Cube, estimator: Estimator) -> dict[str, Attribute]:
    """Global attributes that say what a mosaic was made of; nothing in them changes from run to run."""
    products = {k: v for k, v in cube.attrs.items() if k in ("ssm", "lst", "reflectance", "rain") and v}
    return {
        "update": cfg.update if estimator.updates else "none",
        "mode": "looks back only",
        "inference_tile": cfg.tile,  # coarse cells; the evaluation looks for seams there
        "inputs": ", ".join(f"{k}: {v}" for k, v in sorted(products.items())),
        "coarse_footprint": f"{cube.attrs['footprint']}, FWHM {cube.attrs['fwhm_km']} km",
        "source": f"{cube.attrs.get('ssm') or 'no'} coarse soil moisture downscaled with MODIS and weather",
        "product_version": __version__,
        "history": f"made by ssm_net {__version__} (infer.py)",
    }
