"""The tables of the skill benchmark: scores of all methods in a family, and the network against the goals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from goals import BASELINES, GOALS, GOALS_OF_MEANS, METHODS, NETWORKS, SHOWN, means_over_families
from rich.table import Table

from ssm_net.evaluate.referees.truth import TRUTH
from ssm_net.evaluate.report.tables import format_number

COLUMNS = {
    "RMSE": ("RMSE", 4), "RMSE clear": ("clear", 4), "RMSE cloudy": ("cloudy", 4), "RMSE orbit gap": ("gap", 4),
    "sub-grid R": ("sub R", 3), "sub-grid std ratio": ("sub std", 2), "coverage 68": ("in 68%", 3),
    "coverage 90": ("in 90%", 3), "CRPS": ("CRPS", 4), "block index": ("block", 3),
    "spectral slope": ("slope", 2), "seconds": ("s", 0),
}  # fmt: skip


def score_table(family: str, summary: Mapping[str, Any]) -> Table:
    """The scores of the methods that were run in a family, and the texture of its truth."""
    seeds = ", ".join(map(str, summary["seeds"]))
    several = f"mean ± standard deviation of seeds {seeds}" if len(summary["seeds"]) > 1 else f"seed {seeds}"
    table = Table(title=f"Family {family}, {several}",
                  caption="m3 m-3; sub: inside 36 km cells, std over that of the truth; slope of the power spectrum; "
                  "s: seconds from the cube to the mosaics, training or fitting included",
                  title_justify="left", caption_justify="left")  # fmt: skip
    table.add_column("method", no_wrap=True)
    for heading, _ in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    run = [m for m in (*METHODS, TRUTH) if m in summary["scores"]]
    last_of_section = [[m for m in run if m in section][-1:] for section in (NETWORKS, BASELINES)]
    for method in run:
        row = summary["scores"][method]
        # Fewer spreads keep the table on a screen; all are in the results.
        cells = [
            _with_spread(row[k], n, k in ("RMSE", "sub-grid R")) if k in row else "" for k, (_, n) in COLUMNS.items()
        ]
        table.add_row(method, *cells, end_section=[method] in last_of_section)
    return table


def goal_table(families: Mapping[str, Any]) -> Table:
    """A row a goal: its value in each family, or their mean, and whether it is reached; then what is only shown."""
    table = Table(
        title="The network against the goals, in families that it has not met; mean: of the families",
        title_justify="left",
    )
    for heading in ("", "goal", *families, "mean"):
        table.add_column(heading, no_wrap=True)
    for goal, limit in GOALS.items():
        cells = []
        for summary in families.values():
            value = summary["ratios"].get(goal)
            word = "" if value is None else " ok" if limit.reached(value["mean"]) else " MISSED"
            cells.append("not judged" if value is None else _with_spread(value, limit.digits, True) + word)
        table.add_row(goal, str(limit), *cells, "")
    means = means_over_families(families)
    for goal, limit in GOALS_OF_MEANS.items():
        cell = "not judged"
        if goal in means:
            cell = f"{format_number(means[goal], 3)} {'ok' if limit.reached(means[goal]) else 'MISSED'}"
        table.add_row(f"mean: {goal}", str(limit), *("" for _ in families), cell)
    table.add_section()
    for name in SHOWN:
        values = [summary["ratios"].get(name) for summary in families.values()]
        if any(value is not None for value in values):
            table.add_row(name, "", *("" if v is None else _with_spread(v, 3, True) for v in values), "")
    return table


def _with_spread(value: Mapping[str, float], digits: int, spread: bool) -> str:
    text = format_number(value["mean"], digits)
    return f"{text} ± {format_number(value['spread'], digits)}" if spread and math.isfinite(value["spread"]) else text
