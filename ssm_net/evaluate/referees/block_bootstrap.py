"""Medians of scores over stations with intervals that hold where stations share errors: days and footprints are drawn.

All stations of one footprint are compared with a map whose error they share, and errors of successive days are alike.
So a draw takes blocks of days, the same for all stations, and footprints with all their stations (the pigeonhole
bootstrap: Owen 2007, Ann. Appl. Stat. 1, 386). Stations drawn as if alone gave intervals several times too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from scipy import stats

from ssm_net.evaluate.metrics.statistics import Moments, divide
from ssm_net.evaluate.referees.station_scores import ScoreWithInterval

DRAWS = 400
SHORTEST, LONGEST, BLOCKS = 5, 30, 10  # days of a block; a record is cut into about so many, unless blocks get longer
LEAST_PAIRS = 5  # of a station in a draw
Scores = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Resampling:
    """The draws of blocks of days and of footprints, for a record of D days at P stations.

    ``block`` (D,) is the block that a day belongs to; ``days`` (N, B) counts how often each block is drawn,
    ``stations`` (N, P) how often each station is.
    """

    block: np.ndarray
    days: np.ndarray
    stations: np.ndarray

    @classmethod
    def of(cls, day: np.ndarray, footprint: np.ndarray, draws: int = DRAWS, seed: int = 0) -> Resampling:
        """``day`` (D,) are day numbers in order, ``footprint`` (P,) tells which stations share one."""
        rng = np.random.default_rng(seed)
        since = day - day[0]
        length = int(np.clip((since[-1] + 1) // BLOCKS, SHORTEST, LONGEST))
        _, block = np.unique(since // length, return_inverse=True)
        _, own = np.unique(footprint, return_inverse=True)
        picked = [_counts(rng, int(of.max()) + 1, draws) for of in (block, own)]
        return cls(block, picked[0], picked[1][:, own])

    @property
    def widening(self) -> float:
        """By how much the interval of few blocks is too narrow: Student's t for the normal, and n / (n - 1)."""
        blocks = self.days.shape[1]
        if blocks < 2:
            return float("nan")
        return float(stats.t.ppf(0.975, blocks - 1) / stats.norm.ppf(0.975) * np.sqrt(blocks / (blocks - 1)))


def _counts(rng: np.random.Generator, size: int, draws: int) -> np.ndarray:
    """How often each of ``size`` things is drawn in ``size`` draws with replacement, (draws, size)."""
    return rng.multinomial(size, np.full(size, 1 / size), draws).astype(float)


@dataclass(frozen=True)
class BlockMoments:
    """Moments of station (x) and estimate (y), by block of days and station, (B, P) each."""

    moments: Moments

    @classmethod
    def of(cls, station: np.ndarray, estimate: np.ndarray, use: np.ndarray, draws: Resampling) -> BlockMoments:
        """Of daily series (D, P) on the days and at the stations that are in ``use``, (D, P) bool."""
        x, y = (np.where(use, v, 0.0).astype(float) for v in (station, estimate))
        terms = use.astype(float), x, y, x * x, y * y, x * y, (y - x) ** 2
        starts = np.flatnonzero(np.diff(draws.block, prepend=-1))
        return cls(Moments(*(np.add.reduceat(term, starts, axis=0) for term in terms)))

    def whole(self) -> Moments:
        """Moments of each station over all days, (P,)."""
        return Moments(*(getattr(self.moments, f.name).sum(0) for f in fields(Moments)))

    def drawn(self, draws: Resampling) -> Moments:
        """Moments of each station in each draw, (N, P)."""
        return Moments(*(draws.days @ getattr(self.moments, f.name) for f in fields(Moments)))


def scores_of(moments: Moments) -> dict[str, np.ndarray]:
    """R, ubRMSE, bias and the slope of the estimate on the station; NaN with fewer than ``LEAST_PAIRS`` pairs."""
    covariance = divide(moments.xy, moments.n) - divide(moments.x, moments.n) * divide(moments.y, moments.n)
    scores = {"R": moments.r, "ubRMSE": moments.ubrmse, "bias": moments.bias,
              "slope": divide(covariance, moments.std_x**2)}  # fmt: skip
    return {name: np.where(moments.n >= LEAST_PAIRS, values, np.nan) for name, values in scores.items()}


def gains_of(coarse: Scores, fine: Scores) -> dict[str, np.ndarray]:
    """Gains of ``fine`` over ``coarse``, as ``station_scores.gains``, of arrays of one shape."""

    def gain(lr: np.ndarray, hr: np.ndarray) -> np.ndarray:
        lr, hr = np.abs(lr), np.abs(hr)
        both = np.isfinite(lr) & np.isfinite(hr)
        return np.where(both & (lr + hr == 0), 0.0, divide(lr - hr, lr + hr))

    out = {"G_EFFI": gain(1 - coarse["slope"], 1 - fine["slope"]), "G_PREC": gain(1 - coarse["R"], 1 - fine["R"]),
           "G_ACCU": gain(coarse["bias"], fine["bias"])}  # fmt: skip
    return out | {"G": (out["G_EFFI"] + out["G_PREC"] + out["G_ACCU"]) / 3}


def median_scores(
    estimates: Mapping[str, BlockMoments], draws: Resampling, score: Callable[[Mapping[str, Moments]], Scores]
) -> dict[str, ScoreWithInterval]:
    """Medians over stations of what ``score`` makes of the moments of some methods, with 95 % intervals."""
    values = score({name: blocks.whole() for name, blocks in estimates.items()})
    drawn = score({name: blocks.drawn(draws) for name, blocks in estimates.items()})
    return {name: median_interval(values[name], drawn[name], draws) for name in values}


def median_interval(values: np.ndarray, drawn: np.ndarray, draws: Resampling) -> ScoreWithInterval:
    """The median of ``values`` (P,) and its 95 % interval, from the values ``drawn`` (N, P) in each draw of days."""
    known = values[np.isfinite(values)]
    if not known.size:
        return ScoreWithInterval(float("nan"))
    middle = float(np.median(known))
    medians = weighted_median(drawn, draws.stations)
    if not np.isfinite(draws.widening) or not np.isfinite(medians).any():
        return ScoreWithInterval(middle)
    low, high = np.nanquantile(medians, [0.025, 0.975])
    below, above = (draws.widening * max(float(d), 0.0) for d in (middle - low, high - middle))
    return ScoreWithInterval(middle, middle - below, middle + above)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The median along the last axis of ``values`` (N, P), each counted as often as ``weights`` (N, P) say; NaN counts
    for nothing, and all NaN gives NaN. (N,)."""
    weights = np.where(np.isfinite(values), weights, 0.0)
    order = np.argsort(np.where(weights > 0, values, np.inf), axis=-1)
    values, weights = (np.take_along_axis(a, order, -1) for a in (values, weights))
    total = np.cumsum(weights, -1)
    half = total[..., -1:] / 2
    at = np.arange(len(values))
    lower, upper = (np.argmax(side, -1) for side in (total >= half, total > half))  # the two middle ones
    middle = (values[at, lower] + values[at, upper]) / 2
    return np.where(half[..., 0] > 0, middle, np.nan)
