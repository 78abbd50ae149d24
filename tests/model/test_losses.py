"""The aggregate loss: masks, weights, and the prior on sub-grid variance."""

import torch

from ssm_net.model.losses import beta_nll, masked_mean, subgrid_excess


def test_what_is_masked_reaches_neither_loss_nor_gradient() -> None:
    x = torch.tensor([1.0, torch.nan, torch.inf, 3.0], requires_grad=True)
    loss = masked_mean(x * 2, torch.tensor([True, False, False, True]))
    loss.backward()
    assert float(loss) == 4.0 and x.grad is not None
    assert torch.equal(torch.nan_to_num(x.grad), torch.tensor([1.0, 0.0, 0.0, 1.0])) and bool(
        torch.isfinite(x.grad).all()
    )


def test_nothing_to_score_is_zero() -> None:
    assert float(masked_mean(torch.ones(3), torch.zeros(3, dtype=torch.bool))) == 0


def test_the_likelihood_is_smallest_at_the_true_variance() -> None:
    torch.manual_seed(0)
    error = 0.04 * torch.randn(20000)
    losses = [float(beta_nll(torch.zeros_like(error), torch.full_like(error, s**2), error, 0.0).mean())
              for s in (0.02, 0.03, 0.04, 0.05, 0.06)]  # fmt: skip
    assert losses.index(min(losses)) == 2


def test_beta_weighs_by_variance_without_gradient() -> None:
    variance = torch.tensor([0.01], requires_grad=True)
    (plain,) = torch.autograd.grad(beta_nll(torch.zeros(1), variance, torch.full((1,), 0.2), 0.0).sum(), variance)
    (half,) = torch.autograd.grad(beta_nll(torch.zeros(1), variance, torch.full((1,), 0.2), 0.5).sum(), variance)
    assert torch.allclose(half, plain * 0.1)


def test_subgrid_variance_counts_above_its_prior_only() -> None:
    land = torch.ones(1, 72, 36, dtype=torch.bool)
    mu = torch.zeros(1, 72, 36)
    mu[:, :36] = 0.04 * torch.randn(36, 36) / 1.0 + 0.3
    mu[:, 36:] = 0.2 * torch.randn(36, 36)
    excess = subgrid_excess(mu, land, 36, 0.05)
    assert float(excess[0, 0, 0]) == 0 and 10 < float(excess[0, 1, 0]) < 20
    offset = subgrid_excess(mu + 5, land, 36, 0.05)
    assert torch.allclose(excess, offset, rtol=1e-3)
