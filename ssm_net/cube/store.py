"""The Zarr cube: everything the network reads, on the grid, packed, one shard a day and variable.

    cube.zarr/
      fine/<variable>(time, y, x)     packed integers; shard = one day of the whole domain, inner chunk 144 x 144
      coarse/<variable>(time, row, col)
      static/<variable>(y, x)         and static_cell/<variable>(row, col), its cell means
      state/<yyyymmdd>.json           what the next day leans on beside the day's fields
      status/<yyyymmdd>.json          written after the day's data: a day is done when it says so
      stats/<name>.json               statistics, with the dates they were computed from

A day has one writer, which writes all its variables and then its status; it is the unit of restart. Final days are
never rewritten when the period is extended. How it is laid out and extended: ``cube_making``,
which alone asks zarr; ``shards`` reads and writes fields.
"""

from __future__ import annotations

import bisect
import contextlib
import datetime as dt
import fcntl
import functools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssm_net.core.files import naming_full_disk, write_whole
from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.masks import PRODUCTION_MAPS, cell_fraction, production_mask
from ssm_net.cube.shards import Shards
from ssm_net.cube.variables import COARSE, FINE
from ssm_net.errors import SsmNetError
from ssm_net.grid import Domain, Footprint, Grid, Window, block_mean

EPOCH = dt.date(2000, 1, 1)
FORMAT = 3  # raised where days made from now on would not be those that are there, made again
CHUNK = 144


