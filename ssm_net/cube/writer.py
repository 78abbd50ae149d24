"""Writing of days, static maps and metadata into a cube, under the writer's lock.

A day is written in this order: fields, state, status, revision. It is done once its status is there. The number of its
revision is kept in a file of its own, which outlives the status: a day that is made again never passes for the day that
it replaces.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ssm_net.core.faults import FaultPoint, reached
from ssm_net.core.files import naming_full_disk
from ssm_net.cube.json_files import CubeError, read_json, write_json
from ssm_net.cube.lock import CubeLock
from ssm_net.cube.store import ALL_FILL, DROPPED, Cube
from ssm_net.cube.variables import COARSE
from ssm_net.grid import block_mean


@dataclass(frozen=True)
class CubeWriter:
    """A cube that this process may write to, for as long as it holds ``lock``."""

    cube: Cube
    lock: CubeLock

    def write_day(
        self, day: dt.date, fine: Iterable[tuple[str, np.ndarray | dt.date]], coarse: Mapping[str, np.ndarray],
        info: Mapping[str, Any], state: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Store a day: ``fine`` are names and packed arrays (y, x), or, of a field that is the same as on a stored day,
        that day; each is written before the next is asked for. Then come ``coarse`` as floats (row, col), the
        ``state`` that the next day needs, and the status: ``info`` with the revision and the fields that have no file,
        since nothing in them has a value.

        Raises ``CubeError`` where the day is already done (a stored day is never rewritten) or a variable is missing;
        ``OSError`` where the disk is full: the day is not done then.
        """
        cube = self._locked()
        if cube.done(day):
            raise CubeError(f"{cube.path}: {day} is stored already; revise=true makes it again")
        index, missing, all_fill = cube.index(day), set(cube.fine), list[str]()
        revision = cube.revision(day)
        with naming_full_disk(cube.path):
            for name, packed in fine:
                key = f"fine/{name}"
                if isinstance(packed, dt.date):
                    some = cube.shards(key).write_same(cube.verified_file(name, packed), index)
                else:
                    some = self._write(key, packed, index)
                if not some:
                    all_fill.append(f"fine/{name}")
                reached(FaultPoint.DAY_HALF_WRITTEN, f"{day} fine/{name}")
                missing.discard(name)
            if missing := missing | (set(cube.coarse) - set(coarse)):
                raise CubeError(f"{cube.path}: {day}: nothing given for {', '.join(sorted(missing))}")
            for name in cube.coarse:
                if not self._write(f"coarse/{name}", COARSE[name].pack(coarse[name]), index):
                    all_fill.append(f"coarse/{name}")
                reached(FaultPoint.DAY_HALF_WRITTEN, f"{day} coarse/{name}")
        reached(FaultPoint.DAY_WRITTEN_WITHOUT_STATE, day)
        write_json(cube.state_file(day), dict(state or {}))
        reached(FaultPoint.DAY_WRITTEN_WITHOUT_STATUS, day)
        write_json(cube.status_file(day), {**info, "revision": revision, ALL_FILL: all_fill})
        reached(FaultPoint.DAY_DONE_WITHOUT_REVISION, day)
        self._keep_revision(day)

    def keep_last_revision(self) -> None:
        """Write the revision of the last day that is done, where a cut came between its status and its revision."""
        if done := self._locked().done_days():
            self._keep_revision(done[-1])

    def _keep_revision(self, day: dt.date) -> None:
        file, revision = self.cube.revision_file(day), {"revision": self.cube.revision(day)}
        try:
            stored = read_json(file)
        except CubeError:  # not there, or damaged
            stored = {}
        if stored != revision:
            write_json(file, revision)

    def withdraw(self, first: dt.date) -> None:
        """Take ``first`` and all stored days after it as not done; each keeps the number of its revision. The last goes
        first: a cut leaves no day that rests on one that is withdrawn."""
        cube = self._locked()
        for day in reversed(cube.done_days()):
            if day >= first:
                self._keep_revision(day)
                cube.status_file(day).unlink()
                reached(FaultPoint.DAYS_HALF_WITHDRAWN, day)

    def drop_pixels(self, before: dt.date, sample: Collection[dt.date] = ()) -> int:
        """Delete the pixels of all days before ``before`` but those of ``sample``, for good; what is coarse of them
        stays. Returns the bytes that were freed. What a cut left is deleted by the next call."""
        cube = self._locked()
        stored = cube.metadata(DROPPED, "before", "deleted_before") or {}
        deleted = dt.date.fromisoformat(stored["deleted_before"]) if stored else cube.days[0]
        before, kept = max(before, cube.pixels_since), cube.sampled_days
        leaving = {*kept, *map(dt.date.fromisoformat, stored.get("leaving", ()))} - {*sample}
        if before <= deleted and not leaving:
            return 0
        leaving |= {day for day in cube.days if deleted <= day < before} - {*sample}
        stays = sorted(str(day) for day in sample if day in kept or deleted <= day < before)
        dropped = {"before": str(before), "deleted_before": str(deleted), "sampled": stays}
        self.write_metadata(DROPPED, dropped | {"leaving": sorted(map(str, leaving))})
        freed = sum(map(self._delete_pixels, sorted(leaving)))
        self.write_metadata(DROPPED, dropped | {"deleted_before": str(before)})
        return freed

    def _delete_pixels(self, day: dt.date) -> int:
        freed = 0
        for name in self.cube.fine:
            file = self.cube.shards(f"fine/{name}").file(self.cube.index(day))
            if file.exists():
                freed += file.stat().st_size if file.stat().st_nlink == 1 else 0  # else another day has it too
                file.unlink()
            with contextlib.suppress(OSError):  # an empty folder that stays does no harm
                for folder in file.parents[:2]:  # the shard is alone in them
                    folder.rmdir()
        reached(FaultPoint.PIXELS_HALF_DROPPED, day)
        return freed

    def write_static(self, name: str, values: np.ndarray) -> None:
        """A static variable, (y, x), and its cell means. Raises ``OSError`` where the disk is full."""
        cube = self._locked()
        cells = block_mean(torch.from_numpy(values.astype("float32")), cube.domain.ratio)
        with naming_full_disk(cube.path):
            self._write(f"static/{name}", values)
            reached(FaultPoint.STATIC_MAP_WITHOUT_CELL_MEANS, name)
            self._write(f"static_cell/{name}", cells.numpy())

    def write_metadata(self, name: str, metadata: Mapping[str, Any]) -> None:
        """Facts about the whole cube under a name, in place of those that are there."""
        write_json(self._locked().metadata_file(name), dict(metadata))

    def _write(self, key: str, field: np.ndarray, *index: int) -> bool:
        return self.cube.shards(key).write(field, *index)

    def _locked(self) -> Cube:
        assert self.lock.held and self.lock.path == self.cube.path, "a cube is written by the holder of its lock"
        return self.cube
