"""Quicklook of a day: a small PNG on the map's own grid, without axes, for leafing through a record."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from ssm_net.formats.colours import DRIEST, WETTEST, colours
from ssm_net.formats.product import Flag, Mosaic, pack, unpack
from ssm_net.grid import CACHE_PIXELS, row_blocks

LONGEST_SIDE = 1200  # pixels of the longer side
FROZEN, WATER = (205, 205, 215), (235, 240, 245)
BAR_ROWS = 12  # pixels; height of the colour scale below the map, dry to the left


def encode_quicklook(mosaic: Mosaic) -> bytes:
    """The bytes of the picture, red, green, blue and opacity; the same mosaic gives the same bytes.

    Means of blocks of pixels where the domain is larger than ``LONGEST_SIDE``; a block without a value is
    frozen (grey), water (pale) or, elsewhere, transparent. Below the map lies the colour scale.
    """
    step = math.ceil(max(mosaic.ssm.shape) / LONGEST_SIDE)
    ssm, valid_fraction = _block_means(mosaic.ssm, lambda rows: unpack(pack(rows)), step)  # as the files store it
    frozen = _block_means(mosaic.flags, lambda rows: _as_float(rows & Flag.FROZEN_OR_SNOW > 0), step)[0]
    water = _block_means(mosaic.flags, lambda rows: _as_float(rows & Flag.WATER > 0), step)[0]
    picture = np.zeros((4, *ssm.shape), np.uint8)
    for where, colour in ((water >= 0.5, WATER), (frozen >= 0.5, FROZEN)):
        picture[:, where] = np.array([*colour, 255], np.uint8)[:, None]
    valid = valid_fraction > 0
    picture[:3, valid], picture[3, valid] = colours(ssm[valid]), 255
    scale = np.tile(np.linspace(DRIEST, WETTEST, ssm.shape[1]), (BAR_ROWS, 1))
    bar = np.full((4, BAR_ROWS, ssm.shape[1]), 255, np.uint8)
    bar[:3] = colours(scale.ravel()).reshape(3, *scale.shape)
    picture = np.concatenate([picture, np.zeros((4, BAR_ROWS // 2, ssm.shape[1]), np.uint8), bar], 1)
    with MemoryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture needs no georeference
        with file.open(driver="PNG", count=4, height=picture.shape[1], width=picture.shape[2], dtype="uint8") as png:
            png.write(picture)
        return bytes(file.read())


def _as_float(flag: np.ndarray) -> np.ndarray:
    return flag.astype(np.float32)


def _block_means(
    field: np.ndarray, transform: Callable[[np.ndarray], np.ndarray], step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means of the valid pixels of ``transform(field)`` in blocks of ``step`` x ``step`` pixels, and the fraction of
    each block that is valid. Pixels at the far edges that fill no block are left out."""
    rows, cols = (n // step for n in field.shape)
    means, parts = np.zeros((rows, cols), np.float32), np.zeros((rows, cols))
    for some in row_blocks((rows, cols * step**2), 16 * CACHE_PIXELS):
        values = transform(field[some.start * step : some.stop * step, : cols * step])
        blocks = values.reshape(-1, step, cols, step)
        valid = np.isfinite(blocks)
        count = valid.sum((1, 3))
        total = np.where(valid, blocks, 0).sum((1, 3))
        np.divide(total, count, out=means[some], where=count > 0)
        parts[some] = count / step**2
    return means, parts
