"""Baselines of the station table that need no network: LST anomalies, their memories, and a ridge on both.

A baseline is linear in features of a station, as differences from the mean of the others. Its slopes are learned in
simulated worlds of families A, B and C, laid out as station tables with a column ``cell``; soil moisture of the table
that is judged is never used. ``learn_slopes`` makes the worlds; slopes that are kept in a file are read from it.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ground_inputs import reduced_lst
from ground_table import StationCell, read_cells

from ssm_net.core.files import write_whole
from ssm_net.grid import Domain
from ssm_net.lst.filling_error import SHRINK
from ssm_net.simulate.world.days import SPIN_UP, simulate_days
from ssm_net.simulate.world.land import make_land
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.observe import QC_CLOUD, Observer

TODAY = "LST of the day"
BACKGROUND_DAYS = 30.0  # e-folding of a station's own anomaly, by which the mean of those observed is corrected
MEMORY_DAYS = (4, 30, 90, 365)
MEMORIES = {days: f"LST memory, {days} d" for days in MEMORY_DAYS}
RIDGE = "ridge, no static maps"
FEATURES_OF = {TODAY: (TODAY,), **{m: (m,) for m in MEMORIES.values()}, RIDGE: (TODAY, *MEMORIES.values(), "ndvi")}
PENALTY = 0.01  # of the ridge, in standardised features, relative to the number of rows

FAMILIES, SEED, STATIONS = "ABC", 51, 13
WINDOW = (68, 72, 772, 776)  # M36 rows and columns of a world: 16 cells
WORLD_DAYS = 730  # two years: the first fills the memories, the second is fitted


def station_features(cell: StationCell) -> dict[str, np.ndarray]:
    """Features of the baselines, (T, n), 0 where nothing was ever observed.

    LST anomalies are taken at sea level, against the mean over the observed stations of LST less each one's own
    anomaly of the past 30 days: which stations are under cloud does not move it. A memory is the fading mean of the
    anomalies, drawn towards 0 while it holds few.
    """
    lst = reduced_lst(cell)
    own = _Memory(lst.shape[1], BACKGROUND_DAYS)
    memories = {name: _Memory(lst.shape[1], days) for days, name in MEMORIES.items()}
    out = {name: np.zeros(lst.shape) for name in FEATURES_OF[RIDGE]}
    for t, today in enumerate(lst):
        seen = np.isfinite(today)
        if seen.any():
            anomaly = np.where(seen, today - np.mean(today[seen] - own.value[seen]), np.nan)
        else:
            anomaly = today
        out[TODAY][t] = np.nan_to_num(anomaly)
        own.add(anomaly)
        for name, memory in memories.items():
            memory.add(anomaly)
            out[name][t] = memory.value
    if "ndvi" in cell.daily:
        ndvi = pd.DataFrame(cell.daily["ndvi"]).ffill()
        out["ndvi"] = ndvi.sub(ndvi.mean(axis=1), axis=0).fillna(0.0).to_numpy()
    return out


class _Memory:
    """A fading mean of anomalies of n stations with its number of observations."""

    def __init__(self, stations: int, days: float) -> None:
        self.kept, self.mean, self.weight = math.exp(-1 / days), np.zeros(stations), np.zeros(stations)

    @property
    def value(self) -> np.ndarray:
        """The mean, drawn towards 0 as its observations grow few and old."""
        return self.mean * self.weight / (self.weight + SHRINK)

    def add(self, anomaly: np.ndarray) -> None:
        """A day's anomalies, NaN where there is none."""
        seen = np.isfinite(anomaly)
        old = self.kept * self.weight
        self.weight = old + seen
        total = old * self.mean + np.where(seen, anomaly, 0.0)
        self.mean = np.divide(total, self.weight, out=self.mean, where=self.weight > 0)


def linear_anomalies(
    cell: StationCell, features: Mapping[str, np.ndarray], slopes: Mapping[str, Mapping[str, float]]
) -> dict[str, np.ndarray]:
    """The anomaly that each baseline predicts, (T, n) m3 m-3."""
    difference = {name: values - cell.mean_of_others(values) for name, values in features.items()}
    return {
        method: sum((slope * difference[name] for name, slope in of_method.items()), np.zeros(cell.due.shape))
        for method, of_method in slopes.items()
    }


