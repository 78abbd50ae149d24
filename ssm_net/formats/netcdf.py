"""A mosaic day as a CF-1.11 NetCDF-4 file."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pyproj
import xarray as xr

from ssm_net.formats.product import FILL, SCALE, STANDARD_NAME, UNITS, UPPER, Attribute, Flag, Mosaic, pack, unpack
from ssm_net.grid import Domain, Grid

EPOCH = dt.date(2000, 1, 1)
CHUNK = 288  # pixels: a basin is read without the rest of the country, a day without thousands of small reads


def encode(mosaic: Mosaic) -> bytes:
    """The bytes of the file; the same mosaic gives the same bytes.

    They are made in memory (a national day is about 50 MB packed) so that a full disk or a killed run can never
    leave HDF5 with a file half closed.
    """
    dataset = as_dataset(mosaic)
    rows, cols = mosaic.domain.fine_shape
    storage = {
        "zlib": True,
        "complevel": 4,
        "shuffle": True,
        "chunksizes": (1, min(rows, CHUNK), min(cols, CHUNK)),
    }
    encoding: dict[str, dict] = {name: storage for name in ("ssm", "ssm_uncertainty", "flags")}
    # xarray gives every float a fill value; CF has none on coordinates.
    encoding |= {name: {"_FillValue": None} for name in ("y", "x", "lat", "lon")}
    return bytes(dataset.to_netcdf(engine="h5netcdf", format="NETCDF4", encoding=encoding))


def as_dataset(mosaic: Mosaic) -> xr.Dataset:
    """The packed variables, coordinates and attributes as they stand in the file."""
    dims = ("time", "y", "x")
    data = {
        "ssm": (dims, pack(mosaic.ssm)[None], SSM),
        "ssm_uncertainty": (dims, pack(mosaic.sigma)[None], UNCERTAINTY),
        "flags": (dims, mosaic.flags[None], FLAGS),
        "crs": ((), np.int32(0), grid_mapping(mosaic.domain)),
    }
    return xr.Dataset(data, coordinates(mosaic.domain, mosaic.day), global_attributes(mosaic))


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
    **_PACKED,
}
UNCERTAINTY = {
    "standard_name": f"{STANDARD_NAME} standard_error",
    "long_name": "standard error of volumetric soil moisture",
    **_PACKED,
}
FLAGS = {
    "standard_name": "status_flag",
    "long_name": "lineage of the soil moisture of a pixel",
    "flag_masks": np.array([int(flag) for flag in Flag], np.uint16),
    "flag_meanings": " ".join(str(flag.name).lower() for flag in Flag),
    "valid_range": np.array([0, sum(Flag)], np.uint16),
    "grid_mapping": "crs",
    "coordinates": "lat lon",
}


def coordinates(domain: Domain, *days: dt.date) -> dict[str, tuple]:
    """Days, projected metres and, for people, degrees (one a row and one a column: the projection is cylindrical)."""
    lon, lat = domain.lonlat()
    y, x = (np.asarray(domain.fine.coordinates[d].values) for d in domain.fine.dims)
    time = {
        "standard_name": "time",
        "long_name": "day of the night overpass, about 01:30 local solar time",
        "units": f"days since {EPOCH} 00:00:00",
        "units_metadata": "leap_seconds: none",
        "calendar": "standard",
        "axis": "T",
    }
    return {
        "time": ("time", np.array([(day - EPOCH).days for day in days], np.int32), time),
        "y": ("y", y, _axis("projection_y_coordinate", "y", "m", "Y")),
        "x": ("x", x, _axis("projection_x_coordinate", "x", "m", "X")),
        "lat": ("y", lat, {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"}),
        "lon": ("x", lon, {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"}),
    }


def _axis(standard_name: str, name: str, units: str, axis: str) -> dict[str, str]:
    return {"standard_name": standard_name, "long_name": f"{name} of the pixel centre", "units": units, "axis": axis}


def grid_mapping(domain: Domain) -> dict[str, Attribute]:
    """CF grid mapping, and the two attributes from which GDAL and QGIS place the file."""
    crs = pyproj.CRS.from_user_input(domain.grid.crs)
    attrs = dict(crs.to_cf())
    attrs["spatial_ref"] = attrs["crs_wkt"]
    attrs["GeoTransform"] = " ".join(repr(float(v)) for v in domain.fine.affine.to_gdal())
    return attrs


def global_attributes(mosaic: Mosaic) -> dict[str, Attribute | list[int]]:
    domain = mosaic.domain
    west, south, east, north = domain.bounds_lonlat()
    own: dict[str, Attribute | list[int]] = {
        "Conventions": "CF-1.11",
        "title": f"Daily 1 km surface soil moisture, {domain.name}, {mosaic.day}",
        "summary": (
            "Surface soil moisture (top 5 cm) on the 1 km EASE-Grid 2.0 nested in the 36 km grid of the passive "
            "microwave observations, in all weather, with the standard error and the lineage of each pixel. The day "
            "is that of the night overpass, about 01:30 local solar time."
        ),
        "source": "passive microwave soil moisture downscaled with optical and thermal imagery by ssm_net",
        "references": "Song et al. (2022), Earth Syst. Sci. Data, 14, 2613-2637, doi:10.5194/essd-14-2613-2022",
        "geospatial_lon_min": west,
        "geospatial_lon_max": east,
        "geospatial_lat_min": south,
        "geospatial_lat_max": north,
        "domain": domain.name,
        "domain_window": list(domain.window),
        "coarse_grid": json.dumps(asdict(domain.grid)),
    }
    return own | mosaic.attrs


def decode(path: Path) -> Mosaic:
    """The mosaic of a file written by ``encode``. Raises ``FileNotFoundError``, or ``ValueError`` if it is not one."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such mosaic; infer.py writes it")
    try:
        with xr.open_dataset(path, engine="h5netcdf", mask_and_scale=False, decode_times=False) as dataset:
            dataset.load()
    except (OSError, ValueError) as err:
        raise not_a_mosaic(path, err) from err
    return decode_dataset(dataset, path)


