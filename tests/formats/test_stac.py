"""STAC of GeoTIFFs, valid without a network, and the QGIS style beside them."""

import datetime as dt
import json
import socket
import threading
from xml.etree import ElementTree as ET

import numpy as np
import pystac
import pytest
import rasterio
from one_day import DAY, DOMAIN, mosaic_of_a_day

from ssm_net.formats.colours import COLOURS, DRIEST, WETTEST, colours
from ssm_net.formats.mosaic_days import Mosaic, describe_folder, write_day, write_quicklook
from ssm_net.grid import M36, Domain

ACROSS = Domain("across", (200, 204, 960, 968))  # the last four columns, and the first four


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def of_domain(domain: Domain, day: dt.date = DAY, **attrs) -> Mosaic:
    ssm = np.full(domain.fine_shape, 0.25, np.float32)
    return Mosaic(day, domain, ssm, ssm / 10, np.ones(domain.fine_shape, np.uint16), attrs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cog")
    attrs = {"model": "ssm_net", "status": "provisional", "license": "CC-BY-4.0", "publisher_name": "We",
             "publisher_url": "https://example.org", "input_citations": "NNsm: Yao"}  # fmt: skip
    for n in (0, 1, 4):
        write_day(of_domain(DOMAIN, DAY + dt.timedelta(n), **attrs), folder, "cog")
    describe_folder(folder, DOMAIN, "cog")
    return folder


def test_items_and_collection_are_valid_and_hold_together(folder):
    collection = pystac.Collection.from_file(str(folder / "ssm_test_collection.json"))
    collection.validate()
    items = list(collection.get_items())
    assert [item.id for item in items] == [f"ssm_test_{d}" for d in ("20160607", "20160608", "20160611")]
    for item in items:
        item.validate()
        assert item.get_collection() is collection or item.get_collection().id == "ssm_test"
        with rasterio.open(item.assets["map"].get_absolute_href()) as file:
            west, south, east, north = item.bbox
            assert file.bounds.left <= west < east <= file.bounds.right
            assert file.bounds.bottom <= south < north <= file.bounds.top
        assert item.properties["ssm_net:status"] == "provisional"
    assert collection.extent.temporal.to_dict() == {"interval": [["2016-06-07T00:00:00Z", "2016-06-11T00:00:00Z"]]}
    assert collection.license == "CC-BY-4.0" and collection.providers[0].name == "We"
    assert "ssm_net:status" not in collection.to_dict()  # it is of a day


def test_bands_say_their_unit_and_scale(folder):
    bands = json.loads((folder / "ssm_test_20160607.json").read_text())["assets"]["map"]["bands"]
    assert [(b["name"], b["unit"]) for b in bands] == [("ssm", "m3 m-3"), ("ssm_uncertainty", "m3 m-3"), ("flags", "1")]
    assert bands[0]["ssm_net:scale"] == 1e-4 and "32 water" in bands[2]["ssm_net:flags"]


def test_a_map_across_the_dateline_is_found_on_both_sides(tmp_path):
    """One box from -178 to 178 would be the whole world but for the map."""
    assert ACROSS.crosses_dateline and M36.cols == 964
    write_day(of_domain(ACROSS), tmp_path, "cog")
    describe_folder(tmp_path, ACROSS, "cog")
    collection = pystac.Collection.from_file(str(tmp_path / "ssm_across_collection.json"))
    collection.validate()
    (item,) = collection.get_items()
    item.validate()
    west, _, east, _ = item.bbox
    assert 178 < west < 180 and -180 < east < -178
    eastern, western = item.geometry["coordinates"]
    assert item.geometry["type"] == "MultiPolygon"
    assert max(lon for lon, _ in eastern[0]) == 180 and min(lon for lon, _ in western[0]) == -180
    assert all(abs(lon) > 178 for part in item.geometry["coordinates"] for lon, _ in part[0])


def test_without_a_publisher_it_is_valid_too(tmp_path):
    write_quicklook(mosaic_of_a_day(), tmp_path)
    write_day(mosaic_of_a_day(), tmp_path, "cog")
    describe_folder(tmp_path, DOMAIN, "cog")
    collection = pystac.Collection.from_file(str(tmp_path / "ssm_test_collection.json"))
    collection.validate()
    (item,) = collection.get_items()
    item.validate()
    assert collection.license == "other" and not collection.providers and "created" not in item.properties
    assert open(item.assets["thumbnail"].get_absolute_href(), "rb").read(4) == b"\x89PNG"


def test_the_same_day_has_the_same_item_and_style(folder, tmp_path):
    for name in ("a", "b"):
        write_day(mosaic_of_a_day(), tmp_path / name, "cog")
        describe_folder(tmp_path / name, DOMAIN, "cog")
    for path in (p for p in (tmp_path / "a").iterdir() if p.suffix in (".json", ".qml", ".tif")):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(("format", "name"), [("cog", "ssm_test_collection.json"), ("netcdf", "ssm.qml")])
def test_a_run_that_adds_nothing_touches_nothing(tmp_path, format, name):
    """A mirror would copy what has not changed."""
    write_day(mosaic_of_a_day(), tmp_path, format)
    describe_folder(tmp_path, DOMAIN, format)
    before = (tmp_path / name).stat().st_mtime_ns, (tmp_path / name).stat().st_ino
    describe_folder(tmp_path, DOMAIN, format)
    assert ((tmp_path / name).stat().st_mtime_ns, (tmp_path / name).stat().st_ino) == before


def test_two_runs_that_end_together_list_all_days(folder):
    """Parts of a record on a cluster: whoever writes last must not forget the days of the other."""
    threads = [threading.Thread(target=describe_folder, args=(folder, DOMAIN, "cog")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(pystac.Collection.from_file(str(folder / "ssm_test_collection.json")).get_items())) == 3


def test_maps_of_an_earlier_version_without_an_item_are_no_broken_link(folder, tmp_path):
    for n in (0, 1):
        write_day(of_domain(DOMAIN, DAY + dt.timedelta(n)), tmp_path, "cog")
    (tmp_path / "ssm_test_20160607.json").unlink()
    describe_folder(tmp_path, DOMAIN, "cog")
    items = pystac.Collection.from_file(str(tmp_path / "ssm_test_collection.json")).get_items()
    assert [item.id for item in items] == ["ssm_test_20160608"]


def test_the_style_of_qgis_has_the_colours_of_the_quicklook(folder, tmp_path):
    """QGIS takes NAME.qml with NAME.tif, and looks colours up in m3 m-3 of band 1."""
    root = ET.parse(folder / "ssm_test_20160607.qml").getroot()
    renderer = root.find(".//rasterrenderer")
    assert root.tag == "qgis" and renderer.get("type") == "singlebandpseudocolor" and renderer.get("band") == "1"
    items = root.findall(".//colorrampshader/item")
    values = np.array([float(item.get("value")) for item in items])
    assert (values[0], values[-1], len(values)) == (DRIEST, WETTEST, len(COLOURS)) and (np.diff(values) > 0).all()
    written = np.array([[int(item.get("color")[i : i + 2], 16) for i in (1, 3, 5)] for item in items])
    np.testing.assert_allclose(written.T, colours(values), atol=1)
    write_day(mosaic_of_a_day(), tmp_path)
    describe_folder(tmp_path, DOMAIN, "netcdf")
    assert (tmp_path / "ssm.qml").read_bytes() == (folder / "ssm_test_20160607.qml").read_bytes()
