"""Series and means from maps: how long two decades take, and whether intervals of basin means hold the truth.

    python bench/extract.py time FOLDER [--days 24] [--points 100]
    python bench/extract.py decade FOLDER [--points 100]
    python bench/extract.py coverage FOLDER [--families A,B,C,D,E,F] [--days 30] [--basins 24] [--seeds 1]

``time`` writes maps with texture into Zarr stores in FOLDER, of a region of 24 x 24 cells (0.75 Mpx) and of a country
of 56 x 84 (6.1 Mpx), takes series at random points, with the files in the system's cache, and extrapolates to 7305
days: opening once, and each day. Seconds are those of one processor.
``decade`` extrapolates nothing: ten years of the region (7 GB), their series as a CSV file, and their time.
``coverage`` makes a world of 8 x 8 cells of each family, maps it by the members of the shipped prior that have not met
the family, as bench/skill.py does, and takes means over random basins by ``ssm_net.extract`` itself. A basin's interval
is mean +- 1.645 standard errors; it is compared with the mean of the truth over the same pixels. Numbers go to
bench/results/extract.json. What is in FOLDER is not made again.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import skill
import torch
import xarray as xr
from judged_places import SIZES
from left_out import saved_without
from provenance import ROOT, command_of, commit_of, machine
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array

import ssm_net
from ssm_net.cube.json_files import write_json
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR
from ssm_net.extract.error_correlation import CELL_RANGE_KM, INSIDE_RANGE_KM
from ssm_net.extract.means import place_means
from ssm_net.extract.selection import Selection
from ssm_net.extract.series import Maps
from ssm_net.extract.tables import write_series
from ssm_net.formats.map_pixels import MapPixels
from ssm_net.formats.mosaic_days import day_path, days_done, read_day, write_day
from ssm_net.formats.product import Flag, Mosaic
from ssm_net.formats.truth import Truth
from ssm_net.grid import Domain
from ssm_net.infer.run import infer
from ssm_net.train.run import train

RESULTS = ROOT / "bench" / "results" / "extract.json"
TWO_DECADES = 7305  # days
DOMAINS = (Domain("region", (60, 84, 764, 788)), Domain("country", (40, 96, 700, 784)))
SEED = 31  # of the worlds, as of bench/skill.py
RADII_KM = (4, 10, 20, 40, 80)  # of the basins
LEAST_VALID = 0.5  # of a basin's pixels, for a day to count
Z90 = 1.645  # standard errors of a normal distribution's 90 % interval


class DailyTruth(Protocol):
    """The truth of a day, (y, x), m3 m-3."""

    def read(self, day: dt.date) -> np.ndarray | None: ...


def write_maps(folder: Path, domain: Domain, days: int) -> None:
    """Maps with the texture, the gaps and the flags of real ones, of which one in six pixels is masked."""
    rng = np.random.default_rng(1)
    rough = [gaussian_filter(rng.normal(size=domain.fine_shape).astype("float32"), s) for s in (1.5, 12)]
    texture = sum(field / field.std() for field in rough)
    masked = rough[1] > np.quantile(rough[1][::8, ::8], 5 / 6)
    done = set(days_done(folder, domain.name, "zarr"))
    for day in (dt.date(2004, 1, 1) + dt.timedelta(n) for n in range(days)):
        if day in done:
            continue
        moved = np.roll(texture, day.toordinal() % 97, 0)
        ssm = (0.25 + 0.03 * moved + rng.normal(0, 0.002, moved.shape)).clip(0.02, 0.6).astype("float32")
        sigma = (0.04 + 0.004 * np.roll(texture, 31, 1)).clip(0.01, 0.2).astype("float32")
        ssm[masked] = sigma[masked] = np.nan
        clouds, orbits = np.roll(rough[1], day.toordinal() % 89, 1), np.arange(moved.shape[1]) // 36 % 4 > 0
        flags = np.where(clouds > 0, Flag.LST_SEEN, Flag.LST_FILLED)
        flags |= np.where(orbits, Flag.COARSE_OBSERVED, Flag.ORBIT_GAP_FILLED)
        flags = np.where(masked, Flag.FROZEN_OR_SNOW, flags).astype(np.uint16)
        attrs = {"uncertainty_region": 0.005, "uncertainty_cell_observed": 0.3, "uncertainty_cell_gap": 0.5}
        write_day(Mosaic(day, domain, ssm, sigma, flags, attrs), folder, "zarr")


def timed(folder: Path, domain: Domain, days: int, points: int) -> dict[str, Any]:
    """Seconds of opening, a day, and of two decades by these; and of writing two decades as CSV."""
    write_maps(folder, domain, days)
    places = random_places(domain, points)

    def seconds(number: int) -> float:
        start = dt.date(2004, 1, 1)
        begun = time.process_time()
        ssm_net.at_points(
            folder, places, start=str(start), end=str(start + dt.timedelta(number - 1)), domain=domain.name
        )
        return time.process_time() - begun

    seconds(days)  # into the cache
    one, all_days = (min(seconds(n) for _ in range(3)) for n in (1, days))
    a_day = (all_days - one) / (days - 1)
    by_the_clock = time.perf_counter()
    series = ssm_net.at_points(folder, places, domain=domain.name)
    by_the_clock = time.perf_counter() - by_the_clock
    writing = csv_seconds(series, folder / "series.csv")
    return {
        "points": points, "days": days, "pixels": int(np.prod(domain.fine_shape)), "opening, s": round(one - a_day, 3),
        "a day, ms": round(1000 * a_day, 2), "a day by the clock, ms": round(1000 * by_the_clock / days, 2),
        "writing two decades as CSV, s": round(writing, 1),
        "a decade, s": round(one + TWO_DECADES / 2 * a_day + writing / 2, 1),
        "two decades, s": round(one + TWO_DECADES * a_day + writing, 1),
    }  # fmt: skip


def random_places(domain: Domain, points: int) -> list[tuple[float, float]]:
    """Longitudes and latitudes, always the same for a domain and a number."""
    rng = np.random.default_rng(2)
    west, south, east, north = domain.bounds_lonlat()
    return list(zip(rng.uniform(west, east, points), rng.uniform(south, north, points), strict=True))


def decade(folder: Path, points: int) -> dict[str, Any]:
    """Seconds of the series of ten years at random points of the region, from maps to a CSV file."""
    domain, home = DOMAINS[0], folder / "decade"
    write_maps(home, domain, TWO_DECADES // 2 + 1)
    places = random_places(domain, points)
    begun, by_the_clock = time.process_time(), time.perf_counter()
    series = ssm_net.at_points(home, places, domain=domain.name)
    write_series(series, folder / "decade.csv")
    return {
        "points": points, "days": series.sizes["time"], "processor, s": round(time.process_time() - begun, 1),
        "by the clock, s": round(time.perf_counter() - by_the_clock, 1),
    }  # fmt: skip


def csv_seconds(series: xr.Dataset, path: Path) -> float:
    """Seconds of writing two decades: the series over and over, with noise, so that no value is there more often."""
    rng = np.random.default_rng(4)
    long = series.isel(time=np.arange(TWO_DECADES) % series.sizes["time"])
    long = long.assign_coords(time=series["time"].values[0] + np.arange(TWO_DECADES).astype("timedelta64[D]"))
    for name in ("ssm", "ssm_uncertainty", "uncertainty_inside", "uncertainty_cell"):
        long[name] = long[name] * rng.uniform(0.8, 1.2, long[name].shape)
    begun = time.process_time()
    write_series(long, path)
    return time.process_time() - begun


def mapped_world(folder: Path, family: str, days: int, seed: int = SEED) -> Truth:
    """The truth of a world of the family; its maps are in ``folder``/mosaics."""
    truth_path = folder / "raw" / "truth.zarr"
    if truth_path.exists() and len(done := days_done(folder / "mosaics", "bench", "netcdf")) == days:
        return Truth.open(truth_path, read_day(day_path(folder / "mosaics", "bench", done[0]), done[0]).domain)
    small = SIZES["small"]
    size = replace(small, end=str(dt.date.fromisoformat(small.start) + dt.timedelta(days - 1)))
    run = skill.SkillRun(size, SHIPPED_PRIOR, ("network",), commit_of(ROOT))
    _, cube, truth = skill.made_world(folder, run, family, seed)
    prior = saved_without(run.prior, family, folder / "prior")
    train(skill.train_config(folder / "runs" / "network", cube.path, size, seed, prior))
    infer(ssm_net.InferConfig(str(cube.path), str(folder / "mosaics"), run=str(folder / "runs" / "network")))
    return truth


def random_basins(shape: tuple[int, int], number: int) -> Iterator[tuple[int, np.ndarray]]:
    """Radius (km) and mask of basins with ragged outlines, ``number`` of each size."""
    rng = np.random.default_rng(3)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    for radius in RADII_KM:
        for _ in range(number):
            edge = gaussian_filter(rng.normal(size=shape), max(radius / 3, 1))
            cy, cx = (rng.uniform(0.7 * radius, n - 0.7 * radius) for n in shape)
            mask = np.hypot(yy - cy, xx - cx) < radius * (1 + 0.35 * edge / edge.std())
            if mask.sum() >= 5:
                yield radius, mask


def z_scores(folder: Path, truth: DailyTruth, basins: int, thinning: int = 1) -> dict[int, np.ndarray]:
    """(Mean less truth) over the stated standard error, of each basin and day, by the radius of basins.

    Of maps of 1 km one pixel in ``thinning`` each way counts, with the width of so many; maps of such pixels are taken
    as they are."""
    maps = Maps.open(folder / "mosaics", start=None, end=None, domain=None, format=None)
    step = round(thinning / maps.grid.size_km[0])  # pixels between those that count
    size_km = (step * maps.grid.size_km[0], step * maps.grid.size_km[1])
    of_km = thinning // step
    radii, masks = zip(*random_basins(tuple(n * of_km for n in maps.grid.shape), basins), strict=True)
    masks = np.array(masks)[:, thinning // 2 :: thinning, thinning // 2 :: thinning]
    radii, masks = np.array(radii)[masks.any((1, 2))], masks[masks.any((1, 2))]
    rows, cols = np.nonzero(masks.any(0))
    weights = masks[:, rows, cols] / masks.sum((1, 2))[:, None]
    here = np.zeros(len(masks))
    selection = Selection([f"basin_{n}" for n in range(len(masks))], here, here, rows, cols, csr_array(weights),
                          here + 1, areas=True)  # fmt: skip
    at = rows * step + step // 2, cols * step + step // 2
    pixels = MapPixels.choose(maps.mosaics, *at)
    means = place_means(pixels, maps.days, selection, size_km, maps.errors())
    out: dict[int, list[np.ndarray]] = {}
    known = []
    for n, day in enumerate(maps.dates):
        field = truth.read(day)[at]
        valid = (pixels.read(n).ssm >= 0) & np.isfinite(field)  # the truth lacks one in a thousand, at lakes
        known.append((weights @ np.where(valid, field, 0)) / np.maximum(weights @ valid, 1e-9))
    z = (means.ssm - np.stack(known, 1)) / means.total
    for radius in RADII_KM:
        which = radii == radius
        out[radius] = z[which][means.valid[which] > LEAST_VALID]
    return out


def world_folder(folder: Path, family: str, seed: int) -> Path:
    return folder / (family if seed == SEED else f"{family}{seed}")


def coverage(folder: Path, families: Sequence[str], days: int, basins: int, seeds: int) -> dict[str, Any]:
    """The share of 90 % intervals that hold the truth, by family and radius, and of all with each radius counting
    alike."""
    table: dict[str, Any] = {}
    for family in families:
        worlds = []
        for seed in range(SEED, SEED + seeds):
            home = world_folder(folder, family, seed)
            worlds.append(z_scores(home, mapped_world(home, family, days, seed), basins))
        by_radius = {radius: np.concatenate([world[radius] for world in worlds]) for radius in RADII_KM}
        held = {f"{radius} km": float((np.abs(z) < Z90).mean()) for radius, z in by_radius.items() if z.size}
        spread = float(np.sqrt(np.mean(np.concatenate([*by_radius.values()]) ** 2)))
        table[family] = {k: round(v, 3) for k, v in held.items()}
        table[family] |= {"all": round(float(np.mean([*held.values()])), 3), "rms of z": round(spread, 2)}
        print(family, table[family], flush=True)
    names = list(next(iter(table.values())))
    table["mean of families"] = {k: round(float(np.mean([row[k] for row in table.values()])), 3) for k in names}
    print("mean of families", table["mean of families"])
    return {
        "days": days, "worlds of each family": seeds, "basins of each size": basins,
        "range inside, km": INSIDE_RANGE_KM, "range of cells, km": CELL_RANGE_KM, "coverage of 90 % intervals": table,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("time", "decade", "coverage"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--families", default="A,B,C,D,E,F")
    parser.add_argument("--basins", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=1, help="worlds of each family")
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("ssm_net").setLevel(logging.ERROR)  # of points that are masked on all days
    if args.what == "decade":
        result = decade(args.folder, args.points)
        print(json.dumps(result, indent=1))
    elif args.what == "time":
        result = {d.name: timed(args.folder, d, args.days or 24, args.points) for d in DOMAINS}
        print(json.dumps(result, indent=1))
    else:
        result = coverage(args.folder, args.families.split(","), args.days or 30, args.basins, args.seeds)
    stored = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    result |= {
        "command": command_of("extract.py", sys.argv[1:], args.folder),
        "commit": commit_of(ROOT),
        "machine": machine(),
    }
    write_json(RESULTS, stored | {args.what: result})


if __name__ == "__main__":
    main()