def attributes(path: Path) -> dict[str, Any]:
    """The global attributes alone. Raises ``ValueError`` where the file is not a mosaic."""
    try:
        with h5netcdf.File(path, "r") as file:
            return dict(file.attrs)
    except OSError as err:
        raise not_a_mosaic(path, err) from err


def decode_dataset(dataset: xr.Dataset, path: Path) -> Mosaic:
    """The mosaic of one packed day as ``as_dataset`` makes it; ``path`` is for the message of the ``ValueError``."""
    try:
        if dataset.sizes["time"] != 1:
            raise ValueError(f"{dataset.sizes['time']} days where there should be one")
        r0, r1, c0, c1 = (int(v) for v in dataset.attrs["domain_window"])
        grid = Grid(**json.loads(dataset.attrs["coarse_grid"]))
        mosaic = Mosaic(
            day=EPOCH + dt.timedelta(int(dataset["time"].item())),
            domain=Domain(dataset.attrs["domain"], (r0, r1, c0, c1), grid),
            ssm=unpack(dataset["ssm"].values[0]),
            sigma=unpack(dataset["ssm_uncertainty"].values[0]),
            flags=dataset["flags"].values[0],
        )
    except (KeyError, ValueError) as err:
        raise not_a_mosaic(path, err) from err
    own = global_attributes(mosaic)
    for key, value in dataset.attrs.items():
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, str | int | float) and own.get(key) != value:
            mosaic.attrs[key] = value
    return mosaic


def not_a_mosaic(path: Path, err: Exception) -> ValueError:
    return ValueError(f"{path}: not a daily mosaic of ssm_net ({err}); remove it and run infer.py again")
