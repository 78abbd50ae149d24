"""Quality flags: what each pixel of a day's map rests on, and where the ground is masked."""

from __future__ import annotations

import datetime as dt

import numpy as np

from ssm_net.core import scratch
from ssm_net.core.clock import OVERPASSES
from ssm_net.core.radiometers import name_of, record_of
from ssm_net.cube import masks
from ssm_net.cube.record import sensors_of
from ssm_net.cube.store import CHUNK, Cube
from ssm_net.formats.product import LONG_UNOBSERVED_DAYS, Flag
from ssm_net.grid import Window
from ssm_net.inputs.reading import Pixels, lst_under_sky

NONE = np.uint16(0)
RECORDS = np.array([record_of(code) for code in range(256)], np.uint8)


def coarse_sources(cube: Cube, day: dt.date) -> np.ndarray:
    """The record (a code of the table of radiometers) that observed each cell, (R, C) uint8, 0 where none did."""
    if "source" not in cube.coarse:
        return np.zeros(cube.domain.coarse_shape, np.uint8)
    return RECORDS[np.nan_to_num(cube.read_coarse("source", day)).astype(np.uint8)]


def sensor_codes(cube: Cube, day: dt.date) -> list[int]:
    """The codes of the sensors of the day's coarse observations, in order."""
    together = (cube.status(day) or {}).get("sensors")
    return together or sorted(int(c) for c in np.unique(coarse_sources(cube, day)) if c)


def sensor_names(cube: Cube, day: dt.date) -> str:
    """The sensors of the day's coarse observations as text, ``AMSR2, FY-3B matched to AMSR2``; all of those whose
    consensus the day is."""
    reference, matched = sensors_of(cube)
    together = (cube.status(day) or {}).get("sensors")
    codes = sensor_codes(cube, day)
    names = [name_of(c) + (f" matched to {name_of(reference)}" if c in matched else "") for c in codes]
    listed = ", ".join(names) or "none on this day"
    return f"consensus of {listed}" if together and len(together) > 1 else listed


def static_flags(cube: Cube) -> np.ndarray:
    """Flags that no day changes, water and dense towns, (y, x) uint16; read by bands of rows."""
    rows, cols = cube.domain.fine_shape
    out = scratch.full((rows, cols), 0, np.uint16)
    limits = (("water_fraction", masks.WATER, Flag.WATER), ("urban", masks.URBAN, Flag.URBAN))
    for name, least, flag in limits:
        for y in range(0, rows if name in cube.static else 0, CHUNK):
            window = (y, min(y + CHUNK, rows), 0, cols)
            out[y : window[1]] |= (cube.read_static(name, window) >= least) * np.uint16(flag)
    return out


def coarse_flags(cube: Cube, day: dt.date) -> np.ndarray:
    """Flags of each coarse cell, (R, C) uint16: observed or not, by another sensor than the reference, long ago."""
    source = coarse_sources(cube, day)
    seen = np.isfinite(cube.read_coarse("ssm", day)) if "ssm" in cube.coarse else np.zeros(source.shape, bool)
    lately = seen.copy()
    for n in range(1, LONG_UNOBSERVED_DAYS + 1):
        if "ssm" in cube.coarse and cube.done(before := day - dt.timedelta(n)):
            lately |= np.isfinite(cube.read_coarse("ssm", before))
    matched = sorted(sensors_of(cube).matched)
    out = np.where(seen, np.uint16(Flag.COARSE_OBSERVED), np.uint16(Flag.ORBIT_GAP_FILLED))
    out |= (seen & np.isin(source, matched)) * np.uint16(Flag.OTHER_SENSOR)
    out |= ~lately * np.uint16(Flag.LONG_UNOBSERVED)
    return out


def flag_variables(cube: Cube) -> list[str]:
    """The stored variables of pixels that ``pixel_flags`` reads of this cube."""
    names = [f"lst_{k}{what}" for k in OVERPASSES for what in ("", "_lineage")]
    names += ["red", "nir", "swir1", "reflectance_age", "elevation"]
    return [n for n in names if n in cube.fine or n in cube.static]


def flag_cell_variables(cube: Cube) -> list[str]:
    """The coarse variables that ``pixel_flags`` reads of this cube."""
    return [name for k in OVERPASSES for what in ("cloud", "background") if (name := f"lst_{k}_{what}") in cube.coarse]


def pixel_flags(cube: Pixels, day: dt.date, land: np.ndarray, far: np.ndarray, window: Window) -> np.ndarray:
    """Flags of the day's pixels of a window, next to those of cells and static maps, (y, x) uint16: LST, frozen ground
    and snow, extrapolation.

    ``land`` and ``far`` (bool) are of the window.
    """
    shape = (window[1] - window[0], window[3] - window[2])
    seen, overpasses = np.zeros(shape, bool), []
    for k in OVERPASSES:
        if f"lst_{k}" in cube.fine:
            lst, how = lst_under_sky(cube, day, k, window)
            seen |= how <= 1
            overpasses.append(lst)
    temperature = masks.surface_temperature(overpasses) if overpasses else None
    filled, frozen = np.zeros(shape, bool), np.zeros(shape, bool)
    if temperature is not None:
        filled, frozen = ~np.isnan(temperature), masks.frozen(temperature)
    if {"red", "nir", "swir1"} <= set(cube.fine):
        red, nir, swir1, age = (cube.read(v, day, window) for v in ("red", "nir", "swir1", "reflectance_age"))
        frozen |= masks.snow(red, nir, swir1, age, temperature)
    out = np.where(seen, np.uint16(Flag.LST_SEEN), np.where(filled, np.uint16(Flag.LST_FILLED), NONE))
    out |= (frozen & land) * np.uint16(Flag.FROZEN_OR_SNOW)
    out |= (far & land) * np.uint16(Flag.EXTRAPOLATED)
    return out


def expand_flags(of_cells: np.ndarray, land: np.ndarray, ratio: int) -> np.ndarray:
    """Flags of cells on their pixels; where there is no land there is no value that could rest on anything."""
    out = scratch.empty(land.shape, np.uint16)
    for n, row in enumerate(of_cells):
        rows = slice(n * ratio, (n + 1) * ratio)
        out[rows] = row.repeat(ratio)
        out[rows][~land[rows]] &= np.uint16(Flag.COARSE_OBSERVED)
    return out
