"""The whole verb on a small world: tables, page, and messages where something is missing."""

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ssm_net.core.days import runs
from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.run import EvaluationError, evaluate
from ssm_net.formats.mosaic_days import day_path, days_done, read_day, write_day
from ssm_net.formats.truth import TruthError
from ssm_net.stations import ismn as reader


@pytest.fixture
def two_stations(station_at, monkeypatch) -> None:
    """One right, one whose record slipped by a day, one far away."""
    there = [station_at("RIGHT", 100, 100), station_at("LATE", 100, 100, late=1)]
    far = replace(station_at("FAR", 10, 10), lon=150.0)
    monkeypatch.setattr(reader, "read_stations", lambda path: [*there, far])


def rows(table, **keys):
    return [r for r in table if all(r[k] == v for k, v in keys.items())]


@pytest.mark.usefixtures("plain_pictures")
def test_scores_and_page(world, baselines, two_stations, capsys):
    out = evaluate(world.config(stations="ismn"))
    (ours,) = rows(out["truth"], method="ssm_net", stratum="all")
    assert ours["RMSE"] == pytest.approx(0.03, rel=0.05)  # the noise put on the truth
    assert ours["coverage 68"] == pytest.approx(0.68, abs=0.01)
    assert ours["coverage 90"] == pytest.approx(0.90, abs=0.01)
    (flat,) = rows(out["truth"], method="bilinear", stratum="all")
    assert flat["sub-grid R"] is None  # cell means have nothing inside the cell
    (block,) = rows(out["texture"], method="bilinear")
    assert block["block index"] is None or block["block index"] > 100
    assert {r["stratum"] for r in out["truth"]} == {"all", "clear", "cloudy", "orbit gap"}
    parts = rows(out["truth"], method="ssm_net")
    n = {r["stratum"]: r["n"] for r in parts}
    assert n["clear"] + n["cloudy"] == n["all"] == int((world.water < 0.5).sum()) * 14

    right, late = rows(out["station"], station="RIGHT")[0], rows(out["station"], station="LATE")[0]
    assert right["R"] > late["R"] + 0.2
    assert right["note"].startswith("short record")
    assert "1 of 3 stations" in out["notes"][0]
    assert "were made by mosaics" in out["notes"][1]

    page = (Path(world.folder) / "report/index.html").read_text()
    assert (
        page.count("data:image/png;base64,") == 3 * 8 + 5 * 2 + 1
    )  # maps; figures, wide and narrow; where it is better
    assert "http" not in page.replace("https://", "http").split("</style>")[1].split('id="provenance"')[0]
    for words in ("synthetic world", "bilinear", "dispatch", "G_DOWN", "produced of thawed land", UNIT):
        assert words in page
    saved = json.loads((Path(world.folder) / "report/scores.json").read_text())
    assert saved["truth"] == out["truth"]
    assert "ubRMSE" in capsys.readouterr().out


@pytest.fixture
def with_training_stations(world, tmp_path, monkeypatch, station_at):
    """Three stations of two networks, and mosaics whose attributes name those that were used in training."""
    there = [station_at("A", 100, 100), station_at("A 2", 50, 120), replace(station_at("B", 60, 60), network="OTHER")]
    monkeypatch.setattr(reader, "read_stations", lambda path: there)

    def score(first: str, last: str) -> dict:
        folder = world.folder / "mosaics"
        for i, day in enumerate(days_done(folder, "tiny", "netcdf")):
            m = read_day(day_path(folder, "tiny", day, "netcdf"), day)
            names = first if i < 7 else last
            write_day(replace(m, attrs={"model": "ssm_net"} | ({"stations_trained_on": names} if names else {})),
                      tmp_path / "mosaics")  # fmt: skip
        return evaluate(world.config(mosaics=f"{tmp_path}/mosaics", report=f"{tmp_path}/report", truth=None,
                                     stations="ismn", baselines=["bilinear"]))  # fmt: skip

    return score


