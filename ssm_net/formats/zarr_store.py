"""Mosaic days as one Zarr store: a day of a variable is one shard, and is done when its status says so.

    ssm_<domain>.zarr/
      ssm, ssm_uncertainty, flags (time, y, x)    packed as in the NetCDF files; time, y, x, lat, lon, crs
      status/<yyyymmdd>.json                    the day's attributes, written after its data

Days are added at the end and have one writer at a time; a day may be made again.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from ssm_net.core.files import naming_full_disk, write_whole
from ssm_net.formats.netcdf import EPOCH, as_dataset, decode_dataset, global_attributes, not_a_mosaic
from ssm_net.formats.product import Mosaic, pack

CHUNK = 144
DAILY = ("ssm", "ssm_uncertainty", "flags")
TIMES = 4096  # days in a chunk of the time axis


def write(path: Path, mosaic: Mosaic) -> Path:
    """Write the day into the store at ``path``, making or extending it.

    Raises ``ValueError`` where the store is of another domain, or the day lies before its end without being in it;
    ``OSError`` where the disk is full: the day is not done then, and the next run makes it again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming_full_disk(path), _one_writer(path):
        if not path.exists():
            _create(path, mosaic)
        _check_domain(path, mosaic)
        status_file(path, mosaic.day).unlink(missing_ok=True)
        where = _place(path, mosaic.day)
        # What is there is of an earlier map, of a killed run, or damaged: zarr reads a shard before it writes one.
        for name in DAILY:
            if (old := path / name / "c" / str(where)).exists():
                shutil.rmtree(old)
        for name, counts in zip(DAILY, (pack(mosaic.ssm), pack(mosaic.sigma), mosaic.flags), strict=True):
            array = zarr.open(path / name, mode="r+")
            assert isinstance(array, zarr.Array)
            array[where] = counts
        _put_time(path, where, mosaic.day)
        write_whole(status_file(path, mosaic.day), json.dumps(mosaic.attrs, indent=1).encode())
    return path


def read(path: Path, day: dt.date) -> Mosaic:
    """One day. Raises ``FileNotFoundError`` where it is not done."""
    if not status_file(path, day).exists():
        raise FileNotFoundError(f"{path}: {day} is not in it; infer.py writes it")
    with xr.open_zarr(path, consolidated=False, chunks=None, decode_times=False, drop_variables=DAILY) as store:
        places = np.flatnonzero(store["time"].values == (day - EPOCH).days)
        if len(places) != 1:
            raise not_a_mosaic(path, ValueError(f"{len(places)} places for {day}, which is said to be done"))
        dataset = store.isel(time=places).load()
    # One by one: while a day is added, and after a run that was killed then, some are longer than others, which xarray
    # takes for an error.
    for name in DAILY:
        array = zarr.open(path / name, mode="r")
        assert isinstance(array, zarr.Array)
        dataset[name] = (("time", "y", "x"), np.asarray(array[int(places[0])])[None])
    del dataset.attrs["title"]  # that of the store
    dataset.attrs |= attributes(path, day)
    return decode_dataset(dataset, path)


def attributes(path: Path, day: dt.date) -> dict[str, Any]:
    """What the store says of a day."""
    own: dict[str, Any] = json.loads(status_file(path, day).read_text())
    return own


def days_done(path: Path) -> list[dt.date]:
    return sorted(dt.datetime.strptime(file.stem, "%Y%m%d").date() for file in path.glob("status/[0-9]*.json"))


def size(path: Path, day: dt.date) -> int:
    """Bytes of the files that belong to a day which is done, and to no other."""
    with _one_writer(path):  # who else makes the day again takes its files away first
        with xr.open_zarr(path, consolidated=False, chunks=None, decode_times=False, drop_variables=DAILY) as store:
            where = int(np.flatnonzero(store["time"].values == (day - EPOCH).days)[0])
        shards = [file for name in DAILY for file in (path / name / "c" / str(where)).rglob("*") if file.is_file()]
        return sum(file.stat().st_size for file in (*shards, status_file(path, day)))


