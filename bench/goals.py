"""What the benchmark judges: the ratios to other methods and their limits, and the tables that show them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from ssm_net.evaluate.referees.truth import TRUTH
from ssm_net.evaluate.report.tables import format_number

CLASSICS = ("dispatch", "gwr", "forest")  # published ones
BASELINES = ("bilinear", *CLASSICS, "ridge")
NETWORKS = ("network", "alone")  # with a prior of other families; from nothing, on the target alone
Scores = dict[str, dict[str, float]]  # method to score to number; m3 m-3, correlations and fractions

# What is judged, and its limit; a value is reached where it is at most (or at least) that.
GOALS = {
    "RMSE / bilinear": ("<=", 0.72),
    "RMSE / best classic": ("<=", 0.80),
    "RMSE / ridge": ("<=", 0.90),
    "RMSE / oracle": ("<=", 1.10),
    "sub-grid R / oracle": (">=", 0.92),
    "cloudy RMSE / clear": ("<=", 1.25),
    "68 % interval off, points": ("<=", 2.0),
    "90 % interval off, points": ("<=", 2.0),
    "block index / truth": ("<=", 1.05),  # by chance the truth too is rougher or smoother at cell edges
    "alone: RMSE / network": ("<=", 1.05),
    "alone: training, minutes": ("<=", 15.0),
}


INSIDE = "inside cells: RMSE / oracle"  # shown with the goals: without the level of cells, where the sensor errs


def inside(score: Mapping[str, float]) -> float:
    """RMSE about the 36 km means, as a fraction of the truth's standard deviation there."""
    q, r = score["sub-grid std ratio"], score["sub-grid R"]
    return math.sqrt(1 + q * q - 2 * q * r)


def ratios(scores: Scores, minutes: float) -> dict[str, float]:
    """The values of ``GOALS`` in one world, and of ``INSIDE``."""
    ours, oracle = scores["network"], scores["oracle"]
    return {
        "RMSE / bilinear": ours["RMSE"] / scores["bilinear"]["RMSE"],
        "RMSE / best classic": ours["RMSE"] / min(scores[m]["RMSE"] for m in CLASSICS),
        "RMSE / ridge": ours["RMSE"] / scores["ridge"]["RMSE"],
        "RMSE / oracle": ours["RMSE"] / oracle["RMSE"],
        "sub-grid R / oracle": ours["sub-grid R"] / oracle["sub-grid R"],
        "cloudy RMSE / clear": ours["RMSE cloudy"] / ours["RMSE clear"],
        "68 % interval off, points": abs(ours["coverage 68"] - 0.68) * 100,
        "90 % interval off, points": abs(ours["coverage 90"] - 0.90) * 100,
        INSIDE: inside(ours) / inside(oracle),
        "block index / truth": ours["block index"] / scores[TRUTH]["block index"],
        "alone: RMSE / network": scores["alone"]["RMSE"] / ours["RMSE"],
        "alone: training, minutes": minutes,
    }


def reached(goal: str, value: float) -> bool:
    """A goal without a value (NaN) is not reached."""
    sign, limit = GOALS[goal]
    return value <= limit if sign == "<=" else value >= limit


def leaks(scores: Scores) -> list[str]:
    """Methods that are nearer to the truth than the oracle, over all pixels and days."""
    line, out = scores["oracle"], []
    for name in (m for m in scores if m not in ("oracle", TRUTH)):
        for score, better in (("RMSE", -1), ("sub-grid R", 1)):
            if better * (scores[name][score] - line[score]) > 0:
                out.append(f"{name} has {score} {scores[name][score]:.4f}, the oracle {line[score]:.4f}")
    return out


def mean_and_spread(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean over worlds of each number, and its standard deviation (NaN of one world)."""
    out = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        out[key] = {"mean": float(np.mean(values)), "spread": spread}
    return out


def summarise(worlds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Scores and ratios a family, over its worlds."""
    out = {}
    for family in dict.fromkeys(w["family"] for w in worlds):
        mine = [w for w in worlds if w["family"] == family]
        out[family] = {
            "seeds": [w["seed"] for w in mine],
            "scores": {m: mean_and_spread([w["scores"][m] for w in mine]) for m in mine[0]["scores"]},
            "ratios": mean_and_spread([w["ratios"] for w in mine]),
        }
    return out


def misses(families: Mapping[str, Any], worlds: Sequence[dict[str, Any]]) -> list[str]:
    out = []
    for family, summary in families.items():
        for goal, (sign, limit) in GOALS.items():
            value = summary["ratios"][goal]["mean"]
            if not reached(goal, value):
                out.append(f"{family}: {goal} {format_number(value)} is not {sign} {limit:g}")
    return out + [f"leak in {w['family']} {w['seed']}: {text}" for w in worlds for text in w["leaks"]]


def score_table(family: str, summary: Mapping[str, Any]) -> Table:
    columns = {
        "RMSE": ("RMSE", 4), "RMSE clear": ("clear", 4), "RMSE cloudy": ("cloudy", 4), "RMSE orbit gap": ("gap", 4),
        "sub-grid R": ("sub R", 3), "sub-grid std ratio": ("sub std", 2), "coverage 68": ("in 68%", 3),
        "coverage 90": ("in 90%", 3), "CRPS": ("CRPS", 4), "block index": ("block", 3),
        "spectral slope": ("slope", 2), "seconds": ("s", 0),
    }  # fmt: skip
    seeds = ", ".join(map(str, summary["seeds"]))
    several = f"mean ± standard deviation of seeds {seeds}" if len(summary["seeds"]) > 1 else f"seed {seeds}"
    table = Table(title=f"Family {family}, {several}",
                  caption="m3 m-3; sub: inside 36 km cells, std over that of the truth; slope of the power spectrum; "
                  "s: seconds from the cube to the mosaics, training or fitting included",
                  title_justify="left", caption_justify="left")  # fmt: skip
    table.add_column("method", no_wrap=True)
    for heading, _ in columns.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for method in (*NETWORKS, *BASELINES, "oracle", TRUTH):
        row = summary["scores"][method]
        # Fewer spreads keep the table on a screen; all are in the results.
        cells = [
            _with_spread(row[k], n, k in ("RMSE", "sub-grid R")) if k in row else "" for k, (_, n) in columns.items()
        ]
        table.add_row(method, *cells, end_section=method in (NETWORKS[-1], BASELINES[-1]))
    return table


def ratio_table(families: Mapping[str, Any]) -> Table:
    table = Table(title="The network against the goals", title_justify="left")
    for heading in ("", "goal", *(f"family {f}" for f in families)):
        table.add_column(heading, no_wrap=True)
    for goal, (sign, limit) in GOALS.items():
        values = [f["ratios"][goal] for f in families.values()]
        cells = [f"{_with_spread(v, 3, True)} {'ok' if reached(goal, v['mean']) else 'MISSED'}" for v in values]
        table.add_row(goal, f"{sign} {limit:g}", *cells)
    table.add_row(INSIDE, "", *(_with_spread(f["ratios"][INSIDE], 3, True) for f in families.values()))
    return table


def _with_spread(value: Mapping[str, float], digits: int, spread: bool) -> str:
    text = format_number(value["mean"], digits)
    return f"{text} ± {format_number(value['spread'], digits)}" if spread and math.isfinite(value["spread"]) else text
