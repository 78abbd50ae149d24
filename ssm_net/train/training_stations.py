"""Stations that training learns from: their pixels and their values at the time of the coarse observation."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from ssm_net.cube.store import Cube
from ssm_net.inputs.split import Split
from ssm_net.train.devices import console
from ssm_net.train.errors import TrainingError


@dataclass(frozen=True)
class TrainingStation:
    """A station to learn from: its pixel, and its value (m3 m-3, NaN where none) on each training day."""

    name: str
    row: int
    col: int
    value: dict[dt.date, float]


def read_training_stations(source: Path, cube: Cube, parts: Split) -> list[TrainingStation]:
    """The stations of an ISMN folder or archive in cells that are not held out; the others are left for evaluation.

    Raises ``TrainingError`` where there is none.
    """
    from ssm_net.stations.ismn import read_stations
    from ssm_net.stations.matching import at_overpass, station_points, surface_sensors

    points, _ = station_points(surface_sensors(read_stations(source)), cube.domain)
    stations = []
    for p in points:
        if p.station is None or parts.held_cells[p.row // cube.domain.ratio, p.col // cube.domain.ratio]:
            continue
        values = at_overpass(p.station.time, p.station.value, parts.train_days, p.lon)
        value = dict(zip(parts.train_days, values.tolist(), strict=True))
        stations.append(TrainingStation(p.label, p.row, p.col, value))
    if not stations:
        raise TrainingError(f"stations={source}: none lies in {cube.domain.name} outside the cells held out")
    console.print(f"learning from {len(stations)} of {len(points)} stations; the others lie in cells that are held out")
    return stations
