"""The benchmark at dense stations: what it predicts never rests on the value it is judged by, and slopes are found."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ssm_net.config import ModelConfig
from ssm_net.cube.variables import FINE
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, load_trained, save_trained
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.inputs.scaling import Scaling
from ssm_net.model.network import Committee

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import ground  # noqa: E402
import ground_baselines  # noqa: E402
import ground_network  # noqa: E402
from ground_inputs import station_inputs  # noqa: E402
from ground_scores import judged_rows, score  # noqa: E402
from ground_table import GroundError, StationCell, read_cells  # noqa: E402

SLOPE = -0.01  # m3 m-3 a K
MODEL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, coarse_depth=1, cells=True, lags=3, dropout=0.0)
NAMES = {"lst_day_today": 2.0, "lst_day_memory": 2.0, "ndvi": 0.2, "rain": 1.0, "sand": 20.0, "clay": 10.0,
         "ndwi": 0.1}  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """10 stations on 120 days: soil moisture falls by ``SLOPE`` a K of lasting heat, and follows the weather."""
    rng = np.random.default_rng(1)
    days, sites = pd.date_range("2016-01-01", periods=120), [f"s{n}" for n in range(10)]
    heat = np.zeros((120, 10))
    for t in range(120):
        heat[t] = 0.9 * heat[t - 1] + rng.normal(0, 0.5, 10)
    elevation = rng.uniform(100, 400, 10)
    weather = 5 * np.sin(np.arange(120) / 9)
    lst = 300 + weather[:, None] + heat - 6e-3 * elevation
    ssm = 0.25 - 0.01 * weather[:, None] + SLOPE * heat + rng.normal(0, 0.002, heat.shape)
    ssm[rng.uniform(size=ssm.shape) < 0.1] = np.nan
    lst[rng.uniform(size=lst.shape) < 0.3] = np.nan
    lst[40:50] = np.nan  # a cloudy spell
    rain = np.where(rng.uniform(size=120) < 0.2, 8.0, 0.0)
    grid = {"ssm": ssm, "lst_day": lst, "ndvi": 0.3 + 0.02 * rng.normal(size=heat.shape)}
    columns = {name: field.ravel() for name, field in grid.items()}
    constant = {"lat": -35 + 0.01 * np.arange(10), "elevation": elevation, "sand": rng.uniform(0.2, 0.6, 10),
                "clay": rng.uniform(0.1, 0.4, 10)}  # fmt: skip
    columns |= {name: np.tile(values, 120) for name, values in constant.items()}
    return pd.DataFrame({"date": days.repeat(10), "site": sites * 120, "rain": rain.repeat(10), **columns})


@pytest.fixture(scope="module")
def file(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ground") / "table.csv.gz"
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def cell(file: Path) -> StationCell:
    (cell,) = read_cells(file)
    return cell


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks whose weights are random, large enough that every feature counts."""
    torch.manual_seed(0)
    mean, limit = (0.0, 0.0, 0.4, 1.0, 40.0, 20.0, 0.1), (1e6,) * len(NAMES)
    scaling = Scaling(tuple(NAMES), mean, tuple(NAMES.values()), tuple(-v for v in limit), limit, "2016-01-01",
                      "2016-04-29")  # fmt: skip
    network = build(MODEL, scaling, 0.2).eval()
    for member in network:
        torch.nn.init.normal_(member.head.weight, std=0.1)
    folder = tmp_path_factory.mktemp("prior")
    save_trained(
        folder, Trained(network, scaling, MODEL, 36, "gaussian", 43.0, 0.2, Calibration(), {"families": ["A", "B"]})
    )
    return folder


def test_a_planted_slope_is_found_and_lowers_the_error(cell: StationCell) -> None:
    slopes = ground_baselines.fit_slopes([cell])
    assert slopes[ground_baselines.TODAY][ground_baselines.TODAY] == pytest.approx(SLOPE, rel=0.1)
    rows = judged_rows([cell])
    scores = ground.baseline_scores([cell], rows, slopes)
    assert scores[ground.UNDOWNSCALED]["gain"] == 0
    assert scores[ground_baselines.TODAY]["gain"] > 15
    assert scores[ground_baselines.MEMORIES[4]]["sub-grid r"] > 0.7  # it lasts through the cloudy spell


