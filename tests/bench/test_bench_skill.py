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
from untrained import untrained_prior
from worlds import tiny_cube, tiny_truth

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.formats.truth import Truth
from ssm_net.infer.day import background
from ssm_net.inputs.reading import read_coarse
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.pretrain.samples import THINNING, World
from ssm_net.pretrain.supervised import SupervisedLearner
from ssm_net.pretrain.truth_samples import TruthSamples
from ssm_net.simulate.world.laws import FAMILIES
from ssm_net.train.batches import collate
from ssm_net.train.optimiser import Schedule

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import goal_tables  # noqa: E402
import goals  # noqa: E402
import oracle  # noqa: E402
import skill  # noqa: E402

MODEL = ModelConfig(members=1, width=8, depth=1, coarse_width=8, lags=3)


def scores(**other: dict[str, float]) -> goals.Scores:
    """A network that reaches every goal, its oracle and its baselines."""
    network = {"RMSE": 0.04, "RMSE clear": 0.036, "RMSE cloudy": 0.042, "sub-grid R": 0.8, "coverage 68": 0.69,
               "coverage 90": 0.89, "block index": 1.0, "sub-grid std ratio": 0.8}  # fmt: skip
    rmse = {"bilinear": 0.07, "ridge": 0.046, "oracle": 0.038}
    out = {"network": network, **{k: {"RMSE": v, "sub-grid R": 0.5} for k, v in rmse.items()}}
    out["oracle"] |= {"sub-grid R": 0.83, "sub-grid std ratio": 0.83}
    out["truth"] = {"block index": 0.99}
    return {k: v | other.get(k, {}) for k, v in out.items()}


def record(found: goals.Scores, minutes: float = math.nan, seed: int = 1, family: str = "A") -> dict[str, Any]:
    return {"family": family, "seed": seed, "scores": found, "ratios": goals.ratios(found, minutes),
            "leaks": goals.leaks(found)}  # fmt: skip


def missed(*worlds: dict[str, Any]) -> list[str]:
    return goals.misses(goals.summarise(worlds), worlds)


def in_all_families(**one: goals.Scores) -> list[dict[str, Any]]:
    """A world a family; those of ``one`` are other ones."""
    return [record(one.get(family, scores()), family=family) for family in FAMILIES]


def test_a_network_that_reaches_every_goal() -> None:
    worlds = in_all_families()
    families = goals.summarise(worlds)
    assert missed(*worlds) == [] and goals.not_judged(families) == []
    assert skill.verdict([], []) == "all goals reached"
    assert families["A"]["ratios"][goals.GAIN]["mean"] == pytest.approx((0.07 - 0.04) / (0.07 - 0.038))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bilinear": {"RMSE": 0.044}}, "A: gain over bilinear / oracle's 0.667 is not >= 0.7"),
        ({"oracle": {"RMSE": 0.034}}, "A: RMSE / oracle 1.176 is not <= 1.15"),
        ({"oracle": {"sub-grid R": 1.01}}, "A: sub-grid R / oracle 0.792 is not >= 0.8"),
        ({"network": {"coverage 68": 0.61}}, "A: 68 % interval holds, % 61.0 is not in 62..74"),
        ({"network": {"coverage 90": 0.95}}, "A: 90 % interval holds, % 95.0 is not in 86..94"),
        ({"ridge": {"RMSE": 0.039}}, "A: RMSE / ridge 1.026 is not <= 1"),
    ],
)
def test_a_goal_that_is_missed_is_named_with_its_value(change: dict[str, dict[str, float]], text: str) -> None:
    assert missed(record(scores(**change))) == [text]


def test_above_bilinear_is_missed_even_where_the_oracle_is_too() -> None:
    """Where nothing can be gained, no part of it is; such a value must not count as reached."""
    found = missed(record(scores(bilinear={"RMSE": 0.037})))
    assert [t.split(" is not")[0] for t in found[:2]] == [
        "A: gain over bilinear / oracle's –",
        "A: RMSE / bilinear 1.081",
    ]
    assert found[2].startswith("leak in A 1: bilinear has RMSE")


def test_goals_of_means_have_their_own_rows() -> None:
    """Each family may reach its own goal where the mean does not reach the higher one."""
    low = scores(bilinear={"RMSE": 0.0456}, ridge={"RMSE": 0.046})  # 0.74 of the gain
    worlds = in_all_families(**dict.fromkeys(FAMILIES, low))
    (text,) = missed(*worlds)
    assert text == "mean of families: gain over bilinear / oracle's 0.737 is not >= 0.75"
    some = goals.summarise(worlds[:4])
    assert missed(*worlds[:4]) == []
    assert goals.not_judged(some) == [f"mean of families: {goal}" for goal in goals.GOALS_OF_MEANS]
    rows = [str(cell) for cell in goal_tables.goal_table(some).columns[-1].cells]
    assert rows.count("not judged") == 2


def test_goals_of_methods_that_were_not_run_are_not_judged_and_named() -> None:
    """Nothing is reached that was not looked at."""
    found = {k: v for k, v in scores().items() if k not in ("oracle", "ridge")}
    families = goals.summarise([record(found)])
    unjudged = goals.not_judged(families)
    assert {goals.GAIN, "RMSE / oracle", goals.SUBGRID, "RMSE / ridge", goals.LEAK_TEST} <= set(unjudged)
    assert "RMSE / bilinear" not in unjudged
    assert skill.verdict([], unjudged).startswith("no judged goal is missed | not judged: ")
    assert skill.verdict(["x"], unjudged).startswith("missed: x | not judged: ")
    cells = [str(cell) for cell in goal_tables.goal_table(families).columns[2].cells]
    assert cells[list(goals.GOALS).index("RMSE / ridge")] == "not judged"


