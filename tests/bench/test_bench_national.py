"""The national benchmark at its smallest: it builds, measures all of it and names what is missed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))  # scripts, not a package
import national  # noqa: E402
import national_cube  # noqa: E402
import national_maps  # noqa: E402

WINDOW = (88, 92, 772, 776)


@pytest.mark.slow
def test_every_number_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(national, "FOREST_TRAIN", 200)
    monkeypatch.setattr(national, "FOREST_PIXELS", 200)
    monkeypatch.setattr(national, "FLOAT32_PART", 1)
    monkeypatch.setattr(national, "matmul_rate", lambda dtype: 1e12)
    found = national.measure(tmp_path, WINDOW, 1)
    assert found["pixels computed"] == 144**2 and 0 < found["land pixels"] <= 144**2
    assert 1e5 < found["FLOPs a pixel"] < 4e5
    assert all(found[k] > 0 for k in ("seconds a day", "bare network, seconds", "random forest, seconds"))
    assert {"netcdf", "cog", "zarr"} == set(found["formats"])
    found |= {"day / bare network": 1.3, "seconds a day": 50.0, "peak memory, GiB": 1.0}
    assert national.misses(found) == ["day / bare network 1.30 is not <= 1.25"]
    assert "read to written" in str([c._cells for c in national.table(found).columns])


def test_a_country_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    first = national_cube.build(tmp_path / "c.zarr", 1, WINDOW)
    before = first.read_packed("lst_day", first.days[0])
    both = national_cube.build(tmp_path / "c.zarr", 2, WINDOW)
    assert both.done_days() == list(both.days) and len(both.days) == 2
    np.testing.assert_array_equal(both.read_packed("lst_day", both.days[0]), before)
    assert not torch.equal(*(torch.from_numpy(both.read("lst_day", d)) for d in both.days))


@pytest.mark.slow
def test_a_day_is_timed_from_its_granules_to_its_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(national, "FOREST_TRAIN", 200)
    monkeypatch.setattr(national, "FOREST_PIXELS", 200)
    found = national_maps.measure(tmp_path, WINDOW, 2)
    steps = found["prepare, seconds a day"] + found["infer, seconds a day"]
    assert steps == pytest.approx(found["granules to map, seconds a day"])
    assert found["random forest, seconds"] > 0 and found["peak memory, GiB"] > 0
    assert len(list((tmp_path / "maps").glob("ssm_china_*.nc"))) == 2
    assert "of preparing" in " ".join(national_maps.lines(found))
