"""The stated variance is brought to the measured one, regime by regime."""

import pytest
import torch

from ssm_net.estimators.calibration import Calibration, Innovations, calibrate


def drawn(n: int, clear: float, cloudy: float, alone: float) -> Innovations:
    """Innovations of a background whose variance is that of the regime times what is stated, and R = 0.03^2."""
    g = torch.Generator().manual_seed(1)
    seen = (torch.arange(n) % 2).float()
    stated, sigma = torch.full((n,), 4e-4), torch.full((n,), 0.03)
    noise = 0.03 * torch.randn(n, generator=g)
    factor = torch.where(seen > 0.5, clear, cloudy)
    error = torch.randn(n, generator=g) * torch.sqrt(stated)
    return Innovations(error * factor.sqrt() + noise, sigma, stated, seen,
                       error * (factor * alone).sqrt() + noise, stated)  # fmt: skip


def test_factors_are_found() -> None:
    found = calibrate(drawn(40_000, 2.0, 4.0, 1.5), least=0.0, inside=1.1, level=0.01)
    assert found.clear == pytest.approx(2.0, rel=0.1) and found.cloudy == pytest.approx(4.0, rel=0.1)
    assert found.alone == pytest.approx(1.5, rel=0.1) and (found.inside, found.level) == (1.1, 0.01)


def test_few_innovations_lean_on_all() -> None:
    data = drawn(40_000, 2.0, 2.0, 1.0)
    few = Innovations(*(torch.cat([x[data.seen > 0.5], x[data.seen < 0.5][:3]]) for x in vars(data).values()))
    found = calibrate(few, least=0.0, inside=1.0, level=0.0)
    assert found.cloudy == pytest.approx(found.clear, rel=0.3)


def test_none_is_below_the_least() -> None:
    found = calibrate(drawn(2000, 0.1, 0.1, 0.1), least=1.0, inside=1.0, level=0.0)
    assert (found.clear, found.cloudy, found.alone) == (1.0, 1.0, 1.0)


def test_a_stated_observation_error_that_is_too_large_leaves_a_part_to_the_background() -> None:
    data = drawn(2000, 1.0, 1.0, 1.0)
    loud = Innovations(
        data.innovation, data.sigma * 3, data.variance, data.seen, data.innovation_day_hidden, data.variance_day_hidden
    )
    found = calibrate(loud, least=0.0, inside=1.0, level=0.0)
    assert found.clear * 4e-4 == pytest.approx(0.2 * float((data.innovation**2).mean()), rel=0.2)


def test_a_scale_between_clear_and_cloudy() -> None:
    class Coarse:
        ssm = torch.full((2, 6, 9), torch.nan)
        seen = torch.tensor([[0.0, 0.5, 1.0] * 3] * 6)

    Coarse.ssm[0, 0, 0] = 0.2
    scale = Calibration(1.0, 3.0, 2.0).scale(Coarse())  # type: ignore[arg-type]
    assert scale[0, :3].tolist() == [3.0, 2.0, 1.0]  # an observation is near
    assert scale[5, 6:].tolist() == [6.0, 4.0, 2.0]  # none is
