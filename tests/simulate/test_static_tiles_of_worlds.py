"""Static maps of a world as tiles: `prepare` reads of them what single files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssm_net.grid import Domain
from ssm_net.ingest.static import read_static
from ssm_net.simulate.world.land import make_land
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.writers.static_tiles import write_static_tiles


def test_tiles_of_a_world_are_its_maps(tmp_path: Path) -> None:
    north = Domain("north", (20, 24, 520, 524))  # beyond what the shuttle saw: Copernicus DEM, of fewer columns
    land = make_land(north, laws_of("A", 1), 1)
    (tmp_path / "static").mkdir()
    write_static_tiles(tmp_path / "static", north, land.maps)
    assert {p.suffix for p in (tmp_path / "static").rglob("*") if p.is_file()} == {".hdf", ".tif"}
    maps = read_static(tmp_path, north.fine)
    true = {"elevation": land.maps.elevation, "sand": land.maps.sand, "clay": land.maps.clay,
            "water_fraction": land.maps.water}  # fmt: skip
    assert sorted(maps) == sorted(true)
    for name, least in (("elevation", 0.99), ("sand", 0.99), ("clay", 0.99), ("water_fraction", 0.95)):
        assert np.isfinite(maps[name]).all()
        assert np.corrcoef(maps[name].ravel(), true[name].ravel())[0, 1] > least, name
        assert abs(float((maps[name] - true[name]).mean())) < 0.01 * float(np.ptp(true[name]))
