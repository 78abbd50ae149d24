"""Channels from stored integers: the numbers of the cube's own unpacking, whatever the shape of the batch."""

import numpy as np
import pytest
import torch
from worlds import FIRST, tiny_cube

from ssm_net.cube.store import Cube
from ssm_net.cube.variables import FINE
from ssm_net.grid import upsample
from ssm_net.inputs import features
from ssm_net.inputs.channels import PackedPixels, as_tensor, channels, unpack_variable
from ssm_net.inputs.reading import read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES
from ssm_net.inputs.statistics import compute_scaling

WINDOW = (30, 102, 7, 151)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=3)


@pytest.mark.parametrize("name", sorted(FINE))
def test_a_tensor_unpacks_to_the_numbers_of_the_cube(name: str) -> None:
    """Every count of every type, the fill and those that torch takes for negative numbers among them."""
    info = np.iinfo(FINE[name].dtype)
    counts = np.arange(int(info.min), int(info.max) + 1).astype(FINE[name].dtype).reshape(2, -1)
    np.testing.assert_array_equal(unpack_variable(name, as_tensor(counts)).numpy(), FINE[name].unpack(counts))


def test_channels_are_the_features_of_unpacked_variables(cube: Cube) -> None:
    scaling = compute_scaling(cube, cube.days)
    coarse = read_coarse(cube, FIRST, 1, NO_FEATURES)
    names = usable(cube, scaling.names)
    variables = {}
    for name in names:
        if name.endswith("_seen"):
            lineage = cube.read_packed(name.replace("_seen", "_lineage"), FIRST, WINDOW)
            variables[name] = torch.from_numpy((lineage <= 1).astype("float32"))
        elif name.endswith("_background"):
            variables[name] = upsample(coarse.background[name.split("_")[1]], 36, WINDOW)
        else:
            read = cube.read_static(name, WINDOW) if name in cube.static else cube.read(name, FIRST, WINDOW)
            variables[name] = torch.from_numpy(read)
    want = scaling(features.stack(scaling.names, variables))
    pixels = read_stored(cube, FIRST, WINDOW, names, coarse.background)
    assert torch.equal(channels(pixels, scaling), want)

    batch = PackedPixels(*({k: torch.stack([v, v]) for k, v in given.items()}
                           for given in (pixels.packed, pixels.background)))  # fmt: skip
    inside = torch.ones(2, 72, 144, dtype=torch.bool)
    inside[1, :, :10] = False
    got = channels(batch, scaling, inside)
    assert torch.equal(got[0], want) and torch.equal(got[1, :, :, 10:], want[..., 10:])
    assert not got[1, :, :, :10].any()


def test_pixels_travel_as_packed(cube: Cube) -> None:
    pixels = read_stored(cube, FIRST, WINDOW, ["lst_day", "nir"], {})
    assert {v.dtype for v in pixels.packed.values()} == {torch.int16}
