"""The radiometers of one record: the period of each, and its own errors.

An instrument differs from the world's own sensor (``Observer.coarse``) in calibration (gain and offset), lasting error
of each cell, drift, noise and orbit.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from ssm_net.core.radiometers import BY_CODE
from ssm_net.simulate.world.fields import Array, RandomField, stream
from ssm_net.simulate.world.physics import Sensor

MIDDLE = 0.2  # m3 m-3, unchanged by a gain
DRIFT_EPOCH = dt.date(2012, 1, 1)  # the day on which every drift is zero


@dataclass(frozen=True)
class Instrument:
    """``value = MIDDLE + gain (x - MIDDLE) + offset + cells + drift t``, m3 m-3; ``cells`` (R, C), ``drift`` a year."""

    name: str
    first: dt.date
    last: dt.date | None
    sensor: Sensor
    gain: float
    offset: float
    cells: Array
    drift: float

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