class CubeError(SsmNetError):
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
        return {k: v for k, v in self.__dict__.items() if k not in ("_index", "_shards")}

    @functools.cached_property
    def _shards(self) -> dict[str, Shards]:
        return {}

    # ---- reading -----------------------------------------------------------------------------------------------

    def read_packed(self, name: str, day: dt.date, window: Window | None = None) -> np.ndarray:
        """A fine variable as stored, (y, x), on ``window`` = (y0, y1, x0, x1) pixels."""
        return self._read(f"fine/{name}", window, str(day), self.index(day))

    def read(self, name: str, day: dt.date, window: Window | None = None) -> np.ndarray:
        """A fine variable, (y, x) float32, NaN where missing."""
        return FINE[name].unpack(self.read_packed(name, day, window))

    def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
        """A coarse variable, (row, col) float32, NaN where missing; of a day the cube does not hold: all NaN."""
        if day not in self._index:
            return np.full(self.domain.coarse_shape, np.nan, "float32")
        return COARSE[name].unpack(self._read(f"coarse/{name}", None, str(day), self.index(day)))

    def read_static(self, name: str, window: Window | None = None) -> np.ndarray:
        """A static variable, (y, x) float32."""
        return self._read(f"static/{name}", window, "static")

    def read_static_cell(self, name: str) -> np.ndarray:
        """The cell means of a static variable, (row, col) float32."""
        return self._read(f"static_cell/{name}", None, "static")

    def _read(self, key: str, window: Window | None, what: str, *where: int) -> np.ndarray:
        """``window`` of an array, all of it where None."""
        with self._naming(key, what):
            shards = self._shards_of(key)
            return shards.read(window or (0, shards.shape[0], 0, shards.shape[1]), *where)

    def _shards_of(self, key: str) -> Shards:
        if key not in self._shards:
            self._shards[key] = Shards.open(self.path / key)
        return self._shards[key]

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

    # ---- the production mask and the observation operator --------------------------------------------------------

    def land(self, window: Window | None = None) -> Tensor:
        """The production mask, (y, x) bool: pixels with less than half water, not built over, inside the boundary.

        The one mask of training, calibration, baselines, update and evaluation. The whole domain (``window`` None) is
        read by bands.
        """
        y0, y1, x0, x1 = window or (0, self.domain.fine_shape[0], 0, self.domain.fine_shape[1])
        mask = np.empty((y1 - y0, x1 - x0), bool)
        for top in range(y0, y1, CHUNK):
            band = (top, min(top + CHUNK, y1), x0, x1)
            maps = {name: self.read_static(name, band) for name in PRODUCTION_MAPS if name in self.static}
            mask[top - y0 : band[1] - y0] = production_mask(maps, (band[1] - top, x1 - x0))
        return torch.from_numpy(mask)

    @functools.cached_property
    def land_fraction(self) -> np.ndarray:
        """Fraction of each cell's pixels that are ``land``, (row, col) float32."""
        height, width = self.domain.fine_shape
        step = CHUNK // math.gcd(CHUNK, self.domain.ratio) * self.domain.ratio  # whole cells and whole chunks
        bands = [self.land((y, min(y + step, height), 0, width)) for y in range(0, height, step)]
        return np.concatenate([cell_fraction(band.numpy(), self.domain.ratio) for band in bands])

    @property
    def fwhm(self) -> float:
        """Full width of the footprint at half its height, in fine pixels."""
        return float(self.attrs["fwhm_km"] * 1000 / self.domain.grid.pixel)

    def footprint(self) -> ObservationOperator:
        """The observation operator H of the sensor that the cube was prepared for, over its land. Holds the production
        mask of the whole domain: make it once."""
        weights = Footprint.of(self.attrs["footprint"], self.domain.coarse_shape, self.domain.ratio, self.fwhm)
        land = self.land()
        self.__dict__.setdefault("land_fraction", cell_fraction(land.numpy(), self.domain.ratio))  # reads no map twice
        return ObservationOperator(weights, land)

    # ---- status ------------------------------------------------------------------------------------------------

    def status(self, day: dt.date) -> dict[str, Any] | None:
        """What was stored for a day, or None where the day is not done."""
        file = self._status_file(day)
        return json.loads(file.read_text()) if file.exists() else None

    def state(self, day: dt.date) -> dict[str, Any]:
        """What a stored day leaves for the next beside its fields. Apart from the status, of which that of every stored
        day is read to tell late granules."""
        return dict(json.loads((self.path / "state" / self._status_file(day).name).read_text()))

    def done(self, day: dt.date) -> bool:
        return self._status_file(day).exists()

    def done_days(self) -> list[dt.date]:
        """The days that are whole, in order."""
        have = {p.stem for p in (self.path / "status").glob("*.json")}
        return [day for day in self.days if f"{day:%Y%m%d}" in have]

    def last_done(self, before: dt.date) -> dt.date | None:
        """The last whole day before ``before``; takes no longer in a longer record."""
        earlier = self.days[: bisect.bisect_left(self.days, before)]
        return next((day for day in reversed(earlier) if self.done(day)), None)

    def revision(self, day: dt.date) -> int:
        """As which revision ``day`` is stored, or would be now: one more than what was withdrawn, 1 for most days."""
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
        self, day: dt.date, fine: Iterable[tuple[str, np.ndarray]], coarse: Mapping[str, np.ndarray],
        info: Mapping[str, Any], state: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Store a day: ``fine`` are names and packed arrays (y, x), each written before the next is asked for; then
        ``coarse`` as floats (row, col), the ``state`` it leaves, and the status.

        Raises ``CubeError`` where the day is already done (a stored day is never rewritten) or a variable is missing;
        ``OSError`` where the disk is full: the day is not done then.
        """
        if self.done(day):
            raise CubeError(f"{self.path}: {day} is stored already; delete {self._status_file(day)} to make it again")
        where, left = self.index(day), set(self.fine)
        with naming_full_disk(self.path):
            for name, packed in fine:
                self._write(f"fine/{name}", packed, where)
                left.discard(name)
            if missing := left | (set(self.coarse) - set(coarse)):
                raise CubeError(f"{self.path}: {day}: nothing given for {', '.join(sorted(missing))}")
            for name in self.coarse:
                self._write(f"coarse/{name}", COARSE[name].pack(coarse[name]), where)
        write_json(self.path / "state" / self._status_file(day).name, dict(state or {}))
        write_json(self._status_file(day), dict(info))

    def write_static(self, name: str, values: np.ndarray) -> None:
        """A static variable, (y, x), and its cell means. Raises ``OSError`` where the disk is full."""
        cells = block_mean(torch.from_numpy(values.astype("float32")), self.domain.ratio)
        with naming_full_disk(self.path):
            self._write(f"static/{name}", values)
            self._write(f"static_cell/{name}", cells.numpy())

    def _write(self, key: str, field: np.ndarray, *where: int) -> None:
        self._shards_of(key).write(field, *where)

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


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """There whole, or not at all."""
    write_whole(path, (json.dumps(value, indent=1, sort_keys=True) + "\n").encode())
