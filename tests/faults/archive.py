"""Archives of raw/ with what a user may put there: small files that are right in form, of any name."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import eosfile
import numpy as np
import rasterio
import xarray as xr
from affine import Affine

from ssm_net.ingest.account import Account
from ssm_net.ingest.catalog import Catalog, find_files

WEST, NORTH, STEP = 103.0, 36.0, 0.5
AUG1 = dt.date(2015, 8, 1)
MAY = ("2016-05-01", "2016-05-08")
C3S = "C3S-SOILMOISTURE-L3S-SSMV-{}-{}-20160504000000-TCDR-v{}.nc"
LST_NAME = "MYD11A1.A2015213.h26v04.061.2021348183425.hdf"


def surveyed(raw: Path, days: tuple[str, str] | None = None) -> tuple[Catalog, Account]:
    period = None if days is None else (dt.date.fromisoformat(days[0]), dt.date.fromisoformat(days[1]))
    return find_files(raw).catalog(period)


def said(raw: Path, days: tuple[str, str] | None = None) -> str:
    """All warnings of the account of ``raw``."""
    return "\n".join(surveyed(raw, days)[1].warnings())


def daily(path: Path, first: str, days: int, name: str = "precip", value: float = 1.0, **attributes: str) -> Path:
    """A field a UTC day, with its bounds; ``attributes`` are those of the file."""
    lat, lon = NORTH - STEP * np.arange(4), WEST + STEP * np.arange(4)
    time = np.datetime64(first, "ns") + np.arange(days) * np.timedelta64(1, "D")
    units = {"units": "mm"} if name == "precip" else {}
    fields = {name: (("time", "lat", "lon"), np.full((days, 4, 4), value, np.float32), units)}
    path.parent.mkdir(parents=True, exist_ok=True)
    fields["time_bnds"] = (("time", "two"), np.stack([time, time + np.timedelta64(1, "D")], 1), {})
    dataset = xr.Dataset(fields, {"time": ("time", time, {"bounds": "time_bnds"}), "lat": lat, "lon": lon}, attributes)
    dataset.to_netcdf(path, engine="h5netcdf")
    return path


core_metadata = eosfile.core_metadata


def lst(path: Path, core: str = "") -> Path:
    """A granule of MYD11A1."""
    return eosfile.write(path, [eosfile.lst_grid(np.full((2, 2), 290.0), 0.0, 0.0)], core)


def tif(path: Path, value: float, left: float = 105.0, top: float = 45.0, size: int = 40, pixel: float = 0.5) -> Path:
    """A map of one value, by default around the domain of the tests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", width=size, height=size, count=1, dtype="float32", crs="EPSG:4326",
                       transform=Affine(pixel, 0, left, 0, -pixel, top), nodata=-9999) as file:  # fmt: skip
        file.write(np.full((size, size), value, np.float32), 1)
    return path
