"""A tiny cube with its truth, and the samples of that world."""

from __future__ import annotations

import pytest
from worlds import tiny_cube, tiny_truth

from ssm_net.cube.store import Cube
from ssm_net.formats.truth import Truth
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.pretrain.samples import World, thin


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(8, 8), days=6)


@pytest.fixture(scope="module")
def truth(cube: Cube) -> Truth:
    return tiny_truth(cube)


@pytest.fixture(scope="module")
def world(cube: Cube, truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> World:
    file = tmp_path_factory.mktemp("s") / "world.npz"
    thin(cube, truth, compute_scaling(cube, cube.days).names, file, seed=1)
    return World.load(file)
