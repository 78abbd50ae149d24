"""Chosen pixels of the maps of a folder, day by day, in any of the three formats."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ssm_net.formats.mosaic_folder import MosaicFolder
from ssm_net.formats.mosaic_series import READ_WINDOW, ReadWindow, mosaic_files
from ssm_net.formats.product import DAILY_VARIABLES
from ssm_net.formats.zarr_pixels import ZarrPixels

log = logging.getLogger(__name__)

BLOCK = 288  # pixels a side: chosen pixels of such a block are read at once, the chunk of a NetCDF file


@dataclass(frozen=True)
class DayPixels:
    """Packed values of a day at the chosen pixels, each (n,): ``ssm`` and ``sigma`` as int16, ``flags`` as uint16."""

    ssm: np.ndarray
    sigma: np.ndarray
    flags: np.ndarray


@dataclass(frozen=True)
class MapPixels:
    """The pixels at ``rows`` and ``cols``, each (n,), of every day of a folder of maps."""

    mosaics: MosaicFolder
    rows: np.ndarray
    cols: np.ndarray
    files: Sequence[tuple[Path, int]]
    readers: Sequence[Callable[[int], np.ndarray]]  # a variable each, from the number of the day

    @classmethod
    def choose(cls, mosaics: MosaicFolder, rows: np.ndarray, cols: np.ndarray) -> MapPixels:
        files, format = mosaic_files(mosaics), mosaics.format
        windows = _windows(rows, cols)
        readers: list[Callable[[int], np.ndarray]] = []
        for name in DAILY_VARIABLES:
            stored = ZarrPixels.choose(files[0][0], name, rows, cols) if format == "zarr" else None
            if stored is not None:
                readers.append(partial(_from_store, stored, files))
                continue
            if format == "zarr":
                log.info("%s: zarr reads its chunks, which are not as infer writes them; it is slower", files[0][0])
            readers.append(partial(_by_window, READ_WINDOW[format], files, name, windows))
        return cls(mosaics, rows, cols, files, readers)

    def read(self, day: int) -> DayPixels:
        """Of the day with this number in the folder. Raises ``MosaicError`` where its file is damaged."""
        return DayPixels(*(read(day) for read in self.readers))

    def read_all(self, days: Sequence[int]) -> Iterator[DayPixels]:
        """Of each of these days, in order. NetCDF and GeoTIFF are read ahead by a thread a core. A chunk of Zarr takes
        30 us: threads that hand the interpreter to each other as often take half as much again, and no less time."""
        if self.mosaics.format == "zarr":
            yield from map(self.read, days)
            return
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            yield from pool.map(self.read, days)
        finally:
            pool.shutdown(cancel_futures=True)


Windows = list[tuple[slice, slice, np.ndarray, np.ndarray, np.ndarray]]  # rows, columns; row and column inside; which


def _windows(rows: np.ndarray, cols: np.ndarray) -> Windows:
    """The smallest window around the chosen pixels of each block."""
    block = rows // BLOCK * (cols.max(initial=0) // BLOCK + 1) + cols // BLOCK
    order = np.argsort(block, kind="stable")
    _, first = np.unique(block[order], return_index=True)
    out = []
    for chosen in np.split(order, first[1:]) if len(order) else ():
        y, x = rows[chosen], cols[chosen]
        top, left = int(y.min()), int(x.min())
        out.append((slice(top, int(y.max()) + 1), slice(left, int(x.max()) + 1), y - top, x - left, chosen))
    return out


def _from_store(stored: ZarrPixels, files: Sequence[tuple[Path, int]], day: int) -> np.ndarray:
    return stored.read(files[day][1])


def _by_window(
    read_window: ReadWindow, files: Sequence[tuple[Path, int]], name: str, windows: Windows, day: int
) -> np.ndarray:
    out = np.empty(sum(len(chosen) for *_, chosen in windows), np.uint16 if name == "flags" else np.int16)
    for rows, cols, y, x, chosen in windows:
        out[chosen] = read_window(*files[day], name, rows, cols)[y, x]
    return out
