"""What each section of the report shows: values for the template of the same name; None where there is no data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ssm_net.core.days import runs
from ssm_net.cube.lags import LAGS
from ssm_net.evaluate.answers.questions import GainPlaces
from ssm_net.evaluate.daily_pass import Evaluation, Snapshot
from ssm_net.evaluate.metrics.algebra import UNIT, ScoreTable
from ssm_net.evaluate.metrics.error import Bias, Correlation, TemporalUnbiasedRmse, UnbiasedRmse
from ssm_net.evaluate.referees.coarse import METRICS as COARSE_METRICS
from ssm_net.evaluate.referees.point_series import Series
from ssm_net.evaluate.referees.station_scores import SUMMARY_PAIRS
from ssm_net.evaluate.referees.stations import StationRow
from ssm_net.evaluate.referees.truth import PRODUCT, TILE_ATTRIBUTE
from ssm_net.evaluate.report import figures
from ssm_net.evaluate.report.map_panels import draw_map_panels
from ssm_net.evaluate.report.tables import Row, format_interval
from ssm_net.evaluate.report.views import Columns, FigureView, card, figure_view, png_text, score_table_view, table_view
from ssm_net.formats.citations import ISMN

SectionValues = dict[str, Any]
MAP_DPI = 160


@dataclass(frozen=True)
class Section:
    """A section of the page. ``templates`` are tried in turn; ``values`` are what they show."""

    key: str
    title: str
    about: str
    values: SectionValues

    @property
    def templates(self) -> list[str]:
        return [f"sections/{self.key}.html.jinja", "sections/score_table.html.jinja"]


@dataclass(frozen=True)
class ReportData:
    """What the report is made of: ``out``, the content of ``scores.json``, the sums that figures need, and ``places``
    where the maps are better."""

    out: dict[str, Any]
    result: Evaluation
    stations: Sequence[StationRow]
    places: GainPlaces

    def rows(self, key: str) -> list[Row]:
        return list(self.out.get(key, []))


def truth(data: ReportData, table: ScoreTable) -> SectionValues | None:
    rows = data.rows("truth")
    if not rows:
        return None
    cards = [card(rows, metric) for metric in table.metrics if metric.about]
    fraction = 100 * data.out["pixels_scored"] / max(data.out["pixels_offered"], 1)
    return {"cards": cards, "pixels": data.out["pixels_scored"], "percent": fraction}


def score_table(data: ReportData, table: ScoreTable) -> SectionValues | None:
    """A table of the scorecard that has no template of its own."""
    rows = data.rows(table.key)
    return {"table": score_table_view(table, rows)} if rows else None


def maps(data: ReportData) -> SectionValues | None:
    snapshots = data.result.snapshots
    if not snapshots:
        return None
    low, high = _colour_range(snapshots)
    return {
        "range": [low, high],
        "days": [
            {"day": str(s.day), "panels": [FigureView(png_text(fig, MAP_DPI), f"{name}, {s.day}", "")
                                           for name, fig in draw_map_panels(s, low, high)]}
            for s in snapshots
        ],
    }  # fmt: skip


def _colour_range(snapshots: Sequence[Snapshot]) -> tuple[float, float]:
    values = np.concatenate([f[np.isfinite(f)].ravel() for s in snapshots for f in s.fields.values()])
    low, high = np.quantile(values, [0.02, 0.98]) if values.size else (0.0, 0.5)
    return (float(low), float(high)) if high - low >= 0.01 else (float(low) - 0.005, float(high) + 0.005)


def series(data: ReportData) -> SectionValues | None:
    points: Series = data.result.series
    if not points.points:
        return None
    pairs = {r.column: r.scores[PRODUCT, "all"].n for r in data.stations if (PRODUCT, "all") in r.scores}
    order = sorted(range(len(points.points)), key=lambda j: -pairs.get(j, 0))
    picture = figure_view(
        partial(figures.draw_time_series, points, order[:3]),
        "time series",
        numbers={"days": [str(day) for day in points.days], "points": [_point(points, j) for j in order[:3]]},
    )
    return {"of_stations": bool(pairs), "figure": picture}


def _point(points: Series, column: int) -> dict[str, Any]:
    """A point's series, m3 m-3."""
    named = {"truth": points.truth, "station": points.station, **points.ssm}
    named["standard error"] = points.sigma[PRODUCT]
    where = points.points[column]
    series = {name: values[:, column] for name, values in named.items()}
    known = {name: _rounded(values) for name, values in series.items() if np.isfinite(values).any()}
    return {"name": where.label, "lon": where.lon, "lat": where.lat, "series": known}


def _rounded(values: Any, digits: int = 5) -> list[float]:
    return np.round(np.asarray(values, "float64"), digits).tolist()


def texture(data: ReportData, table: ScoreTable) -> SectionValues | None:
    rows, scores, methods = data.rows("texture"), data.result.scores, data.out["methods"]
    if not rows:
        return None
    return {
        "table": score_table_view(table, rows),
        "tile": data.result.attrs.get(TILE_ATTRIBUTE) if any("seam index" in row for row in rows) else None,
        "min_days": TemporalUnbiasedRmse.MIN_DAYS,
        "texture": figure_view(partial(figures.draw_texture, scores, methods), "sub-grid variation and power spectrum",
                               numbers=figures.texture_numbers(scores, methods)),
        "scatter": figure_view(partial(figures.draw_scatter, scores, methods), "truth against estimate",
                               "Estimate against truth; colours count pixels and days on a logarithmic scale.",
                               figures.scatter_numbers(scores, methods)),
    }  # fmt: skip


