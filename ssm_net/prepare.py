"""``prepare(cfg)``: native granules onto the grid and into the cube, day by day, forward in time.

Reading and warping a day's granules depends on that day alone and may run in several processes; filling, memory, age
and rain index lean on the day before, as the cube stores it, and run in order. A bad granule costs its own pixels,
never the day; a day that is stored is never touched again.
"""

from __future__ import annotations

import datetime as dt
import logging
import multiprocessing
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from scipy.ndimage import gaussian_filter
from torch import Tensor

from ssm_net.allweather import AllWeather, ThermalState, fill
from ssm_net.config import ConfigError, PrepareConfig, days_between
from ssm_net.cube import API_DAYS, FINE, Cube, create_cube
from ssm_net.days import runs
from ssm_net.grid import Domain, block_mean
from ssm_net.ingest.catalog import Catalog, Granule, catalog
from ssm_net.ingest.fine import read_lst, read_reflectance
from ssm_net.ingest.overpass import DAY_HOUR, NIGHT_HOUR, utc_day
from ssm_net.ingest.rain import rain_between
from ssm_net.ingest.raster import GranuleError
from ssm_net.ingest.ssm import CoarseSSM, read_ssm
from ssm_net.ingest.static import read_static
from ssm_net.inputs import OVERPASSES, land_mask
from ssm_net.sources import Sources, choose_sources, known_product, settled_sources

log = logging.getLogger(__name__)
console = Console()
T = TypeVar("T")

HOURS = {"day": DAY_HOUR, "night": NIGHT_HOUR}
RELIEF_PIXELS = 3.0  # sigma of the smooth elevation that relief is measured against
OLDEST = 254  # days; a reflectance is kept until then, its age said


@dataclass(frozen=True)
class Task:
    """All that reading one day needs."""

    day: dt.date
    domain: Domain
    granules: Mapping[str, tuple[Granule, ...]]  # by what is made of them: ssm, lst_day, lst_night, reflectance, rain
    rain_from: np.datetime64
    rain_to: np.datetime64
    sigma_ssm: float


@dataclass(frozen=True)
class Day:
    """A day on the grid as it was seen: arrays (y, x) or, for ``ssm``, (R, C); ``None`` where no granule was usable."""

    day: dt.date
    ssm: CoarseSSM | None
    lst: Mapping[str, tuple[np.ndarray, np.ndarray] | None]
    reflectance: Mapping[str, np.ndarray] | None
    rain: np.ndarray | None
    files: tuple[str, ...]
    problems: tuple[str, ...]


