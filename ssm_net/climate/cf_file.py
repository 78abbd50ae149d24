"""A CF file of statistics, written block by block: whole or absent, with what all of these files share.

The file is written under another name, and gets its own when all blocks are in it and on the disk. It is never held in
memory: a month of days of a country would be gigabytes.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr

from ssm_net.climate.errors import ClimateError
from ssm_net.climate.map_record import BLOCK, Block, MapRecord
from ssm_net.core.files import naming_full_disk, put_in_place
from ssm_net.dateline import wrapped
from ssm_net.formats.attributes import CONSTANT
from ssm_net.formats.geotiff import GEOGRAPHIC
from ssm_net.formats.netcdf import CF_EPOCH, time_coordinate
from ssm_net.version import __version__

SOURCE_DIGEST = "source_digest"  # attribute: what the file was made of
EACH_DAY = ("platform", "instrument", "coarse_sources")  # attributes of maps, lists of names
NOT_OF_MAPS = ("id", "title", "summary", "comment", "history", "domain_window", "coarse_grid", "inference_tile",
               "time_coverage_start", "time_coverage_end", "time_coverage_duration", "status", "days_ahead",
               "revision")  # fmt: skip
NUMBERS = ("geospatial_lat_min", "geospatial_lat_max", "geospatial_lon_min", "geospatial_lon_max",
           "geospatial_vertical_min", "geospatial_vertical_max")  # fmt: skip


@dataclass(frozen=True)
class Variable:
    """A variable (time, y, x) as it is stored: integers, of which ``fill`` stands for no value and ``scale`` is a
    unit; and its CF attributes."""

    dtype: str
    attrs: Mapping[str, Any]
    fill: int | None = None
    scale: float | None = None

    def packed(self, values: np.ndarray) -> np.ndarray:
        """Integers of values, NaN as the fill value; what is beyond their range becomes its end."""
        if self.scale is None:
            return values.astype(self.dtype)
        limits, lowest = np.iinfo(self.dtype), 0 if self.fill is None else 1
        counts = np.clip(np.rint(values / self.scale), limits.min + lowest, limits.max)
        return np.asarray(np.where(np.isnan(values), self.fill or 0, np.nan_to_num(counts))).astype(self.dtype)


@dataclass(frozen=True)
class FileContents:
    """What a file holds: its ``variables``, its time axis (``time`` with bounds, as xarray variables) and its own
    attributes. ``numbers`` are those of the maps it rests on."""

    variables: Mapping[str, Variable]
    axis: Mapping[str, xr.Variable]
    attrs: Mapping[str, Any]
    numbers: Sequence[int]


class BlockFile:
    """An open file of statistics, to be filled block by block."""

    def __init__(self, file: h5py.File, contents: FileContents) -> None:
        self.file, self.contents = file, contents

    def write(self, place: int, block: Block, values: Mapping[str, np.ndarray]) -> None:
        """Put the values (rows, cols) of a block at a place of the time axis."""
        for name, field in values.items():
            self.file[name][(place, *block)] = self.contents.variables[name].packed(field)


@contextmanager
def block_file(path: Path, record: MapRecord, contents: FileContents, rows: int) -> Iterator[BlockFile]:
    """A file that is at ``path``, whole, once the context ends without an error; ``rows`` is the height of its blocks.

    Raises ``OSError`` with the remedy where the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # of a killed run: the folder has one writer
    dataset = _coordinates(record, contents)
    try:
        with naming_full_disk(path):
            encoding = {name: {"_FillValue": None} for name in dataset.variables}
            dataset.to_netcdf(part, engine="h5netcdf", format="NETCDF4", encoding=encoding)
            with h5netcdf.File(part, "r+") as empty:
                _create(empty, record, contents, rows)
            with h5py.File(part, "r+") as file:  # h5netcdf takes far longer to find a variable
                yield BlockFile(file, contents)
            with open(part, "rb") as written:
                os.fsync(written.fileno())
            put_in_place(part, path)
    finally:
        part.unlink(missing_ok=True)


def _create(file: h5netcdf.File, record: MapRecord, contents: FileContents, rows: int) -> None:
    dims = ("time", "lat", "lon") if "x" not in record.maps.dataset.dims else ("time", "y", "x")
    chunks = 1, min(rows, record.shape[0]), min(BLOCK, record.shape[1])
    for name, variable in contents.variables.items():
        stored = file.create_variable(
            name, dims, variable.dtype, fillvalue=variable.fill, chunks=chunks, compression="gzip",
            compression_opts=4, shuffle=True,
        )  # fmt: skip
        attrs = dict(variable.attrs) | {"grid_mapping": "crs"}
        attrs |= {"coordinates": "lat lon"} if dims[1] == "y" else {}
        if variable.scale is not None:
            attrs |= {"scale_factor": np.float32(variable.scale), "add_offset": np.float32(0)}
        stored.attrs.update({key: attrs[key] for key in sorted(attrs)})


