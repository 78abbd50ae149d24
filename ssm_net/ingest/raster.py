"""Rasters, the values that gridded readers return, and ``GranuleError``, the error that every reader raises."""

from __future__ import annotations

import datetime as dt
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.errors import SsmNetError

REMEDY = "download it again, or remove it: the day is then prepared without it"
OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM}  # no fault of a file


class GranuleError(SsmNetError):
    """A file cannot be read as what its folder says it is.

    The message names the file, the layer where one is meant, the day where it is known, and the remedy.
    """

    def __init__(
        self, path: Path | str, what: str, *, layer: str = "", day: dt.date | None = None, remedy: str = REMEDY
    ) -> None:
        where = f"{path}" + (f", layer {layer!r}" if layer else "") + (f", day {day}" if day else "")
        super().__init__(f"{where}: {what}; {remedy}")
        self.path = Path(path)
        self.what = what
        self.layer = layer
        self.day = day
        self.what = what
        self.remedy = remedy
        self._given = path, what, layer, day, remedy

    def __reduce__(self) -> tuple[object, ...]:
        # The default pickles the message alone, which cannot rebuild it in another process.
        return _unpickled, self._given


def _unpickled(path: Path | str, what: str, layer: str, day: dt.date | None, remedy: str) -> GranuleError:
    return GranuleError(path, what, layer=layer, day=day, remedy=remedy)


def may_be_of_a_file(err: Exception) -> bool:
    """Whether a damaged or vanished file may be the cause."""
    if isinstance(err, OSError):
        return err.errno not in OF_THE_MACHINE
    if isinstance(err, MemoryError):  # numpy's says how much was asked for: more than there is, no day needs
        return getattr(err, "_total_size", 0) > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return not isinstance(err, ImportError) and (isinstance(err, GranuleError) or not isinstance(err, SsmNetError))


@contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turns what a damaged file raises, in a library (errors of almost any kind) or in what reads its content, into a
    ``GranuleError`` that names it."""
    try:
        yield
    except GranuleError:
        raise
    except Exception as err:
        if not may_be_of_a_file(err):
            raise
        raise GranuleError(path, f"damaged or cut short ({err})") from err


@dataclass(frozen=True)
class Raster:
    """Values (y, x), float32, NaN where missing, north up, on ``geobox``."""

    data: np.ndarray
    geobox: GeoBox

    def __post_init__(self) -> None:
        shape = tuple(self.geobox.shape)
        assert self.data.shape == shape, f"values of shape {self.data.shape} do not fit a geobox of {shape}"


@dataclass(frozen=True)
class LazyRaster:
    """Fields of one file on one ``geobox``, each as in ``Raster``, read when needed: those of a whole country are never
    in memory together."""

    geobox: GeoBox
    read: Callable[[], tuple[np.ndarray, ...]]
