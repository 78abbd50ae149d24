"""The tuned classics from cube to mosaic: tiles, the returned residual, the own value left out."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import FIRST, predict_day, tiny_cube

from ssm_net.config import InferConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators import random_features, registry
from ssm_net.estimators.bilinear import Bilinear
from ssm_net.estimators.coarse_to_fine import CoarseToFine, Law
from ssm_net.estimators.gwr import GWR
from ssm_net.estimators.registry import baseline
from ssm_net.estimators.ridge import Ridge
from ssm_net.estimators.training_set import TrainingSet
from ssm_net.formats.mosaic_days import read_day
from ssm_net.grid import block_mean
from ssm_net.infer.day import background
from ssm_net.infer.run import infer
from ssm_net.inputs.reading import CoarseDay


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=6)


@pytest.fixture(scope="module")
def training_set(cube: Cube) -> TrainingSet:
    return TrainingSet.of(cube)


@pytest.fixture(scope="module")
def estimators(cube: Cube) -> dict:
    pytest.importorskip("sklearn")
    from ssm_net.estimators import forest

    small = forest.Forest(TrainingSet.of(cube), forest.ForestSize(trees=8, trees_to_choose=8))
    return {"gwr": baseline("gwr", cube), "forest": small, "ridge": baseline("ridge", cube)}


@pytest.mark.parametrize("name", ["gwr", "forest", "ridge"])
def test_tiled_equals_untiled(cube: Cube, training_set: TrainingSet, estimators: dict, name: str) -> None:
    one = estimators[name]
    coarse, everywhere = training_set.read(cube.days[2]), torch.ones(cube.domain.fine_shape, dtype=torch.bool)
    whole = background(one, cube, coarse, everywhere, 8)
    assert bool(torch.isfinite(whole[0]).all()) and float(whole[0].std()) > 0.005
    for side in (1, 3):
        tiled = background(one, cube, coarse, everywhere, side)
        for a, b in zip(whole[:2], tiled[:2], strict=True):
            assert float((a - b).abs().max()) <= 1e-5


@pytest.mark.parametrize("cell", [(0, 0), (1, 3), (2, 6), (3, 7)])
def test_ridge_leaves_the_own_value_out(
    cube: Cube, training_set: TrainingSet, estimators: dict, cell: tuple[int, int]
) -> None:
    coarse = training_set.read(FIRST)
    before, variance, *_ = background(estimators["ridge"], cube, coarse, training_set.land, 8)
    ssm = coarse.ssm.clone()
    ssm[0, cell[0], cell[1]] += 0.1
    after, variance_after, *_ = background(estimators["ridge"], cube, replace(coarse, ssm=ssm), training_set.land, 8)
    here = tuple(slice(36 * n, 36 * (n + 1)) for n in cell)
    assert torch.equal(before[here], after[here]) and torch.equal(variance[here], variance_after[here])
    assert not torch.equal(before, after)


class Offset(CoarseToFine):
    """A law that knows nothing and is wrong by a constant."""

    def law(self, coarse: CoarseDay) -> Law:
        return lambda x, window: torch.full(x.shape[1:], 0.05)


def test_the_returned_residual_undoes_a_wrong_mean(cube: Cube, training_set: TrainingSet) -> None:
    coarse = training_set.read(cube.days[2])
    ours = background(Offset(training_set, "offset"), cube, coarse, training_set.land, 8)[0]
    plain = background(Bilinear(36), cube, coarse, training_set.land, 8)[0]
    torch.testing.assert_close(ours, plain, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["gwr", "forest"])
def test_the_returned_residual_brings_the_cells_to_the_coarse_field(
    cube: Cube, training_set: TrainingSet, estimators: dict, name: str
) -> None:
    one, coarse = estimators[name], training_set.read(FIRST)
    trend, residual, _ = one.context(coarse)
    mean = background(one, cube, coarse, training_set.land, 8)[0]
    land, y = training_set.land.float(), coarse.ssm[0]

    def left(field: torch.Tensor) -> float:
        return float((block_mean(field, 36, land) - y)[torch.isfinite(y)].square().mean().sqrt())

    assert left(mean) < 0.6 * left(trend)
    torch.testing.assert_close(residual, y - block_mean(trend, 36, land), atol=1e-6, rtol=0)


def test_gwr_finds_what_dries_the_pixels(cube: Cube, training_set: TrainingSet) -> None:
    """In the tiny world the LST memory follows the soil's dryness: its slopes are negative."""
    one = GWR(training_set)
    trend = one.context(training_set.read(FIRST))[0]
    memory = torch.from_numpy(cube.read("lst_day_memory", FIRST))
    assert float(torch.corrcoef(torch.stack([trend.flatten(), memory.flatten()]))[0, 1]) < -0.3


def test_footprint_means_of_the_features(training_set: TrainingSet, estimators: dict) -> None:
    """Band by band and phase by phase gives H of the whole field, water left out."""
    one: Ridge = estimators["ridge"]
    coarse = training_set.read(FIRST)
    phi, base = one.footprints(coarse, stride=1)
    by_phase = random_features.contexts(coarse.ssm, one.mean, one.scales)
    x = torch.cat([x for _, x in training_set.bands(coarse)], 1)
    h, cell = training_set.cube.footprint(), (1, 2)  # of phase 2
    up = torch.nn.functional.interpolate(by_phase[2:3], scale_factor=36, mode="bilinear", align_corners=False)[0]
    direct = h.weights.forward(one.phi(one._inputs(x, up)), training_set.land.float())
    torch.testing.assert_close(phi[:, *cell], direct[:, *cell], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(base[cell], h.mean(up[0])[cell], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["gwr", "ridge"])
def test_mosaics_need_no_run_and_come_out_the_same(cube: Cube, tmp_path: Path, name: str) -> None:
    day = str(cube.days[1])
    made = []
    for folder in ("a", "b"):
        cfg = InferConfig(cube=str(cube.path), mosaics=str(tmp_path / folder), method=name, start=day, end=day)
        assert infer(cfg) == [cube.days[1]]
        (file,) = (tmp_path / folder).glob("*.nc")
        made.append(file)
    assert made[0].read_bytes() == made[1].read_bytes()
    mosaic = read_day(made[0], cube.days[1])
    assert mosaic.attrs["model"] == name and mosaic.attrs["update"] == ("gain" if name == "ridge" else "none")
    assert np.isfinite(mosaic.ssm).mean() > 0.95


def test_only_ridge_takes_the_day_in_afterwards(cube: Cube, training_set: TrainingSet, estimators: dict) -> None:
    for name, one in estimators.items():
        none, gain = (
            predict_day(one, cube, FIRST, training_set.land, how=how, side=8, attrs={}).ssm for how in ("none", "gain")
        )
        assert np.array_equal(none, gain, equal_nan=True) is (name != "ridge")


def test_an_unobserved_cube_is_said(tmp_path: Path) -> None:
    bare = replace(tiny_cube(tmp_path / "c.zarr", days=1), days=(FIRST + dt.timedelta(99),))
    with pytest.raises(ValueError, match="no day with a coarse observation"):
        TrainingSet.of(bare)


def test_a_forest_without_its_library_is_said(cube: Cube, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"scikit-learn: pip install 'ssm_net\[eval\]'"):
        baseline("forest", cube)
