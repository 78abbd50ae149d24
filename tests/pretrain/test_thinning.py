"""A world thinned to samples: the pixels that are kept, and that networks see in training what they see in maps."""

from __future__ import annotations

import numpy as np
import torch

from ssm_net.config import ModelConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.formats.truth import Truth
from ssm_net.infer.day import background
from ssm_net.inputs.reading import read_coarse
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.pretrain.samples import NEIGHBOURHOOD, THINNING, World
from ssm_net.pretrain.supervised import SupervisedLearner
from ssm_net.pretrain.truth_samples import PART, TruthSamples
from ssm_net.train.batches import collate
from ssm_net.train.optimiser import Schedule

MODEL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, coarse_depth=1, cells=True, lags=3)


def samples(cube: Cube, world: World, seed: int | None, labels: list[torch.Tensor] | None = None) -> TruthSamples:
    return TruthSamples([world], compute_scaling(cube, cube.days), ratio=36, lags=3, seed=seed, labels=labels)


def test_samples_are_the_pixels_of_the_world(cube: Cube, truth: Truth, world: World) -> None:
    t = 3
    field = truth.read(cube.days[t])
    assert field is not None and world.at.tolist() == list(range(6))
    dy, dx = world.offset[t].tolist()
    n = 288 // THINNING
    want = field[dy::THINNING, dx::THINNING][:n, :n]
    np.testing.assert_allclose(world.truth[t].float(), want, atol=2e-4)
    names = list(compute_scaling(cube, cube.days).names)
    sand = world.x[t, names.index("sand")].float()
    assert sand.shape == (n * NEIGHBOURHOOD, n * NEIGHBOURHOOD)
    middle = sand[1::NEIGHBOURHOOD, 1::NEIGHBOURHOOD]
    np.testing.assert_allclose(middle, cube.read_static("sand")[dy::THINNING, dx::THINNING][:n, :n], rtol=1e-3)


def test_the_thinned_road_is_that_of_inference(cube: Cube, world: World) -> None:
    """Networks see in training on truth what they see when a mosaic is made, regional slopes included."""
    torch.manual_seed(0)
    scaling, t = compute_scaling(cube, cube.days), 3
    network = build(MODEL, scaling, 0.22).eval()
    sample = samples(cube, world, None)[t]
    assert float(sample.slopes.abs().max()) > 1e-3
    with torch.no_grad():
        for member in network:
            member.head.weight.normal_(std=0.2)
            member.slopes.copy_(sample.slopes)
    learner = SupervisedLearner(network, ratio=36, schedule=Schedule(1e-3, 0.0, 1, 0), bf16=False)
    with torch.inference_mode():
        out = learner.pixels(collate([sample]))
    mean = torch.stack([m for m, _, _ in out]).mean(0)[0]
    trained = Trained(network, scaling, MODEL, 36, "gaussian", 43.0, 0.22, Calibration(), {"worlds": 1})
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    coarse = read_coarse(cube, cube.days[t], estimator.lags, estimator.scaling)
    every = torch.ones(cube.domain.fine_shape, dtype=torch.bool)
    whole = background(estimator, cube, coarse, every, 4).mean
    dy, dx = world.offset[t].tolist()
    want = whole[dy::THINNING, dx::THINNING][: len(mean), : len(mean)]
    assert float((mean - want).abs().max()) < 3e-3  # the samples are float16


def test_a_turned_sample_is_the_same_world(cube: Cube, world: World) -> None:
    """Turning and mirroring changes places, not what belongs together: footprint, context and truth."""
    data = samples(cube, world, 7)
    first = data[0]
    assert first.truth.shape == (PART * 6, PART * 6)
    assert first.x.shape[1:] == (PART * 6 * NEIGHBOURHOOD, PART * 6 * NEIGHBOURHOOD)
    at, compared = list(data.scaling.names).index("lst_day_memory"), 0
    for key in range(60):
        one = data[key]
        memory = one.x[at, 1::NEIGHBOURHOOD, 1::NEIGHBOURHOOD] * data.scaling.std[at] + data.scaling.mean[at]
        if bool((one.x[at] == 0).all()):
            continue  # this sample lacks that feature
        shrunk = memory * (2.0 + 0.3) / 2.0
        error = (0.22 - shrunk / 60 - one.truth)[one.known]
        assert float(error.abs().max()) < 4e-3
        compared += 1
    assert compared > 30


def test_pixels_of_cells_held_out_are_no_labels(cube: Cube, world: World) -> None:
    labels = torch.ones(6, 8, 8, dtype=torch.bool)
    labels[:, :, 3] = False
    labels[4] = False
    data = samples(cube, world, None, [labels])
    assert len(data) == 5
    assert not bool(data[0].known[:, 18:24].any()) and bool(data[0].known[30:, 24:].all())
