"""Answers that need no referee at 1 km: agreement with the coarse observation, and how much of the land has a value."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping

import numpy as np

from ssm_net.evaluate.answers.answer import Answer, Basis, Estimate
from ssm_net.evaluate.answers.block_record import BlockRecord, scores_with_intervals
from ssm_net.evaluate.metrics.algebra import UNIT
from ssm_net.evaluate.metrics.blocks import ErrorBlocks
from ssm_net.evaluate.metrics.coverage import STATES, Coverage
from ssm_net.evaluate.metrics.statistics import divide


def consistency_answer(pentads: Mapping[dt.date, ErrorBlocks], coarse_shape: tuple[int, int]) -> Iterator[Answer]:
    """RMSD of the maps' footprint means against the coarse observation: consistency, not skill."""
    if not pentads:
        return
    record = BlockRecord.of({day: {"n": b.n, "ee": b.ee} for day, b in pentads.items()}, coarse_shape)
    count = int(record.sums["n"].sum())
    if not count:
        return
    limits = {"rmsd": (0.0, math.inf)}
    drawn = scores_with_intervals(record, lambda total: {"rmsd": np.sqrt(divide(total["ee"], total["n"]))}, limits)
    basis = Basis(count, "cell-days", drawn.day_blocks, drawn.cell_blocks)
    yield Answer("how sure", "coarse observation", "RMSD of footprint means", "all", UNIT, drawn.of["rmsd"], basis)


def coverage_answer(months: Mapping[str, Coverage]) -> Iterator[Answer]:
    """The part of the land neither frozen nor built over that has a value: all of it is counted, nothing is drawn."""
    pixels = sum(c.pixels for c in months.values())
    if not months:
        return
    count = dict(zip(STATES, np.asarray(pixels).tolist(), strict=True))
    land = count["land"] - count["frozen"] - count["urban"]
    if land:
        part = Estimate(count["produced"] / land)
        yield Answer("when", "quality flags", "thawed land with a value", "all", "1", part, Basis(land, "pixel-days"))
