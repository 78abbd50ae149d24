"""The Zarr cube: everything the network reads, on the grid, packed, one shard a day and variable.

    cube.zarr/
      fine/<variable>(time, y, x)     packed integers; shard = one day of the whole domain, inner chunk 144 x 144
      coarse/<variable>(time, row, col)
      static/<variable>(y, x)         and static_cell/<variable>(row, col), its cell means
      status/<yyyymmdd>.json          written after the day's data: a day is done when it says so
      stats/<name>.json               statistics, with the dates they were computed from

A day has one writer, which writes all its variables and then its status; it is the unit of restart. Final days are
never rewritten when the period is extended. The only module that imports zarr; ``shards`` reads windows of pixels.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import functools
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from zarr.codecs import BloscCodec, BloscShuffle

from ssm_net.files import write_whole
from ssm_net.grid import Domain, Footprint, Grid, Window, block_mean
from ssm_net.shards import Shards
from ssm_net.variables import COARSE, FINE, STATIC_UNITS

EPOCH = dt.date(2000, 1, 1)
FORMAT = 1
CHUNK = 144


class CubeError(ValueError):
    """The cube is missing, of another domain or format, locked or damaged; the message names the remedy."""


@dataclass(frozen=True)
class Cube:
    """A cube on disk. Reading opens arrays lazily; the value can be sent to another process."""

    path: Path
    domain: Domain
    days: tuple[dt.date, ...]
    fine: tuple[str, ...]
    coarse: tuple[str, ...]
    static: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def index(self, day: dt.date) -> int:
        try:
            return self._index[day]
        except KeyError:
            raise CubeError(f"{self.path}: {day} is not in the cube ({self.days[0]} .. {self.days[-1]})") from None

    @functools.cached_property
    def _index(self) -> dict[dt.date, int]:
        return {day: i for i, day in enumerate(self.days)}

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_index", "_arrays", "_shards")}

    @functools.cached_property
    def _arrays(self) -> dict[str, zarr.Array]:
        return {}

    @functools.cached_property
    def _shards(self) -> dict[str, Shards]:
        return {}

    def _array(self, key: str) -> zarr.Array:
        if key not in self._arrays:
            found = zarr.open(self.path / key, mode="r")
            assert isinstance(found, zarr.Array)
            self._arrays[key] = found
        return self._arrays[key]

    # ---- reading -----------------------------------------------------------------------------------------------

    def read_packed(self, name: str, day: dt.date, window: Window | None = None) -> np.ndarray:
        """A fine variable as stored, (y, x), on ``window`` = (y0, y1, x0, x1) pixels."""
        return self._read_window(f"fine/{name}", window, str(day), self.index(day))

    def read(self, name: str, day: dt.date, window: Window | None = None) -> np.ndarray:
        """A fine variable, (y, x) float32, NaN where missing."""
        return FINE[name].unpack(self.read_packed(name, day, window))

    def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
        """A coarse variable, (row, col) float32, NaN where missing; of a day the cube does not hold: all NaN."""
        if day not in self._index:
            return np.full(self.domain.coarse_shape, np.nan, "float32")
        return COARSE[name].unpack(self._read(f"coarse/{name}", (self.index(day),), str(day)))

    def read_static(self, name: str, window: Window | None = None) -> np.ndarray:
        """A static variable, (y, x) float32."""
        return self._read_window(f"static/{name}", window, "static")

    def read_static_cell(self, name: str) -> np.ndarray:
        """The cell means of a static variable, (row, col) float32."""
        return self._read(f"static_cell/{name}", (slice(None), slice(None)), "static")

    def _read(self, key: str, where: tuple[Any, ...], what: str) -> np.ndarray:
        with self._naming(key, what):
            return np.asarray(self._array(key)[where])

    def _read_window(self, key: str, window: Window | None, what: str, *where: int) -> np.ndarray:
        with self._naming(key, what):
            if key not in self._shards:
                self._shards[key] = Shards.open(self.path / key)
            height, width = self.domain.fine_shape
            return self._shards[key].read(window or (0, height, 0, width), *where)

    @contextlib.contextmanager
    def _naming(self, key: str, what: str) -> Iterator[None]:
        """An error of reading says which variable of which day, and the remedy."""
        try:
            yield
        except (OSError, RuntimeError, ValueError) as err:
            raise CubeError(
                f"{self.path / key} of {what} cannot be read ({err}); the shard is damaged: "
                f"delete {self.path}/status/{what.replace('-', '')}.json and run prepare.py again for that day"
            ) from err

    def footprint(self) -> Footprint:
        """The sensor operator that the cube was prepared for."""
        fwhm = self.attrs["fwhm_km"] * 1000 / self.domain.grid.pixel
        return Footprint.of(self.attrs["footprint"], self.domain.coarse_shape, self.domain.ratio, fwhm)

    # ---- status ------------------------------------------------------------------------------------------------

    def status(self, day: dt.date) -> dict[str, Any] | None:
        """What was stored for a day, or None where the day is not done."""
        file = self._status_file(day)
        return json.loads(file.read_text()) if file.exists() else None

    def done(self, day: dt.date) -> bool:
        return self._status_file(day).exists()

    def done_days(self) -> list[dt.date]:
        """The days that are whole, in order."""
        have = {p.stem for p in (self.path / "status").glob("*.json")}
        return [day for day in self.days if f"{day:%Y%m%d}" in have]

    def revision(self, day: dt.date) -> int:
        """How often ``day`` was made, with what was known then; 1 for what is stored once and for all."""
        return int((self.status(day) or {}).get("revision", 1))

    def next_revision(self, day: dt.date) -> int:
        """What ``day`` is made as, when it is made next."""
        withdrawn = self._status_file(day).with_suffix(".was")
        return int(json.loads(withdrawn.read_text()).get("revision", 1)) + 1 if withdrawn.exists() else 1

    def withdraw(self, first: dt.date) -> None:
        """Take ``first`` and all stored days after it as not done. The last goes first: a cut leaves no day that rests
        on one that is withdrawn."""
        for day in reversed(self.done_days()):
            if day >= first:
                self._status_file(day).replace(self._status_file(day).with_suffix(".was"))

    def _status_file(self, day: dt.date) -> Path:
        return self.path / "status" / f"{day:%Y%m%d}.json"

    # ---- writing -----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the cube as its only writer. Raises ``CubeError`` where another process holds it."""
        with open(self.path / ".lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CubeError(f"{self.path} is being written by another process; wait for it to end") from None
            yield

    def write_day(
        self, day: dt.date, fine: Mapping[str, np.ndarray], coarse: Mapping[str, np.ndarray], info: Mapping[str, Any]
    ) -> None:
        """Store a day: ``fine`` as packed arrays (y, x), ``coarse`` as floats (row, col), then the status.

        Raises ``CubeError`` where the day is already done (a stored day is never rewritten) or a variable is missing.
        """
        if self.done(day):
            raise CubeError(f"{self.path}: {day} is stored already; delete {self._status_file(day)} to make it again")
        if missing := (set(self.fine) - set(fine)) | (set(self.coarse) - set(coarse)):
            raise CubeError(f"{self.path}: {day}: nothing given for {', '.join(sorted(missing))}")
        where = self.index(day)
        for name in self.fine:
            self._open_to_write(f"fine/{name}")[where] = fine[name]
        for name in self.coarse:
            self._open_to_write(f"coarse/{name}")[where] = COARSE[name].pack(coarse[name])
        write_json(self._status_file(day), dict(info))

    def write_static(self, name: str, values: np.ndarray) -> None:
        """A static variable, (y, x), and its cell means."""
        self._open_to_write(f"static/{name}")[:] = values.astype("float32")
        cells = block_mean(torch.from_numpy(values.astype("float32")), self.domain.ratio)
        self._open_to_write(f"static_cell/{name}")[:] = cells.numpy()

    def _open_to_write(self, key: str) -> zarr.Array:
        found = zarr.open(self.path / key, mode="r+")
        assert isinstance(found, zarr.Array)
        return found

    # ---- statistics --------------------------------------------------------------------------------------------

    def stats(self, name: str) -> dict[str, Any] | None:
        file = self.path / "stats" / f"{name}.json"
        return json.loads(file.read_text()) if file.exists() else None

    def write_stats(self, name: str, stats: Mapping[str, Any]) -> None:
        write_json(self.path / "stats" / f"{name}.json", dict(stats))


def open_cube(path: str | Path) -> Cube:
    """Open for reading. Raises ``CubeError`` where there is none, or its making was cut off."""
    path = Path(path)
    if not (path / "cube.json").exists():
        raise CubeError(f"{path} is not a cube; make one with: python prepare.py raw=RAW cube={path} domain=NAME ...")
    meta = json.loads((path / "cube.json").read_text())
    if meta["format"] != FORMAT:
        raise CubeError(f"{path} has format {meta['format']}, this version reads {FORMAT}: prepare it again")
    domain = Domain(meta["domain"], tuple(meta["window"]), Grid(**meta["grid"]))
    days = tuple(EPOCH + dt.timedelta(int(n)) for n in meta["days"])
    fine, coarse, static = (tuple(meta[k]) for k in ("fine", "coarse", "static"))
    return Cube(path, domain, days, fine, coarse, static, meta["attrs"])


def create_cube(
    path: str | Path,
    domain: Domain,
    days: Sequence[dt.date],
    fine: Sequence[str],
    coarse: Sequence[str],
    static: Sequence[str],
    attrs: Mapping[str, Any],
) -> Cube:
    """Open the cube at ``path`` with ``days`` in it, making or extending it as needed.

    Raises ``CubeError`` where it holds another domain, other variables or other settings, or where a new day lies
    before its last one (the memory runs forward, so days are added at the end).
    """
    path = Path(path)
    want = {"domain": domain.name, "window": list(domain.window), "grid": domain.grid.__dict__, "fine": list(fine),
            "coarse": list(coarse), "static": list(static), "attrs": dict(attrs), "format": FORMAT}  # fmt: skip
    if (path / "cube.json").exists():
        have = json.loads((path / "cube.json").read_text())
        # A cube of an earlier version keeps the variables it was made with, and lacks settings that came later.
        given = {"fine": fine, "coarse": coarse}
        want |= {k: have[k] for k, names in given.items() if set(have[k]) <= set(names)}
        have["attrs"] = {k: "" for k, v in attrs.items() if v == ""} | have["attrs"]
        for key, value in want.items():
            if have[key] != json.loads(json.dumps(value)):
                raise CubeError(
                    f"{path} was made with {_difference(key, have[key], value)}: give another cube=PATH, "
                    "the same settings and the same product folders, or delete it and prepare it again"
                )
        old = open_cube(path)
        new = [day for day in days if day not in old._index]
        if new and old.days and new[0] < old.days[-1]:
            raise CubeError(
                f"{path} holds {old.days[0]} .. {old.days[-1]}; {new[0]} lies before its end and days are only "
                "added after it: give another cube=PATH for an earlier period"
            )
        if not new:
            return old
        all_days = [*old.days, *new]
    else:
        if path.exists() and any(path.iterdir()):
            raise CubeError(f"{path} exists and is not a cube: give another cube=PATH, or delete it")
        all_days = list(days)
        # Made beside and renamed, so that a cube whose making was cut off is never taken for one.
        part = path.with_name(path.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        _make(part, domain, fine, coarse, static)
        (part / "status").mkdir()
        # As a cube without days, so that one cut off before it has any is gone on with.
        write_json(part / "cube.json", want | {"days": []})
        part.rename(path)
    _resize(path, all_days, fine, coarse)
    # The list of days comes last: were it cut off before this line, the next run resizes again to the same size.
    write_json(path / "cube.json", want | {"days": [(day - EPOCH).days for day in all_days]})
    return open_cube(path)


def _difference(key: str, have: Any, want: Any) -> str:
    """ "x=1, not 2", of a mapping only the entries that differ."""
    if not isinstance(have, Mapping) or not isinstance(want, Mapping):
        return f"{key}={have}, not {want}"
    return "; ".join(
        f"{k}={have.get(k) or 'none'}, not {want.get(k) or 'none'}"
        for k in sorted({*have, *want})
        if have.get(k) != want.get(k)
    )


def _make(path: Path, domain: Domain, fine: Sequence[str], coarse: Sequence[str], static: Sequence[str]) -> None:
    root = zarr.create_group(path)
    ny, nx = domain.fine_shape
    rows, cols = domain.coarse_shape
    chunk = (CHUNK if ny % CHUNK == 0 else domain.ratio, CHUNK if nx % CHUNK == 0 else domain.ratio)
    codec = BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.shuffle)
    for group, gbox in {"fine": domain.fine, "coarse": domain.coarse}.items():
        g = root.create_group(group)
        dims = ("y", "x") if group == "fine" else ("row", "col")
        for dim, axis in zip(dims, gbox.dims, strict=True):
            values = np.asarray(gbox.coordinates[axis].values)
            a = g.create_array(dim, data=values, dimension_names=[dim])
            a.attrs.update({"units": "m", "standard_name": f"projection_{axis}_coordinate", "crs": domain.grid.crs})
        time = g.create_array("time", shape=(0,), chunks=(4096,), dtype="int32", dimension_names=["time"])
        time.attrs.update({"units": f"days since {EPOCH}", "calendar": "standard", "standard_name": "time"})
    for name in fine:
        v = FINE[name]
        a = root["fine"].create_array(  # type: ignore[union-attr, call-arg]
            name, shape=(0, ny, nx), chunks=(1, *chunk), shards=(1, ny, nx), dtype=v.dtype, fill_value=v.fill,
            compressors=codec, dimension_names=["time", "y", "x"])  # fmt: skip
        a.attrs.update(v.attrs())
    for name in coarse:
        v = COARSE[name]
        a = root["coarse"].create_array(  # type: ignore[union-attr, call-arg]
            name, shape=(0, rows, cols), chunks=(1, rows, cols), dtype=v.dtype, fill_value=v.fill, compressors=codec,
            dimension_names=["time", "row", "col"])  # fmt: skip
        a.attrs.update(v.attrs())
    groups = {"static": root.create_group("static"), "static_cell": root.create_group("static_cell")}
    for name in static:
        groups["static_cell"].create_array(
            name, shape=(rows, cols), chunks=(rows, cols), dtype="float32", fill_value=np.nan,
            dimension_names=["row", "col"])  # fmt: skip
        a = groups["static"].create_array(
            name, shape=(ny, nx), chunks=chunk, shards=(ny, nx), dtype="float32", fill_value=np.nan, compressors=codec,
            dimension_names=["y", "x"])  # fmt: skip
        a.attrs["units"] = STATIC_UNITS.get(name, "")


def _resize(path: Path, days: Sequence[dt.date], fine: Sequence[str], coarse: Sequence[str]) -> None:
    root = zarr.open_group(path, mode="r+")
    for group, names in {"fine": fine, "coarse": coarse}.items():
        for name in names:
            a = root[f"{group}/{name}"]
            assert isinstance(a, zarr.Array)
            a.resize((len(days), *a.shape[1:]))
        time = root[f"{group}/time"]
        assert isinstance(time, zarr.Array)
        time.resize((len(days),))
        time[:] = np.array([(day - EPOCH).days for day in days], "int32")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """There whole, or not at all."""
    write_whole(path, (json.dumps(value, indent=1, sort_keys=True) + "\n").encode())
