"""A world with its static maps as tiles: `prepare` finds the maps that one with single files has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tinyworld import settings

from ssm_net.core.boundary import domain_of
from ssm_net.ingest.static import read_static
from ssm_net.simulate import simulate


def test_tiles_of_a_world_are_its_maps(tmp_path: Path) -> None:
    one = settings(tmp_path / "maps", end="2016-05-01")
    tiled = settings(tmp_path / "tiles", end="2016-05-01", static_tiles=True)
    geobox = domain_of(one.domain).fine
    maps, tiles = (read_static(simulate(cfg), geobox) for cfg in (one, tiled))
    assert {p.suffix for p in (tmp_path / "tiles" / "static").rglob("*") if p.is_file()} == {".zip", ".hdf", ".tif"}
    assert sorted(maps) == sorted(tiles)
    for name, least in (("elevation", 0.999), ("sand", 0.99), ("clay", 0.99), ("water_fraction", 0.98)):
        assert np.isfinite(tiles[name]).all()
        assert np.corrcoef(maps[name].ravel(), tiles[name].ravel())[0, 1] > least, name
        assert abs(float((maps[name] - tiles[name]).mean())) < 0.01 * float(np.ptp(maps[name]))
