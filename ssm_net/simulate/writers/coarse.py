"""Writers of coarse soil moisture in the native layouts of LPRM, AU_Land, SMAP (36 and 9 km) and SMOS-IC.

Each takes a retrieval on the coarse cells of a domain and samples it where the product has its own cells. Layouts: the
native LPRM file of AMSR2 and SMAP half orbit that the readers are tested on, and what the readers say of the others.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from pyproj import Transformer
from scipy.ndimage import map_coordinates

from ssm_net.grid import Domain
from ssm_net.simulate.world.fields import Array

CRS = "EPSG:6933"
LEFT, TOP = -17367530.4451615, 7314540.8306386  # m, of every global cylindrical EASE-Grid 2.0
SINCE_93, SINCE_2000 = dt.datetime(1993, 1, 1), dt.datetime(2000, 1, 1)
NOON_2000 = dt.datetime(2000, 1, 1, 12)
DISTURBED = 4  # degrees of longitude in 64 where transmitters spoil 6.9 and 7.3 GHz


@dataclass(frozen=True)
class Retrieval:
    """Soil moisture ``ssm`` (R, C) m3 m-3 on the coarse cells of ``domain``, NaN where nothing was retrieved, and the
    ``error`` that the product states; seen at the local solar ``hour`` of the day that each column is of: ``local``
    (C,) days after the day in the file's name."""

    domain: Domain
    ssm: Array
    error: float
    hour: float
    local: np.ndarray

    def at(self, lat: np.ndarray, lon: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Soil moisture at the crossings of ``lat`` and ``lon`` (degrees), (lat, lon) float32, and the hours (UTC) from
        the midnight of the file's day to its observation: linear between the middles of cells, the cell's own value
        beside one without; NaN outside the domain."""
        to_grid = Transformer.from_crs("EPSG:4326", CRS, always_xy=True)
        grid, (r0, _, c0, _) = self.domain.grid, self.domain.window
        row = (grid.top - to_grid.transform(np.zeros_like(lat), lat)[1]) / grid.cell - 0.5 - r0
        col = (to_grid.transform(lon, np.zeros_like(lon))[0] - grid.left) / grid.cell - 0.5 - c0
        where = np.meshgrid(row, col, indexing="ij")
        fine, near = (map_coordinates(self.ssm, where, order=n, mode="nearest") for n in (1, 0))
        rows, cols = self.domain.coarse_shape
        inside = np.outer(_between(row, rows), _between(col, cols))
        values = np.where(inside, np.where(np.isfinite(fine), fine, near), np.nan).astype(np.float32)
        local = self.local[np.clip(np.rint(col), 0, cols - 1).astype(int)]
        hours = np.where(np.isfinite(values), 24 * local + self.hour - lon / 15, np.nan)
        return values, hours

    def window(self, lat: np.ndarray, lon: np.ndarray) -> tuple[slice, slice]:
        """The rows and columns of ``lat`` and ``lon`` (degrees, evenly rising or falling) that may touch the domain."""
        west, south, east, north = self.domain.bounds_lonlat()
        return _span((lat >= south) & (lat <= north)), _span((lon >= west) & (lon <= east))


def write_lprm(path: Path, date: dt.date, seen: Retrieval) -> None:
    """A map of a UTC day like LPRM_AMSR2_D_SOILM3: percent, longitude x latitude, latitude descending. Strips of
    longitude are disturbed at 6.9 and 7.3 GHz, as ``frequency_map`` says."""
    lat, lon = np.arange(89.875, -90, -0.25), np.arange(-179.875, 180, 0.25)
    part = seen.window(lat, lon)
    ssm, hours = seen.at(lat[part[0]], lon[part[1]])
    disturbed = np.broadcast_to(lon[part[1]] % 64 < DISTURBED, ssm.shape)
    known = np.isfinite(ssm)
    bands = {"c1": np.where(disturbed, 0.55, ssm), "c2": np.where(disturbed, 0.6, ssm), "x": ssm}
    where = ("Longitude", "Latitude")
    layers: dict[str, Any] = {}

    def globe(values: np.ndarray, outside: float) -> np.ndarray:
        whole = np.full((lat.size, lon.size), outside, values.dtype)
        whole[part] = values
        return whole

    def add(name: str, values: np.ndarray, scale: float, units: str, long_name: str, fill: int = -32767) -> None:
        stored = np.where(known, np.rint(values / scale), fill).astype(np.int16)
        layers[name] = (where, globe(stored, fill).T, {
            "long_name": long_name, "units": units, "_FillValue": np.int16(fill), "scale_factor": np.float32(scale),
            "add_offset": np.float32(0)})  # fmt: skip

    add("ts", np.full(ssm.shape, 285.0), 0.1, "Kelvin", "Skin Temperature (2mm)")
    for band, frequency in {"c1": "6.9 GHZ", "c2": "7.3 GHz", "x": "10.7 GHz"}.items():
        add(f"soil_moisture_{band}", bands[band] * 100, 1.0, "percent", f"Volumetric Soil Moisture from {frequency}")
        add(f"opt_depth_{band}", np.full(ssm.shape, 0.3), 0.01, "", f"Optical Depth from {frequency}")
        add(f"soil_moisture_{band}_error", np.full(ssm.shape, seen.error), 0.01, "percent",
            f"Uncertainty of Soil Moisture in {frequency}")  # fmt: skip
    add("frequency_map", np.where(disturbed, 10.7, 6.9), 0.1, "GHz", "Frequency map", fill=-1)
    layers["mask"] = (where, globe(np.where(known, 0, 512).astype(np.int16), 512).T, {"long_name": "Bit Mask"})
    midnight = (dt.datetime.combine(date, dt.time()) - SINCE_93).total_seconds()
    layers["scantime"] = (where, globe(np.nan_to_num(midnight + 3600 * hours), 0).T, {
        "long_name": "Scan time", "units": "seconds since 1993-01-01 00:00:00", "_FillValue": 0.0})  # fmt: skip
    axes = {"Longitude": ("Longitude", lon.astype(np.float32), {"units": "degrees_east"}),
            "Latitude": ("Latitude", lat.astype(np.float32), {"units": "degrees_north"})}  # fmt: skip
    _save(path, xr.Dataset(layers, axes, {"Conventions": "CF-1.0"}))


def write_au_land(path: Path, date: dt.date, seen: Retrieval) -> None:
    """A half orbit like AU_Land: a table with a row for each 25 km cell of EASE-Grid in the swath."""
    grid = Transformer.from_crs("EPSG:4326", "EPSG:3410", always_xy=True)
    west, south, east, north = seen.domain.bounds_lonlat()
    x, y = grid.transform([west, east], [south, north])
    cell = 25067.525
    cols = np.arange(np.floor(x[0] / cell), np.ceil(x[1] / cell)) + 0.5
    rows = np.arange(np.floor(y[0] / cell), np.ceil(y[1] / cell))[::-1] + 0.5
    lon, lat = (grid.transform(*at, direction="INVERSE")[n] for n, at in enumerate(
        ((cols * cell, 0 * cols), (0 * rows, rows * cell))))  # fmt: skip
    ssm, hours = seen.at(np.asarray(lat), np.asarray(lon))
    row, col = np.nonzero(np.isfinite(ssm))
    names = ("Latitude", "Longitude", "SoilMoistureNPD", "SoilMoistureSCA")
    table = np.zeros(row.size, [("Time", "f8"), *((n, "f4") for n in names), ("RetrievalQualityFlagNPD", "i4"),
                                ("RetrievalQualityFlagSCA", "i4")])  # fmt: skip
    midnight = (dt.datetime.combine(date, dt.time()) - SINCE_93).total_seconds()
    table["Time"], table["Latitude"], table["Longitude"] = midnight + 3600 * hours[row, col], lat[row], lon[col]
    table["SoilMoistureSCA"] = ssm[row, col]
    table["SoilMoistureNPD"] = 0.12 + 0.2 * (ssm[row, col] - 0.12)

    def fill(file: h5py.File) -> None:
        file.create_group("HDFEOS INFORMATION")
        data = file.create_group("HDFEOS/POINTS/AMSR-2 Level 2 Land Data/Data")
        data.create_dataset("Combined NPD and SCA Output Fields", data=table, compression="gzip", compression_opts=1)

    _write(path, fill)


def write_smap(path: Path, date: dt.date, seen: Retrieval, finer: int = 1) -> None:
    """A map of a UTC day like SPL3SMP (36 km), or with ``finer`` 4 like SPL3SMP_E (9 km)."""
    grid = seen.domain.grid
    shape = grid.rows * finer, grid.cols * finer
    lat, lon = _centres(grid.cell / finer, *shape)
    r0, r1, c0, c1 = (n * finer for n in seen.domain.window)
    ssm, hours = seen.at(lat[r0:r1], lon[c0:c1])
    known = np.isfinite(ssm)
    since = (dt.datetime.combine(date, dt.time()) - NOON_2000).total_seconds()

    def fill(file: h5py.File) -> None:
        group = file.create_group("Soil_Moisture_Retrieval_Data_AM")

        def add(name: str, kind: str, missing: float, values: Any, **attributes: Any) -> None:
            layer = group.create_dataset(name, shape, kind, chunks=(58, 241), fillvalue=missing, compression="gzip",
                                         compression_opts=1)  # fmt: skip
            layer.attrs.update({"_FillValue": np.dtype(kind).type(missing), **attributes})
            layer[r0:r1, c0:c1] = np.where(known, values, missing)

        volume = {"units": "cm**3/cm**3", "valid_min": np.float32(0.02), "valid_max": np.float32(0.75)}
        add("soil_moisture", "f4", -9999.0, ssm, **volume)
        add("soil_moisture_error", "f4", -9999.0, seen.error, units="cm**3/cm**3")
        add("retrieval_qual_flag", "u2", 65534, 0)
        add("surface_flag", "u2", 65534, 0)
        add("tb_time_seconds", "f8", -9999.0, since + 3600 * hours, units="seconds")
        begin = f"{date}T00:00:00.000Z"
        file.create_group("Metadata/Extent").attrs["rangeBeginningDateTime"] = begin

    _write(path, fill)


def write_smos(path: Path, date: dt.date, seen: Retrieval) -> None:
    """A map of a UTC day like SMOS-IC (version 105): 25 km EASE-Grid 2.0, rows from south to north."""
    lat, lon = _centres(25025.26, 584, 1388)
    lat = lat[::-1]
    part = seen.window(lat, lon)
    ssm, hours = (np.full((lat.size, lon.size), np.nan, kind) for kind in (np.float32, np.float64))
    ssm[part], hours[part] = seen.at(lat[part[0]], lon[part[1]])
    known = np.isfinite(ssm)
    seconds = (dt.datetime.combine(date, dt.time()) - SINCE_2000).total_seconds() + 3600 * np.nan_to_num(hours)
    days = np.floor(seconds / 86400)
    layers = {
        "Soil_Moisture": (ssm, np.nan, {"units": "m3.m-3", "long_name": "Soil Moisture"}),
        "Soil_Moisture_StdError": (np.where(known, np.float32(seen.error), np.nan), np.nan, {"units": "m3.m-3"}),
        "Quality_Flag": (np.where(known, 0, 2).astype(np.uint8), 255, {}),
        "Days": (np.where(known, days, -1).astype(np.int32), -1, {}),
        "UTC_Seconds": (np.where(known, seconds - 86400 * days, -1).astype(np.int32), -1, {}),
    }
    variables = {name: (("lat", "lon"), values, {"_FillValue": values.dtype.type(missing), **attributes})
                 for name, (values, missing, attributes) in layers.items()}  # fmt: skip
    axes = {"lat": ("lat", lat, {"units": "degrees_north"}), "lon": ("lon", lon, {"units": "degrees_east"})}
    _save(path, xr.Dataset(variables, axes))


def _span(touched: np.ndarray) -> slice:
    at = np.flatnonzero(touched)
    return slice(int(at[0]), int(at[-1]) + 1)


def _between(position: np.ndarray, count: int) -> np.ndarray:
    return (position > -0.5) & (position < count - 0.5)


def _centres(cell: float, rows: int, cols: int) -> tuple[np.ndarray, np.ndarray]:
    """Latitudes from north to south and longitudes of the cells of a global EASE-Grid 2.0, degrees."""
    to_deg = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    x, y = LEFT + (np.arange(cols) + 0.5) * cell, TOP - (np.arange(rows) + 0.5) * cell
    return to_deg.transform(0 * y, y)[1], to_deg.transform(x, 0 * x)[0]


def _save(path: Path, dataset: xr.Dataset) -> None:
    """Write a dataset as it is stored, with its attributes, under its name when it is whole."""
    encoding = {str(name): {"zlib": True, "complevel": 1, "_FillValue": variable.attrs.pop("_FillValue", None)}
                for name, variable in dataset.data_vars.items()}  # fmt: skip
    part = path.with_name(path.name + ".part")
    dataset.to_netcdf(part, engine="h5netcdf", encoding=encoding)
    os.replace(part, path)


def _write(path: Path, fill: Callable[[h5py.File], None]) -> None:
    part = path.with_name(path.name + ".part")
    with h5py.File(part, "w") as file:
        fill(file)
    os.replace(part, path)
