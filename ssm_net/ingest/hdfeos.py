"""Layers of HDF4-EOS grids (MODIS land tiles) in physical units, with their quality layers applied."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.grid import row_blocks
from ssm_net.ingest.eos_metadata import EosGrid, geobox_of, grids_of
from ssm_net.ingest.hdf4_apart import first_layer, open_hdf4, read_window
from ssm_net.ingest.modis_tiles import SINUSOIDAL
from ssm_net.ingest.products import Bits, Layer, Quality
from ssm_net.ingest.raster import GranuleError, LazyRaster

log = logging.getLogger(__name__)

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
        return None
    geobox = geobox_of(path, grids_of(path), name)
    side = max(abs(geobox.affine.a), abs(geobox.affine.e))
    if abs(side - layer.pixel) > 1e-3 * layer.pixel:
        raise GranuleError(path, f"pixels of {side:.2f} m where {layer.pixel:.2f} m are expected", layer=name)
    window = _window(geobox, within)
    if window is None:
        return None
    return LazyRaster(geobox[window], lambda: _read(path, layer, name, window))


def holds(path: Path, names: Sequence[str]) -> bool:
    """Whether a file has a layer of one of these names. Raises ``GranuleError``."""
    with open_hdf4(path) as sd:
        return first_layer(sd, names) is not None


def _read(path: Path, layer: Layer, name: str, window: tuple[slice, slice]) -> tuple[np.ndarray, ...]:
    grids = grids_of(path)
    geobox = geobox_of(path, grids, name)
    with open_hdf4(path) as sd:
        data, attributes = read_window(path, sd, name, geobox.shape, window)
        values = _lookup(data, lambda stored: _physical(path, name, stored, attributes))
        sigma = None
        if layer.sigma_bits is not None:
            stored = _quality_layer(path, sd, grids, layer.sigma_bits.layer, geobox, window)
            meaning = partial(_sigma_of, np.asarray(layer.sigma, np.float32), layer.sigma_bits)
            sigma = np.full(values.shape, max(layer.sigma), np.float32) if stored is None else _lookup(stored, meaning)
        for quality in layer.quality:
            stored = _quality_layer(path, sd, grids, quality.bits.layer, geobox, window)
            if stored is None:
                if quality.required:
                    raise GranuleError(
                        path, "this quality layer is missing and clouds show nowhere else",
                        layer=quality.bits.layer[0], remedy="download the file with its quality layers",
                    )  # fmt: skip
                log.warning("%s: no quality layer %s; its values are taken as they are", path, quality.bits.layer[0])
                continue
            np.copyto(values, np.nan, where=_lookup(stored, partial(_is_bad, quality)))
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
    left, bottom, right, top = _bounds(within, SINUSOIDAL)
    a = geobox.affine
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


def _is_bad(quality: Quality, stored: np.ndarray) -> np.ndarray:
    return ~np.isin(quality.bits.of(stored), quality.good)


def _physical(path: Path, name: str, data: np.ndarray, attributes: dict[str, Any]) -> np.ndarray:
    """Stored numbers in physical units, float32, NaN where they are no values."""
    # What lies between the valid range and the fill value are class codes (water, no retrieval): no values either.
    bad = np.zeros(data.shape, bool)
    if "valid_range" in attributes:
        low, high = (int(np.asarray(v).astype(data.dtype)) if data.dtype.kind in "iu" else v
                     for v in attributes["valid_range"])  # fmt: skip
        bad |= (data < low) | (data > high)
    if "_FillValue" in attributes:
        bad |= data == np.asarray(attributes["_FillValue"]).astype(data.dtype)
    if "scale_factor" not in attributes and data.dtype.kind in "iu":
        raise GranuleError(path, "has no scale_factor", layer=name)
    scale = float(attributes.get("scale_factor", 1.0))
    if not scale > 0:
        raise GranuleError(path, f"has scale_factor {scale}", layer=name)
    # Both conventions are met: 10000 means divide, 0.0001 and 0.02 mean multiply.
    factor = 1.0 / scale if scale > 1 else scale
    values = (data * factor + float(attributes.get("add_offset", 0.0))).astype(np.float32)
    values[bad] = np.nan
    return values


def _quality_layer(
    path: Path, sd: Any, grids: Sequence[EosGrid], names: tuple[str, ...], geobox: GeoBox, window: tuple[slice, slice]
) -> np.ndarray | None:
    """Stored bits on the pixels of ``window`` of ``geobox``; a coarser layer (1 km state of 500 m data) is repeated."""
    name = first_layer(sd, names)
    if name is None:
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
