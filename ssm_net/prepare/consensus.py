"""Consensus of several sensors: their precision-weighted mean on each day, at a level that all of them share.

Intercalibration makes each sensor what the reference would have observed, with the reference's lasting error in each
cell: errors of vegetation, texture and calibration that stay. Averaging then takes away noise, and nothing of that. But
each sensor has a lasting error of its own, and none is known to be right. So the level of the consensus in a cell is
the mean of the sensors' levels, weighted by the inverse variance of their stated lasting errors: the best estimate
where these are independent. It is a constant shift of the reference, fitted once, that all days get, whichever sensors
observed them: a sensor that comes or goes leaves no step.

On a day, the sensors that observed a cell are averaged, weighted by the inverse variance of what is left of their
stated errors without the lasting part. Two products of one instrument share its noise: only the one whose pass is
nearest to the night overpass counts. The stated error is that of this mean and of the shared level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssm_net.core.clock import NIGHT_HOUR
from ssm_net.core.radiometers import BY_CODE, by_day, record_of
from ssm_net.ingest.ssm import CoarseSSM

LEAST_RANDOM = 0.5  # of a stated error, that varies from day to day whatever the lasting part is said to be


@dataclass(frozen=True)
class Consensus:
    """``shift`` (R, C) m3 m-3 is added to what the reference would observe; ``error`` m3 m-3 is left of the lasting
    errors."""

    shift: np.ndarray
    error: float

    def to_json(self) -> dict[str, Any]:
        return {"shift": np.round(self.shift, 6).tolist(), "error": round(self.error, 6)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Consensus:
        return cls(np.asarray(stored["shift"], np.float32), float(stored["error"]))


def fit_consensus(reference: int, above: Mapping[int, np.ndarray]) -> Consensus | None:
    """The level that the sensors share: of the ``reference`` and of those whose levels stand ``above`` its own, by
    code, (R, C) m3 m-3 each. None where there is no second instrument among them.

    Of the records of an instrument one counts: the reference, else one by night, else the first of the table.
    """
    levels = {BY_CODE[reference].instrument: (reference, np.float32(0.0))}
    for code in sorted(above, key=lambda c: (by_day(c), c)):
        levels.setdefault(BY_CODE[code].instrument, (code, above[code]))  # type: ignore[arg-type]
    if len(levels) < 2:
        return None
    precision = {code: BY_CODE[code].lasting ** -2 for code, _ in levels.values()}
    total = sum(precision.values())
    shift = sum(precision[code] / total * level for code, level in levels.values())
    return Consensus(np.asarray(shift, np.float32), float(total**-0.5))


def combine(observed: Sequence[CoarseSSM], error: float) -> CoarseSSM:
    """The consensus of sensors on one day, each at the shared level, whose ``error`` is given (m3 m-3). ``source`` is
    the sensor with the largest weight."""
    shape = observed[0].ssm.shape
    values, precisions, sources = [], [], []
    taken: dict[str, np.ndarray] = {}
    for one in sorted(observed, key=_from_night):
        lasting = np.zeros(shape)
        seen = np.isfinite(one.ssm)
        for code in np.unique(one.source[seen]):
            radiometer, here = BY_CODE[int(code)], seen & (one.source == code)
            before = taken.setdefault(radiometer.instrument, np.zeros(shape, bool))
            seen &= ~(here & before)
            before |= here
            lasting[here] = radiometer.lasting
        random = np.maximum(one.sigma**2 - lasting**2, (LEAST_RANDOM * one.sigma) ** 2)
        values.append(np.where(seen, one.ssm, 0.0))
        precisions.append(np.where(seen, 1 / np.where(seen, random, 1.0), 0.0))
        sources.append(one.source)
    weight = np.stack(precisions)
    total = weight.sum(0)
    some = total > 0
    safe = np.where(some, total, 1.0)
    ssm = np.where(some, (weight * np.stack(values)).sum(0) / safe, np.nan)
    sigma = np.where(some, np.sqrt(1 / safe + error**2), np.nan)
    source = np.where(some, np.take_along_axis(np.stack(sources), weight.argmax(0)[None], 0)[0], 0)
    return CoarseSSM(ssm.astype(np.float32), sigma.astype(np.float32), source.astype(np.uint8))


def first_of(observed: Sequence[CoarseSSM]) -> CoarseSSM:
    """In each cell the sensor whose pass is nearest to the night overpass: of records of one instrument."""
    first, *others = sorted(observed, key=_from_night) if len(observed) > 1 else observed
    for other in others:
        gap = ~np.isfinite(first.ssm)
        first = CoarseSSM(*(np.where(gap, getattr(other, name), getattr(first, name))
                            for name in ("ssm", "sigma", "source")))  # fmt: skip
    return first


def codes_in(observed: Sequence[CoarseSSM]) -> list[int]:
    """The records that observed any cell."""
    return sorted({record_of(int(code)) for one in observed for code in np.unique(one.source[np.isfinite(one.ssm)])})


def _from_night(one: CoarseSSM) -> tuple[float, int]:
    """Hours from the night overpass to that of a sensor, and its code."""
    code = int(one.source.max()) or max(BY_CODE)
    return abs(BY_CODE[code].overpass - NIGHT_HOUR), code
