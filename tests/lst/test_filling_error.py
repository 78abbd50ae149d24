"""The calibrated standard error of filling, and the background it comes with."""

import datetime as dt

import pytest
import torch

from ssm_net.lst.annual_cycle import Cycle
from ssm_net.lst.background import FIRST_WEATHER, BackgroundLST, smooth, uncertainty
from ssm_net.lst.filling_error import (
    FIRST_ERROR,
    at_distances,
    error_at,
    fading_mean,
    measured_error,
    relative_variance,
    tried_rows,
    withheld,
)

DAY = dt.date(2016, 6, 1)


def test_filling_is_tried_out_under_the_clouds_of_the_day_and_everywhere_in_turns() -> None:
    """A pixel never withheld would have an error that nothing measured; what is left must be as dense as on the day."""
    seen = torch.ones(144, 144, dtype=torch.bool)
    assert not bool(withheld(seen, DAY, 36).any())  # a day without clouds has no gaps to try out
    seen[36:108, 36:108] = False
    days = [withheld(seen, DAY + dt.timedelta(n), 36) for n in range(6)]
    tried = torch.stack(days).any(0)
    assert float(tried[seen].float().mean()) > 0.5
    for one, other in zip(days[:3], days[3:], strict=True):
        assert not bool((one & other).any())  # the same clouds, in the other half
    for hidden in days:
        assert bool(hidden.any()) and bool(seen[hidden].all())
        assert int((seen & ~hidden).sum()) > 0.7 * int(seen.sum())


def test_filling_is_tried_out_on_a_day_of_few_observations_too() -> None:
    """Where the whole of the moved clouds was withheld, nothing was left of such days, and an error of other days was
    stated: too many of its values lay within one sigma."""
    seen = torch.rand(72, 72, generator=torch.Generator().manual_seed(0)) < 0.1
    tried = withheld(seen, DAY, 36)
    assert int(tried.sum()) >= 100 and int((seen & ~tried).sum()) >= 100


def test_all_rows_of_a_country_are_tried_out_in_turns() -> None:
    assert list(tried_rows(144, DAY, 36)) == [slice(0, 144)]
    days = [list(tried_rows(3888, DAY + dt.timedelta(n), 36)) for n in range(4)]
    tried = [row for rows in days for part in rows for row in range(part.start, part.stop)]
    assert sorted(tried) == list(range(3888))
    assert all(sum(part.stop - part.start for part in rows) <= 3888 / 3 for rows in days)


def test_the_error_grows_with_the_distance_to_data() -> None:
    far = torch.rand(200_000, generator=torch.Generator().manual_seed(0))
    missed = torch.sqrt(0.2 + 4.0 * far) * torch.randn(far.shape, generator=torch.Generator().manual_seed(1))
    error = measured_error(missed, torch.full_like(missed, 1e6), far, FIRST_ERROR, 36)
    assert error == pytest.approx([(0.2 + 4.0 * n / 5) ** 0.5 for n in range(6)], rel=0.2)
    inside = (missed.abs() <= error_at(far, error)).float()
    for low in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert float(inside[(far - low).abs() < 0.1].mean()) == pytest.approx(0.68, abs=0.05)


def test_what_was_not_tried_out_follows_what_was() -> None:
    """On a day of small holes alone the error in a large one is that of the days before, in proportion."""
    near = torch.full((10_000,), 0.01)
    once = error_at(near, (1.0, 3.0))
    twice = measured_error(2.0 * once, torch.full_like(near, 1e6), near, (1.0, 3.0), 36)
    assert twice == pytest.approx([2 * e for e in at_distances((1.0, 3.0))], rel=0.01)


def test_a_few_pixels_far_from_data_do_not_rule_the_error_there() -> None:
    """A hundred neighbours far from all data are one error, not a hundred."""
    near, far = torch.full((10_000,), 0.01), torch.full((100,), 0.99)
    distance = torch.cat([near, far])
    missed = torch.cat([error_at(near, (1.0, 3.0)), torch.full_like(far, 0.1)])
    error = measured_error(missed, torch.full_like(missed, 1e6), distance, (1.0, 3.0), 36)
    assert error[-1] == pytest.approx(3.0, rel=0.1)  # as it alone says: 0.1


def test_the_variance_lies_on_lines_between_distances() -> None:
    assert error_at(torch.tensor([0.0, 0.25, 1.0]), (1.0, 3.0)).tolist() == pytest.approx([1.0, 3.0**0.5, 3.0])
    assert at_distances((1.0, 3.0)) == pytest.approx([(1 + 8 * n / 5) ** 0.5 for n in range(6)])


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