@pytest.mark.usefixtures("plain_pictures")
def test_training_stations_are_not_scored(with_training_stations, baselines, tmp_path, capsys):
    out = with_training_stations("FAKE A; FAR AWAY", "FAKE A; FAR AWAY")
    assert [r["station"] for r in out["station"]] == ["A 2", "B"]
    assert {r["stations"] for r in rows(out["stations"], stratum="all")} == {2}
    assert [(r["network"], r["method"], r["stations"]) for r in out["networks"]] == [
        ("FAKE", "ssm_net", 1), ("FAKE", "bilinear", 1), ("OTHER", "ssm_net", 1), ("OTHER", "bilinear", 1),
    ]  # fmt: skip
    one = rows(out["networks"], network="OTHER", method="ssm_net")[0]
    assert one["R"] == rows(out["station"], station="B")[0]["R"]
    note = "1 of 3 stations were used in training and are not scored"
    page = (tmp_path / "report/index.html").read_text()
    assert note in out["notes"] and note in page and note in capsys.readouterr().out
    assert "median ubRMSE" in page


@pytest.mark.slow
@pytest.mark.usefixtures("plain_pictures")
def test_without_a_station_kept_aside_none_is_scored(with_training_stations, baselines, tmp_path, capsys):
    """The days of two networks, each of which was trained on some of them."""
    out = with_training_stations("FAKE A 2; OTHER B", "FAKE A")
    assert out["station"] == out["stations"] == out["networks"] == []
    page = (tmp_path / "report/index.html").read_text()
    assert "ll 3 stations were used in training: no station is scored" in page
    assert "No station was given" not in page and "Median" not in page
    assert "no station to score" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_same_page_twice(world, baselines):
    pages = []
    for name in ("one", "two"):
        evaluate(world.config(report=f"{world.folder}/{name}", start="2016-05-02", end="2016-05-02", baselines=[]))
        pages.append((world.folder / name / "index.html").read_text().replace(f"{world.folder}/{name}", ""))
    assert pages[0] == pages[1]


@pytest.mark.usefixtures("plain_pictures")
def test_scores_are_reused_until_an_input_changes(world, baselines, monkeypatch, capsys):
    cfg = world.config(start="2016-05-02", end="2016-05-03", baselines=[])
    first = evaluate(cfg)
    capsys.readouterr()

    def scored(*args, **kwargs):
        raise AssertionError("scored again")

    with monkeypatch.context() as patch:
        patch.setattr("ssm_net.evaluate.run.score_days", scored)
        again = evaluate(cfg)
        assert again["truth"] == first["truth"]
        printed = capsys.readouterr().out
        assert "nothing has changed" in printed and "ubRMSE" in printed
        mosaic = next((Path(world.folder) / "mosaics").glob("*.nc"))
        mosaic.touch()
        with pytest.raises(AssertionError, match="scored again"):
            evaluate(cfg)


@pytest.mark.usefixtures("plain_pictures")
def test_without_a_truth_the_report_says_what_is_not_scored(world, baselines):
    out = evaluate(world.config(truth=None, report=f"{world.folder}/bare", baselines=["bilinear"], end="2016-05-02"))
    assert out["truth"] == [] and out["texture"] == []
    assert out["coarse"][0]["R"] > 0.9
    page = (world.folder / "bare/index.html").read_text()
    assert "there are no scores at 1 km" in page and "stations=FOLDER" in page


@pytest.mark.usefixtures("plain_pictures")
def test_a_missing_day_is_named(world, baselines, tmp_path, caplog):
    shutil.copytree(world.folder / "mosaics", tmp_path / "mosaics")
    (tmp_path / "mosaics/ssm_tiny_20160505.nc").unlink()
    with caplog.at_level(logging.WARNING):
        out = evaluate(world.config(mosaics=f"{tmp_path}/mosaics", report=f"{tmp_path}/report", baselines=[],
                                    start="2016-05-04", end="2016-05-06"))  # fmt: skip
    assert out["missing_days"] == ["2016-05-05"] and out["days"] == 2
    assert "2016-05-05" in caplog.text
    assert any("11 days outside" in note and "2016-05-07 .. 2016-05-14" in note for note in out["notes"])
    assert "2016-05-05" in (tmp_path / "report/index.html").read_text()


