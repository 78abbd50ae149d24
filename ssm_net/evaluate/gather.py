"""One pass over the days: every file is read once, and what the report needs is kept as sums."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.cube.store import Cube
from ssm_net.evaluate.metrics.breaks import DayLevel
from ssm_net.evaluate.metrics.coverage import Coverage, inputs
from ssm_net.evaluate.metrics.gaps import GapScore, ages, score_gaps
from ssm_net.evaluate.metrics.scores import PRODUCT, DayScores, coarse_consistency, score_day
from ssm_net.evaluate.metrics.statistics import Moments, merge
from ssm_net.evaluate.series import PointDay, Series, collect, unseen
from ssm_net.evaluate.sources import Mosaics, coarse_observation
from ssm_net.formats.product import Attribute, Flag
from ssm_net.formats.truth import Truth
from ssm_net.stations.matching import Point

log = logging.getLogger(__name__)

SPECTRUM_DAYS = 12  # the Fourier transforms of more days cost time and change the mean spectrum little
SIDE = 480  # pixels of a map in the report, at most


@dataclass(frozen=True)
class Snapshot:
    """The maps of a day, thinned to at most ``SIDE`` pixels a side. Soil moisture in m3 m-3, ``water`` a bool mask."""

    day: dt.date
    lon: np.ndarray
    lat: np.ndarray
    fields: dict[str, np.ndarray]
    sigma: np.ndarray
    flags: np.ndarray
    water: np.ndarray


@dataclass(frozen=True)
class Gathered:
    """What the pass over the days has found."""

    scores: DayScores
    coarse: dict[str, Moments]
    coverage: dict[str, Coverage]  # by month, yyyy-mm
    inputs: dict[str, dict[str, int]]  # by month, days that lacked an input
    levels: tuple[DayLevel, ...]  # of the product, a day each
    gaps: dict[str, GapScore]  # by days since the coarse observation
    series: Series  # without the stations that were learned from
    learned_from: int  # stations of the domain that the mosaics' networks learned from
    snapshots: tuple[Snapshot, ...]
    attrs: dict[str, Attribute]  # of the product's last mosaic
    scored: tuple[dt.date, ...]  # days with a truth and every method
    notes: tuple[str, ...]


def gather(
    methods: Mapping[str, Mosaics],
    truth: Truth | None,
    cube: Cube,
    days: Sequence[dt.date],
    points: Sequence[Point],
    progress: Callable[[Sequence[dt.date]], Iterable[dt.date]] = iter,
) -> Gathered:
    """Read ``days`` of all ``methods`` once.

    ``days`` are those that the product has; a day that a baseline lacks is not scored, and a note says so.
    """
    domain = cube.domain
    footprint = cube.footprint()
    show = set(spread(days, 3))
    transform = set(spread(days, SPECTRUM_DAYS))
    scores, coarse, coverage = DayScores.none(), dict[str, Moments](), dict[str, Coverage]()
    at_points, snapshots, notes, scored, levels = [], [], [], [], []
    gaps: dict[str, GapScore] = {}
    attrs: dict[str, Attribute] = {}
    trained_on = set()  # of all days: those of two networks may lie in one folder
    for day, age in zip(progress(days), ages(cube, days), strict=True):
        fields = {name: m.read(day) for name, m in methods.items() if day in m.days}
        product = fields[PRODUCT]
        attrs = product.attrs
        trained_on.add(str(attrs.get("stations_trained_on", "")))
        field = truth.read(day) if truth else None
        water = (product.flags & int(Flag.WATER)) > 0
        if truth is not None:
            water |= truth.water >= 0.5
        coverage = merge(coverage, {f"{day:%Y-%m}": Coverage.of(product)})
        at_points.append(PointDay.of(day, points, fields, field))
        observed = coarse_observation(cube, day)
        levels.append(DayLevel.of(product, cube, field, observed, footprint))
        if field is not None:
            gaps = merge(gaps, score_gaps(field, product, age, ~water, domain.ratio))
        if observed is not None:
            coarse = merge(coarse, {n: coarse_consistency(m, observed, footprint) for n, m in fields.items()})
        if day in show:
            maps = {"truth": field} if field is not None else {}
            snapshots.append(_snapshot(day, domain.lonlat(), maps | {n: m.ssm for n, m in fields.items()},
                                       product.sigma, product.flags, water))  # fmt: skip
        if lacking := [name for name in methods if name not in fields]:
            notes.append(f"{day}: not scored, there is no mosaic of {', '.join(lacking)}")
        elif truth is not None and field is None:
            notes.append(f"{day}: not scored against the truth, which does not hold that day")
        elif field is not None:
            scores += score_day(field, fields, ~water, domain.ratio, spectrum=day in transform)
            scored.append(day)
    for note in notes:
        log.warning(note)
    series, learned_from = unseen(collect(points, at_points, list(methods)), trained_on)
    return Gathered(
        scores, coarse, coverage, inputs(cube, _every(days)), tuple(levels), gaps, series,
        learned_from, tuple(snapshots), attrs, tuple(scored), tuple(notes),
    )  # fmt: skip


def _every(days: Sequence[dt.date]) -> list[dt.date]:
    """All days from the first to the last."""
    return [days[0] + dt.timedelta(n) for n in range((days[-1] - days[0]).days + 1)]


def spread(days: Sequence[dt.date], count: int) -> list[dt.date]:
    """``count`` days in the middles of equal parts of ``days``."""
    if len(days) <= count:
        return list(days)
    return [days[int((i + 0.5) * len(days) / count)] for i in range(count)]


def _snapshot(
    day: dt.date,
    lonlat: tuple[np.ndarray, np.ndarray],
    fields: Mapping[str, np.ndarray],
    sigma: np.ndarray,
    flags: np.ndarray,
    water: np.ndarray,
) -> Snapshot:
    step = -(-max(flags.shape) // SIDE)
    thin = np.s_[::step, ::step]
    lon, lat = lonlat
    kept = {name: f[thin].copy() for name, f in fields.items()}  # a copy, or the whole day stays in memory
    return Snapshot(day, lon[::step], lat[::step], kept, sigma[thin].copy(), flags[thin].copy(), water[thin].copy())
