"""Worlds seen without files: what networks are trained on is what the files of the same world would have given."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import road

from ssm_net.grid import Domain
from ssm_net.prepare.run import prepare
from ssm_net.pretrain.observed_world import observed_days
from ssm_net.simulate import simulate

FAMILY, SEED = "DE", 3
FIRST, LAST = dt.date(2016, 5, 1), dt.date(2016, 5, 25)
SETTLED = 15  # days after which the rain before the record, which only the files hold, hardly counts


@pytest.mark.slow
def test_a_world_without_files_shows_what_its_files_give(tmp_path: Path) -> None:
    period = {"start": str(FIRST), "end": str(LAST)}
    raw = simulate(road.simulation(tmp_path / "raw", **period, family=FAMILY, seed=SEED))
    cube = prepare(road.preparation(raw, tmp_path / "cube.zarr", **period))
    assert cube is not None
    row, last_row, col, last_col = road.WINDOW
    domain = Domain("tiny", (row, last_row, col, last_col))
    land = cube.land().numpy()
    agreement: dict[str, list[float]] = {}
    for day in observed_days(FAMILY, SEED, domain, FIRST, FIRST + dt.timedelta(SETTLED), LAST):
        for name in ("lst_day_slow", "lst_day_memory", "api_10", "red", "nir"):
            files, light = cube.read(name, day.date), day.fine[name].numpy()
            known = land & np.isfinite(files) & np.isfinite(light)
            assert known.sum() > 0.9 * land.sum()
            agreement.setdefault(name, []).append(float(np.corrcoef(files[known], light[known])[0, 1]))
        weight = cube.read("lst_day_slow_weight", day.date)[land]
        assert float(day.fine["lst_day_slow_weight"].numpy()[land].mean()) == pytest.approx(weight.mean(), rel=0.1)
    assert len(agreement["red"]) == 10
    means = {name: float(np.mean(r)) for name, r in agreement.items()}
    assert all(r > 0.9 for r in means.values()), means