def prepare(cfg: PrepareConfig) -> Cube | None:
    """Make or extend the cube; returns it, or ``None`` with ``plan=true``. Days already stored are left alone."""
    domain, days = cfg.domain.domain(), days_between(cfg.start, cfg.end)
    raw = Path(cfg.raw)
    one = dt.timedelta(days=1)
    # In the far east the rain of a day begins two UTC days before it.
    found = catalog(raw, (days[0] - 2 * one, days[-1] + one))
    sources = choose_sources(cfg, found, settled_sources(Path(cfg.cube)))
    static = static_fields(raw, domain, cfg.domain.boundary)
    tasks = {d: task(cfg, domain, found, sources, d) for d in days}
    if cfg.plan:
        _print_plan(cfg, domain, sources, static, tasks)
        return None
    fine = sources.fine()
    coarse = ["ssm", "ssm_sigma", "source"] if sources.ssm else []
    coarse += [f"lst_{k}_{w}" for k in OVERPASSES if f"lst_{k}" in fine for w in ("region", "seen")]
    coarse += [v for v in fine if not v.endswith(("_lineage", "_sigma"))]
    attrs = {
        "ssm": " ".join(sources.ssm), "lst": " ".join(sources.lst), "reflectance": " ".join(sources.reflectance),
        "rain": " ".join(sources.rain), "footprint": cfg.footprint, "fwhm_km": cfg.fwhm_km, "sigma_ssm": cfg.sigma_ssm,
        "modis_day": cfg.modis_day, "memory_days": cfg.memory.days,
        "memory_region": cfg.memory.region, "boundary": Path(cfg.domain.boundary).name if cfg.domain.boundary else "",
    }  # fmt: skip
    cube = create_cube(cfg.cube, domain, days, fine, coarse, sorted(static), attrs)
    with cube.writing():
        _write_static(cube, static)
        todo = [d for d in cube.days if d in tasks and not cube.done(d)]
        if not todo:
            console.print(f"[green]{cube.path} holds all {len(days)} days already[/]")
            return cube
        if holes := [d for d in cube.days if d < todo[-1] and d not in tasks and not cube.done(d)]:
            raise ConfigError(
                f"{cube.path} lacks {runs(holes)}, which later days rest on: give start={holes[0]}, so that they are "
                "made first"
            )
        land = land_mask(
            torch.from_numpy(static["water_fraction"]) if "water_fraction" in static else None, domain.fine_shape
        )
        elevation = torch.from_numpy(static.get("elevation", np.zeros(domain.fine_shape, "float32"))).nan_to_num()
        problems, missing = 0, defaultdict(list)
        with Progress(console=console) as bar:
            shown = bar.add_task("prepare: days", total=len(days), completed=len(days) - len(todo))
            for seen in _read_ahead([tasks[d] for d in todo], cfg.workers):
                for problem in seen.problems:
                    log.warning("%s: %s", seen.day, problem)
                problems += len(seen.problems)
                for kind in store(cube, seen, elevation, land):
                    missing[kind].append(seen.day)
                bar.advance(shown)
    # Of composites there is no file on most days: the last one stands, and its age is said.
    if said := "; ".join(f"{kind} on {runs(at)}" for kind, at in missing.items() if kind != "reflectance"):
        log.warning(
            "no usable granule: %s. These days are filled from the days before and around them. To make one again with "
            "new files, delete its %s/status/yyyymmdd.json and give the same command", said, cube.path,
        )  # fmt: skip
    console.print(
        f"[green]{len(todo)} days[/] in {cube.path}"
        + (f"; [yellow]{problems} problems with granules[/], each logged above" if problems else "")
    )
    return cube


def task(cfg: PrepareConfig, domain: Domain, found: Catalog, sources: Sources, day: dt.date) -> Task:
    """Which granules make ``day``, and the interval whose rain it counts (one night overpass to the next, UTC)."""
    west, _, east, _ = domain.bounds_lonlat()
    lon = (west + east) / 2
    granules: dict[str, tuple[Granule, ...]] = {}
    for name in sources.ssm:
        if "ssm" not in granules and day in found.get(name, {}):
            granules["ssm"] = found[name][day]
    for name in sources.lst:
        p = known_product(name)
        for k, hour in HOURS.items():
            if p.layer(f"lst_{k}"):
                utc = p.family == "hdfeos" and cfg.modis_day == "utc"
                filed = utc_day(day, hour, lon) if utc else day
                if filed in found.get(name, {}):
                    granules[f"lst_{k}"] = granules.get(f"lst_{k}", ()) + found[name][filed]
    for name in sources.reflectance:
        if day in found.get(name, {}):
            granules["reflectance"] = found[name][day]
    overpass = np.datetime64(day, "s") + np.timedelta64(round((NIGHT_HOUR - lon / 15) * 3600), "s")
    since = overpass - np.timedelta64(1, "D")
    for name in sources.rain:
        near = {g.path: g for n in (-2, -1, 0) for g in found.get(name, {}).get(day + dt.timedelta(days=n), ())}
        if near:
            granules["rain"] = tuple(near.values())
    return Task(day, domain, granules, since, overpass, cfg.sigma_ssm)


def read_day(work: Task) -> Day:
    """Read and warp the granules of a day. What cannot be read is named in ``problems`` and left out."""
    problems: list[str] = []
    files: list[str] = []
    fine = work.domain.fine

    def careful(key: str, read: Callable[[Sequence[Granule]], T]) -> T | None:
        left = list(work.granules.get(key, ()))
        while left:
            try:
                out = read(left)
            except GranuleError as err:
                if not any(g.path == err.path for g in left):
                    raise
                problems.append(str(err))
                left = [g for g in left if g.path != err.path]
            else:
                files.extend(g.path.name for g in left)
                return out
        return None

    lst = {k: careful(f"lst_{k}", lambda g, k=k: read_lst(g, k, fine)) for k in OVERPASSES}  # type: ignore[misc]
    return Day(
        work.day,
        careful("ssm", lambda g: read_ssm(g, work.domain, work.sigma_ssm)),
        lst,
        careful("reflectance", lambda g: read_reflectance(g, fine)),
        careful("rain", lambda g: rain_between(g, work.rain_from, work.rain_to, fine)),
        tuple(sorted(set(files))),
        tuple(problems),
    )


