"""LST files of one number each around a place, dated by their UTC day, as a platform at given hours fills them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pyhdf.SD import SD, SDC

from ssm_net.config import PrepareConfig, load
from ssm_net.grid import Domain
from ssm_net.ingest.catalog import list_granules
from ssm_net.ingest.modis_tiles import RADIUS, tile_names
from ssm_net.prepare.day_plan import DayPlan, plan_day
from ssm_net.prepare.products import choose_products

SIDE, LEFT, TOP, PIXEL = 1111950.5196666666, -20015109.354, 10007554.677, 926.625433055556
DAY = dt.date(2016, 5, 3)


def _core(day: dt.date, name: str) -> str:
    values = {
        "RANGEBEGINNINGDATE": day,
        "RANGEENDINGDATE": day,
        "LOCALGRANULEID": name,
        "SHORTNAME": name.split(".")[0],
    }
    return "".join(f'OBJECT = {k}\nNUM_VAL = 1\nVALUE = "{v}"\nEND_OBJECT = {k}\n\n' for k, v in values.items())


def write_tile(
    folder: Path, product: str, day: dt.date, tile: str, layers: dict[str, tuple[np.ndarray, dict[str, Any]]]
) -> Path:
    """A whole tile of 1 km layers (name -> values, attributes)."""
    h, v = int(tile[1:3]), int(tile[4:6])
    left, top = LEFT + h * SIDE, TOP - v * SIDE
    name = f"{product}.A{day:%Y%j}.{tile}.061.2024001000000.hdf"
    path = folder / f"{product}.061" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = "".join(f'OBJECT=DataField_{n}\nDataFieldName="{layer}"\nEND_OBJECT=DataField_{n}\n'
                     for n, layer in enumerate(layers, 1))  # fmt: skip
    struct = (
        f'GROUP=GRID_1\nGridName="G"\nXDim=1200\nYDim=1200\nUpperLeftPointMtrs=({left:.6f},{top:.6f})\n'
        f"LowerRightMtrs=({left + SIDE:.6f},{top - SIDE:.6f})\nProjection=GCTP_SNSOID\n"
        f"ProjParams=({RADIUS:.6f},0,0,0,0,0,0,0,86400,0,0,0,0)\n{fields}END_GROUP=GRID_1\n"
    )
    sd = SD(str(path), SDC.WRITE | SDC.CREATE | SDC.TRUNC)
    sd.attr("StructMetadata.0").set(SDC.CHAR, struct)
    sd.attr("CoreMetadata.0").set(SDC.CHAR, _core(day, name))
    kinds = {"uint8": SDC.UINT8, "uint16": SDC.UINT16, "int16": SDC.INT16}
    for layer, (values, attributes) in layers.items():
        kind = kinds[values.dtype.name]
        sds = sd.create(layer, kind, values.shape)
        sds.setcompress(SDC.COMP_DEFLATE, 1)
        for key, value in attributes.items():
            sds.attr(key).set(SDC.FLOAT64 if key == "scale_factor" else kind, value)
        sds[:] = values
        sds.endaccess()
    sd.end()
    return path


def write_views(
    raw: Path, product: str, day: dt.date, domain: Domain, kelvin: float, hour: float | None, part: str = "Night"
) -> None:
    """The tiles of a UTC day, all of ``kelvin``, all seen at local solar ``hour``; no view times where it is None."""
    for tile in tile_names(domain):
        shape = (1200, 1200)
        lst = np.full(shape, round(kelvin / 0.02), np.uint16)
        scale = {"scale_factor": 0.02, "valid_range": [7500, 65535], "_FillValue": 0}
        layers: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
            f"LST_{part}_1km": (lst, scale), f"QC_{part}": (np.zeros(shape, np.uint8), {"valid_range": [0, 255]}),
        }  # fmt: skip
        if product[3:5] == "21":
            layers = {"LST_1KM": (lst, scale), "QC": (np.zeros(shape, np.uint8), {"valid_range": [0, 255]})}
        if hour is not None:
            time = np.full(shape, round(hour * 10), np.uint8)
            name = "View_Time" if product[3:5] == "21" else f"{part}_view_time"
            layers[name] = (time, {"scale_factor": 0.1, "valid_range": [0, 240], "_FillValue": 255})
        write_tile(raw, product, day, tile, layers)


def write_cci(raw: Path, day: dt.date, domain: Domain, kelvin: float, utc_hour: float | None, part: str) -> None:
    """An ESA CCI file of Aqua with ``dtime`` (none where ``utc_hour`` is None)."""
    west, south, east, north = domain.bounds_lonlat()
    lat = np.arange(np.floor(south), np.ceil(north), 0.02) + 0.01
    lon = np.arange(np.floor(west), np.ceil(east), 0.02) + 0.01
    shape = (1, lat.size, lon.size)
    data: dict[str, Any] = {"lst": (("time", "lat", "lon"), np.full(shape, kelvin, np.float32))}
    if utc_hour is not None:
        seconds = np.full(shape, utc_hour * 3600, np.float32)
        data["dtime"] = (("time", "lat", "lon"), seconds, {"units": "seconds", "valid_min": 0.0, "valid_max": 86400.0})
    folder = raw / "ESACCI-LST"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"ESACCI-LST-L3C-LST-MODISA-0.01deg_1DAILY_{part.upper()}-{day:%Y%m%d}000000-fv3.00.nc"
    xr.Dataset(data, {"time": [np.datetime64(day, "ns")], "lat": lat, "lon": lon}).to_netcdf(
        folder / name, engine="h5netcdf"
    )


def planned(raw: Path, domain: Domain, day: dt.date = DAY, **other: Any) -> DayPlan:
    """The plan of a day, made of what is in ``raw``."""
    keys = {"raw": str(raw), "cube": "unused", "start": str(day), "end": str(day)}
    cfg = load(PrepareConfig, {**keys, "domain": {"name": "d", "window": list(domain.window)}, **other})
    two = dt.timedelta(2)
    found = list_granules(raw, (day - two, day + two))
    return plan_day(cfg, domain, found, choose_products(cfg, found), day)
