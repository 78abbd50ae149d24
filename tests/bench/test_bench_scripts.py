"""The ablations and the study of bench/: what they change, what they leave as it was, and that they start."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from untrained import untrained_prior
from worlds import tiny_cube

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube.store import Cube, open_cube
from ssm_net.estimators.ablation import NO_ABLATION, SENSOR_BIAS, Ablation
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.inputs.phases import PHASES
from ssm_net.inputs.reading import read_coarse
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.model.grouped_regression import grouped_normal_equations
from ssm_net.pretrain.worlds import FEATURE_NAMES
from ssm_net.train.aggregate_loss import AggregateLearner, Objective, SensorFootprint
from ssm_net.train.batches import PatchBatch, collate
from ssm_net.train.last_layer import design_rows
from ssm_net.train.optimiser import Schedule
from ssm_net.train.patches import Patches, PatchShape

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import ablations  # noqa: E402
import families  # noqa: E402
import ground  # noqa: E402
import judged_places  # noqa: E402
import left_out  # noqa: E402
import study  # noqa: E402
from skill import SkillRun  # noqa: E402

MODEL = ModelConfig(members=1, width=8, depth=1, coarse_width=8, lags=3)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 4), days=3)


@pytest.fixture(scope="module")
def trained(cube: Cube) -> Trained:
    torch.manual_seed(0)
    scaling = compute_scaling(cube, cube.days)
    return Trained(build(MODEL, scaling, 0.22).eval(), scaling, MODEL, 36, "gaussian", 43.0, 0.22, Calibration(), {})


@pytest.mark.parametrize("script", ["skill.py", "ablations.py", "study.py", "loader.py", "prepare.py", "train.py"])
def test_help(script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(BENCH / script), run_name="__main__")
    said = capsys.readouterr().out
    assert end.value.code == 0 and f"python bench/{script}" in said and "--results" in said


def test_variants_differ_in_name_and_in_what_they_are() -> None:
    names = [v.name for v in ablations.VARIANTS]
    assert len(set(names)) == len(names) and len({v.what for v in ablations.VARIANTS}) == len(names)
    assert names[0] == "reference"
    trained_before: set[str] = {"network", "alone"}  # left by bench/skill.py
    for variant in ablations.VARIANTS:
        assert not variant.shares or variant.shares in trained_before
        trained_before.add(variant.name)


@pytest.fixture(scope="module")
def world_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What bench/skill.py leaves of a world of family A before its networks are trained: the prior without it."""
    home = tmp_path_factory.mktemp("skill")
    left_out.saved_without(untrained_prior(home / "prior"), "A", home / "small-A31" / "prior")
    return home / "small-A31"


def test_what_variants_change_is_a_setting(world_folder: Path) -> None:
    run = SkillRun(judged_places.SIZES["small"], world_folder, (), "")
    found = {
        v.name: ablations.settings(v, world_folder, world_folder / "cube.zarr", run, 31) for v in ablations.VARIANTS
    }
    assert found["reference"].prior == str(world_folder / "prior") and found["alone"].prior == "none"
    assert found["no-physics"].physics == 0
    assert found["stations"].stations == str(world_folder / "raw" / "ismn")


def test_what_families_leaves_out_are_features_each_of_one_kind() -> None:
    """A feature that is named wrongly would be left in."""
    kinds = (families.HEAT, families.FAST, families.SLOW, families.SEEN, families.GREEN, families.MAPS, families.RAIN)
    names = [name for kind in kinds for name in kind]
    assert len(names) == len(set(names)) and set(names) == set(FEATURE_NAMES)
    left = {name for kind in ground.ABLATIONS.values() for name in kind}
    assert left <= set(names) and set(families.SWIR) <= set(names)


def test_worlds_of_another_prior_are_not_taken_for_this_ones(cube: Cube, world_folder: Path, tmp_path: Path) -> None:
    folder, prior = tmp_path / "small-A31", world_folder.parent / "prior"
    folder.mkdir()
    (folder / "cube.zarr").symlink_to(cube.path)
    assert not ablations.left_whole(folder, prior, ())
    (folder / "prior").symlink_to(world_folder / "prior")
    assert ablations.left_whole(folder, prior, ())
    assert not ablations.left_whole(folder, prior, ("network",))
    other = load_trained(prior)
    (tmp_path / "other").mkdir()
    with torch.no_grad():
        next(iter(other.network)).head.weight.add_(1.0)
    save_trained(tmp_path / "other", other)
    assert not ablations.left_whole(folder, tmp_path / "other", ())