def store(cube: Cube, seen: Day, elevation: Tensor, land: Tensor) -> list[str]:
    """Fill, remember, age, pack and write one day, leaning on the last stored day before it; what it was made without
    (``ssm``, ``lst_day``, ``rain`` ..).
    """
    earlier = [d for d in cube.done_days() if d < seen.day]
    before = earlier[-1] if earlier else None
    fine: dict[str, np.ndarray] = {}
    coarse: dict[str, np.ndarray] = {}
    info: dict[str, Any] = {"files": list(seen.files), "problems": list(seen.problems), "missing": [], "state": {}}
    nowhere = np.full(cube.domain.fine_shape, np.nan, "float32")

    for k in OVERPASSES:
        if f"lst_{k}" not in cube.fine:
            continue
        pair = seen.lst.get(k)
        if pair is None:
            info["missing"].append(f"lst_{k}")
        lst, sigma = pair or (nowhere, nowhere)
        done = fill(
            seen.day, torch.from_numpy(lst), torch.from_numpy(sigma), elevation, _thermal_state(cube, before, k),
            ratio=cube.domain.ratio, memory_days=cube.attrs["memory_days"], region_cells=cube.attrs["memory_region"],
        )  # fmt: skip
        _put_thermal(k, done, land, fine, coarse, info, cube.domain.ratio)

    bands = [v for v in ("red", "nir", "swir1", "swir2") if v in cube.fine]
    if bands:
        if seen.reflectance is None:
            info["missing"].append("reflectance")
        _put_reflectance(cube, before, bands, seen, fine)
    if "rain" in cube.fine:
        if seen.rain is None:
            info["missing"].append("rain")
        rain = np.zeros_like(nowhere) if seen.rain is None else np.nan_to_num(seen.rain)
        gap = 1 if before is None else (seen.day - before).days
        fine["rain"] = FINE["rain"].pack(rain)
        for name, memory in API_DAYS.items():
            old = np.zeros_like(nowhere) if before is None else np.nan_to_num(cube.read(name, before))
            fine[name] = FINE[name].pack(old * np.float32(np.exp(-gap / memory)) + rain)

    for name in cube.coarse:
        if name in fine:
            values = torch.from_numpy(FINE[name].unpack(fine[name]))
            coarse[name] = block_mean(values, cube.domain.ratio, land).numpy()
    info["observed"] = 0
    if "ssm" in cube.coarse:
        none = np.full(cube.domain.coarse_shape, np.nan, "float32")
        if seen.ssm is None:
            info["missing"].append("ssm")
            coarse |= {"ssm": none, "ssm_sigma": none, "source": np.zeros_like(none)}
        else:
            coarse |= {"ssm": seen.ssm.ssm, "ssm_sigma": seen.ssm.sigma, "source": seen.ssm.source.astype("float32")}
            info["observed"] = int(np.isfinite(seen.ssm.ssm).sum())
    cube.write_day(seen.day, fine, coarse, info)
    return info["missing"]


def _thermal_state(cube: Cube, day: dt.date | None, k: str) -> ThermalState | None:
    """The state that ``day`` left, as the cube stores it."""
    if day is None:
        return None
    status = cube.status(day)
    assert status is not None
    return ThermalState(
        day,
        torch.from_numpy(cube.read(f"lst_{k}_memory", day)),
        torch.from_numpy(cube.read(f"lst_{k}_weight", day)).nan_to_num(),
        torch.from_numpy(cube.read_coarse(f"lst_{k}_region", day)),
        float(status["state"][f"lst_{k}_error"]),
    )


