"""Lags of a record: on which day, against the coarse observation, rain and LST fit best.

A sum that is dated by its end instead of its beginning, or a view that is filed a day off, spoils what is learned and
shows in no map. It shows here: the change of the observation between two overpasses is compared with the rain that fell
between them, and the anomaly of the observation with that of LST at the hour of the view, each with the input taken
from -2 to 2 days later. Whether another lag is better than 0 is judged by a bootstrap over blocks of days and of cells.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ssm_net.core.clock import OVERPASSES
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import OTHERS

LAGS = (-2, -1, 0, 1, 2)
REACH = 2  # days, of the lags
DAYS_NEEDED = 20  # days with an observation, below which nothing is said
LONGEST = 180  # days; of a longer record its last ones
APART = 3  # days between two observations whose change is compared, at most
SEASON = 15  # days, of the running mean that anomalies are taken against
SEEN = 0.25  # of a cell's land, for its LST to count
BLOCK = 5  # days of a block
CELL_BLOCKS = 4  # blocks of cells along each axis
CELLS = 4000  # of a larger domain, every second, third .. row and column
DRAWS = 1000
WRONG = 0.05 / (len(LAGS) - 1)  # of no better lag, that one of the four is found better
CLEARLY = 0.03  # by which a correlation is better, at least
ENOUGH = 0.1  # correlation that tells anything


@dataclass(frozen=True)
class LagRow:
    """One input against the observation: correlations ``r`` by ``LAGS``, of ``pairs`` of cells and days; the ``best``
    lag, where it is largest (of LST, which may go either way, its size); ``clear`` where another than 0 is clearly
    better."""

    name: str
    r: tuple[float, ...]
    pairs: int
    best: int
    clear: bool


def lag_table(cube: Cube) -> list[LagRow]:
    """A row for each of rain and LST that the cube holds; empty where the record is too short to tell.

    Raises ``CubeError`` and ``DamagedError`` as reading does.
    """
    if "ssm" not in cube.coarse:
        return []
    days = cube.done_days()[-LONGEST:]
    if len(days) < DAYS_NEEDED:
        return []
    inputs = {"rain": _series(cube, "rain", days)} if "rain" in cube.coarse else {}
    for k in OVERPASSES:
        if f"lst_{k}" in cube.coarse:
            seen = _series(cube, f"lst_{k}_seen", days) >= SEEN
            inputs[f"lst_{k}"] = np.where(seen, _series(cube, f"lst_{k}", days), np.nan)
        for name in (f"lst_{k}_other", *(f"lst_{k}_other_{n}" for n in OTHERS)):
            if name in cube.coarse:
                inputs[name] = _series(cube, name, days)
    step = _step(cube)
    rows, cols = (len(range(0, n, step)) for n in cube.domain.coarse_shape)
    return rows_of(_series(cube, "ssm", days), inputs, (rows, cols))


def rows_of(ssm: np.ndarray, inputs: Mapping[str, np.ndarray], shape: tuple[int, int]) -> list[LagRow]:
    """The rows of ``inputs`` (``rain``, ``lst_day``, ``lst_night``, ``lst_day_other`` ..) against the observation, all
    (days, cells) of consecutive days and of the cells of ``shape``, NaN where missing."""
    if np.isfinite(ssm).any(1).sum() < DAYS_NEEDED:
        return []
    at_night = _filled(ssm)
    # The observation of a day is of 01:30: a view of 13:30 lies between it and that of the next day.
    at_day = np.vstack([(at_night[:-1] + at_night[1:]) / 2, np.full((1, ssm.shape[1]), np.nan)])
    rows = []
    for name, values in inputs.items():
        if name == "rain":
            pairs = _rain_pairs(ssm, values)
        else:
            pairs = _lst_pairs(at_day if name.startswith("lst_day") else at_night, values)
        row = _row(name, pairs, shape)
        rows += [] if row is None else [row]
    return rows


def _series(cube: Cube, name: str, days: Sequence[dt.date]) -> np.ndarray:
    """A coarse variable of all days from the first to the last, (days, cells) float32, NaN where a day is missing."""
    step = _step(cube)
    missing = np.full(cube.domain.coarse_shape, np.nan, np.float32)[::step, ::step].ravel()
    out = np.tile(missing, ((days[-1] - days[0]).days + 1, 1))
    for day in days:
        out[(day - days[0]).days] = cube.read_coarse(name, day)[::step, ::step].ravel()
    return out


def _step(cube: Cube) -> int:
    """From one cell to the next that counts, along each axis."""
    rows, cols = cube.domain.coarse_shape
    return math.ceil(math.sqrt(rows * cols / CELLS))


def _rain_pairs(ssm: np.ndarray, rain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of the observation since the last one, (days, cells), and the root of the rain between the two, taken
    each of ``LAGS`` later, (lags, days, cells)."""
    t, cells = ssm.shape
    fallen = np.vstack([np.zeros((1, cells)), np.nan_to_num(rain).cumsum(0)])  # until the overpass of day n - 1
    before = np.vstack([np.full((1, cells), -1), _last_seen(ssm)[:-1]])
    day = np.arange(t)[:, None]
    usable = np.isfinite(ssm) & (before >= REACH) & (day - before <= APART) & (day < t - REACH)
    start = np.clip(before, REACH, t - 1 - REACH)
    column = np.arange(cells)[None]
    change = np.where(usable, ssm - np.take_along_axis(ssm, start, 0), np.nan)
    later = np.clip(day, None, t - 1 - REACH)
    x = [np.sqrt(np.clip(fallen[later + lag + 1, column] - fallen[start + lag + 1, column], 0, None)) for lag in LAGS]
    return change, np.where(usable, np.stack(x), np.nan)


