"""Validity of a world: its statistics, printed with each one next to the range that is known from observations.

Source of the ranges: reviews of soil moisture variability (Famiglietti et al. 2008) and observing-system studies.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ssm_net.core.files import write_whole
from ssm_net.grid import block_mean, expand
from ssm_net.simulate.point_series import station_table
from ssm_net.simulate.point_table import REAL, PointSeries
from ssm_net.simulate.truth import OPEN_WATER
from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.land import Land
from ssm_net.simulate.world.overpass import WorldDay

SPARSE_NDVI, DENSE_NDVI = 0.35, 0.5  # NDVI
MEMORY_DAYS = 20  # days below which the memory of soil moisture cannot be estimated
CLASSES = ("clear, sparse", "clear, dense", "cloud")


@dataclass(frozen=True)
class DayStatistics:
    """Statistics of a day: cell means and sub-grid standard deviations (R, C), a sample of pixels, moments by class."""

    cell_mean: Array
    subgrid_std: Array
    sample: Array
    moments: NDArray[np.float64]  # (class, [n, xx, yy, xy]) of sub-grid anomalies of LST and SSM
    cloud: float
    coarse_error: Array  # retrieved minus cell mean, NaN in gaps
    rain: float


@dataclass(frozen=True)
class Check:
    name: str
    value: float
    low: float
    high: float
    unit: str = ""

    @property
    def ok(self) -> bool:
        """Whether the value is within the range, or could not be computed."""
        return math.isnan(self.value) or self.low <= self.value <= self.high


def observe_day(land: Land, day: WorldDay, coarse: Array) -> DayStatistics:
    """The statistics of one day; ``coarse`` as retrieved, (R, C)."""
    ratio = land.domain.ratio
    ssm = torch.from_numpy(np.where(land.water <= OPEN_WATER, day.night.ssm, np.nan).astype(np.float32))
    mean = block_mean(ssm, ratio)
    variance = block_mean((ssm - expand(mean, ratio)) ** 2, ratio)
    clear, soil = day.noon.margin > 0, land.water < 0.02
    masks = (clear & (day.ndvi < SPARSE_NDVI), clear & (day.ndvi > DENSE_NDVI), ~clear)
    moments = np.array([_moments(day.noon.lst, day.night.ssm, mask & soil, ratio) for mask in masks])
    stride = max(1, ssm.numel() // 5000)
    return DayStatistics(
        mean.numpy(),
        variance.sqrt().numpy(),
        ssm.numpy().ravel()[::stride],
        moments,
        1 - float(0.5 * (clear.mean() + (day.night.margin > 0).mean())),
        coarse - mean.numpy(),
        float(day.rain.mean()),
    )


def _moments(lst: Array, ssm: Array, mask: NDArray[np.bool_], ratio: int) -> list[float]:
    """Second moments of LST and SSM about their means over the class's pixels of each cell."""
    x, y = (torch.from_numpy(np.where(mask, f, np.nan).astype(np.float64)) for f in (lst, ssm))
    x, y = (f - expand(block_mean(f, ratio), ratio) for f in (x, y))
    sums = (float(torch.nansum(a)) for a in (x * x, y * y, x * y))
    return [float(mask.sum()), *sums]


def ground(land: Land) -> list[Check]:
    """The rows of the table on static maps."""
    return [
        Check("lakes", 100 * float(land.water.mean()), 1, 6, "%"),
        Check("irrigated fields", 100 * float((land.fields > 0).mean()), 4, 20, "%"),
    ]


def summary_checks(days: Sequence[DayStatistics]) -> list[Check]:
    """The rows of the table on ``days``, in order."""
    cells = np.stack([d.cell_mean for d in days])
    sample = np.stack([d.sample for d in days])
    sample = sample[:, np.isfinite(sample).all(0)]
    error = np.stack([d.coarse_error for d in days])
    anomaly = sample - sample.mean(0)
    lag = (
        float((anomaly[1:] * anomaly[:-1]).mean() / max((anomaly**2).mean(), 1e-12))
        if len(days) >= MEMORY_DAYS
        else math.nan
    )
    memory = -1 / math.log(lag) if 0 < lag < 1 else math.nan
    n, xx, yy, xy = np.stack([d.moments for d in days]).sum(0).T
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(n > 30, xy / np.sqrt(xx * yy), np.nan)
    ranges = ((-0.7, -0.3), (-0.5, 0.1), (-0.35, 0.1))
    return [
        Check("mean soil moisture", float(np.nanmean(cells)), 0.08, 0.3, "m3 m-3"),
        Check("std of cell means", float(np.nanstd(cells)), 0.05, 0.08, "m3 m-3"),
        Check("std inside cells", float(np.nanmean([d.subgrid_std for d in days])), 0.035, 0.06, "m3 m-3"),
        Check("error of the coarse product", float(np.sqrt(np.nanmean(error**2))), 0.03, 0.05, "m3 m-3"),
        *(
            Check(f"LST-SSM correlation inside cells: {name}", float(r), *span)
            for name, r, span in zip(CLASSES, correlation, ranges, strict=True)
        ),
        Check("memory", memory, 3, 10, "days"),
        Check("cloud", 100 * float(np.mean([d.cloud for d in days])), 45, 65, "%"),
        Check("orbit gaps", 100 * float(np.isnan(error).mean()), 20, 40, "%"),
        Check("rain", float(np.mean([d.rain for d in days])), 0.3, 6, "mm d-1"),
    ]


def report_points(points: PointSeries, seed: int, path: Path, console: Console) -> None:
    """Print the table of points inside cells beside its real values, and write it to ``path`` as JSON."""
    rows = station_table(points, seed)
    table = Table(title="Points inside cells", title_justify="left")
    for column in ("quantity", "world", "Yanco"):
        table.add_column(column, justify="left" if column == "quantity" else "right")
    for name, value in rows.items():
        table.add_row(name, "n/a" if math.isnan(value) else f"{value:.3g}", f"{REAL[name]:.3g}")
    console.print(table)
    finite = {name: None if math.isnan(value) else value for name, value in rows.items()}
    write_whole(path, (json.dumps(finite, indent=1) + "\n").encode())


def report(checks: Sequence[Check], path: Path, console: Console) -> None:
    """Print the table, and write it to ``path`` as JSON."""
    table = Table(title="Validity of the world", title_justify="left")
    for column in ("quantity", "value", "range", ""):
        table.add_column(column, justify="left" if column == "quantity" else "right")
    for c in checks:
        shown = "n/a" if math.isnan(c.value) else f"{c.value:.3g}"
        table.add_row(c.name, f"{shown} {c.unit}".strip(), f"{c.low:g} .. {c.high:g}", "ok" if c.ok else "outside")
    console.print(table)
    rows = [{**asdict(c), "value": None if math.isnan(c.value) else c.value, "ok": c.ok} for c in checks]
    write_whole(path, (json.dumps(rows, indent=1) + "\n").encode())
