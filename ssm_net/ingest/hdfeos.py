"""HDF4-EOS grids (MODIS land tiles): a layer with its quality applied, and what the file says of itself.

Geometry comes from ``StructMetadata`` (corners in metres), never from the tile number: granules may be cropped.
pyhdf is not thread-safe: use processes.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from ssm_net.core.files import stamp
from ssm_net.ingest.products import Bits, Layer, Quality
from ssm_net.ingest.raster import GranuleError, Raster, Unread

log = logging.getLogger(__name__)

RADIUS = 6371007.181
SINUSOIDAL = f"+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R={RADIUS} +units=m +no_defs"
PIXELS = 1 << 16  # worked on at a time
MARGIN = 4  # pixels kept around the part of a tile that is asked for: more than any kernel reaches


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An HDF4 file. Raises ``GranuleError`` where it is none or broken, ``ImportError`` without pyhdf."""
    try:
        from pyhdf.error import HDF4Error
        from pyhdf.SD import SD, SDC
    except ImportError as err:
        raise ImportError("HDF4 files need pyhdf: pip install 'ssm_net[ingest]'") from err
    if not path.is_file():
        raise GranuleError(path, "no such file")
    try:
        sd = SD(str(path), SDC.READ)
    except HDF4Error as err:
        raise GranuleError(path, f"not a whole HDF4 file ({err})") from err
    try:
        yield sd
    except GranuleError:
        raise
    except (HDF4Error, ValueError, OverflowError) as err:  # pyhdf raises all three where blocks are damaged
        raise GranuleError(path, f"damaged or cut short ({err})") from err
    finally:
        sd.end()


@dataclass(frozen=True)
class EosGrid:
    """One grid of ``StructMetadata``: its name, fields and pixels."""

    name: str
    fields: tuple[str, ...]
    geobox: GeoBox


def grids(path: Path, text: str) -> list[EosGrid]:
    """The grids that ``StructMetadata`` describes. Raises ``GranuleError`` where one is not MODIS sinusoidal."""
    found = []
    for block in re.findall(r"GROUP=GRID_\d+\s(.*?)END_GROUP=GRID_\d+", text, re.S):
        name = _odl(path, block, r'GridName="([^"]*)"', "GridName")
        fields = tuple(re.findall(r'DataFieldName="([^"]*)"', block))
        projection = _odl(path, block, r"Projection=(\w+)", "Projection")
        params = _numbers(_odl(path, block, r"ProjParams=\(([^)]*)\)", "ProjParams"))
        if projection not in ("GCTP_SNSOID", "HE5_GCTP_SNSOID"):
            raise GranuleError(path, f"grid {name} is in {projection}, not in the MODIS sinusoidal projection")
        if abs(params[0] - RADIUS) > 0.01 or any(params[4:8]):
            raise GranuleError(path, f"grid {name} has projection parameters {params}, not those of MODIS")
        cols = int(_odl(path, block, r"XDim=(\d+)", "XDim"))
        rows = int(_odl(path, block, r"YDim=(\d+)", "YDim"))
        left, top = _numbers(_odl(path, block, r"UpperLeftPointMtrs=\(([^)]*)\)", "UpperLeftPointMtrs"))
        right, bottom = _numbers(_odl(path, block, r"LowerRightMtrs=\(([^)]*)\)", "LowerRightMtrs"))
        if not (right > left and top > bottom and rows and cols):
            raise GranuleError(path, f"grid {name} has corners ({left}, {top}), ({right}, {bottom})")
        affine = Affine((right - left) / cols, 0.0, left, 0.0, (bottom - top) / rows, top)
        found.append(EosGrid(name, fields, GeoBox((rows, cols), affine, SINUSOIDAL)))
    if not found:
        raise GranuleError(path, "no grid in StructMetadata: not an HDF-EOS grid file")
    return found


@lru_cache(256)
def _grids_of(path: Path, at: tuple[int, int]) -> list[EosGrid]:
    """``grids`` of a file as it was ``at`` its stamp: pyhdf takes long for the text, and a file has several layers."""
    with opened(path) as sd:
        return grids(path, _texts(sd, r"StructMetadata\.\d+"))


def read_layer(path: Path, layer: Layer, within: GeoBox | None = None) -> tuple[Raster, Raster | None] | None:
    """One variable of a granule and its error.

    Returns (values in physical units, error in K or None where the table gives none), NaN where filled, out of its
    valid range or of bad quality. ``within`` limits reading to what lies in or near that geobox. None where the file
    does not hold the layer, or nothing of it lies near ``within``.

    Raises ``GranuleError`` where the file is broken, on another grid, or lacks a quality layer it needs.
    """
    found = find_layer(path, layer, within)
    if found is None:
        return None
    values, *sigma = (Raster(field, found.geobox) for field in found.read())
    return values, sigma[0] if sigma else None


