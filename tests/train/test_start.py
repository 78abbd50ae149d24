"""Where training starts: a prior's networks, what the cube lacks of their features, and priors that do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import tiny_cube

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube.store import Cube
from ssm_net.errors import ConfigError
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.inputs.scaling import Scaling
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.train.run import train

MODEL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, coarse_depth=1, cells=True, lags=3)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(8, 8), days=6)


def save_prior(folder: Path, scaling: Scaling, lookahead: int = 0) -> Path:
    torch.manual_seed(1)
    model = replace(MODEL, lookahead=lookahead)
    network = build(model, scaling, 0.22).eval()
    save_trained(folder, Trained(network, scaling, model, 36, "gaussian", 43.0, 0.22, Calibration(), {"worlds": 1}))
    return folder


def with_rain(scaling: Scaling) -> Scaling:
    more = {"names": "rain", "mean": 1.0, "std": 1.0, "low": 0.0, "high": 4.0}
    return replace(scaling, **{key: (*getattr(scaling, key), value) for key, value in more.items()})


def test_training_starts_from_a_prior_and_says_what_it_lacks(
    cube: Cube, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prior = save_prior(tmp_path, with_rain(compute_scaling(cube, cube.days)))
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), prior=str(prior), exclude=["sand"])
    trained = train(cfg)
    assert trained is not None and set(trained.scaling.absent) == {"rain", "sand"}
    assert "without sand, rain" in capsys.readouterr().out.replace("\n", " ")
    # What was not used in training is not used for mosaics: sand may be anything.
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    assert "sand" not in estimator.needs and "rain" not in estimator.needs
    assert train(cfg).digest == trained.digest  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="exclude"):
        train(replace(cfg, exclude=["gravel"], run=str(tmp_path / "other")))


def test_networks_of_a_prior_are_told_what_is_usual_in_the_region(cube: Cube, tmp_path: Path) -> None:
    prior = save_prior(tmp_path, compute_scaling(cube, cube.days))
    trained = train(TrainConfig(str(cube.path), str(tmp_path / "run"), prior=str(prior), validation_days=0.0))
    assert trained is not None
    observed = np.concatenate([cube.read_coarse("ssm", day).ravel() for day in cube.days])
    assert trained.usual_ssm == pytest.approx(float(np.nanmean(observed)), abs=1e-6)
    assert {member.usual_ssm for member in trained.network} == {trained.usual_ssm}  # also once it is loaded
    assert load_trained(prior).usual_ssm is None


def test_a_prior_of_other_products_is_refused(cube: Cube, tmp_path: Path) -> None:
    rain = Scaling(("rain",), (0.0,), (1.0,), (0.0,), (4.0,), "2016-04-01", "2016-04-30")
    prior = save_prior(tmp_path, rain)
    with pytest.raises(ConfigError, match="prior=none"):
        train(TrainConfig(str(cube.path), str(tmp_path / "run"), prior=str(prior)))


def test_an_archive_asks_for_networks_that_have_learned_to_look_ahead(cube: Cube, tmp_path: Path) -> None:
    """Others would be given what they cannot use, and their maps would be the worse for it."""
    scaling = compute_scaling(cube, cube.days)
    for name, lookahead in (("back", 0), ("ahead", 6)):
        (tmp_path / name).mkdir()
        save_prior(tmp_path / name, scaling, lookahead)
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), prior=str(tmp_path / "back"), mode="archive", lookahead=2)
    with pytest.raises(ConfigError, match=r"learned to look 0 days ahead.*mode=nrt"):
        train(cfg)
    trained = train(replace(cfg, prior=str(tmp_path / "ahead")))
    assert trained is not None and (trained.lookahead, trained.model.lookahead) == (2, 6)
    again = train(replace(cfg, prior=str(tmp_path / "ahead"), mode="nrt", run=str(tmp_path / "nrt")))
    assert again is not None and again.lookahead == 0 and again.digest != trained.digest


def test_networks_trained_from_nothing_look_ahead_as_far_as_asked(cube: Cube, tmp_path: Path) -> None:
    size = replace(MODEL, members=1)
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), prior="none", mode="archive", lookahead=2, epochs=1,
                      model=size, patch=4)  # fmt: skip
    trained = train(cfg)
    assert trained is not None and (trained.lookahead, trained.model.lookahead) == (2, 2)
