"""The true state of a day of a world, at the overpasses of its night and its noon."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ssm_net.simulate.world.fields import Array
from ssm_net.simulate.world.physics import Budget

HALVES = (0.55, 0.45)  # of a day's evaporation before and after 13:30


@dataclass(frozen=True)
class Overpass:
    """The true state at an overpass, all (rows, cols) of the fine grid: ``ssm`` m3 m-3; ``lst`` K, under cloud, too;
    ``margin`` > 0 where clear; ``air`` K."""

    ssm: Array
    lst: Array
    margin: Array
    air: Array


@dataclass(frozen=True)
class WorldDay:
    """The true state of one local day, all (rows, cols) of the fine grid.

    ``night`` is that of 01:30 and ``noon`` of 13:30; ``rain`` mm between 01:30 of the day before and 01:30; ``ndvi``;
    ``soil_recent`` m3 m-3 and ``clear_recent`` 0..1: means over about the last two weeks, as in a composite;
    ``budgets`` the water of the two half days that follow;
    ``snow`` on the ground at 01:30, mm of water, in a wide world only.
    """

    date: dt.date
    night: Overpass
    noon: Overpass
    rain: Array
    ndvi: Array
    soil_recent: Array
    clear_recent: Array
    budgets: tuple[Budget, Budget]
    snow: Array | None = None

    def at(self, overpass: str) -> Overpass:
        """The state at the ``night`` or the ``day`` overpass."""
        return {"night": self.night, "day": self.noon}[overpass]
