"""``infer(cfg)``: one mosaic a day. Plan the days, predict, write; a day that is there is not made again."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

import ssm_net
from ssm_net import lineage, masks
from ssm_net.checkpoint import load_trained
from ssm_net.config import InferConfig, parse_day
from ssm_net.cube import Cube, open_cube, write_json
from ssm_net.days import runs
from ssm_net.estimators import Estimate, Estimator, NetworkEstimator, baseline
from ssm_net.formats.product import Attribute, Mosaic
from ssm_net.grid import Window
from ssm_net.inputs import CoarseDay, land_mask, padded, read_coarse, read_fine
from ssm_net.model.network import SSM_MAX, SSM_MIN
from ssm_net.model.update import exact, update
from ssm_net.outputs import day_done, revision_of, write_day
from ssm_net.tiling import Tile, tiles

log = logging.getLogger(__name__)
console = Console()


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
    if cfg.method == "network":
        trained = load_trained(cfg.run)
        estimator: Estimator | None = NetworkEstimator(trained, cube, choose_device(cfg.device))
        attrs: dict[str, Attribute] = {
            "model": "ssm_net", "checkpoint": trained.digest, "features": " ".join(trained.scaling.names),
            "trained_on": f"{trained.provenance['cube']} {' .. '.join(trained.provenance['train_days'])}",
        }  # fmt: skip
        if stations := trained.provenance.get("stations"):
            attrs["stations_trained_on"] = "; ".join(stations)
    else:
        estimator = None  # the classics are fitted to the cube, where there is something to do
        attrs = {"model": cfg.method, "checkpoint": "none"}
    _one_maker(out, {**attrs, "update": cfg.update, "domain": cube.domain.name}, cfg.overwrite)
    if not todo:
        console.print(f"[green]{out} holds all {len(days)} days already[/]; overwrite=true makes them again")
        return []
    estimator = estimator or baseline(cfg.method, cube)
    attrs |= _describe(cfg, cube, estimator.updates)
    land = _land(cube)
    # The file of a day is compressed and written while the next day is computed; its error surfaces with that day.
    with ThreadPoolExecutor(1) as writer, Progress(console=console) as bar:
        task = bar.add_task(f"{cfg.method}: mosaics", total=len(days), completed=len(days) - len(todo))
        writing: Future[Path] | None = None
        for day in todo:
            mosaic = predict_day(estimator, cube, day, land, how=cfg.update, side=cfg.tile,
                                 attrs=attrs | {"revision": cube.revision(day),
                                                "coarse_sources": lineage.said_sources(cube, day)})  # fmt: skip
            if writing is not None:
                writing.result()
            writing = writer.submit(write_day, mosaic, out, cfg.format)
            bar.advance(task)
        if writing is not None:
            writing.result()
    console.print(f"[green]{len(todo)} mosaics[/] in {out}")
    return todo


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
    """The cube's whole days between ``start`` and ``end``; days asked for that are not whole are said."""
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
    return days


def choose_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device={name}: torch finds no CUDA device here; use device=cpu or device=auto")
    return torch.device(name)


def predict_day(
    estimator: Estimator, cube: Cube, day: dt.date, land: Tensor, *, how: str, side: int,
    attrs: dict[str, Attribute],
) -> Mosaic:  # fmt: skip
    """The mosaic of a day: the background tile by tile, then the update over the whole domain.

    ``land`` (y, x) bool says which pixels are produced; ``how`` is the update (gain, exact, none); ``side`` the tile's
    in coarse cells.
    """
    coarse = read_coarse(cube, day, estimator.lags, estimator.scaling)
    mean, variance, local, far = background(estimator, cube, coarse, land, side)
    ratio, observed = cube.domain.ratio, coarse.ssm[0]
    if estimator.updates and how != "none":
        h = cube.footprint()
        if how == "gain":
            mean, variance = update(mean, variance, observed, coarse.sigma, h, land, ratio)
        else:
            _, variance = update(mean, variance, observed, coarse.sigma, h, land, ratio)
            mean = exact(mean, observed, land, ratio, SSM_MIN, SSM_MAX)
    mean = mean.clamp(SSM_MIN, SSM_MAX)
    sigma = torch.sqrt(variance + local).clamp(max=0.5)
    height, width = cube.domain.fine_shape
    flags, frozen = lineage.flags(cube, day, lineage.coarse_flags(cube, day), land.numpy(), far.numpy(),
                                  (0, height, 0, width))  # fmt: skip
    masked = ~land | torch.from_numpy(frozen)
    return Mosaic(
        day,
        cube.domain,
        torch.where(masked, torch.nan, mean).float().numpy(),
        torch.where(masked, torch.nan, sigma).float().numpy(),
        flags,
        attrs,
    )


