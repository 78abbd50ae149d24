"""Intercalibration of the coarse sensors: all sensors of a record are matched to one reference sensor, cell by cell.

Two sensors are compared on the days that both observed. In each cell, the mean and the gain of the source are made
those of the reference.

* *Gain.* Matching the whole standard deviations would damp the noisier sensor, soil signal and all. The gain of the
  region therefore rests on what both sensors share with the days before and after (a lagged instrumental variable: Su
  et al. 2014, J. Geophys. Res. Atmos. 119, 6419). How the gain of a cell differs from it rests on standard deviations.
* *Mean.* With few pairs the numbers of a cell are uncertain. Its difference of means is the best linear unbiased
  prediction of a random effect, drawn to the region's relation by as much as its error demands (Henderson 1975,
  Biometrics 31); its ratio of deviations is drawn to the region's.
* *Drift.* The difference of the region may change over time. The drift is removed as far as the length of the common
  period determines it; its remaining uncertainty is part of the error.
* *No common days.* A source that shares no days with the reference is matched over a sensor that shares days with both
  (AMSR-E over FY-3B to AMSR2). Where there is none, it is matched over the months of the year that both observed, in
  different years.

What is fitted is stored with the cube and stays: days that are added never change earlier ones. Stated errors grow by
that of the fit.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ssm_net.core.radiometers import BY_CODE, name_of, record_of
from ssm_net.ingest.ssm import CoarseSSM
from ssm_net.prepare.consensus import Consensus
from ssm_net.prepare.errors import PrepareError
from ssm_net.prepare.sensor_pairs import GAIN_RANGE, Pair, lagged_gain, moments, pooled_variance

log = logging.getLogger(__name__)

ENOUGH_DAYS = 30  # that two sensors share, for one to be matched to the other
MOST_COMMON_DAYS = 1000  # of common days, about: more change nothing and take longer to read
CONSECUTIVE = 10  # days in a row, where not all are read
GAIN_PAIRS = 60.0  # of a cell, at which its own ratio of deviations has a weight of one half
DEPENDENT = 2.0  # pairs that count as one independent pair: weather lasts longer than a day
SENSOR_DRIFT = 0.0015  # m3 m-3 a year: standard deviation of the drift between two sensors
FEWEST_MONTHS = 10  # of common days before a drift is looked for
CALENDAR_ERROR = 0.02  # m3 m-3: by which the same months of different years differ
UNMATCHED_ERROR = 0.03  # m3 m-3 added where nothing could be matched
LOWEST, HIGHEST = 0.005, 0.7  # m3 m-3


@dataclass(frozen=True)
class Match:
    """How a source becomes the reference: ``offset + gain x + drift (years since middle)``, each (R, C); ``error``
    (R, C) m3 m-3 of the level that this gives; ``drift`` and ``drift_error`` m3 m-3 a year. ``how`` says on which
    days it was fitted. ``level`` (R, C) is the mean of the source on these days, NaN where it was not fitted on common
    days; it is not stored."""

    offset: np.ndarray
    gain: np.ndarray
    error: np.ndarray
    drift: float
    drift_error: float
    middle: dt.date
    days: int
    pairs: int
    how: str
    level: np.ndarray | None = None

    def __call__(self, day: dt.date, x: np.ndarray) -> np.ndarray:
        years = (day - self.middle).days / 365.25
        return np.clip(self.offset + self.gain * x + self.drift * years, LOWEST, HIGHEST)

    @property
    def above_reference(self) -> np.ndarray | None:
        """How much higher the source's level is than the reference's, (R, C) m3 m-3; None where that is not known."""
        return None if self.level is None else self.level - (self.offset + self.gain * self.level)

    def to_json(self) -> dict[str, Any]:
        fields = {k: np.round(getattr(self, k), 6).tolist() for k in ("offset", "gain", "error")}
        return fields | {"drift": self.drift, "drift_error": self.drift_error, "middle": str(self.middle),
                         "days": self.days, "pairs": self.pairs, "how": self.how}  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Match:
        fields = {k: np.asarray(stored[k], np.float32) for k in ("offset", "gain", "error")}
        return cls(**fields, drift=stored["drift"], drift_error=stored["drift_error"],
                   middle=dt.date.fromisoformat(stored["middle"]), days=stored["days"], pairs=stored["pairs"],
                   how=stored["how"])  # fmt: skip


@dataclass(frozen=True)
class Intercalibration:
    """The ``reference`` (a code of the table of radiometers, 0 where a cube has none yet) and the other sources; and
    their ``consensus``, where the cube is made of all of them together."""

    reference: int = 0
    matches: Mapping[int, Match] = field(default_factory=dict)
    consensus: Consensus | None = None

    def apply(self, day: dt.date, observed: CoarseSSM) -> CoarseSSM:
        """``observed`` as the reference would have observed it, its error grown by that of the match; at the level of
        the consensus, if there is one."""
        ssm, sigma = observed.ssm.copy(), observed.sigma.copy()
        for code, match in self.matches.items():
            codes = [c for c in BY_CODE if record_of(c) == code]
            cells = np.isin(observed.source, codes) & np.isfinite(observed.ssm)
            ssm[cells] = match(day, observed.ssm)[cells]
            sigma[cells] = np.sqrt((match.gain * observed.sigma) ** 2 + match.error**2)[cells]
        if self.consensus is not None:
            ssm = np.clip(ssm + self.consensus.shift, LOWEST, HIGHEST)
        return replace(observed, ssm=ssm.astype(np.float32), sigma=sigma.astype(np.float32))

    def to_json(self) -> dict[str, Any]:
        together = {} if self.consensus is None else {"consensus": self.consensus.to_json()}
        matches = {str(code): m.to_json() for code, m in sorted(self.matches.items())}
        return {"reference": self.reference, "matches": matches, **together}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Intercalibration:
        if stored is None:
            return cls()
        together = Consensus.from_json(stored["consensus"]) if "consensus" in stored else None
        return cls(stored["reference"], {int(k): Match.from_json(v) for k, v in stored["matches"].items()}, together)


Reader = Callable[[int, dt.date], np.ndarray | None]


def match_sensors(
    known: Intercalibration, wanted: Iterable[int], days: Mapping[int, Sequence[dt.date]], read: Reader
) -> Intercalibration:
    """``known`` with a match for each of ``wanted`` (codes) that has none yet.

    ``days`` are those on which each source has files, whether wanted or not; ``read`` gives its values of a day as
    observed, (R, C) m3 m-3 with NaN, None where it cannot be read.
    """
    matches = dict(known.matches)
    todo = [c for c in wanted if c != known.reference and c not in matches]
    while todo:
        done = {known.reference, *matches}
        shared = {(c, v): sorted(set(days.get(c, ())) & set(days.get(v, ()))) for c in todo for v in done}
        (code, via), common = max(shared.items(), key=lambda item: (len(item[1]), item[0][1] == known.reference))
        if len(common) < ENOUGH_DAYS and (bridge := _bridge(todo, days, done)) is not None:
            code, via = bridge  # itself not wanted, but it shares days with both
            common = sorted(set(days[code]) & set(days[via]))
        if len(common) < ENOUGH_DAYS:
            code = todo[0]
            matches[code] = _over_the_calendar(code, known.reference, days, read)
        else:
            matches[code] = _over_common_days(code, via, common, matches.get(via), read)
        log.info("%s matched: %s", name_of(code), matches[code].how)
        todo = [c for c in todo if c not in matches]
    return replace(known, matches=matches)


def _bridge(todo: Sequence[int], days: Mapping[int, Sequence[dt.date]], done: set[int]) -> tuple[int, int] | None:
    """A source that shares enough days with one of ``todo`` and with one of ``done``, and the latter."""
    for bridge in sorted(set(days) - done - set(todo)):
        have = set(days[bridge])
        via = max(done, key=lambda v: len(have & set(days.get(v, ()))))
        if min(len(have & set(days.get(via, ()))), max(len(have & set(days.get(c, ()))) for c in todo)) >= ENOUGH_DAYS:
            return bridge, via
    return None


def _over_common_days(code: int, via: int, common: Sequence[dt.date], onward: Match | None, read: Reader) -> Match:
    """The match of ``code`` over the days it shares with ``via``, which is itself matched by ``onward`` or is the
    reference."""
    every = max(1, -(-len(common) // MOST_COMMON_DAYS))
    sampled = [d for i, d in enumerate(common) if i // CONSECUTIVE % every == 0]
    pairs = []
    for day in sampled:
        x, y = read(code, day), read(via, day)
        if x is not None and y is not None:
            pairs.append((day, x, y if onward is None else onward(day, y)))
    over = f"{len(pairs)} days shared with {name_of(via)}, {sampled[0]} .. {sampled[-1]}"
    match = fit_match(pairs, over)
    if onward is not None:
        drifted = onward.drift_error * (match.middle - onward.middle).days / 365.25
        error = np.sqrt(match.error**2 + onward.error**2 + np.float32(drifted) ** 2)
        match = replace(match, error=error, how=f"{over}, and from there on")
    return match


def fit_match(pairs: Sequence[Pair], how: str, same_days: bool = True) -> Match:
    """The match of x to y from their common days: (day, x, y), (R, C) m3 m-3 with NaN where not observed; without
    ``same_days`` y is of another year, and only levels and deviations can be matched.

    Raises ``PrepareError`` where no cell was observed by both on any day.
    """
    n, mx, my, vx, vy = moments(pairs)
    if not n.sum():
        raise PrepareError(
            f"no cell of the domain was observed by both sensors ({how}): leave one of them out of raw/, or give "
            "ssm=PRODUCT"
        )
    several = n >= 3
    weight = np.where(several, n, 0.0)
    region_ratio = 1.0  # of the deviations of the region, noise included
    if several.any():
        region_ratio = float(np.clip(np.sqrt((weight * vy).sum() / max((weight * vx).sum(), 1e-12)), *GAIN_RANGE))
    by_lag = lagged_gain(pairs, mx, my, region_ratio) if same_days else None
    region_gain = region_ratio if by_lag is None else by_lag
    own = np.clip(np.sqrt(vy / np.maximum(vx, 1e-8)), *GAIN_RANGE)
    trust = np.where(several, n / (n + GAIN_PAIRS), 0.0)
    gain = region_gain * np.exp(trust * (np.log(np.where(several, own, region_ratio)) - np.log(region_ratio)))

    # Differences of means as a random effect of cells about the region's relation.
    mean_x, mean_y = (n * mx).sum() / n.sum(), (n * my).sum() / n.sum()
    expected = mean_y - mean_x + (region_gain - 1) * (mx - mean_x)
    departure = np.where(n > 0, my - mx - expected, 0.0)
    within = pooled_variance(pairs, gain, mx, my)
    effective = n / DEPENDENT
    noise = np.where(n > 0, within / np.maximum(effective, 1e-9), 0.0)
    cells = n > 0
    between = max(float((departure[cells] ** 2).mean() - noise[cells].mean()), 1e-8)
    weight_of_cell = np.where(cells, between / (between + noise), 0.0)
    middle_x = np.where(cells, mx, mean_x)
    middle_y = middle_x + mean_y - mean_x + (region_gain - 1) * (middle_x - mean_x) + weight_of_cell * departure
    error = np.sqrt(between * (1 - weight_of_cell) + within / max(effective.sum(), 1.0))
    match = Match(
        (middle_y - gain * middle_x).astype(np.float32), gain.astype(np.float32), error.astype(np.float32),
        0.0, SENSOR_DRIFT, pairs[len(pairs) // 2][0], len(pairs), int(n.sum()), how,
        middle_x.astype(np.float32) if same_days else None,
    )  # fmt: skip
    return _with_drift(match, pairs) if same_days else match


def _with_drift(match: Match, pairs: Sequence[Pair]) -> Match:
    """``match`` with the trend of the region's difference, shrunk towards zero by as much as its error demands.

    Monthly means of the region are the observations; an annual cycle is fitted along with the trend, so that seasons
    that one end of the record lacks are no trend.
    """
    months: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for day, x, y in pairs:
        residual = y - (match.offset + match.gain * x)
        if np.isfinite(residual).any():
            years = (day - match.middle).days / 365.25
            months.setdefault((day.year, day.month), []).append((years, float(np.nanmean(residual))))
    t, r = np.array([np.mean(v, 0) for v in months.values()]).T
    if len(t) < FEWEST_MONTHS:
        return match
    basis = np.stack([np.ones_like(t), t, np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], 1)
    coefficients, *_ = np.linalg.lstsq(basis, r, rcond=None)
    scatter = float(((r - basis @ coefficients) ** 2).sum() / (len(t) - basis.shape[1]))
    variance = scatter * float(np.linalg.inv(basis.T @ basis)[1, 1])
    shrinkage = SENSOR_DRIFT**2 / (SENSOR_DRIFT**2 + variance)
    drift = shrinkage * float(coefficients[1])
    # The level stays that of the pairs, at their mean time.
    offset = match.offset - np.float32(drift * t.mean())
    return replace(match, drift=drift, drift_error=float(np.sqrt(1 - shrinkage) * SENSOR_DRIFT), offset=offset)


def _over_the_calendar(code: int, reference: int, days: Mapping[int, Sequence[dt.date]], read: Reader) -> Match:
    """The match over the months of the year that both observed, in different years; where they share no month, no match
    but a larger error."""
    by_month: dict[int, dict[int, list[dt.date]]] = {
        c: {m: [d for d in days.get(c, ()) if d.month == m] for m in range(1, 13)} for c in (code, reference)
    }
    pairs: list[Pair] = []
    for month in range(1, 13):
        ours, theirs = by_month[code][month], by_month[reference][month]
        number = min(len(ours), len(theirs), MOST_COMMON_DAYS // 12)
        for i in range(number):
            x, y = read(code, ours[i * len(ours) // number]), read(reference, theirs[i * len(theirs) // number])
            if x is not None and y is not None:
                pairs.append((ours[i * len(ours) // number], x, y))
    if len(pairs) < ENOUGH_DAYS:
        log.warning("%s shares neither days nor months with %s: its values stay as they are, with a larger error",
                    name_of(code), name_of(reference))  # fmt: skip
        shape = next((v for d in days.get(code, ()) if (v := read(code, d)) is not None), np.zeros((1, 1))).shape
        none, one, error = (np.full(shape, v, np.float32) for v in (0.0, 1.0, UNMATCHED_ERROR))
        return Match(none, one, error, 0.0, 0.0, days[code][0], 0, 0, "not matched")
    log.warning("%s shares no days with %s or with a sensor that shares days with both: it is matched over %d days of "
                "the same months of other years, which is worse",
                name_of(code), name_of(reference), len(pairs))  # fmt: skip
    match = fit_match(pairs, f"{len(pairs)} days of the same months as {name_of(reference)} in other years",
                same_days=False)  # fmt: skip
    return replace(match, error=np.sqrt(match.error**2 + np.float32(CALENDAR_ERROR) ** 2))