def find_layer(path: Path, layer: Layer, within: GeoBox | None = None) -> Unread | None:
    """Where it lies, and how to read it: the values, and their error where the table gives one. As ``read_layer``."""
    with opened(path) as sd:
        name = _held(sd, layer.names)
        if name is None:
            return None
        geobox = _geobox_of(path, _grids_of(path, stamp(path)), name)
    side = max(abs(geobox.affine.a), abs(geobox.affine.e))
    if abs(side - layer.pixel) > 1e-3 * layer.pixel:
        raise GranuleError(path, f"pixels of {side:.2f} m where {layer.pixel:.2f} m are expected", layer=name)
    window = _window(geobox, within)
    if window is None:
        return None
    return Unread(geobox[window], lambda: _read(path, layer, name, window))


def _read(path: Path, layer: Layer, name: str, window: tuple[slice, slice]) -> tuple[np.ndarray, ...]:
    with opened(path) as sd:
        eos = _grids_of(path, stamp(path))
        geobox = _geobox_of(path, eos, name)
        values = _decode(path, sd, name, geobox, window)
        sigma = None
        if layer.sigma_bits is not None:
            stored = _bits_layer(path, sd, eos, layer.sigma_bits.layer, geobox, window)
            meaning = partial(_stated, np.asarray(layer.sigma, np.float32), layer.sigma_bits)
            sigma = np.full(values.shape, max(layer.sigma), np.float32) if stored is None else _each(stored, meaning)
        for quality in layer.quality:
            stored = _bits_layer(path, sd, eos, quality.bits.layer, geobox, window)
            if stored is None:
                if quality.required:
                    raise GranuleError(
                        path, "this quality layer is missing and clouds show nowhere else",
                        layer=quality.bits.layer[0], remedy="download the file with its quality layers",
                    )  # fmt: skip
                log.warning("%s: no quality layer %s; its values are taken as they are", path, quality.bits.layer[0])
                continue
            np.copyto(values, np.nan, where=_each(stored, partial(_bad, quality)))
    if sigma is None:
        return (values,)
    np.copyto(sigma, np.nan, where=np.isnan(values))
    return values, sigma


def holds(path: Path, names: Sequence[str]) -> bool:
    """Whether a file has a layer of one of these names. Raises ``GranuleError``."""
    with opened(path) as sd:
        return _held(sd, names) is not None


def _held(sd: Any, names: Sequence[str]) -> str | None:
    """The first of the names that the file has a layer of; asked for by name, since a list of all takes long."""
    from pyhdf.error import HDF4Error

    for name in names:
        try:
            sd.nametoindex(name)
        except HDF4Error:
            continue
        return name
    return None


@dataclass(frozen=True)
class Identity:
    """What a file says of itself: first and last day of its data and the archive's name for it, where it says so."""

    first: dt.date | None
    last: dt.date | None
    name: str | None
    short_name: str | None
    tile: str | None


def identity(path: Path) -> Identity:
    """The identity in CoreMetadata (or the archive metadata kept beside it). Raises ``GranuleError``."""
    with opened(path) as sd:
        text = _texts(sd, r"(?i)coremetadata\.\d+") or _texts(sd, r"(?i)(old)?archivemetadata\.\d+")
    h, v = _value(text, "HORIZONTALTILENUMBER"), _value(text, "VERTICALTILENUMBER")
    tile = f"h{int(h):02d}v{int(v):02d}" if h and v and h.isdigit() and v.isdigit() else None
    return Identity(
        _day(_value(text, "RANGEBEGINNINGDATE")),
        _day(_value(text, "RANGEENDINGDATE")),
        _value(text, "LOCALGRANULEID"),
        _value(text, "SHORTNAME"),
        tile,
    )


def _texts(sd: Any, pattern: str) -> str:
    """The text of the file attributes whose names match, in the order of their names; ``attributes()`` reads all."""
    found = {}
    for n in range(sd.info()[1]):
        name, _, length = sd.attr(n).info()[:3]
        if re.fullmatch(pattern, name):
            found[name] = _text(sd, n, length)
    return "".join(found[name] for name in sorted(found))


def _text(sd: Any, n: int, length: int) -> str:
    """What ``sd.attr(n).get()`` gives, which makes a text character by character: 10 ms of the usual 32000."""
    from pyhdf import hdfext
    from pyhdf.error import HDF4Error

    buffer = hdfext.array_byte(length)
    if hdfext.SDreadattr(sd._id, n, buffer) < 0:
        raise HDF4Error(f"attribute {n} cannot be read")
    return ctypes.string_at(int(buffer.cast()), length).decode("latin-1")


