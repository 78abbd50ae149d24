"""Writer of the MODIS products of a world: their layers, attributes, names and days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.observe import QC_CLOUD, QC_NONE
from ssm_net.simulate.writers.hdfeos import EosFile, EosLayer, Placement, write_eos
from ssm_net.simulate.writers.sinusoidal import SinusoidalTile

LST, TERRA_LST, REFLECTANCE = "MYD11A1", "MOD11A1", "MCD43A4"
PLATFORMS = {LST: "Aqua", TERRA_LST: "Terra"}
COLLECTION = "061"


Attributes = dict[str, tuple[Any, str]]


def name(product: str, day: dt.date, tile: SinusoidalTile) -> str:
    """The archive's name of a file; its time of production is fixed, so that a world always has the same names."""
    return f"{product}.A{day:%Y%j}.{tile.name}.{COLLECTION}.{day + dt.timedelta(10):%Y%j}120000.hdf"


def folder(raw: Path, product: str) -> Path:
    return raw / f"{product}.{COLLECTION}"


def write_lst(
    path: Path, product: str, day: dt.date, tile: SinusoidalTile,
    observed: dict[str, tuple[Array, NDArray[np.uint8]]], hours: Mapping[str, float],
) -> None:  # fmt: skip
    """MYD11A1 or MOD11A1 of a tile: ``observed`` gives for Day and Night the LST (K) and QC of the tile's window, and
    ``hours`` for day and night the local solar time of their views."""
    layers = []
    for part, (lst, qc) in observed.items():
        seen = (qc != QC_CLOUD) & (qc != QC_NONE)
        counts = np.where(seen, np.clip(np.rint(lst / 0.02), 7500, 65535), 0).astype(np.uint16)
        time = np.where(seen, round(10 * hours[part.lower()]), 255).astype(np.uint8)
        word = part.lower() + "time"
        layers += [
            EosLayer(f"LST_{part}_1km", tile.full(counts, 0), _lst_attributes(word)),
            EosLayer(
                f"QC_{part}",
                tile.full(qc, QC_NONE),
                {
                    "long_name": (f"Quality control for {word} LST and emissivity", "CHAR"),
                    "Number Type": ("uint8", "CHAR"),
                    "valid_range": ([0, 255], "UINT8"),
                },
            ),
            EosLayer(f"{part}_view_time", tile.full(time, 255), _time_attributes(word)),
        ]
    write_eos(path, _granule(product, "MODIS_Grid_Daily_1km_LST", PLATFORMS[product], tile, day, day), layers)


def write_reflectance(
    path: Path, day: dt.date, tile: SinusoidalTile, bands: dict[int, Array], quality: NDArray[np.uint8]
) -> None:
    """MCD43A4 of a tile: ``bands`` nadir reflectance 0..1, NaN for none; ``quality`` 0 full, 1 magnitude, 255 none."""
    layers = []
    for band, value in bands.items():
        counts = np.where(np.isfinite(value), np.clip(np.rint(value / 1e-4), 0, 32766), 32767).astype(np.int16)
        attributes: Attributes = {
            "long_name": (f"Nadir_Reflectance_Band{band}", "CHAR"),
            "units": ("reflectance, no units", "CHAR"),
            "valid_range": ([0, 32766], "INT16"),
            "_FillValue": (32767, "INT16"),
            "add_offset": (0.0, "FLOAT64"),
            "scale_factor": (0.0001, "FLOAT64"),
        }
        layers.append(EosLayer(f"Nadir_Reflectance_Band{band}", tile.full(counts, 32767), attributes))
    for band in bands:
        attributes = {
            "long_name": (f"BRDF_Albedo_Band_Mandatory_Quality_Band{band}", "CHAR"),
            "units": ("bit field", "CHAR"),
            "valid_range": ([0, 254], "UINT8"),
            "_FillValue": (255, "UINT8"),
        }
        layers.append(EosLayer(f"BRDF_Albedo_Band_Mandatory_Quality_Band{band}", tile.full(quality, 255), attributes))
    begin, end = day - dt.timedelta(8), day + dt.timedelta(7)  # the day in the name is the ninth of sixteen
    write_eos(path, _granule(REFLECTANCE, "MOD_Grid_BRDF", "Terra+Aqua", tile, begin, end), layers)


def _granule(product: str, grid: str, platform: str, tile: SinusoidalTile, begin: dt.date, end: dt.date) -> EosFile:
    placement = Placement((tile.size, tile.size), *tile.corners, (tile.h, tile.v))
    return EosFile(grid, placement, product, 61, platform, begin.isoformat(), end.isoformat())


def _lst_attributes(word: str) -> Attributes:
    return {
        "long_name": (f"Daily {word} 1km grid Land-surface Temperature", "CHAR"),
        "units": ("K", "CHAR"),
        "Number Type": ("uint16", "CHAR"),
        "valid_range": ([7500, 65535], "UINT16"),
        "_FillValue": (0, "UINT16"),
        "LST": ("LST data * scale_factor", "CHAR"),
        "scale_factor": (0.02, "FLOAT64"),
        "scale_factor_err": (0.0, "FLOAT64"),
        "add_offset_err": (0.0, "FLOAT64"),
        "calibrated_nt": (5, "INT32"),
    }


def _time_attributes(word: str) -> Attributes:
    return {
        "long_name": (f"Time of {word} Land-surface Temperature observation", "CHAR"),
        "units": ("hrs", "CHAR"),
        "Number Type": ("uint8", "CHAR"),
        "valid_range": ([0, 240], "UINT8"),
        "_FillValue": (255, "UINT8"),
        "View_time": ("View_time data * scale_factor", "CHAR"),
        "scale_factor": (0.1, "FLOAT64"),
        "scale_factor_err": (0.0, "FLOAT64"),
        "add_offset_err": (0.0, "FLOAT64"),
        "calibrated_nt": (5, "INT32"),
    }
