"""A map says who made it, of what, where and when, in every format, and the same day is the same file."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import rasterio
import road
import xarray as xr
from compliance_checker.runner import CheckSuite
from worlds import FIRST, tiny_cube

import ssm_net
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import STATIC_SOURCES, Cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.formats.citations import SOURCES, sources_of
from ssm_net.formats.mosaic_days import day_path
from ssm_net.infer.run import infer
from ssm_net.ingest.products import PRODUCTS
from ssm_net.ingest.static_products import STATIC_PRODUCTS

PUBLISHER = {
    "name": "Institute of Water", "institution": "University of the Hills", "email": "maps@example.org",
    "url": "https://example.org/maps", "project": "Hills 2026", "license": "CC-BY-4.0",
    "naming_authority": "org.example", "issued": "2026-11-27",
}  # fmt: skip

# The checker looks for depth as a coordinate; a map of one layer has none.
NO_AXIS = ("Could not find vertical variable to test extent of geospatial_vertical_min/geospatial_vertical_max, see "
           "CF-1.6 spec chapter 4.3")  # fmt: skip


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    cube = tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 4), days=2)
    with write_lock(cube.path) as lock:
        CubeWriter(cube, lock).write_metadata(STATIC_SOURCES, {"elevation": "NASADEM", "sand": "SoilGrids", "clay": ""})
    return cube


@pytest.fixture(scope="module")
def folders(cube: Cube, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Maps with everything that a publisher can say, in each format."""
    out = {format: tmp_path_factory.mktemp(format) for format in ("netcdf", "cog", "zarr")}
    for format, folder in out.items():
        infer(road.inference(cube.path, folder, format=format, publisher=PUBLISHER))
    return out


def remarks(path: Path, test: str) -> Iterator[str]:
    """What the compliance checker misses."""
    CheckSuite.load_all_available_checkers()
    suite = CheckSuite()
    for result in suite.run_all(suite.load_dataset(str(path)), [test])[test][0]:
        if result.value is not True and (not isinstance(result.value, tuple) or result.value[0] < result.value[1]):
            yield from result.msgs


def test_a_map_is_complete_for_discovery(folders: dict[str, Path]) -> None:
    """ACDD 1.3: whoever searches a catalogue finds it, and may know what it is before opening it."""
    assert set(remarks(day_path(folders["netcdf"], "tiny", FIRST), "acdd:1.3")) == {NO_AXIS}


def test_a_map_passes_the_cf_checker_but_for_its_known_fault(folders: dict[str, Path]) -> None:
    """The checker takes the required attribute of this projection, one word, for a list of letters."""
    letters = set("longitude_of_central_meridian") | set("longitude_of_projection_origin")
    known = {f"{c} is a required attribute for grid mapping lambert_cylindrical_equal_area" for c in letters}
    assert set(remarks(day_path(folders["netcdf"], "tiny", FIRST), "cf:1.11")) <= known


def test_without_a_publisher_only_what_nobody_can_know_is_missing(cube: Cube, tmp_path: Path) -> None:
    infer(road.inference(cube.path, tmp_path, end=str(FIRST)))
    missing = set(remarks(day_path(tmp_path, "tiny", FIRST), "acdd:1.3"))
    dates = {f"Attr date_{what} is not present" for what in ("created", "issued", "modified", "metadata_modified")}
    assert missing == dates | {"metadata_link not present", NO_AXIS}
    attrs = xr.open_dataset(day_path(tmp_path, "tiny", FIRST)).attrs
    assert attrs["creator_name"] == attrs["license"] == "not stated"


@pytest.mark.parametrize("format", ["netcdf", "zarr", "cog"])
def test_every_format_says_the_same(folders: dict[str, Path], format: str) -> None:
    attrs = {**ssm_net.open_mosaics(folders[format]).attrs}
    assert attrs["institution"] == "University of the Hills" and attrs["license"] == "CC-BY-4.0"
    assert attrs["product_version"] == ssm_net.__version__
    assert attrs["mode"] == "near real time: knows the days before only"
    assert attrs["processing_level"] == "Level 4"
    assert "1000.895 m" in attrs["grid_name"] if format != "cog" else "0.01 degree" in attrs["grid_name"]
    assert "doi:10.5067/MODIS/MYD11A1.061" in attrs["input_citations"]
    assert (attrs["time_coverage_start"], attrs["time_coverage_end"]) == (
        "2016-04-15T00:00:00Z",
        "2016-04-16T00:00:00Z",
    )
    assert attrs["time_coverage_duration"] == "P2D"
    assert attrs["title"].endswith("2016-04-15 .. 2016-04-16")


