"""The scores as tables: lists of plain rows, for scores.json, the terminal and the report alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from ssm_net.evaluate.gather import Gathered
from ssm_net.evaluate.metrics.breaks import break_table
from ssm_net.evaluate.metrics.gaps import BINS
from ssm_net.evaluate.metrics.scores import STRATA, DayScores, temporal
from ssm_net.evaluate.metrics.statistics import LEVELS, Moments
from ssm_net.evaluate.series import StationRow, by_network, summarise

Row = dict[str, Any]


def truth_table(scores: DayScores, methods: Sequence[str]) -> list[Row]:
    """A row a method and stratum. m3 m-3, correlations and parts of one."""
    out = []
    for stratum in STRATA:
        for method in methods:
            s = scores.scores.get((method, stratum))
            if s is None or not s.value.n:
                continue
            v, g, i = s.value, s.subgrid, s.intervals
            out.append({
                "method": method, "stratum": stratum, "n": int(v.n),
                "RMSE": float(v.rmse), "ubRMSE": float(v.ubrmse), "bias": float(v.bias), "R": float(v.r),
                "sub-grid R": float(g.r), "sub-grid std ratio": float(g.std_y / g.std_x) if g.std_x > 0 else math.nan,
                "coverage 68": i.coverage_at(0.68), "coverage 90": i.coverage_at(0.9), "CRPS": i.crps,
                "stated uncertainty": i.spread,
            })  # fmt: skip
    return out


def texture_table(scores: DayScores) -> list[Row]:
    """A row a method and one for the truth: sub-grid std (m3 m-3), slope of the spectrum, block-artefact index,
    and that of seams where there is more than one tile."""
    out = []
    for name, t in scores.texture.items():
        cells = t.spread.n.sum()
        row = {
            "method": name,
            "sub-grid std": float((t.spread.variance.sum() / cells) ** 0.5) if cells else math.nan,
            "spectral slope": scores.spectrum[name].slope() if name in scores.spectrum else math.nan,
            "block index": t.blockiness.index,
        }
        if t.seams.n_seam:
            row["seam index"] = t.seams.index
        if name in scores.pixels:
            row |= temporal(scores.pixels[name])
        out.append(row)
    return out


def calibration_table(scores: DayScores, methods: Sequence[str]) -> list[Row]:
    """Per cent of the truth inside each nominal central interval, a row a method and stratum."""
    out = []
    for method in methods:
        for stratum in STRATA:
            s = scores.scores.get((method, stratum))
            if s is not None and s.intervals.n:
                inside = {f"{level:.0%}": float(c) for level, c in zip(LEVELS, s.intervals.coverage, strict=True)}
                out.append({"method": method, "stratum": stratum, **inside})
    return out


def coarse_table(coarse: Mapping[str, Moments]) -> list[Row]:
    """Footprint means of each method against the coarse observation."""
    return [
        {"method": m, "cells": int(v.n), "bias": float(v.bias), "RMSD": float(v.rmse), "ubRMSD": float(v.ubrmse),
         "R": float(v.r)}
        for m, v in coarse.items()
    ]  # fmt: skip


def station_table(rows: Sequence[StationRow], methods: Sequence[str]) -> list[Row]:
    """A row a station: scores of the first method with intervals, ubRMSE and R of the others, gains over bilinear."""
    out = []
    for r in rows:
        s = r.point.station
        assert s is not None
        row: Row = {"network": s.network, "station": s.name, "lat": s.lat, "lon": s.lon,
                    "depth": f"{100 * s.depth_from:.0f}-{100 * s.depth_to:.0f} cm"}  # fmt: skip
        ours = r.scores.get((methods[0], "all"))
        if ours is not None:
            row |= {"pairs": ours.n, "independent": round(ours.n_eff)}
            for name, e in (("R", ours.r), ("ubRMSE", ours.ubrmse), ("bias", ours.bias)):
                row |= {name: e.value, f"{name} low": e.low, f"{name} high": e.high}
            for method in methods[1:]:
                other = r.scores[method, "all"]
                row |= {f"{method} R": other.r.value, f"{method} ubRMSE": other.ubrmse.value}
        out.append(row | r.gains | {"note": r.note})
    return out


def tables(found: Gathered, rows: Sequence[StationRow], methods: Sequence[str]) -> dict[str, list[Row]]:
    """All tables; one that nothing was given for is empty."""
    scored = bool(found.scores.counted)
    return {
        "truth": truth_table(found.scores, methods) if scored else [],
        "texture": texture_table(found.scores) if scored else [],
        "calibration": calibration_table(found.scores, methods) if scored else [],
        "stations": summarise(rows, methods),
        "networks": by_network(rows, methods),
        "station": station_table(rows, methods),
        "coarse": coarse_table(found.coarse),
        "coverage": [{"month": month, **c.row()} for month, c in sorted(found.coverage.items())],
        "breaks": break_table(found.levels),
        "gaps": [{"days": name, **found.gaps[name].row()} for name in BINS if name in found.gaps],
        "inputs": [{"month": month, **row} for month, row in sorted(found.inputs.items())],
    }


def plain(value: Any) -> Any:
    """The same with every NaN as None: JSON has no NaN."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value: Any, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0 turns -0 into 0


def headline(found: dict[str, list[Row]], title: str) -> Table:
    """The one table for the terminal: against the truth, else at the stations, else against the coarse observation."""
    if found["truth"]:
        columns = {"RMSE": 4, "ubRMSE": 4, "bias": 4, "sub-grid R": 3, "coverage 68": 3, "coverage 90": 3, "CRPS": 4}
        rows, caption = (
            found["truth"],
            "Against the 1 km truth; m3 m-3; in 68% and in 90%: part of the truth in the stated intervals.",
        )
    elif found["stations"]:
        columns = {"stations": 0, "R": 3, "ubRMSE": 4, "bias": 4}
        rows = sorted(found["stations"], key=lambda row: STRATA.index(row["stratum"]))
        caption = "Medians over stations; m3 m-3. No 1 km truth was given."
    else:
        columns = {"cells": 0, "R": 3, "RMSD": 4, "bias": 4}
        rows = [{"stratum": "all", **row} for row in found["coarse"]]
        caption = (
            "Footprint means against the coarse observation: consistency, not skill. No truth, and no station to score."
        )
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left",
                  box=box.SIMPLE, show_edge=False, pad_edge=False, padding=0)  # fmt: skip
    table.add_column("sky", no_wrap=True)
    table.add_column("method", no_wrap=True)
    for name in columns:
        heading = {"coverage 68": "in 68%", "coverage 90": "in 90%"}.get(name, name)
        table.add_column(heading, justify="right", no_wrap=True)
    for i, row in enumerate(rows):
        first = i == 0 or rows[i - 1]["stratum"] != row["stratum"]
        last = i + 1 == len(rows) or rows[i + 1]["stratum"] != row["stratum"]
        cells = [number(row[name], digits) for name, digits in columns.items()]
        table.add_row(row["stratum"] if first else "", row["method"], *cells, end_section=last)
    return table


def show(found: dict[str, list[Row]], title: str) -> None:
    Console().print(headline(found, title))
