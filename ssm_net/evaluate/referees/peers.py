"""Products of others beside the maps: each at the same stations, on the same days, against the same coarse value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ssm_net.evaluate.metrics.statistics import Moments, divide
from ssm_net.evaluate.referees.block_bootstrap import (
    BlockMoments,
    Resampling,
    Scores,
    gains_of,
    median_scores,
    scores_of,
)
from ssm_net.evaluate.referees.point_series import Series
from ssm_net.evaluate.referees.station_scores import MIN_PAIRS, SUMMARY_PAIRS, ScoreWithInterval
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.peers.series import PeerSeries

UNDOWNSCALED = "undownscaled"  # the coarse observation of the station's cell
ALL = "all products"
STATION = "station"
NOT_PEERS = (UNDOWNSCALED, ALL, STATION)  # names in the tables
LEAST_TRIPLETS = 100  # of a station, for triple collocation
TABLE_SCORES = ("R", "ubRMSE", "bias", "G", "G_EFFI", "G_PREC", "G_ACCU")
Row = dict[str, Any]


def peer_rows(series: Series, peers: Sequence[PeerSeries]) -> list[Row]:
    """Medians over stations, three rows for each peer: the peer, the maps and the undownscaled value, on the days and
    at the stations where all three and the station have a value; with several peers also where all of them have one.

    ``intervals`` are [low, high], 95 %, of drawn days and footprints; ``G`` are gains over the undownscaled value
    (Merlin et al. 2015), which has none itself. A peer without common days has a row that says so in ``note``.
    """
    rows = [row for peer in peers for row in _group(series, [peer], peer.name)]
    return rows + (_group(series, peers, ALL) if len(peers) > 1 else [])


def _group(series: Series, peers: Sequence[PeerSeries], days_of: str) -> list[Row]:
    products = {peer.name: peer.product.name for peer in peers} | {
        PRODUCT: "the maps that are evaluated", UNDOWNSCALED: "the coarse observation of the cell"}  # fmt: skip
    estimates = {peer.name: peer.ssm for peer in peers} | {PRODUCT: series.ssm[PRODUCT], UNDOWNSCALED: series.coarse}
    use = np.isfinite(series.station)
    for values in estimates.values():
        use &= np.isfinite(values)
    pairs = use.sum(0)
    at = np.flatnonzero(pairs >= (SUMMARY_PAIRS if (pairs >= SUMMARY_PAIRS).any() else MIN_PAIRS))
    if not at.size:
        note = f"no station has {MIN_PAIRS} days with a value of each"
        return [{"name": name, "product": products[name], "days of": days_of, "stations": 0, "days": 0,
                 **dict.fromkeys(TABLE_SCORES), "intervals": {}, "note": note} for name in products
                if days_of != ALL]  # fmt: skip
    use, station = use[:, at], series.station[:, at]
    draws = Resampling.of(series.numbers, series.footprints[at])
    blocks = {name: BlockMoments.of(station, values[:, at], use, draws) for name, values in estimates.items()}
    counts = {"days of": days_of, "stations": int(at.size), "footprints": len(np.unique(series.footprints[at])),
              "days": int(use.any(1).sum()), "pairs": int(use.sum())}  # fmt: skip
    note = "" if (pairs >= SUMMARY_PAIRS).any() else f"short records: fewer than {SUMMARY_PAIRS} pairs each"
    out = []
    for name in estimates:
        of = {name: blocks[name], UNDOWNSCALED: blocks[UNDOWNSCALED]}
        medians = median_scores(of, draws, lambda m, name=name: _scores(m, name))  # type: ignore[misc]
        out.append({"name": name, "product": products[name], **counts, **_columns(medians, TABLE_SCORES), "note": note})
    return out


def _scores(moments: Mapping[str, Moments], name: str) -> Scores:
    scores = scores_of(moments[name])
    return scores if name == UNDOWNSCALED else {**scores, **gains_of(scores_of(moments[UNDOWNSCALED]), scores)}


def _columns(medians: Mapping[str, ScoreWithInterval], names: Sequence[str]) -> Row:
    """Values by name (None where there is none), and ``intervals`` as [low, high]."""
    found = {name: medians[name] for name in names if name in medians}
    values: Row = {name: found[name].value if name in found else None for name in names}
    return values | {"intervals": {name: [score.low, score.high] for name, score in found.items()}}


def triple_rows(series: Series, peers: Sequence[PeerSeries], instruments: frozenset[str]) -> list[Row]:
    """Triple collocation of station, maps and each peer that shares no instrument with the maps: a row each, with the
    standard deviation of its random error (``error``, m3 m-3, in its own scale) and its correlation with the unknown
    truth (``R truth``), medians over stations with ``intervals`` of drawn days and footprints.

    Source: Stoffelen 1998, J. Geophys. Res. 103, 7755; McColl et al. 2014, Geophys. Res. Lett. 41, 6229. Stations count
    with at least ``LEAST_TRIPLETS`` days. Where it is not known what the maps or a peer rest on, there are no rows.
    """
    out: list[Row] = []
    for peer in peers:
        if not instruments or not peer.product.instruments or instruments & peer.product.instruments:
            continue
        fields = {STATION: series.station, PRODUCT: series.ssm[PRODUCT], peer.name: peer.ssm}
        use = np.isfinite(np.stack(list(fields.values()))).all(0)
        at = np.flatnonzero(use.sum(0) >= LEAST_TRIPLETS)
        if not at.size:
            continue
        use, names = use[:, at], list(fields)
        draws = Resampling.of(series.numbers, series.footprints[at])
        blocks = {f"{a} {b}": BlockMoments.of(fields[names[a]][:, at], fields[names[b]][:, at], use, draws)
                  for a, b in ((0, 1), (0, 2), (1, 2))}  # fmt: skip
        for n, name in enumerate(names):
            medians = median_scores(blocks, draws, lambda m, n=n: triple_collocation(m, n))  # type: ignore[misc]
            out.append({"name": name, "days of": peer.name, "stations": int(at.size),
                        "footprints": len(np.unique(series.footprints[at])), "days": int(use.any(1).sum()),
                        **_columns(medians, ("error", "R truth"))})  # fmt: skip
    return out


def triple_collocation(pairs: Mapping[str, Moments], which: int) -> Scores:
    """The error's standard deviation and the correlation with the truth of number ``which`` of three series, from the
    moments of the pairs "0 1", "0 2" and "1 2"; NaN where the covariances do not allow it."""
    one, other = (n for n in range(3) if n != which)
    with_one, with_other, rest = (_covariance(pairs[f"{min(a, b)} {max(a, b)}"])
                                  for a, b in ((which, one), (which, other), (one, other)))  # fmt: skip
    own = pairs[f"{min(which, one)} {max(which, one)}"]
    variance = (own.std_x if which < one else own.std_y) ** 2
    signal = divide(with_one * with_other, rest)
    error = variance - signal
    positive = (with_one > 0) & (with_other > 0) & (rest > 0)
    sound = positive & (error >= 0)
    return {"error": np.sqrt(np.where(sound, error, np.nan)),
            "R truth": np.sqrt(np.where(sound, divide(signal, variance), np.nan))}  # fmt: skip


def _covariance(m: Moments) -> np.ndarray:
    return divide(m.xy, m.n) - divide(m.x, m.n) * divide(m.y, m.n)
