"""The mosaics against the truth, the stations, the coarse observation and the baselines: tables and a report."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from ssm_net.config import EvaluateConfig, InferConfig, days_between, parse_day
from ssm_net.core.days import runs
from ssm_net.core.files import write_whole
from ssm_net.cube.store import Cube, open_cube
from ssm_net.evaluate.freshness import fingerprint, same
from ssm_net.evaluate.gather import Gathered, gather, spread
from ssm_net.evaluate.metrics.scores import PRODUCT
from ssm_net.evaluate.report.tables import plain, show, tables
from ssm_net.evaluate.series import sample_points, score_stations
from ssm_net.evaluate.sources import EvaluationError, Mosaics
from ssm_net.formats.product import Flag
from ssm_net.formats.truth import Truth
from ssm_net.stations.matching import Point, station_points, surface_sensors

__all__ = ["EvaluationError", "evaluate"]

log = logging.getLogger(__name__)


def evaluate(cfg: EvaluateConfig) -> dict[str, Any]:
    """Score the mosaics and write ``report/scores.json`` and ``report/index.html``; returns what is in the former.

    The baselines' mosaics are made from the same cube, into ``report/baselines``, and scored by the same code on the
    same pixels. Raises ``EvaluationError`` where there is nothing to score or the pieces do not fit together.
    """
    cube = open_cube(cfg.cube)
    product = Mosaics.open(Path(cfg.mosaics), cube.domain)
    truth = Truth.open(Path(cfg.truth), cube.domain) if cfg.truth else None
    days, missing = _days(cfg, cube, product)
    if cfg.plan:
        return _plan(cfg, product, days, missing)
    if importlib.util.find_spec("matplotlib") is None:
        raise EvaluationError("the report needs matplotlib: pip install 'ssm_net[eval]'")
    report = Path(cfg.report)
    made_from = _made_from(cfg, cube, days)
    if (report / "index.html").exists() and same(report, made_from, "scores.json"):
        done: dict[str, Any] = json.loads((report / "scores.json").read_text())
        show(done, _title(cube, days))
        print(f"nothing has changed since {report / 'index.html'} was made")
        return done
    if missing:
        log.warning("no mosaic of %s; infer.py makes it", runs(missing))

    points, notes = _points(cfg, product, truth, days)
    methods = {PRODUCT: product} | {name: _baseline(cfg, name, cube, days) for name in cfg.baselines}
    found = gather(methods, truth, cube, days, points, _progress)
    rows = score_stations(found.series)
    out: dict[str, Any] = {
        "domain": cube.domain.name,
        "data": _data(cfg),
        "first": str(days[0]),
        "last": str(days[-1]),
        "days": len(days),
        "missing_days": [str(day) for day in missing],
        "methods": list(methods),
        "pixels_scored": found.scores.counted,
        "pixels_offered": found.scores.offered,
        "stations_learned_from": found.learned_from,
        "notes": [*notes, *_learned_from(found, points), *_remarks(found, cube, product, days), *found.notes],
        "command": _command(cfg),
        "mosaic_attributes": dict(found.attrs),
        **tables(found, rows, list(methods)),
    }
    out = plain(out)

    from ssm_net.evaluate.report.page import render  # with matplotlib, which nothing else needs

    page = render(out, found, rows)
    write_whole(report / "index.html", page.encode())
    write_whole(report / "scores.json", json.dumps(out | {"fingerprint": made_from}, indent=1).encode())
    show(out, _title(cube, days))
    for line in _learned_from(found, points):
        print(line)
    print(f"report: {report / 'index.html'}")
    return out


def _title(cube: Cube, days: Sequence[dt.date]) -> str:
    return f"{cube.domain.name}, {days[0]} .. {days[-1]} ({len(days)} days)"


def _made_from(cfg: EvaluateConfig, cube: Cube, days: Sequence[dt.date]) -> str:
    """What the scores rest on: the mosaics, the cube, the truth and the stations."""
    paths = [Path(cfg.mosaics), cube.path / "cube.json", cube.path / "status"]
    paths += [Path(cfg.truth) / "zarr.json"] if cfg.truth else []
    paths += [Path(cfg.stations)] if cfg.stations else []
    return fingerprint(paths, cfg.baselines, days)


def _learned_from(found: Gathered, points: Sequence[Point]) -> list[str]:
    """That stations are not scored because the networks learned from them."""
    of = sum(p.station is not None for p in points)
    if not found.learned_from:
        return []
    if found.learned_from == of:
        return [
            f"all {of} stations were learned from: no station is scored; train without some of them to judge by these"
        ]
    return [f"{found.learned_from} of {of} stations were learned from and are not scored"]


def _remarks(found: Gathered, cube: Cube, product: Mosaics, days: Sequence[dt.date]) -> list[str]:
    """What a reader of the scores could otherwise be misled by."""
    out = []
    model = found.attrs.get("model", PRODUCT)
    if model != PRODUCT:
        out.append(f"the mosaics in {product.folder} say that {model} made them; they stand here as {PRODUCT}")
    outside = [day for day in cube.days if not days[0] <= day <= days[-1]]
    if outside:
        out.append(f"the cube also holds {len(outside)} days outside this period: {runs(outside)}")
    return out


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


def _plan(cfg: EvaluateConfig, product: Mosaics, days: list[dt.date], missing: list[dt.date]) -> dict[str, Any]:
    print(f"would score {len(days)} days, {days[0]} .. {days[-1]}, of {product.folder} ({product.domain.name})")
    print(f"  days without a mosaic: {len(missing)}" + (f": {runs(missing)}" if missing else ""))
    print(f"  truth: {cfg.truth or 'none: no scores at 1 km'}")
    print(f"  stations: {cfg.stations or 'none'}")
    print(f"  baselines, made in {cfg.report}/baselines: {', '.join(cfg.baselines) or 'none'}")
    print(f"  report: {cfg.report}/index.html")
    return {"days": len(days), "first": str(days[0]), "last": str(days[-1]), "missing_days": [str(d) for d in missing]}


def _baseline(cfg: EvaluateConfig, name: str, cube: Cube, days: Sequence[dt.date]) -> Mosaics:
    """The mosaics of a baseline for the same period; those that are there already are kept."""
    from ssm_net.infer.run import infer

    folder = Path(cfg.report) / "baselines" / name
    # A cube is extended in place; one that was made anew at the same path makes its baselines anew.
    made_from = fingerprint([cube.path / "zarr.json"])
    again = folder.exists() and not same(folder, made_from)
    infer(
        InferConfig(
            cube=cfg.cube, mosaics=str(folder), method=name, start=str(days[0]), end=str(days[-1]), overwrite=again
        )
    )
    write_whole(folder / "made_from.json", json.dumps({"fingerprint": made_from}).encode())
    return Mosaics.open(folder, cube.domain)


def _points(
    cfg: EvaluateConfig, product: Mosaics, truth: Truth | None, days: Sequence[dt.date]
) -> tuple[list[Point], list[str]]:
    """The pixels to follow through time: the stations, else three to look at."""
    notes = []
    if cfg.stations:
        from ssm_net.stations.ismn import read_stations

        points, outside = station_points(surface_sensors(read_stations(Path(cfg.stations))), product.domain)
        if outside:
            notes.append(f"{outside} of {outside + len(points)} stations lie outside the domain")
        if points:
            return points, notes
    middle = spread(days, 1)[0]
    mosaic = product.read(middle)
    field = truth.read(middle) if truth else None
    land = np.isfinite(mosaic.ssm) & ((mosaic.flags & int(Flag.WATER)) == 0)
    return sample_points(mosaic.ssm if field is None else field, land, product.domain), notes


def _data(cfg: EvaluateConfig) -> str:
    if cfg.truth:
        return "a synthetic world with a known 1 km truth: these are not scores of real soil moisture"
    if cfg.stations:
        return "no 1 km truth was given: skill is shown at stations in the domain, at those not learned from"
    return "neither a 1 km truth nor stations were given: consistency and coverage only, no skill"


def _command(cfg: EvaluateConfig) -> str:
    keys = ("mosaics", "cube", "report", "truth", "stations", "start", "end")
    given = [f"{k}={getattr(cfg, k)}" for k in keys if getattr(cfg, k) is not None]
    return " ".join(["python evaluate.py", *given, f"baselines=[{','.join(cfg.baselines)}]"])