def _lst_pairs(at_view: np.ndarray, lst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The anomaly of LST, (days, cells), and those of the observations that are compared with it, (lags, days, cells):
    with LST of each of ``LAGS`` later."""
    x, y = _anomaly(lst), _anomaly(at_view)
    out = np.full((len(LAGS), *y.shape), np.nan)
    for n, lag in enumerate(LAGS):  # LST of day s, taken `lag` days later than the observation of day s - lag
        source = slice(max(0, -lag), y.shape[0] - max(0, lag))
        out[n, max(0, lag) : y.shape[0] + min(0, lag)] = y[source]
    return x, out


def _last_seen(values: np.ndarray) -> np.ndarray:
    """The last day, that day included, on which there is a value, (days, cells); -1 before the first."""
    day = np.arange(len(values))[:, None]
    return np.asarray(np.maximum.accumulate(np.where(np.isfinite(values), day, -1), axis=0))


def _filled(values: np.ndarray) -> np.ndarray:
    """The same, interpolated in time over gaps of at most ``APART`` days, float64."""
    t, day = len(values), np.arange(len(values))[:, None]
    before, after = _last_seen(values), t - 1 - _last_seen(values[::-1])[::-1]
    inside = (before >= 0) & (after < t)
    before, after = np.where(inside, before, 0), np.where(inside, after, 0)
    low, high = (np.take_along_axis(values, n, 0).astype(np.float64) for n in (before, after))
    share = (day - before) / np.maximum(after - before, 1)
    return np.where(inside & (after - before <= APART), low + share * (high - low), np.nan)


def _anomaly(values: np.ndarray) -> np.ndarray:
    """Less the mean of the days around."""
    half = SEASON // 2
    known = np.isfinite(values)
    padded = np.vstack([np.zeros((1, values.shape[1])), np.where(known, values, 0).cumsum(0)])
    counts = np.vstack([np.zeros((1, values.shape[1])), known.cumsum(0)])
    first = np.clip(np.arange(len(values)) - half, 0, None)
    last = np.clip(np.arange(len(values)) + half + 1, None, len(values))
    number = counts[last] - counts[first]
    mean = np.divide(padded[last] - padded[first], number, out=np.full(values.shape, np.nan), where=number >= 3)
    return values - mean


def _row(name: str, pairs: tuple[np.ndarray, np.ndarray], shape: tuple[int, int]) -> LagRow | None:
    one, others = pairs
    common = np.isfinite(one) & np.isfinite(others).all(0)  # the same pairs at every lag
    if common.sum() < 50:
        return None
    sums = _block_sums(one, others, common, shape)
    r = _correlation(sums.sum((0, 1)))
    sign = 1.0 if name == "rain" else np.sign(r[np.abs(r).argmax()])
    best, at_zero, clear = int(np.argmax(sign * r)), LAGS.index(0), False
    if best != at_zero and sign * r[best] >= ENOUGH:
        draws = sign * _correlation(_resampled(sums))
        found = np.mean(draws[:, best] <= draws[:, at_zero]) <= WRONG
        clear = bool(sign * (r[best] - r[at_zero]) >= CLEARLY and found)
    return LagRow(name, tuple(float(v) for v in r), int(common.sum()), LAGS[best], clear)


def _block_sums(one: np.ndarray, others: np.ndarray, common: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """n, x, y, xx, yy, xy over blocks, (day blocks, cell blocks, lags, 6). Means of cells are taken away first."""
    starts = np.arange(0, one.shape[0], BLOCK)
    rows, cols = (np.arange(n) * min(CELL_BLOCKS, n) // n for n in shape)
    block = (rows[:, None] * min(CELL_BLOCKS, shape[1]) + cols[None]).ravel()
    member = (block[:, None] == np.arange(block.max() + 1)).astype(float)
    count = common.sum(0).clip(1)

    def centred(values: np.ndarray) -> np.ndarray:
        known = np.where(common, values, 0)
        return np.where(common, known - known.sum(0) / count, 0)

    x = centred(one)
    out = np.zeros((starts.size, member.shape[1], len(LAGS), 6))
    for n in range(len(LAGS)):
        y = centred(others[n])
        for m, value in enumerate((common.astype(float), x, y, x * x, y * y, x * y)):
            out[:, :, n, m] = np.add.reduceat(value, starts, axis=0) @ member
    return out


def _resampled(sums: np.ndarray) -> np.ndarray:
    """Sums of as many blocks, drawn with replacement, of days and of cells apart: (draws, lags, 6)."""
    rng = np.random.default_rng(0)
    by_day, by_cell = (rng.multinomial(n, np.full(n, 1 / n), DRAWS).astype(float) for n in sums.shape[:2])
    return np.einsum("bd,bc,dclm->blm", by_day, by_cell, sums, optimize=True)


def _correlation(sums: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    n = np.maximum(n, 1)
    spread = (xx - x * x / n) * (yy - y * y / n)
    return np.divide(xy - x * y / n, np.sqrt(np.maximum(spread, 0)), out=np.zeros_like(xy), where=spread > 0)
