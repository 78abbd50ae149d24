"""The mosaic of a day as a CF-1.11 NetCDF-4 file."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyproj
import xarray as xr
from affine import Affine

from ssm_net.dateline import wrapped
from ssm_net.formats.attributes import global_attributes
from ssm_net.formats.product import (
    DAILY_VARIABLES,
    FILL,
    SCALE,
    STANDARD_NAME,
    UNITS,
    UPPER,
    Attribute,
    Flag,
    Mosaic,
    MosaicError,
    pack,
    unpack,
)
from ssm_net.grid import Domain, Grid

CF_EPOCH = dt.date(2000, 1, 1)
NETCDF_CHUNK = 288  # pixels a side: a basin is read without the rest of the country, a day in few reads


def encode_netcdf(mosaic: Mosaic) -> bytes:
    """The bytes of the file; the same mosaic gives the same bytes.

    The file is built in memory (a national day is about 50 MB packed), so that a full disk or a killed run never
    leaves a half-written HDF5 file.
    """
    dataset = as_dataset(mosaic)
    rows, cols = mosaic.domain.fine_shape
    storage = {
        "zlib": True,
        "complevel": 4,
        "shuffle": True,
        "chunksizes": (1, min(rows, NETCDF_CHUNK), min(cols, NETCDF_CHUNK)),
    }
    encoding: dict[str, dict] = {name: storage for name in DAILY_VARIABLES}
    # xarray gives every float a fill value; CF has none on coordinates.
    encoding |= {name: {"_FillValue": None} for name in ("y", "x", "lat", "lon")}
    return bytes(dataset.to_netcdf(engine="h5netcdf", format="NETCDF4", encoding=encoding))


def as_dataset(mosaic: Mosaic) -> xr.Dataset:
    """The packed variables, coordinates and attributes as they stand in the file."""
    dims = ("time", "y", "x")
    data = {
        "ssm": (dims, pack(mosaic.ssm)[None], SSM),
        "ssm_uncertainty": (dims, pack(mosaic.sigma)[None], UNCERTAINTY_VARIABLE),
        "flags": (dims, mosaic.flags[None], FLAGS),
        "crs": ((), np.int32(0), grid_mapping(mosaic.domain.grid.crs, mosaic.domain.fine.affine)),
    }
    return xr.Dataset(data, cf_coordinates(mosaic.domain, mosaic.day), global_attributes(mosaic))


_PACKED = {
    "units": UNITS,
    "scale_factor": SCALE,
    "add_offset": np.float32(0),
    "_FillValue": FILL,
    "valid_min": np.int16(0),
    "valid_max": np.int16(round(UPPER / float(SCALE))),
    "grid_mapping": "crs",
    "coordinates": "lat lon",
    "cell_methods": "time: point area: mean",
}
SSM = {
    "standard_name": STANDARD_NAME,
    "long_name": "volumetric soil moisture of the top 5 cm",
    "ancillary_variables": "ssm_uncertainty flags",
    "coverage_content_type": "modelResult",
    **_PACKED,
}
UNCERTAINTY_VARIABLE = {
    "standard_name": f"{STANDARD_NAME} standard_error",
    "long_name": "standard error of volumetric soil moisture",
    "coverage_content_type": "qualityInformation",
    **_PACKED,
}
FLAGS = {
    "standard_name": "status_flag",
    "long_name": "quality flags of the soil moisture of a pixel",
    "coverage_content_type": "qualityInformation",
    "flag_masks": np.array([int(flag) for flag in Flag], np.uint16),
    "flag_meanings": " ".join(str(flag.name).lower() for flag in Flag),
    "valid_range": np.array([0, sum(Flag)], np.uint16),
    "grid_mapping": "crs",
    "coordinates": "lat lon",
}


DAILY_ATTRIBUTES: dict[str, dict[str, Any]] = dict(
    zip(DAILY_VARIABLES, (SSM, UNCERTAINTY_VARIABLE, FLAGS), strict=True)
)
_COORDINATE = {"coverage_content_type": "coordinate"}
LATITUDE = {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north", **_COORDINATE}
LONGITUDE = {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east", **_COORDINATE}


def cf_coordinates(domain: Domain, *days: dt.date) -> dict[str, tuple]:
    """Days, projected metres and degrees (one a row and one a column: the projection is cylindrical)."""
    lon, lat = domain.lonlat()
    y, x = (np.asarray(domain.fine.coordinates[d].values) for d in domain.fine.dims)
    return {
        "time": time_coordinate(days),
        "y": ("y", y, _axis("projection_y_coordinate", "y", "m", "Y")),
        "x": ("x", x, _axis("projection_x_coordinate", "x", "m", "X")),
        "lat": ("y", lat, LATITUDE),
        "lon": ("x", wrapped(lon), LONGITUDE),
    }


def time_coordinate(days: Sequence[dt.date]) -> tuple[str, np.ndarray, dict[str, str]]:
    """The packed CF time axis of ``days``."""
    attrs = {
        "standard_name": "time",
        "long_name": "day of the night overpass, about 01:30 local solar time",
        "units": f"days since {CF_EPOCH} 00:00:00",
        "units_metadata": "leap_seconds: none",
        "calendar": "standard",
        "axis": "T",
        **_COORDINATE,
    }
    return "time", np.array([(day - CF_EPOCH).days for day in days], np.int32), attrs


def _axis(standard_name: str, name: str, units: str, axis: str) -> dict[str, str]:
    attrs = {"standard_name": standard_name, "long_name": f"{name} of the pixel centre", "units": units, "axis": axis}
    return attrs | _COORDINATE


def grid_mapping(crs: str, affine: Affine) -> dict[str, Attribute]:
    """CF grid mapping of ``crs``, and the two attributes from which GDAL and QGIS place the pixels."""
    attrs = dict(pyproj.CRS.from_user_input(crs).to_cf())
    attrs["spatial_ref"] = attrs["crs_wkt"]
    attrs["GeoTransform"] = " ".join(repr(float(v)) for v in affine.to_gdal())
    attrs["coverage_content_type"] = "referenceInformation"
    return attrs


def decode_netcdf(path: Path) -> Mosaic:
    """The mosaic of a file that ``encode_netcdf`` made. Raises ``FileNotFoundError``, or ``MosaicError`` for others."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such mosaic; infer.py writes it")
    try:
        with xr.open_dataset(path, engine="h5netcdf", mask_and_scale=False, decode_times=False) as dataset:
            dataset.load()
    except (OSError, ValueError) as err:
        raise not_a_mosaic(path, err) from err
    return decode_dataset(dataset, path)


