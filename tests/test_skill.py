"""The skill benchmark: its judgements, the oracle's label and split, and a smoke of the whole."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from worlds import tiny_cube

from ssm_net.checkpoint import Trained, build
from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube import Cube
from ssm_net.estimators import NetworkEstimator
from ssm_net.evaluation.sources import Truth
from ssm_net.inputs import land_mask, read_coarse
from ssm_net.mosaic import background
from ssm_net.patches import compute_scaling

BENCH = Path(__file__).parents[1] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import goals  # noqa: E402
import oracle  # noqa: E402

MODEL = ModelConfig(width=8, depth=1, coarse_width=8, lags=3)


def scores(**other: dict[str, float]) -> goals.Scores:
    """A network that reaches every goal, its oracle and its baselines."""
    network = {"RMSE": 0.04, "RMSE clear": 0.036, "RMSE cloudy": 0.042, "sub-grid R": 0.8, "coverage 68": 0.69,
               "coverage 90": 0.89, "block index": 1.0}  # fmt: skip
    rmse = {"bilinear": 0.07, "dispatch": 0.06, "gwr": 0.052, "forest": 0.051, "ridge": 0.046, "oracle": 0.038}
    out = {"network": network, **{k: {"RMSE": v, "sub-grid R": 0.5} for k, v in rmse.items()}}
    out["oracle"]["sub-grid R"] = 0.83
    out["truth"] = {"block index": 0.99}
    return {k: v | other.get(k, {}) for k, v in out.items()}


def record(found: goals.Scores, minutes: float = 3.0, seed: int = 1) -> dict[str, Any]:
    return {"family": "A", "seed": seed, "scores": found, "ratios": goals.ratios(found, minutes),
            "leaks": goals.leaks(found)}  # fmt: skip


def missed(*worlds: dict[str, Any]) -> list[str]:
    return goals.misses(goals.summarise(worlds), worlds)


def test_goals_are_reached_and_missed() -> None:
    assert missed(record(scores())) == []
    (text,) = missed(record(scores(forest={"RMSE": 0.045})))
    assert text.startswith("A: RMSE / best classic 0.889 is not <= 0.8")
    (text,) = missed(record(scores(network={"coverage 90": 0.93})))
    assert text.startswith("A: 90 % interval off, points 3.0")
    # A training that was cut off and went on has no time: that goal is not reached.
    assert [t.split(" –")[0] for t in missed(record(scores(), math.nan))] == ["A: training, minutes"]


def test_goals_are_judged_by_the_mean_over_seeds() -> None:
    worlds = [record(scores(), 14.0, seed=1), record(scores(), 15.5, seed=2)]
    assert missed(*worlds) == []
    found = goals.summarise(worlds)["A"]["ratios"]["training, minutes"]
    assert found == {"mean": 14.75, "spread": pytest.approx(1.5 / math.sqrt(2))}


def test_better_than_the_oracle_is_a_leak() -> None:
    (text,) = missed(record(scores(ridge={"RMSE": 0.046, "sub-grid R": 0.9})))
    assert text == "leak in A 1: ridge has sub-grid R 0.9000, the oracle 0.8300"


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=7)


@pytest.fixture(scope="module")
def truth(cube: Cube) -> Truth:
    """What the remembered temperatures of the tiny cube were made of."""
    ssm = np.stack([0.22 - cube.read("lst_day_memory", day) / 60 for day in cube.days])
    ssm[:, cube.read_static("water_fraction") > 0.5] = np.nan
    where = {d: np.asarray(cube.domain.fine.coordinates[d].values) for d in cube.domain.fine.dims}
    data = {"ssm": (("time", "y", "x"), ssm), "water": (("y", "x"), cube.read_static("water_fraction"))}
    times = np.array(cube.days, "datetime64[ns]")
    path = cube.path.with_name("truth.zarr")
    xr.Dataset(data, {"time": times, **where}).to_zarr(path, zarr_format=3, consolidated=False)
    return Truth.open(path, cube.domain)


@pytest.fixture(scope="module")
def untrained(cube: Cube) -> Trained:
    torch.manual_seed(0)
    scaling = compute_scaling(cube, cube.days)
    return Trained(build(MODEL, scaling, 0.22).eval(), scaling, MODEL, 36, "gaussian", 43.0, 1.0, 0.0, 0.22, {})


def test_the_oracle_learns_the_truth_and_is_loaded_when_it_is_there(
    cube: Cube, truth: Truth, untrained: Trained, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"model": MODEL, "epochs": 20, "patience": 20, "batch_size": 1, "patch": 4}
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), validation_fraction=0.3, **settings)
    first = oracle.train_oracle(cube, truth, untrained, cfg)
    spread = np.nanstd(np.stack([f for d in cube.days if (f := truth.read(d)) is not None]))
    assert first.provenance["validation"]["val/pixel"] < (0.5 * spread) ** 2
    assert first.scaling == untrained.scaling and first.variance_scale > 0
    again = oracle.train_oracle(cube, truth, untrained, cfg)
    assert again.digest == first.digest


def test_the_oracle_is_no_more_shown_than_the_network(cube: Cube, truth: Truth) -> None:
    """Held-out cells and days are no labels, as in the network's training."""
    cfg = TrainConfig(str(cube.path), "run", validation_fraction=0.3, validation_days=0.3)
    parts = oracle.split_of(cube, cfg)
    assert parts.held_days and not set(parts.held_days) & set(parts.train_days)
    size: dict[str, Any] = {"lags": 3, "halo": 1, "patch": 4, "seed": None}
    free = [~parts.held_cells] * len(parts.train_days)
    data = oracle.TruthPatches(truth, cube, parts.train_days, free, compute_scaling(cube, cube.days), **size)
    hide = torch.zeros(cube.domain.coarse_shape, dtype=torch.bool)
    sample = data.sample(1, 0, 2, hide)
    held = torch.from_numpy(np.kron(parts.held_cells, np.ones((36, 36), bool)))[:, 72 : 72 + 144]
    assert held.any() and not bool((sample["known"] & held).any())
    field = truth.read(parts.train_days[1])
    assert field is not None
    assert np.array_equal(sample["truth"][sample["known"]], field[:, 72 : 72 + 144][sample["known"].numpy()])


