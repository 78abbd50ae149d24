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

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build
from ssm_net.formats.truth import Truth
from ssm_net.inputs.statistics import compute_scaling

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import goals  # noqa: E402
import oracle  # noqa: E402

MODEL = ModelConfig(members=1, width=8, depth=1, coarse_width=8, lags=3)


def scores(**other: dict[str, float]) -> goals.Scores:
    """A network that reaches every goal, its oracle and its baselines."""
    network = {"RMSE": 0.04, "RMSE clear": 0.036, "RMSE cloudy": 0.042, "sub-grid R": 0.8, "coverage 68": 0.69,
               "coverage 90": 0.89, "block index": 1.0, "sub-grid std ratio": 0.8}  # fmt: skip
    rmse = {"bilinear": 0.07, "dispatch": 0.06, "gwr": 0.052, "forest": 0.051, "ridge": 0.046, "oracle": 0.038}
    out = {"network": network, **{k: {"RMSE": v, "sub-grid R": 0.5} for k, v in rmse.items()}}
    out["oracle"] |= {"sub-grid R": 0.83, "sub-grid std ratio": 0.83}
    out["alone"] = {"RMSE": 0.041, "sub-grid R": 0.7}
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
    assert [t.split(" –")[0] for t in missed(record(scores(), math.nan))] == ["A: alone: training, minutes"]


def test_goals_are_judged_by_the_mean_over_seeds() -> None:
    worlds = [record(scores(), 14.0, seed=1), record(scores(), 15.5, seed=2)]
    assert missed(*worlds) == []
    found = goals.summarise(worlds)["A"]["ratios"]["alone: training, minutes"]
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
def prior(cube: Cube) -> Trained:
    torch.manual_seed(0)
    scaling = compute_scaling(cube, cube.days)
    return Trained(build(MODEL, scaling, 0.22).eval(), scaling, MODEL, 36, "gaussian", 43.0, 0.22, Calibration(), {})


def test_the_oracle_learns_the_truth_and_is_loaded_when_it_is_there(
    cube: Cube, truth: Truth, prior: Trained, tmp_path: Path
) -> None:
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), validation_fraction=0.3)
    first = oracle.train_oracle(cube, truth, prior, cfg, 60)
    spread = np.nanstd(np.stack([f for d in cube.days if (f := truth.read(d)) is not None]))
    assert first.provenance["validation"]["rmse"] < 0.7 * spread
    assert first.scaling == prior.scaling
    again = oracle.train_oracle(cube, truth, prior, cfg, 60)
    assert again.digest == first.digest


def test_the_oracle_is_no_more_shown_than_the_network(cube: Cube) -> None:
    """Held-out cells and days are no labels, as in the network's training."""
    cfg = TrainConfig(str(cube.path), "run", validation_fraction=0.3, validation_days=0.3)
    parts = oracle.split_of(cfg, cube)
    assert parts.held_days and not set(parts.held_days) & set(parts.train_days)
    train, held = oracle.labels_of(cube, parts)
    assert not bool((train & held).any()) and bool((train | held).all())
    for day, here in zip(cube.days, train, strict=True):
        want = ~parts.held_cells if day in parts.train_days else np.zeros_like(parts.held_cells)
        assert np.array_equal(here.numpy(), want)


@pytest.mark.slow
def test_the_smoke_runs_and_goes_on(tmp_path: Path) -> None:
    words = [sys.executable, str(BENCH / "skill.py"), str(tmp_path / "w"), "--size", "smoke", "--families", "A"]
    words += ["--seeds", "1", "--results", str(tmp_path), "--check"]
    first = subprocess.run(words, capture_output=True, text=True)
    assert first.returncode == 1, first.stderr  # three epochs reach no goal
    assert first.stdout.splitlines()[-1].startswith("missed: A: ")
    found = json.loads((tmp_path / "skill-smoke.json").read_text())
    (world,) = found["worlds"]
    assert set(world["scores"]) == {*goals.NETWORKS, *goals.BASELINES, "oracle", "truth"}
    assert set(world["ratios"]) == {*goals.GOALS, goals.INSIDE}
    mosaics = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nc")}
    again = subprocess.run(words, capture_output=True, text=True)
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    assert mosaics == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nc")}
