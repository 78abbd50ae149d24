"""Points in degrees, with names: from a CSV file, a mapping or plain coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ssm_net.extract.errors import ExtractError

COLUMNS = {"lon": ("lon", "longitude"), "lat": ("lat", "latitude"), "name": ("name", "station")}


@dataclass(frozen=True)
class Points:
    """Names, all different, and longitudes and latitudes in degrees, (n,)."""

    names: Sequence[str]
    lon: np.ndarray
    lat: np.ndarray

    @classmethod
    def of(cls, given: str | Path | Mapping[str, tuple[float, float]] | Sequence[tuple[float, float]]) -> Points:
        """A CSV file with the columns lon, lat and name; a mapping of names to (lon, lat); or a sequence of (lon, lat),
        whose names are point_1, point_2, ...

        Raises ``ExtractError`` where a column is missing, a value is no place on the Earth, or a name is there twice.
        """
        if isinstance(given, str | Path):
            return read_points(Path(given))
        if isinstance(given, Mapping):
            return _checked("points", list(given), list(given.values()), "")
        return _checked("points", [f"point_{n + 1}" for n in range(len(given))], list(given), "")


def read_points(path: Path) -> Points:
    """The places of a CSV file: columns lon (or longitude) and lat (or latitude), degrees, and name (or station).

    Without a column of names they are point_1, point_2, ... Raises ``ExtractError`` as ``Points.of``.
    """
    if not path.is_file():
        raise ExtractError(f"points={path}: no such file; give a CSV file with the columns lon, lat and name")
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False, skipinitialspace=True)
    except (ValueError, pd.errors.ParserError) as err:  # UnicodeDecodeError and EmptyDataError are ValueErrors
        raise ExtractError(f"points={path}: not a CSV file in UTF-8 ({err}); its first line names the columns: "
                           "lon,lat,name") from err  # fmt: skip
    by_name = {str(column).strip().lower(): column for column in table.columns}
    columns = {key: next((by_name[word] for word in words if word in by_name), None) for key, words in COLUMNS.items()}
    for key in ("lon", "lat"):
        if columns[key] is None:
            raise ExtractError(f"points={path}: has no column {key}; its columns are "
                               f"{', '.join(map(str, table.columns))}; write them in degrees")  # fmt: skip
    names = (
        [f"point_{n + 1}" for n in range(len(table))]
        if columns["name"] is None
        else table[columns["name"]].str.strip().tolist()
    )
    return _checked(
        f"points={path}", names, list(zip(table[columns["lon"]], table[columns["lat"]], strict=True)), "line"
    )


def _checked(source: str, names: Sequence[str], places: Sequence[Any], line: str) -> Points:
    """``line`` is the word for a place in the file, whose first line has the names of the columns."""
    if not places:
        raise ExtractError(f"{source}: holds no place; give at least one")
    where = [f"{line} {n + 2}" if line else f"place {n + 1}" for n in range(len(places))]
    values = np.full((len(places), 2), np.nan)
    for n, place in enumerate(places):
        try:
            lon, lat = (float(v) for v in place)
        except (TypeError, ValueError):
            raise ExtractError(f"{source}: {where[n]}: {place!r} is no longitude and latitude in degrees; "
                               "write them as 10.25,47.5") from None  # fmt: skip
        values[n] = lon, lat
        if not (-180 <= lon <= 360 and -90 <= lat <= 90):
            raise ExtractError(f"{source}: {where[n]}: lon {lon:g}, lat {lat:g} is no place on the Earth; "
                               "is the longitude first, and are both in degrees?")  # fmt: skip
    seen: dict[str, str] = {}
    for name, here in zip(names, where, strict=True):
        if not name:
            raise ExtractError(f"{source}: {here}: the name is empty; give each place a name")
        if name in seen:
            raise ExtractError(f"{source}: {name!r} is the name of {seen[name]} and of {here}; give each place its own")
        seen[name] = here
    return Points(list(names), values[:, 0], values[:, 1])
