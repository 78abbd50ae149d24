"""The road on real files, and a whole MODIS tile on the grid; see real_road.py for what is checked and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import real_road

from ssm_net.grid import Domain
from ssm_net.ingest import hdfeos
from ssm_net.ingest.products import product
from ssm_net.ingest.raster import Raster
from ssm_net.ingest.resample import regrid

pytestmark = pytest.mark.real

RADIUS, TILE = 6371007.181, 1111950.519667  # m: the sphere of the sinusoidal grid and the side of its tiles (MODLAND)


def test_real_files_come_through_to_the_right_place(real_dir: Path, tmp_path: Path) -> None:
    real_road.stage(real_dir, tmp_path / "raw")
    found = real_road.checks(real_dir, tmp_path, real_road.travel(tmp_path))
    assert len(found) > 25
    assert not [row for row in found if not row.ok]


def test_a_whole_modis_tile_on_the_grid(real_dir: Path) -> None:
    (path,) = (real_dir / "modis").glob("MOD11A1*.hdf")  # h14v09: 0-10S, 40-30W on the equator
    domain = Domain.from_bbox("h14v09", (-40.6, -10.0, -29.9, 0.0))
    entry = product("MOD11A1")
    assert entry is not None
    layer = entry.layer("lst_day")
    assert layer is not None
    lazy = hdfeos.find_layer(path, layer)
    assert lazy is not None
    made = regrid([Raster(lazy.read()[0], lazy.geobox)], domain.fine, layer.resampling)

    from pyhdf.SD import SD

    file = SD(str(path))
    stored, quality = (file.select(name)[:] for name in ("LST_Day_1km", "QC_Day"))
    source = np.where((stored >= 7500) & (quality & 3 <= 1), stored * 0.02, np.nan)
    # Each pixel's place in the tile, from the formula of the projection alone.
    lon, lat = (np.radians(v) for v in domain.lonlat())
    col = (RADIUS * lon[None] * np.cos(lat)[:, None] - (14 - 18) * TILE) / TILE * 1200
    row = np.broadcast_to(((9 - 9) * TILE - RADIUS * lat[:, None]) / TILE * 1200, col.shape)
    inside = (row > 2) & (row < 1198) & (col > 2) & (col < 1198)
    r, c = row[inside].astype(int), col[inside].astype(int)
    got = made[inside]
    assert np.isfinite(got).sum() > 50_000
    # A gap stays one: a value where the nearest pixel has one, and nowhere else (but on the edge between two pixels).
    assert (np.isfinite(got) == np.isfinite(source[r, c])).mean() > 0.999
    near = np.stack([source[r + i, c + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    known = np.isfinite(got)
    assert (got >= np.fmin.reduce(near) - 0.01)[known].all() and (got <= np.fmax.reduce(near) + 0.01)[known].all()
    # Nothing outside the tile.
    assert np.isnan(made[(row < -1) | (row > 1201) | (col < -1) | (col > 1201)]).all()
