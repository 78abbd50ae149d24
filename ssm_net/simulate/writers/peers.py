"""Writers of soil moisture products of others in their native layouts, each from a field at 1 km.

SPL2SMAP_S, SMAP L4, NSIDC-0779: the layouts that ``ssm_net/peers`` reads, with its sources. China 1 km (Song et al.
2022): the name of the file is known, the names of its layers are a guess.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import rasterio
from rasterio.transform import Affine

from ssm_net.grid import Domain
from ssm_net.simulate.world.fields import Array

FILL = -9999.0
M09 = (1624, 3856)
VOLUME = {"units": "cm**3/cm**3", "valid_min": np.float32(0.02), "valid_max": np.float32(0.75)}


def spl2smap_name(sentinel: dt.datetime, smap: dt.datetime, version: int = 1) -> str:
    """The name of a scene of SPL2SMAP_S, by the times of both satellites (UTC)."""
    return f"SMAP_L2_SM_SP_1AIWDV_{sentinel:%Y%m%dT%H%M%S}_{smap:%Y%m%dT%H%M%S}_104E33N_R19240_{version:03d}.h5"


def write_spl2smap(path: Path, domain: Domain, field: Array, bad: np.ndarray | None = None) -> None:
    """A scene that covers ``domain``, whose soil moisture is ``field`` (y, x) m3 m-3 at 1 km, NaN where not retrieved,
    and its mean at 3 km; ``bad`` (y, x) bool is not recommended."""
    flagged = np.zeros(field.shape, bool) if bad is None else bad

    def fill(file: h5py.File) -> None:
        for km in (1, 3):
            side = field.shape[0] // km, km, field.shape[1] // km, km
            values, flags = field.reshape(side).mean((1, 3)), np.asarray(flagged.reshape(side).any((1, 3)))
            _scene(file.create_group(f"Soil_Moisture_Retrieval_Data_{km}km"), f"{km}km", domain, values, flags)

    _write(path, fill)


def _scene(group: Any, of: str, domain: Domain, values: Array, flags: np.ndarray) -> None:
    finer = domain.ratio * values.shape[0] // domain.fine_shape[0]
    first_row, first_col = domain.window[0] * finer, domain.window[2] * finer
    rows, cols = np.meshgrid(first_row + np.arange(values.shape[0]), first_col + np.arange(values.shape[1]),
                             indexing="ij")  # fmt: skip
    known = np.isfinite(values)
    for name, index in (("EASE_row_index", rows), ("EASE_column_index", cols)):
        _layer(group, f"{name}_{of}", index.astype("u2"), 65534)
    _layer(group, f"soil_moisture_{of}", np.where(known, values, FILL).astype("f4"), FILL, **VOLUME)
    _layer(group, f"retrieval_qual_flag_{of}", np.where(known, flags, 7).astype("u2"), 65534)


def write_smap_l4(path: Path, domain: Domain, field: Array) -> None:
    """A file of SPL4SMGP: global at 9 km, the mean of ``field`` (y, x) m3 m-3 in ``domain``, missing elsewhere."""
    side = domain.ratio // 4
    values = field.reshape(field.shape[0] // side, side, field.shape[1] // side, side).mean((1, 3))
    first_row, first_col = domain.window[0] * 4, domain.window[2] * 4

    def fill(file: h5py.File) -> None:
        group = file.create_group("Geophysical_Data")
        layer = group.create_dataset("sm_surface", M09, "f4", chunks=(203, 241), fillvalue=FILL, compression="gzip",
                                     compression_opts=1)  # fmt: skip
        layer.attrs.update({"_FillValue": np.float32(FILL), "missing_value": np.float32(FILL), "units": "m3 m-3",
                            "valid_min": np.float32(0), "valid_max": np.float32(0.9)})  # fmt: skip
        layer[first_row : first_row + values.shape[0], first_col : first_col + values.shape[1]] = np.where(
            np.isfinite(values), values, FILL
        )

    _write(path, fill)


def write_nsidc_0779(path: Path, domain: Domain, bands: Sequence[Array]) -> None:
    """A file of NSIDC-0779, cut to ``domain``: soil moisture (y, x) m3 m-3 of 6:00 and of 18:00."""
    box = domain.fine.boundingbox
    part = path.with_name(path.name + ".part")
    with rasterio.open(
        part, "w", driver="GTiff", height=domain.fine_shape[0], width=domain.fine_shape[1], count=len(bands),
        dtype="float32", crs=domain.grid.crs, nodata=np.nan, compress="deflate", tiled=True,
        transform=Affine(domain.grid.pixel, 0, box.left, 0, -domain.grid.pixel, box.top),
    ) as file:  # fmt: skip
        for number, band in enumerate(bands, 1):
            file.write(band.astype("float32"), number)
    os.replace(part, path)


def write_china_1km(path: Path, domain: Domain, field: Array) -> None:
    """A map like those of Song et al. (2022), ``SM_yyyyddd.h5``: ``field`` (y, x) m3 m-3, latitudes, longitudes."""
    lon, lat = domain.lonlat()

    def fill(file: h5py.File) -> None:
        _layer(file, "SM", np.where(np.isfinite(field), field, FILL).astype("f4"), FILL, units="m3/m3")
        _layer(file, "lat", lat.astype("f8"), FILL)
        _layer(file, "lon", lon.astype("f8"), FILL)

    _write(path, fill)


def _layer(group: Any, name: str, values: np.ndarray, missing: float, **attributes: Any) -> None:
    layer = group.create_dataset(name, data=values, compression="gzip", compression_opts=1)
    layer.attrs.update({"_FillValue": values.dtype.type(missing), **attributes})


def _write(path: Path, fill: Callable[[h5py.File], None]) -> None:
    part = path.with_name(path.name + ".part")
    with h5py.File(part, "w") as file:
        fill(file)
    os.replace(part, path)
