"""The Zarr cube, as it is read: everything the network sees, on the grid, packed, one shard a day and variable.

    cube.zarr/
      fine/<variable>(time, y, x)     packed integers; shard = one day of the whole domain, inner chunk 144 x 144
      coarse/<variable>(time, row, col)
      static/<variable>(y, x)         and static_cell/<variable>(row, col), its cell means
      state/<yyyymmdd>.json           what the next day needs of this one next to its fields
      status/<yyyymmdd>.json          written after the day's data: a day is done when it is there
      revision/<yyyymmdd>.json        how often the day was made; stays where the status goes
      metadata/<name>.json            facts about the whole cube: intercalibration, static maps
      .lock                           held by the one process that writes

A day has one writer, which writes all its variables and then its status. Days that are done are never rewritten when
the period is extended. Rain is stored at every fourth pixel (``spacing``). ``layout`` makes and extends a cube,
``writer`` writes days, ``shards`` reads and writes fields.
"""

from __future__ import annotations

import bisect
import contextlib
import datetime as dt
import difflib
import functools
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.json_files import WHOLE_AGAIN, CubeError, DamagedError, cannot_open, damaged, read_json
from ssm_net.cube.masks import PRODUCTION_MAPS, cell_fraction, production_mask
from ssm_net.cube.shards import ShardError, Shards
from ssm_net.cube.spacing import read_at_pixels
from ssm_net.cube.variables import COARSE, FINE, folder_name
from ssm_net.footprint import Footprint
from ssm_net.grid import Domain, Grid, Window

