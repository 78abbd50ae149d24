"""Table of the cube's variables: the units of each, and how it is packed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ssm_net.core.clock import OVERPASSES
from ssm_net.grid import row_blocks
from ssm_net.lst.memory import SLOW_DAYS

REFLECTANCE_BANDS = {"red": "0.65 um", "nir": "0.86 um", "swir1": "1.64 um", "swir2": "2.13 um"}  # of reflectance

# Antecedent precipitation indices by their e-folding time, days: of the surface, the top soil, the root zone.
RAIN_SPACING = 4  # pixels: no product of rain is finer
API_DAYS = {"api_2": 2, "api_10": 10, "api_30": 30}


@dataclass(frozen=True)
class Variable:
    """How a variable is stored: ``value = packed * scale + offset``; ``fill`` marks what is missing (NaN); ``spacing``
    is the number of pixels from one stored value to the next (``cube/spacing.py``)."""

    name: str
    units: str
    long_name: str
    dtype: str = "float32"
    scale: float = 1.0
    offset: float = 0.0
    fill: float = float("nan")
    spacing: int = 1

    def pack(self, values: np.ndarray) -> np.ndarray:
        """Float to stored type; out of range values are clipped to the range, NaN becomes ``fill``."""
        if self.dtype == "float32":
            return np.asarray(values, "float32")
        info = np.iinfo(self.dtype)
        lo, hi = int(info.min), int(info.max)
        lo, hi = (lo + 1, hi) if self.fill == lo else (lo, hi - 1) if self.fill == hi else (lo, hi)
        out = np.empty(values.shape, self.dtype)
        for some in row_blocks(values.shape):
            known = np.isfinite(values[some])
            whole = bool(known.all())  # to choose between two values of a pixel takes longer than all the rest
            scaled = ((values[some] if whole else np.where(known, values[some], 0.0)) - self.offset) / self.scale
            np.clip(np.rint(scaled, out=scaled), lo, hi, out=scaled)
            out[some] = scaled if whole else np.where(known, scaled, self.fill)
        return out

    def unpack(self, packed: np.ndarray) -> np.ndarray:
        """Stored type to float32, NaN where missing."""
        if self.dtype == "float32":
            return np.asarray(packed, "float32")
        out = np.empty(packed.shape, "float32")
        fill = np.asarray(self.fill).astype(self.dtype)
        for some in row_blocks(packed.shape):
            np.multiply(packed[some], np.float32(self.scale), out=out[some])
            if self.offset:
                out[some] += np.float32(self.offset)
            if (missing := packed[some] == fill).any():
                np.copyto(out[some], np.nan, where=missing)
        return out

    def attrs(self) -> dict[str, Any]:
        out: dict[str, Any] = {"units": self.units, "long_name": self.long_name}
        if self.dtype != "float32":
            out |= {"scale_factor": self.scale, "add_offset": self.offset, "_FillValue": int(self.fill)}
        return out


def _lst(overpass: str) -> list[Variable]:
    hour = {"day": "13:30", "night": "01:30"}[overpass]
    name = f"lst_{overpass}"
    variables = [
        Variable(name, "K", f"land surface temperature as under a clear sky, about {hour}", "uint16", 0.02, 0.0, 0),
        Variable(f"{name}_sigma", "K", f"standard error of {name}", "uint8", 0.1, 0.0, 255),
        Variable(f"{name}_lineage", "1",
                 "0 observed, 1 other overpass, 2 neighbours in space or time, 3 annual cycle only", "uint8", 1.0, 0.0,
                 255),
        Variable(f"{name}_memory", "K", f"fading mean of clear-sky anomalies of {name} against the surroundings",
                 "int16", 0.01, 0.0, -32768),
        Variable(f"{name}_weight", "1", f"fading number of clear views behind {name}_memory", "uint16", 0.005, 0.0,
                 65535),
    ]  # fmt: skip
    return variables if overpass == "night" else variables + _slow(name)


def _slow(name: str) -> list[Variable]:
    """The slow memory of an overpass under the sun. Coarser steps than these would stop it: the mean of a year's views
    moves by less than 0.01 K a day, and ten of them fade by 0.03."""
    what = f"of clear-sky anomalies of {name} against the surroundings, e-folding {SLOW_DAYS:.0f} days"
    return [
        Variable(f"{name}_slow", "K", f"fading mean {what}, at full sun", "int16", 0.002, 0.0, -32768),
        Variable(f"{name}_slow_weight", "1", f"fading number of clear views behind {name}_slow, at full sun", "uint16",
                 0.005, 0.0, 65535),
    ]  # fmt: skip


FINE = {
    v.name: v
    for v in [
        *(variable for overpass in OVERPASSES for variable in _lst(overpass)),
        *(
            Variable(band, "1", f"surface reflectance, {wave}", "uint16", 1e-4, 0.0, 65535)
            for band, wave in REFLECTANCE_BANDS.items()
        ),
        Variable("reflectance_quality", "1", "of the last reflectance: 0 full inversion or good, 1 the second quality",
                 "uint8", 1.0, 0.0, 255),
        Variable("reflectance_age", "d", "days since the reflectance was last seen", "uint8", 1.0, 0.0, 255),
        Variable("rain", "mm", "rain since the overpass of the day before", "uint16", 0.01, 0.0, 65535, RAIN_SPACING),
        *(
            Variable(name, "mm", f"antecedent precipitation index, e-folding {days} days", "uint16", 0.01, 0.0, 65535,
                     RAIN_SPACING)
            for name, days in API_DAYS.items()
        ),
    ]
}  # fmt: skip

OTHERS = (2, 3, 4)  # places of other platforms after the first
COARSE = {
    v.name: v
    for v in [
        Variable(
            "ssm", "m3 m-3", "coarse surface soil moisture, 0-5 cm, as observed, or as the reference sensor would have"
        ),
        Variable("ssm_sigma", "m3 m-3", "standard error of the coarse observation"),
        *(
            Variable(f"lst_{k}_seen", "1", f"fraction of the cell's land with LST seen by the satellite, {k}")
            for k in OVERPASSES
        ),
        *(
            Variable(f"lst_{k}_counted", "1", f"how much the views of lst_{k} count in its memory, mean over the land")
            for k in OVERPASSES
        ),
        Variable("source", "1", "sensor of the coarse observation, 0 none", "uint8", 1.0, 0.0, 0),
        *(
            Variable(f"lst_{k}_{what}", "K", long_name)
            for k in OVERPASSES
            for what, long_name in {
                "background": f"smooth clear-sky LST of the surroundings at sea level, {k}",
                "cloud": f"effect of cloud on LST, {k}: to be added where it is not seen",
                "cloud_sigma": f"standard error of lst_{k}_cloud",
                "anomaly": f"clear-sky anomaly of the views of lst_{k} against the surroundings, 0 where none was",
                "platform_offset": f"LST of the {k} overpass less that of the other platform's",
                "other": f"cell mean of LST as the other platform saw it, {k}",
                **{
                    f"platform_offset_{n}": f"LST of the {k} overpass less that of the {n}. other platform's"
                    for n in OTHERS
                },
                **{f"other_{n}": f"cell mean of LST as the {n}. other platform saw it, {k}" for n in OTHERS},
                "target_offset": f"LST of the {k} overpass less that of its platform after that has drifted away",
                "background_sigma": f"standard error of lst_{k}_background since it was last observed",
                "air": f"air temperature at sea level at the {k} overpass",
                "minus_air": f"clear-sky LST less air temperature, {k}, a fading mean",
            }.items()
        ),
        *(Variable(v.name, v.units, f"cell mean: {v.long_name}") for v in FINE.values()),
    ]
}

STATIC_UNITS = {"elevation": "m", "sand": "percent", "clay": "percent", "water_fraction": "1"}


def folder_name(variable: object) -> str:
    """The name of a variable, a folder of the cube. Raises ``ValueError`` where it is none, or led elsewhere."""
    if not isinstance(variable, str) or not variable or variable.startswith(".") or re.search(r"[/\\\0]", variable):
        raise ValueError(f"{variable!r} is no name of a variable")
    return variable
