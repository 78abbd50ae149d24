"""Geographically weighted regression: known laws come back, left-out cells stay out, days add up."""

import pytest
import torch

from ssm_net.estimators.gwr import coefficients, normal_equations, with_intercept

SHAPE = (8, 10)


@pytest.fixture
def x() -> torch.Tensor:
    return with_intercept(torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1)))


def test_a_law_that_holds_everywhere_is_found_everywhere(x: torch.Tensor) -> None:
    truth = torch.tensor([0.2, -0.03, 0.05])
    y = torch.einsum("p,prc->rc", truth, x)
    seen = torch.ones(SHAPE)
    seen[:, 4:6] = 0
    beta = coefficients(normal_equations(x, torch.where(seen > 0, y, torch.nan), seen, 2.0), 1e-8)
    torch.testing.assert_close(beta, truth[:, None, None].expand(3, *SHAPE), atol=1e-4, rtol=0)


def test_a_law_that_changes_with_place_is_followed(x: torch.Tensor) -> None:
    slope = torch.linspace(-0.1, 0.1, SHAPE[1]).expand(SHAPE)
    y = 0.2 + slope * x[1]
    beta = coefficients(normal_equations(x, y, torch.ones(SHAPE), 1.5), 1e-6)
    assert float(torch.corrcoef(torch.stack([beta[1].flatten(), slope.flatten()]))[0, 1]) > 0.9
    wide = coefficients(normal_equations(x, y, torch.ones(SHAPE), 50.0), 1e-6)
    assert float(wide[1].std()) < 0.1 * float(beta[1].std())


@pytest.mark.parametrize("buffer", [0, 1, 2])
def test_what_lies_within_the_buffer_is_left_out(x: torch.Tensor, buffer: int) -> None:
    y = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2))

    def at_cell(far: int) -> torch.Tensor:
        changed = y.clone()
        changed[4, 5 + far] += 10
        return coefficients(normal_equations(x, changed, torch.ones(SHAPE), 2.0, buffer), 1.0)[:, 4, 5]

    before = coefficients(normal_equations(x, y, torch.ones(SHAPE), 2.0, buffer), 1.0)[:, 4, 5]
    torch.testing.assert_close(at_cell(buffer), before, atol=1e-5, rtol=0)
    assert float((at_cell(buffer + 1) - before).abs().max()) > 1e-2


def test_days_add_up_to_one_fit(x: torch.Tensor) -> None:
    y = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3))
    left = torch.zeros(SHAPE)
    left[:, :5] = 1
    both = normal_equations(x, y, left, 3.0) + normal_equations(x, y, 1 - left, 3.0)
    whole = normal_equations(x, y, torch.ones(SHAPE), 3.0)
    torch.testing.assert_close(coefficients(both, 1.0), coefficients(whole, 1.0))


def test_the_ridge_shrinks_slopes_to_nothing_and_leaves_the_mean(x: torch.Tensor) -> None:
    y = 0.2 + 0.05 * x[1]
    beta = coefficients(normal_equations(x, y, torch.ones(SHAPE), 100.0), 1e9)
    assert float(beta[1:].abs().max()) < 1e-6
    torch.testing.assert_close(beta[0], torch.full(SHAPE, float(y.mean())), atol=1e-3, rtol=0)
