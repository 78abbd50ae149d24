"""Mosaics of the baselines, made from the same cube for the same days, so that the same code can score them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

from ssm_net.config import EvaluateConfig, InferConfig
from ssm_net.core.files import write_whole
from ssm_net.cube.store import Cube
from ssm_net.evaluate.mosaics import Mosaics
from ssm_net.evaluate.up_to_date import fingerprint, is_up_to_date


def baseline_mosaics(cfg: EvaluateConfig, name: str, cube: Cube, days: Sequence[dt.date]) -> Mosaics:
    """The mosaics of baseline ``name`` in ``report/baselines``; days that are there already are kept."""
    from ssm_net.infer.run import infer

    folder = Path(cfg.report) / "baselines" / name
    # A cube is extended in place; the baselines of one that was made anew at the same path are made anew.
    made_from = fingerprint([cube.path / "zarr.json"])
    again = folder.exists() and not is_up_to_date(folder, made_from)
    infer(
        InferConfig(
            cube=cfg.cube, mosaics=str(folder), method=name, start=str(days[0]), end=str(days[-1]), overwrite=again
        )
    )
    write_whole(folder / "made_from.json", json.dumps({"fingerprint": made_from}).encode())
    return Mosaics.open(folder, cube.domain)