EPOCH = dt.date(2000, 1, 1)
FORMAT = 4  # raised where variables of the same name would now hold other values; variables may be added
CHUNK = 144
DROPPED = "dropped"  # its name among the metadata: the days whose pixels are not kept
STATIC_SOURCES = "static_sources"  # the same: the product of each static map, empty where it is not known
ALL_FILL = "all_fill"  # in a status: the fields of the day that have no file


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

    # All raise ``CubeError`` (no such variable, a file that cannot be opened) and ``DamagedError`` (damaged content).

    def read_packed(self, name: str, day: dt.date, window: Window | None = None) -> np.ndarray:
        """A fine variable, packed, (y, x), on ``window`` = (y0, y1, x0, x1) pixels."""
        self._require("fine", name)
        return read_at_pixels(lambda part: self._read(f"fine/{name}", part, day), name, self.domain, window)

    def read_as_stored(self, name: str, day: dt.date, window: Window | None = None) -> np.ndarray:
        """The same in its own spacing (rain: ``spacing``); ``window`` counts stored values."""
        self._require("fine", name)
        return FINE[name].unpack(self._read(f"fine/{name}", window, day))

    def read(self, name: str, day: dt.date, window: Window | None = None) -> np.ndarray:
        """A fine variable, (y, x) float32, NaN where missing."""
        packed = self.read_packed(name, day, window)  # first: it refuses names that the cube does not hold
        return FINE[name].unpack(packed)

    def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
        """A coarse variable, (row, col) float32, NaN where missing; of a day the cube does not hold: all NaN."""
        self._require("coarse", name)
        if day not in self._index:
            return np.full(self.domain.coarse_shape, np.nan, "float32")
        return COARSE[name].unpack(self._read(f"coarse/{name}", None, day))

    def read_static(self, name: str, window: Window | None = None) -> np.ndarray:
        """A static variable, (y, x) float32."""
        self._require("static", name)
        return self._read(f"static/{name}", window)

    def read_static_cell(self, name: str) -> np.ndarray:
        """The cell means of a static variable, (row, col) float32."""
        self._require("static", name)
        return self._read(f"static_cell/{name}", None)

    def _require(self, group: str, name: str) -> None:
        names: tuple[str, ...] = getattr(self, group)
        if name not in names:
            nearest = difflib.get_close_matches(name, names, n=1)
            raise CubeError(
                f"{self.path} holds no {group} variable {name!r}"
                + (f"; the nearest name is {nearest[0]!r}" if nearest else "")
                + f". It holds {', '.join(names) or 'none'}"
            )

    def _read(self, key: str, window: Window | None, day: dt.date | None = None) -> np.ndarray:
        """``window`` of an array, all of it where None; of a static map where ``day`` is None."""
        index = () if day is None else (self.index(day),)
        shards = self.shards(key)
        with self._naming_damage(key, day):
            whole = (0, shards.shape[0], 0, shards.shape[1])
            return shards.read(window or whole, *index, all_fill=lambda: day is None or self._is_all_fill(key, day))

    def verified_file(self, name: str, day: dt.date) -> Path | None:
        """The file of a fine variable, its checksums verified; None where nothing has a value."""
        self._require("fine", name)
        key = f"fine/{name}"
        with self._naming_damage(key, day):
            return self.shards(key).verified_file(self.index(day), all_fill=lambda: self._is_all_fill(key, day))

    @contextlib.contextmanager
    def _naming_damage(self, key: str, day: dt.date | None) -> Iterator[None]:
        """Turns what reading a shard raises into an error that names the day and the remedy."""
        try:
            yield
        except ShardError as err:
            dropped = day is not None and key.startswith("fine/") and day < self.pixels_since
            if dropped and day not in self.sampled_days:
                raise CubeError(
                    f"{self.path}: the pixels of {day} were dropped, as of most days before {self.pixels_since} "
                    "(produce keep=..): prepare the day in another cube"
                ) from err
            raise damaged(f"{self.path / key}" + (f" of {day}" if day else ""), day, err) from err
        except OSError as err:
            raise cannot_open(self.shards(key).file(*(() if day is None else (self.index(day),))), err) from err

    def _is_all_fill(self, key: str, day: dt.date) -> bool:
        """Whether a field without a file was stored so; of a day that is not done it is not known."""
        try:
            status = self.status(day)
            return status is None or key in status.get(ALL_FILL, (key,))
        except DamagedError:
            return True

    def shards(self, key: str) -> Shards:
        """The array under ``key`` ("fine/lst_day"). Raises ``CubeError`` where its description cannot be read."""
        if key not in self._shards:
            try:
                self._shards[key] = Shards.open(self.path / key)
            except ShardError as err:
                raise CubeError(f"{err}; {WHOLE_AGAIN}") from err
            except OSError as err:
                raise cannot_open(self.path / key / "zarr.json", err) from err
        return self._shards[key]

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

    def status(self, day: dt.date) -> dict[str, Any] | None:
        """What was stored for a day, or None where the day is not done. Raises ``DamagedError`` where the status of a
        day that is done cannot be read."""
        if not self.done(day):
            return None
        status = self._json_of(self.status_file(day), day)
        if not status:
            raise damaged(f"{self.status_file(day)}", day, ValueError("it is empty"))
        return status

    def state(self, day: dt.date) -> dict[str, Any]:
        """What a stored day leaves for the next. Not in the status, which is read of every day for late granules."""
        return self._json_of(self.state_file(day), day)

    def done(self, day: dt.date) -> bool:
        return self.status_file(day).exists()

    def done_days(self) -> list[dt.date]:
        """The days that are done, in order."""
        try:
            have = set(os.listdir(self.path / "status"))
        except FileNotFoundError:
            return []
        return [day for day in self.days if day.isoformat().replace("-", "") + ".json" in have]

    def last_done(self, before: dt.date) -> dt.date | None:
        """The last day before ``before`` that is done; takes no longer in a longer record."""
        earlier = self.days[: bisect.bisect_left(self.days, before)]
        return next((day for day in reversed(earlier) if self.done(day)), None)

    @property
    def pixels_since(self) -> dt.date:
        """The first day from which on the pixels of all days are kept: of those before it only the coarse fields are,
        but for the ``sampled_days``."""
        return dt.date.fromisoformat((self.metadata(DROPPED, "before") or {"before": str(dt.date.min)})["before"])

    @property
    def sampled_days(self) -> list[dt.date]:
        """Days before ``pixels_since`` whose pixels are kept to train on, in order."""
        return [dt.date.fromisoformat(day) for day in (self.metadata(DROPPED) or {}).get("sampled", ())]

    def days_with_pixels(self) -> list[dt.date]:
        """The days that are done and whose pixels are kept, in order: those to train on."""
        since, sampled = self.pixels_since, set(self.sampled_days)
        return [day for day in self.done_days() if day >= since or day in sampled]

    def revision(self, day: dt.date) -> int:
        """As which revision ``day`` is stored; of a day that is not done, as which it would be stored now. 1 for a day
        made once, one more each time it is made again."""
        try:
            status = self.status(day)
        except DamagedError:
            return self._stored_revision(day) or 1
        if status is not None:
            return int(status.get("revision", 1))
        return (self._stored_revision(day) or 0) + 1

    def _stored_revision(self, day: dt.date) -> int | None:
        """None where no revision was stored. Raises ``CubeError`` where its file is damaged."""
        file = self.revision_file(day)
        if not file.exists():
            return None
        remedy = f'write {{"revision": N}} into it, N as the maps of {day} state it, or remove it if there are none'
        return int(read_json(file, remedy, "revision")["revision"])

    def status_file(self, day: dt.date) -> Path:
        return self.path / "status" / f"{day:%Y%m%d}.json"

    def state_file(self, day: dt.date) -> Path:
        return self.path / "state" / f"{day:%Y%m%d}.json"

    def revision_file(self, day: dt.date) -> Path:
        return self.path / "revision" / f"{day:%Y%m%d}.json"

    def _json_of(self, file: Path, day: dt.date) -> dict[str, Any]:
        try:
            return read_json(file)
        except CubeError as err:
            raise damaged(f"{self.path}: what is stored of {day}", day, err) from err

    def metadata(self, name: str, *keys: str) -> dict[str, Any] | None:
        """Facts about the whole cube under a name; None where there are none. Raises ``CubeError`` where the file is
        damaged, or holds nothing under one of ``keys``."""
        file = self.metadata_file(name)
        return read_json(file, WHOLE_AGAIN, *keys) if file.exists() else None

    def metadata_file(self, name: str) -> Path:
        return self.path / "metadata" / f"{name}.json"


def open_cube(path: str | Path) -> Cube:
    """Open for reading. Raises ``CubeError`` where there is none, its making was cut off, or its format is another."""
    path = Path(path)
    if not (path / "cube.json").exists():
        raise CubeError(f"{path} is not a cube; make one with: python prepare.py raw=RAW cube={path} domain=NAME ...")
    file = path / "cube.json"
    meta = read_json(file, WHOLE_AGAIN, "format")
    if meta["format"] != FORMAT:
        raise CubeError(
            f"{path} has format {meta['format']}, this version of ssm_net reads format {FORMAT}: prepare a new "
            "cube from the same granules, under another cube=PATH"
        )
    try:
        domain = Domain(meta["domain"], tuple(meta["window"]), Grid(**meta["grid"]))
        days = tuple(EPOCH + dt.timedelta(int(n)) for n in meta["days"])
        fine, coarse, static = (tuple(map(folder_name, meta[k])) for k in ("fine", "coarse", "static"))
        return Cube(path, domain, days, fine, coarse, static, dict(meta["attrs"]))
    except (KeyError, TypeError, ValueError, OverflowError) as err:
        raise CubeError(f"{file} is damaged ({type(err).__name__}: {err}): {WHOLE_AGAIN}") from err
