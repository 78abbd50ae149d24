"""The grid: exact nesting, windows, the footprint."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.footprint import Footprint
from ssm_net.grid import M36, Domain, DomainError, block_mean, expand, row_blocks, upsample

windows = st.tuples(
    st.integers(0, 90), st.integers(1, 4), st.integers(0, 200), st.integers(1, 4)
).map(lambda w: (w[0], w[0] + 4 * w[1], w[2], w[2] + 4 * w[3]))  # fmt: skip


@given(windows)
@settings(max_examples=30, deadline=None)
def test_pixels_nest_exactly_in_cells(window: tuple[int, int, int, int]) -> None:
    d = Domain("t", window)
    assert d.fine_shape == tuple(36 * n for n in d.coarse_shape)
    for a, b in zip(d.fine.boundingbox.bbox, d.coarse.boundingbox.bbox, strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    y = np.asarray(d.fine.coordinates["y"].values).reshape(-1, 36).mean(1)
    np.testing.assert_allclose(y, d.coarse.coordinates["y"].values, atol=1e-4)


def test_china_is_the_documented_window() -> None:
    d = Domain("china", (36, 144, 676, 848))
    assert d.coarse_shape == (108, 172) and d.fine_shape == (3888, 6192)
    west, south, east, north = d.bounds_lonlat()
    assert west < 73.5 and south < 18 and east > 135 and north > 53.5


def test_corner_of_the_global_grid_is_nsidc_s() -> None:
    box = M36.geobox().boundingbox
    assert box.left == pytest.approx(-17367530.4451615) and box.top == pytest.approx(7314540.8306386)
    assert M36.pixel == pytest.approx(1000.895023349556, abs=1e-9)


@given(st.floats(-179, 170), st.floats(-80, 75), st.floats(0.01, 8), st.floats(0.01, 8))
@settings(max_examples=50, deadline=None)
def test_a_bounding_box_snaps_outward(west: float, south: float, wide: float, high: float) -> None:
    d = Domain.from_bbox("t", (west, south, west + wide, south + high))
    w, s, e, n = d.bounds_lonlat()
    eps = 1e-4
    assert w <= west + eps and s <= south + eps and e >= west + wide - eps and n >= south + high - eps
    assert all(k % 4 == 0 for k in d.coarse_shape)


@pytest.mark.parametrize(
    "window", [(0, 4, 964, 968), (0, 4, 960, 1928), (-4, 0, 0, 4), (8, 8, 0, 4), (0, 6, 0, 4), (404, 408, 0, 4)]
)
def test_a_window_outside_the_grid_is_refused(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(DomainError, match="domain 't'"):
        Domain("t", window)


@pytest.mark.parametrize("bbox", [(10, 0, 5, 5), (0, 91, 5, 95), (0, 5, 5, 5)])
def test_a_senseless_bounding_box_is_refused(bbox: tuple[float, float, float, float]) -> None:
    with pytest.raises(DomainError, match="bbox"):
        Domain.from_bbox("t", bbox)


def test_lonlat_agrees_with_pyproj() -> None:
    from pyproj import Transformer

    d = Domain("t", (64, 72, 772, 780))
    lon, lat = d.lonlat()
    to = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)
    x, y = to.transform(lon[[0, -1]], lat[[0, -1]])
    np.testing.assert_allclose(x, np.asarray(d.fine.coordinates["x"].values)[[0, -1]], atol=1e-3)
    np.testing.assert_allclose(y, np.asarray(d.fine.coordinates["y"].values)[[0, -1]], atol=1e-3)


def test_block_mean_is_the_mean_of_what_counts() -> None:
    x = torch.arange(64.0).reshape(8, 8)
    assert torch.equal(block_mean(x, 4), x.reshape(2, 4, 2, 4).mean((1, 3)))
    x[:4, :4] = torch.nan
    x[0, 4] = torch.nan
    out = block_mean(x, 4)
    assert torch.isnan(out[0, 0]) and out[0, 1] == pytest.approx(float(x[:4, 4:].nanmean()))
    weight = torch.zeros(8, 8)
    weight[5, 1] = 2.0
    assert block_mean(x, 4, weight)[1, 0] == x[5, 1]


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([2, 6, 36]), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_expand_is_undone_by_block_mean(rows: int, cols: int, ratio: int, seed: int) -> None:
    x = torch.from_numpy(np.random.default_rng(seed).random((2, rows, cols)))
    assert torch.allclose(block_mean(expand(x, ratio), ratio), x)


@given(st.integers(1, 200), st.integers(1, 50), st.integers(1, 3000), st.integers(1, 40))
def test_row_blocks_cover_every_row_once_in_whole_cells(rows: int, cols: int, pixels: int, multiple: int) -> None:
    """A row left out, or done twice, would be a stripe in a map."""
    blocks = list(row_blocks((rows, cols), pixels, multiple))
    assert [y for block in blocks for y in range(block.start, block.stop)] == list(range(rows))
    assert all((block.stop - block.start) % multiple == 0 for block in blocks[:-1])
    assert all((block.stop - block.start) * cols <= max(pixels, multiple * cols) for block in blocks)


@given(st.floats(10, 80), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_a_footprint_is_a_mean(fwhm: float, seed: int) -> None:
    """A constant field is seen as that constant, whatever the mask; a bounded field stays in its bounds."""
    rng = np.random.default_rng(seed)
    h = Footprint.gaussian((4, 5), 36, fwhm)
    weight = torch.from_numpy(rng.random((144, 180)) < 0.5)
    assert torch.allclose(h.forward(torch.full((144, 180), 0.3), weight), torch.tensor(0.3), atol=1e-5)
    seen = h.forward(torch.from_numpy(rng.random((144, 180))).float())
    assert float(seen.min()) > 0 and float(seen.max()) < 1


def test_box_footprint_is_the_block_mean() -> None:
    x = torch.rand(72, 108)
    assert torch.allclose(Footprint.box((2, 3), 36).forward(x), block_mean(x, 36), atol=1e-6)


def test_half_power_width_of_the_footprint() -> None:
    h = Footprint.gaussian((9, 9), 36, 43.0).rows[4]
    assert int((h >= h.max() / 2).sum()) == pytest.approx(43, abs=1)


def test_upsample_of_a_window_is_that_part_of_the_whole() -> None:
    x = torch.rand(3, 5, 6)
    whole = upsample(x, 12)
    part = upsample(x, 12, (7, 40, 20, 61))
    assert torch.allclose(part, whole[:, 7:40, 20:61], atol=1e-6)
    ramp = torch.arange(6.0).expand(5, 6)
    inner = upsample(ramp, 12)[:, 6:-6]
    assert torch.allclose(inner.diff(dim=1), torch.tensor(1 / 12), atol=1e-5)
