"""Means over days: whether their intervals hold the truth.

    python bench/climate.py FOLDER [--families A,B,C,D,E,F] [--days 30]

Makes the worlds and maps of ``python bench/extract.py coverage FOLDER`` where they are not in FOLDER yet, and monthly
means of the maps by ``ssm_net.monthly_means`` itself. The interval of a pixel is mean +- 1.645 standard errors; it is
compared with the mean of the truth over the days on which the pixel has a value. Numbers go to
bench/results/climate.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from provenance import ROOT, command_of, commit_of, machine

import extract as basins
import ssm_net
from ssm_net.climate.time_correlation import LASTING_CELL, LASTING_INSIDE, MEMORY_DAYS
from ssm_net.core.days import ONE_DAY
from ssm_net.cube.json_files import write_json
from ssm_net.formats.truth import Truth

RESULTS = ROOT / "bench" / "results" / "climate.json"
LEAST_DAYS = 10  # with a value, for the mean of a month to count


def z_scores(folder: Path, truth: Truth) -> np.ndarray:
    """(Mean less truth) over the stated standard error, of each pixel and month."""
    maps = ssm_net.open_mosaics(folder / "mosaics")
    out = []
    for file in ssm_net.monthly_means(folder / "mosaics", folder / "climate"):
        with xr.open_dataset(file) as month:
            mean = month.isel(time=0).load()
            first, end = (day.astype("datetime64[D]").item() for day in month.time_bounds.values[0])
        of_month = maps.sel(time=slice(str(first), str(end - ONE_DAY)))
        total, days = np.zeros(mean.ssm.shape), np.zeros(mean.ssm.shape)
        for n, day in enumerate(of_month.time.values.astype("datetime64[D]")):
            field = truth.read(day.item())
            valid = of_month.ssm[n].notnull().values & np.isfinite(field)  # the truth lacks a few pixels at lakes
            total += np.where(valid, field, 0)
            days += valid
        counts = (days >= LEAST_DAYS) & (days == mean.number_of_days.values)
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (mean.ssm.values - total / days) / mean.ssm_uncertainty.values
        out.append(z[counts])
    return np.concatenate(out)


def coverage(folder: Path, families: Sequence[str], days: int) -> dict[str, Any]:
    """The share of 90 % intervals of monthly means that hold the truth, by family."""
    table = {}
    for family in families:
        z = z_scores(folder / family, basins.mapped_world(folder / family, family, days))
        table[family] = {
            "held": round(float((np.abs(z) < basins.Z90).mean()), 3),
            "rms of z": round(float(np.sqrt(np.mean(z**2))), 2),
            "means": int(z.size),
        }
        print(family, table[family], flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--families", default="A,B,C,D,E,F")
    args = parser.parse_args()
    torch.set_num_threads(1)
    result = {
        "command": command_of("climate.py", sys.argv[1:], args.folder), "commit": commit_of(ROOT), "machine": machine(),
        "days": args.days, "lasting inside": LASTING_INSIDE, "lasting of cells": LASTING_CELL,
        "memory, days": MEMORY_DAYS,
        "coverage of 90 % intervals": coverage(args.folder, args.families.split(","), args.days),
    }  # fmt: skip
    write_json(RESULTS, result)
    print(json.dumps(result["coverage of 90 % intervals"], indent=1))


if __name__ == "__main__":
    main()
