"""A file of EOS grids, whatever its format: HDF4-EOS (MODIS), HDF-EOS5 (VIIRS), or a crop of either as NetCDF.

The readers of LST and reflectance know layers by their names and pixels by their places; which library reads them is
decided here, by the first bytes of the file.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from odc.geo.geobox import GeoBox

from ssm_net.ingest import eos_crop, eos_hdf5, hdf4_apart, signature
from ssm_net.ingest.eos_metadata import Identity, geobox_of, grids_of, identity_of_hdf4
from ssm_net.ingest.raster import GranuleError

HDF5_ENDINGS = (".h5", ".he5", ".hdf5", ".nc", ".nc4")


class EosFile(Protocol):
    """An open file of layers on grids. Its methods raise ``GranuleError`` where the file is damaged."""

    def find(self, names: Sequence[str], *, quality: bool = False) -> str | None:
        """The name in the file of the first of ``names`` that it holds; None where it holds none. A layer of
        ``quality`` may lie in another file of the same crop."""
        ...

    def geobox(self, name: str) -> GeoBox:
        """The pixels of a layer that was found."""
        ...

    def window(self, name: str, rows: slice, cols: slice) -> tuple[np.ndarray, Mapping[str, Any]]:
        """The stored numbers of a layer in some rows and columns of its pixels, and its attributes."""
        ...


@dataclass(frozen=True)
class _Hdf4Eos:
    path: Path
    file: hdf4_apart.Hdf4File

    def find(self, names: Sequence[str], *, quality: bool = False) -> str | None:
        name = hdf4_apart.first_layer(self.file, names)
        if name is None:
            require_undescribed(self.path, names)
        return name

    def geobox(self, name: str) -> GeoBox:
        return geobox_of(self.path, grids_of(self.path), name)

    def window(self, name: str, rows: slice, cols: slice) -> tuple[np.ndarray, Mapping[str, Any]]:
        return hdf4_apart.read_window(self.path, self.file, name, self.geobox(name).shape, (rows, cols))


def require_undescribed(path: Path, names: Sequence[str]) -> None:
    """Raise ``GranuleError`` where the file's own description has a layer of ``names`` that is not to be found in it: a
    damaged byte in its directory hides it."""
    described = {layer for grid in grids_of(path) for layer in grid.layers}
    for name in names:
        if name in described:
            raise GranuleError(path, "is described in the file and not found in it: its directory is damaged",
                               layer=name)  # fmt: skip


@contextmanager
def open_eos(path: Path, day: dt.date | None = None) -> Iterator[EosFile]:
    """A file, open; of a crop that holds many days, ``day``.

    Raises ``GranuleError`` where it is missing, of another format, damaged, or a crop that lacks ``day``; and
    ``ImportError`` where it is HDF4 and pyhdf is not installed.
    """
    if not _is_netcdf_or_hdf5(path):
        with hdf4_apart.open_hdf4(path) as sd:
            yield _Hdf4Eos(path, sd)
    elif eos_hdf5.is_eos(path):
        with eos_hdf5.open_eos5(path) as eos5:
            yield eos5
    else:
        with eos_crop.open_crop(path, day) as crop:
            yield crop


def is_crop(path: Path) -> bool:
    """Whether a file is a NetCDF crop, not a granule of the archive. Raises ``GranuleError``."""
    return _is_netcdf_or_hdf5(path) and not eos_hdf5.is_eos(path)


def identity(path: Path) -> Identity:
    """What a granule says of itself. Raises ``GranuleError``."""
    return eos_hdf5.identity(path) if _is_netcdf_or_hdf5(path) else identity_of_hdf4(path)


def _is_netcdf_or_hdf5(path: Path) -> bool:
    """Whether it has to be read as HDF5 or NetCDF. Raises ``GranuleError`` where its ending says so and it is neither,
    nor HDF4."""
    if path.suffix.lower() not in HDF5_ENDINGS or signature.kind_of(path) == signature.HDF4:
        return False
    signature.require(path, "an HDF5 or NetCDF file", signature.HDF5, signature.CLASSIC, signature.CDF5)
    return True
