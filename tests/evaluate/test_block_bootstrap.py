"""The stated interval of a median over stations holds where the stations share the errors of their footprint."""

import numpy as np
import pytest
from scipy.signal import lfilter

from ssm_net.evaluate.referees.block_bootstrap import (
    BlockMoments,
    Resampling,
    gains_of,
    median_scores,
    scores_of,
    weighted_median,
)
from ssm_net.evaluate.referees.station_scores import gains, score_series

SIGNAL, SHARED, POINT, OWN = 0.06, 0.03, 0.02, 0.01  # m3 m-3, standard deviations
TRUE_R = SIGNAL**2 / np.sqrt((SIGNAL**2 + POINT**2) * (SIGNAL**2 + SHARED**2 + OWN**2))


def lasting(rng: np.random.Generator, phi: float, days: int, cells: int) -> np.ndarray:
    noise = rng.normal(size=(days + 200, cells)) * np.sqrt(1 - phi**2)
    return lfilter([1], [1, -phi], noise, axis=0)[200:]


def network(rng: np.random.Generator, days: int, stations: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Stations and maps, (D, P): weather and the error of the map are those of the cell, and last for days."""
    weather, error = (lasting(rng, phi, days, cells)[:, np.arange(stations) % cells] for phi in (0.95, 0.9))
    x = SIGNAL * weather + POINT * rng.normal(size=weather.shape)
    return x, SIGNAL * weather + SHARED * error + OWN * rng.normal(size=weather.shape)


def of_r(x: np.ndarray, y: np.ndarray, footprint: np.ndarray):
    draws = Resampling.of(np.arange(len(x)), footprint)
    blocks = BlockMoments.of(x, y, np.ones(x.shape, bool), draws)
    return median_scores({"maps": blocks}, draws, lambda of: scores_of(of["maps"]))["R"]


def stations_alone(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The interval from stations that are drawn as if they shared nothing."""
    r = [np.corrcoef(x[:, j], y[:, j])[0, 1] for j in range(x.shape[1])]
    low, high = np.quantile(np.median(rng.choice(r, (400, len(r))), axis=1), [0.025, 0.975])
    return float(low), float(high)


def test_forty_stations_of_one_cell_are_not_forty_witnesses():
    rng = np.random.default_rng(1)
    inside, alone, width = 0, 0, []
    for _ in range(60):
        x, y = network(rng, 365, 40, 1)
        r = of_r(x, y, np.zeros(40))
        low, high = stations_alone(x, y, rng)
        inside += r.low < TRUE_R < r.high
        alone += low < TRUE_R < high
        width.append((r.high - r.low) / (high - low))
    assert inside >= 53  # of 60; 57 are expected
    assert alone <= 12
    assert np.median(width) > 9  # far too narrow


def test_footprints_that_share_nothing_narrow_the_interval():
    rng = np.random.default_rng(2)
    widths = {}
    for cells in (1, 40):
        r = [of_r(*network(rng, 365, 40, cells), np.arange(40) % cells) for _ in range(8)]
        widths[cells] = np.mean([one.high - one.low for one in r])
        assert all(one.low <= one.value <= one.high for one in r)
    assert widths[40] < 0.6 * widths[1]


def test_scores_are_those_of_the_stations():
    """Moments of blocks give the scores of a station, and its gains, that its series gives."""
    rng = np.random.default_rng(3)
    x, y = network(rng, 90, 3, 1)
    z = 0.6 * y + 0.2 + 0.01 * rng.normal(size=y.shape)
    use = rng.random(x.shape) < 0.7
    draws = Resampling.of(np.arange(90), np.arange(3))
    scores = [scores_of(BlockMoments.of(x, other, use, draws).whole()) for other in (z, y)]
    for j in range(3):
        single = [score_series(np.where(use[:, j], x[:, j], np.nan), other[:, j], np.arange(90)) for other in (z, y)]
        for got, one in zip(scores, single, strict=True):
            assert got["R"][j] == pytest.approx(one.r.value) and got["slope"][j] == pytest.approx(one.slope)
            assert got["ubRMSE"][j] == pytest.approx(one.ubrmse.value) and got["bias"][j] == pytest.approx(
                one.bias.value
            )
        assert gains_of(*scores)["G"][j] == pytest.approx(gains(*single)["G_DOWN"])


def test_weighted_median_counts_a_station_as_often_as_it_is_drawn():
    values = np.array([[3.0, 1.0, np.nan, 2.0]] * 4)
    weights = np.array([[1, 1, 9, 1], [2, 0, 0, 1], [1, 1, 0, 0], [0, 0, 4, 0]], float)
    np.testing.assert_array_equal(weighted_median(values, weights), [2.0, 3.0, 2.0, np.nan])


def test_a_record_of_one_block_states_no_interval():
    x = np.arange(12.0).reshape(4, 3)
    r = of_r(np.vstack([x, x[:1]]), np.vstack([x, x[:1]]), np.zeros(3))
    assert r.value == pytest.approx(1) and np.isnan(r.low) and np.isnan(r.high)
