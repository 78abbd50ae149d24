"""The cube remembers which products its static maps are made of: maps made of it cite them years later."""

from pathlib import Path

from worlds import tiny_cube

from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import STATIC_SOURCES, open_cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.ingest.static_files import find_static
from ssm_net.prepare.static_maps import sources_by_map, store_static_maps


def test_sources_are_those_of_the_names_and_the_first_ones_stay(tmp_path: Path) -> None:
    for name in (
        "NASADEM_HGT_n30e100.hgt",
        "sand.tif",
        "clay/national_1.tif",
        "GHS_BUILT_S_E2020_GLOBE_R2023A_54009_100_V1_0_R6_C30.tif",
    ):
        path = tmp_path / "raw" / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    sources = sources_by_map(find_static(tmp_path / "raw"))
    assert sources == {"elevation": "NASADEM", "urban": "GHSL built-up surface", "sand": "", "clay": ""}
    cube = tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=1)
    with write_lock(cube.path) as lock:
        writer = CubeWriter(cube, lock)
        store_static_maps(writer, {}, sources)
        store_static_maps(writer, {}, {"elevation": "SRTM"})
    assert open_cube(cube.path).metadata(STATIC_SOURCES) == sources
