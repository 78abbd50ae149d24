"""How good the maps are the longer ago the radiometer saw a place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.cube.store import Cube
from ssm_net.evaluate.metrics.statistics import Intervals, Moments, Sums
from ssm_net.formats.product import Mosaic

BINS = {"0": (0, 0), "1": (1, 1), "2-3": (2, 3), "4-7": (4, 7), "8-14": (8, 14), "> 14": (15, 10**6)}
BACK = 30  # days before the first that are looked through


@dataclass(frozen=True)
class GapScore(Sums):
    """The map against the truth where the last observation is as old as the bin says."""

    value: Moments
    intervals: Intervals

    def row(self) -> dict[str, float | int]:
        v, i = self.value, self.intervals
        return {"n": int(v.n), "RMSE": float(v.rmse), "bias": float(v.bias), "stated uncertainty": i.spread,
                "coverage 68": i.coverage_at(0.68), "coverage 90": i.coverage_at(0.9)}  # fmt: skip


def ages(cube: Cube, days: Sequence[dt.date]) -> Iterator[np.ndarray]:
    """Of each of ``days`` (in order) the days since each cell was last observed, (R, C)."""
    last = np.full(cube.domain.coarse_shape, -(10**6))
    day = days[0] - dt.timedelta(BACK)
    for want in days:
        while day <= want:
            if "ssm" in cube.coarse and cube.done(day):
                last[np.isfinite(cube.read_coarse("ssm", day))] = day.toordinal()
            day += dt.timedelta(1)
        yield want.toordinal() - last


def score_gaps(truth: np.ndarray, mosaic: Mosaic, age: np.ndarray, land: np.ndarray, ratio: int) -> dict[str, GapScore]:
    """Scores of a day by bin of ``age`` (R, C); ``truth`` and ``land`` are (y, x)."""
    where = land & np.isfinite(truth) & np.isfinite(mosaic.ssm)
    age = age.repeat(ratio, 0).repeat(ratio, 1)
    out = {}
    for name, (low, high) in BINS.items():
        part = where & (age >= low) & (age <= high)
        if part.any():
            out[name] = GapScore(Moments.of(truth, mosaic.ssm, part),
                                 Intervals.of(truth, mosaic.ssm, mosaic.sigma, part))  # fmt: skip
    return out
