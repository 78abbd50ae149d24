"""``evaluate(cfg)``: the mosaics against the truth, the stations, the coarse observation and the baselines."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import logging
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from ssm_net.config import EvaluateConfig, days_between, parse_day
from ssm_net.core.boundary import pixels_inside, read_boundary
from ssm_net.core.days import runs
from ssm_net.core.files import write_whole
from ssm_net.cube.store import Cube, open_cube
from ssm_net.evaluate import notes
from ssm_net.evaluate.answers.questions import answers, places
from ssm_net.evaluate.baselines import baseline_mosaics
from ssm_net.evaluate.daily_pass import Evaluation, EvaluationInputs, evenly_spaced, score_days
from ssm_net.evaluate.metrics.algebra import Scorecard
from ssm_net.evaluate.metrics.scorecard import SCORECARD
from ssm_net.evaluate.mosaics import EvaluationError, Mosaics
from ssm_net.evaluate.peer_maps import truth_rows
from ssm_net.evaluate.referees.inside_cells import inside_cell_rows
from ssm_net.evaluate.referees.peers import NOT_PEERS, peer_rows, triple_rows
from ssm_net.evaluate.referees.point_series import Series, sample_points
from ssm_net.evaluate.referees.stations import StationRow, networks_of, score_stations
from ssm_net.evaluate.referees.truth import PRODUCT
from ssm_net.evaluate.report.tables import Row, all_tables, json_ready
from ssm_net.evaluate.report.terminal import show
from ssm_net.evaluate.up_to_date import fingerprint, is_up_to_date
from ssm_net.formats.product import Flag
from ssm_net.formats.truth import Truth
from ssm_net.peers.sample import Places
from ssm_net.peers.series import Peer, PeerSeries, open_peers, series_at, summary
from ssm_net.stations.matching import Point, station_points, surface_sensors

__all__ = ["EvaluationError", "evaluate"]

log = logging.getLogger(__name__)


def evaluate(cfg: EvaluateConfig, scorecard: Scorecard = SCORECARD) -> dict[str, Any]:
    """Score the mosaics; write ``report/index.html``, its numbers in ``report.json``, all scores in ``scores.json``.

    Returns what is in the last.

    The baselines' mosaics are made from the same cube, into ``report/baselines``, and scored by the same code on the
    same pixels. ``scorecard`` lists the scores and the strata. Raises ``EvaluationError`` where there is nothing to
    score or the pieces do not fit together.
    """
    cube = open_cube(cfg.cube)
    product = Mosaics.open(Path(cfg.mosaics), cube.domain)
    truth = Truth.open(Path(cfg.truth), cube.domain) if cfg.truth else None
    days, missing = _days(cfg, cube, product)
    peers = open_peers(cfg.peers, (PRODUCT, *NOT_PEERS))
    if cfg.plan:
        return _plan(cfg, product, days, missing, peers)
    for package in ("matplotlib", "jinja2"):
        if importlib.util.find_spec(package) is None:
            raise EvaluationError(f"the report needs {package}: pip install 'ssm_net[eval]'")
    inside = _inside(cfg, cube)
    report, title = Path(cfg.report), f"{cube.domain.name}, {days[0]} .. {days[-1]} ({len(days)} days)"
    made_from = _fingerprint(cfg, cube, days, scorecard)
    whole = all((report / name).exists() for name in ("index.html", "report.json"))
    if whole and is_up_to_date(report, made_from, "scores.json"):
        stored: dict[str, Any] = json.loads((report / "scores.json").read_text())
        show(stored, title)
        print(f"nothing has changed since {report / 'index.html'} was made")
        return stored
    if missing:
        log.warning("no mosaic of %s; infer.py makes it", runs(missing))

    points, outside = _points(cfg, product, truth, days, inside)
    methods = {PRODUCT: product} | {name: baseline_mosaics(cfg, name, cube, days) for name in cfg.baselines}
    inputs = EvaluationInputs(methods, truth, cube, points, scorecard, inside)
    result = score_days(inputs, days, _progress)
    rows = score_stations(result.series)
    others, of_peers = _beside(peers, inputs, result, days)
    out = _content(cfg, inputs, result, rows, (days, missing)) | json_ready(others)
    out["notes"] = [*outside, *out["notes"], *of_peers]
    from ssm_net.evaluate.report.page import ReportData, render  # needs matplotlib and jinja2: only the report does

    page = render(ReportData(out, result, rows, places(result, rows, cube.domain)), scorecard)
    write_whole(report / "index.html", page.html.encode())
    write_whole(report / "report.json", json.dumps(json_ready(page.numbers)).encode())
    write_whole(report / "scores.json", json.dumps(out | {"fingerprint": made_from}, indent=1).encode())
    show(out, title)
    for line in notes.of_stations(result, points):
        print(line)
    print(f"report: {report / 'index.html'}")
    return out


def _content(
    cfg: EvaluateConfig,
    inputs: EvaluationInputs,
    result: Evaluation,
    rows: Sequence[StationRow],
    period: tuple[Sequence[dt.date], Sequence[dt.date]],
) -> dict[str, Any]:
    """What ``scores.json`` holds; ``period`` are the days scored and those without a mosaic."""
    (days, missing), cube, product = period, inputs.cube, inputs.methods[PRODUCT]
    content: dict[str, Any] = json_ready({
        "domain": cube.domain.name,
        **_basin(cfg, inputs.inside),
        "data": notes.kind_of_data(cfg),
        "first": str(days[0]),
        "last": str(days[-1]),
        "days": len(days),
        "missing_days": [str(day) for day in missing],
        "methods": list(inputs.methods),
        "pixels_scored": result.scores.counted,
        "pixels_offered": result.scores.offered,
        "stations_learned_from": result.series.training_stations,
        "station_networks": networks_of(rows),
        "notes": [*notes.of_stations(result, inputs.points), *notes.remarks(result, cube, product, days),
                  *result.notes],
        "command": _command(cfg),
        "mosaic_attributes": dict(result.attrs),
        "answers": [answer.row() for answer in answers(result, rows, cube.domain)],
        **all_tables(inputs, result, rows, days),
    })  # fmt: skip
    return content


def _fingerprint(cfg: EvaluateConfig, cube: Cube, days: Sequence[dt.date], scorecard: Scorecard) -> str:
    """Of the inputs of the scores: the mosaics, the cube, the truth, the stations, and what is computed."""
    paths = [Path(cfg.mosaics), cube.path / "cube.json", cube.path / "status"]
    paths += [Path(cfg.truth) / "zarr.json"] if cfg.truth else []
    paths += [Path(given) for given in (cfg.stations, cfg.basin) if given]
    paths += [Path(peer.partition(":")[2].strip()) for peer in cfg.peers]
    return fingerprint(paths, cfg.baselines, days, scorecard, *cfg.peers)


def _beside(
    peers: Sequence[Peer], inputs: EvaluationInputs, result: Evaluation, days: Sequence[dt.date]
) -> tuple[dict[str, list[Row]], list[str]]:
    """The tables of products of others and of dense stations, and notes on files that were left out."""
    series = result.series
    beside = _peer_series(peers, series, days)
    at_stations = any(point.station is not None for point in series.points)
    tables = {
        "peers": peer_rows(series, beside) if at_stations else [],
        "triple collocation": triple_rows(series, beside, result.instruments),
        "peers against truth": truth_rows(inputs, peers, days, partial(track, description="products of others")),
        "inside cells": inside_cell_rows(series, beside),
    }
    return tables, [note for peer in beside for note in peer.notes]


def _peer_series(peers: Sequence[Peer], series: Series, days: Sequence[dt.date]) -> list[PeerSeries]:
    """What the products of others say at the points of ``series``; a line for each on the terminal."""
    places = Places(np.array([p.lon for p in series.points]), np.array([p.lat for p in series.points]))
    out = []
    for peer in peers:
        out.append(series_at(peer, days, places, lambda files, peer=peer: track(files, f"reading {peer.name}")))  # type: ignore[misc]
        print(summary(out[-1], days))
    return out


def _inside(cfg: EvaluateConfig, cube: Cube) -> np.ndarray | None:
    """The pixels inside the basin, (Ny, Nx) bool; None without one. Raises ``EvaluationError`` where none is land."""
    if cfg.basin is None:
        return None
    try:
        area = read_boundary(cfg.basin)
    except ImportError as err:
        raise EvaluationError(f"basin={cfg.basin}: {err}") from err
    inside = pixels_inside(area, cube.domain)
    if not (inside & cube.land().numpy()).any():
        raise EvaluationError(
            f"basin={cfg.basin}: no land pixel of domain {cube.domain.name} lies inside it; give a basin that the maps "
            "cover, or the maps and the cube of a domain that covers it"
        )
    return inside


def _basin(cfg: EvaluateConfig, inside: np.ndarray | None) -> dict[str, Any]:
    return {} if inside is None else {"basin": {"name": Path(str(cfg.basin)).stem, "pixels": int(inside.sum())}}


def _progress(days: Sequence[dt.date]) -> Iterable[dt.date]:
    return track(days, "scoring days")


def _days(cfg: EvaluateConfig, cube: Cube, product: Mosaics) -> tuple[list[dt.date], list[dt.date]]:
    """The days to score, and those of the period that have no mosaic."""
    first = parse_day(cfg.start, "start") if cfg.start else max(product.days[0], cube.days[0])
    last = parse_day(cfg.end, "end") if cfg.end else min(product.days[-1], cube.days[-1])
    have = [day for day in product.days if first <= day <= last]
    if not have:
        raise EvaluationError(
            f"{product.folder} has no mosaic from {first} to {last}; it holds {product.days[0]} .. {product.days[-1]}: "
            "change start= and end=, or make them with: python infer.py cube=CUBE run=RUN "
            f"mosaics={product.folder} start={first} end={last}"
        )
    return have, [day for day in days_between(str(first), str(last)) if day not in set(have)]


def _plan(
    cfg: EvaluateConfig, product: Mosaics, days: list[dt.date], missing: list[dt.date], peers: Sequence[Peer]
) -> dict[str, Any]:
    print(f"would score {len(days)} days, {days[0]} .. {days[-1]}, of {product.folder} ({product.domain.name})")
    print(f"  days without a mosaic: {len(missing)}" + (f": {runs(missing)}" if missing else ""))
    print(f"  truth: {cfg.truth or 'none: no scores at 1 km'}")
    print(f"  stations: {cfg.stations or 'none'}")
    print(f"  basin: {cfg.basin or 'none: the whole domain'}")
    print(f"  baselines, made in {cfg.report}/baselines: {', '.join(cfg.baselines) or 'none'}")
    for peer in peers:
        print(f"  beside: {peer.name}, {peer.product.name}: {len(peer.files)} files of {peer.folder}")
    print(f"  report: {cfg.report}/index.html")
    return {"days": len(days), "first": str(days[0]), "last": str(days[-1]), "missing_days": [str(d) for d in missing]}


def _points(
    cfg: EvaluateConfig, product: Mosaics, truth: Truth | None, days: Sequence[dt.date], inside: np.ndarray | None
) -> tuple[list[Point], list[str]]:
    """The pixels to follow through time, stations or else three samples, and a note on stations that lie outside."""
    outside_note = []
    if cfg.stations:
        from ssm_net.stations.ismn import read_stations

        points, outside = station_points(surface_sensors(read_stations(Path(cfg.stations))), product.domain)
        number, where = outside + len(points), "domain" if inside is None else "basin"
        if inside is not None:
            points = [p for p in points if inside[p.row, p.col]]
        if len(points) < number:
            outside_note.append(f"{number - len(points)} of {number} stations lie outside the {where}")
        if points:
            return points, outside_note
    middle = evenly_spaced(days, 1)[0]
    mosaic = product.read(middle)
    field = truth.read(middle) if truth else None
    land = np.isfinite(mosaic.ssm) & ((mosaic.flags & int(Flag.WATER)) == 0)
    land = land if inside is None else land & inside
    return sample_points(mosaic.ssm if field is None else field, land, product.domain), outside_note


def _command(cfg: EvaluateConfig) -> str:
    keys = ("mosaics", "cube", "report", "truth", "stations", "basin", "start", "end")
    given = [f"{k}={getattr(cfg, k)}" for k in keys if getattr(cfg, k) is not None]
    peers = [f"peers=[{','.join(cfg.peers)}]"] if cfg.peers else []
    return " ".join(["python evaluate.py", *given, f"baselines=[{','.join(cfg.baselines)}]", *peers])