def background(estimator: Estimator, cube: Cube, coarse: CoarseDay, land: Tensor, side: int) -> Estimate:
    """The estimate before the update on the whole domain; tiles without land are skipped (NaN)."""
    shape, ratio = cube.domain.fine_shape, cube.domain.ratio
    mean, shared, local = (torch.full(shape, torch.nan) for _ in range(3))
    whole = Estimate(mean, shared, local, torch.zeros(shape, dtype=torch.bool))
    context = estimator.context(coarse)

    def wanted(cells: Window) -> bool:
        r0, r1, c0, c1 = (n * ratio for n in cells)
        return bool(land[r0:r1, c0:c1].any())

    def read(tile: Tile) -> dict[str, Tensor]:
        inside, _ = padded(tile.pixels, estimator.halo, shape)
        return read_fine(cube, coarse.day, inside, estimator.needs, coarse.region)

    for tile, fine in _ahead(tiles(cube.domain.coarse_shape, ratio, side, wanted), read):
        y0, y1, x0, x1 = tile.pixels
        here = (slice(y0, y1), slice(x0, x1))
        for field, part in zip(whole, estimator.estimate(context, fine, tile.pixels), strict=True):
            field[here] = part
    return whole


def _ahead(todo: list[Tile], read: Callable[[Tile], dict[str, Tensor]]) -> Iterator[tuple[Tile, dict[str, Tensor]]]:
    """Each tile with its pixels, the next one being read while the caller works on this one."""
    with ThreadPoolExecutor(1) as reader:
        coming = [reader.submit(read, tile) for tile in todo[:1]]
        for i, tile in enumerate(todo):
            now = coming.pop()
            fine = now.result()
            if i + 1 < len(todo):
                coming.append(reader.submit(read, todo[i + 1]))
            yield tile, fine


def _land(cube: Cube) -> Tensor:
    """Pixels that are produced: land, not built over, inside the boundary where one was given."""
    water = torch.from_numpy(cube.read_static("water_fraction")) if "water_fraction" in cube.static else None
    land = land_mask(water, cube.domain.fine_shape)
    if "inside" in cube.static:
        land &= torch.from_numpy(cube.read_static("inside")) >= 0.5
    if "urban" in cube.static:
        land &= ~(torch.from_numpy(cube.read_static("urban")) >= masks.URBAN)
    return land


def _describe(cfg: InferConfig, cube: Cube, updates: bool) -> dict[str, Attribute]:
    """Global attributes that say what a mosaic was made of; nothing in them changes from run to run."""
    products = {k: v for k, v in cube.attrs.items() if k in ("ssm", "lst", "reflectance", "rain") and v}
    return {
        "update": cfg.update if updates else "none",
        "mode": "looks back only",
        "inputs": ", ".join(f"{k}: {v}" for k, v in sorted(products.items())),
        "coarse_footprint": f"{cube.attrs['footprint']}, FWHM {cube.attrs['fwhm_km']} km",
        "source": f"{cube.attrs.get('ssm') or 'no'} coarse soil moisture downscaled with MODIS and weather",
        "product_version": ssm_net.__version__,
        "history": f"made by ssm_net {ssm_net.__version__} (infer.py)",
    }
