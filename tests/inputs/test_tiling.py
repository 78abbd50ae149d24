"""Tiles beside each other, joined for a GPU: all of them once, in their order, never more pixels than fit."""

from __future__ import annotations

import itertools

import pytest

from ssm_net.inputs.tiling import joined, tiles, window_of


def pixels(window: tuple[int, int, int, int]) -> int:
    return (window[1] - window[0]) * (window[3] - window[2])


@pytest.mark.parametrize("most", [0, 144 * 144, 144 * 400, 10**9])
def test_all_tiles_are_there_once_and_in_order(most: int) -> None:
    wanted = tiles((10, 23), 36, 4, lambda cells: cells[2] not in (8, 16))
    groups = joined(wanted, most)
    assert list(itertools.chain(*groups)) == wanted
    for group in groups:
        assert sum(pixels(t.pixels) for t in group) == pixels(window_of(group))  # no gap, one row
        assert len(group) == 1 or pixels(window_of(group)) <= most


def test_a_row_is_one_where_it_fits() -> None:
    assert [len(group) for group in joined(tiles((8, 20), 36, 4), 10**9)] == [5, 5]
    assert [len(group) for group in joined(tiles((8, 20), 36, 4), 2 * 144 * 144)] == [2, 2, 1, 2, 2, 1]
