"""Inpainting with a membrane prior, and the distance to data."""

import math

import pytest
import torch

from ssm_net.lst.inpainting import block_side, distance_to_data, inpaint, neighbour_mean

SHAPE = (72, 108)


def seen_outside(rows: slice, cols: slice) -> torch.Tensor:
    weight = torch.ones(SHAPE)
    weight[rows, cols] = 0
    return weight


def test_a_constant_is_kept_and_a_slope_goes_on_across_a_gap() -> None:
    weight = seen_outside(slice(20, 50), slice(30, 60))
    assert torch.allclose(inpaint(torch.full(SHAPE, 4.0), weight), torch.tensor(4.0), atol=0.01)
    slope = torch.linspace(0, 10, SHAPE[1]).expand(SHAPE)
    error = (inpaint(slope, weight) - slope)[weight == 0]
    assert float(error.abs().max()) < 0.1  # a mean of the surroundings is off by 1.5


def test_nothing_leaks_out_of_what_is_not_seen() -> None:
    weight = seen_outside(slice(0, 40), slice(0, 108))
    values = torch.where(weight > 0, 2.0, torch.nan)
    assert torch.allclose(inpaint(values, weight), torch.tensor(2.0), atol=0.01)
    assert bool((inpaint(values, torch.zeros(SHAPE)) == 0).all())


def test_an_observation_of_less_weight_counts_less() -> None:
    values = torch.zeros(SHAPE)
    values[:, ::2] = 1.0
    light = torch.ones(SHAPE)
    light[:, ::2] = 0.1
    believed, doubted = inpaint(values, torch.ones(SHAPE)), inpaint(values, light)
    assert float(doubted[:, ::2].mean()) < float(believed[:, ::2].mean()) - 0.2
    assert float(doubted[:, 1::2].abs().max()) < 0.1  # those that are not doubted stay as they are


def test_distance_to_data_grows_into_a_gap() -> None:
    seen = seen_outside(slice(0, 72), slice(40, 108)) > 0
    distance = distance_to_data(seen, 36)[36]
    assert float(distance[:20].max()) < 0.2 and float(distance[-1]) > 0.7
    assert bool((distance[44:].diff() >= -1e-3).all())
    assert float(distance_to_data(torch.zeros(SHAPE, dtype=torch.bool), 36).min()) == pytest.approx(1.0)


def test_the_mean_around_a_pixel_knows_only_what_has_weight() -> None:
    field, weight = torch.zeros(SHAPE), torch.zeros(SHAPE)
    field[10, 10], weight[10, 10] = 9.0, 1.0
    field[50, 50] = math.nan
    mean = neighbour_mean(field, weight)
    assert float(mean[11, 11]) == 9.0 and float(mean[12, 10]) == 0.0 and bool(torch.isfinite(mean).all())


def test_a_block_divides_a_cell() -> None:
    assert [block_side(36, x) for x in (0.5, 2, 5, 18, 99)] == [1, 2, 4, 18, 36]
    assert block_side(25, 2) == 1
