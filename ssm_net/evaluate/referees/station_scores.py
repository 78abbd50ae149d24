"""Scores of one daily series against a station, with confidence intervals.

The intervals use the effective number of independent pairs, since soil moisture of successive days is alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

FLAT_SERIES = 1e-9  # m3 m-3: a series that varies less varies by rounding only
SUMMARY_PAIRS = 30  # a station with fewer has a short record, and counts only where all have
MIN_PAIRS = 10  # fewer are not scored


@dataclass(frozen=True)
class ScoreWithInterval:
    """A score and its 95 % confidence interval."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class SeriesScore:
    """A series against a station: ``n`` pairs, ``n_eff`` independent ones (for R)."""

    n: int
    n_eff: float
    r: ScoreWithInterval
    ubrmse: ScoreWithInterval
    bias: ScoreWithInterval
    slope: float  # of the product on the station


def lag1(x: np.ndarray, day: np.ndarray) -> float:
    """Autocorrelation of ``x`` from one day to the next, over pairs of consecutive ``day`` numbers; within 0..0.99."""
    pair = np.diff(day) == 1
    a = x - x.mean()
    if pair.sum() < 5 or a.std() < FLAT_SERIES:
        return 0.0
    return float(np.clip((a[1:] * a[:-1])[pair].mean() / (a**2).mean(), 0, 0.99))


def score_series(station: np.ndarray, product: np.ndarray, day: np.ndarray, level: float = 0.95) -> SeriesScore | None:
    """Scores of a daily series (NaN allowed) at a station, or None with fewer than ``MIN_PAIRS`` pairs.

    ``day`` are day numbers, ascending. Effective sizes with lag-1 autocorrelations r: n(1 - r1 r2)/(1 + r1 r2) for R,
    n(1 - re^2)/(1 + re^2) for the variance of the error e and n(1 - re)/(1 + re) for its mean (Bartlett 1935;
    Bayley and Hammersley 1946, J. R. Stat. Soc. Suppl. 8, 184). Intervals: Fisher's z, chi squared, Student's t.
    """
    ok = np.isfinite(station) & np.isfinite(product)
    x, y, day = station[ok].astype("float64"), product[ok].astype("float64"), day[ok]
    n = x.size
    if n < MIN_PAIRS:
        return None
    e = y - x
    re = lag1(e, day)
    product_lag1 = lag1(x, day) * lag1(y, day)
    n_r, n_var, n_mean = (max(n * (1 - k) / (1 + k), 4.0) for k in (product_lag1, re**2, re))
    varies = x.std() >= FLAT_SERIES and y.std() >= FLAT_SERIES
    r = (
        float(np.clip(((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std()), -1, 1))
        if varies
        else float("nan")
    )
    z, half = np.arctanh(np.clip(r, -0.999999, 0.999999)), stats.norm.ppf(0.5 + level / 2) / np.sqrt(n_r - 3)
    sd = float(e.std())
    chi = stats.chi2.ppf([0.5 + level / 2, 0.5 - level / 2], n_var - 1)
    t = stats.t.ppf(0.5 + level / 2, n_mean - 1) * e.std(ddof=1) / np.sqrt(n_mean)
    return SeriesScore(
        n=n,
        n_eff=n_r,
        r=ScoreWithInterval(r, float(np.tanh(z - half)), float(np.tanh(z + half))),
        ubrmse=ScoreWithInterval(sd, *(float(v) for v in sd * np.sqrt(n_var / chi))),
        bias=ScoreWithInterval(float(e.mean()), float(e.mean() - t), float(e.mean() + t)),
        slope=float(((x - x.mean()) * (y - y.mean())).mean() / x.var()) if x.std() >= FLAT_SERIES else float("nan"),
    )


def gains(coarse: SeriesScore, fine: SeriesScore) -> dict[str, float]:
    """Gains of ``fine`` over ``coarse`` in [-1, 1], above 0 better (Merlin et al. 2015, Remote Sens. 7, 3783).

    ``G_EFFI`` from the slope, ``G_PREC`` from R, ``G_ACCU`` from the bias, ``G_DOWN`` their mean. Both scores must be
    of the same pairs.
    """

    def gain(lr: float, hr: float) -> float:
        return (abs(lr) - abs(hr)) / (abs(lr) + abs(hr)) if abs(lr) + abs(hr) > 0 else 0.0

    out = {
        "G_EFFI": gain(1 - coarse.slope, 1 - fine.slope),
        "G_PREC": gain(1 - coarse.r.value, 1 - fine.r.value),
        "G_ACCU": gain(coarse.bias.value, fine.bias.value),
    }
    return out | {"G_DOWN": sum(out.values()) / 3}
