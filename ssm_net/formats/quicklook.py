"""A mosaic day as a small picture to leaf through: PNG, on the map's own grid, without axes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from ssm_net.formats.product import Flag, Mosaic, pack, unpack
from ssm_net.grid import CACHE_PIXELS, row_blocks

LONGEST = 1200  # pixels of the longer side
DRIEST, WETTEST = 0.02, 0.45  # m3 m-3 of the first and the last colour
# From dry to wet: brown, sand, pale green, teal, dark blue; every step is darker or lighter than the one before.
COLOURS = ((110, 66, 20), (222, 184, 110), (238, 236, 196), (90, 178, 172), (12, 60, 120))
FROZEN, WATER = (205, 205, 215), (235, 240, 245)
BAR = 12  # rows of the scale below the map, dry to the left


def encode(mosaic: Mosaic) -> bytes:
    """The bytes of the picture, red, green, blue and opacity; the same mosaic gives the same bytes.

    Means of blocks of pixels where the domain is larger than ``LONGEST``; a block without a value is frozen (grey),
    water (pale) or, outside the domain's land, transparent. Below lies the scale of colours.
    """
    step = math.ceil(max(mosaic.ssm.shape) / LONGEST)
    ssm, part = _blocks(mosaic.ssm, lambda some: unpack(pack(some)), step)  # as the files hold it
    frozen = _blocks(mosaic.flags, lambda some: _as_float(some & Flag.FROZEN_OR_SNOW > 0), step)[0]
    water = _blocks(mosaic.flags, lambda some: _as_float(some & Flag.WATER > 0), step)[0]
    picture = np.zeros((4, *ssm.shape), np.uint8)
    for where, colour in ((water >= 0.5, WATER), (frozen >= 0.5, FROZEN)):
        picture[:, where] = np.array([*colour, 255], np.uint8)[:, None]
    there = part > 0
    picture[:3, there], picture[3, there] = colours(ssm[there]), 255
    scale = np.tile(np.linspace(DRIEST, WETTEST, ssm.shape[1]), (BAR, 1))
    bar = np.full((4, BAR, ssm.shape[1]), 255, np.uint8)
    bar[:3] = colours(scale.ravel()).reshape(3, *scale.shape)
    picture = np.concatenate([picture, np.zeros((4, BAR // 2, ssm.shape[1]), np.uint8), bar], 1)
    with MemoryFile() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # it is a picture
        with file.open(driver="PNG", count=4, height=picture.shape[1], width=picture.shape[2], dtype="uint8") as png:
            png.write(picture)
        return bytes(file.read())


def colours(ssm: np.ndarray) -> np.ndarray:
    """Red, green and blue (3, n) of soil moisture (n,), m3 m-3."""
    at = np.linspace(DRIEST, WETTEST, len(COLOURS))
    return np.stack([np.interp(ssm, at, [c[i] for c in COLOURS]) for i in range(3)]).round().astype(np.uint8)


def _as_float(flag: np.ndarray) -> np.ndarray:
    return flag.astype(np.float32)


def _blocks(field: np.ndarray, make: Callable[[np.ndarray], np.ndarray], step: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of what is there of ``make(field)`` in blocks of ``step`` x ``step`` pixels (what is over at the end left
    out), and how much of each is there; some rows of blocks at a time."""
    rows, cols = (n // step for n in field.shape)
    means, parts = np.zeros((rows, cols), np.float32), np.zeros((rows, cols))
    for some in row_blocks((rows, cols * step**2), 16 * CACHE_PIXELS):
        values = make(field[some.start * step : some.stop * step, : cols * step])
        blocks = values.reshape(-1, step, cols, step)
        there = np.isfinite(blocks)
        count = there.sum((1, 3))
        total = np.where(there, blocks, 0).sum((1, 3))
        np.divide(total, count, out=means[some], where=count > 0)
        parts[some] = count / step**2
    return means, parts