def contexts_of(trained: Trained, cube: Cube, ablation: Ablation) -> torch.Tensor:
    """Of inference, with each phase hidden, (phase, channel, R, C)."""
    coarse = read_coarse(cube, cube.days[-2], MODEL.lags, trained.scaling)
    cpu = torch.device("cpu")
    return NetworkEstimator(trained, cube, cpu, ablation=ablation).context(coarse).by_phase[0]


def test_networks_see_their_own_value_in_inference_where_it_is_shown(cube: Cube, trained: Trained) -> None:
    hidden, shown = (contexts_of(trained, cube, a) for a in (NO_ABLATION, ablations.OWN_VALUE_SHOWN))
    assert all(torch.equal(shown[0], shown[phase]) for phase in range(1, PHASES))
    assert not any(torch.equal(hidden[0], hidden[phase]) for phase in range(1, PHASES))


def test_networks_see_their_own_value_in_the_last_layers_regression_but_not_on_withheld_days(
    cube: Cube, trained: Trained
) -> None:
    """What the regression and the calibration rest on: rows with the own value, and with the whole day hidden."""
    rows = []
    for ablation in (NO_ABLATION, ablations.OWN_VALUE_SHOWN):
        found = design_rows(trained.network, cube, trained.scaling, cube.days, np.ones((4, 4), bool),
                            lags=MODEL.lags, ablation=ablation)  # fmt: skip
        assert found is not None
        rows.append(found.rows[0])
    hidden, shown = rows
    assert not torch.equal(shown.mean, hidden.mean)
    assert torch.equal(shown.mean_day_hidden, hidden.mean_day_hidden)