def _coordinates(record: MapRecord, contents: FileContents) -> xr.Dataset:
    """The grid of the maps, the time axis and the global attributes."""
    maps = record.maps.dataset
    names = [name for name in ("y", "x", "lat", "lon", "crs") if name in maps.variables]
    grid = {name: maps[name].variable.to_base_variable() for name in names}
    return xr.Dataset({}, {**grid, **contents.axis}, _attributes(record, contents))


def time_axis(label: str, days: Sequence[dt.date], bounds: Sequence[tuple[dt.date, dt.date]], kind: str = "bounds",
              name: str = "time_bounds") -> dict[str, xr.Variable]:  # fmt: skip
    """The packed time axis of ``days`` and its bounds; ``kind`` is ``bounds`` or ``climatology``."""
    dim, values, attrs = time_coordinate(days)
    edges = np.array([[(day - CF_EPOCH).days for day in pair] for pair in bounds], np.int32)
    return {
        "time": xr.Variable(dim, values, attrs | {"long_name": label, kind: name}),
        name: xr.Variable((dim, "bound"), edges),
    }


def _attributes(record: MapRecord, contents: FileContents) -> dict[str, Any]:
    """What the maps share, what their days add up to, and what is of this file alone."""
    maps, mosaics = record.maps, record.maps.mosaics
    shared = {k: v for k, v in maps.dataset.attrs.items() if k not in NOT_OF_MAPS and not k.startswith("uncertainty_")}
    shared |= {key: float(shared[key]) for key in NUMBERS if key in shared}  # text, in a GeoTIFF
    shared |= _extents(record)
    described = [record.described[n] for n in contents.numbers]
    joined = {key: _each_once(", ", [d.get(key) for d in described]) for key in EACH_DAY}
    joined["input_citations"] = _each_once("\n", [d.get("input_citations") for d in described])
    provisional = sum(d.get("status") == "provisional" for d in described)
    own = {
        "domain": mosaics.domain_name,
        "history": f"made of daily maps by ssm_net {__version__} (climate.py)",
        "number_of_maps": len(contents.numbers),
        "number_of_provisional_maps": provisional,
        "status": "provisional" if provisional else "final",
    }
    return dict(CONSTANT) | shared | {k: v for k, v in joined.items() if v} | own | dict(contents.attrs)


def _extents(record: MapRecord) -> dict[str, float]:
    """The outermost pixel centres of a grid in degrees; maps on the equal-area grid state their own."""
    grid = record.maps.grid
    if grid.crs != GEOGRAPHIC:
        return {}
    lon = wrapped(grid.lon)
    ends = {"lat_min": grid.lat[-1], "lat_max": grid.lat[0], "lon_min": lon[0], "lon_max": lon[-1]}
    return {f"geospatial_{name}": float(value) for name, value in ends.items()}


def _each_once(between: str, lists: Sequence[Any]) -> str:
    names = [name for text in lists if text for name in str(text).split(between)]
    return between.join(name for name in dict.fromkeys(names) if name != "none")


def file_attributes(path: Path) -> dict[str, Any]:
    """The global attributes of a file; none where there is no file. Raises ``ClimateError`` where it is damaged."""
    if not path.exists():
        return {}
    try:
        with h5py.File(path, "r") as file:
            return dict(file.attrs)
    except OSError as err:
        raise ClimateError(f"{path} is damaged ({err}): remove it and run the same command again") from err


def read_block(path: Path, place: int, block: Block, *names: str) -> list[np.ndarray]:
    """Decoded pixels (rows, cols) of variables of a file, float32 with NaN where scaled, else as stored.

    Raises ``ClimateError`` where the file is damaged.
    """
    out = []
    try:
        with h5py.File(path, "r") as file:
            for name in names:
                stored = file[name]
                counts = np.asarray(stored[(place, *block)])
                if "scale_factor" not in stored.attrs:
                    out.append(counts)
                    continue
                values = counts * np.float32(stored.attrs["scale_factor"].item())
                out.append(np.where(counts == stored.attrs["_FillValue"], np.float32(np.nan), values))
    except (OSError, KeyError) as err:
        raise ClimateError(f"{path} is damaged ({err}): remove it and run the same command again") from err
    return out
