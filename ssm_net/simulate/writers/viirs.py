"""Writer of the VIIRS products of a world: their grids, layers, attributes, names and days.

Sources as of ``ssm_net/ingest/eos_products.py``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.observe import QC_CLOUD, QC_GOOD, QC_NONE, QC_OTHER
from ssm_net.simulate.writers.hdfeos import EosFile, EosLayer, Placement
from ssm_net.simulate.writers.hdfeos5 import write_eos5
from ssm_net.simulate.writers.sinusoidal import SinusoidalTile

COLLECTION = "002"
LST = {"VNP": "VNP21A1", "VJ1": "VJ121A1"}  # by the first letters of the products of a platform, without D or N
PLATFORMS = {"VNP": "SUOMI-NPP", "VJ1": "NOAA-20"}
LETTERS = {"day": "D", "night": "N"}
# The world's quality of LST as the bits of QC: mandatory (0-1), cloud (4-5), accuracy of LST (14-15).
QC = {QC_GOOD: 3 << 14, QC_OTHER: 1 | 2 << 4 | 2 << 14, QC_CLOUD: 2 | 3 << 4, QC_NONE: 3}
REFLECTANCE = {"VNP43IA4": {"I1": 1, "I2": 2, "I3": 6}, "VNP43MA4": {"M5": 1, "M7": 2, "M10": 6, "M11": 7}}
Attributes = dict[str, tuple[Any, str]]


def name(product: str, day: dt.date, tile: SinusoidalTile) -> str:
    """The archive's name of a file; its time of production is fixed, so that a world always has the same names."""
    return f"{product}.A{day:%Y%j}.{tile.name}.{COLLECTION}.{day + dt.timedelta(10):%Y%j}120000.h5"


def folder(raw: Path, product: str) -> Path:
    return raw / f"{product}.{COLLECTION}"


def write_lst(
    path: Path, product: str, day: dt.date, tile: SinusoidalTile, observed: tuple[Array, NDArray[np.uint8]], hour: float
) -> None:
    """VNP21A1D or its like of a tile: ``observed`` are the LST (K) and QC of the tile's window, as the world has them,
    ``hour`` the local solar time of the views."""
    lst, quality = observed
    seen = (quality != QC_CLOUD) & (quality != QC_NONE)
    counts = np.where(seen, np.clip(np.rint(lst / 0.02), 7500, 65535), 0).astype(np.uint16)
    bits = np.full(quality.shape, QC[QC_NONE], np.uint16)
    for own, stored in QC.items():
        bits[quality == own] = stored
    time = np.where(seen, round(10 * hour), 255).astype(np.uint8)
    layers = [
        EosLayer("LST_1KM", tile.full(counts, 0), _packed("Daily 1km Land Surface Temperature (LST)", "K", 0.02, 0,
                                                          ([7500, 65535], "UINT16"))),
        EosLayer("QC", tile.full(bits, QC[QC_NONE]), {"long_name": ("Daily QC for LST and emissivity", "CHAR"),
                                                      "units": ("n/a", "CHAR"), "valid_range": ([0, 65535], "UINT16")}),
        EosLayer("View_Time", tile.full(time, 255), _packed("Time of LST Observation", "hrs", 0.1, 255,
                                                            ([0, 240], "UINT8"))),
    ]  # fmt: skip
    write_eos5(path, _granule(product, "VIIRS_Grid_Daily_1km_LST21", tile, day, day), layers)


def write_reflectance(
    path: Path, product: str, day: dt.date, tile: SinusoidalTile, bands: Mapping[int, Array], quality: NDArray[np.uint8]
) -> None:
    """VNP43IA4 or VNP43MA4 of a tile: ``bands`` nadir reflectance 0..1 by band of MODIS, NaN for none; ``quality`` 0
    full inversion, 1 magnitude, 255 none."""
    layers = []
    for band, number in REFLECTANCE[product].items():
        value = bands[number]
        counts = np.where(np.isfinite(value), np.clip(np.rint(value / 1e-4), 0, 32766), 32767).astype(np.int16)
        layer = f"Nadir_Reflectance_{band}"
        attributes = _packed(layer, "reflectance, no units", 1e-4, 32767, ([0, 32766], "INT16"))
        layers.append(EosLayer(layer, tile.full(counts, 32767), attributes))
        layer = f"BRDF_Albedo_Band_Mandatory_Quality_{band}"
        attributes = {"long_name": (layer, "CHAR"), "units": ("class flag", "CHAR"), "_FillValue": (255, "UINT8"),
                      "valid_range": ([0, 254], "UINT8")}  # fmt: skip
        layers.append(EosLayer(layer, tile.full(quality, 255), attributes))
    begin, end = day - dt.timedelta(8), day + dt.timedelta(7)  # the day in the name is the ninth of sixteen
    write_eos5(path, _granule(product, "VIIRS_Grid_BRDF", tile, begin, end), layers)


def _packed(long_name: str, units: str, scale: float, fill: int, valid: tuple[list[int], str]) -> Attributes:
    return {
        "long_name": (long_name, "CHAR"), "units": (units, "CHAR"), "_FillValue": (fill, valid[1]),
        "valid_range": valid, "scale_factor": (scale, "FLOAT64"), "add_offset": (0.0, "FLOAT64"),
    }  # fmt: skip


def _granule(product: str, grid: str, tile: SinusoidalTile, begin: dt.date, end: dt.date) -> EosFile:
    placement = Placement((tile.size, tile.size), *tile.corners, (tile.h, tile.v))
    return EosFile(grid, placement, product, 2, PLATFORMS[product[:3]], begin.isoformat(), end.isoformat())
