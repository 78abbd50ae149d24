"""The radiometers of one record, and other products of coarse soil moisture: the period of each, and its own errors.

An instrument differs from the world's own sensor (``Observer.coarse``) in calibration (gain and offset), lasting error
of each cell, drift, noise and orbit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ssm_net.core.radiometers import BY_CODE
from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.physics import Orbit, Sensor

MIDDLE = 0.2  # m3 m-3, unchanged by a gain
DRIFT_EPOCH = dt.date(2012, 1, 1)  # the day on which every drift is zero
# Of each product: its radiometer, the standard deviation of its lasting error (m3 m-3), its noise over AMSR2's.
PRODUCTS = {"LPRM": (9, 0.04, 1.2), "AU_Land": (13, 0.04, 1.3), "SMAP": (4, 0.02, 0.9), "SPL3SMP_E": (4, 0.02, 0.9),
            "SMOS": (16, 0.03, 1.2)}  # fmt: skip
LOW_BAND = Orbit(swath=1000.0, orbits=117, repeat=8, inclination=98.1)  # of SMAP; that of SMOS is much alike


@dataclass(frozen=True)
class Instrument:
    """``value = MIDDLE + gain (x - MIDDLE) + offset + cells + drift t``, m3 m-3; ``cells`` (R, C), ``drift`` a year.

    ``own_bias``: ``cells`` is all of its lasting error, and x has none of the world's own sensor's. ``hour``: the local
    solar time at which it passes; ``error``: the standard error that its product states, m3 m-3."""

    name: str
    first: dt.date
    last: dt.date | None
    sensor: Sensor
    gain: float
    offset: float
    cells: Array
    drift: float
    own_bias: bool = False
    hour: float = 1.5
    error: float = 0.04

    def flies(self, day: dt.date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)

    def distorted(self, x: Array, day: dt.date) -> Array:
        """``x`` (R, C) m3 m-3 of the world's own sensor with the errors of this one."""
        years = (day - DRIFT_EPOCH).days / 365.25
        return MIDDLE + self.gain * (x - MIDDLE) + self.offset + self.cells + self.drift * years


def fleet(sensor: Sensor, shape: tuple[int, int], seed: int) -> dict[str, Instrument]:
    """AMSR-E and FY-3B by the name in their files; AMSR2 is the world's own sensor."""
    out = {}
    for code, name in ((1, "AMSRE"), (3, "FY3B")):
        rng = stream(seed, f"instrument {name}")
        rows, cols = (max(n, 24) for n in shape)
        field = RandomField((rows, cols), 1.5).sample(rng)[: shape[0], : shape[1]]
        own = replace(sensor, noise=sensor.noise * float(rng.uniform(1.0, 1.3)))
        if code == 3:
            own = replace(own, orbit=replace(own.orbit, swath=1400.0, orbits=227, inclination=98.7))
        sign = 1 if rng.uniform() < 0.5 else -1
        out[name] = Instrument(
            name, BY_CODE[code].first, BY_CODE[code].last, own,
            gain=float(1 + sign * rng.uniform(0.08, 0.2)), offset=float(-sign * rng.uniform(0.015, 0.035)),
            cells=(0.012 * field).astype("float32"), drift=float(rng.uniform(-0.002, 0.002)),
        )  # fmt: skip
    return out


def products(sensor: Sensor, shape: tuple[int, int], seed: int, names: Iterable[str]) -> dict[str, Instrument]:
    """What each product (LPRM, AU_Land, SMAP, SPL3SMP_E, SMOS) retrieves, with a lasting error of its own in each cell
    that no other shares; both products of SMAP are one instrument."""
    out = {}
    for name in names:
        code, lasting, noise = PRODUCTS[name]
        rng = stream(seed, f"product {BY_CODE[code].name}")
        rows, cols = (max(n, 24) for n in shape)
        field = RandomField((rows, cols), 2.0).sample(rng)[: shape[0], : shape[1]]
        orbit = LOW_BAND if code in (4, 16) else sensor.orbit
        out[name] = Instrument(
            BY_CODE[code].name, BY_CODE[code].first, BY_CODE[code].last,
            replace(sensor, noise=sensor.noise * noise, orbit=orbit), gain=float(rng.uniform(0.85, 1.15)),
            offset=float(rng.uniform(-0.02, 0.02)), cells=(lasting * field).astype("float32"), drift=0.0,
            own_bias=True, hour=BY_CODE[code].overpass, error=round(float(np.hypot(lasting, sensor.noise * noise)), 3),
        )  # fmt: skip
    return out
