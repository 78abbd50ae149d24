"""The report: one page that stands alone, with the scores, the maps and what was made from what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np

from ssm_net.core.days import runs
from ssm_net.evaluate.gather import Gathered, Snapshot
from ssm_net.evaluate.metrics.scores import MIN_DAYS, PRODUCT, TILE, TRUTH
from ssm_net.evaluate.report import figures
from ssm_net.evaluate.report.html import comparison, facts, figure, note, section, table, tiles
from ssm_net.evaluate.report.style import CSS
from ssm_net.evaluate.report.tables import Row
from ssm_net.evaluate.series import Series, StationRow
from ssm_net.evaluate.stations import ENOUGH
from ssm_net.version import __version__

UNIT = figures.UNIT


def render(out: dict[str, Any], found: Gathered, rows: Sequence[StationRow]) -> str:
    """The page as text. ``out`` is what ``evaluate`` returns; the figures come from ``found``."""
    with mpl.rc_context(figures.STYLE):
        parts = {
            "scores": _scores(out),
            "maps": _maps(found.snapshots),
            "series": _series(found.series, rows),
            "texture": _texture(out, found),
            "uncertainty": _uncertainty(out, found),
            "stations": _stations(out),
            "coarse": _coarse(out),
            "gaps": _gaps(out),
            "sensors": _breaks(out, found),
            "coverage": _coverage(out),
            "provenance": _provenance(out),
        }
    parts = {k: v for k, v in parts.items() if v}
    links = "".join(f'<a href="#{k}">{k}</a>' for k in parts)
    title = f"Soil moisture at 1 km: {out['domain']}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body>"
        f"<header><div><h1>{escape(title)}</h1><p>{out['first']} to {out['last']}, {out['days']} days</p>"
        f"<p>{escape(out['data'][:1].upper() + out['data'][1:])}.</p></div></header>"
        f"<nav><div>{links}</div></nav><main>{_tiles(out)}{_missing(out)}{''.join(parts.values())}</main>"
        f"<footer><div>Made by ssm_net {__version__}. All soil moisture is volumetric, {UNIT}, of the top 5 cm.</div>"
        "</footer></body></html>"
    )


def _of(rows: Sequence[Row], method: str, stratum: str = "all") -> Row | None:
    return next((r for r in rows if r["method"] == method and r.get("stratum", "all") == stratum), None)


def _tiles(out: dict[str, Any]) -> str:
    items = []
    ours, base = _of(out["truth"], PRODUCT), _of(out["truth"], "bilinear")
    if ours:
        beside = f"bilinear {base['RMSE']:.4f}, {100 * (ours['RMSE'] / base['RMSE'] - 1):+.0f} %" if base else ""
        items.append((f"{ours['RMSE']:.4f}", f"RMSE, {UNIT}, all sky", beside))
        if ours["sub-grid R"] is not None:
            beside = f"bilinear {base['sub-grid R']:.2f}" if base and base["sub-grid R"] is not None else ""
            items.append((f"{ours['sub-grid R']:.2f}", "correlation inside coarse cells", beside))
        if ours["coverage 90"] is not None:
            items.append((f"{100 * ours['coverage 90']:.0f} %", "of the truth in the 90 % interval", ""))
    station = _of(out["stations"], PRODUCT)
    if station:
        beside = f"median of {station['stations']} stations"
        items.append((f"{station['ubRMSE']:.3f}", f"ubRMSE at stations, {UNIT}", beside))
    land = [row for row in out["coverage"] if row["produced of thawed land"] is not None]
    if land:
        days = sum(row["days"] for row in land)
        produced = sum(row["produced of thawed land"] * row["days"] for row in land) / days
        items.append((f"{produced:.1f} %", "of the land not frozen has a value", f"{out['days']} days"))
    return tiles(items)


def _missing(out: dict[str, Any]) -> str:
    texts = []
    if out["missing_days"]:
        days = runs([dt.date.fromisoformat(day) for day in out["missing_days"]])
        texts.append(f"{len(out['missing_days'])} days have no mosaic and are not in any number here: {days}.")
    if not out["truth"]:
        texts.append(
            "No 1 km truth was given, or none covers these days: there are no scores at 1 km. Give "
            "truth=RAW/truth.zarr of a synthetic world for them."
        )
    if not out["station"] and not out["stations_learned_from"]:
        texts.append("No station lies in the domain or none was given: stations=FOLDER adds them.")
    return "".join(note(t) for t in [*texts, *out["notes"]])


def _scores(out: dict[str, Any]) -> str:
    rows = out["truth"]
    if not rows:
        return ""
    cards = [
        comparison(rows, "RMSE", "RMSE", f"{UNIT}; smaller is better"),
        comparison(rows, "ubRMSE", "ubRMSE", f"{UNIT}; RMSE without the mean error"),
        comparison(rows, "sub-grid R", "Sub-grid correlation", "means of 36 km cells taken out; 1 is best",
                   digits=3, target=1.0),
        comparison(rows, "sub-grid std ratio", "Sub-grid spread", "std inside cells over that of the truth; 1 is best",
                   digits=2, target=1.0),
        comparison(rows, "coverage 68", "In the 68 % interval", "part of the truth; 0.68 is best", digits=3,
                   target=0.68),
        comparison(rows, "coverage 90", "In the 90 % interval", "part of the truth; 0.90 is best", digits=3,
                   target=0.9),
        comparison(rows, "CRPS", "CRPS", f"{UNIT}; scores the value and its uncertainty together"),
        comparison(rows, "bias", "Bias", f"{UNIT}; mean of estimate minus truth"),
    ]  # fmt: skip
    part = 100 * out["pixels_scored"] / max(out["pixels_offered"], 1)
    about = (
        f"{out['pixels_scored']:,} pixel-days, {part:.1f} % of those that the product has: the ones where every method "
        "has a value. Clear, cloudy and orbit gap are the product's own flags, so all methods are scored on the same "
        "pixels. The best of each column is coloured."
    )
    return section("scores", "Scores against the 1 km truth", about, f'<div class="cards">{"".join(cards)}</div>')


def _maps(snapshots: Sequence[Snapshot]) -> str:
    if not snapshots:
        return ""
    values = np.concatenate([f[np.isfinite(f)].ravel() for s in snapshots for f in s.fields.values()])
    low, high = np.quantile(values, [0.02, 0.98]) if values.size else (0.0, 0.5)
    if high - low < 0.01:
        low, high = low - 0.005, high + 0.005
    pictures = [
        figure(figures.maps(s, float(low), float(high)), f"maps of {s.day}", f"{s.day}. Dark lines are shores.")
        for s in snapshots
    ]
    about = "Three days spread over the period. All soil moisture maps share one colour scale."
    return section("maps", "Maps", about, *pictures)


def _series(series: Series, rows: Sequence[StationRow]) -> str:
    if not series.points:
        return ""
    pairs = {r.column: r.scores[PRODUCT, "all"].n for r in rows if (PRODUCT, "all") in r.scores}
    order = sorted(range(len(series.points)), key=lambda j: -pairs.get(j, 0))
    about = "The three stations with the most pairs." if pairs else "Three pixels: dry, middling and wet."
    about += " The band is the stated 90 % interval of the pixel, which does not include how a point differs from 1 km."
    return section("series", "Through time", about, figure(figures.time_series(series, order[:3]), "time series"))


def _texture(out: dict[str, Any], found: Gathered) -> str:
    if not out["texture"]:
        return ""
    columns = {
        "method": ("", 0), "sub-grid std": (f"sub-grid std, {UNIT}", 4), "spectral slope": ("spectral slope", 2),
        "block index": ("block index", 3), "seam index": ("seam index", 3),
        "temporal ubRMSE": (f"temporal ubRMSE, {UNIT}", 4), "temporal R": ("temporal R", 3),
    }  # fmt: skip
    tiled = any("seam index" in row for row in out["texture"])
    if not tiled:
        del columns["seam index"]
    seams = (
        f"The seam index is the mean step across tile seams (every {TILE} cells) over that across other cell edges; "
        "by chance that of the truth is not 1 either. "
        if tiled
        else ""
    )
    about = (
        "How much a map varies inside the 36 km cells, over which distances, and whether the coarse grid shows "
        "through: the block index is the mean step across cell edges over that inside cells, 1 where no trace is left. "
        f"{seams}Temporal scores are those of single pixels over days, averaged over pixels with at least {MIN_DAYS} "
        "days."
    )
    return section(
        "texture", "Texture", about, table(out["texture"], columns, "method"),
        figure(figures.texture(found.scores), "sub-grid variation and power spectrum"),
        figure(figures.scatter(found.scores, out["methods"]), "truth against estimate",
               "Estimate against truth; colours count pixels and days on a logarithmic scale."),
    )  # fmt: skip


def _uncertainty(out: dict[str, Any], found: Gathered) -> str:
    if not out["calibration"]:
        return ""
    columns = {"method": ("", 0), "RMSE": (f"RMSE, {UNIT}", 4), "stated uncertainty": (f"stated, {UNIT}", 4)}
    rows = [r for r in out["truth"] if r["stratum"] == "all"]
    about = (
        "On the diagonal, as much of the truth lies inside an interval as it says; below it the uncertainty is too "
        "small."
    )
    return section("uncertainty", "Uncertainty", about,
                   figure(figures.calibration(found.scores, out["methods"]), "calibration"),
                   table(rows, columns, "method"))  # fmt: skip


def _stations(out: dict[str, Any]) -> str:
    if not out["station"]:
        return ""
    cards = ""
    if out["stations"]:
        medians = out["stations"]
        cards = "".join([
            comparison(medians, "R", "Correlation", "median over stations", digits=3, target=1.0),
            comparison(medians, "ubRMSE", "ubRMSE", f"median over stations, {UNIT}"),
            comparison(medians, "bias", "Bias", f"median over stations, {UNIT}"),
        ])  # fmt: skip
    text = {"station": "", "network": "network", "depth": "depth", "note": "note"}
    columns: dict[str, tuple[str, int]] = {k: (v, 0) for k, v in text.items() if k != "note"}
    columns |= {"pairs": ("pairs", 0), "independent": ("independent", 0), "R ±": ("R", 2), "ubRMSE ±": ("ubRMSE", 3),
                "bias ±": ("bias", 3)}  # fmt: skip
    columns |= {f"{m} ubRMSE": (f"ubRMSE {m}", 3) for m in out["methods"][1:]}
    columns |= {g: (g, 2) for g in ("G_EFFI", "G_PREC", "G_ACCU", "G_DOWN")} | {"note": ("note", 0)}
    rows = [r | {f"{k} ±": _interval(r, k) for k in ("R", "ubRMSE", "bias")} for r in out["station"]]
    about = (
        "Values within one hour of 01:30 local solar time, quality flag good, shallowest sensor. 95 % intervals use "
        "the effective number of independent pairs. The gains G (Merlin et al. 2015) compare with the bilinear "
        "coarse map: above 0 the 1 km map is closer to the station."
    )
    lines = [
        f"{r['method']}: median R {_interval(r, 'R')}, ubRMSE {_interval(r, 'ubRMSE')}, {r['stations']} stations."
        for r in out["stations"]
        if r["stratum"] == "all"
    ]
    if short := sorted({r["stratum"] for r in out["stations"] if r["note"]}):
        lines.append(f"Short records, fewer than {ENOUGH} pairs a station: {', '.join(short)}.")
    networks = ""
    if len({r["network"] for r in out["networks"]}) > 1:
        shown = {"network": ("network", 0), "method": ("", 0), "stations": ("stations", 0), "R ±": ("median R", 2),
                 "ubRMSE ±": (f"median ubRMSE, {UNIT}", 3), "note": ("note", 0)}  # fmt: skip
        networks = table(
            [r | {f"{k} ±": _interval(r, k) for k in ("R", "ubRMSE")} for r in out["networks"]], shown, "method"
        )
    medians_text = f'<p class="about"><br>{"<br>".join(escape(line) for line in lines)}</p>'
    return section("stations", "Stations", about, f'<div class="cards">{cards}</div>', medians_text, networks,
                   table(rows, columns, "method"))  # fmt: skip


def _interval(row: Row, name: str) -> str:
    """A score with its confidence interval, as text."""
    if row.get(name) is None:
        return "–"
    digits = 2 if name == "R" else 3
    low, high = row.get(f"{name} low"), row.get(f"{name} high")
    text = f"{row[name]:.{digits}f}"
    return text if low is None or high is None else f"{text} ({low:.{digits}f} to {high:.{digits}f})"


def _coarse(out: dict[str, Any]) -> str:
    if not out["coarse"]:
        return ""
    columns = {"method": ("", 0), "cells": ("cells", 0), "R": ("R", 3), "RMSD": (f"RMSD, {UNIT}", 4),
               "ubRMSD": (f"ubRMSD, {UNIT}", 4), "bias": (f"bias, {UNIT}", 4)}  # fmt: skip
    about = (
        "The mean of each map over the radiometer's footprint beside what the radiometer saw. This is consistency, not "
        "skill: the observation has an error of its own, and a map that repeats it is not better for that."
    )
    return section("coarse", "Beside the coarse observation", about, table(out["coarse"], columns, "method"))


def _gaps(out: dict[str, Any]) -> str:
    if not out["gaps"]:
        return ""
    columns = {"days": ("days since", 0), "n": ("pixels and days", 0), "RMSE": (f"RMSE, {UNIT}", 4),
               "bias": (f"bias, {UNIT}", 4), "stated uncertainty": (f"stated error, {UNIT}", 4),
               "coverage 68": ("in 68 %", 3), "coverage 90": ("in 90 %", 3)}  # fmt: skip
    about = "The map against the truth by the days since the radiometer last saw the place."
    return section("gaps", "Without the radiometer", about, table(out["gaps"], columns, "days"))


def _breaks(out: dict[str, Any], found: Gathered) -> str:
    if not out["breaks"]:
        return ""
    rows = [r | {k: _between(r, k) for k in ("step", "std ratio")} for r in out["breaks"]]
    columns = {"change": ("", 0), "first day": ("first day", 0), "series": ("series", 0), "against": ("against", 0),
               "seasons": ("seasons", 0), "days before": ("days before", 0), "days after": ("days after", 0),
               "step": (f"step, {UNIT}", 4), "std ratio": ("spread after / before", 2)}  # fmt: skip
    about = (
        "Mean and spread each side of a change of sensor, of the map and (with a truth) of the coarse observations, up "
        "to a year each side, of the same seasons where both have enough; 95 % intervals from blocks of 15 days. "
        "A record without a break has steps about 0. Rain tells a part of the soil's course only, and what the maps "
        "miss of the weather differs from year to year: a small step is not always a sensor's."
    )
    picture = figure(figures.levels(found.levels), "the record's level", "means of each day over the domain; a line "
                     "where the sensor changes")  # fmt: skip
    return section("sensors", "Change of sensor", about, picture, table(rows, columns, "change"))


def _between(row: Row, name: str) -> str:
    """A value with its interval, as text."""
    if row[name] is None:
        return "–"
    digits = 4 if name == "step" else 2
    value, low, high = (f"{row[k]:.{digits}f}" for k in (name, f"{name} low", f"{name} high"))
    return f"{value} ({low} to {high})"


def _coverage(out: dict[str, Any]) -> str:
    first = out["coverage"][0]
    digits = {"days": 0, "land pixels": 0}
    columns = {k: ("" if k == "month" else k, digits.get(k, 1)) for k in first}
    about = (
        "Per cent of land pixels (of those neither frozen nor in towns in the column that says so), means over the "
        "days of a month; and the days that had to do without an input."
    )
    picture = figure(figures.coverage(out["coverage"]), "coverage by month", "what the land's pixels rest on, by month")
    lacked = {k: ("" if k == "month" else k, 0) for k in out["inputs"][0]}
    return section("coverage", "Coverage", about, picture, table(out["coverage"], columns, "month"),
                   table(out["inputs"], lacked, "month"))  # fmt: skip


def _provenance(out: dict[str, Any]) -> str:
    items = {
        "data": out["data"],
        "domain": out["domain"],
        "days": f"{out['days']}, {out['first']} to {out['last']}",
        "methods": ", ".join(out["methods"]) + "; the baselines were made from the same cube by the same command",
        "truth": "yes" if TRUTH in {r["method"] for r in out["texture"]} else "none",
        "ssm_net": __version__,
    }
    own = out["mosaic_attributes"]
    made = f"<h3>The mosaics say of themselves</h3>{facts(own)}" if own else ""
    return section("provenance", "What was made from what", "Everything here comes from one command.",
                   f"<p><code>{escape(out['command'])}</code></p>", facts(items), made)  # fmt: skip