@pytest.fixture(scope="module")
def short_file(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 50 days."""
    path = tmp_path_factory.mktemp("short") / "table.csv"
    table[: 50 * 10].to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def short(short_file: Path) -> StationCell:
    (cell,) = read_cells(short_file)
    return cell


@pytest.mark.slow
def test_soil_moisture_of_a_station_reaches_no_prediction_of_it(short: StationCell, prior: Path) -> None:
    """Were it otherwise, the skill that is reported would be that of a leak."""
    cell, station = short, 3
    ssm = cell.daily["ssm"].copy()
    ssm[:, station] = np.random.default_rng(2).uniform(0.05, 0.5, len(ssm)) + 0 * ssm[:, station]
    changed = replace(cell, daily=cell.daily | {"ssm": ssm})
    trained = load_trained(prior)
    before, after = (ground_network.GroundNetworks(c, trained).predict() for c in (cell, changed))
    for setting in ("prior", "adapted"):
        for name in ("anomaly", "sigma", "level"):
            was, now = (getattr(p[setting], name) for p in (before, after))
            assert np.array_equal(was[:, station], now[:, station], equal_nan=True)
        assert not np.array_equal(before[setting].level, after[setting].level, equal_nan=True)
    slopes = {m: dict.fromkeys(features, 0.01) for m, features in ground_baselines.FEATURES_OF.items()}
    linear = [
        ground_baselines.linear_anomalies(c, ground_baselines.station_features(c), slopes) for c in (cell, changed)
    ]
    for method in slopes:
        assert np.array_equal(linear[0][method], linear[1][method], equal_nan=True)


@pytest.mark.slow
def test_adapting_moves_the_networks_towards_the_coarse_values(short: StationCell, prior: Path) -> None:
    trained = load_trained(prior)
    with torch.no_grad():
        for member in trained.network:
            member.head.bias[0] += 0.5  # far too wet
    predictions = ground_network.GroundNetworks(short, trained).predict()
    bias = {k: np.nanmean((p.level - short.coarse)[short.due]) for k, p in predictions.items()}
    assert bias["prior"] > 0.04 and abs(bias["adapted"]) < 0.5 * bias["prior"]


def test_the_plain_has_no_end(cell: StationCell, prior: Path) -> None:
    """A wider plain gives the same context: no edge of it is seen from its middle."""
    networks = ground_network.GroundNetworks(cell, load_trained(prior))
    days = np.flatnonzero(cell.due[:, 0])[:20]
    narrow = networks.contexts(0, days)
    networks.plain = replace(networks.plain, cells=networks.plain.cells + 4)
    for a, b in zip(narrow, networks.contexts(0, days), strict=True):
        torch.testing.assert_close(a.by_phase[0], b.by_phase[0])


def test_the_mean_of_the_members_is_the_estimate_of_the_committee(cell: StationCell, prior: Path) -> None:
    networks = ground_network.GroundNetworks(cell, load_trained(prior))
    days = np.flatnonzero(cell.due[:, 0])[:20]
    contexts, committee = networks.contexts(0, days), networks.trained.network
    means, _ = networks.estimate(networks.estimators(committee, Calibration()), contexts, days)
    whole = NetworkEstimator(
        replace(networks.trained, network=Committee(committee)), networks.plain, torch.device("cpu")
    )  # type: ignore[arg-type]
    whole.shape = (3 * len(days), 3 * len(cell.sites))
    context = replace(contexts[0], by_phase=tuple(c.by_phase[0] for c in contexts))
    estimate = whole.estimate(context, networks.pixels(days, whole.needs), (0, whole.shape[0], 0, whole.shape[1]))
    assert np.allclose(means.mean(0), estimate.mean[1::3, 1::3].numpy(), atol=1e-6)


def test_inputs_are_those_that_prepare_would_store(cell: StationCell) -> None:
    inputs = station_inputs(cell)
    assert np.array_equal(FINE["rain"].unpack(inputs.packed["rain"])[:-1], cell.daily["rain"][1:].astype("float32"))
    seen = inputs.packed["lst_day_lineage"] == 0
    assert np.array_equal(seen, np.isfinite(cell.daily["lst_day"]))
    red, nir = (FINE[name].unpack(inputs.packed[name]) for name in ("red", "nir"))
    assert np.allclose((nir - red) / (nir + red), cell.daily["ndvi"], atol=5e-4)
    assert inputs.maps["sand"] == pytest.approx(100 * cell.static["sand"])  # percent, as in a cube
    memory = FINE["lst_day_memory"].unpack(inputs.packed["lst_day_memory"])
    assert np.isfinite(memory[45]).all()  # remembered under cloud


@pytest.mark.slow
def test_predictions_have_the_columns_that_a_judge_reads(
    short_file: Path, short: StationCell, prior: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "predictions.csv"
    words = [str(short_file), "--prior", str(prior), "--predictions", str(out), "--results", str(tmp_path)]
    assert ground.main(words) == 0
    written = pd.read_csv(out)
    assert list(written) == ["date", "site", "coarse", "anomaly", "sigma"]
    assert len(written) == short.due.sum() and written.notna().all().all() and (written["sigma"] > 0).all()
    one = written.iloc[100]
    t, i = short.days.index(pd.Timestamp(one["date"]).date()), short.sites.index(one["site"])
    others = np.delete(short.daily["ssm"][t], i)
    assert one["coarse"] == pytest.approx(np.nanmean(others), abs=1e-6)
    stored = json.loads((tmp_path / "ground.json").read_text())
    assert stored["command"].startswith("python bench/ground.py TABLE.csv.gz") and stored["station-days"] == len(
        written
    )
    assert str(tmp_path) not in stored["command"]
    assert {"undownscaled", "ssm_net, adapted", "ssm_net without texture, NDVI, prior"} <= stored["methods"].keys()
    assert "ssm_net, adapted" in capsys.readouterr().out


@pytest.mark.slow
def test_ablations_leave_out_one_kind_of_feature_and_let_each_network_predict_alone(
    short_file: Path, prior: Path, tmp_path: Path
) -> None:
    assert ground.main([str(short_file), "--prior", str(prior), "--ablations", "--results", str(tmp_path)]) == 0
    assert not (tmp_path / "ground.json").exists()
    methods = json.loads((tmp_path / "ground-ablations.json").read_text())["methods"]
    r = {name: scores["sub-grid r"] for name, scores in methods.items()}
    assert r["without texture"] != r["ssm_net"] != r["without the fast memory"]
    assert r["without the slow memory"] == r["ssm_net"]  # these networks do not know it
    assert r["network 1 alone"] != r["network 2 alone"]


def test_a_perfect_and_a_constant_prediction_score_as_such(cell: StationCell) -> None:
    rows = judged_rows([cell])
    perfect = score(rows, rows["anomaly"].to_numpy(), np.full(len(rows), 0.01))
    assert perfect["gain"] == 100 and perfect["slope"] == pytest.approx(1) and perfect["coverage 90"] == 1
    assert perfect["sub-grid r, 95 %"] == pytest.approx([1, 1])
    none = score(rows, np.zeros(len(rows)))
    assert none["gain, 95 %"] == [0, 0] and np.isnan(none["sub-grid r"])


def test_a_table_without_a_column_is_refused_by_name(
    table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "short.csv"
    table.drop(columns=["lst_day", "ssm"]).to_csv(file, index=False)
    assert ground.main([str(file), "--results", str(tmp_path)]) == 2
    assert "lacks the columns ssm, lst_day" in capsys.readouterr().out


def test_too_few_stations_and_two_rows_of_a_day_are_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    table[table["site"] < "s6"].to_csv(file, index=False)
    with pytest.raises(GroundError, match="on no day have 7 stations a value"):
        read_cells(file)
    pd.concat([table, table.iloc[:1]]).to_csv(file, index=False)
    with pytest.raises(GroundError, match="station s0 has two rows of 2016-01-01"):
        read_cells(file)
    with pytest.raises(GroundError, match="is no station table"):
        read_cells(tmp_path / "absent.csv")


def test_cells_of_a_table_are_judged_apart(table: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    pd.concat([table.assign(cell="a"), table.assign(cell="b", ssm=table["ssm"] + 0.1)]).to_csv(file, index=False)
    cells = read_cells(file)
    assert [cell.name for cell in cells] == ["a", "b"]
    assert np.nanmax(np.abs(cells[1].coarse - cells[0].coarse - 0.1)) < 1e-9
    rows = judged_rows(cells)
    assert score(rows, rows["anomaly"].to_numpy())["by cell"].keys() == {"a", "b"}


def test_a_world_becomes_a_table_once(tmp_path: Path) -> None:
    file = ground_baselines.world_table(tmp_path, "B", 3, days=31)
    written = file.stat().st_mtime_ns
    cells = read_cells(ground_baselines.world_table(tmp_path, "B", 3, days=31))
    assert file.stat().st_mtime_ns == written
    assert len(cells) == 16 and all(len(c.sites) == ground_baselines.STATIONS for c in cells)


def test_help_explains_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        ground.main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0 and "python bench/ground.py TABLE.csv.gz" in said and "--predictions FILE" in said


@pytest.mark.real
def test_predictions_of_real_stations_pass_the_checks_of_their_judge(
    real_dir: Path, prior: Path, tmp_path: Path
) -> None:
    """Not its goals: those are for the networks to reach."""
    folder = real_dir / "yanco"
    if not (folder / "cell_b.csv.gz").exists():
        pytest.skip(f"no station table in {folder}")
    part, out = tmp_path / "part.csv", tmp_path / "predictions.csv"
    table = pd.read_csv(folder / "cell_b.csv.gz")
    table[table["date"] < "2016-04-01"].to_csv(part, index=False)
    assert (
        ground.main(
            [str(part), "--prior", str(prior), "--predictions", str(out), "--results", str(tmp_path), "--no-adapt"]
        )
        == 0
    )
    judged = subprocess.run(
        [sys.executable, str(folder / "judge.py"), str(part), str(out)], capture_output=True, text=True
    )
    assert "rows 1.00 of those due, coarse off by 0.0000 at most" in judged.stdout, judged.stdout + judged.stderr
