"""Small NetCDF files on a latitude/longitude grid, written with attributes of any type, for the tests of faults."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np

from ssm_net.grid import Domain

DAY = dt.date(2016, 6, 7)
DOMAIN = Domain("part", (84, 88, 792, 796))
LAT, LON = np.arange(41.0, 29.5, -0.5), np.arange(110.0, 125.0, 0.5)
SHAPE = (LAT.size, LON.size)


def write(
    path: Path, name: str, values: np.ndarray, attributes: dict[str, Any], *, dims: Sequence[str] = (),
    times: str = "hours since 2016-06-07", hours: Sequence[float] = (0,), axes: dict[str, np.ndarray] | None = None,
    others: dict[str, np.ndarray] | None = None,
) -> Path:  # fmt: skip
    """A variable of the dimensions ``dims``, time, lat and lon; ``axes`` are the values of ``dims``."""
    names = (*dims, "time", "lat", "lon")
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5netcdf.File(path, "w") as file:
        coordinates = {**(axes or {}), "time": np.asarray(hours, float), "lat": LAT, "lon": LON}
        file.dimensions = {key: len(v) for key, v in coordinates.items()}
        for key, along in coordinates.items():
            file.create_variable(key, (key,), data=along)
        file["time"].attrs["units"] = times
        file["lat"].attrs["units"], file["lon"].attrs["units"] = "degrees_north", "degrees_east"
        for layer, data in {name: values, **(others or {})}.items():
            stored = np.asarray(data)
            file.create_variable(layer, names, data=np.broadcast_to(stored, (*stored.shape[:-3], len(hours), *SHAPE)))
    with h5py.File(path, "r+") as file:  # h5netcdf checks the types of some attributes
        for key, value in attributes.items():
            file[name].attrs[key] = value
    return path
