"""The mosaic of a day: its values, quality flags and packing, the same in every file format."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np

from ssm_net.core import scratch
from ssm_net.errors import SsmNetError
from ssm_net.grid import Domain, row_blocks

SCALE = np.float32(1e-4)  # m3 m-3 a count
FILL = np.int16(-32768)
UPPER = 1.0  # m3 m-3: no soil holds more water than its own volume

STANDARD_NAME = "volume_fraction_of_condensed_water_in_soil"
UNITS = "m3 m-3"

DAILY_VARIABLES = ("ssm", "ssm_uncertainty", "flags")  # of every format

REGION_ERROR_ATTRIBUTE = "uncertainty_region"  # m3 m-3, the part of the standard error that all pixels share
# Of the rest of a pixel's variance, the fraction that the pixels of a cell share on a day: in observed cells, in gaps.
CELL_ERROR_ATTRIBUTES = ("uncertainty_cell_observed", "uncertainty_cell_gap")

Attribute = str | int | float


class MosaicError(SsmNetError):
    """A mosaic cannot be written, read or opened as asked; the message names the file or folder and the remedy."""


class Flag(IntFlag):
    """Quality flags of a pixel; the names are the CF ``flag_meanings``."""

    COARSE_OBSERVED = 1  # the coarse cell was observed on the day
    ORBIT_GAP_FILLED = 2  # it was not: the value rests on other days, neighbours and the fine inputs
    LST_SEEN = 4  # land surface temperature observed through a clear sky
    LST_FILLED = 8  # gap-filled land surface temperature
    FROZEN_OR_SNOW = 16
    WATER = 32
    EXTRAPOLATED = 64  # predictors outside what the network was trained on
    URBAN = 128  # dense town
    OTHER_SENSOR = 256  # the coarse cell was observed by a sensor that is intercalibrated to the reference sensor
    LONG_UNOBSERVED = 512  # the coarse cell was last observed more than LONG_UNOBSERVED_DAYS before
    PROVISIONAL = 1024  # of a record of the past: the map is made again when the days after it are known


LONG_UNOBSERVED_DAYS = 7


@dataclass(frozen=True)
class Mosaic:
    """One day of the product on the fine grid of ``domain``.

    ``ssm`` and ``sigma`` (its standard error) are float32 (Ny, Nx) in m3 m-3, NaN where masked; ``flags`` is uint16
    (Ny, Nx), a sum of ``Flag``. ``day`` is that of the night overpass, about 01:30 local solar time. ``attrs`` are
    global attributes of the file: model, checkpoint, inputs, version, history ...

    Raises ``MosaicError`` where a shape or type is wrong, or a value lies outside 0..1 m3 m-3.
    """

    day: dt.date
    domain: Domain
    ssm: np.ndarray
    sigma: np.ndarray
    flags: np.ndarray
    attrs: dict[str, Attribute] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in (("ssm", np.float32), ("sigma", np.float32), ("flags", np.uint16)):
            array = getattr(self, name)
            if array.shape != self.domain.fine_shape or array.dtype != kind:
                raise MosaicError(
                    f"mosaic of {self.day}: {name} is {array.dtype} {array.shape}, but domain {self.domain.name!r} "
                    f"needs {np.dtype(kind)} {tuple(self.domain.fine_shape)}"
                )
        for name in ("ssm", "sigma"):
            _check_range(getattr(self, name), name, self.day)
        for key, value in self.attrs.items():
            if not isinstance(value, str | int | float):
                raise MosaicError(
                    f"mosaic of {self.day}: attribute {key} is a {type(value).__name__}; give text or a number"
                )


def _check_range(values: np.ndarray, name: str, day: dt.date) -> None:
    # fmin and fmax skip NaN and allocate no second national field.
    if np.fmin.reduce(values, axis=None) < 0 or np.fmax.reduce(values, axis=None) > UPPER:
        bad = (values < 0) | (values > UPPER)
        raise MosaicError(
            f"mosaic of {day}: {int(bad.sum())} values of {name} lie outside 0..{UPPER:g} m3 m-3 "
            f"({values[bad].min():g} to {values[bad].max():g}): clip them before writing, or mask them with NaN"
        )


def pack(values: np.ndarray) -> np.ndarray:
    """int16 counts of 1e-4 m3 m-3, right to half a count (5e-5 m3 m-3); NaN becomes the fill value."""
    out = scratch.empty(values.shape, np.int16)
    for rows in row_blocks(values.shape):
        some = values[rows]
        out[rows] = np.where(np.isnan(some), np.float32(FILL), np.rint(some * np.float32(10000)))
    return out


def unpack(counts: np.ndarray) -> np.ndarray:
    """float32 m3 m-3 of int16 counts; the fill value becomes NaN."""
    out = scratch.empty(counts.shape, np.float32)
    for rows in row_blocks(counts.shape):
        some = counts[rows]
        out[rows] = np.where(some == FILL, np.float32(np.nan), some.astype(np.float32) * SCALE)
    return out


def stem(domain_name: str, day: dt.date) -> str:
    """Name of a day's file without its suffix."""
    return f"ssm_{domain_name}_{day:%Y%m%d}"