def calibration(data: ReportData) -> SectionValues | None:
    levels = data.rows("calibration")
    if not levels:
        return None
    columns: Columns = {"method": ("", 0), "RMSE": (f"RMSE, {UNIT}", 4), "stated uncertainty": (f"stated, {UNIT}", 4)}
    rows = [r for r in data.rows("truth") if r["stratum"] == "all"]
    return {
        "figure": figure_view(partial(figures.draw_calibration, data.result.scores, data.out["methods"]), "calibration",
                              numbers={"rows": levels}),
        "table": table_view(rows, columns),
    }  # fmt: skip


def stations(data: ReportData) -> SectionValues | None:
    if not data.rows("station"):
        return None
    medians, methods = data.rows("stations"), data.out["methods"]
    about = "Median over stations"
    cards = [card(medians, metric) for metric in (
        Correlation(about=f"{about}; 1 is best"), UnbiasedRmse(about=about), Bias(about=about))]  # fmt: skip
    columns: Columns = {k: (k, 0) for k in ("station", "network", "depth", "pairs", "independent")}
    columns |= {k: (k, 0) for k in ("R", "ubRMSE", "bias")} | {f"{m} ubRMSE": (f"ubRMSE {m}", 3) for m in methods[1:]}
    columns |= {g: (g, 2) for g in ("G_EFFI", "G_PREC", "G_ACCU", "G_DOWN")} | {"note": ("note", 0)}
    network_columns: Columns = {"network": ("network", 0), "method": ("method", 0), "stations": ("stations", 0),
                                "R": ("median R", 0), "ubRMSE": (f"median ubRMSE, {UNIT}", 0),
                                "note": ("note", 0)}  # fmt: skip
    networks = data.rows("networks")
    several = len({r["network"] for r in networks}) > 1
    return {
        "cards": cards if medians else [],
        "medians": [_with_intervals(r) for r in medians if r["stratum"] == "all"],
        "short_records": sorted({r["stratum"] for r in medians if r["note"]}),
        "summary_pairs": SUMMARY_PAIRS,
        "networks": table_view(networks, network_columns, INTERVALS) if several else None,
        "table": table_view(data.rows("station"), columns, INTERVALS),
    }


INTERVALS = {"R": 2, "ubRMSE": 3, "bias": 3}  # columns shown with their interval, and their digits


def _with_intervals(row: Row) -> Row:
    """R, ubRMSE and bias as text with their intervals."""
    return row | {k: format_interval(row, k, digits) for k, digits in INTERVALS.items()}


def coarse(data: ReportData) -> SectionValues | None:
    rows = data.rows("coarse")
    columns: Columns = {"method": ("", 0), **{m.name: (m.heading, m.digits) for m in COARSE_METRICS}}
    return {"table": table_view(rows, columns)} if rows else None


def breaks(data: ReportData) -> SectionValues | None:
    if not data.rows("breaks"):
        return None
    digits = {"step": 4, "std ratio": 2}
    rows = data.rows("breaks")
    columns: Columns = {"change": ("", 0), "first day": ("first day", 0), "series": ("series", 0),
                        "against": ("against", 0), "seasons": ("seasons", 0), "days before": ("days before", 0),
                        "days after": ("days after", 0), "step": (f"step, {UNIT}", 0),
                        "std ratio": ("std after / before", 0)}  # fmt: skip
    levels = data.result.levels
    numbers = {"days": [str(d.day) for d in levels], "map's mean": _rounded([d.level for d in levels]),
               "map - truth": _rounded([d.error for d in levels]),
               "coarse observations - truth": _rounded([d.coarse_error for d in levels])}  # fmt: skip
    picture = figure_view(partial(figures.draw_levels, levels), "level of the record",
                          "Means of each day over the domain; dotted lines: change of sensor.", numbers)  # fmt: skip
    return {"figure": picture, "table": table_view(rows, columns, digits)}


def lags(data: ReportData) -> SectionValues | None:
    rows = data.rows("lags")
    if not rows:
        return None
    columns: Columns = {"input": ("input", 0), **{f"{lag:+d} d": (f"{lag:+d} d", 2) for lag in LAGS},
                        "best": ("best", 0), "pairs": ("pairs", 0)}  # fmt: skip
    return {"table": table_view(rows, columns), "wrong": [row for row in rows if row["clear"]]}


def coverage(data: ReportData) -> SectionValues | None:
    rows, inputs = data.rows("coverage"), data.rows("inputs")
    digits = {"days": 0, "land pixels": 0}
    picture = figure_view(
        partial(figures.draw_coverage, rows), "coverage by month", "Inputs behind the values of land pixels."
    )
    return {
        "figure": picture,
        "table": table_view(rows, {k: (k, digits.get(k, 1)) for k in rows[0]}),
        "inputs": table_view(inputs, {k: (k, 0) for k in inputs[0]}),
    }


def provenance(data: ReportData) -> SectionValues | None:
    out = data.out
    facts = {
        "data": out["data"],
        "domain": out["domain"],
        "days": f"{out['days']}, {out['first']} to {out['last']}",
        "methods": ", ".join(out["methods"]) + "; the baselines were made from the same cube by the same command",
        "truth": "yes" if data.rows("truth") else "none",
    }
    if networks := out.get("station_networks"):
        facts["station networks"] = (
            f"{', '.join(networks)}. Please cite each as ismn.earth/en/networks asks, and the archive: {ISMN}"
        )
    return {"command": out["command"], "facts": facts, "attributes": out["mosaic_attributes"]}


def missing_days(data: ReportData) -> str:
    """The days of the period without a mosaic, as text."""
    return runs([dt.date.fromisoformat(day) for day in data.out["missing_days"]])