def netcdf_attributes(path: Path) -> dict[str, Any]:
    """The global attributes alone, as plain text, numbers and lists.

    Raises ``MosaicError`` where it is not a NetCDF-4 file.
    """
    try:
        with h5py.File(path, "r") as file:  # three times as fast as h5netcdf: a record has thousands of files
            attrs = {key: value for key, value in file.attrs.items() if not key.startswith("_")}
    except OSError as err:
        raise not_a_mosaic(path, err) from err
    return {key: _plain(value) for key, value in attrs.items()}


def _plain(value: Any) -> Any:
    """HDF5 has arrays alone: one of one element is a number."""
    if isinstance(value, np.ndarray | np.generic):
        return value.item() if value.size == 1 else value.tolist()
    return value


def netcdf_layout(path: Path) -> xr.Dataset:
    """A file's packed dataset without its day: variables of no days and coordinates, without global attributes."""
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_cf=False) as dataset:
            return dataset.isel(time=slice(0, 0)).drop_attrs(deep=False).load()
    except (OSError, ValueError) as err:
        raise not_a_mosaic(path, err) from err


def read_netcdf_window(path: Path, place: int, name: str, rows: slice, cols: slice) -> np.ndarray:
    """Packed pixels (rows, cols) of the variable ``name``; ``place`` counts the days of the file.

    Raises ``MosaicError`` where the file is damaged or lacks the variable.
    """
    try:
        with h5py.File(path, "r") as file:
            return np.asarray(file[name][place, rows, cols])
    except (OSError, KeyError) as err:
        raise not_a_mosaic(path, err) from err


def decode_dataset(dataset: xr.Dataset, path: Path) -> Mosaic:
    """The mosaic of one packed day as ``as_dataset`` makes it; ``path`` is for the message of the ``MosaicError``."""
    try:
        if dataset.sizes["time"] != 1:
            raise MosaicError(f"{dataset.sizes['time']} days where there should be one")
        r0, r1, c0, c1 = (int(v) for v in dataset.attrs["domain_window"])
        grid = Grid(**json.loads(dataset.attrs["coarse_grid"]))
        mosaic = Mosaic(
            day=CF_EPOCH + dt.timedelta(int(dataset["time"].item())),
            domain=Domain(dataset.attrs["domain"], (r0, r1, c0, c1), grid),
            ssm=unpack(dataset["ssm"].values[0]),
            sigma=unpack(dataset["ssm_uncertainty"].values[0]),
            flags=dataset["flags"].values[0],
        )
    except (KeyError, ValueError) as err:
        raise not_a_mosaic(path, err) from err
    described = global_attributes(mosaic)
    for key, value in dataset.attrs.items():
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, str | int | float) and described.get(key) != value:
            mosaic.attrs[key] = value
    return mosaic


def not_a_mosaic(path: Path, err: Exception) -> MosaicError:
    """The error of a file or store that is no mosaic of ours, or is damaged; to be raised from ``err``."""
    return MosaicError(f"{path}: not a daily mosaic of ssm_net ({err}); remove it and run infer.py again")
