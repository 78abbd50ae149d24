"""Products of others beside the maps, and dense stations inside a cell: the whole verb on the small world."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from ssm_net.config import EvaluateConfig
from ssm_net.config.checks import ConfigError
from ssm_net.evaluate import peer_maps
from ssm_net.evaluate.referees import inside_cells, peers
from ssm_net.evaluate.referees.point_series import Series
from ssm_net.evaluate.report.terminal import independent_errors
from ssm_net.evaluate.run import evaluate
from ssm_net.grid import Domain
from ssm_net.peers.products import products_of
from ssm_net.peers.sample import Places
from ssm_net.peers.series import PeerSeries, open_peers, series_at
from ssm_net.simulate.writers import peers as write
from ssm_net.stations import ismn as reader
from ssm_net.stations.matching import at_overpass, station_points, surface_sensors

pytestmark = pytest.mark.usefixtures("plain_pictures")

DOMAIN = Domain("tiny", (84, 88, 776, 780))  # of the fixture ``world``
DAYS = [dt.date(2016, 5, 1) + dt.timedelta(n) for n in range(14)]


def of(rows, **keys):
    (row,) = [r for r in rows if all(r[k] == v for k, v in keys.items())]
    return row


def test_each_at_the_same_stations_and_days(world, baselines, dense, theirs, capsys):
    given = [f"Song:{theirs}/china", f"L4:{theirs}/l4"]
    out = evaluate(world.config(report=f"{theirs}/report", stations="ismn", truth=None, peers=given,
                                baselines=["bilinear"]))  # fmt: skip
    assert json.loads((theirs / "report/scores.json").read_text())["peers"] == out["peers"]
    rows = out["peers"]
    assert [r["days of"] for r in rows] == ["Song"] * 3 + ["L4"] * 3 + ["all products"] * 4
    assert {r["name"] for r in rows} == {"Song", "L4", "ssm_net", "undownscaled"}
    song, ours, flat = (of(rows, name=n, **{"days of": "Song"}) for n in ("Song", "ssm_net", "undownscaled"))
    assert song["product"].startswith("China 1 km") and song["stations"] == ours["stations"] == flat["stations"] == 8
    assert song["pairs"] == ours["pairs"] == flat["pairs"] < 8 * 14  # days without a coarse observation
    assert song["R"] > ours["R"] and song["ubRMSE"] < 0.005 < ours["ubRMSE"]
    assert song["G"] > 0.5 > ours["G"] and flat["G"] is None
    assert all(low <= song[k] <= high for k, (low, high) in song["intervals"].items())
    poor = of(rows, name="L4", **{"days of": "L4"})
    assert poor["R"] < ours["R"] and poor["G"] < song["G"]

    text = " ".join(capsys.readouterr().out.split())
    assert "Beside Song: stations 8, coarse cells 3" in text and "Inside coarse cells: stations 6" in text
    assert "maps (mosaics)" in text and "Song (China 1 km (Song et al. 2022))" in text


def test_inside_the_dense_cell_the_pattern_is_judged(world, baselines, dense, theirs):
    out = evaluate(world.config(report=f"{theirs}/report", stations="ismn", truth=None, baselines=["bilinear"],
                                peers=[f"Song:{theirs}/china"]))  # fmt: skip
    rows = out["inside cells"]
    ours, flat = (of(rows, maps=name, **{"days of": ""}) for name in ("ssm_net", "bilinear"))
    song, beside = (of(rows, maps=name, **{"days of": "Song"}) for name in ("Song", "ssm_net"))
    assert ours["cells"] == flat["cells"] == 1 and ours["stations"] == 6
    assert flat["R static"] is None and flat["gain"] == pytest.approx(0, abs=1e-6)  # a cell mean has no pattern
    assert ours["R static"] > 0.9 and ours["gain"] > 10
    assert song["R static"] > 0.99 and song["gain"] > beside["gain"] and song["slope"] == pytest.approx(1, abs=0.05)
    low, high = ours["intervals"]["gain"]
    assert low <= ours["gain"] <= high


def test_others_are_scored_against_the_truth_as_the_maps_are(world, baselines, theirs, capsys):
    """In a simulated world, without any station."""
    out = evaluate(world.config(report=f"{theirs}/report", baselines=[],
                                peers=[f"Song:{theirs}/china", f"L4:{theirs}/l4"]))  # fmt: skip
    rows = [row for row in out["peers against truth"] if row["stratum"] == "all"]
    assert [r["days of"] for r in rows] == ["Song"] * 3 + ["L4"] * 3 + ["all products"] * 4
    song, ours, flat = (of(rows, name=n, **{"days of": "Song"}) for n in ("Song", "ssm_net", "undownscaled"))
    assert song["n"] == ours["n"] == flat["n"] < out["pixels_scored"]  # days without a coarse observation
    assert song["RMSE"] == pytest.approx(0.002, abs=1e-4) and ours["RMSE"] == pytest.approx(0.03, rel=0.05)
    assert song["sub-grid R"] > 0.99 > ours["sub-grid R"] and song["gain"] > ours["gain"] > 0
    assert flat["gain"] is None and abs(flat["bias"]) < 1e-3
    assert of(rows, name="L4", **{"days of": "L4"})["gain"] < 0
    assert out["peers"] == [] and out["inside cells"] == []
    assert {r["stratum"] for r in out["peers against truth"]} == {"all", "clear", "cloudy"}
    text = " ".join(capsys.readouterr().out.split())
    assert "Song against the 1 km truth: pixels and days" in text and "Beside" not in text
    assert "Against the 1 km truth. Rows with the same" in (theirs / "report/index.html").read_text()


def test_a_product_is_read_in_blocks_of_days(world, theirs, monkeypatch):
    """A long record of a large domain does not have to be held at once, and a damaged file costs its day alone."""
    (peer,) = open_peers([f"Song:{theirs}/china"])
    whole = np.stack(list(peer_maps.daily_maps(peer, DAYS, DOMAIN)))
    assert np.nanmax(np.abs(whole - world.truth)) < 0.02
    monkeypatch.setattr(peer_maps, "BLOCK_VALUES", 3 * 144 * 144)
    np.testing.assert_array_equal(np.stack(list(peer_maps.daily_maps(peer, DAYS, DOMAIN))), whole)
    (theirs / "china" / f"SM_{DAYS[4]:%Y%j}.h5").write_bytes(b"no file")
    parts = np.stack(list(peer_maps.daily_maps(peer, DAYS, DOMAIN)))
    assert np.flatnonzero(np.isnan(parts).all((1, 2))).tolist() == [4]


def test_the_plan_names_the_peers_and_the_settings_are_checked(world, theirs, capsys):
    evaluate(world.config(stations="ismn", peers=[f"Song:{theirs}/china"], plan=True))
    assert f"Song, China 1 km (Song et al. 2022): 14 files of {theirs}/china" in capsys.readouterr().out
    keys = {"mosaics": "m", "cube": "c", "report": "r"}
    with pytest.raises(ConfigError, match="compared at stations, or with the truth"):
        EvaluateConfig(**keys, peers=["Song:china"])
    for wrong in ("china", ":china", "Song:"):
        with pytest.raises(ConfigError, match="no name:folder"):
            EvaluateConfig(**keys, stations="ismn", peers=[wrong])


def made_up(fields: dict[str, np.ndarray], footprints: np.ndarray) -> Series:
    """Series of ``fields`` (D, P): station, coarse, ssm_net."""
    shape = fields["station"].shape
    days = tuple(dt.date(2016, 1, 1) + dt.timedelta(n) for n in range(shape[0]))
    nothing = np.full(shape, np.nan)
    return Series((), days, {"ssm_net": fields["ssm_net"]}, {}, np.zeros(shape, "uint16"), nothing,
                  fields["coarse"], fields["station"], footprints)  # fmt: skip


def test_triple_collocation_finds_the_errors_of_independent_products_only():
    rng = np.random.default_rng(4)
    shape = (900, 6)
    truth = rng.normal(0, 0.06, shape) + 0.25
    errors = {"station": 0.02, "ssm_net": 0.03, "theirs": 0.045}
    fields = {name: truth + rng.normal(0, sd, shape) for name, sd in errors.items()}
    fields["ssm_net"] = 0.7 * fields["ssm_net"] + 0.1  # a scale of its own
    (product,) = products_of("SMAP_L4_SM_gph_20160501T013000_Vv7032_001.h5")
    peer = PeerSeries("theirs", product, fields["theirs"], np.zeros(shape))
    series = made_up(fields | {"coarse": truth}, np.arange(6))
    rows = peers.triple_rows(series, [peer], frozenset({"AMSR2", "MODIS"}))
    found = {row["name"]: row for row in rows}
    assert found["station"]["error"] == pytest.approx(0.02, rel=0.15)
    assert found["ssm_net"]["error"] == pytest.approx(0.7 * 0.03, rel=0.15)
    assert found["theirs"]["error"] == pytest.approx(0.045, rel=0.1)
    assert found["theirs"]["R truth"] == pytest.approx(0.06 / np.hypot(0.06, 0.045), abs=0.03)
    assert all(row["intervals"]["error"][0] < row["error"] < row["intervals"]["error"][1] for row in rows)
    (table,) = independent_errors({"triple collocation": rows, "mosaic_attributes": {"model": "network"}})
    assert table.title == "Independent errors with theirs: stations 6, coarse cells 6, days 900"
    assert list(table.columns[0].cells) == ["station", "maps (network)", "theirs"]
    assert next(iter(table.columns[1].cells)).startswith(f"{found['station']['error']:.3f}\n")
    assert peers.triple_rows(series, [peer], frozenset({"SMAP", "MODIS"})) == []  # the same radiometer in both
    assert peers.triple_rows(series, [peer], frozenset()) == []  # not known what the maps rest on


def test_what_a_cell_shares_cancels_inside_it():
    """A map that is wrong by a level that changes from day to day is right inside the cell."""
    rng = np.random.default_rng(5)
    pattern, level = rng.normal(0, 0.04, 8), rng.normal(0, 0.1, (60, 1))
    moving = rng.normal(0, 0.02, (60, 8))
    station = 0.25 + pattern + moving
    series = made_up({"station": station, "ssm_net": 0.3 + 0.5 * pattern + level, "coarse": station}, np.zeros(8))
    (row,) = inside_cells.inside_cell_rows(series, [])
    assert row["R static"] == pytest.approx(1, abs=0.01) and row["slope"] == pytest.approx(2, abs=0.1)
    assert abs(row["R dynamic"] or 0) < 1e-6 or row["R dynamic"] != row["R dynamic"]  # nothing of it moves
    assert row["gain static"] > 40 and row["gain dynamic"] == pytest.approx(0, abs=0.5)
    series = made_up({"station": station[:, :3], "ssm_net": station[:, :3], "coarse": station[:, :3]}, np.zeros(3))
    assert inside_cells.inside_cell_rows(series, []) == []  # three stations are too few


@pytest.mark.real
def test_a_real_network_judges_a_product_of_others(real_dir, tmp_path):
    """Maqu: maps made of the stations' own values, in the layout of the 1 km product of China, are found at them."""
    stations = surface_sensors(reader.read_stations(real_dir / "ismn" / "MAQU", flags=("G", "U")))
    west, south = min(s.lon for s in stations) - 0.1, min(s.lat for s in stations) - 0.1
    domain = Domain.from_bbox("maqu", (west, south, west + 0.5, south + 0.5))
    points, outside = station_points(stations, domain)
    assert len(points) >= 2 and not outside
    days = [dt.date(2009, 7, 1) + dt.timedelta(n) for n in range(90)]
    observed = np.stack([at_overpass(p.station.time, p.station.value, days, p.lon) for p in points], 1)
    rng = np.random.default_rng(6)
    for n in range(0, 90, 2):
        field = np.full(domain.fine_shape, 0.2, "float32")
        for j, p in enumerate(points):
            field[p.row, p.col] = observed[n, j] + rng.normal(0, 0.01)
        write.write_china_1km(tmp_path / f"SM_{days[n]:%Y%j}.h5", domain, field)
    places = Places(np.array([p.lon for p in points]), np.array([p.lat for p in points]))
    (peer,) = open_peers([f"Song:{tmp_path}"])
    theirs = series_at(peer, days, places)
    rough = observed + rng.normal(0, 0.03, observed.shape)
    nothing = np.full(observed.shape, np.nan)
    series = Series(tuple(points), tuple(days), {"ssm_net": rough}, {}, np.zeros(observed.shape, "uint16"), nothing,
                    observed.mean(1, keepdims=True) + rng.normal(0, 0.03, observed.shape), observed,
                    np.zeros(len(points), int))  # fmt: skip
    song, ours, _ = peers.peer_rows(series, [theirs])
    assert song["stations"] == len(points) and song["days"] > 30
    assert song["ubRMSE"] == pytest.approx(0.01, rel=0.3) and song["R"] > ours["R"] and song["G"] > 0
