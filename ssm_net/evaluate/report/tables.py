"""The scores as tables: lists of plain rows, for ``scores.json``, the terminal and the report alike."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

from ssm_net.cube.lags import LAGS, lag_table
from ssm_net.cube.store import Cube
from ssm_net.evaluate.daily_pass import Evaluation, EvaluationInputs
from ssm_net.evaluate.metrics.coverage import missing_inputs
from ssm_net.evaluate.referees.breaks import break_table
from ssm_net.evaluate.referees.coarse import coarse_rows
from ssm_net.evaluate.referees.stations import StationRow, by_network, station_rows, summarise

Row = dict[str, Any]


def all_tables(
    inputs: EvaluationInputs, result: Evaluation, rows: Sequence[StationRow], days: Sequence[dt.date]
) -> dict[str, list[Row]]:
    """All tables, m3 m-3, correlations and fractions; one without any data is empty.

    Those against the truth are the tables of the scorecard, under their keys.
    """
    methods = list(inputs.methods)
    period = [days[0] + dt.timedelta(n) for n in range((days[-1] - days[0]).days + 1)]
    return {
        **{table.key: result.scores.rows(table, methods) for table in inputs.scorecard.tables},
        "stations": summarise(result.series, rows, methods),
        "networks": by_network(result.series, rows, methods),
        "station": station_rows(rows, methods),
        "coarse": coarse_rows(result.coarse),
        "coverage": [{"month": month, **c.row()} for month, c in sorted(result.coverage.items())],
        "breaks": break_table(result.levels),
        "lags": lag_rows(inputs.cube),
        "inputs": [{"month": month, **row} for month, row in sorted(missing_inputs(inputs.cube, period).items())],
    }


def lag_rows(cube: Cube) -> list[Row]:
    """Correlations of the inputs with the coarse observation by lag, as ``prepare`` prints them."""
    return [
        {"input": row.name, **{f"{lag:+d} d": r for lag, r in zip(LAGS, row.r, strict=True)},
         "best": f"{row.best:+d} d", "pairs": row.pairs, "clear": row.clear}
        for row in lag_table(cube)
    ]  # fmt: skip


def json_ready(value: Any) -> Any:
    """The same with every NaN as None: JSON has no NaN."""
    if isinstance(value, dict):
        return {k: json_ready(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_number(value: Any, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0 turns -0 into 0


def with_minus(number: str) -> str:
    """A number with the minus sign of a printed page."""
    return number.replace("-", "\u2212")


def format_interval(row: Row, name: str, digits: int) -> str:
    """A score with its 95 % confidence interval, as "0.81 (0.74 to 0.87)"; a dash where there is none."""
    value, low, high = (row.get(key) for key in (name, f"{name} low", f"{name} high"))
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text if low is None or high is None else f"{text} ({low:.{digits}f}\u00a0to\u00a0{high:.{digits}f})"
