"""The shipped prior: what it gives for a fixed input, and what is said where processing has changed since."""

from __future__ import annotations

import torch

from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, load_trained
from ssm_net.estimators.versions import VERSIONS, version_differences

# Mean (m3 m-3), and logs of the variance that a cell shares and of that inside it, of each member at three pixels.
GOLDEN = torch.tensor([
    [[0.16629, 0.18482, 0.21941], [-7.55924, -7.55042, -7.63277], [-6.85158, -7.07591, -7.03140]],
    [[0.17224, 0.18378, 0.20142], [-6.95286, -7.81958, -7.70495], [-5.97648, -7.33062, -7.10118]],
    [[0.20108, 0.18416, 0.21889], [-7.12540, -7.58443, -7.76968], [-6.61293, -7.08588, -7.17981]],
])  # fmt: skip


def golden_output() -> torch.Tensor:
    """Of each member at three pixels, for seeded random features and observations: (member, quantity, pixel)."""
    prior = load_trained(SHIPPED_PRIOR)
    features, lags, halo = len(prior.scaling.names), prior.model.lags, prior.network.halo
    g = torch.Generator().manual_seed(1)
    ssm = 0.05 + 0.3 * torch.rand(1, lags, 6, 6, generator=g)
    ssm[torch.rand(ssm.shape, generator=g) < 0.4] = torch.nan
    cells = torch.randn(1, features, 6, 6, generator=g)
    x = torch.randn(1, features, 1 + 2 * halo, 3 + 2 * halo, generator=g)
    members = []
    with torch.inference_mode():
        for member in prior.network:
            context = member.context(ssm, cells)
            base, deep = (c[:, :, 2:3, 1:4] for c in (context.base, context.deep))
            members.append(torch.stack(member.fuse(member.fine(x), base, deep))[:, 0, 0])
    return torch.stack(members)


def test_the_shipped_prior_gives_the_same_for_a_fixed_input() -> None:
    """A change of the networks' code, or of the file, would change every map that starts from it."""
    torch.testing.assert_close(golden_output(), GOLDEN, atol=1e-4, rtol=0)


def test_the_shipped_prior_says_what_it_was_trained_on() -> None:
    provenance = load_trained(SHIPPED_PRIOR).provenance
    assert provenance["worlds"] >= 20 and provenance["versions"].keys() == VERSIONS.keys()


def test_other_versions_of_the_processing_are_named() -> None:
    assert version_differences({"versions": VERSIONS}) == []
    (one,) = version_differences({"versions": {**VERSIONS, "resampling": 0}})
    assert one == f"resampling 0 (now {VERSIONS['resampling']})"
    # A model of before versions were recorded.
    assert len(version_differences({})) == len(VERSIONS) and "unknown" in version_differences({})[0]
