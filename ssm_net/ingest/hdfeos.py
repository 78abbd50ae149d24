"""Layers of EOS grids (MODIS and VIIRS land tiles, and crops of them) in physical units, quality layers applied."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.dateline import sides
from ssm_net.grid import row_blocks
from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.eos_crop import GEOGRAPHIC
from ssm_net.ingest.eos_file import EosFile, open_eos
from ssm_net.ingest.flag_costs import counts_by_words, note_costs
from ssm_net.ingest.modis_tiles import RADIUS, SINUSOIDAL
from ssm_net.ingest.notes import make_note
from ssm_net.ingest.products import LOWER, MISSING, Bits, Flag, Layer, by_layer
from ssm_net.ingest.quantities import of_variable
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError, LazyRaster

WINDOW_MARGIN = 4  # pixels read around the part of a tile that is needed: more than any kernel reaches


def find_layer(path: Path, layer: Layer, within: GeoBox | None = None, day: dt.date | None = None) -> LazyRaster | None:
    """One layer of a granule on its own grid, read when needed: values, and errors where the product has them.

    Values are in physical units, errors as ``Layer.sigma`` defines them; both are NaN at the fill value, out of the
    valid range and where the quality is bad. ``within`` limits reading to what lies in or near that geobox; ``day`` is
    that of a file of many days. None where the file does not hold the layer, or nothing of it lies near ``within``.

    Raises ``GranuleError`` where the file is damaged, on another grid, or lies on both sides of a dateline that
    ``within`` crosses; so does reading, also where a quality layer that the product needs is missing.
    """
    with open_eos(path, day) as file:
        name = file.find(layer.names)
        if name is None:
            return None
        geobox = file.geobox(name)
    _require_pixels(path, name, layer, geobox)
    windows = _windows(geobox, within)
    if not windows:
        return None
    if len(windows) > 1:  # no tile does
        raise GranuleError(path, "lies on both sides of the dateline", layer=name, day=day,
                           remedy="request the area on either side of it by itself")  # fmt: skip
    return LazyRaster(geobox[windows[0]], lambda: _read(path, layer, day, windows[0]))


def find_stored(path: Path, names: Sequence[str], pixels: GeoBox, day: dt.date | None = None) -> np.ndarray | None:
    """The stored numbers of a layer on ``pixels``, a part of the file's grid; None where it has no such layer there.

    Raises ``GranuleError`` where the file is damaged or on another grid.
    """
    with open_eos(path, day) as file:
        name = file.find(names)
        if name is None:
            return None
        geobox = file.geobox(name)
        (height, width), a, b = pixels.shape, pixels.affine, geobox.affine
        col, row = round((a.c - b.c) / b.a), round((a.f - b.f) / b.e)
        if abs(a.a - b.a) > 1e-3 * b.a or row < 0 or col < 0:
            return None
        return file.window(name, slice(row, row + height), slice(col, col + width))[0]


def holds(path: Path, names: Sequence[str]) -> bool:
    """Whether a file has a layer of one of these names. Raises ``GranuleError``, as ``find_layer``."""
    with open_eos(path) as file:
        return file.find(names) is not None


def _require_pixels(path: Path, name: str, layer: Layer, geobox: GeoBox) -> None:
    """Raise ``GranuleError`` where pixels are not of the side that the product has, or near it in degrees."""
    side = max(abs(geobox.affine.a), abs(geobox.affine.e))
    if _is_geographic(geobox):
        wanted = math.degrees(layer.pixel / RADIUS)
        if not wanted / 1.5 < side < wanted * 1.5:
            raise GranuleError(path, f"pixels of {side:.5f} degrees where {wanted:.5f} are expected", layer=name)
    elif abs(side - layer.pixel) > 1e-3 * layer.pixel:
        raise GranuleError(path, f"pixels of {side:.2f} m where {layer.pixel:.2f} m are expected", layer=name)


def _read(path: Path, layer: Layer, day: dt.date | None, window: tuple[slice, slice]) -> tuple[np.ndarray, ...]:
    with open_eos(path, day) as file:
        name = file.find(layer.names)
        if name is None:
            raise GranuleError(path, "was there, and is no longer", layer=layer.names[0])
        geobox = file.geobox(name)
        data, attributes = file.window(name, *window)
        values = _lookup(data, partial(_physical, Encoding(path, name, attributes)))
        sigma = np.zeros(values.shape, np.float32) if layer.has_error else None
        if layer.sigma_bits is not None:
            stored = _quality_layer(path, file, layer.sigma_bits.layer, geobox, window)
            meaning = partial(_sigma_of, np.asarray(layer.sigma, np.float32), layer.sigma_bits)
            sigma = np.full(values.shape, max(layer.sigma), np.float32) if stored is None else _lookup(stored, meaning)
        there = np.isfinite(values)
        costs: dict[str, int] = {}
        for names, flags in by_layer(layer.flags).items():
            stored = _quality_layer(path, file, names, geobox, window)
            if stored is None:
                _without_flags(path, names, flags, sigma)
                continue
            costs |= _apply(flags, stored, values, sigma, there)
    if layer.flags:
        note_costs(path, layer.variable, int(np.count_nonzero(there)), costs)
    values = plausible(values, of_variable(layer.variable), path, name)
    if sigma is None:
        return (values,)
    np.copyto(sigma, np.nan, where=np.isnan(values))
    return values, sigma


@lru_cache(maxsize=256)
def _bounds(within: GeoBox, crs: str) -> tuple[float, float, float, float]:
    box = within.extent.to_crs(crs, resolution=abs(within.affine.a) * 16).boundingbox
    return box.left, box.bottom, box.right, box.top


def _is_geographic(geobox: GeoBox) -> bool:
    return geobox.crs is not None and bool(geobox.crs.geographic)


def _windows(geobox: GeoBox, within: GeoBox | None) -> list[tuple[slice, slice]]:
    """Rows and columns of ``geobox`` that ``within`` needs, on each side of the dateline where they meet."""
    rows, cols = geobox.shape
    if within is None:
        return [(slice(0, rows), slice(0, cols))]
    crs = GEOGRAPHIC if _is_geographic(geobox) else SINUSOIDAL
    return [w for _, side in sides(within) if (w := _window_of(geobox, _bounds(side, crs))) is not None]


def _window_of(geobox: GeoBox, bounds: tuple[float, float, float, float]) -> tuple[slice, slice] | None:
    (rows, cols), (left, bottom, right, top), a = geobox.shape, bounds, geobox.affine
    c0, c1 = int((left - a.c) // a.a) - WINDOW_MARGIN, int((right - a.c) // a.a) + 1 + WINDOW_MARGIN
    r0, r1 = int((top - a.f) // a.e) - WINDOW_MARGIN, int((bottom - a.f) // a.e) + 1 + WINDOW_MARGIN
    if c1 <= 0 or r1 <= 0 or c0 >= cols or r0 >= rows:
        return None
    return slice(max(r0, 0), min(r1, rows)), slice(max(c0, 0), min(c1, cols))


def _lookup(stored: np.ndarray, meaning: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``meaning`` of stored numbers, by a table of all possible ones where they are integers of 8 or 16 bits."""
    if stored.dtype.kind not in "iu" or stored.itemsize > 2:
        return meaning(stored)
    bits = stored.view(f"u{stored.itemsize}")
    every = np.arange(1 << (8 * stored.itemsize), dtype=bits.dtype)
    table = meaning(every.view(stored.dtype))
    out = np.empty(stored.shape, table.dtype)
    for rows in row_blocks(stored.shape):  # numpy makes an index of eight bytes for each value
        table.take(bits[rows], out=out[rows], mode="clip")
    return out


