"""Notes that keep a reader from misreading the scores: what they rest on, and what is not in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from ssm_net.config import EvaluateConfig
from ssm_net.core.days import runs
from ssm_net.cube.store import Cube
from ssm_net.evaluate.daily_pass import Evaluation
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.referees.truth import PRODUCT, TILE_ATTRIBUTE
from ssm_net.stations.matching import Point


def kind_of_data(cfg: EvaluateConfig) -> str:
    """What the scores are scores of."""
    if cfg.truth:
        return "a synthetic world with a known 1 km truth: these are not scores of real soil moisture"
    if cfg.stations:
        return "no 1 km truth was given: skill is shown at stations in the domain that no network was trained on"
    return "neither a 1 km truth nor stations were given: consistency and coverage only, no skill"


def of_stations(result: Evaluation, points: Sequence[Point]) -> list[str]:
    """That stations are not scored because the networks were trained on them."""
    number, excluded = sum(p.station is not None for p in points), result.series.training_stations
    if not excluded:
        return []
    if excluded == number:
        return [
            f"all {number} stations were used in training: no station is scored; train without some of them to "
            "validate with these"
        ]
    return [f"{excluded} of {number} stations were used in training and are not scored"]


def remarks(result: Evaluation, cube: Cube, product: Mosaics, days: Sequence[dt.date]) -> list[str]:
    """Facts about the mosaics and the cube that the tables do not show."""
    out = []
    model = result.attrs.get("model", PRODUCT)
    if model != PRODUCT:
        out.append(f"the mosaics in {product.folder} were made by {model}; they are shown here as {PRODUCT}")
    outside = [day for day in cube.days if not days[0] <= day <= days[-1]]
    if outside:
        out.append(f"the cube also holds {len(outside)} days outside this period: {runs(outside)}")
    if result.scores.counted and TILE_ATTRIBUTE not in result.attrs:
        out.append(
            f"the mosaics in {product.folder} do not say in which tiles they were made (attribute {TILE_ATTRIBUTE}): "
            "there is no seam index"
        )
    return out
