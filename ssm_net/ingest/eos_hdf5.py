"""HDF-EOS5 grids (VIIRS land tiles) through h5py alone.

A grid is the group ``/HDFEOS/GRIDS/<grid>/Data Fields`` with a dataset a layer. ``StructMetadata.0`` in
``/HDFEOS INFORMATION`` places it, as in HDF4-EOS, with the projection ``HE5_GCTP_SNSOID``. Sources: HDF-EOS5 Library
User's Guide; the examples of hdfeos.org for VNP09GA; stactools-packages/viirs for the attributes of the file
(``HorizontalTileNumber``, ``StartTime``), which finds wrong dates in the metadata of VNP43: the day in the name counts
before them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from ssm_net.ingest import signature
from ssm_net.ingest.encoding import attributes_of
from ssm_net.ingest.eos_metadata import EosGrid, Identity, core_identity, geobox_of, parse_grids
from ssm_net.ingest.modis_tiles import LEFT, SINUSOIDAL, TILE_SIDE, TOP
from ssm_net.ingest.raster import GranuleError, naming_damage

WHOLE_TILES = (1200, 2400)  # pixels a side: of 1 km, of 500 m
TILE_IN_NAME = re.compile(r"\.h(\d{2})v(\d{2})\.")


@dataclass(frozen=True)
class Hdf5Eos:
    """An open HDF-EOS5 file; ``layers`` are its datasets by name."""

    path: Path
    grids: Sequence[EosGrid] | None  # None where the file does not place them
    layers: Mapping[str, h5py.Dataset]

    def find(self, names: Sequence[str], *, quality: bool = False) -> str | None:
        name = next((name for name in names if name in self.layers), None)
        described = {layer for grid in self.grids or () for layer in grid.layers}
        if name is None and (lost := next((n for n in names if n in described), None)):
            raise GranuleError(self.path, "is described in the file and not found in it: it is damaged", layer=lost)
        return name

    def geobox(self, name: str) -> GeoBox:
        shape = self.layers[name].shape
        if self.grids is None:
            return _of_tile(self.path, name, shape)
        geobox = geobox_of(self.path, self.grids, name)
        if tuple(geobox.shape) != tuple(shape):
            raise GranuleError(self.path, f"has shape {shape} where its grid has {tuple(geobox.shape)}", layer=name)
        return geobox

    def window(self, name: str, rows: slice, cols: slice) -> tuple[np.ndarray, Mapping[str, Any]]:
        dataset = self.layers[name]
        with naming_damage(self.path):
            data = np.asarray(dataset[rows, cols])
            attributes = attributes_of(dataset)
        # Collection 1 of VNP09GA writes Scale and Offset.
        for own, usual in (("Scale", "scale_factor"), ("Offset", "add_offset")):
            if own in attributes:
                attributes.setdefault(usual, attributes[own])
        return data.astype(data.dtype.newbyteorder("="), copy=False), attributes


def is_eos(path: Path) -> bool:
    """Whether an HDF5 file holds EOS grids. Raises ``GranuleError`` where it is HDF5 and damaged."""
    if signature.kind_of(path) != signature.HDF5:
        return False
    with _open(path) as file:
        return "HDFEOS" in file


@contextmanager
def open_eos5(path: Path) -> Iterator[Hdf5Eos]:
    """A file, open. Raises ``GranuleError`` where it is damaged, holds no grid, or is not MODIS sinusoidal."""
    with _open(path) as file:
        with naming_damage(path):
            text = _texts(file, r"StructMetadata\.\d+")
            layers = dict(_layers(file))
        if not layers:
            raise GranuleError(path, "holds no EOS grid with layers", remedy="remove it: it is another product")
        yield Hdf5Eos(path, parse_grids(path, text) if text.strip() else None, layers)


def identity(path: Path) -> Identity:
    """What a file says of itself: in ``CoreMetadata``, or in the attributes of the file. Raises ``GranuleError``."""
    with _open(path) as file, naming_damage(path):
        stated = core_identity(path, _texts(file, r"(?i)(core|archive)metadata\.\d+"))
        attributes: dict[str, str] = {}
        for group in (file, file.get("HDFEOS/ADDITIONAL/FILE_ATTRIBUTES")):
            if group is not None:
                attributes |= {_plain(key): _text(value) for key, value in attributes_of(group).items()}
    h, v = (attributes.get(f"{axis}tilenumber", "") for axis in ("horizontal", "vertical"))
    tile = f"h{int(h):02d}v{int(v):02d}" if h.isdigit() and v.isdigit() else None
    return Identity(
        stated.first or _day(attributes, "rangebeginningdate", "starttime"),
        stated.last or _day(attributes, "rangeendingdate", "endtime"),
        stated.name or attributes.get("localgranuleid"),
        stated.short_name or attributes.get("shortname"),
        stated.tile or tile,
    )


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError, ValueError, KeyError) as err:
        raise GranuleError(path, f"not a whole HDF5 file ({err})") from err
    with file:
        yield file


def _layers(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Layers with rows and columns; the dummies that HDF-EOS adds, such as Projection, have none."""
    for grid in file["HDFEOS"].get("GRIDS", {}).values():
        for name, dataset in grid.get("Data Fields", {}).items():
            if isinstance(dataset, h5py.Dataset) and dataset.ndim == 2:
                yield str(name), dataset


def _texts(file: h5py.File, pattern: str) -> str:
    """The joined text of those datasets of ``HDFEOS INFORMATION`` whose names match, in order."""
    group = file.get("HDFEOS INFORMATION")
    names = sorted(n for n in (group or ()) if re.fullmatch(pattern, str(n)))
    return "".join(_text(group[name][()]) for name in names)


def _text(value: Any) -> str:
    value = np.ravel(value)[0] if isinstance(value, np.ndarray) and value.size == 1 else value
    return (value.decode("latin-1") if isinstance(value, bytes) else str(value)).rstrip("\0 ")


def _plain(key: str) -> str:
    return re.sub(r"[^a-z]", "", key.lower())


def _day(attributes: Mapping[str, str], *keys: str) -> dt.date | None:
    for key in keys:
        match = re.match(r"(\d{4})-(\d\d)-(\d\d)", attributes.get(key, ""))
        if match:
            try:
                return dt.date(int(match[1]), int(match[2]), int(match[3]))
            except ValueError:
                continue
    return None


def _of_tile(path: Path, name: str, shape: tuple[int, ...]) -> GeoBox:
    """The pixels of a whole tile, by the tile in the file's name."""
    match = TILE_IN_NAME.search(path.name)
    if match is None or tuple(shape) not in [(n, n) for n in WHOLE_TILES]:
        what = f"states no place for its {shape} pixels: it has no StructMetadata, and its name no whole tile"
        raise GranuleError(path, what, layer=name, remedy="give it the name of the archive, or download it again")
    h, v = int(match[1]), int(match[2])
    pixel = TILE_SIDE / shape[0]
    affine = Affine(pixel, 0.0, LEFT + h * TILE_SIDE, 0.0, -pixel, TOP - v * TILE_SIDE)
    return GeoBox((shape[0], shape[1]), affine, SINUSOIDAL)
