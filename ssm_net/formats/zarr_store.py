"""Mosaics of all days as one Zarr store: a day of a variable is one shard, and is complete once it has a status file.

    ssm_<domain>.zarr/
      ssm, ssm_uncertainty, flags (time, y, x)    packed as in the NetCDF files; time, y, x, lat, lon, crs
      status/<yyyymmdd>.json                    the day's attributes, written after its data

Days are added at the end of the time axis, by one writer at a time; a day may be replaced.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from ssm_net.core.faults import FaultPoint, reached
from ssm_net.core.files import naming_full_disk, write_whole
from ssm_net.core.locks import held_in_turn
from ssm_net.formats.attributes import CONSTANT, OF_ONE_DAY, domain_attributes
from ssm_net.formats.netcdf import CF_EPOCH, DAILY_ATTRIBUTES, as_dataset, decode_dataset, not_a_mosaic
from ssm_net.formats.product import DAILY_VARIABLES, Mosaic, MosaicError, pack

ZARR_CHUNK = 144
# Zarr's default, Zstandard, takes longer to decompress, and misses changed bytes:
# docs/decisions/2026-11-28-maps-in-zarr-are-read-fast.md
COMPRESSORS = (BloscCodec(cname="lz4hc", clevel=1, shuffle=BloscShuffle.shuffle), Crc32cCodec())
NO_ATTRIBUTES = "no_attributes"  # in the status of a mosaic without any
GRID_KEYS = ("domain", "domain_window", "coarse_grid")  # attributes that say where a store is
TIME_CHUNK = 4096  # days in a chunk of the time axis


def write_zarr_day(path: Path, mosaic: Mosaic) -> Path:
    """Write the day into the store at ``path``, which is created or extended where needed.

    Raises ``MosaicError`` where the store is of another domain, or the day lies before its end without being in it;
    ``OSError`` where the disk is full: the day is then incomplete, and the next run writes it again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming_full_disk(path), _one_writer(path):
        if not path.exists():
            _create(path, mosaic)
        _check_domain(path, mosaic)
        status_file(path, mosaic.day).unlink(missing_ok=True)
        place = _place(path, mosaic.day)
        # Shards of an earlier mosaic or of a killed run may be damaged, and zarr reads a shard before it writes one.
        for name in DAILY_VARIABLES:
            if (old := path / name / "c" / str(place)).exists():
                shutil.rmtree(old)
        for name, counts in zip(DAILY_VARIABLES, (pack(mosaic.ssm), pack(mosaic.sigma), mosaic.flags), strict=True):
            _open_array(path, name, "r+")[place] = counts
            reached(FaultPoint.STORE_DAY_HALF_WRITTEN, f"{mosaic.day} {name}")
        _put_time(path, place, mosaic.day)
        reached(FaultPoint.STORE_DAY_WITHOUT_STATUS, mosaic.day)
        status = mosaic.attrs or {NO_ATTRIBUTES: True}  # an empty one would be a damaged one
        write_whole(status_file(path, mosaic.day), json.dumps(status, indent=1).encode())
    return path


def read_zarr_day(path: Path, day: dt.date) -> Mosaic:
    """The mosaic of one day.

    Raises ``FileNotFoundError`` where the day is incomplete, ``MosaicError`` where it is damaged.
    """
    if not status_file(path, day).exists():
        raise FileNotFoundError(f"{path}: {day} is not in it; infer.py writes it")
    with _open_coordinates(path) as store:
        places = np.flatnonzero(store["time"].values == (day - CF_EPOCH).days)
        if len(places) != 1:
            raise not_a_mosaic(path, ValueError(f"{len(places)} places for {day}, which has a status file"))
        dataset = store.isel(time=places).load()
    # One variable at a time: while a day is added, and after a run that was killed then, their lengths differ, which
    # xarray refuses.
    for name in DAILY_VARIABLES:
        counts = read_zarr_window(path, int(places[0]), name, slice(None), slice(None))
        dataset[name] = (("time", "y", "x"), counts[None])
    where = {key: dataset.attrs[key] for key in GRID_KEYS if key in dataset.attrs}
    dataset.attrs = where | zarr_day_attributes(path, day)  # others of the store are of the run that made it
    return decode_dataset(dataset, path)


