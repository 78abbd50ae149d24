"""The range that was learned on: a value outside it is dropped, for a network would extrapolate to anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
import torch
from worlds import FIRST, tiny_cube

from ssm_net.cube.store import Cube
from ssm_net.inputs.channels import channels, channels_and_extrapolated
from ssm_net.inputs.reading import read_coarse, read_stored, usable
from ssm_net.inputs.scaling import MARGIN, NO_FEATURES, Scaling, unscaled
from ssm_net.inputs.statistics import compute_scaling

WINDOW = (36, 108, 36, 144)
TWO = Scaling(("sand", "ndvi"), (40.0, 0.3), (10.0, 0.1), (10.0, 0.0), (70.0, 0.8), "2016-04-01", "2016-04-30")


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=3)


def pixels_and_cells(cube: Cube, scaling: Scaling) -> tuple[torch.Tensor, torch.Tensor]:
    """What the networks are given of a day: channels of pixels (F, y, x), and of cells (F, R, C)."""
    coarse = read_coarse(cube, FIRST, 1, scaling)
    pixels = read_stored(cube, FIRST, WINDOW, usable(cube, scaling.names), coarse.background)
    return channels(pixels, scaling), coarse.features


def with_range(scaling: Scaling, name: str, low: Callable[[float], float], high: Callable[[float], float]) -> Scaling:
    """``scaling`` with other limits of one feature, from those that it has."""
    at = scaling.names.index(name)
    lows, highs = list(scaling.low), list(scaling.high)
    lows[at], highs[at] = low(lows[at]), high(highs[at])
    return replace(scaling, low=tuple(lows), high=tuple(highs))


def test_a_value_is_used_up_to_a_margin_outside_the_range() -> None:
    sand = torch.tensor(
        [10.0, 10 - 10 * MARGIN + 0.1, 10 - 10 * MARGIN - 0.1, 70 + 10 * MARGIN - 0.1, 71 + 10 * MARGIN]
    )
    x = torch.stack([sand, torch.full_like(sand, 0.4)])[:, None]
    got = TWO(x)[:, 0]
    torch.testing.assert_close(got[0, [0, 1, 3]], (sand[[0, 1, 3]] - 40) / 10)
    assert torch.isnan(got[0, [2, 4]]).all()
    torch.testing.assert_close(got[1], torch.full_like(sand, 1.0), atol=1e-5, rtol=0)  # the others are not touched


def test_a_value_out_of_range_is_dropped_for_pixels_and_cells(cube: Cube) -> None:
    """The same as where it is missing: 0 for the pixels, NaN for the cells, whose branch is told what is missing."""
    scaling = compute_scaling(cube, cube.days)
    at = scaling.names.index("sand")
    given, of_cells = pixels_and_cells(cube, scaling)
    assert float(given[at].abs().mean()) > 0.3 and torch.isfinite(of_cells).all()
    sandy = scaling.std[at] * (MARGIN + 0.01)
    narrow = with_range(scaling, "sand", lambda v: v, lambda v: scaling.mean[at] - sandy)  # as if sand was rare there
    pixels, cells = pixels_and_cells(cube, narrow)
    out = given[at] > -0.01
    assert 0.2 < float(out.float().mean()) < 0.8
    assert not pixels[at][out].any() and torch.equal(pixels[at][given[at] < -0.02], given[at][given[at] < -0.02])
    assert torch.equal(torch.isnan(cells[at]), of_cells[at] > -0.01) and bool(torch.isnan(cells[at]).any())
    others = [i for i in range(len(scaling.names)) if i != at]
    assert torch.equal(pixels[others], given[others]) and torch.equal(cells[others], of_cells[others])


def test_pixels_out_of_range_are_marked_as_extrapolated(cube: Cube) -> None:
    scaling = compute_scaling(cube, cube.days)
    coarse = read_coarse(cube, FIRST, 1, NO_FEATURES)
    stored = read_stored(cube, FIRST, WINDOW, usable(cube, scaling.names), coarse.background)
    at = scaling.names.index("sand")
    narrow = with_range(scaling, "sand", lambda v: v, lambda v: scaling.mean[at] - scaling.std[at] * (MARGIN + 0.01))
    assert not channels_and_extrapolated(stored, scaling)[1].any()
    x, far = channels_and_extrapolated(stored, narrow)
    assert torch.equal(x, channels(stored, narrow))
    assert torch.equal(far, channels(stored, scaling)[at] > -0.01)
    # What is not used cannot be out of range.
    assert not channels_and_extrapolated(stored, replace(narrow, absent=("sand",)))[1].any()


def test_an_absent_feature_is_missing_for_pixels_and_cells(cube: Cube) -> None:
    """Networks that were adapted without it are given nothing of it, though the cube has it."""
    scaling = compute_scaling(cube, cube.days)
    at = scaling.names.index("sand")
    pixels, cells = pixels_and_cells(cube, replace(scaling, absent=("sand",)))
    assert not pixels[at].any() and torch.isnan(cells[at]).all()
    whole = pixels_and_cells(cube, scaling)
    others = [i for i in range(len(scaling.names)) if i != at]
    assert torch.equal(pixels[others], whole[0][others]) and torch.equal(cells[others], whole[1][others])


def test_a_missing_cell_stays_missing() -> None:
    """A mean where nothing was observed is not the mean of the worlds."""
    x = torch.tensor([[40.0, torch.nan], [torch.nan, 0.3]])[..., None]
    assert TWO(x).isnan()[..., 0].tolist() == [[False, True], [True, False]]


def test_the_range_is_that_of_the_values(cube: Cube) -> None:
    scaling = compute_scaling(cube, cube.days)
    given, _ = pixels_and_cells(cube, unscaled(scaling.names))
    for i, name in enumerate(scaling.names):
        assert scaling.low[i] <= scaling.mean[i] <= scaling.high[i], name
        spread = scaling.high[i] - scaling.low[i]
        assert float(given[i].max()) <= scaling.high[i] + 0.2 * spread + 1e-6, name
        assert float(given[i].min()) >= scaling.low[i] - 0.2 * spread - 1e-6, name


def test_a_scaling_is_read_back_as_it_was_written() -> None:
    """Limits that are lost or rounded on the way would drop values that were learned on."""
    absent = replace(TWO, absent=("ndvi",))
    assert Scaling.from_json(json.loads(json.dumps(asdict(absent)))) == absent
