"""Fault points: named moments of writing, at which tests kill, interrupt or fill the disk.

Each names what is on the disk at that moment and what is not yet. ``reached(point, where)`` stands where the moment is
and does nothing, unless a test has put a hook into this process with ``hooked``. No setting or environment variable
reaches it, and no loop over pixels holds one: what costs are a function call and a comparison a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path


class FaultPoint(StrEnum):
    """The moments; what ``where`` says of each stands behind it."""

    FILE_WRITTEN_NOT_RENAMED = "an atomic file is flushed to the disk under a temporary name"  # its final path
    FILE_RENAMED_NOT_SYNCED = "an atomic file has its name, and its folder is not flushed"  # its path
    SHARD_WRITTEN_NOT_SYNCED = "a shard of a cube is written and not flushed"  # its path

    CUBE_MADE_NOT_DESCRIBED = "a new cube has its arrays and no cube.json"  # the cube
    CUBE_DESCRIBED_STILL_MARKED = "a new cube has its cube.json, and the mark of the unfinished is there"  # the cube
    CUBE_HALF_EXTENDED = "an array of a cube is longer, others are not"  # group/variable
    CUBE_EXTENDED_DAYS_NOT_LISTED = "all arrays of a cube are longer, and cube.json lists the old days"  # the cube
    STATIC_MAP_WITHOUT_CELL_MEANS = "a static map is written, its cell means are not"  # the variable

    DAY_HALF_WRITTEN = "a variable of a day is written, others are not"  # day group/variable
    DAY_WRITTEN_WITHOUT_STATE = "the variables of a day are written, its state is not"  # the day
    DAY_WRITTEN_WITHOUT_STATUS = "the variables and the state of a day are written, its status is not"  # the day
    DAY_DONE_WITHOUT_REVISION = "a day has its status, and the file of its revision is old"  # the day
    PIXELS_HALF_DROPPED = "the pixels of a day are dropped, those of other days that are to be are there"  # the day
    DAYS_HALF_WITHDRAWN = "a day to be made again has lost its status, days before it have theirs"  # the day

    STORE_MADE_NOT_RENAMED = "a new Zarr store of mosaics is there under a temporary name"  # the store
    STORE_HALF_EXTENDED = "an array of a Zarr store of mosaics is longer, others are not"  # the variable
    STORE_DAY_HALF_WRITTEN = "a variable of a mosaic is in its Zarr store, others are not"  # day variable
    STORE_DAY_WITHOUT_STATUS = "a mosaic is in its Zarr store with its time, its status is not"  # the day
    QUICKLOOK_WITHOUT_MOSAIC = "the picture of a day is there, its mosaic is not"  # the day

    WEIGHTS_WRITTEN_NOT_RENAMED = "the weights of a model are there under a temporary name"  # the run
    WEIGHTS_WITHOUT_DESCRIPTION = "the weights of a model are new, model.json is old or absent"  # the run


Hook = Callable[[FaultPoint, str], None]
_hook: Hook | None = None


def reached(point: FaultPoint, where: object = "") -> None:
    """The moment ``point``; ``where`` is the file, variable or day that it is about."""
    if _hook is not None:
        _hook(point, Path(where).as_posix() if isinstance(where, Path) else str(where))


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """For tests: ``hook`` is called at every fault point of this process, in the thread that reaches it, with the point
    and what it is about. It may raise, or kill the process."""
    global _hook
    assert _hook is None, "one hook at a time"
    _hook = hook
    try:
        yield
    finally:
        _hook = None