def zarr_day_attributes(path: Path, day: dt.date) -> dict[str, Any]:
    """The attributes of a complete day. Raises ``MosaicError`` where its status is damaged."""
    again = f"make the day again: infer.py with start={day} end={day} overwrite=true"
    attrs = _read_json(status_file(path, day), again)
    return {key: value for key, value in attrs.items() if key != NO_ATTRIBUTES}


def _read_json(file: Path, remedy: str, *keys: str) -> dict[str, Any]:
    """The JSON object of a file, which holds something, and ``keys`` at least. Raises ``MosaicError`` with the
    remedy."""
    try:
        value = json.loads(file.read_bytes())
        if not isinstance(value, dict) or not value or not set(keys) <= set(value):
            raise ValueError(f"it holds no {', '.join(keys) or 'attributes'}")
    except ValueError as err:
        raise MosaicError(f"{file} is damaged ({err}): {remedy}") from err
    return value


OTHER_FOLDER = "copy the store again from where it came, or give another mosaics=FOLDER"


def zarr_days_done(path: Path) -> list[dt.date]:
    """The complete days of a store, in order; none where there is no store."""
    return sorted(dt.datetime.strptime(file.stem, "%Y%m%d").date() for file in path.glob("status/[0-9]*.json"))


def zarr_day_size(path: Path, day: dt.date) -> int:
    """Bytes of the files that belong to this complete day alone."""
    with _one_writer(path):  # a writer that replaces the day removes its files first
        with _open_coordinates(path) as store:
            place = int(np.flatnonzero(store["time"].values == (day - CF_EPOCH).days)[0])
        shards = [
            file for name in DAILY_VARIABLES for file in (path / name / "c" / str(place)).rglob("*") if file.is_file()
        ]
        return sum(file.stat().st_size for file in (*shards, status_file(path, day)))


def status_file(path: Path, day: dt.date) -> Path:
    """The file that marks a day of the store as complete and holds its attributes."""
    return path / "status" / f"{day:%Y%m%d}.json"


def zarr_layout(path: Path) -> xr.Dataset:
    """The store's packed dataset without its days: variables of no days, coordinates, shared attributes."""
    try:
        with _open_coordinates(path) as store:
            dataset = store.isel(time=slice(0, 0)).load()
        for name in DAILY_VARIABLES:
            array = _open_array(path, name)
            # Those stored are JSON, in which a float32 scale is a double: it would make the decoded values doubles.
            attrs = DAILY_ATTRIBUTES[name]
            dataset[name] = ("time", "y", "x"), np.empty((0, *array.shape[1:]), array.dtype), attrs
    except (OSError, KeyError, ValueError) as err:
        raise not_a_mosaic(path, err) from err
    return dataset


def zarr_places(path: Path) -> dict[dt.date, int]:
    """Each complete day of the store and its place on the time axis, in the order of days.

    Raises ``MosaicError`` where a day has a status file and no place.
    """
    places = {number: place for place, number in enumerate(np.asarray(_open_array(path, "time")[:]).tolist())}
    try:
        return {day: places[(day - CF_EPOCH).days] for day in zarr_days_done(path)}
    except KeyError as err:
        raise not_a_mosaic(path, ValueError(f"no place on the time axis for day {err} since {CF_EPOCH}")) from err


def read_zarr_window(path: Path, place: int, name: str, rows: slice, cols: slice) -> np.ndarray:
    """Packed pixels (rows, cols) of the variable ``name`` at a place on the time axis.

    Raises ``MosaicError`` where the day is damaged.
    """
    try:
        return np.asarray(_open_array(path, name)[place, rows, cols])
    except (OSError, KeyError, ValueError, RuntimeError) as err:  # RuntimeError: of the decompressor
        raise damaged_day(path, place, name, err) from err


def damaged_day(path: Path, place: int, name: str, err: Exception) -> MosaicError:
    """The error of a variable that cannot be read on the day at a place on the time axis; to be raised from ``err``."""
    day = CF_EPOCH + dt.timedelta(int(np.asarray(_open_array(path, "time")[place])))
    remedy = f"make it again: infer.py with start={day} end={day} overwrite=true"
    return MosaicError(f"{path}: {name} of {day} is damaged ({err}); {remedy}")


def _open_coordinates(path: Path) -> xr.Dataset:
    """The packed coordinates and the attributes of a store, without the variables, whose lengths may differ."""
    return xr.open_zarr(path, consolidated=False, chunks=None, decode_cf=False, drop_variables=DAILY_VARIABLES)


