"""Granules that are no longer needed: used by days without pixels alone, and too old for any day to come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from ssm_net.core.days import ONE_DAY
from ssm_net.cube.lock import write_lock
from ssm_net.cube.store import Cube
from ssm_net.cube.writer import CubeWriter
from ssm_net.ingest.catalog import RawFiles
from ssm_net.prepare.plan import RAIN_BEFORE

DELETED = "granules_deleted"  # its name among the cube's metadata: the day before which it was looked for them


def delete_spent_granules(files: RawFiles, cube: Cube) -> tuple[RawFiles, int]:
    """Delete the granules that days of ``cube`` without pixels have used, and none of the days that may still be read
    again: those with pixels, and those whose rain the next day counts. Returns the files that are left, and the bytes
    that were freed.

    Days that were looked at once are not looked at again. What a cut left is deleted by the next call.
    """
    limit = cube.pixels_since - RAIN_BEFORE * ONE_DAY if cube.pixels_since > dt.date.min else dt.date.min
    since = dt.date.fromisoformat((cube.metadata(DELETED) or {"before": str(dt.date.min)})["before"])
    if since >= limit:
        return files, 0
    done = cube.done_days()
    spent = _used(cube, (day for day in done if since <= day < limit))
    spent -= _used(cube, (day for day in done if day >= limit))
    below, freed, gone = files.raw.resolve(), 0, set[Path]()
    for file in (f for of_product in files.files.values() for f in of_product if f.path.name in spent):
        # A link may lead to an archive that others use: what lies outside raw is left alone.
        if not file.path.is_symlink() and file.path.resolve().is_relative_to(below):
            file.path.unlink(missing_ok=True)
            freed += file.size
            gone.add(file.path)
    with write_lock(cube.path) as lock:
        CubeWriter(cube, lock).write_metadata(DELETED, {"before": str(limit)})
    return files.without(gone), freed


def _used(cube: Cube, days: Iterable[dt.date]) -> set[str]:
    """The names of the files that the days were made of."""
    return {name for day in days for name in (cube.status(day) or {}).get("files", ())}