def _value(text: str, key: str) -> str | None:
    match = re.search(rf"OBJECT\s*=\s*{key}\b.*?VALUE\s*=\s*\"?([^\"\n]*)\"?.*?END_OBJECT", text, re.S)
    return match.group(1).strip() if match else None


def _day(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text[:10]) if text and re.match(r"\d{4}-\d\d-\d\d", text) else None


def _odl(path: Path, block: str, pattern: str, key: str) -> str:
    match = re.search(pattern, block)
    if match is None:
        raise GranuleError(path, f"StructMetadata has no {key}")
    return match.group(1)


def _numbers(text: str) -> list[float]:
    return [float(t) for t in text.split(",")]


def _geobox_of(path: Path, eos: Sequence[EosGrid], name: str) -> GeoBox:
    for grid in eos:
        if name in grid.fields:
            return grid.geobox
    raise GranuleError(path, "no grid in StructMetadata holds this layer", layer=name)


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
    c0, c1 = int((left - a.c) // a.a) - MARGIN, int((right - a.c) // a.a) + 1 + MARGIN
    r0, r1 = int((top - a.f) // a.e) - MARGIN, int((bottom - a.f) // a.e) + 1 + MARGIN
    if c1 <= 0 or r1 <= 0 or c0 >= cols or r0 >= rows:
        return None
    return slice(max(r0, 0), min(r1, rows)), slice(max(c0, 0), min(c1, cols))


def _stored(path: Path, sd: Any, name: str, shape: Sequence[int], window: tuple[slice, slice]) -> tuple[Any, dict]:
    """Stored numbers of a layer in a window, and its attributes."""
    sds = sd.select(name)
    try:
        found = tuple(np.atleast_1d(sds.info()[2]))
        if found != tuple(shape):
            raise GranuleError(path, f"has shape {found} where its grid has {shape}", layer=name)
        rows, cols = window
        data = np.asarray(
            sds.get(start=(rows.start, cols.start), count=(rows.stop - rows.start, cols.stop - cols.start))
        ).reshape(rows.stop - rows.start, cols.stop - cols.start)
        return data, sds.attributes()
    finally:
        sds.endaccess()


def _decode(path: Path, sd: Any, name: str, geobox: GeoBox, window: tuple[slice, slice]) -> np.ndarray:
    data, attributes = _stored(path, sd, name, geobox.shape, window)
    return _each(data, lambda stored: _physical(path, name, stored, attributes))


def _each(stored: np.ndarray, meaning: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What stored numbers mean; that of small integers is worked out once for each that there can be."""
    if stored.dtype.kind not in "iu" or stored.itemsize > 2:
        return meaning(stored)
    bits = stored.view(f"u{stored.itemsize}")
    every = np.arange(1 << (8 * stored.itemsize), dtype=bits.dtype)
    known = meaning(every.view(stored.dtype))
    out = np.empty(stored.shape, known.dtype)
    step = max(1, PIXELS // stored.shape[1])
    for y in range(0, len(out), step):  # numpy makes an index of eight bytes of each: some rows fit in a cache
        known.take(bits[y : y + step], out=out[y : y + step], mode="clip")
    return out


def _stated(sigma: np.ndarray, bits: Bits, stored: np.ndarray) -> np.ndarray:
    return sigma[bits.of(stored)]


def _bad(quality: Quality, stored: np.ndarray) -> np.ndarray:
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


def _bits_layer(
    path: Path, sd: Any, eos: Sequence[EosGrid], layer: tuple[str, ...], geobox: GeoBox,
    window: tuple[slice, slice],
) -> np.ndarray | None:  # fmt: skip
    """Stored bits on the pixels of ``window`` of ``geobox``; a coarser layer (1 km state of 500 m data) is repeated."""
    name = _held(sd, layer)
    if name is None:
        return None
    own = _geobox_of(path, eos, name)
    times = geobox.shape[0] // own.shape[0]
    if (own.shape[0] * times, own.shape[1] * times) != tuple(geobox.shape):
        raise GranuleError(path, f"grid of {own.shape} does not nest in {geobox.shape}", layer=name)
    rows, cols = window
    coarse = tuple(slice(s.start // times, -(-s.stop // times)) for s in (rows, cols))
    data, _ = _stored(path, sd, name, own.shape, coarse)  # type: ignore[arg-type]
    if times > 1:
        data = data.repeat(times, 0).repeat(times, 1)
        y, x = rows.start - coarse[0].start * times, cols.start - coarse[1].start * times
        data = data[y : y + rows.stop - rows.start, x : x + cols.stop - cols.start]
    return data