def learner_and_batch(cube: Cube, trained: Trained, ablation: Ablation) -> tuple[AggregateLearner, PatchBatch]:
    shape = PatchShape(side=4, halo=MODEL.kernel // 2, lags=MODEL.lags, cells=MODEL.cells)
    data = Patches(cube, cube.days[:1], [np.ones((4, 4), bool)], trained.scaling, shape, seed=None)
    learner = AggregateLearner(
        trained.network, footprint=SensorFootprint("gaussian", 43.0, 36),
        objective=Objective(beta=0.5, subgrid=0.0, subgrid_std=0.05, physics=0.0, stride=6),
        schedule=Schedule(lr=1e-3, weight_decay=0.0, steps=1, seed=0), cells=16, observations=16, ablation=ablation,
    )  # fmt: skip
    return learner, data.complete(collate([data[0]]))


@pytest.mark.parametrize("ablation", [NO_ABLATION, ablations.OWN_VALUE_SHOWN])
def test_networks_see_their_own_value_in_training_where_it_is_shown(
    cube: Cube, trained: Trained, ablation: Ablation
) -> None:
    one, batch = learner_and_batch(cube, trained, ablation)
    ssm = batch.coarse.ssm.clone()
    ssm[:, 0] += 0.1 * (batch.coarse.phase == 0)
    other = replace(batch, coarse=replace(batch.coarse, ssm=ssm))
    with torch.no_grad():
        before, after = (one.background(b, (3, 3), 6).mean[0][batch.target.phase == 0] for b in (batch, other))
    assert torch.equal(before, after) != ablation.own_value_shown


@pytest.mark.parametrize("ablation", [NO_ABLATION, ablations.NO_LASTING_BIAS])
def test_the_loss_knows_a_lasting_bias_unless_it_is_left_out(cube: Cube, trained: Trained, ablation: Ablation) -> None:
    one, batch = learner_and_batch(cube, trained, ablation)
    losses = []
    for bias in (0.0, 1.0):
        one.sensor_bias.data.fill_(bias)
        torch.manual_seed(0)  # the same pixels
        with torch.no_grad():
            losses.append(float(one.training_step(batch, 0)))
    of_the_prior = 0.5  # of 16 cells that are one standard deviation off, over 16 observations
    assert (losses[1] - losses[0] == pytest.approx(of_the_prior, abs=1e-3)) == (ablation != NO_ABLATION)


def test_a_lasting_bias_keeps_a_cells_days_from_counting_as_independent() -> None:
    """The same days of two cells move the networks further where no bias is modelled."""
    slope, group = torch.ones(40, 1, dtype=torch.float64), torch.arange(40) % 2
    residual = 0.05 + 0.01 * torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    certain, doubtful = (
        grouped_normal_equations(slope, residual, group, 0.01, a.sensor_bias)[0]
        for a in (ablations.NO_LASTING_BIAS, NO_ABLATION)
    )
    assert float(certain) == pytest.approx(40 / 0.01**2, rel=1e-3)
    assert float(doubtful) == pytest.approx(2 / (SENSOR_BIAS**2 + 0.01**2 / 20), rel=1e-3)


def test_a_cube_with_another_footprint_is_links(cube: Cube, tmp_path: Path) -> None:
    for _ in range(2):  # goes on where it is there
        other = open_cube(ablations.with_footprint(cube.path, tmp_path / "box.zarr", "box"))
    assert other.attrs == {**cube.attrs, "footprint": "box"} and cube.attrs["footprint"] == "gaussian"
    assert other.done_days() == cube.done_days() and (other.path / "fine").is_symlink()
    day = cube.days[0]
    assert (other.read("lst_day", day) == cube.read("lst_day", day)).all()


def test_the_table_leaves_out_what_was_not_made() -> None:
    scores = dict.fromkeys(ablations.COLUMNS, 0.5)
    worlds = [{"family": "A", "seed": 31, "scores": {v.name: scores for v in ablations.VARIANTS}},
              {"family": "B", "seed": 31, "scores": {"reference": scores, "ridge": {"RMSE": 0.5}}}]  # fmt: skip
    table = ablations.table_of(ablations.summary(worlds))
    assert table.row_count == len(ablations.VARIANTS) + 2


class Lowest:
    """Chooses the lowest value of everything, or the highest."""

    def __init__(self, high: bool) -> None:
        self.high = high

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return high if self.high else low

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return high if self.high else low


@pytest.mark.parametrize("high", [False, True])
def test_what_the_study_tries_composes_and_loads(high: bool, tmp_path: Path) -> None:
    values = study.suggested(Lowest(high))
    assert set(values) == set(study.SPACE)
    cfg = study.composed(tmp_path / "a=b" / "cube.zarr", tmp_path / "run", study.QUICK, values)
    assert isinstance(cfg, TrainConfig) and cfg.prior == "none" and cfg.patch == 4
    assert cfg.cube == str(tmp_path / "a=b" / "cube.zarr")
    assert cfg.model.dropout == values["model.dropout"] and cfg.model.members == ModelConfig().members
    assert all(getattr(cfg, k) == v for k, v in values.items() if k != "model.dropout")


def test_the_settings_as_they_are_lie_in_the_space_and_are_the_defaults() -> None:
    found = study.as_they_are()
    for key, (low, high, _) in study.SPACE.items():
        assert low <= found[key] <= high, key
    assert found["lr"] == TrainConfig.lr and found["model.dropout"] == ModelConfig().dropout
    assert json.dumps(found)  # optuna keeps them as JSON


@pytest.mark.slow
def test_a_study_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first trial is the settings as they are; one that was cut off goes on in its folder; none is drawn twice."""
    pytest.importorskip("optuna")
    tried: list[tuple[str, dict[str, float]]] = []

    def judged(world: Path, home: Path, size: object, values: dict[str, float]) -> dict[str, float]:
        tried.append((home.name, values))
        if len(tried) == 3:
            raise KeyboardInterrupt
        return {"RMSE": 0.04 + values["lr"], "innovation RMSE": 0.04, "sub-grid R": 0.7, "minutes": 1.0}

    monkeypatch.setattr(study, "judged", judged)
    monkeypatch.setattr(study, "development_world", lambda folder, size: folder)
    words = [str(tmp_path / "s"), "--quick", "--results", str(tmp_path), "--trials"]
    with pytest.raises(KeyboardInterrupt):
        study.main([*words, "5"])
    assert study.main([*words, "5"]) == 0
    assert study.main([*words, "5"]) == 0  # nothing is left to do
    assert tried[0][1] == study.as_they_are()
    assert tried[3] == tried[2] and tried[2][0] == "trial-002"
    assert len(tried) == 6 and len({v["lr"] for _, v in tried}) == 5
    found = json.loads((tmp_path / "study.json").read_text())
    assert found["best"]["RMSE"] == min(t["scores"]["RMSE"] for t in found["trials"]) and len(found["trials"]) == 5
