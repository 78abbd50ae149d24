"""One pass over the days: every file is read once, and what the report needs is kept as sums."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.store import Cube
from ssm_net.evaluate.metrics.algebra import Scorecard, ScoredDay, Statistic
from ssm_net.evaluate.metrics.coverage import Coverage
from ssm_net.evaluate.metrics.scorecard import SCORECARD
from ssm_net.evaluate.metrics.statistics import Moments, merge
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.referees.breaks import DayLevel
from ssm_net.evaluate.referees.coarse import coarse_consistency, coarse_observation, observation_ages
from ssm_net.evaluate.referees.point_series import PointDay, Series, to_series, without_training_stations
from ssm_net.evaluate.referees.truth import PRODUCT, TRUTH, TruthScores, score_day
from ssm_net.formats.product import Attribute, Flag, Mosaic
from ssm_net.formats.truth import Truth
from ssm_net.stations.matching import Point

log = logging.getLogger(__name__)

SNAPSHOTS = 3  # days whose maps are shown
SNAPSHOT_SIDE = 480  # pixels of a map in the report, at most


@dataclass(frozen=True)
class Snapshot:
    """The maps of a day, thinned to at most ``SNAPSHOT_SIDE`` pixels a side.

    Soil moisture ``fields`` by method and ``sigma`` in m3 m-3, ``water`` a bool mask.
    """

    day: dt.date
    lon: np.ndarray
    lat: np.ndarray
    fields: dict[str, np.ndarray]
    sigma: np.ndarray
    flags: np.ndarray
    water: np.ndarray


@dataclass(frozen=True)
class EvaluationInputs:
    """What is scored and what it is compared with: the mosaics by method, ``PRODUCT`` first, and the referees."""

    methods: Mapping[str, Mosaics]
    truth: Truth | None
    cube: Cube
    points: Sequence[Point] = ()
    scorecard: Scorecard = SCORECARD


@dataclass(frozen=True)
class EvaluatedDay:
    """What one day adds; ``note`` says why it is not scored against the truth."""

    scores: TruthScores
    coarse: dict[str, Moments]
    coverage: Coverage
    level: DayLevel
    points: PointDay
    snapshot: Snapshot | None
    attrs: dict[str, Attribute]
    note: str


@dataclass(frozen=True)
class Evaluation:
    """The sums of all days, and what is kept of single days.

    ``coverage`` is by month, yyyy-mm; ``series`` is without the stations that the networks were trained on; ``attrs``
    are those of the product's last mosaic, ``instruments`` those behind any of them.
    """

    scores: TruthScores
    coarse: dict[str, Moments]
    coverage: dict[str, Coverage]
    levels: tuple[DayLevel, ...]
    series: Series
    snapshots: tuple[Snapshot, ...]
    attrs: dict[str, Attribute]
    notes: tuple[str, ...]
    instruments: frozenset[str] = frozenset()


def score_days(
    inputs: EvaluationInputs,
    days: Sequence[dt.date],
    progress: Callable[[Sequence[dt.date]], Iterable[dt.date]] = iter,
) -> Evaluation:
    """Read ``days``, which the product has, of all methods once.

    A day that a baseline lacks is not scored against the truth, and a note says so.
    """
    footprint = inputs.cube.footprint()
    shown = set(evenly_spaced(days, SNAPSHOTS))
    limited = {s: set(evenly_spaced(days, s.most_days)) for s in inputs.scorecard.statistics if s.most_days}
    scores, coarse, coverage = TruthScores.zero(), dict[str, Moments](), dict[str, Coverage]()
    points, levels, snapshots, notes = [], [], [], []
    attrs: dict[str, Attribute] = {}
    trained_on, instruments = set(), set()  # of all days: those of two networks may lie in one folder
    for day, age in zip(progress(days), observation_ages(inputs.cube, days), strict=True):
        skip = {s for s, picked in limited.items() if day not in picked}
        result = _evaluate_day(inputs, day, age, footprint, skip, day in shown)
        scores += result.scores
        coarse = merge(coarse, result.coarse)
        coverage = merge(coverage, {f"{day:%Y-%m}": result.coverage})
        points.append(result.points)
        levels.append(result.level)
        snapshots += [result.snapshot] if result.snapshot else []
        notes += [result.note] if result.note else []
        attrs = result.attrs
        trained_on.add(str(attrs.get("stations_trained_on", "")))
        instruments |= set(filter(None, str(attrs.get("instrument", "")).split(", "))) - {"none"}
    for note in notes:
        log.warning(note)
    series = to_series(inputs.points, points, list(inputs.methods), inputs.cube.domain)
    series = without_training_stations(series, trained_on)
    return Evaluation(scores, coarse, coverage, tuple(levels), series, tuple(snapshots), attrs, tuple(notes),
                      frozenset(instruments))  # fmt: skip


def _evaluate_day(
    inputs: EvaluationInputs,
    day: dt.date,
    age: np.ndarray,
    footprint: ObservationOperator,
    skip: Collection[Statistic],
    shown: bool,
) -> EvaluatedDay:
    """All comparisons of one day; ``age`` (R, C) are days since each cell was last observed."""
    cube, domain = inputs.cube, inputs.cube.domain
    maps = {name: mosaics.read(day) for name, mosaics in inputs.methods.items() if day in mosaics.days}
    product = maps[PRODUCT]
    truth = inputs.truth.read(day) if inputs.truth else None
    water = (product.flags & int(Flag.WATER)) > 0
    if inputs.truth is not None:
        water |= inputs.truth.water >= 0.5
    observed = coarse_observation(cube, day)
    absent = [name for name in inputs.methods if name not in maps]
    note, scores = "", TruthScores.zero()
    if absent:
        note = f"{day}: not scored, there is no mosaic of {', '.join(absent)}"
    elif inputs.truth is not None and truth is None:
        note = f"{day}: not scored against the truth, which does not hold that day"
    if truth is not None:
        scored = ScoredDay(day, product.flags, domain.ratio, age, cube)
        land = footprint.land.numpy() & ~water
        scores = score_day(truth, maps, land, scored, inputs.scorecard, skip, complete=not absent)
    return EvaluatedDay(
        scores=scores,
        coarse={} if observed is None else {n: coarse_consistency(m, observed, footprint) for n, m in maps.items()},
        coverage=Coverage.of(product),
        level=DayLevel.of(product, cube, truth, observed, footprint),
        points=PointDay.of(day, inputs.points, maps, truth, observed),
        snapshot=_snapshot(maps, truth, water) if shown else None,
        attrs=product.attrs,
        note=note,
    )


def evenly_spaced(days: Sequence[dt.date], count: int) -> list[dt.date]:
    """``count`` days in the middles of equal parts of ``days``."""
    if len(days) <= count:
        return list(days)
    return [days[int((i + 0.5) * len(days) / count)] for i in range(count)]


def _snapshot(maps: Mapping[str, Mosaic], truth: np.ndarray | None, water: np.ndarray) -> Snapshot:
    product = maps[PRODUCT]
    fields = ({TRUTH: truth} if truth is not None else {}) | {name: m.ssm for name, m in maps.items()}
    step = -(-max(water.shape) // SNAPSHOT_SIDE)
    thin = np.s_[::step, ::step]
    lon, lat = product.domain.lonlat()
    thinned = {name: f[thin].copy() for name, f in fields.items()}  # a copy, or the whole day stays in memory
    return Snapshot(product.day, lon[::step], lat[::step], thinned,
                    *(a[thin].copy() for a in (product.sigma, product.flags, water)))  # fmt: skip
