"""Sensors of one record brought to one of them, cell by cell, on the days that two of them saw.

In each cell the mean of a source and the part of its variation that lasts from day to day are made those of the
reference over their common days. Matched by their whole standard deviations, the noisier of two sensors would be
damped, soil and all: so the region's gain is told by what goes with the days beside (a lagged instrument: Su et al.
2014, J. Geophys. Res. Atmos. 119, 6419), and only how a cell's gain differs from it by deviations. Where pairs are few
a cell's own numbers say little: its difference of means is the best linear unbiased prediction of a random effect,
drawn to what the region says by as much as its error demands (Henderson 1975, Biometrics 31), its ratio of deviations
is drawn to the region's. A source that never met the reference is brought to it over one that met both (AMSR-E over
FY-3B to AMSR2); where there is none, over the calendar: the months that both have, in different years. The region's
difference may also drift; the drift is taken out as far as the length of the common days tells it, and what is left of
it is in the error.

What is fitted is stored with the cube and stays: days that are added never change what was made before. Stated errors
grow by that of the fit.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ssm_net.core.radiometers import name_of, record_of
from ssm_net.ingest.ssm import CoarseSSM

log = logging.getLogger(__name__)

ENOUGH_DAYS = 30  # that two sensors share, for one to be brought to the other
MOST_COMMON_DAYS = 1000  # of common days, about: more change nothing and take longer to read
TOGETHER = 10  # days in a row, where not all are read
GAIN_PAIRS = 60.0  # of a cell at which half of its own ratio of deviations is believed
DEPENDENT = 2.0  # pairs that tell as much as one independent pair: weather lasts longer than a day
GAIN_RANGE = (0.4, 2.5)
BESIDE = dt.timedelta(1)
LASTING_PAIRS = 300  # of the region, for the gain of what lasts to be told
SENSOR_DRIFT = 0.0015  # m3 m-3 a year, by which a sensor drifts against another
FEWEST_MONTHS = 10  # of common days before a drift is looked for
CALENDAR_ERROR = 0.02  # m3 m-3: months of different years differ by that where nothing else does
UNMATCHED_ERROR = 0.03  # m3 m-3 added where nothing could be matched
LOWEST, HIGHEST = 0.005, 0.7  # m3 m-3

Pair = tuple[dt.date, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Match:
    """How a source becomes the reference: ``offset + gain x + drift (years since middle)``, each (R, C); ``error``
    (R, C) m3 m-3 of the level that this gives; ``drift`` and ``drift_error`` m3 m-3 a year. ``how`` says over what it
    was found."""

    offset: np.ndarray
    gain: np.ndarray
    error: np.ndarray
    drift: float
    drift_error: float
    middle: dt.date
    days: int
    pairs: int
    how: str

    def __call__(self, day: dt.date, x: np.ndarray) -> np.ndarray:
        years = (day - self.middle).days / 365.25
        return np.clip(self.offset + self.gain * x + self.drift * years, LOWEST, HIGHEST)

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
    """The ``reference`` (a code of the table of radiometers, 0 where a cube has none yet) and the other sources."""

    reference: int = 0
    matches: Mapping[int, Match] = field(default_factory=dict)

    def apply(self, day: dt.date, seen: CoarseSSM) -> CoarseSSM:
        """``seen`` as the reference would have seen it, its error grown by that of the match."""
        ssm, sigma = seen.ssm.copy(), seen.sigma.copy()
        for code, match in self.matches.items():
            here = np.isin(seen.source, [c for c in range(1, 8) if record_of(c) == code]) & np.isfinite(seen.ssm)
            ssm[here] = match(day, seen.ssm)[here]
            sigma[here] = np.sqrt((match.gain * seen.sigma) ** 2 + match.error**2)[here]
        return replace(seen, ssm=ssm.astype(np.float32), sigma=sigma.astype(np.float32))

    def to_json(self) -> dict[str, Any]:
        return {"reference": self.reference,
                "matches": {str(code): m.to_json() for code, m in sorted(self.matches.items())}}  # fmt: skip

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Intercalibration:
        if stored is None:
            return cls()
        return cls(stored["reference"], {int(k): Match.from_json(v) for k, v in stored["matches"].items()})


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
            code, via = bridge  # itself not wanted, but it met both
            common = sorted(set(days[code]) & set(days[via]))
        if len(common) < ENOUGH_DAYS:
            code = todo[0]
            matches[code] = _over_the_calendar(code, known.reference, days, read)
        else:
            matches[code] = _over_common_days(code, via, common, matches.get(via), read)
        log.info("%s matched: %s", name_of(code), matches[code].how)
        todo = [c for c in todo if c not in matches]
    return Intercalibration(known.reference, matches)


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
    some = [d for i, d in enumerate(common) if i // TOGETHER % every == 0]
    pairs = []
    for day in some:
        x, y = read(code, day), read(via, day)
        if x is not None and y is not None:
            pairs.append((day, x, y if onward is None else onward(day, y)))
    over = f"{len(pairs)} days shared with {name_of(via)}, {some[0]} .. {some[-1]}"
    match = fit_match(pairs, over)
    if onward is not None:
        apart = onward.drift_error * (match.middle - onward.middle).days / 365.25
        error = np.sqrt(match.error**2 + onward.error**2 + np.float32(apart) ** 2)
        match = replace(match, error=error, how=f"{over}, and from there on")
    return match


def fit_match(pairs: Sequence[Pair], how: str, same_days: bool = True) -> Match:
    """The match of x to y from their common days: (day, x, y), (R, C) m3 m-3 with NaN where not seen; without
    ``same_days`` y is of another year, and only levels and deviations can be matched.

    Raises ``ValueError`` where no cell was seen by both on any day.
    """
    n, mx, my, vx, vy = _moments(pairs)
    if not n.sum():
        raise ValueError(f"no cell was seen by both sensors: {how}")
    several = n >= 3
    weight = np.where(several, n, 0.0)
    usual = 1.0  # ratio of deviations of the region, noise and all
    if several.any():
        usual = float(np.clip(np.sqrt((weight * vy).sum() / max((weight * vx).sum(), 1e-12)), *GAIN_RANGE))
    lasting = _lasting(pairs, mx, my, usual) if same_days else None
    region_gain = usual if lasting is None else lasting
    own = np.clip(np.sqrt(vy / np.maximum(vx, 1e-8)), *GAIN_RANGE)
    trust = np.where(several, n / (n + GAIN_PAIRS), 0.0)
    gain = region_gain * np.exp(trust * (np.log(np.where(several, own, usual)) - np.log(usual)))

    # Differences of means as a random effect of cells about the region's relation.
    mean_x, mean_y = (n * mx).sum() / n.sum(), (n * my).sum() / n.sum()
    expected = mean_y - mean_x + (region_gain - 1) * (mx - mean_x)
    excess = np.where(n > 0, my - mx - expected, 0.0)
    within = _pooled(pairs, gain, mx, my)
    effective = n / DEPENDENT
    noise = np.where(n > 0, within / np.maximum(effective, 1e-9), 0.0)
    cells = n > 0
    between = max(float((excess[cells] ** 2).mean() - noise[cells].mean()), 1e-8)
    belief = np.where(cells, between / (between + noise), 0.0)
    middle_x = np.where(cells, mx, mean_x)
    middle_y = middle_x + mean_y - mean_x + (region_gain - 1) * (middle_x - mean_x) + belief * excess
    error = np.sqrt(between * (1 - belief) + within / max(effective.sum(), 1.0))
    match = Match(
        (middle_y - gain * middle_x).astype(np.float32), gain.astype(np.float32), error.astype(np.float32),
        0.0, SENSOR_DRIFT, pairs[len(pairs) // 2][0], len(pairs), int(n.sum()), how,
    )  # fmt: skip
    return _with_drift(match, pairs) if same_days else match


def _moments(pairs: Sequence[Pair]) -> tuple[np.ndarray, ...]:
    """Number of pairs, means and variances of x and y, each (R, C)."""
    shape = pairs[0][1].shape if pairs else (0, 0)
    n, sx, sy, sxx, syy = (np.zeros(shape) for _ in range(5))
    for _, x, y in pairs:
        both = np.isfinite(x) & np.isfinite(y)
        a, b = np.where(both, x, 0.0).astype(float), np.where(both, y, 0.0).astype(float)
        n += both
        sx, sy, sxx, syy = sx + a, sy + b, sxx + a * a, syy + b * b
    m = np.maximum(n, 1)
    mx, my = sx / m, sy / m
    return n, mx, my, np.maximum(sxx / m - mx**2, 0), np.maximum(syy / m - my**2, 0)


def _lasting(pairs: Sequence[Pair], mx: np.ndarray, my: np.ndarray, usual: float) -> float | None:
    """The gain of what lasts from day to day, over the whole region; noise, which does not last, has no part in it.

    The anomalies of the days beside are the instrument: they go with the soil of the day and with no error of it. None
    where too few pairs have a day beside them.
    """
    xz, yz, count = 0.0, 0.0, 0
    beside: dict[dt.date, np.ndarray] = {}
    for day, x, y in pairs:
        both = np.stack([usual * (x - mx), y - my])
        known = np.isfinite(both)
        mean = np.where(known, both, 0).sum(0) / np.maximum(known.sum(0), 1)
        beside[day] = np.where(known.any(0), mean, np.nan).astype(np.float32)
    for day, x, y in pairs:
        for near in (day - BESIDE, day + BESIDE):
            if near in beside:
                z = beside[near]
                use = np.isfinite(x) & np.isfinite(y) & np.isfinite(z)
                xz += float(((x - mx)[use] * z[use]).sum())
                yz += float(((y - my)[use] * z[use]).sum())
                count += int(use.sum())
    if count < LASTING_PAIRS or xz <= 0 or yz <= 0:
        return None
    return float(np.clip(yz / xz, *GAIN_RANGE))


def _pooled(pairs: Sequence[Pair], gain: np.ndarray, mx: np.ndarray, my: np.ndarray) -> float:
    """Variance of y - gain x about its mean in a cell, over all cells; what both sensors' noise leaves."""
    total, count = 0.0, 0
    for _, x, y in pairs:
        left = (y - my) - gain * (x - mx)
        known = np.isfinite(left)
        total += float((left[known] ** 2).sum())
        count += int(known.sum())
    return total / max(count, 1)


