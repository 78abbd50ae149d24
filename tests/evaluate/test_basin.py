"""One basin: only what lies inside it is scored, drawn and counted."""

import json

import numpy as np
import pytest

from ssm_net.evaluate.mosaics import EvaluationError
from ssm_net.evaluate.run import evaluate
from ssm_net.grid import Domain
from ssm_net.stations import ismn as reader

pytestmark = pytest.mark.usefixtures("plain_pictures")

DOMAIN = Domain("tiny", (84, 88, 776, 780))  # of the fixture ``world``


def outline(path, rows: tuple[int, int], cols: tuple[int, int]):
    """A rectangle of pixels as GeoJSON, in degrees."""
    lon, lat = DOMAIN.lonlat()
    west, east = lon[cols[0]] - 0.004, lon[cols[1] - 1] + 0.004
    north, south = lat[rows[0]] + 0.003, lat[rows[1] - 1] - 0.003
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    shape = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [shape]}))
    return str(path)


def test_only_the_pixels_and_stations_of_the_basin_are_scored(world, baselines, tmp_path, monkeypatch, station_at):
    there = [station_at("IN", 60, 60), station_at("OUT", 130, 130)]
    monkeypatch.setattr(reader, "read_stations", lambda path: there)
    file = outline(tmp_path / "upper.geojson", (36, 108), (36, 108))  # four whole cells
    out = evaluate(world.config(report=f"{tmp_path}/report", basin=file, stations="ismn", baselines=["bilinear"]))
    land = int((world.water[36:108, 36:108] < 0.5).sum())
    assert out["basin"] == {"name": "upper", "pixels": 72 * 72}
    ours = next(r for r in out["truth"] if r["method"] == "ssm_net" and r["stratum"] == "all")
    assert ours["n"] == 14 * land and ours["RMSE"] == pytest.approx(0.03, rel=0.05)
    assert [r["station"] for r in out["station"]] == ["IN"]
    assert "1 of 2 stations lie outside the basin" in out["notes"]
    assert out["coverage"][0]["land pixels"] == land
    assert out["coarse"][0]["cells"] == 14 * 4 - 6 * 2  # on six days one of its two columns was not seen
    page = (tmp_path / "report/index.html").read_text()
    assert "inside upper only" in page
    cells = np.array(json.loads((tmp_path / "report/report.json").read_text())["places"]["cells"], float)
    assert np.isfinite(cells).sum() == 4


def test_a_basin_elsewhere_is_refused(world, tmp_path):
    shape = outline(tmp_path / "far.geojson", (0, 10), (0, 10))
    text = json.loads((tmp_path / "far.geojson").read_text())
    ring = text["features"][0]["geometry"]["coordinates"][0]
    text["features"][0]["geometry"]["coordinates"][0] = [[x - 60, y] for x, y in ring]
    (tmp_path / "far.geojson").write_text(json.dumps(text))
    with pytest.raises(EvaluationError, match=r"far\.geojson: no land pixel of domain tiny"):
        evaluate(world.config(basin=shape, baselines=[]))
