"""A cube whose days know the days after them: the fast memories of LST with the views of both sides.

The cube on disk looks back only, and stays as it is. What a day's memory would be with the days ahead is worked out
when it is read, from the LST that these days show: two fields an overpass and day ahead are read more.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssm_net.core.clock import OVERPASSES
from ssm_net.cube.json_files import CubeError
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import COARSE, FINE
from ssm_net.grid import Window, upsample
from ssm_net.lst.memory import Memory, Views
from ssm_net.lst.views import counted_views

MEMORY, WEIGHT = "_memory", "_weight"


@dataclass(frozen=True)
class ArchiveCube(Cube):
    """A cube of which each day knows the ``lookahead`` days after it, as far as they are there."""

    lookahead: int = 0

    @classmethod
    def of(cls, cube: Cube, lookahead: int) -> ArchiveCube:
        """Raises ``CubeError`` where the cube lacks what looking ahead needs."""
        lacking = [v for k in OVERPASSES if f"lst_{k}" in cube.fine and (v := f"lst_{k}_anomaly") not in cube.coarse]
        if lacking:
            raise CubeError(f"{cube.path} holds no {', '.join(lacking)}, which looking ahead needs: prepare a new cube "
                            "from the same granules, or use mode=nrt")  # fmt: skip
        return cls(**{f.name: getattr(cube, f.name) for f in fields(Cube)}, lookahead=lookahead)

    def days_ahead(self, day: dt.date) -> list[dt.date]:
        """The days after ``day`` that it knows: those that are done when it is asked first."""
        if day not in self._known:
            after = (day + dt.timedelta(n + 1) for n in range(self.lookahead))
            self._known[day] = [d for d in after if d in self._index and self.done(d)]
        return self._known[day]

    def whole(self, day: dt.date) -> bool:
        """Whether all days ahead are there: what is made of ``day`` is final."""
        return len(self.days_ahead(day)) == self.lookahead

    def days_with_pixels(self) -> list[dt.date]:
        """As of ``Cube``; those whose days ahead have their pixels, too."""
        kept = super().days_with_pixels()
        return [day for day in kept if {*kept}.issuperset(self.days_ahead(day))]

    def read_packed(self, name: str, day: dt.date, window: Window | None = None) -> np.ndarray:
        """As of ``Cube``; memories with the days ahead."""
        if (k := _overpass_of(name)) is None:
            return super().read_packed(name, day, window)
        whole = (0, self.domain.fine_shape[0], 0, self.domain.fine_shape[1])
        known, pair = self._last.get(k, (None, None))
        if known != (day, window) or pair is None:
            pair = self._of_pixels(k, day, window or whole)
            self._last[k] = ((day, window), pair)
        return FINE[name].pack(pair[name.endswith(WEIGHT)].numpy())

    def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
        """As of ``Cube``; memories with the days ahead."""
        if (k := _overpass_of(name)) is None or day not in self._index:
            return super().read_coarse(name, day)
        return COARSE[name].unpack(COARSE[name].pack(self._of_cells(k, day)[name.endswith(WEIGHT)].numpy()))

    @functools.cached_property
    def _last(self) -> dict[str, tuple[tuple[dt.date, Window | None], Memory]]:
        """The memory of each overpass that was read last: its weight is asked for after its mean."""
        return {}

    @functools.cached_property
    def _known(self) -> dict[dt.date, list[dt.date]]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k not in ("_last", "_known")}

    def _stored(self, name: str, day: dt.date, window: Window) -> Tensor:
        """A fine variable as the cube on disk has it, float32."""
        return torch.from_numpy(FINE[name].unpack(super().read_packed(name, day, window)))

    def _of_pixels(self, k: str, day: dt.date, window: Window) -> Memory:
        past = Memory(*(self._stored(f"lst_{k}{what}", day, window) for what in (MEMORY, WEIGHT)))
        return past.with_days_ahead(self._views(k, day, window), self.attrs["memory_days"])

    def _views(self, k: str, day: dt.date, window: Window) -> Iterator[tuple[int, Views]]:
        """The views of the days ahead, each with the number of days to it."""
        shape = (window[1] - window[0], window[3] - window[2])
        known = "elevation" in self.static
        elevation = torch.from_numpy(self.read_static("elevation", window)) if known else torch.zeros(shape)
        for ahead in self.days_ahead(day):
            lst, lineage = (self._stored(f"lst_{k}{what}", ahead, window) for what in ("", "_lineage"))
            background = torch.from_numpy(super().read_coarse(f"lst_{k}_background", ahead))
            up = upsample(background, self.domain.ratio, window)
            yield (ahead - day).days, counted_views(lst, lineage, elevation, up)

    def _of_cells(self, k: str, day: dt.date) -> Memory:
        def stored(what: str, of: dt.date) -> Tensor:
            return torch.from_numpy(super(ArchiveCube, self).read_coarse(f"lst_{k}{what}", of))

        views = (
            ((ahead - day).days, Views(*(stored(f"_{name}", ahead).nan_to_num() for name in Views._fields)))
            for ahead in self.days_ahead(day)
        )
        return Memory(stored(MEMORY, day), stored(WEIGHT, day)).with_days_ahead(views, self.attrs["memory_days"])


def seen_from(cube: Cube, lookahead: int) -> Cube:
    """The ``cube`` whose days know the ``lookahead`` days after them; itself where these are none. Raises
    ``CubeError`` where it lacks what looking ahead needs."""
    return ArchiveCube.of(cube, lookahead) if lookahead else cube


def _overpass_of(name: str) -> str | None:
    """The overpass whose fast memory a variable is part of, None for any other."""
    return next((k for k in OVERPASSES if name in (f"lst_{k}{MEMORY}", f"lst_{k}{WEIGHT}")), None)
