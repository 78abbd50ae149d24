"""The record's reference sensor, and the sensors matched to it, as ``prepare`` has stored them in the cube."""

from __future__ import annotations

from typing import NamedTuple

from ssm_net.cube.store import Cube

INTERCALIBRATION = "intercalibration"  # its statistics in the cube


class Sensors(NamedTuple):
    """Codes of the table of radiometers: the ``reference`` (0 where the cube has none) and those ``matched`` to it."""

    reference: int
    matched: frozenset[int]


def sensors_of(cube: Cube) -> Sensors:
    stored = cube.stats(INTERCALIBRATION)
    return (
        Sensors(0, frozenset())
        if stored is None
        else Sensors(stored["reference"], frozenset(map(int, stored["matches"])))
    )
