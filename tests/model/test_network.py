"""The three principles of the network, as properties."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.grid import upsample
from ssm_net.inputs.phases import PHASES, phase_of_cells, upsample_by_phase
from ssm_net.model.network import SSM_MAX, SSM_MIN, Downscaler, NetworkSize

LAGS, FEATURES, GROUPS, RATIO = 3, 5, 2, 12


def network(seed: int = 0) -> Downscaler:
    """Weights far from their small start, so that everything the head is given shows in the result."""
    torch.manual_seed(seed)
    size = NetworkSize(FEATURES, GROUPS, LAGS, 0, 3, 16, 2, 16, 1, True, 0.1)
    net = Downscaler(size, mean_ssm=0.2, group_of=[0, 0, 1, 1, 1]).eval()
    with torch.no_grad():
        net.slopes.normal_(std=0.02)
        for p in net.head.parameters():
            p.normal_(std=0.3)
    return net


def background(net: Downscaler, x: torch.Tensor, ssm: torch.Tensor) -> torch.Tensor:
    rows, cols = ssm.shape[-2:]
    phase = phase_of_cells(rows, cols)
    hidden = ssm[None].repeat(PHASES, 1, 1, 1)
    for p in range(PHASES):
        hidden[p, 0][phase == p] = torch.nan
    cells = x[:, :, :rows, :cols].expand(PHASES, -1, -1, -1)
    context = net.context(hidden, cells)
    both = upsample_by_phase(torch.cat([context.base, context.deep], 1), RATIO, (0, rows * RATIO, 0, cols * RATIO))
    return net.fuse(net.fine(x), both[None, :1], both[None, 1:])[0][0]


@given(st.integers(0, 2**31), st.integers(0, 3), st.integers(0, 5), st.sampled_from([0.05, -0.1, float("nan")]))
@settings(max_examples=15, deadline=None)
def test_own_value_is_left_out(seed: int, row: int, col: int, change: float) -> None:
    """Perturbing or removing y(c, t) leaves mu inside c bit-equal, and moves it elsewhere."""
    net = network()
    g = torch.Generator().manual_seed(seed)
    h = net.halo
    x = torch.randn(1, FEATURES, 4 * RATIO + 2 * h, 6 * RATIO + 2 * h, generator=g)
    ssm = 0.1 + 0.2 * torch.rand(LAGS, 4, 6, generator=g)
    with torch.inference_mode():
        before = background(net, x, ssm)
        ssm[0, row, col] += change
        after = background(net, x, ssm)
    inside = (slice(row * RATIO, (row + 1) * RATIO), slice(col * RATIO, (col + 1) * RATIO))
    assert torch.equal(before[inside], after[inside])
    assert not torch.equal(before, after)


def test_yesterdays_own_value_is_seen() -> None:
    net = network()
    x = torch.randn(1, FEATURES, 2 * RATIO + 2, 2 * RATIO + 2)
    ssm = torch.full((LAGS, 2, 2), 0.2)
    with torch.inference_mode():
        before = background(net, x, ssm)
        ssm[1, 0, 0] += 0.1
        after = background(net, x, ssm)
    assert not torch.equal(before[:RATIO, :RATIO], after[:RATIO, :RATIO])


@given(st.integers(0, 3), st.integers(1, 3), st.integers(0, 4), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_each_pixel_takes_the_context_of_its_own_phase(r: int, height: int, c: int, width: int) -> None:
    context = torch.randn(PHASES, 2, 6, 7)
    whole = torch.stack([upsample(context[p], RATIO) for p in range(PHASES)])
    pick = phase_of_cells(6, 7).repeat_interleave(RATIO, 0).repeat_interleave(RATIO, 1)
    want = torch.gather(whole, 0, pick[None, None].expand(1, 2, -1, -1))[0]
    window = (r * RATIO, (r + height) * RATIO, c * RATIO, (c + width) * RATIO)
    got = upsample_by_phase(context, RATIO, window)
    assert torch.allclose(got, want[:, window[0] : window[1], window[2] : window[3]], atol=1e-6)


def test_the_receptive_field_is_the_halo() -> None:
    net = network()
    h = net.halo
    assert 2 * h + 1 <= 36
    x = torch.randn(1, FEATURES, 9 + 2 * h, 9 + 2 * h, requires_grad=True)
    net.fine(x)[0, :, 4, 4].sum().backward()
    assert x.grad is not None
    touched = (x.grad.abs().sum((0, 1)) > 0).nonzero()
    assert touched.min(0).values.tolist() == [4, 4] and touched.max(0).values.tolist() == [4 + 2 * h, 4 + 2 * h]


def test_estimates_stay_in_their_bounds() -> None:
    net = network()
    x = 50 * torch.randn(1, FEATURES, 26, 26)
    mean, shared, local = net.fuse(net.fine(x), torch.rand(1, 1, 24, 24), 5 * torch.randn(1, 16, 24, 24))
    assert float(mean.min()) >= SSM_MIN - 1e-6 and float(mean.max()) <= SSM_MAX + 1e-6  # float32 rounds
    assert bool(torch.isfinite(shared).all()) and bool(torch.isfinite(local).all())


def test_warmer_is_what_the_first_layer_makes_of_hotter_features() -> None:
    net = network()
    x = torch.randn(1, FEATURES, 14, 14)
    hotter = x.clone()
    hotter[:, [1, 3]] += 1
    assert torch.allclose(net.warmer(net.fine(x), [1, 3]), net.fine(hotter), atol=1e-5)


def test_nothing_observed_gives_the_climatological_mean() -> None:
    net = network()
    out, _ = net.own_out(torch.zeros(1, LAGS, 4, 4), torch.zeros(1, LAGS, 4, 4))
    assert torch.allclose(out, torch.tensor(0.2))


def test_what_no_observation_reaches_is_as_usual_and_the_rest_as_before() -> None:
    """At the beginning of a record, after a long winter and in a gap between sensors, a region would be taken to be as
    wet as the worlds that the networks were trained on."""
    net = network()
    ssm = torch.full((1, LAGS, 4, 12), torch.nan)
    ssm[0, 1, 2, 0] = 0.35  # it reaches two cells
    cells = torch.zeros(1, FEATURES, 4, 12)
    with torch.inference_mode():
        before = net.context(ssm, cells)
        net.usual_ssm = 0.4
        after = net.context(ssm, cells)
    torch.testing.assert_close(after.base[..., :3], before.base[..., :3], rtol=0, atol=0)
    torch.testing.assert_close(after.deep[..., :3], before.deep[..., :3], rtol=0, atol=0)
    torch.testing.assert_close(before.base[..., 3:], torch.full((1, 1, 4, 9), 0.2))
    assert (after.base[..., 3:] > 0.3).all()


def test_a_missing_cell_mean_differs_from_one_at_its_mean() -> None:
    """A cube without a product must not pass for one whose product is average everywhere."""
    net, ssm = network(), 0.1 + 0.2 * torch.rand(1, LAGS, 4, 4)
    cells = torch.zeros(1, FEATURES, 4, 4)
    missing = cells.clone()
    missing[:, 2] = torch.nan
    with torch.inference_mode():
        there, gone = net.context(ssm, cells).deep, net.context(ssm, missing).deep
    assert torch.isfinite(gone).all() and not torch.allclose(there, gone)


def test_slopes_given_with_a_batch_are_those_of_the_network() -> None:
    net, x = network(), torch.randn(2, FEATURES, 6, 6)
    with torch.inference_mode():
        assert torch.equal(net.fine(x), net.fine(x, slopes=net.slopes.expand(2, -1)))
        none = net.fine(x, slopes=torch.zeros(2, FEATURES))
    assert float(none[:, -GROUPS:].abs().max()) == 0


def test_warmer_adds_a_standard_deviation_to_heat_and_to_what_slopes_make_of_it() -> None:
    net, x = network(), torch.randn(1, FEATURES, 6, 6)
    hot = x.clone()
    hot[:, [0, 3]] += 1
    with torch.inference_mode():
        torch.testing.assert_close(net.warmer(net.fine(x), [0, 3]), net.fine(hot), atol=1e-5, rtol=1e-5)
