"""The pieces of the ridge estimator: contexts that hide the own value, and fits that add up."""

import pytest
import torch

from ssm_net.estimators.random_features import Gram, RandomFeatures, Scale, choose_ridge, contexts, own_phase

SCALES = (Scale(0.5, 1.0), Scale(1.0, 4.0))


def test_a_context_holds_neighbours_and_days_before_but_not_the_own_value() -> None:
    ssm = 0.2 + 0.05 * torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(1))
    before = own_phase(contexts(ssm, 0.2, SCALES))
    for lag, changes in ((0, False), (1, True)):
        other = ssm.clone()
        other[lag, 2, 3] += 0.1
        after = own_phase(contexts(other, 0.2, SCALES))
        assert torch.equal(after[:, 2, 3], before[:, 2, 3]) is not changes
        assert not torch.equal(after, before)


def test_with_nothing_near_the_mean_is_left() -> None:
    ssm = torch.full((2, 12, 12), torch.nan)
    ssm[0, 0, 0] = 0.4
    context = contexts(ssm, 0.25, SCALES)
    assert context.shape == (4, 2, 12, 12)
    assert torch.equal(context[:, :, 8:, 8:], torch.full((4, 2, 4, 4), 0.25))


def test_features_do_not_depend_on_the_neighbours() -> None:
    z = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(2))
    phi = RandomFeatures.draw(5, 1)
    torch.testing.assert_close(phi(z[:, 1:3, 2:4]), phi(z)[:, 1:3, 2:4])
    assert phi(z).shape == (phi.size, 4, 6) and torch.equal(phi(z)[0], torch.ones(4, 6))


def test_parts_solve_to_the_least_squares_of_the_whole() -> None:
    random = torch.Generator().manual_seed(3)
    a = torch.cat([torch.ones(60, 1), torch.randn(60, 3, generator=random)], 1).double()
    t = torch.randn(60, generator=random).double()
    whole = Gram.of(a[:20], t[:20]) + Gram.of(a[20:], t[20:])
    w = whole.solve(0.0)
    torch.testing.assert_close(w, torch.linalg.lstsq(a, t[:, None]).solution[:, 0], atol=1e-6, rtol=0)
    assert whole.squared_error(w) == pytest.approx(float(((a @ w - t) ** 2).sum()))


def test_noise_asks_for_more_ridge_than_signal() -> None:
    random = torch.Generator().manual_seed(4)

    def chosen(noise: float) -> float:
        folds = []
        for _ in range(4):
            a = torch.cat([torch.ones(12, 1), torch.randn(12, 10, generator=random)], 1)
            folds.append(Gram.of(a, 0.1 * a[:, 1] + noise * torch.randn(12, generator=random)))
        return choose_ridge(folds)[0]

    assert chosen(0.001) < chosen(1.0)


def test_one_block_cannot_be_cross_validated() -> None:
    some = Gram.of(torch.randn(10, 3), torch.randn(10))
    with pytest.raises(ValueError, match="at least two blocks"):
        choose_ridge([some, Gram.of(torch.empty(0, 3), torch.empty(0))])
