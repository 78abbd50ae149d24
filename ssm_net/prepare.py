"""``prepare(cfg)``: native granules onto the grid and into the cube, day by day, forward in time.

Reading and warping a day's granules depends on that day alone and may run in several processes; filling, memory, age
and rain index lean on the day before, as the cube stores it, and run in order. A bad granule costs its own pixels,
never the day; a day that is stored is never touched again.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from ssm_net.allweather import AllWeather, ThermalState, fill
from ssm_net.config import ConfigError, PrepareConfig, days_between
from ssm_net.cube import Cube, create_cube, open_cube
from ssm_net.days import runs
from ssm_net.granules import Day, Task, read_ahead, task
from ssm_net.grid import Domain, block_mean
from ssm_net.ingest.catalog import catalog
from ssm_net.inputs import OVERPASSES, land_mask
from ssm_net.intercalibration import Intercalibration
from ssm_net.late import late_granules
from ssm_net.settling import settle_sensors
from ssm_net.sources import Sources, choose_sources, settled_sources
from ssm_net.static_maps import static_fields, write_static
from ssm_net.variables import API_DAYS, FINE

log = logging.getLogger(__name__)
console = Console()

RAIN_BEFORE = 60  # days of rain before a record that its first day counts, where there are files
OLDEST = 254  # days; a reflectance is kept until then, its age said


def prepare(cfg: PrepareConfig) -> Cube | None:
    """Make or extend the cube; returns it, or ``None`` with ``plan=true``. Days already stored are left alone."""
    domain, days = cfg.domain.domain(), days_between(cfg.start, cfg.end)
    raw = Path(cfg.raw)
    late = _late(cfg)
    if cfg.revise and late:
        days = sorted({*days, *(d for d in open_cube(cfg.cube).days if d >= min(late))})
    back = _days_since_stored(Path(cfg.cube), days[0])
    # In the far east the rain of a day begins two UTC days before it, and its LST is filed a day off.
    found = catalog(raw, (days[0] - dt.timedelta(days=back + 1), days[-1] + dt.timedelta(days=1)))
    sources = choose_sources(cfg, found, settled_sources(Path(cfg.cube)))
    static = static_fields(raw, domain, cfg.domain.boundary)
    tasks = {d: task(cfg, domain, found, sources, d, back if d == days[0] else 1) for d in days}
    if cfg.plan:
        _print_plan(cfg, domain, sources, static, tasks)
        _say_late(cfg, late)
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
    _say_late(cfg, late)
    with cube.writing():
        write_static(cube, static)
        if cfg.revise and late:
            cube.withdraw(min(late))
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
        sensors = settle_sensors(cfg, cube, sources, {d: tasks[d] for d in todo})
        problems, missing = 0, defaultdict(list)
        with Progress(console=console) as bar:
            shown = bar.add_task("prepare: days", total=len(days), completed=len(days) - len(todo))
            for seen in read_ahead([tasks[d] for d in todo], cfg.workers):
                for problem in seen.problems:
                    log.warning("%s: %s", seen.day, problem)
                problems += len(seen.problems)
                for kind in store(cube, seen, elevation, land, sensors):
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


def _late(cfg: PrepareConfig) -> dict[dt.date, list[str]]:
    sources = settled_sources(Path(cfg.cube))
    return {} if sources is None else late_granules(cfg, open_cube(cfg.cube), sources)


def _say_late(cfg: PrepareConfig, late: Mapping[dt.date, Sequence[str]]) -> None:
    if not late:
        return
    files = sorted({name for names in late.values() for name in names})
    some = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
    if cfg.revise:
        log.warning("late granules of %s: %s; %s and all days after it are made again, as a new revision",
                    runs(list(late)), some, min(late))  # fmt: skip
    else:
        log.warning("late granules of %s are not used: %s; these days stay as they are. revise=true makes them and all "
                    "days after them again, as a new revision", runs(list(late)), some)  # fmt: skip


def _days_since_stored(cube: Path, first: dt.date) -> int:
    """Days whose rain the first new day has to count: since the last stored day, or what a new record begins with."""
    stored = [d for d in open_cube(cube).done_days() if d < first] if (cube / "cube.json").exists() else []
    return min((first - stored[-1]).days, RAIN_BEFORE) if stored else RAIN_BEFORE


def store(cube: Cube, seen: Day, elevation: Tensor, land: Tensor, sensors: Intercalibration) -> list[str]:
    """Fill, remember, age, pack and write one day, leaning on the last stored day before it; what it was made without
    (``ssm``, ``lst_day``, ``rain`` ..).
    """
    earlier = [d for d in cube.done_days() if d < seen.day]
    before = earlier[-1] if earlier else None
    fine: dict[str, np.ndarray] = {}
    coarse: dict[str, np.ndarray] = {}
    info: dict[str, Any] = {"files": list(seen.files), "problems": list(seen.problems), "missing": [], "state": {},
                            "left_out": dict(seen.left_out), "missing_tiles": list(seen.missing_tiles),
                            "revision": cube.next_revision(seen.day)}  # fmt: skip
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
        if seen.rain[0] is None:
            info["missing"].append("rain")
        fallen = [np.zeros_like(nowhere) if r is None else np.nan_to_num(r) for r in seen.rain]
        fine["rain"] = FINE["rain"].pack(fallen[0])
        gap = 0 if before is None else (seen.day - before).days
        for name, memory in API_DAYS.items():
            old = np.zeros_like(nowhere) if before is None else np.nan_to_num(cube.read(name, before))
            new = sum(np.float32(np.exp(-n / memory)) * r for n, r in enumerate(fallen))
            fine[name] = FINE[name].pack(old * np.float32(np.exp(-gap / memory)) + new)

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
            ssm = sensors.apply(seen.day, seen.ssm)
            coarse |= {"ssm": ssm.ssm, "ssm_sigma": ssm.sigma, "source": ssm.source.astype("float32")}
            info["observed"] = int(np.isfinite(ssm.ssm).sum())
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
        without = [
            d
            for d, t in tasks.items()
            if not (any(k in t.granules for k in keys) if role != "rain" else any(i.granules for i in t.rain[:1]))
        ]
        said = f"; none on {runs(without)}" if names and without and role != "reflectance" else ""
        with_files = f"files on {len(tasks) - len(without)} of {len(tasks)} days"
        console.print(f"  {role}: {', '.join(names) or 'none'}, {with_files}{said}")
    absent = defaultdict(list)
    for day, work in tasks.items():
        for tile in work.missing_tiles:
            absent[tile].append(day)
    for tile, at in sorted(absent.items()):
        console.print(f"  [yellow]tile missing[/]: {tile} on {runs(at)}")
    console.print(f"  static: {', '.join(sorted(static)) or 'none'}")