def _put_thermal(
    k: str, done: AllWeather, land: Tensor, fine: dict[str, np.ndarray], coarse: dict[str, np.ndarray],
    info: dict[str, Any], ratio: int,
) -> None:  # fmt: skip
    values = {
        f"lst_{k}": done.lst,
        f"lst_{k}_sigma": done.sigma,
        f"lst_{k}_lineage": done.lineage.float(),
        f"lst_{k}_memory": torch.where(done.state.weight > 0, done.state.memory, torch.nan),
        f"lst_{k}_weight": done.state.weight,
    }
    fine |= {name: FINE[name].pack(v.numpy()) for name, v in values.items()}
    coarse[f"lst_{k}_region"] = done.state.region.numpy()
    coarse[f"lst_{k}_seen"] = block_mean((done.lineage <= 1).float(), ratio, land).numpy()
    info["state"][f"lst_{k}_error"] = done.state.error


def _put_reflectance(
    cube: Cube, before: dt.date | None, bands: Sequence[str], seen: Day, fine: dict[str, np.ndarray]
) -> None:
    """Today's reflectance where all bands were seen, else the last one that was, with its age."""
    shape = cube.domain.fine_shape
    new = seen.reflectance or {}
    today = np.stack([new.get(b, np.full(shape, np.nan, "float32")) for b in bands])
    fresh = np.isfinite(today).all(0)
    if before is None:
        old, age = np.full_like(today, np.nan), np.full(shape, np.nan, "float32")
    else:
        old = np.stack([cube.read(b, before) for b in bands])
        age = np.minimum(cube.read("reflectance_age", before) + (seen.day - before).days, OLDEST)
    for i, band in enumerate(bands):
        fine[band] = FINE[band].pack(np.where(fresh, today[i], old[i]))
    fine["reflectance_age"] = FINE["reflectance_age"].pack(np.where(fresh, 0, age).astype("float32"))


def static_fields(raw: Path, domain: Domain, boundary: str | None) -> dict[str, np.ndarray]:
    """The static maps there are, (y, x) float32, and what is made of them: relief (m), inside (0 or 1)."""
    out = read_static(raw, domain.fine)
    if "elevation" in out:
        z = out["elevation"]
        known = np.isfinite(z).astype("float32")
        smooth = gaussian_filter(np.nan_to_num(z), RELIEF_PIXELS) / np.maximum(
            gaussian_filter(known, RELIEF_PIXELS), 1e-3
        )
        out["relief"] = (z - smooth).astype("float32")
    if boundary is not None:
        from odc.geo.xr import rasterize

        from ssm_net.ingest.boundary import read_boundary

        inside = rasterize(read_boundary(boundary).to_crs(domain.grid.crs), domain.fine)
        out["inside"] = np.asarray(inside.values, "float32")
    return out


def _write_static(cube: Cube, static: Mapping[str, np.ndarray]) -> None:
    """Once; a cube whose static maps are there keeps them, so that stored days and new ones rest on the same."""
    if cube.static and cube.stats("static_written") is None:
        for name, values in static.items():
            cube.write_static(name, values)
        cube.write_stats("static_written", {"names": sorted(static)})


def _read_ahead(tasks: Sequence[Task], workers: int) -> Iterator[Day]:
    """Days in order; with more than one worker, read by processes (pyhdf is not thread-safe) a few days ahead."""
    if workers == 1:
        yield from map(read_day, tasks)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("forkserver")) as pool:
        coming: deque[Future[Day]] = deque()
        try:
            for work in tasks:
                coming.append(pool.submit(read_day, work))
                if len(coming) > workers + 1:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()


def _print_plan(
    cfg: PrepareConfig,
    domain: Domain,
    sources: Sources,
    static: Mapping[str, np.ndarray],
    tasks: Mapping[dt.date, Task],
) -> None:
    rows, cols = domain.coarse_shape
    console.print(
        f"would prepare {len(tasks)} days ({cfg.start} .. {cfg.end}) of domain {domain.name}: window "
        f"{list(domain.window)}, {rows} x {cols} coarse cells, {domain.fine_shape[0]} x {domain.fine_shape[1]} pixels, "
        f"into {cfg.cube}"
    )
    for role in ("ssm", "lst", "reflectance", "rain"):
        names = getattr(sources, role)
        keys = ("lst_day", "lst_night") if role == "lst" else (role,)
        with_files = sum(any(k in t.granules for k in keys) for t in tasks.values())
        console.print(f"  {role}: {', '.join(names) or 'none'}, files on {with_files} of {len(tasks)} days")
    console.print(f"  static: {', '.join(sorted(static)) or 'none'}")
