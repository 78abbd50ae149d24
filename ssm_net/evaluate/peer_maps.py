"""Products of others as maps against the 1 km truth of a simulated world, by the scores that our maps get."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ssm_net.dateline import wrapped
from ssm_net.evaluate.daily_pass import EvaluationInputs
from ssm_net.evaluate.metrics.algebra import Scorecard, ScoredDay, ScoreTable
from ssm_net.evaluate.metrics.binnings import SKY
from ssm_net.evaluate.metrics.error import ERROR, Count
from ssm_net.evaluate.metrics.texture import INSIDE
from ssm_net.evaluate.referees.peers import ALL, UNDOWNSCALED
from ssm_net.evaluate.referees.truth import PRODUCT, TruthScores, score_day
from ssm_net.formats.product import Mosaic
from ssm_net.formats.truth import Truth
from ssm_net.grid import Domain
from ssm_net.peers.sample import Places
from ssm_net.peers.series import Peer, files_near, read_values

BLOCK_VALUES = 1 << 24  # pixels times days of a product that are held at once
TABLE = ScoreTable("peers", "", "", SKY, (Count(), *ERROR, *INSIDE))
SCORES = Scorecard((TABLE,))
Row = dict[str, Any]
Progress = Callable[[Sequence[dt.date]], Iterable[dt.date]]


def truth_rows(
    inputs: EvaluationInputs, peers: Sequence[Peer], days: Sequence[dt.date], progress: Progress = iter
) -> list[Row]:
    """Three rows for each peer and sky: the peer, the maps and the undownscaled value against the truth, where all of
    them have a value; with several peers also where all of these have one. No rows without a truth.

    A pixel has the value of the peer's pixel that its centre lies in. ``n`` counts pixels and days, ``gain`` is by how
    many % the RMSE is below that of the undownscaled value. A peer without a common pixel has a row of its own with
    ``n`` 0.
    """
    truth = inputs.truth
    if truth is None or not peers:
        return []
    groups = {peer.name: [peer.name] for peer in peers} | ({ALL: [p.name for p in peers]} if len(peers) > 1 else {})
    scores = dict.fromkeys(groups, TruthScores.zero())
    maps = zip(*(daily_maps(peer, days, inputs.cube.domain) for peer in peers), strict=True)
    for day, fields in zip(progress(days), maps, strict=True):
        named = {peer.name: field for peer, field in zip(peers, fields, strict=True)}
        for group, names in groups.items():
            scores[group] += _score(inputs, truth, day, {name: named[name] for name in names})
    return [row for group, names in groups.items() for row in _rows(group, names, scores[group])]


def daily_maps(peer: Peer, days: Sequence[dt.date], domain: Domain) -> Iterator[np.ndarray]:
    """The product on the grid of ``domain``, (Ny, Nx) m3 m-3, NaN where it has no value, for each of ``days``.

    Files that cannot be read are left out; ``series_at`` names them."""
    lon, lat = (axis.ravel() for axis in np.meshgrid(*domain.lonlat()))
    places = Places(wrapped(lon), lat)
    step = max(1, BLOCK_VALUES // places.size)
    for first in range(0, len(days), step):
        block = days[first : first + step]
        ssm, _, _ = read_values(peer, files_near(peer, block), block, places)
        yield from ssm.reshape(len(block), *domain.fine_shape).astype("float32")


def _score(inputs: EvaluationInputs, truth: Truth, day: dt.date, fields: dict[str, np.ndarray]) -> TruthScores:
    known, observed, domain = truth.read(day), inputs.observation(day), inputs.cube.domain
    if known is None or observed is None:
        return TruthScores.zero()
    product = inputs.methods[PRODUCT].read(day)
    flat = np.kron(observed, np.ones((domain.ratio, domain.ratio), "float32"))
    unknown = np.full(domain.fine_shape, np.nan, "float32")  # others state no uncertainty
    methods = {name: Mosaic(day, domain, field, unknown, product.flags, {})
               for name, field in {**fields, UNDOWNSCALED: flat}.items()}  # fmt: skip
    land = truth.water < 0.5
    land = land if inputs.inside is None else land & inputs.inside
    return score_day(known, {PRODUCT: product, **methods}, land, ScoredDay(day, product.flags, domain.ratio), SCORES)


def _rows(group: str, names: Sequence[str], scores: TruthScores) -> list[Row]:
    methods = [*names, PRODUCT, UNDOWNSCALED]
    rows = [{"name": row.pop("method"), "days of": group, **row} for row in scores.rows(TABLE, methods)]
    if not rows:
        return [] if group == ALL else [{"name": group, "days of": group, "stratum": "all", "n": 0}]
    flat = {row["stratum"]: row["RMSE"] for row in rows if row["name"] == UNDOWNSCALED}
    for row in rows:
        row["gain"] = None if row["name"] == UNDOWNSCALED else 100 * (1 - row["RMSE"] / flat[row["stratum"]])
    return rows
