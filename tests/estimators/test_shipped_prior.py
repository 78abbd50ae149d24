"""The shipped prior: what it gives for a fixed input, and what is said where processing has changed since."""

from __future__ import annotations

import torch

from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, load_trained
from ssm_net.estimators.versions import VERSIONS, version_differences

# Mean (m3 m-3), and logs of the variance that a cell shares and of that inside it, of each member at three pixels.
GOLDEN = torch.tensor([
    [[0.13769, 0.14431, 0.25982], [-7.92778, -7.99796, -7.54211], [-7.57414, -7.29353, -6.10230]],
    [[0.15713, 0.19401, 0.33444], [-9.03217, -8.21140, -6.98705], [-7.43838, -7.25611, -5.92516]],
    [[0.13374, 0.12843, 0.25951], [-8.76204, -8.51465, -7.28040], [-7.25514, -7.60370, -6.60959]],
])  # fmt: skip


def golden_output() -> torch.Tensor:
    """Of each member at three pixels, for seeded random features, observations and regional slopes: (member, quantity,
    pixel)."""
    prior = load_trained(SHIPPED_PRIOR)
    features, lags, halo = len(prior.scaling.names), prior.model.lags, prior.network.halo
    g = torch.Generator().manual_seed(1)
    ssm = 0.05 + 0.3 * torch.rand(1, lags + 1, 6, 6, generator=g)  # the last for all older ones
    ssm[torch.rand(ssm.shape, generator=g) < 0.4] = torch.nan
    cells = torch.randn(1, features, 6, 6, generator=g)
    cells[:, ::5] = torch.nan
    slopes = 0.01 * torch.randn(1, features, generator=g)
    x = torch.randn(1, features, 1 + 2 * halo, 3 + 2 * halo, generator=g)
    members = []
    with torch.inference_mode():
        for member in prior.network:
            context = member.context(ssm, cells, slopes)
            base, deep = (c[:, :, 2:3, 1:4] for c in (context.base, context.deep))
            members.append(torch.stack(member.fuse(member.fine(x, slopes=slopes), base, deep))[:, 0, 0])
    return torch.stack(members)


def test_the_shipped_prior_gives_the_same_for_a_fixed_input() -> None:
    """A change of the networks' code, or of the file, would change every map that starts from it."""
    torch.testing.assert_close(golden_output(), GOLDEN, atol=1e-4, rtol=0)


def test_the_shipped_prior_says_what_it_was_trained_on() -> None:
    prior = load_trained(SHIPPED_PRIOR)
    assert prior.provenance["worlds"] >= 20 and prior.provenance["versions"].keys() == VERSIONS.keys()
    # A family is left out by leaving its members out: each is known by its group.
    assert len(prior.provenance["families"]) == prior.model.members == len(list(prior.network))
    assert set(prior.provenance["RMSE there, m3 m-3"]) == set(prior.provenance["families"])


def test_other_versions_of_the_processing_are_named() -> None:
    assert version_differences({"versions": VERSIONS}) == []
    (one,) = version_differences({"versions": {**VERSIONS, "resampling": 0}})
    assert one == f"resampling 0 (now {VERSIONS['resampling']})"
    # A model of before versions were recorded.
    assert len(version_differences({})) == len(VERSIONS) and "unknown" in version_differences({})[0]
