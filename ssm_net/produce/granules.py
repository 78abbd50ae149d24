"""Granules that are no longer needed: used by days without pixels alone, and too old for any day to come."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from ssm_net.cube.store import Cube
from ssm_net.ingest.catalog import find_files
from ssm_net.prepare.known_files import known_files
from ssm_net.prepare.plan import RAIN_BEFORE


def spent_granules(raw: Path, cube: Cube) -> list[Path]:
    """Files of ``raw`` that days before ``cube.pixels_since`` have used, and none of the days that may still be read
    again: those with pixels, and those whose rain the next day counts."""
    if cube.pixels_since == dt.date.min:
        return []
    limit = cube.pixels_since - dt.timedelta(RAIN_BEFORE)
    old, needed = set[str](), set[str]()
    for day in cube.done_days():
        (old if day < limit else needed).update((cube.status(day) or {}).get("files", ()))
    spent = old - needed
    below = raw.resolve()
    every = (f.path for of_product in find_files(raw, known_files(cube)).files.values() for f in of_product)
    # A link may lead to an archive that others use: what lies outside raw is left alone.
    return [p for p in every if p.name in spent and not p.is_symlink() and p.resolve().is_relative_to(below)]