def test_a_store_says_it_without_opening_a_day(folders: dict[str, Path]) -> None:
    attrs = xr.open_zarr(folders["zarr"] / "ssm_tiny.zarr", consolidated=False).attrs
    file = xr.open_dataset(day_path(folders["netcdf"], "tiny", FIRST)).attrs
    of_a_day = {"id", "title", "time_coverage_start", "time_coverage_end", "time_coverage_duration", "revision",
                "coarse_sources", "platform", "instrument", "input_citations"}  # fmt: skip
    same = {key for key in file if key not in of_a_day}
    assert {key: attrs[key] for key in same if key != "domain_window"} == {
        key: file[key] for key in same if key != "domain_window"
    }
    assert not of_a_day - {"id", "title"} & set(attrs)


def test_each_input_is_cited_with_the_version_of_its_files() -> None:
    files = [
        "MYD11A1.A2016106.h25v05.006.2016107.hdf",
        "SMAP_L3_SM_P_E_20160415_R19240_001.h5",
        "3B-DAY.MS.MRG.V07B.nc4",
    ]
    cited = [str(source) for source in sources_of(["SMAP", "MYD11A1", "MCD43A4", "precip", "my_own"], files)]
    assert [c.split(":")[0] for c in cited] == ["SMAP", "MYD11A1", "MCD43A4", "precip", "my_own"]
    assert "10.5067/M20OXIZHY3RJ" in cited[0]  # the enhanced product, not the 36 km one
    assert cited[1].endswith("doi:10.5067/MODIS/MYD11A1.006") and "V006" in cited[1]
    assert cited[2].endswith("doi:10.5067/MODIS/MCD43A4.061")  # no file on this day: the current version
    assert "IMERG" in cited[3]
    assert "as its provider asks" in cited[4]


def test_static_maps_are_cited_and_unnamed_ones_said(folders: dict[str, Path]) -> None:
    lines = xr.open_dataset(day_path(folders["netcdf"], "tiny", FIRST)).attrs["input_citations"].splitlines()
    assert any(line.startswith("elevation, NASADEM: ") and "NASADEM_HGT.001" in line for line in lines)
    assert any(line.startswith("sand, SoilGrids: ") and "soil-7-217-2021" in line for line in lines)
    assert any(line.startswith("clay, a map of unnamed source: cite it as") for line in lines)


def test_every_product_that_can_be_read_has_a_citation() -> None:
    cited = {source.product for source in SOURCES}
    assert {product.name for product in PRODUCTS} | {product.name for product in STATIC_PRODUCTS} <= cited


def test_satellites_are_those_of_the_day(folders: dict[str, Path]) -> None:
    attrs = xr.open_dataset(day_path(folders["netcdf"], "tiny", FIRST)).attrs
    assert attrs["platform"] == "GCOM-W1, Aqua, Terra" and attrs["instrument"] == "AMSR2, MODIS"


def test_the_same_day_is_the_same_file_with_a_publisher(cube: Cube, folders: dict[str, Path], tmp_path: Path) -> None:
    for format in ("netcdf", "cog"):
        infer(road.inference(cube.path, tmp_path / format, format=format, publisher=PUBLISHER, start="2016-04-16"))
        paths = [
            day_path(folder, "tiny", FIRST + dt.timedelta(1), format) for folder in (folders[format], tmp_path / format)
        ]
        assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(("key", "value", "message"), [
    ("url", "example.org", r"publisher.url=example.org: give the whole address"),
    ("issued", "soon", r"publisher.issued=soon is not a day; write yyyy-mm-dd"),
    ("license", " ", r"publisher.license is empty: leave it out"),
])  # fmt: skip
def test_what_a_publisher_cannot_be_is_refused(cube: Cube, key: str, value: str, message: str) -> None:
    with pytest.raises(ssm_net.SsmNetError, match=message):
        road.inference(cube.path, cube.path, publisher={key: value})


def test_bands_of_a_geotiff_say_what_they_are(folders: dict[str, Path]) -> None:
    with rasterio.open(day_path(folders["cog"], "tiny", FIRST, "cog")) as file:
        assert file.descriptions == ("ssm", "ssm_uncertainty", "flags")
        assert file.units == ("m3 m-3", "m3 m-3", "1") and file.scales == (1e-4, 1e-4, 1.0)
        assert file.tags(1)["colour_table"].startswith("0.02 #6e4214, ")
        assert "1 coarse_observed, 2 orbit_gap_filled, 4 lst_seen" in file.tags(3)["flags"]
        assert file.tags()["license"] == "CC-BY-4.0" and file.tags()["geospatial_bounds"].startswith("POLYGON ((")
