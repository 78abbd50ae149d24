"""The maps of a folder as a record in time: which days there are, their pixels block by block, what made them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssm_net.climate.errors import ClimateError
from ssm_net.extract.means import ErrorStatement
from ssm_net.extract.series import Maps
from ssm_net.formats.map_pixels import DayPixels
from ssm_net.formats.mosaic_series import READ_WINDOW, daily_attributes, mosaic_files
from ssm_net.formats.product import DAILY_VARIABLES, FILL, Flag

BLOCK = 288  # pixels a side, at most: the chunk of a NetCDF map, and two of a Zarr store
HELD_BYTES = 256 << 20  # of the pixels of a block and of all days that are held at once
SIDES = (288, 144, 96, 72, 48, 36, 24, 18, 12, 9, 6, 4, 2, 1)  # rows of a block

Block = tuple[slice, slice]


def block_rows(cols: int, bytes_a_pixel: int) -> int:
    """The rows of a block of which each pixel takes so many bytes of memory."""
    width = min(cols, BLOCK)
    return next((side for side in SIDES if side * width * bytes_a_pixel <= HELD_BYTES), 1)


def blocks(shape: tuple[int, int], rows: int) -> Iterator[Block]:
    """Blocks of ``rows`` rows that cover a map of ``shape``, from north to south."""
    for top in range(0, shape[0], rows):
        for left in range(0, shape[1], BLOCK):
            yield slice(top, min(top + rows, shape[0])), slice(left, min(left + BLOCK, shape[1]))


def shape_of(block: Block) -> tuple[int, int]:
    return block[0].stop - block[0].start, block[1].stop - block[1].start


@dataclass(frozen=True)
class MapRecord:
    """``described`` are the attributes of each map, ``fingerprints`` their digests, ``excluded`` the sum of the flags
    whose pixels do not count."""

    maps: Maps
    files: Sequence[tuple[Path, int]]
    described: Sequence[dict[str, Any]]
    fingerprints: Sequence[str]
    errors: ErrorStatement
    excluded: int

    @classmethod
    def open(cls, folder: str, domain: str | None, format: str | None, exclude: Sequence[str] = ()) -> MapRecord:
        """Raises ``MosaicError`` as ``open_mosaics`` does, ``ClimateError`` where a flag to exclude is unknown."""
        known = {str(flag.name).lower(): flag for flag in Flag}
        for name in exclude:
            if name not in known:
                raise ClimateError(f"exclude=[{name}] is no quality flag: give any of {', '.join(known)}")
        maps = Maps.open(folder, start=None, end=None, domain=domain, format=format)
        files = mosaic_files(maps.mosaics)
        described = daily_attributes(maps.mosaics, [path for path, _ in files])
        fingerprints = [_digest([str(day), attrs]) for day, attrs in zip(maps.mosaics.days, described, strict=True)]
        excluded = sum(known[name] for name in set(exclude))
        return cls(maps, files, described, fingerprints, maps.errors(), excluded)

    @property
    def days(self) -> tuple[dt.date, ...]:
        return self.maps.mosaics.days

    @property
    def shape(self) -> tuple[int, int]:
        return self.maps.grid.shape

    def of_month(self, year: int, month: int) -> list[int]:
        """The numbers of the maps of a month."""
        return [n for n, day in enumerate(self.days) if (day.year, day.month) == (year, month)]

    def of_years(self, first: int, last: int) -> list[int]:
        """The numbers of the maps of the years ``first`` to ``last``."""
        return [n for n, day in enumerate(self.days) if first <= day.year <= last]

    def read(self, number: int, block: Block) -> DayPixels:
        """Packed pixels of a block, each (rows, cols), of the map with this number; pixels with an excluded flag have
        the fill value. Raises ``MosaicError`` where its file is damaged."""
        path, place = self.files[number]
        read_window = READ_WINDOW[self.maps.mosaics.format]
        ssm, sigma, flags = (read_window(path, place, name, *block) for name in DAILY_VARIABLES)
        masked = (ssm == FILL) | (sigma == FILL) | ((flags & self.excluded) > 0)
        return DayPixels(np.where(masked, FILL, ssm), sigma, flags)

    def read_ssm(self, number: int, block: Block) -> np.ndarray:
        """``read(number, block).ssm``, without reading what is not needed for it."""
        if self.excluded:
            return self.read(number, block).ssm
        path, place = self.files[number]
        return READ_WINDOW[self.maps.mosaics.format](path, place, "ssm", *block)

    def digest(self, numbers: Sequence[int], **settings: Any) -> str:
        """A fingerprint of maps, as their attributes describe them (day, model, revision, status), and of settings: a
        file that was made of the same is up to date."""
        return _digest([[self.fingerprints[n] for n in numbers], settings, self.excluded])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]
