"""Station table of one coarse cell: daily in situ soil moisture with satellite values at each station, as arrays.

A row a station and day; the columns are those of ``REQUIRED`` and, where there are any, of ``OPTIONAL``. Each station
is judged against the mean of the others, so that no value is compared with a coarse value that holds it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ssm_net.errors import SsmNetError
from ssm_net.evaluate.metrics.inside_cell import mean_of_others, others_with_value

REQUIRED = ("date", "site", "lat", "ssm", "lst_day", "elevation")
OPTIONAL = ("ndvi", "sand", "clay", "rain")
STATIC = ("lat", "elevation", "sand", "clay")
LEAST_OTHERS = 6  # stations with a value, whose mean stands for the coarse value


class GroundError(SsmNetError):
    """A station table cannot be used; the message names the column, or what is too little."""


@dataclass(frozen=True)
class StationCell:
    """The stations of one coarse cell on consecutive days, T days and n stations.

    ``daily`` maps columns to (T, n) float64, NaN where missing: ``ssm`` m3 m-3, ``lst_day`` K, ``ndvi``, ``rain`` mm;
    ``static`` to (n,): ``lat`` degrees, ``elevation`` m, ``sand`` and ``clay`` as fractions.
    """

    name: str
    days: tuple[dt.date, ...]
    sites: tuple[str, ...]
    daily: dict[str, np.ndarray]
    static: dict[str, np.ndarray]

    @cached_property
    def others(self) -> np.ndarray:
        """On each day and for each station, the other stations with soil moisture: (T, n, n) bool."""
        return others_with_value(self.daily["ssm"])

    def mean_of_others(self, values: np.ndarray) -> np.ndarray:
        """The mean of ``values`` over the other stations with soil moisture, (T, n), as
        ``ssm_net.evaluate.metrics.inside_cell.mean_of_others``; NaN where they are fewer than ``LEAST_OTHERS``."""
        return mean_of_others(values, self.others, LEAST_OTHERS)

    @cached_property
    def coarse(self) -> np.ndarray:
        """The mean soil moisture of the other stations, (T, n) m3 m-3: each station's coarse value."""
        return self.mean_of_others(self.daily["ssm"])

    @cached_property
    def due(self) -> np.ndarray:
        """Days and stations that are judged, (T, n) bool."""
        return np.isfinite(self.daily["ssm"]) & np.isfinite(self.coarse)


def read_cells(file: Path) -> list[StationCell]:
    """The cells of a table (CSV, may be compressed): one, or those that its column ``cell`` distinguishes.

    Raises ``GroundError`` where it cannot be read, lacks a column, holds a day of a station twice, or has on no day
    enough stations.
    """
    try:
        table = pd.read_csv(file, dtype={"site": str, "cell": str})
        if missing := [name for name in REQUIRED if name not in table]:
            raise GroundError(f"{file} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
                              f"needed are {', '.join(REQUIRED)}, optional {', '.join(OPTIONAL)}")  # fmt: skip
        table["date"] = pd.to_datetime(table["date"])
        names = [name for name in (*REQUIRED[2:], *OPTIONAL) if name in table]
        table[names] = table[names].astype(float)
    except (OSError, ValueError, pd.errors.ParserError) as err:
        if isinstance(err, GroundError):
            raise
        raise GroundError(f"{file} is no station table: {err}") from err
    groups: Iterable[tuple[str, pd.DataFrame]] = table.groupby("cell") if "cell" in table else [("", table)]
    return [_cell(file, str(name), rows) for name, rows in groups]


def _cell(file: Path, name: str, rows: pd.DataFrame) -> StationCell:
    of_cell = f"{file}{f', cell {name}' if name else ''}"
    twice = rows.duplicated(["date", "site"])
    if twice.any():
        first = rows[twice].iloc[0]
        raise GroundError(f"{of_cell}: station {first.site} has two rows of {first.date:%Y-%m-%d}")
    days = pd.date_range(rows["date"].min(), rows["date"].max())
    sites = tuple(sorted(rows["site"].unique()))
    daily, static = {}, {}
    for column in (*REQUIRED[2:], *OPTIONAL):
        if column not in rows:
            continue
        values = rows.pivot(index="date", columns="site", values=column).reindex(index=days, columns=list(sites))
        if column in STATIC:
            static[column] = values.median().to_numpy()
        else:
            daily[column] = values.to_numpy(dtype=float, copy=True)
    cell = StationCell(name, tuple(days.date), sites, daily, static)
    if not cell.due.any():
        raise GroundError(f"{of_cell}: on no day have {LEAST_OTHERS + 1} stations a value (it holds {len(sites)}); "
                          f"each is compared with the mean of at least {LEAST_OTHERS} others")  # fmt: skip
    return cell
