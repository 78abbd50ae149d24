"""Boxes and areas across the dateline: refused in words that name it and say what to give instead."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely
from odc.geo.geom import Geometry

from ssm_net.config import DomainConfig
from ssm_net.core.boundary import domain_of
from ssm_net.errors import ConfigError, SsmNetError
from ssm_net.grid import Domain, DomainError

BOXES = {
    "fiji": [(177, -19, 180, -16), (-180, -19, -178, -16)],
    "fiji 0-360": [(177, -19, 182, -16)],
    "russia": [(27, 50, 180, 75), (-180, 62, -169, 70)],
    "new zealand": [(166, -47, 178.6, -34), (-177, -45, -176, -43)],
    "usa": [(172, 51, 180, 54), (-180, 51, -130, 70), (-125, 25, -67, 49)],
}


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3832"])
@pytest.mark.parametrize("place", sorted(BOXES))
def test_B1_an_area_across_the_dateline_is_refused_with_the_remedy(place: str, crs: str) -> None:
    parts = [shapely.box(*b) for b in BOXES[place]]
    area = Geometry(shapely.union_all(parts), "EPSG:4326")
    if crs != "EPSG:4326":  # centred on the Pacific
        if place == "fiji 0-360":
            area = Geometry(shapely.box(3.0e6, -2.2e6, 3.8e6, -1.8e6), crs)
        else:
            area = area.to_crs(crs, resolution=1.0)
    with pytest.raises(DomainError, match=r"crosses the dateline.*make two domains.*,180,.*-180,"):
        Domain.from_geometry(place, area)


def test_B1_a_boundary_file(tmp_path: Path) -> None:
    path = tmp_path / "fiji.geojson"
    path.write_text(shapely.to_geojson(shapely.MultiPolygon([shapely.box(*b) for b in BOXES["fiji"]])))
    with pytest.raises(SsmNetError, match=r"dateline.*domain\.bbox=\[177,-19,180,-16\]"):
        domain_of(DomainConfig(name="fiji", boundary=str(path)))


@pytest.mark.parametrize("box", [(-180, -80, 180, 80), (170, -20, 180, -10), (-180, 60, -165, 70), (104, 34, 112, 40)])
def test_areas_on_one_side_and_the_globe_are_windows(box: tuple[float, float, float, float]) -> None:
    area = Geometry(shapely.box(*box), "EPSG:4326")
    assert Domain.from_geometry("d", area).window == Domain.from_bbox("d", box).window


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ([230, 30, 240, 40], r"-180 to 180.*domain\.bbox=\[-130,30,-120,40\]"),
        ([170, -20, -170, -10], r"dateline.*\[170,-20,180,-10\] and domain\.bbox=\[-180,-20,-170,-10\]"),
        ([177, -20, 182, -15], r"dateline.*\[177,-20,180,-15\] and domain\.bbox=\[-180,-20,-178,-15\]"),
        ([-185, -20, -178, -15], r"dateline.*\[175,-20,180,-15\] and domain\.bbox=\[-180,-20,-178,-15\]"),
        ([0, -60, 360, 60], r"dateline to dateline: domain\.bbox=\[-180,-60,180,60\]"),
        ([112, 34, 104, 40], "west < east.*-180 to 180.*dateline"),
    ],
)
def test_B3_the_message_of_a_box_names_the_range_and_the_dateline(box: list[float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        domain_of(DomainConfig(name="d", bbox=box))
