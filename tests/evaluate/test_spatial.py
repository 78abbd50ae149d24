import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from ssm_net.evaluate.metrics.spatial import Blockiness, Seams, Spectrum, SubgridSpread, cell_mean, subgrid
from ssm_net.evaluate.metrics.statistics import Moments

RATIO = 12
RNG = np.random.default_rng(2)
FIELD = gaussian_filter(RNG.normal(size=(96, 96)), 3, mode="wrap").astype("float32")
FIELD = 0.25 + 0.05 * FIELD / FIELD.std()
ALL = np.ones(FIELD.shape, bool)


def test_subgrid_correlation_does_not_see_coarse_noise():
    coarse = np.kron(RNG.normal(0, 0.1, (8, 8)), np.ones((RATIO, RATIO))).astype("float32")
    land = RNG.random(FIELD.shape) > 0.2
    noisy = FIELD + coarse
    assert Moments.of(FIELD, noisy, land).r < 0.9
    anomalies = subgrid(FIELD, land, RATIO), subgrid(noisy, land, RATIO)
    assert Moments.of(*anomalies, land).r == pytest.approx(1, abs=1e-4)


def test_subgrid_correlation_falls_with_fine_noise_and_keeps_the_std():
    noisy = FIELD + RNG.normal(0, 0.05, FIELD.shape).astype("float32")
    m = Moments.of(subgrid(FIELD, ALL, RATIO), subgrid(noisy, ALL, RATIO))
    inside = subgrid(FIELD, ALL, RATIO).std()
    assert m.r == pytest.approx(inside / np.hypot(inside, 0.05), abs=0.02)


def test_cell_mean_takes_what_counts():
    x = FIELD.copy()
    x[:6] = np.nan
    where = np.isfinite(x)
    where[24:36, 24:36] = False
    mean = cell_mean(x, where, RATIO)
    assert mean[0, 0] == pytest.approx(FIELD[6:12, :12].mean(), rel=1e-5)
    assert np.isnan(mean[2, 2])
    assert np.isfinite(subgrid(x, where, RATIO)).all()


def test_blocks_show_in_the_index():
    smooth = Blockiness.of(FIELD, ALL, RATIO)
    assert smooth.index == pytest.approx(1, abs=0.1)
    steps = FIELD + np.kron(RNG.normal(0, 0.1, (8, 8)), np.ones((RATIO, RATIO))).astype("float32")
    assert Blockiness.of(steps, ALL, RATIO).index > 3
    assert (smooth + smooth).index == pytest.approx(smooth.index)


def test_spectral_slope_is_the_one_put_in():
    k = np.hypot(np.fft.fftfreq(288)[:, None], np.fft.fftfreq(288))
    k[0, 0] = np.inf
    rough = np.fft.ifft2(np.fft.fft2(RNG.normal(size=(288, 288))) * k**-1.5).real  # power ~ k^-3
    s = Spectrum.of(rough, np.ones(rough.shape, bool), 36)
    assert s is not None and s.slope() == pytest.approx(-3, abs=0.25)


def test_no_spectrum_of_a_window_that_is_half_water():
    land = ALL.copy()
    land[:48] = False
    assert Spectrum.of(FIELD, land, RATIO) is None


def test_spread_by_wetness():
    wet = np.kron(np.array([[0.1, 0.4]]), np.ones((RATIO, RATIO)))
    x = (wet + RNG.normal(0, 1, wet.shape) * np.where(wet > 0.2, 0.05, 0.01)).astype("float32")
    where = np.ones(x.shape, bool)
    s = SubgridSpread.of(subgrid(x, where, RATIO), cell_mean(x, where, RATIO), where, RATIO)
    np.testing.assert_allclose(s.std[s.n > 0], [0.01, 0.05], rtol=0.2)


RAMP = np.add.outer(np.arange(72), np.arange(96)).astype("float64")  # the same step everywhere


def stairs(every: int) -> np.ndarray:
    """One step up at each ``every``-th line, either way."""
    return np.add.outer(np.arange(72) // every, np.arange(96) // every).astype("float64")


MASKS = st.integers(0, 2**16).map(lambda seed: np.random.default_rng(seed).random(RAMP.shape) > 0.3)


@settings(max_examples=30, deadline=None)
@given(step=st.floats(0, 5), where=MASKS)
def test_the_block_index_is_the_ratio_of_steps_whatever_is_masked(step, where):
    x = np.where(where, RAMP + step * stairs(RATIO), np.nan)
    assert Blockiness.of(x, where, RATIO).index == pytest.approx(1 + step)


@settings(max_examples=30, deadline=None)
@given(cell=st.floats(0, 5), seam=st.floats(0, 5), tile=st.integers(2, 5), where=MASKS)
def test_the_seam_index_sees_seams_and_not_cells(cell, seam, tile, where):
    x = np.where(where, RAMP + cell * stairs(RATIO) + seam * stairs(RATIO * tile), np.nan)
    assert Seams.of(x, where, RATIO, tile).index == pytest.approx((1 + cell + seam) / (1 + cell))


def test_seams_by_hand():
    """Four cells of two pixels each way in tiles of two cells: one seam each way, two other edges."""
    x = np.zeros((8, 8))
    x[4:] += 6.0
    x[:, 2:] += 1.0
    s = Seams.of(x, np.ones(x.shape, bool), 2, 2)
    assert (s.n_seam, s.n_edge) == (16, 32)
    assert (s.seam, s.edge) == (6 * 8, 1 * 8)
    assert s.index == pytest.approx(12)
    assert (s + s).index == pytest.approx(12)


@pytest.mark.parametrize("tile", [1, 8])
def test_one_tile_has_no_seam_and_tiles_of_one_cell_nothing_else(tile):
    assert np.isnan(Seams.of(FIELD, ALL, RATIO, tile).index)


def test_a_smooth_field_has_no_seams():
    fields = gaussian_filter(RNG.normal(size=(30, 96, 96)), (0, 3, 3), mode="wrap")  # a single one is not 1 by chance
    sums = [Seams.of(x, ALL, RATIO, 2) for x in fields]
    assert sum(sums[1:], start=sums[0]).index == pytest.approx(1, abs=0.05)


def test_a_wave_stands_in_its_ring():
    wave = np.sin(2 * np.pi * np.arange(96) / RATIO)[None] * np.ones((96, 1))
    s = Spectrum.of(wave, ALL, RATIO)
    assert s is not None and s.n == 1
    assert s.wavelength[np.argmax(s.mean)] == RATIO


def test_white_noise_has_a_flat_spectrum():
    s = Spectrum.of(RNG.normal(size=(288, 288)), np.ones((288, 288), bool), 36)
    assert s is not None and s.slope() == pytest.approx(0, abs=0.1)
