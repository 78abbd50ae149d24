"""The mosaic day as files: CF NetCDF, cloud-optimised GeoTIFF, Zarr."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from ssm_net.files import write_whole
from ssm_net.formats import netcdf
from ssm_net.formats.product import Flag, Mosaic, stem

__all__ = ["Flag", "Mosaic", "day_done", "day_path", "days_done", "read_day", "write_day"]

SUFFIX = {"netcdf": ".nc", "cog": ".tif"}


def day_path(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> Path:
    """Where a day is, or will be. Raises ``ValueError`` for an unknown format."""
    return Path(folder) / f"{stem(domain_name, day)}{_suffix(format)}"


def day_done(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> bool:
    """Whether the day is there: a file has its name only once it is whole."""
    return day_path(folder, domain_name, day, format).is_file()


def days_done(folder: Path, domain_name: str, format: str = "netcdf") -> list[dt.date]:
    """The days that are there, in order."""
    name = re.compile(rf"ssm_{re.escape(domain_name)}_(\d{{8}}){re.escape(_suffix(format))}")
    hits = (name.fullmatch(path.name) for path in Path(folder).glob("ssm_*"))
    return sorted(dt.datetime.strptime(hit[1], "%Y%m%d").date() for hit in hits if hit)


def write_day(mosaic: Mosaic, folder: Path, format: str = "netcdf") -> Path:
    """Write one day and return its path; a day that is there is replaced.

    Raises ``OSError`` where the disk is full, ``ValueError`` for an unknown format.
    """
    path = day_path(folder, mosaic.domain.name, mosaic.day, format)
    return write_whole(path, netcdf.encode(mosaic))


def read_day(path: Path) -> Mosaic:
    """The mosaic of a NetCDF file written by ``write_day``, to packing precision (5e-5 m3 m-3).

    Raises ``FileNotFoundError``, or ``ValueError`` where the file is not such a mosaic.
    """
    return netcdf.decode(Path(path))


def _suffix(format: str) -> str:
    if format not in SUFFIX:
        raise ValueError(f"format={format}: choose {', '.join(SUFFIX)}")
    return SUFFIX[format]
