"""The value every gridded reader returns, and the error every reader raises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.errors import SsmNetError

REMEDY = "download it again, or remove it: the day is then made without it"


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
        self.layer = layer
        self.day = day
        self._given = path, what, layer, day, remedy

    def __reduce__(self) -> tuple[object, ...]:
        # Without this it cannot come back from another process: the message alone does not make it again.
        return _again, self._given


def _again(path: Path | str, what: str, layer: str, day: dt.date | None, remedy: str) -> GranuleError:
    return GranuleError(path, what, layer=layer, day=day, remedy=remedy)


@dataclass(frozen=True)
class Raster:
    """Values (y, x), float32, NaN where missing, north up, on ``geobox``."""

    data: np.ndarray
    geobox: GeoBox

    def __post_init__(self) -> None:
        if self.data.shape != tuple(self.geobox.shape):
            raise ValueError(f"values of shape {self.data.shape} do not lie on a geobox of {tuple(self.geobox.shape)}")


@dataclass(frozen=True)
class Unread:
    """Fields of one file on one ``geobox``, each as in ``Raster``: a country's are not in memory all at once."""

    geobox: GeoBox
    read: Callable[[], tuple[np.ndarray, ...]]
