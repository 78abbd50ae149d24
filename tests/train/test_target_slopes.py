"""Regional slopes of a target: learned from its training observations alone, and from stations that share a cell."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import torch
from worlds import tiny_cube

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, save_trained
from ssm_net.inputs.scaling import Scaling
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.train.last_layer import evenly_chosen
from ssm_net.train.run import split_of, train
from ssm_net.train.target_slopes import target_slopes
from ssm_net.train.training_stations import TrainingStation

ALL = np.ones((8, 8), bool)
MODEL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, coarse_depth=1, cells=True, lags=3)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(8, 8), days=8)


@pytest.fixture(scope="module")
def scaling(cube: Cube) -> Scaling:
    return compute_scaling(cube, cube.days)


def by_name(cube: Cube, scaling: Scaling, *stations: TrainingStation) -> dict[str, float]:
    slopes = target_slopes(cube, scaling, cube.days, ALL, stations)
    return dict(zip(scaling.names, slopes.tolist(), strict=True))


def with_observations(cube: Cube, change: dict[tuple[int, int], float]) -> Cube:
    """The cube with the observations of some cells changed, on all days."""

    class Changed(Cube):
        def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
            out = super().read_coarse(name, day).copy()
            if name == "ssm":
                for cell, value in change.items():
                    out[cell] = value
            return out

    return Changed(**{k: getattr(cube, k) for k in cube.__dataclass_fields__})


def test_slopes_have_the_sign_of_what_carries_moisture(cube: Cube, scaling: Scaling) -> None:
    """In this world wet ground is cooler and darker, and tells of itself by the difference of two bands."""
    slopes = by_name(cube, scaling)
    assert slopes["lst_day_memory"] < -0.004 and slopes["lst_night_memory"] < -0.004
    assert slopes["brightness"] < -0.004 and slopes["ndvi"] > 0.004
    maps = [abs(slopes[name]) for name in ("sand", "elevation")]
    assert max(maps) < 0.5 * abs(slopes["lst_day_memory"]), "maps that carry nothing are trusted"


def test_cells_that_are_held_out_do_not_enter(cube: Cube, scaling: Scaling) -> None:
    """The error that is measured there would be that of observations that were learned from."""
    labels = ALL.copy()
    labels[2:4, 5:7] = False
    before = target_slopes(cube, scaling, cube.days, labels)
    other = with_observations(cube, {(2, 5): 0.5, (3, 6): 0.02})
    assert torch.equal(target_slopes(other, scaling, cube.days, labels), before)
    assert not torch.equal(target_slopes(other, scaling, cube.days, ALL), target_slopes(cube, scaling, cube.days, ALL))
    assert not torch.equal(target_slopes(with_observations(cube, {(0, 7): 0.5}), scaling, cube.days, labels), before)


def test_a_feature_that_the_cube_lacks_or_that_is_excluded_has_no_slope(cube: Cube, scaling: Scaling) -> None:
    wider = Scaling(
        (*scaling.names, "rain"), (*scaling.mean, 1.0), (*scaling.std, 1.0), (*scaling.low, 0.0), (*scaling.high, 9.0),
        scaling.first, scaling.last, absent=("lst_day_memory", "rain"),
    )  # fmt: skip
    slopes = by_name(cube, wider)
    assert slopes["rain"] == 0 and slopes["lst_day_memory"] == 0
    assert slopes["lst_night_memory"] < by_name(cube, scaling)["lst_night_memory"], "what it carried is left to none"


def station(cube: Cube, name: str, row: int, col: int, value: float) -> TrainingStation:
    return TrainingStation(name, row, col, dict.fromkeys(cube.days, value))


def hot_and_cold(cube: Cube) -> tuple[tuple[int, int], tuple[int, int]]:
    """The pixels of the cell in row 2 and column 3 that are hottest and coldest on the first day."""
    memory = cube.read("lst_day_memory", cube.days[0])[72:108, 108:144]
    hot, cold = (np.unravel_index(find(memory), memory.shape) for find in (np.argmax, np.argmin))
    return (72 + int(hot[0]), 108 + int(hot[1])), (72 + int(cold[0]), 108 + int(cold[1]))


def test_two_stations_of_a_cell_tell_what_holds_inside_it(cube: Cube, scaling: Scaling) -> None:
    hot, cold = hot_and_cold(cube)
    without = by_name(cube, scaling)["lst_day_memory"]
    wet_and_hot = by_name(cube, scaling, station(cube, "a", *hot, 0.35), station(cube, "b", *cold, 0.1))
    wet_and_cold = by_name(cube, scaling, station(cube, "a", *hot, 0.1), station(cube, "b", *cold, 0.35))
    assert wet_and_cold["lst_day_memory"] < without < wet_and_hot["lst_day_memory"]


def test_a_station_without_another_in_its_cell_changes_no_slope(cube: Cube, scaling: Scaling) -> None:
    """Its level is that of a point in a pixel, which says nothing of features."""
    hot, cold = hot_and_cold(cube)
    without, alone = by_name(cube, scaling), station(cube, "a", *hot, 0.35)
    assert by_name(cube, scaling, alone) == without
    assert by_name(cube, scaling, alone, station(cube, "b", cold[0] + 36, cold[1], 0.1)) == without
    silent = TrainingStation("c", *cold, dict.fromkeys(cube.days, float("nan")))
    assert by_name(cube, scaling, alone, silent) == without


def test_what_two_stations_share_says_nothing(cube: Cube, scaling: Scaling) -> None:
    """The level of their cell, and the weather of a day."""
    hot, cold = hot_and_cold(cube)
    days = {day: 0.01 * n for n, day in enumerate(cube.days)}

    def pair(level: float) -> tuple[TrainingStation, TrainingStation]:
        return tuple(
            TrainingStation(str(place), *place, {day: value + level + v for day, v in days.items()})
            for place, value in ((hot, 0.1), (cold, 0.2))
        )  # type: ignore[return-value]

    assert by_name(cube, scaling, *pair(0.1)) == pytest.approx(by_name(cube, scaling, *pair(0.0)), abs=1e-7)


def test_networks_of_a_prior_are_given_the_slopes_of_the_training_observations(
    cube: Cube, scaling: Scaling, tmp_path_factory: pytest.TempPathFactory
) -> None:
    prior, run = tmp_path_factory.mktemp("prior"), tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    network = build(MODEL, scaling, 0.22).eval()
    save_trained(prior, Trained(network, scaling, MODEL, 36, "gaussian", 43.0, 0.22, Calibration(), {"worlds": 1}))
    cfg = TrainConfig(str(cube.path), str(run), prior=str(prior))
    trained, parts = train(cfg), split_of(cfg, cube)
    assert trained is not None and parts.held_cells.any()
    want = target_slopes(cube, scaling, evenly_chosen(parts.train_days), ~parts.held_cells)
    assert all(torch.equal(member.slopes, want) for member in trained.network) and float(want.abs().max()) > 0.004


def test_networks_trained_from_nothing_are_given_no_slopes(
    cube: Cube, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """They were trained without: the weights of what slopes make of a pixel are as they were drawn."""
    run = tmp_path_factory.mktemp("alone")
    cfg = TrainConfig(str(cube.path), str(run / "run"), prior="none", epochs=1, patch=4, model=MODEL)
    trained = train(cfg)
    assert trained is not None and all(not member.slopes.any() for member in trained.network)
