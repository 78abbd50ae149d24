"""The error of a trained model, measured on observations that it was not fitted to, and the calibration from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ssm_net.cube.store import Cube
from ssm_net.estimators.calibration import Calibration, Innovations, calibrate
from ssm_net.inputs.split import Split
from ssm_net.train.errors import TrainingError
from ssm_net.train.last_layer import Observations, design_rows, evenly_chosen
from ssm_net.train.start import Start
from ssm_net.train.station_spread import inside_factor
from ssm_net.train.training_stations import TrainingStation

CORRELATED_CELLS = 4  # cells a side that share a lasting bias of the sensor
# By how much the squared error inside cells exceeds the stated variance in worlds whose laws a prior has not seen:
# 0.99 and 1.21, of a prior without family B in worlds between B and C, and without A in worlds between A and C.
UNSEEN_LAWS = 1.1


@dataclass(frozen=True)
class Withheld:
    """What withheld observations say of a model: their ``innovations``, and the factor of the variance ``inside``
    cells, from stations that share a cell where there are any."""

    innovations: Innovations
    inside: float


def measure_withheld(start: Start, cube: Cube, parts: Split, stations: Sequence[TrainingStation] = ()) -> Withheld:
    """Innovations of the days held out, and of the training days in the cells held out; of all cells where the networks
    start from a prior, which has hardly been fitted to these observations. The ``stations`` are those of training: they
    moved the pattern by a few weights only.

    Raises ``TrainingError`` where no observation was withheld.
    """
    all_cells = np.ones_like(parts.held_cells)
    withheld = [(parts.train_days, all_cells if start.prior else parts.held_cells), (parts.held_days, all_cells)]
    observed = [
        design_rows(start.network, cube, start.scaling, evenly_chosen(days), cells, lags=start.model.lags,
                    stations=stations, ablation=start.ablation)
        for days, cells in withheld
    ]  # fmt: skip
    several = [rows for rows in observed if rows is not None]
    if not several:
        raise TrainingError("nothing was held out to measure the background error on; raise validation_fraction")
    inside = UNSEEN_LAWS if start.prior else 1.0
    for rows in several:
        if rows.stations is not None and start.prior:
            inside = inside_factor(rows.stations, inside)
    return Withheld(Innovations.joined([innovations(rows) for rows in several]), inside)


def innovations(observations: Observations) -> Innovations:
    """Observations against the committee's mean, and the variance it states."""

    def committee(mean: str, variance: str) -> tuple[torch.Tensor, torch.Tensor]:
        means = torch.stack([getattr(rows, mean) for rows in observations.rows])
        variances = torch.stack([getattr(rows, variance) for rows in observations.rows])
        return means.mean(0), variances.mean(0) + means.var(0, correction=0)

    mean, variance = committee("mean", "variance")
    mean_hidden, variance_hidden = committee("mean_day_hidden", "variance_day_hidden")
    value = observations.value
    return Innovations(
        value - mean, observations.sigma, variance, observations.seen, value - mean_hidden, variance_hidden
    )  # fmt: skip


def calibrated(withheld: Withheld, start: Start, cube: Cube) -> Calibration:
    """The calibration from innovations on withheld observations. A prior's variances are never scaled down."""
    rows, cols = cube.domain.coarse_shape
    # Neighbours within 4 cells share the sensor's lasting bias; its mean over the domain is an error of the level.
    level = float(start.ablation.sensor_bias / math.sqrt(max(1.0, rows * cols / CORRELATED_CELLS**2)))
    least = 1.0 if start.prior else 0.0
    return calibrate(withheld.innovations, least=least, inside=withheld.inside, level=level)


def scores(withheld: Innovations) -> dict[str, float | int]:
    """RMSE and bias of the innovations (m3 m-3) and their number."""
    i = withheld.innovation
    return {"innovation_rmse": float((i**2).mean().sqrt()), "innovation_bias": float(i.mean()), "observations": len(i)}
