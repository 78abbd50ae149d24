"""Daily time series at points: product, baselines, truth and station, each at the pixel of the point."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ssm_net.dateline import wrapped
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.formats.product import Mosaic
from ssm_net.grid import Domain
from ssm_net.stations.matching import Point, at_overpass


@dataclass(frozen=True)
class Series:
    """Time series at P points on D days, each array (D, P), NaN where there is no value; ``ssm`` and ``sigma`` are by
    method, ``coarse`` is the observation of the coarse cell, m3 m-3."""

    points: tuple[Point, ...]
    days: tuple[dt.date, ...]
    ssm: dict[str, np.ndarray]
    sigma: dict[str, np.ndarray]
    flags: np.ndarray
    truth: np.ndarray
    coarse: np.ndarray
    station: np.ndarray
    footprints: np.ndarray  # (P,) the coarse cell of each point, a number of its own for each
    training_stations: int = 0  # stations left out because the networks were trained on them

    @property
    def numbers(self) -> np.ndarray:
        """The days as ordinal numbers, (D,)."""
        return np.array([day.toordinal() for day in self.days])


@dataclass(frozen=True)
class PointDay:
    """One day at all points; the shape of every array is (P,)."""

    day: dt.date
    ssm: dict[str, np.ndarray]
    sigma: dict[str, np.ndarray]
    flags: np.ndarray
    truth: np.ndarray
    coarse: np.ndarray

    @classmethod
    def of(
        cls,
        day: dt.date,
        points: Sequence[Point],
        methods: Mapping[str, Mosaic],
        truth: np.ndarray | None,
        observed: np.ndarray | None,
    ) -> PointDay:
        """At ``points``, from the ``truth`` of the fine grid and what the radiometer ``observed`` on the coarse one."""
        at = np.array([p.row for p in points], int), np.array([p.col for p in points], int)
        nothing = np.full(len(points), np.nan, "float32")
        ratio = methods[PRODUCT].domain.ratio
        return cls(
            day,
            {name: m.ssm[at] for name, m in methods.items()},
            {name: m.sigma[at] for name, m in methods.items()},
            methods[PRODUCT].flags[at],
            nothing if truth is None else truth[at],
            nothing if observed is None else observed[at[0] // ratio, at[1] // ratio],
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
        out.append(Point(f"{name} pixel, {lat[r]:.2f}N {wrapped(lon)[c]:.2f}E", r, c, float(lon[c]), float(lat[r])))
    return out


def to_series(points: Sequence[Point], days: Sequence[PointDay], methods: Sequence[str], domain: Domain) -> Series:
    """The days as one series, with each station's value at the overpass."""
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
        stack([d.coarse for d in days]),
        station,
        np.array([domain.coarse_shape[1] * (p.row // domain.ratio) + p.col // domain.ratio for p in points], int),
    )


def without_training_stations(series: Series, attributes: Iterable[str]) -> Series:
    """The series without the stations that a network was trained on; their number is ``training_stations``.

    ``attributes`` are the mosaics' attributes ``stations_trained_on``: "NETWORK NAME; NETWORK NAME".
    """
    # Searched, not split: a name may itself hold a semicolon, and a station that is missed would be scored.
    texts = [f"; {text}; " for text in attributes]
    keep = [
        j
        for j, p in enumerate(series.points)
        if p.station is None or not any(f"; {p.label}; " in text for text in texts)
    ]
    return replace(
        series,
        points=tuple(series.points[j] for j in keep),
        ssm={m: v[:, keep] for m, v in series.ssm.items()},
        sigma={m: v[:, keep] for m, v in series.sigma.items()},
        flags=series.flags[:, keep],
        truth=series.truth[:, keep],
        coarse=series.coarse[:, keep],
        station=series.station[:, keep],
        footprints=series.footprints[keep],
        training_stations=len(series.points) - len(keep),
    )
