"""Last-layer regression through the footprint: what it must learn, and what it must not."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import torch
from worlds import tiny_cube

from ssm_net.config import ModelConfig
from ssm_net.cube.store import Cube
from ssm_net.estimators.checkpoint import build
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.inputs.reading import read_coarse
from ssm_net.inputs.statistics import compute_scaling
from ssm_net.model.grouped_regression import grouped_normal_equations
from ssm_net.model.network import Committee
from ssm_net.train.last_layer import Observations, design_rows, fit_last_layer
from ssm_net.train.training_stations import TrainingStation
from ssm_net.train.withheld import innovations

MODEL = ModelConfig(members=2, width=8, depth=1, coarse_width=8, cells=True, lags=3)
ALL = np.ones((4, 8), bool)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 8), days=7)


def loud(cube: Cube) -> Committee:
    torch.manual_seed(3)
    network = build(MODEL, compute_scaling(cube, cube.days), 0.22).eval()
    with torch.no_grad():
        for member in network:
            member.head.weight.normal_(std=0.1)
    return network


def rows_of(
    cube: Cube, network: Committee, labels: np.ndarray = ALL, stations: tuple[TrainingStation, ...] = ()
) -> Observations:
    scaling = compute_scaling(cube, cube.days)
    observations = design_rows(network, cube, scaling, cube.days, labels, lags=3, stations=stations)
    assert observations is not None
    return observations


def test_the_derivative_is_that_of_the_footprint_mean(cube: Cube) -> None:
    network = loud(cube)
    before = rows_of(cube, network)
    step = 3e-4 * torch.randn(before.rows[0].slope.shape[1])  # of so little the curvature does not show
    with torch.no_grad():
        for member in network:
            assert member.head.bias is not None
            member.head.bias[0] += step[0]
            member.head.weight[0, :, 0, 0] += step[1:]
    after = rows_of(cube, network)
    for a, b in zip(before.rows, after.rows, strict=True):
        assert torch.allclose(b.mean - a.mean, a.slope @ step, atol=6e-7)


def test_an_observation_does_not_reach_the_background_it_is_compared_with(cube: Cube) -> None:
    """Neither with its phase hidden nor with the whole day hidden."""
    found = rows_of(cube, loud(cube))
    again = rows_of(_shifted(cube, 0.1), loud(cube))
    same = found.value == again.value
    assert int((~same).sum()) == 1
    for a, b in zip(found.rows, again.rows, strict=True):
        assert torch.equal(a.mean[~same], b.mean[~same]) and torch.equal(
            a.mean_day_hidden[~same], b.mean_day_hidden[~same]
        )
        assert not torch.equal(a.mean, b.mean)


def _shifted(cube: Cube, by: float) -> Cube:
    """The cube with the last day's observation of one cell changed."""

    class Shifted(Cube):
        def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
            out = super().read_coarse(name, day)
            if name == "ssm" and day == self.days[-1]:
                out = out.copy()
                out[2, 5] += by
            return out

    return Shifted(**{k: getattr(cube, k) for k in cube.__dataclass_fields__})


def test_a_shift_of_all_observations_is_learned_and_that_of_one_cell_is_not(cube: Cube) -> None:
    network = loud(cube)
    fit_last_layer(network, rows_of(cube, network))
    calm = innovations(rows_of(cube, network)).innovation
    # The level follows when all cells say so.
    other = loud(cube)
    found = rows_of(cube, other)
    moved = type(found)(**{**vars(found), "value": found.value + 0.03})
    fit_last_layer(other, moved)
    rise = (rows_of(cube, other).rows[0].mean - rows_of(cube, network).rows[0].mean).mean()
    assert 0.015 < float(rise) < 0.033  # a linear step may go a little too far
    assert abs(float(calm.mean())) < abs(float(innovations(rows_of(cube, loud(cube))).innovation.mean())) + 1e-3
    # A cell that is wrong all the time is taken for the sensor's bias.
    third = loud(cube)
    found = rows_of(cube, third)
    one = found.cell == int(found.cell[0])
    fit_last_layer(third, type(found)(**{**vars(found), "value": found.value + 0.03 * one}))
    spill = rows_of(cube, third).rows[0].mean - rows_of(cube, network).rows[0].mean
    assert float(spill.abs().mean()) < 0.003


def test_lasting_biases_are_eliminated_as_if_they_were_solved_for() -> None:
    g = torch.Generator().manual_seed(0)
    a = torch.randn(60, 4, generator=g, dtype=torch.float64)
    t = torch.randn(60, generator=g, dtype=torch.float64)
    group = torch.arange(60) % 7
    sigma, bias = 0.5, 0.3
    gram, moment = grouped_normal_equations(a, t, group, sigma, bias)
    one_hot = torch.nn.functional.one_hot(group).double()
    both = torch.cat([a, one_hot], 1)
    prior = torch.diag(torch.cat([torch.full((4,), 2.0), torch.full((7,), sigma**2 / bias**2)]).double())
    want = torch.linalg.solve(both.T @ both + prior, both.T @ t)[:4]
    got = torch.linalg.solve(gram + 2.0 / sigma**2 * torch.eye(4), moment)
    assert torch.allclose(got, want, atol=1e-10)


def test_a_station_moves_the_estimate_towards_it_but_for_its_bias(cube: Cube) -> None:
    network = loud(cube)
    scaling = compute_scaling(cube, cube.days)
    places = [(50, 60), (80, 200), (120, 100), (30, 250), (100, 150), (60, 110)]
    stations = tuple(TrainingStation(f"S{i}", r, c, dict.fromkeys(cube.days, 0.45)) for i, (r, c) in enumerate(places))
    estimator = NetworkEstimator(_trained(cube, network), cube, torch.device("cpu"))
    coarse = read_coarse(cube, cube.days[2], 3, scaling)

    def at(place: tuple[int, int]) -> float:
        from ssm_net.infer.day import background

        return float(
            background(estimator, cube, coarse, torch.ones(cube.domain.fine_shape, dtype=torch.bool), 8).mean[place]
        )

    found = rows_of(cube, network, stations=stations)
    assert found.stations is not None
    which = [i for i in range(len(found.stations.value)) if int(found.stations.station[i]) == 1]
    # What is gathered at a station is what inference makes of its pixel.
    assert float(sum(r.mean[which[2]] for r in found.stations.rows) / 2) == pytest.approx(at((80, 200)), abs=1e-5)
    before = at((80, 200))
    fit_last_layer(network, rows_of(cube, network))
    without = at((80, 200))
    other = loud(cube)
    estimator = NetworkEstimator(_trained(cube, other), cube, torch.device("cpu"))
    fit_last_layer(other, rows_of(cube, other, stations=stations))
    with_stations = at((80, 200))
    assert with_stations > without + 0.002 and with_stations < 0.45
    assert np.isfinite(before)


def _trained(cube: Cube, network: Committee):  # type: ignore[no-untyped-def]
    from ssm_net.estimators.calibration import Calibration
    from ssm_net.estimators.checkpoint import Trained

    return Trained(network, compute_scaling(cube, cube.days), MODEL, 36, "gaussian", 43.0, 0.22, Calibration(), {})


def test_no_observation_is_no_evidence(cube: Cube) -> None:
    none = np.zeros((4, 8), bool)
    assert design_rows(loud(cube), cube, compute_scaling(cube, cube.days), cube.days, none, lags=3) is None