def _sigma_of(sigma: np.ndarray, bits: Bits, stored: np.ndarray) -> np.ndarray:
    return sigma[bits.of(stored)]


def _apply(
    flags: tuple[Flag, ...], stored: np.ndarray, values: np.ndarray, sigma: np.ndarray | None, there: np.ndarray
) -> dict[str, int]:
    """Apply the flags of one layer to ``values`` and ``sigma`` in place; how many of the values that were ``there``
    have each of them."""
    table = _codes_table(flags, stored.dtype) if stored.itemsize <= 2 else None
    missing = Flag.bit_of(flags, MISSING)
    counts = np.zeros(len(flags), int)
    for rows in row_blocks(stored.shape):
        some = stored[rows]
        codes = Flag.codes(flags, some) if table is None else table.take(some.view(f"u{some.itemsize}"), mode="clip")
        bad, known = (codes & missing) != 0, there[rows]
        for n, flag in enumerate(flags):
            has = (codes & codes.dtype.type(1 << n)) != 0
            counts[n] += np.count_nonzero(has & known)
            if sigma is not None and flag.effect == LOWER:
                np.maximum(sigma[rows], has * np.float32(flag.error), out=sigma[rows])
        np.copyto(values[rows], np.nan, where=bad)
    return counts_by_words(flags, counts)


