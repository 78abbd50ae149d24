"""Maps of a record of the past: each knows the days after it, the last ones are provisional, a final one stays."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from worlds import loud_run, tiny_cube

from ssm_net.config import InferConfig, ModelConfig
from ssm_net.cube.lookahead import ArchiveCube
from ssm_net.cube.store import Cube
from ssm_net.estimators.checkpoint import load_trained
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.formats.mosaic_days import day_path, read_day
from ssm_net.formats.product import Flag
from ssm_net.infer.day import background
from ssm_net.infer.plan import InferenceError
from ssm_net.infer.run import infer
from ssm_net.inputs.reading import read_coarse

AHEAD = 2


@pytest.fixture
def cube(tmp_path: Path) -> Cube:
    return tiny_cube(tmp_path / "c.zarr", cells=(4, 4), days=5)


def run_of(folder: Path, cube: Cube, lookahead: int) -> Path:
    """Networks with loud random weights, of maps that know ``lookahead`` days ahead."""
    model = ModelConfig(members=1, width=8, depth=1, coarse_width=8, cells=True, lags=2, lookahead=AHEAD)
    return loud_run(folder, cube, model, lookahead)


def hold_back(cube: Cube, number: int) -> None:
    """As if the last ``number`` days were not prepared yet."""
    for day in cube.days[-number:]:
        cube.status_file(day).rename(cube.status_file(day).with_suffix(".held"))


def prepare_next(cube: Cube) -> None:
    held = next(f for d in cube.days if (f := cube.status_file(d).with_suffix(".held")).exists())
    held.rename(held.with_suffix(".json"))


def digests(folder: Path) -> dict[str, str]:
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.glob("*.nc"))}


def test_the_last_days_are_provisional_until_the_days_after_them_come(cube: Cube, tmp_path: Path) -> None:
    """An operator adds a day each morning: yesterday's map improves, and what was final never changes."""
    run, out = run_of(tmp_path / "run", cube, AHEAD), tmp_path / "maps"
    cfg = InferConfig(cube=str(cube.path), mosaics=str(out), run=str(run))
    hold_back(cube, 2)
    assert infer(cfg) == list(cube.days[:3])
    maps = [read_day(day_path(out, "tiny", day)) for day in cube.days[:3]]
    assert [m.attrs["status"] for m in maps] == ["final", "provisional", "provisional"]
    assert [m.attrs["days_ahead"] for m in maps] == [2, 1, 0]
    assert all(str(m.attrs["mode"]).startswith("archive") for m in maps)
    on_land = cube.land().numpy()
    for m in maps:
        flagged = (m.flags & int(Flag.PROVISIONAL)) > 0
        np.testing.assert_array_equal(flagged, on_land & (m.attrs["status"] == "provisional"))
    first = digests(out)

    prepare_next(cube)
    assert infer(cfg) == [cube.days[1], cube.days[3]]
    second = digests(out)
    assert second["ssm_tiny_20160415.nc"] == first["ssm_tiny_20160415.nc"]
    assert second["ssm_tiny_20160417.nc"] == first["ssm_tiny_20160417.nc"], "it still waits for its days"
    prepare_next(cube)
    infer(cfg)
    assert infer(cfg) == [], "nothing more is to be done"

    at_once = tmp_path / "at_once"
    infer(replace(cfg, mosaics=str(at_once)))
    grown, whole = digests(out), digests(at_once)
    for day in cube.days[:-AHEAD]:
        name = day_path(out, "tiny", day).name
        assert grown[name] == whole[name], "a record that grows by a day is that made at once"


def test_a_provisional_map_that_was_cut_off_is_not_taken_for_final(
    cube: Cube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between the mark and the map, or between the final map and the mark, costs a day's work and no map."""
    run, out = run_of(tmp_path / "run", cube, AHEAD), tmp_path / "maps"
    cfg = InferConfig(cube=str(cube.path), mosaics=str(out), run=str(run))
    infer(cfg)
    want = digests(out)
    marks = sorted(p.name for p in (out / "provisional").iterdir())
    assert marks == ["ssm_tiny_20160418", "ssm_tiny_20160419"]
    (out / "provisional" / "ssm_tiny_20160416").touch()  # the map became final, and its mark was not removed
    assert infer(cfg) == [cube.days[1]]
    assert digests(out) == want and not (out / "provisional" / "ssm_tiny_20160416").exists()


def test_near_real_time_and_archive_are_not_mixed(cube: Cube, tmp_path: Path) -> None:
    out = tmp_path / "maps"
    for lookahead in (0, AHEAD):
        cfg = InferConfig(
            cube=str(cube.path), mosaics=str(out), run=str(run_of(tmp_path / f"run{lookahead}", cube, lookahead))
        )
        if lookahead:
            with pytest.raises(InferenceError, match="were made otherwise"):
                infer(cfg)
        else:
            infer(cfg)
    m = read_day(day_path(out, "tiny", cube.days[-1]))
    assert "status" not in m.attrs and str(m.attrs["mode"]).startswith("near real time")
    assert not (m.flags & int(Flag.PROVISIONAL)).any()


@pytest.mark.parametrize("cell", [(0, 0), (1, 3), (2, 2)])
def test_own_observation_does_not_reach_its_cell_through_the_days_ahead(
    cube: Cube, tmp_path: Path, cell: tuple[int, int]
) -> None:
    """The days ahead are seen, the own observation of the day is not."""
    ahead = ArchiveCube.of(cube, AHEAD)
    estimator = NetworkEstimator(load_trained(run_of(tmp_path / "run", cube, AHEAD)), ahead, torch.device("cpu"))
    coarse = read_coarse(ahead, cube.days[1], estimator.lags, estimator.scaling, estimator.lookahead)
    here = tuple(slice(36 * n, 36 * (n + 1)) for n in cell)

    def mean(ssm: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        return background(estimator, ahead, replace(coarse, ssm=ssm, ahead=later), cube.land(), 4).mean[here]

    before = mean(coarse.ssm, coarse.ahead)
    ssm, later = coarse.ssm.clone(), coarse.ahead.clone()
    ssm[0, cell[0], cell[1]] += 0.1
    assert torch.equal(before.nan_to_num(), mean(ssm, coarse.ahead).nan_to_num())
    later[0, cell[0], cell[1]] = 0.4
    assert not torch.equal(before.nan_to_num(), mean(coarse.ssm, later).nan_to_num())
