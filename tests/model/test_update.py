"""The update: exact conservation, bounds, gaps, and gains between nothing and everything."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.footprint import Footprint
from ssm_net.grid import block_mean, upsample
from ssm_net.model.update import exact, gain, increments

RATIO = 36
LOW, HIGH = 0.01, 0.60
H = Footprint.gaussian((5, 5), RATIO, 43.0)


def updated(
    mu: torch.Tensor, variance: float, observed: torch.Tensor, sigma: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of a day after the update, as inference makes them of the increments and gains."""
    p = torch.full(observed.shape, variance)
    background = H.forward(torch.nan_to_num(mu), torch.isfinite(mu).float())
    increment, k = increments(background, p, observed, torch.where(torch.isfinite(observed), sigma, torch.nan))
    return mu + upsample(increment, RATIO), variance * (1 - upsample(k, RATIO))


@given(st.integers(0, 2**31), st.floats(0.0, 0.4), st.floats(0, 0.9))
@settings(max_examples=20, deadline=None)
def test_exact_keeps_the_coarse_value(seed: int, spread: float, gaps: float) -> None:
    g = torch.Generator().manual_seed(seed)
    mu = (0.25 + spread * torch.randn(3 * RATIO, 4 * RATIO, generator=g)).clamp(LOW, HIGH)
    observed = LOW + 0.01 + (HIGH - LOW - 0.02) * torch.rand(3, 4, generator=g)
    observed[torch.rand(3, 4, generator=g) < gaps] = torch.nan
    land = torch.rand(mu.shape, generator=g) < 0.8
    (theta,) = exact([((0, 3 * RATIO, 0, 4 * RATIO), mu, land)], observed, RATIO, LOW, HIGH)
    miss = (block_mean(theta, RATIO, land) - observed).abs()
    assert float(torch.nan_to_num(miss).max()) <= 1e-6
    assert float(theta.min()) >= LOW and float(theta.max()) <= HIGH


def test_exact_in_parts_is_exact_of_the_whole() -> None:
    g = torch.Generator().manual_seed(3)
    mu, land = torch.rand(2 * RATIO, 4 * RATIO, generator=g) * 0.5, torch.rand(2 * RATIO, 4 * RATIO, generator=g) < 0.5
    observed = torch.tensor([[0.1, 0.3, torch.nan, 0.2], [0.5, torch.nan, 0.05, 0.3]])
    (whole,) = exact([((0, 2 * RATIO, 0, 4 * RATIO), mu, land)], observed, RATIO, LOW, HIGH)
    windows = [(0, 2 * RATIO, x, x + 2 * RATIO) for x in (0, 2 * RATIO)]
    fields = [(w, mu[:, w[2] : w[3]], land[:, w[2] : w[3]]) for w in windows]
    parts = torch.cat(list(exact(fields, observed, RATIO, LOW, HIGH)), 1)
    assert float((parts - whole).abs().max()) < 1e-6


def test_exact_takes_an_impossible_value_at_the_bound() -> None:
    field = ((0, 36, 0, 36), torch.full((36, 36), 0.3), torch.ones(36, 36, dtype=torch.bool))
    (theta,) = exact([field], torch.tensor([[0.9]]), 36, LOW, HIGH)
    assert float(theta.mean()) == pytest.approx(HIGH, abs=1e-5) and float(theta.max()) <= HIGH


@given(st.floats(1e-6, 1e-2), st.floats(1e-6, 1e-2))
def test_gain_weighs_by_precision(p: float, r: float) -> None:
    k = float(gain(torch.tensor(p), torch.tensor(r)))
    assert 0 < k < 1 and k == pytest.approx(p / (p + r), rel=1e-5)


def test_no_observation_no_gain() -> None:
    assert float(gain(torch.tensor(1e-3), torch.tensor(torch.nan))) == 0
    mu = torch.rand(5 * RATIO, 5 * RATIO)
    mean, variance = updated(mu, 1e-3, torch.full((5, 5), torch.nan), 0.03)
    assert torch.equal(mean, mu) and torch.allclose(variance, torch.tensor(1e-3))


def test_the_update_moves_a_fraction_of_the_way_and_smoothly() -> None:
    mu = torch.full((5 * RATIO, 5 * RATIO), 0.2)
    observed = torch.full((5, 5), torch.nan)
    observed[2, 2] = 0.3
    mean, variance = updated(mu, 9e-4, observed, 0.03)
    centre = float(mean[2 * RATIO + 18, 2 * RATIO + 18])
    assert 0.24 < centre < 0.26  # K = 1/2
    assert float(mean.diff(dim=0).abs().max()) < 0.1 / RATIO  # no block edges
    assert float(variance.max()) <= 9e-4 and float(variance.min()) >= 4e-4


def test_water_does_not_count() -> None:
    mu = torch.full((5 * RATIO, 5 * RATIO), 0.2)
    mu[:, :36] = torch.nan
    observed = torch.full((5, 5), torch.nan)
    observed[:, 1] = 0.3
    mean, _ = updated(mu, 1e-3, observed, 0.03)
    assert bool(torch.isfinite(mean[torch.isfinite(mu)]).all())
