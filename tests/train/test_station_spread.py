"""Stations that share a cell measure the error inside it: the more of them, the more they count."""

from __future__ import annotations

import pytest
import torch

from ssm_net.model.regional_slopes import POINT_BIAS, POINT_ERROR
from ssm_net.train.last_layer import DesignRows, StationValues
from ssm_net.train.station_spread import MOST, inside_factor

STATED = 0.03  # m3 m-3, inside cells


def stations(cells: int, of_each: int, factor: float, days: int = 40, lasting: float = 0.0) -> StationValues:
    """Stations of cells whose error inside has ``factor`` times the stated variance; a cell's own error is 0.05."""
    g = torch.Generator().manual_seed(cells + of_each)
    station = torch.arange(cells * of_each).repeat_interleave(days)
    cell, day = station // of_each, torch.arange(days).repeat(cells * of_each)
    number, n = cells * of_each, len(station)
    inside = factor**0.5 * STATED * torch.randn(number, generator=g)[station]
    point = POINT_BIAS * torch.randn(number, generator=g)[station] + POINT_ERROR * torch.randn(n, generator=g)
    shared = 0.05 * torch.randn(cells, days, generator=g)[cell, day]
    mean = torch.full((n,), 0.2)
    rows = DesignRows(torch.zeros(n, 3), mean, torch.full((n,), STATED**2), torch.empty(0), torch.empty(0))
    return StationValues(mean + inside + point + shared + lasting, station, cell, day, (rows, rows))


@pytest.mark.parametrize("factor", [1.5, 3.0])
def test_many_stations_find_the_factor(factor: float) -> None:
    assert inside_factor(stations(400, 5, factor), 1.1) == pytest.approx(factor, rel=0.2)


def test_few_stations_hardly_move_it() -> None:
    few, many = inside_factor(stations(1, 5, 3.0), 1.1), inside_factor(stations(400, 5, 3.0), 1.1)
    assert abs(few - 1.1) < 0.5 * abs(many - 1.1)


def test_stations_alone_in_their_cells_say_nothing() -> None:
    assert inside_factor(stations(50, 1, 3.0), 1.1) == 1.1


def test_what_all_stations_share_is_no_error_inside_cells() -> None:
    """A network that reads too wet everywhere does not widen the intervals inside cells."""
    assert inside_factor(stations(60, 5, 1.0, lasting=0.2), 1.1) == pytest.approx(
        inside_factor(stations(60, 5, 1.0), 1.1), abs=1e-4
    )


def test_the_factor_stays_within_limits() -> None:
    assert inside_factor(stations(200, 5, 0.0), 1.1) == pytest.approx(1.1)  # never below what is expected
    assert 3 < inside_factor(stations(200, 5, 400.0), 1.1) <= MOST
