"""The coarse observation as a referee: footprint means of the maps against it, and how old it is.

Agreement with it is consistency, not skill: the observation has an error of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.store import Cube
from ssm_net.evaluate.metrics.algebra import Metric
from ssm_net.evaluate.metrics.error import Bias, Correlation, Count, Rmse, UnbiasedRmse
from ssm_net.evaluate.metrics.statistics import Moments
from ssm_net.formats.product import Mosaic

DAYS_BEFORE = 30  # days before the first that are searched for the last observation
NEVER = 10**6  # days: the age where no observation is known

METRICS: tuple[Metric, ...] = (Count("cells"), Bias(), Rmse("RMSD"), UnbiasedRmse("ubRMSD"), Correlation())


def coarse_observation(cube: Cube, day: dt.date) -> np.ndarray | None:
    """The coarse soil moisture of ``day``, (R, C) m3 m-3 with NaN where unobserved; None where there is none at all."""
    if "ssm" not in cube.coarse or not cube.done(day):
        return None
    values = cube.read_coarse("ssm", day)
    return values if np.isfinite(values).any() else None


def footprint_mean(field: np.ndarray, footprint: ObservationOperator) -> np.ndarray:
    """Mean over the land of each footprint, (R, C), NaN where the field is known on less than half of it."""
    return footprint.mean(torch.from_numpy(field), least=0.5).numpy()


def coarse_consistency(mosaic: Mosaic, observed: np.ndarray, footprint: ObservationOperator) -> Moments:
    """Footprint means of the mosaic against the coarse observation, (R, C) m3 m-3, where a cell is half land."""
    return agreement(footprint_mean(mosaic.ssm, footprint), observed)


def agreement(mean: np.ndarray, observed: np.ndarray) -> Moments:
    """Footprint means against the coarse observation, (R, C) m3 m-3 each, where both are known."""
    return Moments.of(observed, mean, np.isfinite(observed) & np.isfinite(mean))


def coarse_rows(coarse: Mapping[str, Moments]) -> list[dict[str, Any]]:
    """Footprint means of each method against the coarse observation, a row a method."""
    return [{"method": name, **{m.name: m.value(sums) for m in METRICS}} for name, sums in coarse.items()]


def observation_ages(cube: Cube, days: Sequence[dt.date]) -> Iterator[np.ndarray]:
    """Of each of ``days`` (in order) the days since each cell was last observed, (R, C) int."""
    last = np.full(cube.domain.coarse_shape, -NEVER)
    day = days[0] - dt.timedelta(DAYS_BEFORE)
    for scored in days:
        while day <= scored:
            if "ssm" in cube.coarse and cube.done(day):
                last[np.isfinite(cube.read_coarse("ssm", day))] = day.toordinal()
            day += dt.timedelta(1)
        yield scored.toordinal() - last
