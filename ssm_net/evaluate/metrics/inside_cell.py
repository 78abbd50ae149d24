"""Scores inside coarse cells: anomalies of dense stations against their neighbours, static and dynamic part apart.

A station's anomaly is its soil moisture less the mean of the others in its cell that day, so that no value is compared
with a coarse value that holds it; of a map it is the pixel less the mean of the others' pixels. What the cell shares
cancels, the error of the footprint among it. The static part is a station's mean over its days, the dynamic part what
is left. Intervals resample stations with all their days: they are the sample. The decision
2026-11-27-inside-a-cell-at-dense-stations.md says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DRAWS = 200


def mean_of_others(values: np.ndarray, others: np.ndarray, least: int) -> np.ndarray:
    """The mean of ``values`` over the ``others`` (T, n, n) bool of each day and station, (T, n); NaN where they are
    fewer than ``least``. ``values`` are (T, n), or (T, n, n) where they differ by the station that is judged.

    A station's own value, and whether it has one, change no bit of its mean.
    """
    count = others.sum(-1)
    if values.ndim == 2:
        values = values[:, None, :]
    total = np.where(others, values, 0.0).sum(-1)
    return np.where(count >= least, total / np.maximum(count, 1), np.nan)


def others_with_value(values: np.ndarray) -> np.ndarray:
    """On each day and for each station, the other stations with a value: (T, n, n) bool, of values (T, n)."""
    return np.isfinite(values)[:, None, :] & ~np.eye(values.shape[1], dtype=bool)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r; NaN where either does not vary."""
    if len(a) < 2 or np.std(a) < 1e-12 or np.std(b) < 1e-12:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


def rmse(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def gain(true: np.ndarray, predicted: np.ndarray) -> float:
    """By how many % the RMSE is below that of the undownscaled value, whose anomaly is 0."""
    return 100 * (1 - rmse(true - predicted) / rmse(true))


@dataclass(frozen=True)
class StationSums:
    """Sums over the days of each station, (S,): days ``n``, true anomalies ``a`` and predicted ones ``p``, and their
    products."""

    n: np.ndarray
    a: np.ndarray
    p: np.ndarray
    aa: np.ndarray
    pp: np.ndarray
    ap: np.ndarray

    @classmethod
    def of(cls, true: np.ndarray, predicted: np.ndarray, station: np.ndarray) -> StationSums:
        """Of anomalies (m,) with the number of the ``station`` of each, 0 to S - 1."""
        terms = np.ones_like(true), true, predicted, true**2, predicted**2, true * predicted
        return cls(*(np.bincount(station, term) for term in terms))

    def drawn(self, draws: int = DRAWS, seed: int = 0) -> StationSums:
        """Of stations drawn with replacement, (draws, S)."""
        rng = np.random.default_rng(seed)
        picks = np.stack([rng.choice(len(self.n), len(self.n)) for _ in range(draws)])
        return StationSums(*(getattr(self, name)[picks] for name in ("n", "a", "p", "aa", "pp", "ap")))

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """Scores of all stations together, along the last axis: r, the slope of the truth on the prediction, and the
        gain in %; r and gain of the stations' means (static), and of what is left of each day (dynamic)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_a, mean_p = self.a / self.n, self.p / self.n
            one = np.ones_like(self.n)
            means = one, mean_a, mean_p, mean_a**2, mean_p**2, mean_a * mean_p  # each station counts once
            moving = (self.n, 0 * self.a, 0 * self.p, self.aa - self.a * mean_a, self.pp - self.p * mean_p,
                      self.ap - self.a * mean_p)  # fmt: skip
            of_days = [self.n * term for term in means]  # each day counts
            r, slope, gained = _pooled(self.n, self.a, self.p, self.aa, self.pp, self.ap)
            static, _, _ = _pooled(*means)
            _, _, static_gain = _pooled(*of_days)
            dynamic, _, dynamic_gain = _pooled(*moving)
        return {"r": r, "slope": slope, "gain": gained, "static r": static, "static gain": static_gain,
                "dynamic r": dynamic, "dynamic gain": dynamic_gain}  # fmt: skip


def _pooled(*terms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """r, slope and gain in % of sums over the last axis: n, a, p, aa, pp, ap."""
    n, a, p, aa, pp, ap = (term.sum(-1) for term in terms)
    covariance, of_a, of_p = n * ap - a * p, n * aa - a**2, n * pp - p**2
    floor = 1e-24 * n**2
    varies = (of_p > np.maximum(floor, 1e-12 * n * pp)) & (of_a > np.maximum(floor, 1e-12 * n * aa))
    r = np.where(varies, covariance / np.sqrt(of_a * of_p), np.nan)
    slope = np.where(varies, covariance / of_p, np.nan)
    return r, slope, 100 * (1 - np.sqrt(np.maximum(aa - 2 * ap + pp, 0) / aa))


def scores_and_intervals(sums: StationSums) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The scores of ``StationSums.scores``, and the 95 % interval [low, high] of each over drawn stations."""
    drawn = {name: values[np.isfinite(values)] for name, values in sums.drawn().scores.items()}
    none = [math.nan, math.nan]
    intervals = {name: np.percentile(v, [2.5, 97.5]).tolist() if v.size else none for name, v in drawn.items()}
    return {name: float(value) for name, value in sums.scores.items()}, intervals
