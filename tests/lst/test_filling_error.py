"""The calibrated standard error of filling, and the background it comes with."""

import datetime as dt

import pytest
import torch

from ssm_net.lst.annual_cycle import Cycle
from ssm_net.lst.background import FIRST_WEATHER, BackgroundLST, smooth, uncertainty
from ssm_net.lst.filling_error import fading_mean, measured_error, relative_variance, withheld

DAY = dt.date(2016, 6, 1)


def test_half_of_the_pixels_are_withheld_and_over_days_all_of_them_are() -> None:
    """A pixel never withheld would have an error that nothing measured."""
    like = torch.zeros(144, 144)
    days = torch.stack([withheld(like, DAY + dt.timedelta(n), 36) for n in range(4)])
    assert days.float().mean((1, 2)).tolist() == pytest.approx([0.5] * 4)
    assert bool(days.any(0).all()) and not bool(days.all(0).any())


def test_the_error_grows_with_the_distance_to_data() -> None:
    shown = torch.zeros(144, 144, dtype=torch.bool)
    shown[:, :72] = True
    hidden = ~shown
    far = torch.arange(144).expand(144, 144)[hidden] - 72.0
    missed = (0.5 + 0.05 * far) * torch.randn(int(hidden.sum()), generator=torch.Generator().manual_seed(1))
    near_error, far_error = measured_error(missed, torch.full_like(missed, 1e6), shown, hidden, 36)
    assert 0 < near_error < far_error
    same = measured_error(torch.full_like(missed, 0.7), torch.full_like(missed, 1e6), shown, hidden, 36)
    assert same == pytest.approx((0.7, 0.7), rel=0.05)


def test_few_observations_in_the_memory_are_doubted_more() -> None:
    assert relative_variance(torch.tensor([0.0, 1.0, 100.0])).tolist() == pytest.approx([2.0, 1.23, 1.003], abs=0.01)


def test_a_day_of_large_errors_does_not_rule_the_mean() -> None:
    assert fading_mean(1.0, 4.0, 0.5) == pytest.approx(2.0)
    assert fading_mean(1.0, 0.0, 0.0) == pytest.approx(0.1)  # a field without contrast: never 0


def test_the_background_leans_on_its_prior_only_where_nothing_is_observed() -> None:
    values, observed = torch.full((72, 72), 300.0), torch.zeros(72, 72, dtype=torch.bool)
    observed[:36, :36] = True
    mean, fraction = smooth(values, observed, torch.full((2, 2), 280.0), 36, 0.5)
    assert float(mean[0, 0]) > 299 and float(fraction[0, 0]) > 0.9
    assert float(mean[1, 1]) < 295 and float(fraction[1, 1]) < float(fraction[0, 0])
    none, fraction = smooth(values, torch.zeros_like(observed), None, 36, 0.5)
    assert bool(none.isnan().all()) and bool((fraction == 0).all())


def test_an_observed_background_is_certain_and_an_expected_one_is_not() -> None:
    old = BackgroundLST(
        torch.full((1, 2), 290.0), torch.zeros(1, 2), FIRST_WEATHER, Cycle.prior(torch.full((1, 2), 35.0))
    )
    expected, fraction = old.lst + 1, torch.tensor([[1.0, 0.0]])
    sigma, weather = uncertainty(old, 1, old.lst + 1, expected, fraction)
    assert float(sigma[0, 0]) == 0 and float(sigma[0, 1]) == pytest.approx(FIRST_WEATHER)
    assert weather < FIRST_WEATHER  # it came as it was expected
    later, same = uncertainty(old, 5, old.lst, expected, fraction)
    assert float(later[0, 1]) > float(sigma[0, 1]) and same == FIRST_WEATHER
