"""What the benchmark judges: the goals in each family and over all of them, what is only shown, and leaks.

A goal that needs a method that was not run is not judged, and is named as such; one whose value is not a number is
missed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssm_net.evaluate.referees.truth import TRUTH
from ssm_net.evaluate.report.tables import format_number
from ssm_net.simulate.world.laws import FAMILIES

CLASSICS = ("dispatch", "gwr", "forest")  # published ones
BASELINES = ("bilinear", *CLASSICS, "ridge")
NETWORKS = ("network", "alone")  # from a prior that has not met the family; from nothing, on the target alone
METHODS = (*NETWORKS, *BASELINES, "oracle")
DEFAULT_METHODS = ("network", "bilinear", "ridge", "oracle")  # the others are slow, and no goal needs them
Scores = dict[str, dict[str, float]]  # method to score to number; m3 m-3, correlations and fractions


@dataclass(frozen=True)
class Goal:
    """A value reaches a goal where it is at least ``low`` and at most ``high``; it is shown with ``digits``."""

    low: float = -math.inf
    high: float = math.inf
    digits: int = 3

    def reached(self, value: float) -> bool:
        """A goal without a value (NaN) is not reached."""
        return self.low <= value <= self.high

    def missed_by(self, value: float) -> str:
        return f"{format_number(value, self.digits)} is not {self}"

    def __str__(self) -> str:
        if math.isinf(self.low):
            return f"<= {self.high:g}"
        return f">= {self.low:g}" if math.isinf(self.high) else f"in {self.low:g}..{self.high:g}"


GAIN = "gain over bilinear / oracle's"
SUBGRID = "sub-grid R / oracle"
# In each family that was left out, the mean over its worlds.
GOALS = {
    GAIN: Goal(low=0.70),
    "RMSE / oracle": Goal(high=1.15),
    SUBGRID: Goal(low=0.80),
    "68 % interval holds, %": Goal(62, 74, 1),
    "90 % interval holds, %": Goal(86, 94, 1),
    "RMSE / bilinear": Goal(high=1.0),
    "RMSE / ridge": Goal(high=1.0),
}
GOALS_OF_MEANS = {GAIN: Goal(low=0.75), SUBGRID: Goal(low=0.90)}  # of the mean over all families
INSIDE = "inside cells: RMSE / oracle"  # without the level of cells, where the sensor errs
SHOWN = (INSIDE, "cloudy RMSE / clear", "block index / truth", "RMSE / best classic", "alone: RMSE / network",
         "alone: training, minutes")  # fmt: skip
LEAK_TEST = "nothing is nearer to the truth than the oracle"


def inside(score: Mapping[str, float]) -> float:
    """RMSE about the 36 km means, as a fraction of the truth's standard deviation there."""
    q, r = score["sub-grid std ratio"], score["sub-grid R"]
    return math.sqrt(1 + q * q - 2 * q * r)


def ratios(scores: Scores, minutes: float) -> dict[str, float]:
    """The values of ``GOALS`` and ``SHOWN`` in one world, but those of methods that were not run; ``minutes`` are of
    training from nothing."""
    ours, out = scores["network"], {}
    if oracle := scores.get("oracle"):
        if bilinear := scores.get("bilinear"):
            possible = bilinear["RMSE"] - oracle["RMSE"]
            out[GAIN] = (bilinear["RMSE"] - ours["RMSE"]) / possible if possible > 0 else math.nan
        out["RMSE / oracle"] = ours["RMSE"] / oracle["RMSE"]
        out[SUBGRID] = ours["sub-grid R"] / oracle["sub-grid R"]
        out[INSIDE] = inside(ours) / inside(oracle)
    out |= {f"{p} % interval holds, %": 100 * ours[f"coverage {p}"] for p in (68, 90)}
    out |= {f"RMSE / {m}": ours["RMSE"] / scores[m]["RMSE"] for m in ("bilinear", "ridge") if m in scores}
    out["cloudy RMSE / clear"] = ours.get("RMSE cloudy", math.nan) / ours.get("RMSE clear", math.nan)
    # By chance the truth too is rougher or smoother at cell edges.
    out["block index / truth"] = ours["block index"] / scores[TRUTH]["block index"]
    if set(CLASSICS) <= set(scores):
        out["RMSE / best classic"] = ours["RMSE"] / min(scores[m]["RMSE"] for m in CLASSICS)
    if "alone" in scores:
        out |= {"alone: RMSE / network": scores["alone"]["RMSE"] / ours["RMSE"], "alone: training, minutes": minutes}
    return {name: out[name] for name in (*GOALS, *SHOWN) if name in out}


def leaks(scores: Scores) -> list[str]:
    """Methods that are nearer to the truth than the oracle, over all pixels and days; none where no oracle was run."""
    line, out = scores.get("oracle"), []
    for name in (m for m in scores if line is not None and m not in ("oracle", TRUTH)):
        for score, better in (("RMSE", -1), ("sub-grid R", 1)):
            if better * (scores[name][score] - line[score]) > 0:
                out.append(f"{name} has {score} {scores[name][score]:.4f}, the oracle {line[score]:.4f}")
    return out


def mean_and_spread(rows: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Mean over worlds of each number, and its standard deviation (NaN of one world); both are NaN where a world has no
    such number, as that of cloudy pixels in a desert."""
    out = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        values = [row.get(key, math.nan) for row in rows]
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


def means_over_families(families: Mapping[str, Any]) -> dict[str, float]:
    """The values of ``GOALS_OF_MEANS``; those of methods that were not run are left out, and all of them where a family
    was left out: a mean over some is not what the goal is about."""
    if set(families) != set(FAMILIES):
        return {}
    rows = [summary["ratios"] for summary in families.values()]
    return {goal: float(np.mean([r[goal]["mean"] for r in rows])) for goal in GOALS_OF_MEANS if goal in rows[0]}


def misses(families: Mapping[str, Any], worlds: Sequence[dict[str, Any]]) -> list[str]:
    """The goals that were judged and missed, and the leaks."""
    out = []
    for family, summary in families.items():
        for goal, limit in GOALS.items():
            if goal in summary["ratios"] and not limit.reached(value := summary["ratios"][goal]["mean"]):
                out.append(f"{family}: {goal} {limit.missed_by(value)}")
    for goal, value in means_over_families(families).items():
        if not GOALS_OF_MEANS[goal].reached(value):
            out.append(f"mean of families: {goal} {GOALS_OF_MEANS[goal].missed_by(value)}")
    return out + [f"leak in {w['family']} {w['seed']}: {text}" for w in worlds for text in w["leaks"]]


def not_judged(families: Mapping[str, Any]) -> list[str]:
    """The goals that were not judged, since a method or a family was not run."""
    summaries = list(families.values())
    out = [goal for goal in GOALS if any(goal not in s["ratios"] for s in summaries)]
    judged = means_over_families(families)
    out += [f"mean of families: {goal}" for goal in GOALS_OF_MEANS if goal not in judged]
    return out + ([LEAK_TEST] if any("oracle" not in s["scores"] for s in summaries) else [])