def status_file(path: Path, day: dt.date) -> Path:
    return path / "status" / f"{day:%Y%m%d}.json"


@contextmanager
def _one_writer(path: Path) -> Iterator[None]:
    """Two writers in one chunk of the time axis would lose each other's days. Freed by the system at a kill."""
    with open(path.with_name(f".{path.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _create(path: Path, mosaic: Mosaic) -> None:
    """An empty store, made beside and renamed: a store is never there by half."""
    part = path.with_name(f"{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    store = as_dataset(mosaic).isel(time=slice(0, 0))
    shared = {k: v for k, v in global_attributes(mosaic).items() if k not in mosaic.attrs}
    store.attrs = shared | {"title": f"Daily 1 km surface soil moisture, {mosaic.domain.name}"}
    rows, cols = mosaic.domain.fine_shape
    step = CHUNK if rows % CHUNK == 0 and cols % CHUNK == 0 else mosaic.domain.ratio
    encoding: dict[str, dict[str, Any]] = {
        name: {"chunks": (1, step, step), "shards": (1, rows, cols)} for name in DAILY
    }
    encoding["time"] = {"chunks": (TIMES,)}
    encoding |= {name: {"_FillValue": None} for name in ("y", "x", "lat", "lon")}
    store.to_zarr(part, mode="w", consolidated=False, zarr_format=3, encoding=encoding)
    group = {"zarr_format": 3, "node_type": "group", "attributes": {}}  # else zarr warns of a stray folder
    write_whole(part / "status" / "zarr.json", json.dumps(group).encode())
    part.rename(path)


def _check_domain(path: Path, mosaic: Mosaic) -> None:
    have = json.loads((path / "zarr.json").read_text())["attributes"]
    want = global_attributes(mosaic)
    for key in ("domain", "domain_window", "coarse_grid"):
        if have[key] != want[key]:
            raise ValueError(f"{path} was made with {key}={have[key]}, not {want[key]}: give another mosaics=FOLDER")


def _place(path: Path, day: dt.date) -> int:
    """The index of ``day``, after adding it to the end of the time axis where it is new.

    The length of an axis is a number in each array's ``zarr.json`` (Zarr v3 core specification, "shape"). They are
    set one after the other and the time axis last, so a killed run leaves the others longer at most; the next write
    sets them all again.
    """
    number = (day - EPOCH).days
    with xr.open_zarr(path, consolidated=False, chunks=None, decode_times=False, drop_variables=DAILY) as store:
        days = [int(n) for n in store["time"].values if n]  # a 0 at the end: added, but killed before its data
    length = len(days)
    if number in days:
        where = days.index(number)
    elif days and number < days[-1]:
        raise ValueError(
            f"{path} holds {EPOCH + dt.timedelta(days[0])} .. {EPOCH + dt.timedelta(days[-1])}, without {day}; days "
            "are only added after its end: give another mosaics=FOLDER, or format=netcdf, where their order is free"
        )
    else:
        where, length = length, length + 1
    for name in (*DAILY, "time"):
        _set_length(path / name, length)
    return where


def reserve(path: Path, days: Sequence[dt.date]) -> None:
    """Places for ``days`` in a store that is there, in order, so that they may be written in any."""
    with naming_full_disk(path), _one_writer(path):
        for day in sorted(days):
            _put_time(path, _place(path, day), day)


def _put_time(path: Path, where: int, day: dt.date) -> None:
    times = zarr.open(path / "time", mode="r+")
    assert isinstance(times, zarr.Array)
    times[where] = (day - EPOCH).days


def _set_length(array: Path, length: int) -> None:
    meta = json.loads((array / "zarr.json").read_text())
    if meta["shape"][0] != length:
        meta["shape"][0] = length
        write_whole(array / "zarr.json", json.dumps(meta, indent=2).encode())
