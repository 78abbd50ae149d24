"""One pass over the days: every file is read once, and what the report needs is kept as sums."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.store import Cube
from ssm_net.evaluate.metrics.algebra import Scorecard, ScoredDay, Statistic
from ssm_net.evaluate.metrics.blocks import ErrorBlocks, first_of_pentad, side_of
from ssm_net.evaluate.metrics.coverage import Coverage
from ssm_net.evaluate.metrics.scorecard import SCORECARD
from ssm_net.evaluate.metrics.spatial import cell_mean
from ssm_net.evaluate.metrics.statistics import Moments, merge
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.referees.breaks import DayLevel
from ssm_net.evaluate.referees.coarse import agreement, coarse_observation, footprint_mean, observation_ages
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
    """What is scored and what it is compared with: the mosaics by method, ``PRODUCT`` first, and the referees.

    Only pixels ``inside`` (Ny, Nx) bool are scored, and cells that are so by half; all where it is None.
    """

    methods: Mapping[str, Mosaics]
    truth: Truth | None
    cube: Cube
    points: Sequence[Point] = ()
    scorecard: Scorecard = SCORECARD
    inside: np.ndarray | None = None

    def limited(self, mosaic: Mosaic) -> Mosaic:
        """A mosaic without the values of pixels outside."""
        return mosaic if self.inside is None else replace(mosaic, ssm=np.where(self.inside, mosaic.ssm, np.nan))

    def observation(self, day: dt.date) -> np.ndarray | None:
        """The coarse observation (R, C) of the cells that are scored; None where there is none at all."""
        observed = coarse_observation(self.cube, day)
        if observed is None or self.inside is None:
            return observed
        part = cell_mean(self.inside, np.ones_like(self.inside), self.cube.domain.ratio)
        kept = np.where(part >= 0.5, observed, np.nan)
        return kept if np.isfinite(kept).any() else None


@dataclass(frozen=True)
class EvaluatedDay:
    """What one day adds; ``note`` says why it is not scored against the truth."""

    scores: TruthScores
    coarse: dict[str, Moments]
    consistency: ErrorBlocks | None
    coverage: Coverage
    level: DayLevel
    points: PointDay
    snapshot: Snapshot | None
    attrs: dict[str, Attribute]
    note: str


@dataclass(frozen=True)
class Evaluation:
    """The sums of all days, and what is kept of single days.

    ``consistency`` is that of the product with the coarse observation, by pentad; ``coverage`` is by month, yyyy-mm;
    ``series`` is without the stations that the networks were trained on; ``attrs`` are those of the product's last
    mosaic, ``instruments`` those behind any of them.
    """

    scores: TruthScores
    coarse: dict[str, Moments]
    consistency: dict[dt.date, ErrorBlocks]
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
    consistency: dict[dt.date, ErrorBlocks] = {}
    points, levels, snapshots, notes = [], [], [], []
    attrs: dict[str, Attribute] = {}
    trained_on, instruments = set(), set()  # of all days: those of two networks may lie in one folder
    for day, age in zip(progress(days), observation_ages(inputs.cube, days), strict=True):
        skip = {s for s, picked in limited.items() if day not in picked}
        result = _evaluate_day(inputs, day, age, footprint, skip, day in shown)
        scores += result.scores
        coarse = merge(coarse, result.coarse)
        if result.consistency is not None:
            consistency = merge(consistency, {first_of_pentad(day): result.consistency})
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
    kept = tuple(levels), series, tuple(snapshots), attrs, tuple(notes), frozenset(instruments)
    return Evaluation(scores, coarse, consistency, coverage, *kept)


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
    observed = inputs.observation(day)
    means = {} if observed is None else {name: footprint_mean(m.ssm, footprint) for name, m in maps.items()}
    absent = [name for name in inputs.methods if name not in maps]
    note, scores = "", TruthScores.zero()
    if absent:
        note = f"{day}: not scored, there is no mosaic of {', '.join(absent)}"
    elif inputs.truth is not None and truth is None:
        note = f"{day}: not scored against the truth, which does not hold that day"
    if truth is not None:
        scored = ScoredDay(day, product.flags, domain.ratio, age, cube)
        land = footprint.land.numpy() & ~water
        land = land if inputs.inside is None else land & inputs.inside
        scores = score_day(truth, maps, land, scored, inputs.scorecard, skip, complete=not absent)
    return EvaluatedDay(
        scores=scores,
        coarse={} if observed is None else {n: agreement(mean, observed) for n, mean in means.items()},
        consistency=None if observed is None else _consistency(means[PRODUCT], observed),
        coverage=Coverage.of(product, inputs.inside),
        level=DayLevel.of(inputs.limited(product), cube, truth, observed, footprint),
        points=PointDay.of(day, inputs.points, maps, truth, observed),
        snapshot=_snapshot(maps, truth, water, inputs.inside) if shown else None,
        attrs=product.attrs,
        note=note,
    )


def _consistency(mean: np.ndarray, observed: np.ndarray) -> ErrorBlocks:
    """Footprint means (R, C) against the coarse observation, by block of cells."""
    error = mean - observed
    return ErrorBlocks.of(error, np.isfinite(error), side_of((observed.shape[0], observed.shape[1])))


def evenly_spaced(days: Sequence[dt.date], count: int) -> list[dt.date]:
    """``count`` days in the middles of equal parts of ``days``."""
    if len(days) <= count:
        return list(days)
    return [days[int((i + 0.5) * len(days) / count)] for i in range(count)]


def _snapshot(
    maps: Mapping[str, Mosaic], truth: np.ndarray | None, water: np.ndarray, inside: np.ndarray | None
) -> Snapshot:
    """The maps of the pixels ``inside`` and of the box around them."""
    product = maps[PRODUCT]
    fields = ({TRUTH: truth} if truth is not None else {}) | {name: m.ssm for name, m in maps.items()}
    box = np.s_[:, :]
    if inside is not None:
        fields = {name: np.where(inside, field, np.nan) for name, field in fields.items()}
        rows, cols = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    height, width = water[box].shape
    step = -(-max(height, width) // SNAPSHOT_SIDE)
    thin = np.s_[box[0].start : box[0].stop : step, box[1].start : box[1].stop : step]
    lon, lat = product.domain.lonlat()
    thinned = {name: f[thin].copy() for name, f in fields.items()}  # a copy, or the whole day stays in memory
    sigma, flags, wet = product.sigma, product.flags, water
    if inside is not None:
        sigma, flags, wet = np.where(inside, sigma, np.nan), np.where(inside, flags, 0), water & inside
    return Snapshot(product.day, lon[thin[1]], lat[thin[0]], thinned, *(a[thin].copy() for a in (sigma, flags, wet)))
