"""Writers of NetCDF and GeoTIFF files of a world: coarse soil moisture, rain, reanalysis, static maps."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from pyproj import Transformer
from rasterio.transform import from_origin
from scipy.ndimage import map_coordinates

from ssm_net.dateline import HALF_TURN
from ssm_net.grid import Domain
from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.observe import RainGrid

STATIC_STEP = 1 / 120  # degrees, 30 seconds of arc


def _save(ds: xr.Dataset, path: Path, encoding: dict) -> None:
    part = path.with_name(path.name + ".part")
    ds.to_netcdf(part, engine="h5netcdf", encoding=encoding)
    os.replace(part, path)


def write_nnsm(path: Path, domain: Domain, ssm: Array) -> None:
    """Global M36 grid like a file of the NNsm archive: three variables, no projection, NaN where nothing was retrieved.

    ``ssm`` is (R, C) of the domain, m3 m-3.
    """
    grid = domain.grid
    r0, r1, c0, c1 = domain.window
    globe = np.full((grid.rows, grid.cols), np.nan, np.float32)
    globe[r0:r1, np.arange(c0, c1) % grid.cols] = ssm
    to_deg = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    x = grid.left + (np.arange(grid.cols) + 0.5) * grid.cell
    y = grid.top - (np.arange(grid.rows) + 0.5) * grid.cell
    lon, lat = to_deg.transform(x, 0 * x)[0], to_deg.transform(0 * y, y)[1]
    ds = xr.Dataset(
        {
            "soil_moisture": (
                ("latitude", "longitude"),
                globe,
                {"units": "m3 m-3", "long_name": "surface soil moisture"},
            )
        },
        {
            "latitude": ("latitude", lat.astype(np.float32), {"units": "degrees_north"}),
            "longitude": ("longitude", lon.astype(np.float32), {"units": "degrees_east"}),
        },
    )
    _save(ds, path, {"soil_moisture": {"zlib": True, "complevel": 1, "_FillValue": np.float32(np.nan)}})


def write_rain(path: Path, grid: RainGrid, rain: Array, begin: dt.datetime, end: dt.datetime) -> None:
    """Rain on a latitude-longitude grid, mm between ``begin`` and ``end`` (UTC), which are the bounds of its time."""
    epoch = dt.datetime(1970, 1, 1)
    bounds = np.array([[(t - epoch).total_seconds() for t in (begin, end)]])
    units = {"units": "seconds since 1970-01-01 00:00:00", "calendar": "standard"}
    ds = xr.Dataset(
        {
            "precipitation": (
                ("time", "lat", "lon"),
                rain[None],
                {"units": "mm", "long_name": "accumulated precipitation", "cell_methods": "time: sum"},
            ),
            "time_bnds": (("time", "nv"), bounds),
        },
        {
            "time": ("time", bounds[:, 1], {**units, "bounds": "time_bnds", "standard_name": "time"}),
            "lat": ("lat", grid.lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", grid.lon, {"units": "degrees_east", "standard_name": "longitude"}),
        },
        {"Conventions": "CF-1.11", "title": "synthetic daily precipitation"},
    )
    packed = {"zlib": True, "complevel": 1, "_FillValue": np.float32(-9999)}
    _save(ds, path, {"precipitation": packed, "time_bnds": {"_FillValue": None}, "time": {"_FillValue": None}})


def write_reanalysis(path: Path, grid: RainGrid, day: dt.date, air: Array, sun: Array) -> None:
    """A UTC day of ERA5-Land: hourly ``air`` (24, lat, lon) K at 2 m and ``sun``, J m-2 since 00 UTC."""
    time = np.arange(24) * 3600.0 + (day - dt.date(1970, 1, 1)).days * 86400.0
    dims = ("valid_time", "latitude", "longitude")
    ds = xr.Dataset(
        {
            "t2m": (dims, air, {"units": "K", "long_name": "2 metre temperature"}),
            "ssrd": (dims, sun, {"units": "J m**-2", "long_name": "Surface short-wave (solar) radiation downwards"}),
        },
        {
            "valid_time": ("valid_time", time, {"units": "seconds since 1970-01-01", "standard_name": "time"}),
            "latitude": ("latitude", grid.lat, {"units": "degrees_north", "standard_name": "latitude"}),
            "longitude": ("longitude", grid.lon, {"units": "degrees_east", "standard_name": "longitude"}),
        },
        {"Conventions": "CF-1.7", "title": "synthetic hourly reanalysis"},
    )
    packed = {"zlib": True, "complevel": 1, "_FillValue": np.float32(np.nan), "dtype": "float32"}
    _save(ds, path, {"t2m": packed, "ssrd": packed, "valid_time": {"_FillValue": None}})


def write_static_map(path: Path, domain: Domain, field: Array, units: str) -> None:
    """A fine field as a GeoTIFF in EPSG:4326, 30 seconds of arc, a little wider than the domain (edges held)."""
    west, south, east, north = domain.bounds_lonlat()
    left = np.floor(west / STATIC_STEP - 4) * STATIC_STEP
    top = np.ceil(north / STATIC_STEP + 4) * STATIC_STEP
    cols = int(np.ceil((east - left) / STATIC_STEP)) + 4
    rows = int(np.ceil((top - south) / STATIC_STEP)) + 4
    lon = left + (np.arange(cols) + 0.5) * STATIC_STEP
    lat = top - (np.arange(rows) + 0.5) * STATIC_STEP
    to_xy = Transformer.from_crs("EPSG:4326", domain.grid.crs, always_xy=True)
    box = domain.fine.boundingbox
    x = (to_xy.transform(lon, 0 * lon)[0] + 2 * HALF_TURN * (lon > 180) - box.left) / domain.grid.pixel - 0.5
    y = (box.top - to_xy.transform(0 * lat, lat)[1]) / domain.grid.pixel - 0.5
    value = map_coordinates(field, np.meshgrid(y, x, indexing="ij"), order=1, mode="nearest", output=np.float32)
    part = path.with_name(path.name + ".part")
    with rasterio.open(
        part,
        "w",
        driver="GTiff",
        height=rows,
        width=cols,
        count=1,
        dtype="float32",
        crs="EPSG:4326",
        transform=from_origin(left, top, STATIC_STEP, STATIC_STEP),
        nodata=-9999.0,
        compress="deflate",
        predictor=3,
        tiled=True,
    ) as dst:
        dst.write(value, 1)
        dst.update_tags(1, units=units)
    os.replace(part, path)
