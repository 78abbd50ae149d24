"""Layers of HDF4-EOS grids (MODIS land tiles) in physical units, with their quality layers applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.dateline import sides
from ssm_net.grid import row_blocks
from ssm_net.ingest.encoding import Encoding
from ssm_net.ingest.eos_metadata import EosGrid, geobox_of, grids_of
from ssm_net.ingest.flag_costs import counts_by_words, note_costs
from ssm_net.ingest.hdf4_apart import first_layer, open_hdf4, read_window
from ssm_net.ingest.modis_tiles import SINUSOIDAL
from ssm_net.ingest.notes import make_note
from ssm_net.ingest.products import LOWER, MISSING, Bits, Flag, Layer, by_layer
from ssm_net.ingest.quantities import of_variable
from ssm_net.ingest.ranges import plausible
from ssm_net.ingest.raster import GranuleError, LazyRaster

WINDOW_MARGIN = 4  # pixels read around the part of a tile that is needed: more than any kernel reaches


def find_layer(path: Path, layer: Layer, within: GeoBox | None = None) -> LazyRaster | None:
    """One layer of a granule on its own grid, read when needed: values, and errors where the product has them.

    Values are in physical units, errors as ``Layer.sigma`` defines them; both are NaN at the fill value, out of the
    valid range and where the quality is bad. ``within`` limits reading to what lies in or near that geobox. None where
    the file does not hold the layer, or nothing of it lies near ``within``.

    Raises ``GranuleError`` where the file is damaged or on another grid; so does reading, also where a quality layer
    that the product needs is missing.
    """
    with open_hdf4(path) as sd:
        name = first_layer(sd, layer.names)
    if name is None:
        _require_undescribed(path, layer.names)
        return None
    geobox = geobox_of(path, grids_of(path), name)
    side = max(abs(geobox.affine.a), abs(geobox.affine.e))
    if abs(side - layer.pixel) > 1e-3 * layer.pixel:
        raise GranuleError(path, f"pixels of {side:.2f} m where {layer.pixel:.2f} m are expected", layer=name)
    window = _window(geobox, within)
    if window is None:
        return None
    return LazyRaster(geobox[window], lambda: _read(path, layer, name, window))


def find_stored(path: Path, names: Sequence[str], pixels: GeoBox) -> np.ndarray | None:
    """The stored numbers of a layer on ``pixels``, a part of the file's grid; None where it has no such layer there.

    Raises ``GranuleError`` where the file is damaged or on another grid.
    """
    with open_hdf4(path) as sd:
        name = first_layer(sd, names)
        if name is None:
            return None
        geobox = geobox_of(path, grids_of(path), name)
        (height, width), a, b = pixels.shape, pixels.affine, geobox.affine
        col, row = round((a.c - b.c) / b.a), round((a.f - b.f) / b.e)
        if abs(a.a - b.a) > 1e-3 * b.a or row < 0 or col < 0:
            return None
        data, _ = read_window(path, sd, name, geobox.shape, (slice(row, row + height), slice(col, col + width)))
        return data


def holds(path: Path, names: Sequence[str]) -> bool:
    """Whether a file has a layer of one of these names. Raises ``GranuleError``, as ``find_layer``."""
    with open_hdf4(path) as sd:
        name = first_layer(sd, names)
    if name is None:
        _require_undescribed(path, names)
    return name is not None


def _require_undescribed(path: Path, names: Sequence[str]) -> None:
    """Raise ``GranuleError`` where the file's own description has a layer of ``names`` that is not to be found in it: a
    damaged byte in its directory hides it."""
    described = {layer for grid in grids_of(path) for layer in grid.layers}
    for name in names:
        if name in described:
            raise GranuleError(path, "is described in the file and not found in it: its directory is damaged",
                               layer=name)  # fmt: skip


def _read(path: Path, layer: Layer, name: str, window: tuple[slice, slice]) -> tuple[np.ndarray, ...]:
    grids = grids_of(path)
    geobox = geobox_of(path, grids, name)
    with open_hdf4(path) as sd:
        data, attributes = read_window(path, sd, name, geobox.shape, window)
        values = _lookup(data, partial(_physical, Encoding(path, name, attributes)))
        sigma = np.zeros(values.shape, np.float32) if layer.has_error else None
        if layer.sigma_bits is not None:
            stored = _quality_layer(path, sd, grids, layer.sigma_bits.layer, geobox, window)
            meaning = partial(_sigma_of, np.asarray(layer.sigma, np.float32), layer.sigma_bits)
            sigma = np.full(values.shape, max(layer.sigma), np.float32) if stored is None else _lookup(stored, meaning)
        there = np.isfinite(values)
        costs: dict[str, int] = {}
        for names, flags in by_layer(layer.flags).items():
            stored = _quality_layer(path, sd, grids, names, geobox, window)
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


def _window(geobox: GeoBox, within: GeoBox | None) -> tuple[slice, slice] | None:
    """Rows and columns of ``geobox`` that ``within`` needs; None where they do not meet."""
    rows, cols = geobox.shape
    if within is None:
        return slice(0, rows), slice(0, cols)
    windows = [w for _, side in sides(within) if (w := _window_of(geobox, _bounds(side, SINUSOIDAL))) is not None]
    return windows[0] if windows else None  # a tile lies on one side of the dateline


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
    path: Path, sd: Any, grids: Sequence[EosGrid], names: tuple[str, ...], geobox: GeoBox, window: tuple[slice, slice]
) -> np.ndarray | None:
    """Stored bits on the pixels of ``window`` of ``geobox``; a coarser layer (1 km state of 500 m data) is repeated."""
    name = first_layer(sd, names)
    if name is None:
        _require_undescribed(path, names)
        return None
    own = geobox_of(path, grids, name)
    times = geobox.shape[0] // own.shape[0]
    if (own.shape[0] * times, own.shape[1] * times) != tuple(geobox.shape):
        raise GranuleError(path, f"grid of {own.shape} does not nest in {geobox.shape}", layer=name)
    rows, cols = window
    coarse_rows, coarse_cols = (slice(s.start // times, -(-s.stop // times)) for s in (rows, cols))
    data, _ = read_window(path, sd, name, own.shape, (coarse_rows, coarse_cols))
    if times > 1:
        data = data.repeat(times, 0).repeat(times, 1)
        y, x = rows.start - coarse_rows.start * times, cols.start - coarse_cols.start * times
        data = data[y : y + rows.stop - rows.start, x : x + cols.stop - cols.start]
    return data
