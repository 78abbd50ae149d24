"""The metadata of an HDF-EOS file: the grids of ``StructMetadata``, and its identity in ``CoreMetadata``.

Geometry comes from the corners in metres, never from the tile number: granules may be cropped.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from affine import Affine
from odc.geo.geobox import GeoBox

from ssm_net.core.files import stamp
from ssm_net.ingest.hdf4_apart import open_hdf4, text_attributes
from ssm_net.ingest.modis_tiles import RADIUS, SINUSOIDAL
from ssm_net.ingest.raster import GranuleError


@dataclass(frozen=True)
class EosGrid:
    """One grid of ``StructMetadata``: its name, the names of its layers, and its pixels."""

    name: str
    layers: tuple[str, ...]
    geobox: GeoBox


def grids_of(path: Path) -> list[EosGrid]:
    """The grids that a file describes. Raises ``GranuleError`` where there is none, or one is not MODIS sinusoidal."""
    return _cached_grids(path, stamp(path))


@lru_cache(256)
def _cached_grids(path: Path, at: tuple[int, int]) -> list[EosGrid]:
    """The grids of a file as it was ``at`` its stamp: pyhdf takes long for the text, and a file has several layers."""
    with open_hdf4(path) as sd:
        return parse_grids(path, text_attributes(sd, r"StructMetadata\.\d+"))


def parse_grids(path: Path, text: str) -> list[EosGrid]:
    """The grids in the text of ``StructMetadata``; ``path`` names the file in errors. Raises as ``grids_of``."""
    grids = []
    for block in re.findall(r"GROUP=GRID_\d+\s(.*?)END_GROUP=GRID_\d+", text, re.S):
        name = _odl(path, block, r'GridName="([^"]*)"', "GridName")
        layers = tuple(re.findall(r'DataFieldName="([^"]*)"', block))
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
        grids.append(EosGrid(name, layers, GeoBox((rows, cols), affine, SINUSOIDAL)))
    if not grids:
        raise GranuleError(path, "no grid in StructMetadata: not an HDF-EOS grid file")
    return grids


def geobox_of(path: Path, grids: Sequence[EosGrid], layer: str) -> GeoBox:
    """The pixels of a layer. Raises ``GranuleError`` where no grid holds it."""
    for grid in grids:
        if layer in grid.layers:
            return grid.geobox
    raise GranuleError(path, "no grid in StructMetadata holds this layer", layer=layer)


@dataclass(frozen=True)
class Identity:
    """The file's own account of itself: first and last day of its data, the archive's file name, the short name of the
    product and the tile; None where it does not state them."""

    first: dt.date | None
    last: dt.date | None
    name: str | None
    short_name: str | None
    tile: str | None


def identity_of_hdf4(path: Path) -> Identity:
    """The identity in CoreMetadata, or in the archive metadata kept with it. Raises ``GranuleError``."""
    with open_hdf4(path) as sd:
        text = text_attributes(sd, r"(?i)coremetadata\.\d+") or text_attributes(sd, r"(?i)(old)?archivemetadata\.\d+")
    return core_identity(path, text)


def core_identity(path: Path, text: str) -> Identity:
    """The identity in the ``text`` of CoreMetadata; ``path`` names the file in errors. Raises ``GranuleError``."""
    h, v = _value(text, "HORIZONTALTILENUMBER"), _value(text, "VERTICALTILENUMBER")
    tile = f"h{int(h):02d}v{int(v):02d}" if h and v and h.isdigit() and v.isdigit() else None
    return Identity(
        _day(path, text, "RANGEBEGINNINGDATE"),
        _day(path, text, "RANGEENDINGDATE"),
        _value(text, "LOCALGRANULEID"),
        _value(text, "SHORTNAME"),
        tile,
    )


def _value(text: str, key: str) -> str | None:
    match = re.search(rf"OBJECT\s*=\s*{key}\b.*?VALUE\s*=\s*\"?([^\"\n]*)\"?.*?END_OBJECT", text, re.S)
    return match.group(1).strip() if match else None


def _day(path: Path, text: str, key: str) -> dt.date | None:
    """Raises ``GranuleError`` where what is written there is no day."""
    value = _value(text, key)
    if not value or not re.match(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        return dt.date.fromisoformat(value[:10])
    except ValueError as err:
        raise GranuleError(path, f"its metadata states {key} {value[:10]}, which is no day") from err


def _odl(path: Path, block: str, pattern: str, key: str) -> str:
    match = re.search(pattern, block)
    if match is None:
        raise GranuleError(path, f"StructMetadata has no {key}")
    return match.group(1)


def _numbers(text: str) -> list[float]:
    return [float(t) for t in text.split(",")]
