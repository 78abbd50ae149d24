"""Boundaries from vector files."""

from __future__ import annotations

import json

import numpy as np
import pyogrio
import pytest
import shapely

from ssm_net.core.boundary import BoundaryError, read_boundary
from ssm_net.grid import Domain

RING = [[110, 40], [112, 40], [112, 42], [110, 42], [110, 40]]
HOLE = [[110.5, 40.5], [111, 40.5], [111, 41], [110.5, 41], [110.5, 40.5]]
ISLAND = [[113, 40], [114, 40], [114, 41], [113, 41], [113, 40]]


def geojson(path, kind, coordinates):
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": kind, "coordinates": coordinates}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return path


def test_rings_holes_and_islands(tmp_path):
    area = read_boundary(geojson(tmp_path / "a.geojson", "MultiPolygon", [[RING, HOLE], [ISLAND]]))
    assert str(area.crs) == "EPSG:4326"
    assert area.area == pytest.approx(4 - 0.25 + 1)
    assert Domain.from_geometry("a", area).window == Domain.from_bbox("a", (110, 40, 114, 42)).window


@pytest.mark.parametrize("name", ["basin.gpkg", "basin.shp", "basin.fgb", "basin.kml", "basin.geojson"])
def test_the_usual_formats_of_vector_files(tmp_path, name):
    area = shapely.Polygon(RING, [HOLE])
    drivers = {"gpkg": "GPKG", "shp": "ESRI Shapefile", "fgb": "FlatGeobuf", "kml": "KML", "geojson": "GeoJSON"}
    pyogrio.raw.write(tmp_path / name, np.array([shapely.to_wkb(area)]), [], [], geometry_type="Polygon",
                      crs="EPSG:4326", driver=drivers[name.split(".")[1]])  # fmt: skip
    assert read_boundary(tmp_path / name).area == pytest.approx(4 - 0.25)


def test_gmt_with_several_segments(tmp_path):
    path = tmp_path / "a.gmt"
    segments = "".join(
        f">\n# @{kind}\n" + "".join(f"{x} {y}\n" for x, y in ring)
        for kind, ring in (("P", RING), ("H", HOLE), ("P", ISLAND))
    )
    head = '# @VGMT1.0 @GMULTIPOLYGON\n# @Je4326\n# @Jp"+proj=longlat +datum=WGS84"\n# FEATURE_DATA\n'
    path.write_text(head + segments)
    area = read_boundary(path)
    assert area.area == pytest.approx(4.75)
    assert not area.geom.contains(shapely.Point(110.7, 40.7))


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(BoundaryError, match="no such file"):
        read_boundary(tmp_path / "none.geojson")
    with pytest.raises(BoundaryError, match="holds no polygon"):
        read_boundary(geojson(tmp_path / "line.geojson", "LineString", RING))
    (tmp_path / "noise.gmt").write_bytes(b"noise")
    with pytest.raises(BoundaryError, match=r"noise\.gmt"):
        read_boundary(tmp_path / "noise.gmt")


@pytest.mark.real
def test_real_border(real_dir):
    area = read_boundary(next((real_dir / "boundary").glob("*.gmt")))
    assert area.area == pytest.approx(963.168, abs=0.01)  # square degrees, as the file itself states
    assert area.geom.contains(shapely.Point(110, 35)) and not area.geom.contains(shapely.Point(100, 55))
