"""Why intervals of basin means hold more or less than they say: the parts of the error, and chance.

    python bench/basin_errors.py FOLDER [--families A,B,C,D,E,F] [--worlds 400]

Reads the maps and the truth that ``python bench/extract.py coverage FOLDER`` left, and prints for each family the error
over what the maps state: of pixels, inside cells, of what a cell shares (less the region), and of the region. Then it
draws worlds of the same size whose errors are exactly as stated (three parts, of the distances of ``ssm_net.extract``
and lasting as ``ssm_net.climate`` says) and prints between which values the coverage of such a world lies: what one
world a family can tell. Numbers go to bench/results/basin_errors.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from provenance import ROOT, command_of, commit_of, machine

import extract as basins
from ssm_net.climate.time_correlation import LASTING_CELL, LASTING_INSIDE, MEMORY_DAYS
from ssm_net.cube.json_files import write_json
from ssm_net.evaluate.metrics.spatial import cell_mean, subgrid
from ssm_net.extract.error_correlation import CELL_RANGE_KM, INSIDE_RANGE_KM, mean_correlation
from ssm_net.formats.mosaic_days import read_day
from ssm_net.formats.mosaic_folder import find_mosaics
from ssm_net.formats.mosaic_series import mosaic_files
from ssm_net.formats.product import CELL_ERROR_ATTRIBUTES, REGION_ERROR_ATTRIBUTE, Flag, Mosaic
from ssm_net.formats.truth import Truth

RESULTS = ROOT / "bench" / "results" / "basin_errors.json"
SIDE, DAYS = 288, 30  # pixels a side of a world, as of bench/extract.py
THIN = 4  # pixels between the points that stand for those of two basins
STATED = {"inside": 0.035, "cell": 0.019, "region": 0.01}  # m3 m-3: means of the six families' maps
LEAST_PART = 0.25  # of a cell with a value, to count


def parts(folder: Path, family: str) -> dict[str, float]:
    """Root mean squared errors over the stated standard errors, part by part."""
    mosaics = find_mosaics(folder / family / "mosaics")
    maps = [read_day(path, day) for (path, _), day in zip(mosaic_files(mosaics), mosaics.days, strict=True)]
    truth = Truth.open(folder / family / "raw" / "truth.zarr", maps[0].domain)
    days = [day_parts(one, known) for one in maps if (known := truth.read(one.day)) is not None]
    sums = {name: np.mean([day[name] for day in days], 0) for name in days[0]}
    return {name: round(float(np.sqrt(squared / stated)), 2) for name, (squared, stated) in sums.items()}


def day_parts(mosaic: Mosaic, truth: np.ndarray) -> dict[str, tuple[float, float]]:
    """Mean squared error and mean stated variance of a day by part; cells less the mean of the region."""
    error, variance = mosaic.ssm - truth, mosaic.sigma.astype(float) ** 2
    valid = np.isfinite(error) & np.isfinite(variance)
    region = float(mosaic.attrs[REGION_ERROR_ATTRIBUTE]) ** 2
    inside, level = subgrid(np.where(valid, error, 0), valid, mosaic.domain.ratio), error[valid].mean()
    own = (np.maximum(variance - region, 0) * (1 - cell_fraction(mosaic)))[valid]
    cells, of_cells = cell_errors(mosaic, truth)
    return {
        "pixel": ((error[valid] ** 2).mean(), variance[valid].mean()),
        "inside": ((inside[valid] ** 2).mean(), own.mean()),
        "cell": (np.nanmean(cells**2), np.nanmean(of_cells)),
        "region": (level**2, region),
    }


def cell_fraction(mosaic: Mosaic) -> np.ndarray:
    """Of the variance that the region does not share, the part that a cell shares, (y, x), as the map states it."""
    fractions = (float(mosaic.attrs.get(name, 1.0)) for name in CELL_ERROR_ATTRIBUTES)
    return np.where(mosaic.flags & int(Flag.COARSE_OBSERVED), *fractions)


def cell_errors(mosaic: Mosaic, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors of cells less the mean of the region, m3 m-3, and the variance that the map states of what a cell shares,
    both (R, C); NaN where few pixels have a value."""
    error, variance = mosaic.ssm - truth, mosaic.sigma.astype(float) ** 2
    valid, ratio = np.isfinite(error) & np.isfinite(variance), mosaic.domain.ratio
    shared = np.maximum(variance - float(mosaic.attrs[REGION_ERROR_ATTRIBUTE]) ** 2, 0) * cell_fraction(mosaic)
    most = cell_mean(valid.astype(float), np.ones_like(valid), ratio) > LEAST_PART
    cells, stated = (np.where(most, cell_mean(np.where(valid, field, 0), valid, ratio), np.nan)
                     for field in (error - error[valid].mean(), shared))  # fmt: skip
    return cells, stated


