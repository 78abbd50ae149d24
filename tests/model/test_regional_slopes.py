"""Regional slopes: what a coarse record says of the features that carry moisture, and what it must not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.model.regional_slopes import LASTING_BIAS, Contrasts, SlopeEvidence, neighbour_means

DAYS, SIDE = 20, 8
TRUE = torch.tensor([0.02, 0.0, -0.01])  # m3 m-3 a standard deviation: heat of the day, a wrong map, a right one


def record(seed: int = 0, lasting: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Observations (T, R, C) and features (T, F, R, C) of a region where ``TRUE`` holds; the last two are maps."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(DAYS, 3, SIDE, SIDE, generator=g)
    x[:, 1:] = x[:1, 1:]
    noise = 0.01 * torch.randn(DAYS, SIDE, SIDE, generator=g) + lasting * torch.randn(SIDE, SIDE, generator=g)
    return 0.2 + torch.einsum("f,tfrc->trc", TRUE, x) + noise, x


def slopes(ssm: torch.Tensor, x: torch.Tensor, present: torch.Tensor | None = None) -> torch.Tensor:
    present = torch.ones(3, dtype=torch.bool) if present is None else present
    return SlopeEvidence.of(Contrasts.of(ssm, x)).slopes(present)


def test_slopes_that_hold_between_cells_are_found() -> None:
    found = slopes(*record())
    assert found[0] == pytest.approx(0.02, abs=2e-3), "heat that tells moisture is not used"
    assert abs(float(found[1])) < 4e-3, "a wrong map is trusted"
    assert found[2] == pytest.approx(-0.01, abs=4e-3)


def test_a_lasting_bias_of_the_radiometer_is_not_taken_for_a_map() -> None:
    """Sixty-four cells that are wrong all the time are sixty-four observations of a map, not 1,280."""
    present, wrong, naive = torch.ones(3, dtype=torch.bool), [], []
    for seed in range(8):
        contrasts = Contrasts.of(*record(seed, lasting=LASTING_BIAS))
        wrong.append(SlopeEvidence.of(contrasts).slopes(present)[1])
        naive.append(SlopeEvidence(*_plain(contrasts)).slopes(present)[1])
    assert float(torch.stack(wrong).square().mean()) < 0.8 * float(torch.stack(naive).square().mean())


def _plain(contrasts: Contrasts) -> tuple[torch.Tensor, torch.Tensor]:
    a = contrasts.features.double() / 0.01
    return a.T @ a, a.T @ (contrasts.ssm.double() / 0.01)


def test_a_missing_feature_has_no_slope_and_harms_no_other() -> None:
    ssm, x = record()
    x[:, 0] = torch.nan
    found = slopes(ssm, x, torch.tensor([False, True, True]))
    assert found[0] == 0 and torch.isfinite(found).all()


def test_one_cell_says_nothing() -> None:
    ssm, x = record()
    assert float(slopes(ssm[:, :1, :1], x[..., :1, :1]).abs().max()) == 0


@given(st.integers(0, 1000), st.floats(-0.1, 0.1))
@settings(max_examples=10, deadline=None)
def test_what_all_cells_share_on_a_day_does_not_count(seed: int, shared: float) -> None:
    """The weather of a day, or a radiometer that is too wet everywhere, says nothing of the inside of a cell."""
    ssm, x = record(seed)
    of_day = shared * torch.linspace(-1, 1, DAYS)[:, None, None]
    torch.testing.assert_close(slopes(ssm + of_day, x), slopes(ssm, x), atol=2e-5, rtol=1e-3)


def test_neighbours_without_the_cell_itself() -> None:
    field = torch.zeros(1, 5, 5)
    field[0, 2, 2] = 1.0
    mean = neighbour_means(field)
    assert mean[0, 2, 2] == 0 and float(mean[0, 2, 1]) > float(mean[0, 2, 0]) > 0
