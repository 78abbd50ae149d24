"""All mosaics of a folder as one lazy xarray dataset, whatever their file format.

xarray's own ``open_mfdataset`` needs dask and opens every variable of every file; here a day's file is opened when one
of its pixels is read, by a lazily indexed array of xarray's backend interface.
Source: xarray documentation, "How to add a new backend", section on lazy loading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from ssm_net.formats.attributes import title_and_time
from ssm_net.formats.geotiff import geotiff_attributes, geotiff_layout, read_geotiff_window
from ssm_net.formats.mosaic_days import day_path
from ssm_net.formats.mosaic_folder import MosaicFolder, find_mosaics
from ssm_net.formats.netcdf import netcdf_attributes, netcdf_layout, read_netcdf_window, time_coordinate
from ssm_net.formats.product import CELL_ERROR_ATTRIBUTES, DAILY_VARIABLES, MosaicError
from ssm_net.formats.zarr_store import read_zarr_window, zarr_day_attributes, zarr_layout, zarr_places

# read(path, place of the day in the file, variable, rows, columns): packed pixels (rows, columns)
ReadWindow = Callable[[Path, int, str, slice, slice], np.ndarray]
READ_WINDOW: dict[str, ReadWindow] = {
    "netcdf": read_netcdf_window, "cog": read_geotiff_window, "zarr": read_zarr_window,
}  # fmt: skip
READ_LAYOUT = {"netcdf": netcdf_layout, "cog": geotiff_layout, "zarr": zarr_layout}
DAILY_COORDINATES: dict[str, tuple[type, int | str | float]] = {  # type of the array, value where a file names none
    "revision": (int, 1),
    "coarse_sources": (object, ""),
    **{name: (float, np.nan) for name in CELL_ERROR_ATTRIBUTES},
}
GRID_ATTRIBUTES = ("domain_window", "coarse_grid", "grid")  # equal in all days of a dataset
# Of a file, or of a variable of the dataset.
FILE_ATTRIBUTES = ("title", "id", "day", "grid", "flag_masks", "flag_meanings", "colour_table")


def open_mosaics(
    folder: str | PathLike[str],
    domain: str | None = None,
    *,
    format: str | None = None,
    chunks: Mapping[str, int] | None = None,
) -> xr.Dataset:
    """All complete days of a folder of mosaics as one dataset, of which pixels are read only when they are used.

    ``ssm`` and ``ssm_uncertainty`` are float32 in m3 m-3 with NaN where masked, ``flags`` uint16 with CF ``flag_masks``
    and ``flag_meanings`` (0 outside the domain of a GeoTIFF). NetCDF and Zarr have dimensions (time, y, x) on the
    1 km grid, with ``lat(y)`` and ``lon(x)`` in degrees, by which pixels may be selected as well; GeoTIFFs have
    (time, lat, lon). ``crs`` is the CF grid mapping. ``revision(time)`` and ``coarse_sources(time)`` are the revision
    of each day and the radiometers that observed it, where the files name them. Attributes are those that all days
    share; others remain in the files alone. ``uncertainty_cell_observed`` and ``uncertainty_cell_gap`` (time) are the
    fractions of the variance that the pixels of a cell share, where the files name them (docs/extract.md).

    Nothing is kept in memory: reading twice reads the files twice, unless ``load()`` is called. A time series at a
    point reads one chunk of each file. ``chunks={}`` gives dask arrays of a day a chunk, ``chunks={"x": 720}`` smaller
    ones (needs dask).

    ``domain`` (a name) and ``format`` (netcdf, cog or zarr) are needed only where the folder holds several.

        series = ssm_net.open_mosaics("mosaics")
        series.ssm.sel(time="2016-06-07").plot()
        series.ssm.sel(lat=39.8, lon=110.2, method="nearest").plot()

    Raises ``MosaicError`` where the folder holds no complete day, or several domains or formats with none chosen, or
    where its days lie on different grids or a file is damaged (also later, when its pixels are read).
    """
    mosaics = find_mosaics(Path(folder), domain, format)
    files = mosaic_files(mosaics)
    attributes_by_day = daily_attributes(mosaics, [path for path, _ in files])
    layout, read_window = READ_LAYOUT[mosaics.format](files[0][0]), READ_WINDOW[mosaics.format]
    variables = {}
    for name in DAILY_VARIABLES:
        packed, readers = layout[name].variable, [partial(read_window, path, place, name) for path, place in files]
        values = indexing.LazilyIndexedArray(DailyArray(readers, packed.shape[1:], packed.dtype))
        variables[name] = xr.Variable(packed.dims, values, packed.attrs)
    variables |= {str(name): packed for name, packed in layout.drop_vars(DAILY_VARIABLES).variables.items()}
    variables["time"] = xr.Variable(*time_coordinate(mosaics.days))
    of_days = {key for attributes in attributes_by_day for key in attributes}
    attrs = {
        **{key: value for key, value in layout.attrs.items() if key not in of_days and key not in FILE_ATTRIBUTES},
        **_shared_attributes(mosaics, attributes_by_day),
        **title_and_time(mosaics.domain_name, mosaics.days[0], mosaics.days[-1]),
    }
    dataset = xr.decode_cf(xr.Dataset(variables, attrs=attrs)).set_coords("crs")
    dataset = dataset.assign_coords(_daily_coordinates(attributes_by_day))
    for name in ("lat", "lon"):  # so that sel(lat=..., lon=...) works on the projected grid too
        dataset = dataset if name in dataset.xindexes else dataset.set_xindex(name)
    return dataset if chunks is None else dataset.chunk({"time": 1, **chunks})


class DailyArray(BackendArray):
    """A packed variable of all days, (days, rows, columns), of which only the indexed pixels are read.

    ``readers`` has one function a day, from a slice of rows and one of columns to packed pixels.
    """

    def __init__(
        self,
        readers: Sequence[Callable[[slice, slice], np.ndarray]],
        day_shape: tuple[int, ...],
        dtype: np.dtype,
    ) -> None:
        self.readers = readers
        self.shape = (len(readers), *day_shape)
        self.dtype = dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, Any, Any]) -> np.ndarray:
        """Pixels of an outer index: an integer, a slice with a positive step or an array for each dimension."""
        days, *lines = (np.arange(size)[part] for part, size in zip(key, self.shape, strict=True))
        (rows, row_index), (cols, col_index) = map(_bounds, key[1:], lines)
        pixels = np.empty((*days.shape, *lines[0].shape, *lines[1].shape), self.dtype)
        by_day = pixels.reshape(days.size, *pixels.shape[days.ndim :])
        for i, day in enumerate(days.ravel().tolist()):
            by_day[i] = self.readers[day](rows, cols)[row_index][..., col_index]
        return pixels


def _bounds(key: int | slice | np.ndarray, indices: np.ndarray) -> tuple[slice, int | slice | np.ndarray]:
    """The smallest slice that covers the ``indices`` of ``key``, and the key counted from the start of that slice."""
    if indices.size == 0:
        return slice(0, 0), slice(0, 0)
    start, stop = int(indices.min()), int(indices.max()) + 1
    return slice(start, stop), slice(None, None, key.step) if isinstance(key, slice) else indices - start


def mosaic_files(mosaics: MosaicFolder) -> list[tuple[Path, int]]:
    """The file or store of each day, and the day's place in it."""
    paths = [day_path(mosaics.folder, mosaics.domain_name, day, mosaics.format) for day in mosaics.days]
    if mosaics.format != "zarr":
        return [(path, 0) for path in paths]
    places = zarr_places(paths[0])
    return [(path, places[day]) for path, day in zip(paths, mosaics.days, strict=True)]