def _with_drift(match: Match, pairs: Sequence[Pair]) -> Match:
    """``match`` with the trend of the region's difference, drawn to none by as much as its error demands.

    Monthly means of the region are the observations, with the annual cycle beside it: seasons that one end of the
    record lacks are no trend.
    """
    months: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for day, x, y in pairs:
        left = y - (match.offset + match.gain * x)
        if np.isfinite(left).any():
            at = (day - match.middle).days / 365.25
            months.setdefault((day.year, day.month), []).append((at, float(np.nanmean(left))))
    t, r = np.array([np.mean(v, 0) for v in months.values()]).T
    if len(t) < FEWEST_MONTHS:
        return match
    basis = np.stack([np.ones_like(t), t, np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], 1)
    law, *_ = np.linalg.lstsq(basis, r, rcond=None)
    scatter = float(((r - basis @ law) ** 2).sum() / (len(t) - basis.shape[1]))
    variance = scatter * float(np.linalg.inv(basis.T @ basis)[1, 1])
    belief = SENSOR_DRIFT**2 / (SENSOR_DRIFT**2 + variance)
    drift = belief * float(law[1])
    # The level stays that of the pairs: what the trend adds, their mean time takes away.
    offset = match.offset - np.float32(drift * t.mean())
    return replace(match, drift=drift, drift_error=float(np.sqrt(1 - belief) * SENSOR_DRIFT), offset=offset)


def _over_the_calendar(code: int, reference: int, days: Mapping[int, Sequence[dt.date]], read: Reader) -> Match:
    """The match over the months of the year that both have, in whatever years; of what has none in common, nothing."""
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
    log.warning("%s shares no days with %s or with a sensor that met both: it is matched over %d days of the same "
                "months of other years, which is worse", name_of(code), name_of(reference), len(pairs))  # fmt: skip
    match = fit_match(pairs, f"{len(pairs)} days of the same months as {name_of(reference)} in other years",
                same_days=False)  # fmt: skip
    return replace(match, error=np.sqrt(match.error**2 + np.float32(CALENDAR_ERROR) ** 2))
