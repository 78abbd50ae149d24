"""Mosaics of the baselines, made from the same cube for the same days, so that the same code can score them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ssm_net.config import EvaluateConfig, InferConfig
from ssm_net.core.files import write_whole
from ssm_net.cube.store import Cube
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.up_to_date import fingerprint, is_up_to_date


def baseline_mosaics(cfg: EvaluateConfig, name: str, cube: Cube, days: Sequence[dt.date]) -> Mosaics:
    """The mosaics of baseline ``name`` in ``report/baselines``; days that are there already are kept.

    They begin on the first day that any cell was observed on, or before: until then a small domain between two orbits
    has no value to interpolate.
    """
    from ssm_net.infer.run import infer

    folder = Path(cfg.report) / "baselines" / name
    # A cube is extended in place; the baselines of one that was made anew at the same path are made anew.
    made_from = fingerprint([cube.path / "zarr.json"])
    again = folder.exists() and not is_up_to_date(folder, made_from)
    first, last = str(_first(cube, days)), str(days[-1])
    infer(InferConfig(cube=cfg.cube, mosaics=str(folder), method=name, start=first, end=last, overwrite=again))
    write_whole(folder / "made_from.json", json.dumps({"fingerprint": made_from}).encode())
    return Mosaics.open(folder, cube.domain)


def _first(cube: Cube, days: Sequence[dt.date]) -> dt.date:
    """The first of ``days`` with an observation on it, or before it in the cube; ``days[0]`` where there is none."""
    for day in cube.done_days():
        if day <= days[-1] and np.isfinite(cube.read_coarse("ssm", day)).any():
            return next(one for one in days if one >= day)
    return days[0]
