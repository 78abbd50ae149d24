"""Cell means of features: of the pixels that the product covers, not of those beyond the boundary."""

import json
from pathlib import Path

import numpy as np
import road
import torch

from ssm_net.config import PrepareConfig, load
from ssm_net.grid import Domain, block_mean
from ssm_net.prepare.run import prepare


def test_cell_means_are_of_the_land_inside_the_boundary(tiny_raw: Path, tmp_path: Path) -> None:
    r0, r1, c0, c1 = road.WINDOW
    west, south, east, north = Domain("tiny", (r0, r1, c0, c1)).bounds_lonlat()
    triangle = [[west + 0.01, south + 0.01], [east - 0.01, south + 0.01], [west + 0.01, north - 0.01]]
    area = {"type": "Polygon", "coordinates": [[*triangle, triangle[0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": area}
    (tmp_path / "area.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    cube = prepare(load(PrepareConfig, {
        "raw": str(tiny_raw), "cube": str(tmp_path / "c.zarr"), "start": road.START, "end": road.START,
        "domain": {"name": "tiny", "boundary": str(tmp_path / "area.geojson")},
    }))  # fmt: skip
    assert cube is not None and cube.domain.window == (68, 76, 772, 780)  # snapped outward
    land, day = cube.land(), cube.days[0]
    assert 0.08 < float(land.float().mean()) < 0.125
    for name in ("lst_day", "nir"):
        want = block_mean(torch.from_numpy(cube.read(name, day)), 36, land).numpy()
        np.testing.assert_allclose(cube.read_coarse(name, day), want, atol=1e-6)
        assert np.isfinite(want[5, 2]) and np.isnan(want[2, 5])
