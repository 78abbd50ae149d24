"""All answers of an evaluation, in the order of the questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.evaluate.answers.answer import COARSE, Answer
from ssm_net.evaluate.answers.of_maps import consistency_answer, coverage_answer
from ssm_net.evaluate.answers.of_stations import StationPairs, change_by_station, station_answers
from ssm_net.evaluate.answers.of_truth import change_by_cell, errors, truth_answers
from ssm_net.evaluate.daily_pass import Evaluation
from ssm_net.evaluate.referees.stations import StationRow
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.grid import Domain


def answers(result: Evaluation, stations: Sequence[StationRow], domain: Domain) -> list[Answer]:
    """By the truth, by stations, and those that need neither."""
    return [
        *truth_answers(result.scores, domain.coarse_shape),
        *station_answers(result.series, stations),
        *consistency_answer(result.consistency, domain.coarse_shape),
        *coverage_answer(result.coverage),
    ]


@dataclass(frozen=True)
class GainPlaces:
    """Where the maps are better: the change of the error against the coarse product as a fraction, below 0 better.

    ``cells`` (R, C) by coarse cell or block of cells by the truth, with edges ``lon`` (C + 1,) and ``lat`` (R + 1,) in
    degrees; None without a truth. ``stations`` maps labels to longitude, latitude and change.
    """

    cells: np.ndarray | None
    lon: np.ndarray
    lat: np.ndarray
    stations: dict[str, tuple[float, float, float]]


def places(result: Evaluation, stations: Sequence[StationRow], domain: Domain) -> GainPlaces:
    """Empty where the coarse product was not scored."""
    record, pairs = errors(result.scores, domain.coarse_shape), StationPairs.of(result.series, stations)
    cells = change_by_cell(record) if record is not None and f"{COARSE} ee" in record.sums else None
    rows, cols = domain.coarse_shape if cells is None else cells.shape
    lon, lat = domain.lonlat()
    x, y = (np.interp(np.linspace(0, n, parts + 1), np.arange(n) + 0.5, values, left=values[0], right=values[-1])
             for values, n, parts in ((lon, lon.size, cols), (lat, lat.size, rows)))  # fmt: skip
    at: dict[str, tuple[float, float, float]] = {}
    if pairs is not None and COARSE in pairs.ssm and PRODUCT in pairs.ssm:
        for column, change in zip(pairs.columns, change_by_station(pairs), strict=True):
            point = result.series.points[column]
            at[point.label] = (point.lon, point.lat, float(change))
    return GainPlaces(cells, x, y, at)
