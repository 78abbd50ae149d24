"""The production mask and the observation operator: one set of pixels for all that compare with an observation."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import FIRST, tiny_cube

from ssm_net.config import ModelConfig
from ssm_net.cube.shards import Shards
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import FINE
from ssm_net.estimators.bilinear import Bilinear
from ssm_net.estimators.checkpoint import build
from ssm_net.estimators.ridge import Ridge
from ssm_net.estimators.training_set import TrainingSet
from ssm_net.evaluate.referees.coarse import coarse_consistency, footprint_mean
from ssm_net.formats.product import Mosaic
from ssm_net.infer.day import predict_background
from ssm_net.infer.quality_flags import static_flags
from ssm_net.inputs.reading import read_coarse
from ssm_net.inputs.scaling import NO_FEATURES
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.train.last_layer import design_rows
from ssm_net.train.patches import Patches, PatchShape

TOWN = (slice(40, 60), slice(50, 80))
INSIDE = (slice(0, 144), slice(0, 200))  # of 288 columns: cells 6 and 7 lie beyond the boundary, a part of cell 5
WATER = (slice(0, 20), slice(0, 30))


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    maps = {"urban": TOWN, "inside": INSIDE}
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=4, static=maps)


@pytest.fixture(scope="module")
def land() -> torch.Tensor:
    mask = torch.zeros(144, 288, dtype=torch.bool)
    mask[INSIDE] = True
    mask[TOWN] = False
    mask[WATER] = False
    return mask


@contextmanager
def masked_pixels_changed(cube: Cube, land: torch.Tensor) -> Iterator[None]:
    """Meanwhile, all that the cube holds of pixels outside the production mask is another value."""
    before = {}
    for name in ("lst_day_memory", "lst_night_memory", "red", "nir"):
        for i, day in enumerate(cube.days):
            packed = before[name, i] = cube.read_packed(name, day)
            strange = FINE[name].pack(np.full(packed.shape, 0.9 if name in ("red", "nir") else 30.0, "float32"))
            Shards.open(cube.path / "fine" / name).write(np.where(land.numpy(), packed, strange), i)
    try:
        yield
    finally:
        for (name, i), packed in before.items():
            Shards.open(cube.path / "fine" / name).write(packed, i)


def test_land_is_neither_water_nor_town_and_inside_the_boundary(cube: Cube, land: torch.Tensor) -> None:
    assert torch.equal(cube.land(), land)
    assert torch.equal(cube.land((30, 75, 20, 210)), land[30:75, 20:210])
    np.testing.assert_allclose(cube.land_fraction, land.numpy().reshape(4, 36, 8, 36).mean((1, 3)), atol=1e-6)


def test_a_cube_without_maps_is_all_land(tmp_path: Path, cube: Cube) -> None:
    assert bool(replace(cube, static=("elevation",)).land().all())


def test_training_and_the_coarse_day_count_the_same_pixels(cube: Cube, land: torch.Tensor) -> None:
    every = [np.ones((4, 8), bool)] * len(cube.days)
    scaling = compute_scaling(cube, cube.days)
    for patch, cells in ((8, (slice(0, 144), slice(0, 288))), (2, (slice(36, 108), slice(36, 108)))):
        data = Patches(cube, cube.days, every, scaling, PatchShape(patch, 1, 2, False), seed=1)
        sample = data.sample(0, 1 if patch == 2 else 0, 1 if patch == 2 else 0, torch.zeros(4, 8, dtype=torch.bool))
        assert torch.equal(sample.land, land[cells])
        assert not sample.target.score[:, 6:].any()  # beyond the boundary nothing is learned
    coarse = read_coarse(cube, FIRST, 1, NO_FEATURES)
    assert coarse.land[:, 6:].max() == 0 and coarse.land[2, 0] == 1


def test_the_last_layer_learns_nothing_from_masked_pixels(cube: Cube, land: torch.Tensor) -> None:
    torch.manual_seed(3)
    model = ModelConfig(members=1, kernel=1, width=8, depth=1, coarse_width=8, coarse_depth=1, lags=2)
    scaling = compute_scaling(cube, cube.days)
    network = build(model, scaling, 0.2).eval()

    def rows() -> list[torch.Tensor]:
        rows = design_rows(network, cube, scaling, cube.days, np.ones((4, 8), bool), lags=2)
        assert rows is not None
        return [rows.rows[0].slope, rows.rows[0].mean, rows.rows[0].variance]

    want = rows()
    with masked_pixels_changed(cube, land):
        for got, one in zip(rows(), want, strict=True):
            assert torch.equal(got, one)


def test_fitted_baselines_learn_nothing_from_masked_pixels(cube: Cube, land: torch.Tensor) -> None:
    training_set = TrainingSet.of(cube)
    assert torch.equal(training_set.land, land)
    assert not training_set.labels(training_set.read(FIRST))[:, 6:].any()
    ridge = Ridge(training_set)
    want = ridge.footprints(training_set.read(FIRST))
    with masked_pixels_changed(cube, land):
        got = ridge.footprints(training_set.read(FIRST))
    for a, b in zip(got, want, strict=True):
        assert torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def test_the_update_and_the_map_count_the_same_pixels(cube: Cube, land: torch.Tensor) -> None:
    class Updated(Bilinear):
        def estimate(self, context, pixels, window):  # type: ignore[no-untyped-def]
            estimate = super().estimate(context, pixels, window)
            y0, y1, x0, x1 = window
            return estimate._replace(mean=torch.where(land[y0:y1, x0:x1], estimate.mean, 0.55))

    h = cube.footprint()
    day = predict_background(Updated(36, updates=True), cube, FIRST, h, static_flags(cube), update="gain", tile=2)
    assert day.sums is not None
    plain = predict_background(Updated(36, updates=True), cube, FIRST, h, static_flags(cube), update="gain", tile=8)
    torch.testing.assert_close(day.sums, plain.sums)
    mean = h.mean_of_sums(day.sums)[0]
    assert float(mean[torch.isfinite(mean)].max()) < 0.4 and torch.isnan(mean[:, 7]).all()
    assert np.array_equal(np.isfinite(day.mosaic({}).ssm), land.numpy())


def test_evaluation_counts_the_same_pixels(cube: Cube, land: torch.Tensor) -> None:
    """A truth that has values in towns and beyond the boundary is compared on the pixels of the maps."""
    h, day = cube.footprint(), FIRST
    truth = np.where(land.numpy(), np.float32(0.2), np.float32(0.6))
    mean = footprint_mean(truth, h)
    np.testing.assert_allclose(mean[np.isfinite(mean)], 0.2, atol=1e-6)
    assert np.isfinite(mean[2, 2]) and np.isnan(mean[:, 7]).all()
    flags, sigma = np.zeros(land.shape, np.uint16), np.full(land.shape, 0.05, np.float32)
    moments = coarse_consistency(Mosaic(day, cube.domain, truth, sigma, flags), np.full((4, 8), 0.2, "float32"), h)
    assert moments.n == np.isfinite(mean).sum() and moments.bias == pytest.approx(0, abs=1e-6)


def test_sums_of_windows_are_the_mean_of_the_whole(cube: Cube) -> None:
    h = cube.footprint()
    field = torch.rand(h.land.shape, generator=torch.Generator().manual_seed(1))
    windows = [(y, y + 72, x, x + 36) for y in (0, 72) for x in range(0, 288, 36)]
    total = sum(h.sums(field[None, y0:y1, x0:x1], (y0, y1, x0, x1)) for y0, y1, x0, x1 in windows)
    assert isinstance(total, torch.Tensor)
    torch.testing.assert_close(h.mean_of_sums(total)[0], h.mean(field), equal_nan=True)


def test_a_thinned_operator_is_near_the_whole(cube: Cube) -> None:
    h = cube.footprint()
    thin = h.thinned(4)
    y, x = torch.meshgrid(torch.linspace(0, 3, 144), torch.linspace(0, 6, 288), indexing="ij")
    field = torch.sin(y) + torch.cos(x)
    sums = thin.sums(field[None, thin.sample, thin.sample], (0, 144, 0, 288))
    got, want = thin.mean_of_sums(sums)[0][:, :5], h.mean(field)[:, :5]
    assert float((got - want).abs().max()) < 0.01


def test_a_field_counts_where_it_is_known(cube: Cube, land: torch.Tensor) -> None:
    h = cube.footprint()
    field = torch.full(h.land.shape, 0.3)
    field[72:] = torch.nan
    mean = h.mean(field)
    assert mean[0, 2] == pytest.approx(0.3) and torch.isnan(h.mean(field, least=0.5)[3, 2])
