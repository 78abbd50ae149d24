"""The ablations and the study of bench/: what they change, what they leave as it was, and that they start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from worlds import tiny_cube

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube.store import Cube, open_cube
from ssm_net.estimators import network
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.inputs.phases import phase_of_cells
from ssm_net.inputs.reading import CoarseDay, read_coarse
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.train import aggregate_loss, last_layer, withheld
from ssm_net.train.batches import CoarseWindow

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import ablations  # noqa: E402
import study  # noqa: E402
from skill import SIZES  # noqa: E402

MODEL = ModelConfig(members=1, width=8, depth=1, coarse_width=8, lags=3)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 4), days=3)


@pytest.fixture(scope="module")
def trained(cube: Cube) -> Trained:
    torch.manual_seed(0)
    scaling = compute_scaling(cube, cube.days)
    return Trained(build(MODEL, scaling, 0.22).eval(), scaling, MODEL, 36, "gaussian", 43.0, 0.22, Calibration(), {})


@pytest.mark.parametrize("script", ["ablations.py", "study.py", "loader.py", "prepare.py", "train.py"])
def test_help(script: str) -> None:
    done = subprocess.run([sys.executable, str(BENCH / script), "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"python bench/{script}" in done.stdout and "--results" in done.stdout


def test_variants_differ_in_name_and_in_what_they_are() -> None:
    names = [v.name for v in ablations.VARIANTS]
    assert len(set(names)) == len(names) and len({v.what for v in ablations.VARIANTS}) == len(names)
    assert names[0] == "reference"
    trained_before: set[str] = {"network", "alone"}  # left by bench/skill.py
    for variant in ablations.VARIANTS:
        assert not variant.shares or variant.shares in trained_before
        trained_before.add(variant.name)


def test_what_variants_change_is_a_setting(tmp_path: Path) -> None:
    size = SIZES["small"]
    found = {
        v.name: ablations.settings(v, tmp_path, tmp_path / "cube.zarr", size, "A", 31, tmp_path / "run")
        for v in ablations.VARIANTS
    }
    assert found["reference"].prior.endswith("priors/BC") and found["alone"].prior == "none"
    assert found["one-member"].model == ModelConfig(members=1) and found["no-physics"].physics == 0
    assert found["stations"].stations == str(tmp_path / "raw" / "ismn")
    assert found["no-memory-no-rain"].exclude == [*found["no-memory"].exclude, *found["no-rain"].exclude]


def context_of(trained: Trained, cube: Cube, coarse: CoarseDay) -> torch.Tensor:
    return NetworkEstimator(trained, cube, torch.device("cpu")).context(coarse).by_phase[0]


def test_the_own_value_is_shown_and_hidden_again(cube: Cube, trained: Trained) -> None:
    replaced = [(aggregate_loss, "hidden"), (network, "phase_of_cells"), (last_layer, "_contexts")]
    before = [getattr(module, name) for module, name in replaced]
    coarse = read_coarse(cube, cube.days[-2], MODEL.lags, trained.scaling)
    phase, member = phase_of_cells(4, 4), next(iter(trained.network))
    up = torch.zeros(1, 1, 4)
    window = CoarseWindow(coarse.ssm[None], torch.zeros(1, 0, 4, 4), phase[None], up, up)
    with torch.no_grad():
        outside = context_of(trained, cube, coarse), last_layer._contexts(member, coarse, phase)
        with ablations.own_value_shown():
            assert aggregate_loss.hidden(window, 0) is window.ssm
            shown = context_of(trained, cube, coarse), last_layer._contexts(member, coarse, phase)
        for now, was in zip(shown, outside, strict=True):
            assert torch.equal(now[0], now[3]) and not torch.equal(was[0], was[3])
        assert torch.equal(shown[1][4], outside[1][4])  # the whole day withheld
    assert [getattr(module, name) for module, name in replaced] == before
    with pytest.raises(RuntimeError), ablations.own_value_shown():
        raise RuntimeError
    assert [getattr(module, name) for module, name in replaced] == before
    assert bool(aggregate_loss.hidden(window, 0)[0, 0, 0, 0].isnan())


def test_the_lasting_bias_is_modelled_again() -> None:
    before = [module.SENSOR_BIAS for module in (aggregate_loss, last_layer, withheld)]
    with ablations.no_lasting_bias():
        assert {module.SENSOR_BIAS for module in (aggregate_loss, last_layer, withheld)} == {ablations.NO_BIAS}
    assert [module.SENSOR_BIAS for module in (aggregate_loss, last_layer, withheld)] == before


def test_a_cube_with_another_footprint_is_links(cube: Cube, tmp_path: Path) -> None:
    for _ in range(2):  # goes on where it is there
        other = open_cube(ablations.with_footprint(cube.path, tmp_path / "box.zarr", "box"))
    assert other.attrs == {**cube.attrs, "footprint": "box"} and cube.attrs["footprint"] == "gaussian"
    assert other.done_days() == cube.done_days() and (other.path / "fine").is_symlink()
    day = cube.days[0]
    assert (other.read("lst_day", day) == cube.read("lst_day", day)).all()
    other.write_stats("mine", {"a": 1})
    assert cube.stats("mine") is None


def test_the_prior_as_it_is(cube: Cube, trained: Trained, tmp_path: Path) -> None:
    prior, run = tmp_path / "prior", tmp_path / "run"
    prior.mkdir()
    save_trained(prior, trained)
    ablations.unadapted(prior, cube, run)
    found = load_trained(run)
    assert found.calibration == Calibration() and found.scaling == trained.scaling
    for a, b in zip(found.network.parameters(), trained.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_table_leaves_out_what_was_not_made() -> None:
    scores = dict.fromkeys(ablations.COLUMNS, 0.5)
    worlds = [{"family": "A", "seed": 31, "scores": {v.name: scores for v in ablations.VARIANTS}},
              {"family": "B", "seed": 31, "scores": {"reference": scores, "ridge": scores}}]  # fmt: skip
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
