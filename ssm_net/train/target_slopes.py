"""The regional slopes of a target: from its coarse record and, where there are any, from stations that share a cell.

Two stations of a cell see what no coarse observation can: which features carry moisture inside it. Their contrasts are
observations of the same slopes, so that stations of one cell improve the pattern in the next.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ssm_net.cube.store import Cube
from ssm_net.inputs.channels import channels
from ssm_net.inputs.reading import read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES, Scaling
from ssm_net.model.regional_slopes import Contrasts, PointContrasts, SlopeEvidence
from ssm_net.train.training_stations import TrainingStation


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
        kept = {*cube.days_with_pixels()}
        evidence = evidence + station_evidence(cube, scaling, [day for day in days if day in kept], stations)
    return evidence.slopes(torch.isfinite(features).flatten(2).any(2).any(0))


def station_evidence(
    cube: Cube, scaling: Scaling, days: Sequence[dt.date], stations: Sequence[TrainingStation]
) -> SlopeEvidence:
    """What contrasts between stations of the same cell say of the slopes."""
    points = []
    for day in days:
        if cells := _by_cell(cube, day, stations):
            background = read_coarse(cube, day, 1, NO_FEATURES).background
            for together in cells:
                x = torch.stack([_features(cube, scaling, day, station, background) for _, station in together])
                y = torch.tensor([station.value[day] for _, station in together])
                points.append(PointContrasts.of(x, y, torch.tensor([number for number, _ in together])))
    return SlopeEvidence.of_points(points) if points else SlopeEvidence.none(len(scaling.names))


def _by_cell(cube: Cube, day: dt.date, stations: Sequence[TrainingStation]) -> list[list[tuple[int, TrainingStation]]]:
    """The numbered stations that report on ``day``, cell by cell, of cells with at least two."""
    ratio = cube.domain.ratio
    cells: dict[tuple[int, int], list[tuple[int, TrainingStation]]] = {}
    for i, station in enumerate(stations):
        if np.isfinite(station.value.get(day, np.nan)):
            cells.setdefault((station.row // ratio, station.col // ratio), []).append((i, station))
    return [together for together in cells.values() if len(together) > 1]


def _features(
    cube: Cube, scaling: Scaling, day: dt.date, station: TrainingStation, background: Mapping[str, Tensor]
) -> Tensor:
    """The normalised features of a station's pixel, (F,), 0 where missing; ``background`` as of ``CoarseDay``."""
    window = (station.row, station.row + 1, station.col, station.col + 1)
    pixels = read_stored(cube, day, window, usable(cube, scaling.present), background)
    return channels(pixels, scaling)[:, 0, 0]