def _open_array(path: Path, name: str, mode: Literal["r", "r+"] = "r") -> zarr.Array:
    array = zarr.open(path / name, mode=mode)
    assert isinstance(array, zarr.Array)
    return array


def _one_writer(path: Path) -> AbstractContextManager[None]:
    """A lock, since two writers in one chunk of the time axis would lose each other's days. A kill frees it."""
    return held_in_turn(path.with_name(f".{path.name}.lock"))


def _create(path: Path, mosaic: Mosaic) -> None:
    """An empty store, written under another name and renamed, so that no reader meets half a store."""
    part = path.with_name(f"{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    store = as_dataset(mosaic).isel(time=slice(0, 0))
    shared = {key: value for key, value in mosaic.attrs.items() if key not in OF_ONE_DAY}
    where = {"id": path.stem, "title": f"Daily 1 km surface soil moisture, {mosaic.domain.name}"}
    store.attrs = CONSTANT | domain_attributes(mosaic.domain) | where | shared
    rows, cols = mosaic.domain.fine_shape
    step = ZARR_CHUNK if rows % ZARR_CHUNK == 0 and cols % ZARR_CHUNK == 0 else mosaic.domain.ratio
    encoding: dict[str, dict[str, Any]] = {
        name: {"chunks": (1, step, step), "shards": (1, rows, cols), "compressors": COMPRESSORS}
        for name in DAILY_VARIABLES
    }
    encoding["time"] = {"chunks": (TIME_CHUNK,)}
    encoding |= {name: {"_FillValue": None} for name in ("y", "x", "lat", "lon")}
    store.to_zarr(part, mode="w", consolidated=False, zarr_format=3, encoding=encoding)
    group = {"zarr_format": 3, "node_type": "group", "attributes": {}}  # else zarr warns of a stray folder
    write_whole(part / "status" / "zarr.json", json.dumps(group).encode())
    reached(FaultPoint.STORE_MADE_NOT_RENAMED, path)
    part.rename(path)


def _check_domain(path: Path, mosaic: Mosaic) -> None:
    """Raise ``MosaicError`` where the store is of another domain, or a description in it is damaged."""
    stored = _read_json(path / "zarr.json", OTHER_FOLDER, "attributes")["attributes"]
    for name in (*DAILY_VARIABLES, "time", "y", "x"):
        _read_json(path / name / "zarr.json", OTHER_FOLDER, "node_type")
    expected = domain_attributes(mosaic.domain)
    for key in GRID_KEYS:
        if stored.get(key) != expected[key]:
            raise MosaicError(
                f"{path} was made with {key}={stored.get(key)}, not {expected[key]}: give another mosaics=FOLDER"
            )


def _place(path: Path, day: dt.date) -> int:
    """The index of ``day`` on the time axis, to whose end it is added where it is new.

    The length of an axis is a number in each array's ``zarr.json`` (Zarr v3 core specification, "shape"). They are
    set one after the other and the time axis last, so a killed run leaves the others longer at most; the next write
    sets all of them again.
    """
    number = (day - CF_EPOCH).days
    with _open_coordinates(path) as store:
        days = [int(n) for n in store["time"].values if n]  # 0 at the end: of a run killed before its data
    length = len(days)
    if number in days:
        place = days.index(number)
    elif days and number < days[-1]:
        first, last = (CF_EPOCH + dt.timedelta(number) for number in (days[0], days[-1]))
        raise MosaicError(
            f"{path} holds {first} .. {last}, without {day}; days "
            "are only added after its end: give another mosaics=FOLDER, or format=netcdf, where their order is free"
        )
    else:
        place, length = length, length + 1
    for name in (*DAILY_VARIABLES, "time"):
        _set_length(path / name, length)
        reached(FaultPoint.STORE_HALF_EXTENDED, name)
    return place


def reserve(path: Path, days: Sequence[dt.date]) -> None:
    """Places on the time axis of an existing store for ``days``, which may then be written in any order."""
    with naming_full_disk(path), _one_writer(path):
        for day in sorted(days):
            _put_time(path, _place(path, day), day)


def _put_time(path: Path, place: int, day: dt.date) -> None:
    _open_array(path, "time", "r+")[place] = (day - CF_EPOCH).days


def _set_length(array: Path, length: int) -> None:
    meta = _read_json(array / "zarr.json", OTHER_FOLDER, "shape")
    if meta["shape"][0] != length:
        meta["shape"][0] = length
        write_whole(array / "zarr.json", json.dumps(meta, indent=2).encode())
