"""Stations as referees: each method scored against the stations in its domain that no network was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.referees.block_bootstrap import BlockMoments, Resampling, median_scores, scores_of
from ssm_net.evaluate.referees.point_series import Series
from ssm_net.evaluate.referees.station_scores import SUMMARY_PAIRS, SeriesScore, gains, score_series
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.stations.matching import Point


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
    pairs = pairs_by_sky(series)
    out = []
    for j, point in enumerate(series.points):
        if point.station is None:
            continue
        observed = series.station[:, j]
        scores = {}
        for method, values in series.ssm.items():
            for stratum, where in pairs.items():
                score = score_series(np.where(where[:, j], observed, np.nan), values[:, j], series.numbers)
                if score is not None:
                    scores[method, stratum] = score
        product, coarse = scores.get((PRODUCT, "all")), scores.get(("bilinear", "all"))
        note = _note(observed, int(pairs["all"][:, j].sum()), product)
        out.append(StationRow(point, j, scores, gains(coarse, product) if product and coarse else {}, note))
    return out


def pairs_by_sky(series: Series) -> dict[str, np.ndarray]:
    """Where the station and all methods have a value, (D, P) bool, by stratum of the sky."""
    common = np.isfinite(series.station)
    for values in series.ssm.values():
        common &= np.isfinite(values)
    return {label: common if mask is None else common & mask for label, mask in SKY.masks(series.flags)}


def _note(observed: np.ndarray, pairs: int, score: SeriesScore | None) -> str:
    """Why a station has no score, or that its record is short; empty for a good one."""
    if not np.isfinite(observed).any():
        return "no good value within 1 h of an overpass"
    if score is None:
        return f"{pairs} pairs: too few" if pairs else "no value in its pixel"
    return "" if pairs >= SUMMARY_PAIRS else f"short record: {pairs} pairs"


SCORES = {"R": "r", "ubRMSE": "ubrmse", "bias": "bias"}  # name in tables: field of ``SeriesScore``


def with_interval(score: SeriesScore) -> dict[str, float]:
    """The scores of a station as columns: value, and the ends of its 95 % interval."""
    out: dict[str, float] = {}
    for name, key in SCORES.items():
        s = getattr(score, key)
        out |= {name: s.value, f"{name} low": s.low, f"{name} high": s.high}
    return out


def summarise(
    series: Series, rows: Sequence[StationRow], methods: Sequence[str], strata: Sequence[str] = SKY.labels
) -> list[dict[str, Any]]:
    """Medians over the stations of ``rows``, a row a method and stratum, with 95 % intervals of drawn days and
    footprints (``block_bootstrap``); ``footprints`` are the coarse cells that hold them.

    Stations with at least ``SUMMARY_PAIRS`` pairs count; where there is none of these, the short records do.
    """
    out: list[dict[str, Any]] = []
    pairs = pairs_by_sky(series)
    for method, stratum in ((m, s) for m in methods for s in strata):
        scored = {r.column: r.scores[method, stratum] for r in rows if (method, stratum) in r.scores}
        long = [column for column, score in scored.items() if score.n >= SUMMARY_PAIRS]
        if not scored:
            continue
        at = np.array(long or list(scored))
        draws = Resampling.of(series.numbers, series.footprints[at])
        blocks = BlockMoments.of(series.station[:, at], series.ssm[method][:, at], pairs[stratum][:, at], draws)
        medians = median_scores({method: blocks}, draws, lambda of: scores_of(*of.values()))
        row: dict[str, Any] = {"method": method, "stratum": stratum, "stations": len(at),
                               "footprints": len(np.unique(series.footprints[at]))}  # fmt: skip
        for name in SCORES:
            value = float(np.nanmedian([getattr(scored[column], SCORES[name]).value for column in at]))
            row |= {name: value, f"{name} low": medians[name].low, f"{name} high": medians[name].high}
        out.append(row | {"note": "" if long else f"short records: fewer than {SUMMARY_PAIRS} pairs each"})
    return out


def networks_of(rows: Sequence[StationRow]) -> list[str]:
    """The networks whose stations judged, by name: each asks to be cited."""
    return sorted({r.point.station.network for r in rows if r.point.station is not None})


def by_network(series: Series, rows: Sequence[StationRow], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Medians over the stations of each network, all sky, a row a network and method: for a network kept aside."""
    networks: dict[str, list[StationRow]] = {}
    for r in rows:
        assert r.point.station is not None
        networks.setdefault(r.point.station.network, []).append(r)
    return [
        {"network": name, **row}
        for name in sorted(networks)
        for row in summarise(series, networks[name], methods, ["all"])
    ]


def station_rows(rows: Sequence[StationRow], methods: Sequence[str]) -> list[dict[str, Any]]:
    """A row a station: scores of the first method with intervals, ubRMSE and R of the others, gains over bilinear."""
    out = []
    for r in rows:
        s = r.point.station
        assert s is not None
        row: dict[str, Any] = {"network": s.network, "station": s.name, "lat": s.lat, "lon": s.lon,
                               "depth": f"{100 * s.depth_from:.0f}-{100 * s.depth_to:.0f} cm"}  # fmt: skip
        product = r.scores.get((methods[0], "all"))
        if product is not None:
            row |= {"pairs": product.n, "independent": round(product.n_eff), **with_interval(product)}
            for method in methods[1:]:
                other = r.scores[method, "all"]
                row |= {f"{method} R": other.r.value, f"{method} ubRMSE": other.ubrmse.value}
        out.append(row | r.gains | {"note": r.note})
    return out
