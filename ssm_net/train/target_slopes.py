"""The regional slopes of a target: from its coarse record and, where there are any, from stations that share a cell.

Two stations of a cell see what no coarse observation can: which features carry moisture inside it. Their contrasts are
observations of the same slopes, so that stations of one cell improve the pattern in the next.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ssm_net.cube.store import Cube
from ssm_net.inputs.channels import channels
from ssm_net.inputs.reading import read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES, Scaling
from ssm_net.model.grouped_regression import grouped_normal_equations
from ssm_net.model.regional_slopes import Contrasts, SlopeEvidence
from ssm_net.train.training_stations import TrainingStation

STATION_BIAS, STATION_ERROR = 0.045, 0.046  # m3 m-3: of a point in a pixel, constant and from day to day


def target_slopes(
    cube: Cube, scaling: Scaling, days: Sequence[dt.date], labels: np.ndarray, stations: Sequence[TrainingStation] = ()
) -> Tensor:
    """The slopes (F,) m3 m-3 a standard deviation, 0 where a feature is missing, of the observations of ``days`` in
    cells where ``labels`` (R, C) is true."""
    ssm, cells = [], []
    for day in days:
        coarse = read_coarse(cube, day, 1, scaling)
        known = torch.from_numpy(labels) & (coarse.land > 0.5)
        ssm.append(torch.where(known, coarse.ssm[0], torch.nan))
        cells.append(coarse.features)
    features = torch.stack(cells)
    evidence = SlopeEvidence.of(Contrasts.of(torch.stack(ssm), features))
    if stations:
        evidence = evidence + station_evidence(cube, scaling, days, stations)
    return evidence.slopes(torch.isfinite(features).flatten(2).any(2).any(0))


def station_evidence(
    cube: Cube, scaling: Scaling, days: Sequence[dt.date], stations: Sequence[TrainingStation]
) -> SlopeEvidence:
    """What contrasts between stations of the same cell say of the slopes."""
    rows, values, number = [], [], []
    for day in days:
        for together in _by_cell(cube, day, stations):
            x = torch.stack([_features(cube, scaling, day, station) for _, station in together])
            y = torch.tensor([station.value[day] for _, station in together])
            n = len(together)
            # The mean of the others is what the pixel would be given without a pattern.
            rows.append((x - x.mean(0)) * n / (n - 1))
            values.append((y - y.mean()) * n / (n - 1))
            number += [i for i, _ in together]
    if not rows:
        f = len(scaling.names)
        return SlopeEvidence(torch.zeros(f, f, dtype=torch.float64), torch.zeros(f, dtype=torch.float64))
    return SlopeEvidence(*grouped_normal_equations(
        torch.cat(rows).double(), torch.cat(values).double(), torch.tensor(number), STATION_ERROR, STATION_BIAS
    ))  # fmt: skip


def _by_cell(cube: Cube, day: dt.date, stations: Sequence[TrainingStation]) -> list[list[tuple[int, TrainingStation]]]:
    """The numbered stations that report on ``day``, cell by cell, of cells with at least two."""
    ratio = cube.domain.ratio
    cells: dict[tuple[int, int], list[tuple[int, TrainingStation]]] = {}
    for i, station in enumerate(stations):
        if np.isfinite(station.value.get(day, np.nan)):
            cells.setdefault((station.row // ratio, station.col // ratio), []).append((i, station))
    return [together for together in cells.values() if len(together) > 1]


def _features(cube: Cube, scaling: Scaling, day: dt.date, station: TrainingStation) -> Tensor:
    """The normalised features of a station's pixel, (F,), 0 where missing."""
    window = (station.row, station.row + 1, station.col, station.col + 1)
    background = read_coarse(cube, day, 1, NO_FEATURES).background
    pixels = read_stored(cube, day, window, usable(cube, scaling.present), background)
    return channels(pixels, scaling)[:, 0, 0]