@lru_cache(maxsize=64)
def _codes_table(flags: tuple[Flag, ...], dtype: np.dtype) -> np.ndarray:
    """``Flag.codes`` of every number that a layer of 8 or 16 bits can hold."""
    return Flag.codes(flags, np.arange(1 << (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}").view(dtype))


def _without_flags(path: Path, names: Sequence[str], flags: Sequence[Flag], sigma: np.ndarray | None) -> None:
    """What follows where a file has no layer of these flags: the file is refused, or of the lower quality. Nothing
    where they only tell more of a quality that another layer sums up."""
    if any(flag.required for flag in flags):
        raise GranuleError(path, "this quality layer is missing and clouds show nowhere else", layer=names[0],
                           remedy="download the file with its quality layers")  # fmt: skip
    if not any(flag.effect == MISSING for flag in flags):
        return
    make_note(path, names[0], "there is no such quality layer", "its values are taken as they are")
    if sigma is not None:
        np.maximum(sigma, max((f.error for f in flags if f.effect == LOWER), default=0.0), out=sigma)


def _physical(encoding: Encoding, data: np.ndarray) -> np.ndarray:
    """Stored numbers in physical units, float32, NaN where they are no values."""
    if "scale_factor" not in encoding.attributes and data.dtype.kind in "iu":
        raise GranuleError(encoding.path, "has no scale_factor", layer=encoding.name)
    if not encoding.scale > 0:
        raise GranuleError(encoding.path, f"has scale_factor {encoding.scale}", layer=encoding.name)
    # Both conventions are met: 10000 means divide, 0.0001 and 0.02 mean multiply.
    factor = 1.0 / encoding.scale if encoding.scale > 1 else encoding.scale
    return encoding.scaled_by(factor).decode(data).astype(np.float32)


def _quality_layer(
    path: Path, file: EosFile, names: tuple[str, ...], geobox: GeoBox, window: tuple[slice, slice]
) -> np.ndarray | None:
    """Stored bits on the pixels of ``window`` of ``geobox``; those of a coarser layer (1 km state of 500 m data) are
    repeated. Where a crop ends before the layer that they are about, all bits are set."""
    name = file.find(names, quality=True)
    if name is None:
        return None
    own = file.geobox(name)
    if own.crs != geobox.crs:
        raise GranuleError(path, "is on another projection than the layer that it is about", layer=name)
    (rows, inside_rows), (cols, inside_cols) = (
        _matching(path, name, (geobox, own), axis, window[axis]) for axis in (0, 1)
    )
    row0, row1, col0, col1 = rows.min(), rows.max() + 1, cols.min(), cols.max() + 1
    data, _ = file.window(name, slice(int(row0), int(row1)), slice(int(col0), int(col1)))
    if data.dtype.kind == "f":  # unpacked by the server
        data = np.where(np.isfinite(data), data, -1).astype(np.int64)
    if data.shape != (rows.size, cols.size):
        data = data[rows - row0][:, cols - col0]
    if not (inside_rows.all() and inside_cols.all()):
        data = np.where(inside_rows[:, None] & inside_cols, data, ~data.dtype.type(0))
    return data


def _matching(
    path: Path, name: str, boxes: tuple[GeoBox, GeoBox], axis: int, window: slice
) -> tuple[np.ndarray, np.ndarray]:
    """The rows (or columns) of the second grid in which those of ``window`` of the first lie, and which do lie there:
    both (n,). Raises ``GranuleError`` where one grid does not nest in the other."""
    fine, own = boxes
    step, own_step = (box.affine.e if axis == 0 else box.affine.a for box in boxes)
    start, own_start = (box.affine.f if axis == 0 else box.affine.c for box in boxes)
    times = own_step / step
    if abs(times - round(times)) > 1e-3 * times or round(times) < 1:
        raise GranuleError(path, f"grid of {tuple(own.shape)} does not nest in {tuple(fine.shape)}", layer=name)
    middle = start + (np.arange(window.start, window.stop) + 0.5) * step
    at = np.floor((middle - own_start) / own_step + 1e-6).astype(int)
    inside = (at >= 0) & (at < own.shape[axis])
    return np.clip(at, 0, own.shape[axis] - 1), inside
