"""Maps state which part of their error a cell shares, so that a mean over a basin can be given its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ssm_net.formats.product import Flag
from ssm_net.infer.error_parts import ErrorParts


def test_the_shared_part_is_that_of_valid_pixels_by_observation() -> None:
    parts = ErrorParts(region_sigma=0.01)
    shared = torch.tensor([[1.0, 3.0], [2.0, 9.0]]) * 1e-4
    local = torch.tensor([[2.0, 2.0], [3.0, torch.nan]]) * 1e-4  # with the region's 1e-4
    flags = np.array([[Flag.COARSE_OBSERVED, Flag.ORBIT_GAP_FILLED], [Flag.COARSE_OBSERVED, 0]], np.uint16)
    parts.add(shared, local, np.array([[True, True], [True, True]]), flags)
    stated = parts.attributes()
    assert stated["uncertainty_region"] == pytest.approx(0.01)
    assert stated["uncertainty_cell_observed"] == pytest.approx(3 / 6)
    assert stated["uncertainty_cell_gap"] == pytest.approx(3 / 4)


def test_the_parts_do_not_depend_on_the_tiles() -> None:
    rng = np.random.default_rng(0)
    shared, local = (torch.from_numpy(rng.uniform(size=(60, 60)).astype("float32")) * 1e-3 for _ in range(2))
    flags = np.full((60, 60), Flag.COARSE_OBSERVED, np.uint16)
    valid = rng.uniform(size=(60, 60)) > 0.3
    whole, tiled = ErrorParts(0.0), ErrorParts(0.0)
    whole.add(shared, local, valid, flags)
    for rows in (slice(0, 24), slice(24, 60)):
        tiled.add(shared[rows], local[rows], valid[rows], flags[rows])
    assert whole.attributes() == tiled.attributes()


def test_a_day_without_orbit_gaps_states_no_part_of_them() -> None:
    parts = ErrorParts(0.0)
    one = torch.full((2, 2), 1e-4)
    parts.add(one, one, np.ones((2, 2), bool), np.full((2, 2), Flag.COARSE_OBSERVED, np.uint16))
    assert parts.attributes() == {"uncertainty_region": 0.0, "uncertainty_cell_observed": 0.5}
