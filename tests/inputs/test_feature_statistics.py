"""Scaling statistics: moments that add up to those of all values, missing ones left out."""

import datetime as dt
from pathlib import Path

import numpy as np
import torch
from worlds import tiny_cube

from ssm_net.inputs import features
from ssm_net.inputs.reading import read_coarse, read_stored
from ssm_net.inputs.scaling import NO_FEATURES
from ssm_net.inputs.statistics import STRIDE, FeatureMoments, compute_scaling

FIRST, LAST = dt.date(2016, 4, 1), dt.date(2016, 4, 30)


def values(n: int, seed: int) -> torch.Tensor:
    x = 300 + torch.randn(2, n, generator=torch.Generator().manual_seed(seed))
    x[:, ::7] = torch.nan
    return x


def test_moments_add_up_to_those_of_all_values() -> None:
    a, b = values(100, 1), values(900, 2)
    scaling = (FeatureMoments.of(a) + FeatureMoments.of(b)).scaling(["u", "v"], FIRST, LAST)
    everything = torch.cat([a, b], 1).double().numpy()
    np.testing.assert_allclose(scaling.mean, np.nanmean(everything, 1))
    np.testing.assert_allclose(scaling.std, np.nanstd(everything, 1), rtol=1e-6)
    assert (scaling.first, scaling.last) == ("2016-04-01", "2016-04-30")


def test_samples_of_any_size_count_alike_as_one() -> None:
    a, b = values(10, 1), values(1000, 2) + 5
    b[1] = torch.nan  # a world without that feature has no say in it
    scaling = (FeatureMoments.of(a).as_one() + FeatureMoments.of(b).as_one()).scaling(["u", "v"], FIRST, LAST)
    both = [np.nanmean(x.double().numpy(), 1) for x in (a, b[:1])]
    np.testing.assert_allclose(scaling.mean, [(both[0][0] + both[1][0]) / 2, both[0][1]])


def test_a_constant_or_unknown_feature_gives_a_channel_of_zeros() -> None:
    x = torch.stack([torch.full((50,), 297.3), torch.full((50,), torch.nan)])
    scaling = FeatureMoments.of(x).scaling(["constant", "unknown"], FIRST, LAST)
    assert scaling.std == (1.0, 1.0)
    assert float(scaling(x[:, None]).nan_to_num().abs().max()) < 1e-3


def test_a_cube_is_read_by_bands_to_the_numbers_of_the_whole(tmp_path: Path) -> None:
    cube = tiny_cube(tmp_path / "c.zarr", cells=(8, 4), days=2)  # 288 rows: two bands, whose thinned rows must agree
    scaling = compute_scaling(cube, cube.days)
    parts = []
    for day in cube.days:
        background = read_coarse(cube, day, 1, NO_FEATURES).background
        pixels = read_stored(cube, day, (0, 288, 0, 144), features.needed(scaling.names), background)
        parts.append(features.stack(scaling.names, pixels.variables())[:, ::STRIDE, ::STRIDE].flatten(1))
    x = torch.cat(parts, 1).double().numpy()
    np.testing.assert_allclose(scaling.mean, np.nanmean(x, 1), rtol=1e-9)
    std = np.nanstd(x, 1)
    np.testing.assert_allclose(scaling.std, np.where(std > 1e-9, std, 1.0), rtol=1e-6)