def test_goals_are_judged_by_the_mean_over_seeds() -> None:
    worlds = [record(scores(network={"coverage 68": c}), seed=s) for s, c in enumerate((0.60, 0.66))]
    assert missed(*worlds) == []
    found = goals.summarise(worlds)["A"]["ratios"]["68 % interval holds, %"]
    assert found == {"mean": pytest.approx(63.0), "spread": pytest.approx(6 / math.sqrt(2))}


def test_other_methods_are_shown_where_they_were_run() -> None:
    others = {"alone": 0.05, "dispatch": 0.06, "gwr": 0.052, "forest": 0.051}
    found = scores() | {k: {"RMSE": v, "sub-grid R": 0.5} for k, v in others.items()}
    ratios = goals.ratios(found, 12.0)
    assert ratios["RMSE / best classic"] == pytest.approx(0.04 / 0.051) and ratios["alone: training, minutes"] == 12
    assert set(ratios) == {*goals.GOALS, *goals.SHOWN}
    assert set(goals.ratios(scores(), math.nan)) == {*goals.GOALS, *goals.SHOWN[:3]}
    methods = [
        str(cell) for cell in goal_tables.score_table("A", goals.summarise([record(found)])["A"]).columns[0].cells
    ]
    assert methods == ["network", "alone", *goals.BASELINES, "oracle", "truth"]


def test_methods_are_chosen_in_order_and_the_network_is_always_among_them() -> None:
    assert skill.chosen_methods("ridge,bilinear", False) == ("network", "bilinear", "ridge")
    assert skill.chosen_methods("", True) == goals.METHODS
    with pytest.raises(ValueError, match="kriging"):
        skill.chosen_methods("kriging", False)
    assert skill.arguments(["folder"]).methods == ("network", "bilinear", "ridge", "oracle")


def test_better_than_the_oracle_is_a_leak() -> None:
    (text,) = missed(record(scores(ridge={"RMSE": 0.046, "sub-grid R": 0.9})))
    assert text == "leak in A 1: ridge has sub-grid R 0.9000, the oracle 0.8300"


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=7)


@pytest.fixture(scope="module")
def truth(cube: Cube) -> Truth:
    return tiny_truth(cube)


@pytest.fixture(scope="module")
def prior(cube: Cube) -> Trained:
    torch.manual_seed(0)
    scaling = compute_scaling(cube, cube.days)
    return Trained(build(MODEL, scaling, 0.22).eval(), scaling, MODEL, 36, "gaussian", 43.0, 0.22, Calibration(), {})


@pytest.mark.slow
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


def test_the_oracle_is_the_same_in_mosaics_as_on_its_samples(
    cube: Cube, truth: Truth, prior: Trained, tmp_path: Path
) -> None:
    """It is judged by its mosaics: without the regional slopes of its samples it would be another network."""
    cfg = TrainConfig(str(cube.path), str(tmp_path / "run"), validation_fraction=0.3)
    trained = oracle.train_oracle(cube, truth, prior, cfg, 5)
    world = World.load(tmp_path / "run" / "samples.npz")
    samples = TruthSamples([world], trained.scaling, ratio=36, lags=MODEL.lags, seed=None)
    t = 3
    for member in trained.network:
        assert bool(member.slopes.any()) and torch.allclose(member.slopes, samples[t].slopes, atol=1e-7)
        with torch.no_grad():  # so that a few epochs' weights show what is given to them
            member.head.weight[0].normal_(std=0.2)
    learner = SupervisedLearner(trained.network, ratio=36, schedule=Schedule(1e-3, 0.0, 1, 0), bf16=False)
    with torch.inference_mode():
        (mean, *_), *_ = learner.pixels(collate([samples[t]]))
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    coarse = read_coarse(cube, cube.days[t], estimator.lags, estimator.scaling)
    whole = background(estimator, cube, coarse, torch.ones(cube.domain.fine_shape, dtype=torch.bool), 4).mean
    dy, dx = world.offset[t].tolist()
    rows, cols = mean.shape[1:]
    assert float((mean[0] - whole[dy::THINNING, dx::THINNING][:rows, :cols]).abs().max()) < 3e-3  # float16 samples
    for member in trained.network:
        member.slopes.zero_()
    estimator = NetworkEstimator(trained, cube, torch.device("cpu"))
    without = background(estimator, cube, coarse, torch.ones(cube.domain.fine_shape, dtype=torch.bool), 4).mean
    assert float((without - whole).abs().max()) > 3e-3


@pytest.mark.slow
def test_the_smoke_runs_and_goes_on(tmp_path: Path) -> None:
    prior = untrained_prior(tmp_path / "prior")
    words = [sys.executable, str(BENCH / "skill.py"), str(tmp_path / "w"), "--size", "smoke", "--families", "A,D"]
    words += ["--prior", str(prior), "--results", str(tmp_path), "--check"]
    first = subprocess.run(words, capture_output=True, text=True)
    assert first.returncode == 1, first.stderr  # untrained networks reach no goal
    assert first.stdout.splitlines()[-1].startswith("missed: A: ")
    assert "not judged: mean of families" in first.stdout.splitlines()[-1]
    found = json.loads((tmp_path / "skill-smoke.json").read_text())
    for world in found["worlds"]:
        assert set(world["scores"]) == {*goals.DEFAULT_METHODS, "truth"}
        assert set(world["ratios"]) == {*goals.GOALS, *goals.SHOWN[:3]}
        assert world["members met"] == ["BE", "CF"]
    assert found["worlds"][0]["place"]["window"] != found["worlds"][1]["place"]["window"]
    mosaics = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nc")}
    again = subprocess.run(words, capture_output=True, text=True)
    assert again.stdout.splitlines()[-1] == first.stdout.splitlines()[-1]
    assert mosaics == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nc")}
