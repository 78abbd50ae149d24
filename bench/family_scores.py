"""Scores of a world's maps against its truth: the error, what of it lies inside 36 km cells, and the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from family_worlds import PER, DayMap
from torch import Tensor

from ssm_net.grid import block_mean, expand


class Column(NamedTuple):
    heading: str
    digits: int
    error: bool = False


COLUMNS = {
    "RMSE": Column("RMSE", 4, True),
    "RMSE inside": Column("inside", 4, True),
    "gain inside": Column("gain inside", 3),
    "R inside": Column("R inside", 3),
    "std inside": Column("std / truth's", 2),
    "RMSE of cells": Column("of cells", 4, True),
    "RMSE, cloudy": Column("cloudy", 4, True),
    "RMSE, gap": Column("in gaps", 4, True),
    "in 68 %": Column("in 68 %", 3),
    "in 90 %": Column("in 90 %", 3),
    "in 90 %, cloudy": Column("90 % cloudy", 3),
    "in 90 %, gap": Column("90 % in gaps", 3),
    "stated error": Column("stated", 4, True),
    "stated error inside": Column("stated inside", 4, True),
    "disagreement inside": Column("of members", 4, True),
}


def score(maps: Sequence[DayMap], means: Sequence[Tensor] | None = None) -> dict[str, float]:
    """Over all labelled pixels and days; of other ``means`` where they are given, which state no error.

    "gain inside" is the fraction by which the RMSE inside cells is below that of no pattern.
    """
    columns: list[tuple[Tensor, ...]] = []
    for i, day in enumerate(maps):
        mean, known = day.mean if means is None else means[i], torch.isfinite(day.truth)
        if not bool(known.any()):
            continue
        cell, true_cell = (block_mean(torch.where(known, v, torch.nan), PER) for v in (mean, day.truth))
        own, true = mean - expand(cell, PER), day.truth - expand(true_cell, PER)
        sigma = (day.shared + day.local).sqrt()
        fields = (
            mean - day.truth,
            own,
            true,
            expand(cell - true_cell, PER),
            sigma,
            day.seen,
            day.observed,
            day.local,
            day.disagreement,
        )
        columns.append(tuple(f[known].double() for f in fields))
    error, own, true, of_cell, sigma, seen, observed, local, apart = (torch.cat(c) for c in zip(*columns, strict=True))
    z = (error / sigma).abs()
    out = {
        "RMSE": _rms(error), "RMSE inside": _rms(own - true), "gain inside": 1 - _rms(own - true) / _rms(true),
        "R inside": float(torch.corrcoef(torch.stack([own, true]))[0, 1]) if float(own.std()) > 0 else 0.0,
        "std inside": float(own.std() / true.std()), "RMSE of cells": _rms(of_cell),
        "RMSE, cloudy": _rms(error[seen == 0]), "RMSE, gap": _rms(error[observed == 0]),
        "in 68 %": _fraction(z < 1), "in 90 %": _fraction(z < 1.645),
        "in 90 %, cloudy": _fraction((z < 1.645)[seen == 0]), "in 90 %, gap": _fraction((z < 1.645)[observed == 0]),
        "stated error": _rms(sigma),
        "stated error inside": _rms(local.sqrt()), "disagreement inside": _rms(apart.sqrt()),
    }  # fmt: skip
    if means is not None:
        out |= {key: float("nan") for key in COLUMNS if key.startswith(("in ", "stated", "disagreement"))}
    return out


def _rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def _fraction(which: Tensor) -> float:
    return float(which.double().mean())