def test_the_oracle_is_trained_on_what_inference_makes(cube: Cube, truth: Truth, untrained: Trained) -> None:
    every = [np.ones(cube.domain.coarse_shape, bool)] * len(cube.days)
    size: dict[str, Any] = {"lags": MODEL.lags, "halo": untrained.network.halo, "patch": 8, "seed": None}
    data = oracle.TruthPatches(truth, cube, cube.days, every, untrained.scaling, **size)
    batch = {k: v[None] for k, v in data[3].items()}
    learner = oracle.OracleLearner(
        untrained.network, ratio=36, footprint="gaussian", fwhm=43.0, lr=1e-3, weight_decay=0.0, beta=1.0, subgrid=0.0,
        subgrid_std=0.05, seed=0, steps=1, stride=3,
    )  # fmt: skip
    with torch.inference_mode():
        mean, variance, *_ = learner.pixels(batch, (1, 2))
    land = land_mask(torch.from_numpy(cube.read_static("water_fraction")), cube.domain.fine_shape)
    estimator = NetworkEstimator(untrained, cube, torch.device("cpu"))
    coarse = read_coarse(cube, cube.days[3], estimator.lags, estimator.scaling)
    mosaic, stated, _ = background(estimator, cube, coarse, land, 4)
    rows, cols = mosaic.shape[0] // 36, mosaic.shape[1] // 36
    assert mean.shape == (1, rows * 12, cols * 12)
    assert torch.allclose(mean[0], mosaic[1::3, 2::3], atol=1e-5)
    assert torch.allclose(variance[0], stated[1::3, 2::3], atol=1e-5)


@pytest.mark.slow
def test_the_smoke_runs_and_goes_on(tmp_path: Path) -> None:
    words = [sys.executable, str(BENCH / "skill.py"), str(tmp_path / "w"), "--size", "smoke", "--families", "A"]
    words += ["--seeds", "1", "--results", str(tmp_path), "--check"]
    first = subprocess.run(words, capture_output=True, text=True)
    assert first.returncode == 1, first.stderr  # three epochs reach no goal
    assert first.stdout.splitlines()[-1].startswith("missed: A: ")
    found = json.loads((tmp_path / "skill-smoke.json").read_text())
    (world,) = found["worlds"]
    assert set(world["scores"]) == {"network", *goals.BASELINES, "oracle", "truth"}
    assert set(world["ratios"]) == set(goals.GOALS)
    mosaics = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nc")}
    again = subprocess.run(words, capture_output=True, text=True)
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    assert mosaics == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nc")}
