"""The record's reference sensor and the sensors matched to it, as ``prepare`` stored them in the cube."""

from __future__ import annotations

from typing import NamedTuple

from ssm_net.cube.store import Cube

INTERCALIBRATION = "intercalibration"  # its name among the cube's metadata


KEYS = ("reference", "matches")  # that it holds
CONSENSUS = "consensus"  # that it also holds where the cube is made of the consensus of several sensors


class Sensors(NamedTuple):
    """Codes of the table of radiometers: the ``reference`` (0 where the cube has none) and those ``matched`` to it."""

    reference: int
    matched: frozenset[int]


def sensors_of(cube: Cube) -> Sensors:
    stored = cube.metadata(INTERCALIBRATION, *KEYS)
    return (
        Sensors(0, frozenset())
        if stored is None
        else Sensors(stored["reference"], frozenset(map(int, stored["matches"])))
    )
