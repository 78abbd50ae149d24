"""Granules of a country for timing ``prepare``: plausible values in the archives' formats, file by file.

As in ``national_cube``, they follow no physics; each field is the same noise, begun at another place. A day of China is
34 files of LST at 1 km from each satellite that is given, a file of rain and one of coarse soil moisture; on every
eighth day 34 of reflectance at 500 m.
"""

from __future__ import annotations

import datetime as dt
import functools
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from national_cube import noise
from torch import Tensor

from ssm_net.core.clock import HOURS
from ssm_net.grid import Domain
from ssm_net.simulate.native_files import REFLECTANCE_EVERY, missing
from ssm_net.simulate.world.observe import QC_CLOUD, QC_GOOD, RainGrid
from ssm_net.simulate.world.optics import BAND_NUMBERS
from ssm_net.simulate.writers import modis, netcdf
from ssm_net.simulate.writers.sinusoidal import SinusoidalTile, sinusoidal_tiles

ONE = dt.timedelta(1)
MEAN = {"Day": 303.0, "Night": 286.0}
SIDE = 2400  # pixels of a tile at 500 m
STATIC = {"elevation": "m", "sand": "%", "clay": "%", "water_fraction": "1"}


def write(raw: Path, domain: Domain, days: Sequence[dt.date], rain_before: int) -> None:
    """The granules of ``days`` and the rain of days before them; files that are there are kept."""
    folders = [raw / "NNsm", raw / "precip", raw / "static"]
    for folder in folders + [modis.folder(raw, product) for product in (modis.LST, modis.REFLECTANCE)]:
        folder.mkdir(parents=True, exist_ok=True)
    for name, units in STATIC.items():
        if missing(path := raw / "static" / f"{name}.tif"):
            z = _noise(name, domain.fine_shape).numpy()
            values: np.ndarray = {"elevation": 1200 + 900 * z, "water_fraction": 2 * (z - 2)}.get(name, 35 + 9 * z)
            netcdf.write_static_map(path, domain, np.clip(values, 0, 1 if name == "water_fraction" else 8000), units)
    rain = RainGrid.over(domain)
    shape = (len(rain.lat), len(rain.lon))
    for n in range(-rain_before, len(days) + 1):
        day = days[0] + n * ONE
        if missing(path := raw / "precip" / f"precip_{day:%Y%m%d}.nc"):
            end = dt.datetime.combine(day, dt.time(18))
            netcdf.write_rain(path, rain, 8 * _noise("rain", shape, day).clamp(min=0).numpy(), end - ONE, end)
    for day in days:
        if missing(path := raw / "NNsm" / f"NNsm-AMSR2-{day:%Y%j}.nc"):
            netcdf.write_nnsm(path, domain, 0.2 + 0.05 * _noise("soil", domain.coarse_shape, day).numpy())
    for tile in sinusoidal_tiles(domain, 1200):
        for day in (days[0] - ONE, *days):  # a night view is filed under the UTC day before
            if missing(path := modis.folder(raw, modis.LST) / modis.name(modis.LST, day, tile)):
                modis.write_lst(path, modis.LST, day, tile, {part: _lst(part, tile, day) for part in MEAN}, HOURS)
    for tile in sinusoidal_tiles(domain, 2400):
        for day in days[::REFLECTANCE_EVERY]:
            if missing(path := modis.folder(raw, modis.REFLECTANCE) / modis.name(modis.REFLECTANCE, day, tile)):
                size = tile.inside.shape
                bands = {
                    b: (0.2 + 0.04 * _noise(f"{b} {tile.name}", size)).clamp(0.01, 0.9).numpy() for b in BAND_NUMBERS
                }
                modis.write_reflectance(path, day, tile, bands, np.zeros(size, np.uint8))


def _noise(name: str, shape: tuple[int, int], day: dt.date = dt.date.min) -> Tensor:
    """Of order one, (y, x), always the same for a name and a day: what ``national_cube.noise`` makes, made once."""
    seed, field = zlib.crc32(f"{name} {day}".encode()), _base(*(max(n, SIDE) for n in shape))
    return torch.roll(field, (seed % SIDE, (seed >> 12) % SIDE), (0, 1))[: shape[0], : shape[1]].contiguous()


@functools.cache
def _base(height: int, width: int) -> Tensor:
    return noise("granules", (height, width))


def _lst(part: str, tile: SinusoidalTile, day: dt.date) -> tuple[np.ndarray, np.ndarray]:
    """LST (K) of a tile's window and its QC: half of it under cloud."""
    size = tile.inside.shape
    cloudy = _noise(f"cloud {part} {tile.name}", size, day) > 0
    lst = MEAN[part] + 5 * _noise(f"{part} {tile.name}", size, day)
    return lst.numpy(), torch.where(cloudy, QC_CLOUD, QC_GOOD).to(torch.uint8).numpy()
