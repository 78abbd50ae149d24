"""The mosaic day as files: CF NetCDF, cloud-optimised GeoTIFF, Zarr."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from ssm_net.core.files import write_whole
from ssm_net.formats import geotiff, netcdf, quicklook, zarr_store
from ssm_net.formats.product import Flag, Mosaic, stem

__all__ = [
    "Flag",
    "Mosaic",
    "day_done",
    "day_path",
    "day_size",
    "days_done",
    "quicklook_path",
    "read_day",
    "write_day",
    "write_quicklook",
]

SUFFIX = {"netcdf": ".nc", "cog": ".tif", "zarr": ".zarr"}
ENCODE = {"netcdf": netcdf.encode, "cog": geotiff.encode}


def day_path(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> Path:
    """Where a day is, or will be: a file of its own, or the Zarr store of all days.

    Raises ``ValueError`` for an unknown format.
    """
    name = f"ssm_{domain_name}" if format == "zarr" else stem(domain_name, day)
    return Path(folder) / f"{name}{_suffix(format)}"


def day_done(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> bool:
    """Whether the day is there: a file has its name only once it is whole, a day in a Zarr store has a status."""
    path = day_path(folder, domain_name, day, format)
    return zarr_store.status_file(path, day).is_file() if format == "zarr" else path.is_file()


def days_done(folder: Path, domain_name: str, format: str = "netcdf") -> list[dt.date]:
    """The days that are there, in order."""
    suffix = re.escape(_suffix(format))
    if format == "zarr":
        return zarr_store.days_done(Path(folder) / f"ssm_{domain_name}.zarr")
    name = re.compile(rf"ssm_{re.escape(domain_name)}_(\d{{8}}){suffix}")
    hits = (name.fullmatch(path.name) for path in Path(folder).glob("ssm_*"))
    return sorted(dt.datetime.strptime(hit[1], "%Y%m%d").date() for hit in hits if hit)


def write_day(mosaic: Mosaic, folder: Path, format: str = "netcdf") -> Path:
    """Write one day and return its path; a day that is there is replaced.

    Raises ``OSError`` where the disk is full, ``ValueError`` for an unknown format.
    """
    path = day_path(folder, mosaic.domain.name, mosaic.day, format)
    return zarr_store.write(path, mosaic) if format == "zarr" else write_whole(path, ENCODE[format](mosaic))


def quicklook_path(folder: Path, domain_name: str, day: dt.date) -> Path:
    """Where the picture of a day is, or will be."""
    return Path(folder) / "quicklook" / f"{stem(domain_name, day)}.png"


def write_quicklook(mosaic: Mosaic, folder: Path) -> Path:
    """Write the day's picture and return its path."""
    return write_whole(quicklook_path(folder, mosaic.domain.name, mosaic.day), quicklook.encode(mosaic))


def day_size(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> int:
    """Bytes that the day takes on the disk, its own: not what all days of a Zarr store share."""
    path = day_path(folder, domain_name, day, format)
    return zarr_store.size(path, day) if format == "zarr" else path.stat().st_size


def read_day(path: Path, day: dt.date | None = None) -> Mosaic:
    """The mosaic of a NetCDF file or, with ``day``, of a Zarr store, to packing precision (5e-5 m3 m-3).

    Raises ``FileNotFoundError``, or ``ValueError`` where it is not such a mosaic (a GeoTIFF has another grid).
    """
    path = Path(path)
    if path.suffix == SUFFIX["zarr"]:
        if day is None:
            raise ValueError(f"{path} holds many days: say which")
        return zarr_store.read(path, day)
    if path.suffix != SUFFIX["netcdf"]:
        raise ValueError(f"{path}: only NetCDF and Zarr mosaics lie on the domain's own grid; run infer.py with one")
    return netcdf.decode(path)


def revision_of(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> int:
    """The revision of a day that is there; 1 where it does not say."""
    path = day_path(folder, domain_name, day, format)
    if format == "zarr":
        return int(zarr_store.attributes(path, day).get("revision", 1))
    attrs = netcdf.attributes(path) if format == "netcdf" else geotiff.attributes(path)
    return int(attrs.get("revision", 1))


def _suffix(format: str) -> str:
    if format not in SUFFIX:
        raise ValueError(f"format={format}: choose {', '.join(SUFFIX)}")
    return SUFFIX[format]