def daily_attributes(mosaics: MosaicFolder, paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The attributes of each day, as its file or its status in the store has them."""
    if mosaics.format == "zarr":
        return [zarr_day_attributes(path, day) for path, day in zip(paths, mosaics.days, strict=True)]
    read_attributes = netcdf_attributes if mosaics.format == "netcdf" else geotiff_attributes
    return [read_attributes(path) for path in paths]


def _shared_attributes(mosaics: MosaicFolder, attributes_by_day: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The attributes on which all days agree. Raises ``MosaicError`` where days lie on different grids."""
    first = attributes_by_day[0]
    shared = {key: value for key, value in first.items() if key not in DAILY_COORDINATES}
    for day, attributes in zip(mosaics.days, attributes_by_day, strict=True):
        for key in [key for key, value in shared.items() if value != attributes.get(key)]:
            if key in GRID_ATTRIBUTES:
                path = day_path(mosaics.folder, mosaics.domain_name, day, mosaics.format)
                raise MosaicError(
                    f"{path} lies on another grid ({key}={attributes.get(key)}) than the first day of its folder "
                    f"({key}={first[key]}): keep the mosaics of each domain in a folder of their own"
                )
            del shared[key]
    return {key: value for key, value in shared.items() if key not in FILE_ATTRIBUTES}


def _daily_coordinates(attributes_by_day: Sequence[dict[str, Any]]) -> dict[str, tuple[str, np.ndarray]]:
    """The attributes that belong to a single day as coordinates along time, where any day has them."""
    return {
        name: ("time", np.array([attributes.get(name, missing) for attributes in attributes_by_day]).astype(dtype))
        for name, (dtype, missing) in DAILY_COORDINATES.items()
        if any(name in attributes for attributes in attributes_by_day)
    }
