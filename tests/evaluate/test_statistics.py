import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from ssm_net.evaluate.metrics.statistics import LEVELS, Histogram, Intervals, Moments, crps_gaussian, merge

RNG = np.random.default_rng(1)
X = RNG.uniform(0, 0.5, 500)
Y = 0.8 * X + 0.07 + RNG.normal(0, 0.03, 500)
S = RNG.uniform(0.01, 0.05, 500)


def test_golden_against_numpy():
    m = Moments.of(X.astype("float32"), Y.astype("float32"))
    e = Y - X
    assert m.bias == pytest.approx(e.mean(), rel=1e-5)
    assert m.rmse == pytest.approx(np.sqrt((e**2).mean()), rel=1e-5)
    assert m.ubrmse == pytest.approx(e.std(), rel=1e-5)
    assert m.r == pytest.approx(stats.pearsonr(X, Y)[0], rel=1e-5)
    assert m.std_x == pytest.approx(X.std(), rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 500), max_size=8), seed=st.integers(0, 99))
def test_any_cut_in_any_order_gives_the_whole(cuts, seed):
    parts = np.split(np.arange(500), sorted(cuts))
    order = np.random.default_rng(seed).permutation(len(parts))
    where = np.ones(500, bool)
    whole = Moments.of(X, Y), Intervals.of(X, Y, S), Histogram.of(X, Y, where)
    total = [Moments.zero(), Intervals.zero(), Histogram(np.zeros((60, 60)))]
    for k in order:
        i = parts[k]
        piece = Moments.of(X[i], Y[i]), Intervals.of(X[i], Y[i], S[i]), Histogram.of(X[i], Y[i], where[i])
        total = [a + b for a, b in zip(total, piece, strict=True)]
    for a, b in zip(whole, total, strict=True):
        for name in vars(a):
            np.testing.assert_allclose(getattr(b, name), getattr(a, name), rtol=1e-11, atol=1e-11)


def test_perfect_and_empty():
    same = Moments.of(X, X)
    assert same.rmse == 0 and same.ubrmse == 0 and same.r == pytest.approx(1)
    none = Moments.zero()
    assert np.isnan(none.rmse) and np.isnan(none.r)
    assert np.isnan(Moments.of(X, np.full_like(X, 0.2)).r)


@pytest.mark.parametrize("value", [0.1, 0.2, 0.3, 0.37])
@pytest.mark.parametrize("n", [500, 5000, 20_000])
def test_a_constant_has_no_correlation_however_sums_are_rounded(n, value):
    x = RNG.uniform(0, 0.5, n)
    m = Moments.of(x, np.full(n, value, "float32"))
    assert np.isnan(m.r) and m.std_y == 0
    varies = Moments.of(x, value + 1e-4 * x)  # no more than a count of the files, but it varies
    assert varies.r == pytest.approx(1) and varies.std_y == pytest.approx(1e-4 * x.std(), rel=1e-6)
    assert np.isnan(Moments.of(x[:0], x[:0]).std_y)


def test_a_constant_pixel_has_no_correlation_in_time():
    still = np.linspace(0.05, 0.5, 300, dtype="float32")
    sums = [Moments.per_pixel(x, still, np.ones(300, bool)) for x in RNG.uniform(0, 0.5, (60, 300))]
    assert np.isnan(sum(sums[1:], start=sums[0]).r).all()


def test_pixels_in_time_are_the_scores_of_each_pixel():
    x, y = RNG.uniform(0, 0.5, (2, 20, 3, 4)).astype("float32")
    known = RNG.random((20, 3, 4)) > 0.2
    m = sum((Moments.per_pixel(a, b, w) for a, b, w in zip(x[1:], y[1:], known[1:], strict=True)),
            start=Moments.per_pixel(x[0], y[0], known[0]))  # fmt: skip
    a, b = x[known[:, 1, 2], 1, 2], y[known[:, 1, 2], 1, 2]
    assert m.ubrmse[1, 2] == pytest.approx((b - a).std(), rel=1e-3)
    assert m.r[1, 2] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-3)


def test_nan_outside_the_mask_does_not_leak():
    x, y = X.copy(), Y.copy()
    x[:50], y[25:80] = np.nan, np.nan
    ok = np.isfinite(x) & np.isfinite(y)
    assert np.isfinite(Moments.of(x, y, ok).r)
    assert np.isfinite(Moments.per_pixel(x, y, ok).ee).all()
    assert np.isfinite(Intervals.of(x, y, S, ok).crps)


def test_intervals_hold_what_they_say():
    truth = RNG.normal(0.3, 0.03, 200_000)
    right = Intervals.of(truth, np.full_like(truth, 0.3), np.full_like(truth, 0.03))
    np.testing.assert_allclose(right.coverage, LEVELS, atol=0.005)
    assert right.rms_sigma == pytest.approx(0.03)
    half = Intervals.of(truth, np.full_like(truth, 0.3), np.full_like(truth, 0.015))
    assert half.coverage_at(0.68) == pytest.approx(0.381, abs=0.005)  # P(|z| < 0.994 / 2)


def test_pixels_without_uncertainty_do_not_count():
    s = S.copy()
    s[:100], s[100:200] = np.nan, 0
    assert Intervals.of(X, Y, s).n == 300


@pytest.mark.parametrize(("x", "mu", "sigma"), [(0.2, 0.25, 0.03), (0.4, 0.1, 0.05), (0.1, 0.1, 0.01)])
def test_crps_is_the_integral_it_stands_for(x, mu, sigma):
    left = quad(lambda t: stats.norm.cdf(t, mu, sigma) ** 2, mu - 10 * sigma, x)[0]
    right = quad(lambda t: (stats.norm.cdf(t, mu, sigma) - 1) ** 2, x, max(mu, x) + 10 * sigma)[0]
    assert crps_gaussian(np.array((x - mu) / sigma), np.array(sigma)) == pytest.approx(left + right, rel=1e-5)


def test_merge_adds_shared_keys_and_keeps_the_others():
    one = Moments.of(X, Y)
    out = merge({"a": one, "b": one}, {"b": one, "c": one})
    assert [float(out[k].n) for k in "abc"] == [500, 1000, 500]
