"""Dense stations as referees of the pattern inside coarse cells: what hardly any product is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ssm_net.evaluate.metrics.inside_cell import (
    StationSums,
    mean_of_others,
    others_with_value,
    scores_and_intervals,
)
from ssm_net.evaluate.referees.point_series import Series
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.peers.series import PeerSeries

LEAST_STATIONS = 4  # of a cell, on a day that counts
LEAST_DAYS = 10  # of a station: fewer make no mean of its own
NAMES = {"R static": "static r", "R dynamic": "dynamic r", "slope": "slope", "gain": "gain",
         "gain static": "static gain", "gain dynamic": "dynamic gain", "R": "r"}  # fmt: skip


def inside_cell_rows(series: Series, peers: Sequence[PeerSeries]) -> list[dict[str, Any]]:
    """A row of scores for the maps and each baseline, and for each peer with the maps on the peer's own days.

    Cells count that hold at least ``LEAST_STATIONS`` stations which report on a day; all maps of a group are judged on
    the same stations and days. ``intervals`` are [low, high], 95 %, over stations. Empty where no cell is so dense.
    """
    rows = _group(series, series.ssm, "")
    for peer in peers:
        rows += _group(series, {peer.name: peer.ssm, PRODUCT: series.ssm[PRODUCT]}, peer.name)
    return rows


def _group(series: Series, maps: Mapping[str, np.ndarray], days_of: str) -> list[dict[str, Any]]:
    known = np.isfinite(series.station)
    for values in maps.values():
        known &= np.isfinite(values)
    parts = list(_cells(series, maps, known))
    if not parts:
        return []
    true, station, days, footprints = (np.concatenate([part[n] for part in parts]) for n in range(4))
    _, number = np.unique(station, return_inverse=True)
    out = []
    for i, name in enumerate(maps):
        predicted = np.concatenate([part[4][i] for part in parts])
        scores, intervals = scores_and_intervals(StationSums.of(true, predicted, number))
        out.append({
            "maps": name, "days of": days_of, "cells": len(np.unique(footprints)), "stations": int(number.max()) + 1,
            "days": len(np.unique(days)), **{label: scores[key] for label, key in NAMES.items()},
            "intervals": {label: intervals[key] for label, key in NAMES.items()},
        })  # fmt: skip
    return out


def _cells(
    series: Series, maps: Mapping[str, np.ndarray], known: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]]:
    """Of each dense cell and each judged station and day: the true anomaly, the station's column, the day, the cell,
    and the anomaly of each map; (m,) each."""
    for cell in np.unique(series.footprints):
        at = np.flatnonzero(series.footprints == cell)
        at = at[known[:, at].sum(0) >= LEAST_DAYS]
        if len(at) < LEAST_STATIONS:
            continue
        station = np.where(known[:, at], series.station[:, at], np.nan)
        others = others_with_value(station)
        anomaly = station - mean_of_others(station, others, LEAST_STATIONS - 1)
        due = np.isfinite(anomaly)
        due &= due.sum(0) >= LEAST_DAYS
        if not due.any():
            continue
        t, i = np.nonzero(due)
        fields = [values[:, at] for values in maps.values()]
        predicted = [(f - mean_of_others(f, others, LEAST_STATIONS - 1))[due] for f in fields]
        yield anomaly[due], at[i], t, np.full(len(t), cell), predicted
