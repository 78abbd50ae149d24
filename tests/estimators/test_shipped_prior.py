"""The shipped prior: what it gives for a fixed input, and what is said where processing has changed since."""

from __future__ import annotations

import torch

from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, load_trained
from ssm_net.estimators.versions import VERSIONS, version_differences

# Mean (m3 m-3), and logs of the variance that a cell shares and of that inside it, of each member at three pixels.
GOLDEN = torch.tensor([
    [[0.19939, 0.16383, 0.10820], [-7.87834, -7.86937, -8.34710], [-6.80000, -6.92439, -6.86234]],
    [[0.14180, 0.23166, 0.07553], [-7.70635, -7.35611, -8.03293], [-5.89907, -5.68799, -6.23483]],
    [[0.14918, 0.18585, 0.11732], [-7.79327, -7.31853, -8.05820], [-7.16983, -6.76255, -7.21807]],
])  # fmt: skip


def golden_output() -> torch.Tensor:
    """Of each member at three pixels, for seeded random features, observations and regional slopes: (member, quantity,
    pixel)."""
    prior = load_trained(SHIPPED_PRIOR)
    features, lags, halo = len(prior.scaling.names), prior.model.lags, prior.network.halo
    ahead = prior.model.lookahead
    g = torch.Generator().manual_seed(1)
    ssm = 0.05 + 0.3 * torch.rand(1, lags + 1 + ahead, 6, 6, generator=g)  # one for all older ones
    ssm[torch.rand(ssm.shape, generator=g) < 0.4] = torch.nan
    cells = torch.randn(1, features + ahead, 6, 6, generator=g)  # with the rain of the days ahead
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