def test_no_mosaics(world, tmp_path):
    with pytest.raises(EvaluationError, match=r"python infer\.py"):
        evaluate(world.config(mosaics=f"{tmp_path}/none"))
    with pytest.raises(EvaluationError, match="2020-01-01"):
        evaluate(world.config(start="2020-01-01", end="2020-01-02"))


def test_a_day_that_cannot_be_read_is_named(world, tmp_path):
    shutil.copytree(world.folder / "mosaics", tmp_path / "mosaics")
    path = tmp_path / "mosaics/ssm_tiny_20160505.nc"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"ssm_tiny_20160505\.nc"):
        evaluate(world.config(mosaics=f"{tmp_path}/mosaics", report=f"{tmp_path}/report", baselines=[]))


def test_truth_of_another_world(world, tmp_path):
    import xarray as xr

    other = xr.open_zarr(world.folder / "truth.zarr", chunks=None).load()
    other["x"] = other["x"] + 1000.0
    other.to_zarr(tmp_path / "other.zarr", consolidated=False)
    with pytest.raises(TruthError, match="x runs from"):
        evaluate(world.config(truth=f"{tmp_path}/other.zarr"))
    with pytest.raises(TruthError, match="no such truth"):
        evaluate(world.config(truth=f"{tmp_path}/nowhere.zarr"))


def test_plan_does_nothing(world, tmp_path, capsys):
    evaluate(world.config(report=f"{tmp_path}/report", plan=True))
    assert "would score 14 days" in capsys.readouterr().out
    assert not (tmp_path / "report").exists()


def test_baseline_day_missing(world, baselines, tmp_path, monkeypatch):
    from ssm_net.evaluate.report import page
    from ssm_net.infer import run

    monkeypatch.setattr(page, "render", lambda *_: page.Report("", {}))  # the figures take the time
    make_all = run.infer

    def lacks_one(cfg):
        make_all(cfg)
        (Path(cfg.mosaics) / "ssm_tiny_20160503.nc").unlink()

    monkeypatch.setattr(run, "infer", lacks_one)
    out = evaluate(world.config(report=f"{tmp_path}/report", baselines=["bilinear"],
                                end="2016-05-04"))  # fmt: skip
    assert any("2016-05-03" in n and "bilinear" in n for n in out["notes"])
    assert np.isclose(out["pixels_scored"], 3 * (world.water < 0.5).sum())


def test_days_as_text():
    import datetime as dt

    day = [dt.date(2016, 5, n) for n in (1, 2, 3, 5, 7, 8)]
    assert runs(day) == "2016-05-01 .. 2016-05-03, 2016-05-05, 2016-05-07 .. 2016-05-08"
    assert runs([]) == ""


@pytest.mark.parametrize(("attrs", "tile"), [({"inference_tile": 2}, 2), ({"inference_tile": 4}, None), ({}, None)])
@pytest.mark.usefixtures("plain_pictures")
def test_seams_are_scored_at_the_tiles_that_the_maps_state(world, tmp_path, attrs, tile):
    """Of four by four cells: four tiles, a single one, and maps that do not say."""
    folder = world.folder / "mosaics"
    day = days_done(folder, "tiny", "netcdf")[0]
    mosaic = read_day(day_path(folder, "tiny", day, "netcdf"), day)
    write_day(replace(mosaic, attrs={"model": "ssm_net"} | attrs), tmp_path / "mosaics")
    out = evaluate(world.config(mosaics=f"{tmp_path}/mosaics", report=f"{tmp_path}/report", baselines=[]))
    page = (tmp_path / "report/index.html").read_text()
    scored = tile is not None
    assert all(("seam index" in row) == scored for row in out["texture"])
    assert (">seam index</th>" in page) == ("(every 2 cells)" in page) == scored
    assert any("there is no seam index" in note for note in out["notes"]) == (not attrs)
