"""Files of an archive that holds a few days of LST of one tile."""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))  # scripts, not a package
from archive_entry import Granule

from ssm_net.config import DownloadConfig

Asked = Callable[..., DownloadConfig]
FOLDER = "MYD11A1.061"
HDF4, HDF5 = b"\x0e\x03\x13\x01", b"\x89HDF\r\n\x1a\n"
BOX = (20.0, 40.0, 31.1, 50.0)  # of tile h19v04, which the domain lies in
FIRST = dt.datetime(2018, 4, 1)


def content(name: str, start: bytes = HDF4, size: int = 30_000) -> bytes:
    """Bytes that are a file's own, behind the first ones of its kind."""
    block = hashlib.sha256(name.encode()).digest()
    return (start + block * (size // len(block) + 1))[:size]


def lst(day: int, tile: str = "h19v04", processed: str = "2020001000000", **other: Any) -> Granule:
    """MYD11A1 of a day after ``FIRST``."""
    when = FIRST + dt.timedelta(days=day)
    name = f"MYD11A1.A{when:%Y%j}.{tile}.061.{processed}.hdf"
    return Granule(("MYD11A1", "061"), name, content(name), when, box=BOX, **other)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def transfers(requests: list[Any]) -> list[str]:
    """The names of the files that were sent, in order."""
    return [r.path.partition("?")[0].rpartition("/")[2] for r in requests if r.path.startswith("/signed/")]
