"""Scores of anomalies inside a cell: pooled, by season, static and dynamic apart, with intervals over stations.

A station's anomaly is its soil moisture less the mean of the others that day (ssm_net/evaluate/metrics/inside_cell.py).
The static part is a station's mean over its days, the dynamic part what is left. Intervals resample stations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from ground_table import LEAST_OTHERS, StationCell
from rich.table import Table

from ssm_net.evaluate.metrics.inside_cell import StationSums, correlation, gain, rmse, scores_and_intervals

SEASONS = ("DJF", "MAM", "JJA", "SON")
POINT_ERROR = 0.05  # m3 m-3, of a point measurement against its pixel
QUANTILES = {"68": 0.994458, "90": 1.644854}  # of the normal distribution, standard deviations
Scores = dict[str, Any]


def judged_rows(cells: Sequence[StationCell]) -> pd.DataFrame:
    """A row a station and day that is due: ``date``, ``cell``, ``site``, ``season``, the ``coarse`` value and the true
    ``anomaly`` (m3 m-3)."""
    parts = []
    for cell in cells:
        t, i = np.nonzero(cell.due)
        date = pd.to_datetime(pd.Series(cell.days)).iloc[t].reset_index(drop=True)
        parts.append(pd.DataFrame({
            "date": date, "cell": cell.name, "site": np.array(cell.sites)[i],
            "season": [SEASONS[month % 12 // 3] for month in date.dt.month], "coarse": cell.coarse[t, i],
            "anomaly": (cell.daily["ssm"] - cell.coarse)[t, i],
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def at_rows(cells: Sequence[StationCell], fields: Sequence[np.ndarray]) -> np.ndarray:
    """Values (T, n) of each cell in the order of ``judged_rows``."""
    return np.concatenate([field[cell.due] for cell, field in zip(cells, fields, strict=True)])


def score(rows: pd.DataFrame, predicted: np.ndarray, sigma: np.ndarray | None = None) -> Scores:
    """All scores of one method; ``predicted`` anomalies and their ``sigma`` in the order of ``rows``, m3 m-3."""
    table = rows.assign(p=predicted)
    true = rows["anomaly"].to_numpy()
    station = table.groupby(["cell", "site"]).ngroup().to_numpy()
    pooled, intervals = scores_and_intervals(StationSums.of(true, np.asarray(predicted), station))
    out: Scores = {
        "sub-grid r": pooled["r"], "slope": pooled["slope"], "RMSE": rmse(true - predicted), "gain": pooled["gain"],
        "gain by season": {s: gain(part["anomaly"].to_numpy(), part["p"].to_numpy())
                           for s in SEASONS if len(part := table[table["season"] == s])},
    }  # fmt: skip
    if rows["cell"].nunique() > 1:
        out["by cell"] = {name: {"sub-grid r": correlation(part["anomaly"], part["p"]),
                                 "gain": gain(part["anomaly"].to_numpy(), part["p"].to_numpy())}
                          for name, part in table.groupby("cell")}  # fmt: skip
    out |= {name: pooled[name] for name in ("static r", "static gain", "dynamic r", "dynamic gain")}
    out |= {"sub-grid r, 95 %": intervals["r"], "gain, 95 %": intervals["gain"]}
    days = table.groupby(["cell", "date"])[["anomaly", "p"]]
    daily = [correlation(d["anomaly"], d["p"]) for _, d in days if len(d) > LEAST_OTHERS]
    out["median of daily r"] = float(np.nanmedian(daily)) if np.isfinite(daily).any() else math.nan
    out["temporal R"] = {
        f"{cell} {site}".strip(): correlation(part["coarse"] + part["anomaly"], part["coarse"] + part["p"])
        for (cell, site), part in table.groupby(["cell", "site"])
    }
    out["median temporal R"] = float(np.nanmedian(list(out["temporal R"].values())))
    if sigma is not None:
        total = np.sqrt(sigma**2 + POINT_ERROR**2)
        for name, quantile in QUANTILES.items():
            out[f"coverage {name}"] = float(np.mean(np.abs(true - predicted) <= quantile * total))
        out["stated sigma"] = float(np.mean(sigma))
    return out


def score_tables(scores: dict[str, Scores], title: str) -> tuple[Table, Table]:
    """A row a method: what is predicted of the anomalies, and by how much the error falls, pooled and in parts."""
    what, gains = (
        Table(title=title, title_justify="left"),
        Table(title="Gain over undownscaled, %", title_justify="left"),
    )
    for table, columns in (
        (what, ("r [95 %]", "daily r", "static r", "dynamic r", "slope", "R in time", "in 68 %", "in 90 %")),
        (gains, ("RMSE", "gain [95 %]", *SEASONS, "static", "dynamic")),
    ):
        table.add_column("method", no_wrap=True)
        for column in columns:
            table.add_column(column, justify="right", no_wrap=True)
    for name, s in scores.items():
        (r0, r1), (g0, g1) = s["sub-grid r, 95 %"], s["gain, 95 %"]
        r = s["sub-grid r"]
        inside = (s.get(f"coverage {k}", math.nan) for k in QUANTILES)
        values = (s[k] for k in ("median of daily r", "static r", "dynamic r", "slope", "median temporal R"))
        what.add_row(name, "" if math.isnan(r) else f"{r:.3f} [{r0:.2f}, {r1:.2f}]",
                     *(_shown(v, 2) for v in (*values, *inside)))  # fmt: skip
        parts = (*(s["gain by season"].get(k, math.nan) for k in SEASONS), s["static gain"], s["dynamic gain"])
        gains.add_row(name, f"{s['RMSE']:.4f}", f"{s['gain']:+.1f} [{g0:.1f}, {g1:.1f}]",
                      *(_shown(v, 1) for v in parts))  # fmt: skip
    return what, gains


def _shown(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
