"""A tiny cube with its truth, and the samples of that world."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from worlds import tiny_cube

from ssm_net.cube.store import Cube
from ssm_net.formats.truth import Truth
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.pretrain.samples import World, thin


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(8, 8), days=6)


@pytest.fixture(scope="module")
def truth(cube: Cube) -> Truth:
    """What the remembered temperatures of the tiny cube were made of."""
    ssm = np.stack([0.22 - cube.read("lst_day_memory", day) / 60 for day in cube.days])
    ssm[:, cube.read_static("water_fraction") > 0.5] = np.nan
    where = {d: np.asarray(cube.domain.fine.coordinates[d].values) for d in cube.domain.fine.dims}
    data = {"ssm": (("time", "y", "x"), ssm), "water": (("y", "x"), cube.read_static("water_fraction"))}
    path = cube.path.with_name("truth.zarr")
    xr.Dataset(data, {"time": np.array(cube.days, "datetime64[ns]"), **where}).to_zarr(
        path, zarr_format=3, consolidated=False
    )
    return Truth.open(path, cube.domain)


@pytest.fixture(scope="module")
def world(cube: Cube, truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> World:
    file = tmp_path_factory.mktemp("s") / "world.npz"
    thin(cube, truth, compute_scaling(cube, cube.days).names, file, seed=1)
    return World.load(file)
