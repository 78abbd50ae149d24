"""Writing, reading and finding the mosaic of a day: CF NetCDF, cloud-optimised GeoTIFF or Zarr."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

from ssm_net.core.files import write_if_changed, write_whole
from ssm_net.core.locks import held_in_turn
from ssm_net.formats import zarr_store
from ssm_net.formats.geotiff import encode_geotiff, geotiff_attributes
from ssm_net.formats.netcdf import decode_netcdf, encode_netcdf, netcdf_attributes
from ssm_net.formats.product import Flag, Mosaic, MosaicError, stem
from ssm_net.formats.qgis_style import STYLE_NAME, encode_style
from ssm_net.formats.quicklook import encode_quicklook
from ssm_net.formats.stac import encode_item, item_path, write_collection
from ssm_net.grid import Domain

__all__ = [
    "Flag",
    "Mosaic",
    "MosaicError",
    "day_done",
    "day_path",
    "day_size",
    "days_done",
    "describe_folder",
    "files_beside",
    "provisional_days",
    "provisional_file",
    "quicklook_path",
    "read_day",
    "revision_of",
    "write_day",
    "write_quicklook",
]

SUFFIXES = {"netcdf": ".nc", "cog": ".tif", "zarr": ".zarr"}
ENCODERS = {"netcdf": encode_netcdf, "cog": encode_geotiff}


def day_path(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> Path:
    """Where a day is, or will be: a file of its own, or the Zarr store of all days.

    Raises ``MosaicError`` for an unknown format.
    """
    name = f"ssm_{domain_name}" if format == "zarr" else stem(domain_name, day)
    return Path(folder) / f"{name}{_suffix(format)}"


def day_done(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> bool:
    """Whether the day is complete: a file gets its name only then, a day of a Zarr store its status file."""
    path = day_path(folder, domain_name, day, format)
    return zarr_store.status_file(path, day).is_file() if format == "zarr" else path.is_file()


def days_done(folder: Path, domain_name: str, format: str = "netcdf") -> list[dt.date]:
    """The complete days of a folder, in order. Raises ``MosaicError`` for an unknown format."""
    suffix = re.escape(_suffix(format))
    if format == "zarr":
        return zarr_store.zarr_days_done(Path(folder) / f"ssm_{domain_name}.zarr")
    name = re.compile(rf"ssm_{re.escape(domain_name)}_(\d{{8}}){suffix}")
    matches = (name.fullmatch(path.name) for path in Path(folder).glob("ssm_*"))
    return sorted(dt.datetime.strptime(match[1], "%Y%m%d").date() for match in matches if match)


def write_day(mosaic: Mosaic, folder: Path, format: str = "netcdf") -> Path:
    """Write one day and return its path; a day that exists is replaced.

    Raises ``OSError`` where the disk is full, ``MosaicError`` for an unknown format.
    """
    path = day_path(folder, mosaic.domain.name, mosaic.day, format)
    if format == "zarr":
        return zarr_store.write_zarr_day(path, mosaic)
    data = ENCODERS[format](mosaic)
    if format == "cog":
        _write_beside(mosaic, path)
    return write_whole(path, data)


def files_beside(folder: Path, domain_name: str, day: dt.date) -> tuple[Path, Path]:
    """The STAC item and the QGIS style of a day's GeoTIFF."""
    return item_path(Path(folder), domain_name, day), day_path(folder, domain_name, day, "cog").with_suffix(".qml")


def _write_beside(mosaic: Mosaic, path: Path) -> None:
    """Before the map itself, which says that the day is done."""
    item, style = files_beside(path.parent, mosaic.domain.name, mosaic.day)
    picture = quicklook_path(path.parent, mosaic.domain.name, mosaic.day)
    write_whole(style, encode_style())
    write_whole(item, encode_item(mosaic, picture.relative_to(path.parent).as_posix() if picture.exists() else None))


def describe_folder(folder: Path, domain: Domain, format: str) -> None:
    """Write what all days of a folder share: of GeoTIFFs their STAC collection, of NetCDF files the QGIS style."""
    folder = Path(folder)
    if format == "netcdf":
        write_if_changed(folder / STYLE_NAME, encode_style())
    elif format == "cog":
        with held_in_turn(folder / ".collection.lock"):  # of two runs the later one lists the days of both
            days = [
                day for day in days_done(folder, domain.name, format) if item_path(folder, domain.name, day).exists()
            ]
            if days:
                write_collection(folder, domain, days)


def quicklook_path(folder: Path, domain_name: str, day: dt.date) -> Path:
    """Where the picture of a day is, or will be."""
    return Path(folder) / "quicklook" / f"{stem(domain_name, day)}.png"


def write_quicklook(mosaic: Mosaic, folder: Path) -> Path:
    """Write the day's picture and return its path."""
    return write_whole(quicklook_path(folder, mosaic.domain.name, mosaic.day), encode_quicklook(mosaic))


def provisional_file(folder: Path, domain_name: str, day: dt.date) -> Path:
    """The empty file that is there as long as the map of a day is provisional: from before the map is written until it
    is final."""
    return Path(folder) / "provisional" / stem(domain_name, day)


def provisional_days(folder: Path, domain_name: str) -> set[dt.date]:
    """The days of a folder whose map is provisional."""
    marks = (path.name.rpartition("_") for path in (Path(folder) / "provisional").glob(f"ssm_{domain_name}_*"))
    return {dt.datetime.strptime(day, "%Y%m%d").date() for name, _, day in marks if name == f"ssm_{domain_name}"}


def day_size(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> int:
    """Bytes that the day alone takes on the disk, without what all days of a Zarr store share."""
    path = day_path(folder, domain_name, day, format)
    return zarr_store.zarr_day_size(path, day) if format == "zarr" else path.stat().st_size


def read_day(path: Path, day: dt.date | None = None) -> Mosaic:
    """The mosaic of a NetCDF file or, with ``day``, of a Zarr store, to packing precision (5e-5 m3 m-3).

    Raises ``FileNotFoundError``, or ``MosaicError`` where it is not such a mosaic (a GeoTIFF has another grid).
    """
    path = Path(path)
    if path.suffix == SUFFIXES["zarr"]:
        if day is None:
            raise MosaicError(f"{path} holds many days: give the day to read")
        return zarr_store.read_zarr_day(path, day)
    if path.suffix != SUFFIXES["netcdf"]:
        raise MosaicError(f"{path}: only NetCDF and Zarr mosaics lie on the domain's own grid; run infer.py with one")
    return decode_netcdf(path)


def revision_of(folder: Path, domain_name: str, day: dt.date, format: str = "netcdf") -> int:
    """The revision of a complete day; 1 where its attributes name none."""
    path = day_path(folder, domain_name, day, format)
    if format == "zarr":
        return int(zarr_store.zarr_day_attributes(path, day).get("revision", 1))
    attrs = netcdf_attributes(path) if format == "netcdf" else geotiff_attributes(path)
    return int(attrs.get("revision", 1))


def _suffix(format: str) -> str:
    if format not in SUFFIXES:
        raise MosaicError(f"format={format}: choose {', '.join(SUFFIXES)}")
    return SUFFIXES[format]
