"""A cube keeps its static maps: they are not read again for a day that is added."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import road

from ssm_net.cube.store import open_cube
from ssm_net.prepare import plan as plans
from ssm_net.prepare.plan import make_plan


def test_maps_are_read_once(tiny_raw: Path, tiny_cube_path: Path, tmp_path: Path, monkeypatch) -> None:
    """An operator's daily run with a country's tiles is not the reading of all tiles."""
    raw = road.linked(tiny_raw, tmp_path / "raw")
    cfg = road.preparation(raw, tiny_cube_path)
    with monkeypatch.context() as patch:
        patch.setattr(plans, "static_fields", lambda *_: pytest.fail("the maps were read again"))
        static = make_plan(cfg).static
    cube = open_cube(tiny_cube_path)
    assert sorted(static) == sorted(cube.static) and len(static) > 4
    for name, values in static.items():
        np.testing.assert_array_equal(values, cube.read_static(name))
    shutil.copyfile(raw / "static" / "sand.tif", raw / "static" / "urban.tif")  # another map is given
    with pytest.raises(Exception, match="urban"):
        make_plan(cfg)
