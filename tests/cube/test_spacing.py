"""Rain in its own spacing: what a user reads of it is smooth, the same in any window, and no less than was stored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_net.cube.spacing import at_pixels, read_at_pixels, spacing, stored_shape, values_around
from ssm_net.cube.variables import FINE
from ssm_net.grid import Domain

DOMAIN = Domain("tiny", (70, 74, 774, 778))
RAIN = FINE["rain"]
WHOLE = (0, 144, 0, 144)


def test_rain_takes_a_sixteenth_of_the_pixels() -> None:
    assert stored_shape("rain", DOMAIN) == stored_shape("api_30", DOMAIN) == (36, 36)
    assert stored_shape("lst_day", DOMAIN) == DOMAIN.fine_shape
    assert [spacing("rain", ratio) for ratio in (36, 9, 6, 4)] == [4, 1, 2, 4]  # it divides a cell


@given(st.integers(0, 143), st.integers(1, 60), st.integers(0, 143), st.integers(1, 60), st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_window_is_that_part_of_the_whole_field(y0: int, height: int, x0: int, width: int, gaps: bool) -> None:
    random = np.random.default_rng(1)
    stored = random.integers(0, 5000, (36, 36)).astype("uint16")
    stored[random.random((36, 36)) < 0.3 * gaps] = 65535
    window = (y0, min(y0 + height, 144), x0, min(x0 + width, 144))

    def read(part: tuple[int, int, int, int] | None) -> np.ndarray:
        a, b, c, d = part or (0, 36, 0, 36)
        return stored[a:b, c:d]

    whole = read_at_pixels(read, "rain", DOMAIN)
    part = read_at_pixels(read, "rain", DOMAIN, window)
    np.testing.assert_array_equal(part, whole[window[0] : window[1], window[2] : window[3]])


def test_a_slope_stays_a_slope() -> None:
    middles = np.arange(36) * 4 + 1.5  # pixels
    stored = np.broadcast_to(100 * middles, (36, 36)).astype("uint16")
    fine = at_pixels(stored, values_around(WHOLE, 4, (36, 36)), WHOLE, 4, RAIN)
    np.testing.assert_array_equal(fine[:, 2:142], np.broadcast_to(100 * np.arange(2, 142), (144, 140)))


@pytest.mark.parametrize("missing", [slice(0, 36), slice(20, 36)])
def test_missing_rain_stays_missing_and_does_not_spread(missing: slice) -> None:
    stored = np.full((36, 36), 700, "uint16")
    stored[missing] = 65535
    fine = at_pixels(stored, values_around(WHOLE, 4, (36, 36)), WHOLE, 4, RAIN)
    expected = np.full((144, 144), 700, "uint16")
    expected[missing.start * 4 : missing.stop * 4] = 65535
    np.testing.assert_array_equal(fine, expected)