def lasting(rng: np.random.Generator, number: int, part: float) -> np.ndarray:
    """Standard normal numbers (DAYS, number), of whose variance ``part`` lasts and the rest fades within days."""
    memory = np.exp(-1 / MEMORY_DAYS)
    fading = rng.normal(size=(DAYS, number))
    for day in range(1, DAYS):
        fading[day] = memory * fading[day - 1] + np.sqrt(1 - memory**2) * fading[day]
    return np.sqrt(part) * rng.normal(size=number) + np.sqrt(1 - part) * fading


def basin_correlations(masks: np.ndarray, range_km: float) -> np.ndarray:
    """What is left of an error of that range in the means of basins: their covariances, of which the diagonal is exact
    and the others are those of points ``THIN`` pixels apart."""
    exact = [mean_correlation(*np.nonzero(mask), np.full(mask.sum(), 1 / mask.sum()), (1.0, 1.0), range_km)
             for mask in masks]  # fmt: skip
    parts = masks.reshape(len(masks), SIDE // THIN, THIN, SIDE // THIN, THIN).sum((2, 4)).reshape(len(masks), -1)
    parts = (parts / parts.sum(1, keepdims=True)).astype("float32")
    y, x = (THIN * axis.ravel().astype("float32") for axis in np.mgrid[: SIDE // THIN, : SIDE // THIN])
    rough = (parts @ np.exp(-np.hypot(y[:, None] - y, x[:, None] - x) / range_km) @ parts.T).astype(float)
    scale = np.sqrt(exact / np.diag(rough))
    return rough * scale[:, None] * scale


def drawn_coverage(worlds: int, basins_each: int) -> np.ndarray:
    """The coverage (worlds,) of 90 % intervals of basin means in worlds whose errors are as stated."""
    rng = np.random.default_rng(5)
    radii, masks = zip(*basins.random_basins((SIDE, SIDE), basins_each), strict=True)
    inside, cell = (basin_correlations(np.array(masks), range_km) for range_km in (INSIDE_RANGE_KM, CELL_RANGE_KM))
    stated = (STATED["inside"] ** 2 * inside, STATED["cell"] ** 2 * cell)
    total = np.sqrt(sum(np.diag(part) for part in stated) + STATED["region"] ** 2)
    factors = [np.linalg.cholesky(part + 1e-6 * np.diag(np.diag(part))) for part in stated]
    out = []
    for _ in range(worlds):
        error = np.full((DAYS, len(masks)), STATED["region"] * rng.normal())
        for factor, part in zip(factors, (LASTING_INSIDE, LASTING_CELL), strict=True):
            error += lasting(rng, len(masks), part) @ factor.T
        held = (np.abs(error) < basins.Z90 * total).mean(0)
        out.append(np.mean([held[np.array(radii) == radius].mean() for radius in basins.RADII_KM]))
    return np.array(out)


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--families", default="A,B,C,D,E,F")
    parser.add_argument("--worlds", type=int, default=400)
    args = parser.parse_args(words)
    by_family = {}
    for family in args.families.split(","):
        by_family[family] = parts(args.folder, family)
        print(family, by_family[family], flush=True)
    coverage = drawn_coverage(args.worlds, 24)
    chance: dict[str, Any] = {f"{p} %": round(float(np.percentile(coverage, p)), 3) for p in (2.5, 5, 50, 95, 97.5)}
    chance |= {"mean": round(float(coverage.mean()), 3), "standard deviation": round(float(coverage.std()), 3),
               "worlds": args.worlds, "stated errors, m3 m-3": STATED,
               "part of worlds with 86 to 94 %": round(float((abs(coverage - 0.9) < 0.04).mean()), 3)}  # fmt: skip
    print(json.dumps(chance, indent=1))
    write_json(RESULTS, {
        "command": command_of("basin_errors.py", words, args.folder), "commit": commit_of(ROOT), "machine": machine(),
        "error over stated error": by_family, "coverage of one world whose errors are as stated": chance,
    })  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