def fit_slopes(cells: Sequence[StationCell]) -> dict[str, dict[str, float]]:
    """Slopes of each baseline (m3 m-3 a K, or a unit of NDVI) on the soil moisture of ``cells``, pooled; of several
    features by ridge regression."""
    x, y = [], []
    for cell in cells:
        features, due = station_features(cell), cell.due
        x.append(np.stack([(f - cell.mean_of_others(f))[due] for f in features.values()], 1))
        y.append((cell.daily["ssm"] - cell.coarse)[due])
    names, rows, anomaly = list(features), np.concatenate(x), np.concatenate(y)
    scale = np.maximum(rows.std(0), 1e-9)
    out = {}
    for method, wanted in FEATURES_OF.items():
        at = [names.index(name) for name in wanted]
        z = rows[:, at] / scale[at]
        ridge = PENALTY * len(z) * np.eye(len(at)) if len(at) > 1 else 0.0
        weights = np.linalg.solve(z.T @ z + ridge, z.T @ anomaly) / scale[at]
        out[method] = dict(zip(wanted, weights.tolist(), strict=True))
    return out


def learn_slopes(folder: Path, seeds: int) -> dict[str, dict[str, float]]:
    """Slopes in ``seeds`` worlds of each family, whose tables are kept in ``folder``; only the days after a year count,
    with memories that are full."""
    cells = []
    for family in FAMILIES:
        for seed in range(SEED, SEED + seeds):
            cells += [_last_days(cell) for cell in read_cells(world_table(folder, family, seed))]
    return fit_slopes(cells)


def _last_days(cell: StationCell) -> StationCell:
    """The cell without soil moisture in its first year: nothing is fitted there, but memories are filled."""
    ssm = cell.daily["ssm"].copy()
    ssm[:365] = np.nan
    return StationCell(cell.name, cell.days, cell.sites, cell.daily | {"ssm": ssm}, cell.static)


def world_table(folder: Path, family: str, seed: int, days: int = WORLD_DAYS) -> Path:
    """The station table of a simulated world, ``STATIONS`` in each cell; made where it is not there."""
    file = folder / f"{family}{seed}-{days}.csv.gz"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    domain, laws = Domain("world", WINDOW), laws_of(family, seed)
    land = make_land(domain, laws, seed)
    observer, rng = Observer(land, laws, seed), np.random.default_rng([seed, ord(family)])
    cell, row, col = _places(domain, land.water, rng)
    lat = domain.lonlat()[1][row]
    end = dt.date(2017, 12, 31)
    first = end - dt.timedelta(days - 1 - SPIN_UP)
    tables = []
    for day in simulate_days(land, laws, seed, first, end):
        true, error, qc = observer.lst(day, "day")
        lst = np.where(qc == QC_CLOUD, np.nan, true + error)
        columns = {"ssm": day.noon.ssm, "lst_day": lst, "ndvi": day.ndvi, "elevation": land.relief.elevation}
        tables.append(pd.DataFrame({"date": day.date, "cell": cell, "site": np.arange(len(row)), "lat": lat}
                                   | {name: field[row, col] for name, field in columns.items()}))  # fmt: skip
    text = pd.concat(tables).to_csv(index=False, float_format="%.5g")
    write_whole(file, gzip.compress(text.encode(), mtime=0))
    return file


def _places(domain: Domain, water: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number of the cell, row and column of each station: dry pixels drawn at random."""
    ratio = domain.ratio
    places = []
    for cell in range(math.prod(domain.coarse_shape)):
        top, left = (ratio * k for k in divmod(cell, domain.coarse_shape[1]))
        rows, cols = np.nonzero(water[top : top + ratio, left : left + ratio] < 0.1)
        pick = rng.choice(len(rows), STATIONS, replace=False)
        places.append(np.stack([np.full(STATIONS, cell), top + rows[pick], left + cols[pick]]))
    cell_number, row, col = np.concatenate(places, 1)
    return cell_number, row, col


def read_slopes(file: Path) -> dict[str, dict[str, float]]:
    """Slopes as ``bench/ground.py --worlds`` wrote them."""
    slopes: dict[str, dict[str, float]] = json.loads(file.read_text())["slopes"]
    return {method: slopes[method] for method in FEATURES_OF}
