"""Time series at points: what the product, the baselines, the truth and a station say of one pixel, day by day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ssm_net.evaluate.metrics.scores import PRODUCT, STRATA, strata
from ssm_net.evaluate.stations import ENOUGH, SeriesScore, gains, median_interval, score_series
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Domain
from ssm_net.stations.matching import Point, at_overpass

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Series:
    """Values at P points on D days, each array (D, P): NaN where there is none. ``ssm`` and ``sigma`` are by method."""

    points: tuple[Point, ...]
    days: tuple[dt.date, ...]
    ssm: dict[str, np.ndarray]
    sigma: dict[str, np.ndarray]
    flags: np.ndarray
    truth: np.ndarray
    station: np.ndarray


@dataclass(frozen=True)
class PointDay:
    """One day at all points; the shape of every array is (P,)."""

    day: dt.date
    ssm: dict[str, np.ndarray]
    sigma: dict[str, np.ndarray]
    flags: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(
        cls, day: dt.date, points: Sequence[Point], methods: Mapping[str, Mosaic], truth: np.ndarray | None
    ) -> PointDay:
        at = np.array([p.row for p in points], int), np.array([p.col for p in points], int)
        nothing = np.full(len(points), np.nan, "float32")
        return cls(
            day,
            {name: m.ssm[at] for name, m in methods.items()},
            {name: m.sigma[at] for name, m in methods.items()},
            methods[PRODUCT].flags[at],
            nothing if truth is None else truth[at],
        )


def sample_points(field: np.ndarray, where: np.ndarray, domain: Domain) -> list[Point]:
    """A dry, a middling and a wet pixel of ``field`` (Ny, Nx), not at the edge of the domain: to look at."""
    edge = domain.ratio
    inner = np.zeros(field.shape, bool)
    inner[edge:-edge, edge:-edge] = where[edge:-edge, edge:-edge]
    rows, cols = np.nonzero(inner & np.isfinite(field))
    if not rows.size:
        return []
    order = np.argsort(field[rows, cols], kind="stable")
    lon, lat = domain.lonlat()
    out = []
    for name, q in (("dry", 0.1), ("middling", 0.5), ("wet", 0.9)):
        i = order[int(q * (order.size - 1))]
        r, c = int(rows[i]), int(cols[i])
        out.append(Point(f"{name} pixel, {lat[r]:.2f}N {lon[c]:.2f}E", r, c, float(lon[c]), float(lat[r])))
    return out


def collect(points: Sequence[Point], days: Sequence[PointDay], methods: Sequence[str]) -> Series:
    """The days as one block, with each station's value at the overpass."""
    dates = tuple(d.day for d in days)
    nothing = np.full(len(points), np.nan, "float32")

    def stack(values: list[np.ndarray]) -> np.ndarray:
        return np.array(values).reshape(len(days), len(points))

    station = np.full((len(days), len(points)), np.nan)
    for j, p in enumerate(points):
        if p.station is not None:
            station[:, j] = at_overpass(p.station.time, p.station.value, dates, p.lon)
    return Series(
        tuple(points),
        dates,
        {m: stack([d.ssm.get(m, nothing) for d in days]) for m in methods},
        {m: stack([d.sigma.get(m, nothing) for d in days]) for m in methods},
        stack([d.flags for d in days]).astype("uint16"),
        stack([d.truth for d in days]),
        station,
    )


def unseen(series: Series, lists: Iterable[str]) -> tuple[Series, int]:
    """The series without the stations that a network learned from, and how many stations these are.

    ``lists`` are the mosaics' attributes ``stations_trained_on``: "NETWORK NAME; NETWORK NAME".
    """
    # Looked for, not split: a name may itself hold a semicolon, and a station that is missed would be scored.
    named = [f"; {text}; " for text in lists]
    keep = [
        j
        for j, p in enumerate(series.points)
        if p.station is None or not any(f"; {p.label}; " in text for text in named)
    ]
    kept = replace(
        series,
        points=tuple(series.points[j] for j in keep),
        ssm={m: v[:, keep] for m, v in series.ssm.items()},
        sigma={m: v[:, keep] for m, v in series.sigma.items()},
        flags=series.flags[:, keep],
        truth=series.truth[:, keep],
        station=series.station[:, keep],
    )
    return kept, len(series.points) - len(keep)


@dataclass(frozen=True)
class StationRow:
    """A station's scores: ``scores[method, stratum]`` of the pairs that all methods have."""

    point: Point
    column: int  # of the series
    scores: dict[tuple[str, str], SeriesScore]
    gains: dict[str, float]
    note: str


def score_stations(series: Series) -> list[StationRow]:
    """A row for every station in the domain, also for one that cannot be scored; its note says why."""
    number = np.array([day.toordinal() for day in series.days])
    sky = strata(series.flags)
    out = []
    for j, point in enumerate(series.points):
        if point.station is None:
            continue
        x = series.station[:, j]
        common = np.isfinite(x)
        for values in series.ssm.values():
            common &= np.isfinite(values[:, j])
        found = {
            (method, stratum): score_series(np.where(common & sky[stratum][:, j], x, np.nan), values[:, j], number)
            for method, values in series.ssm.items()
            for stratum in STRATA
        }
        scores = {k: v for k, v in found.items() if v is not None}
        ours, coarse = scores.get((PRODUCT, "all")), scores.get(("bilinear", "all"))
        n = int(common.sum())
        if not np.isfinite(x).any():
            note = "no good value within 1 h of an overpass"
        elif ours is None:
            note = f"{n} pairs: too few" if n else "no value in its pixel"
        else:
            note = "" if n >= ENOUGH else f"short record: {n} pairs"
        out.append(StationRow(point, j, scores, gains(coarse, ours) if ours and coarse else {}, note))
    return out


def summarise(
    rows: Sequence[StationRow], methods: Sequence[str], sky: Sequence[str] = STRATA
) -> list[dict[str, float | int | str]]:
    """Medians over stations, a row a method and stratum, with 95 % bootstrap intervals.

    Stations with at least ``ENOUGH`` pairs count; where there is none of these, the short records do.
    """
    long = {(m, s): [r for r in rows if (m, s) in r.scores and r.scores[m, s].n >= ENOUGH]
            for m in methods for s in sky}  # fmt: skip
    out: list[dict[str, float | int | str]] = []
    for (method, stratum), enough in long.items():
        used = enough or [r for r in rows if (method, stratum) in r.scores]
        if not used:
            continue
        row: dict[str, float | int | str] = {"method": method, "stratum": stratum, "stations": len(used)}
        for name, key in (("R", "r"), ("ubRMSE", "ubrmse"), ("bias", "bias")):
            m = median_interval(np.array([getattr(r.scores[method, stratum], key).value for r in used]))
            row |= {name: m.value, f"{name} low": m.low, f"{name} high": m.high}
        row["note"] = "" if enough else f"short records: fewer than {ENOUGH} pairs each"
        out.append(row)
    return out


def by_network(rows: Sequence[StationRow], methods: Sequence[str]) -> list[dict[str, float | int | str]]:
    """Medians over the stations of each network, all sky, a row a network and method; for a network left out."""
    networks: dict[str, list[StationRow]] = {}
    for r in rows:
        assert r.point.station is not None
        networks.setdefault(r.point.station.network, []).append(r)
    return [
        {"network": name, **row} for name in sorted(networks) for row in summarise(networks[name], methods, ["all"])
    ]
