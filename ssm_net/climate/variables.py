"""The variables of the files of statistics, with their CF attributes and their packing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ssm_net.climate.cf_file import Variable
from ssm_net.formats.netcdf import DAILY_ATTRIBUTES
from ssm_net.formats.product import FILL, SCALE, UNITS, Flag

DEVIATION_SCALE = 1e-3  # of standardised anomalies
PERCENT_SCALE = 0.01
NO_CLASS = 255
# The greatest percentile of each class of drought, of soil moisture as of the other indicators. Source: U.S. Drought
# Monitor, drought classification (droughtmonitor.unl.edu).
DROUGHT_CLASSES = (("d4_exceptional", 2), ("d3_extreme", 5), ("d2_severe", 10), ("d1_moderate", 20),
                   ("d0_abnormally_dry", 30))  # fmt: skip


def soil_moisture(long_name: str, cell_methods: str, **attrs: str) -> Variable:
    """Values in m3 m-3, packed like those of the maps."""
    return _values(long_name, "modelResult", cell_methods, **attrs)


def standard_error(long_name: str, cell_methods: str, **attrs: str) -> Variable:
    return _values(long_name, "qualityInformation", cell_methods, **attrs)


def _values(long_name: str, content: str, cell_methods: str, **attrs: str) -> Variable:
    described = {"long_name": long_name, "units": UNITS, "coverage_content_type": content}
    methods = {"cell_methods": cell_methods} if cell_methods else {}
    return Variable("int16", described | methods | attrs, int(FILL), float(SCALE))


def ratio(long_name: str, units: str, scale: float) -> Variable:
    described = {"long_name": long_name, "units": units, "coverage_content_type": "modelResult"}
    return Variable("int16", described, int(FILL), scale)


def count(long_name: str, dtype: str = "uint16", **attrs: str) -> Variable:
    described = {"long_name": long_name, "units": "1", "coverage_content_type": "auxiliaryInformation"}
    return Variable(dtype, described | attrs)


NUMBER_OF_DAYS = count("number of days with a value", standard_name="number_of_observations")
NUMBER_OF_YEARS = count("number of years that have a day with a value", "uint8")


def flag_days() -> dict[str, Variable]:
    """For each quality flag the number of days that have it."""
    return {f"days_{name}": count(f"number of days with the flag {name}, masked ones too") for name in _flag_names()}


def flag_counts(flags: np.ndarray) -> dict[str, np.ndarray]:
    """The values of ``flag_days``, of counts (flags, rows, cols)."""
    return {f"days_{name}": counts for name, counts in zip(_flag_names(), flags, strict=True)}


def _flag_names() -> list[str]:
    return [str(flag.name).lower() for flag in Flag]


def daily_flags() -> Variable:
    """The quality flags of the map of a day."""
    keep = ("standard_name", "long_name", "coverage_content_type", "flag_masks", "flag_meanings", "valid_range")
    attrs: Mapping[str, Any] = DAILY_ATTRIBUTES["flags"]
    return Variable("uint16", {key: attrs[key] for key in keep})


def drought_class() -> Variable:
    names = [*(name for name, _ in DROUGHT_CLASSES), "no_drought", "no_value"]
    return Variable("uint8", {
        "standard_name": "status_flag", "long_name": "class of drought, as the U.S. Drought Monitor has it",
        "coverage_content_type": "modelResult", "flag_values": np.array([*range(len(names) - 1), NO_CLASS], np.uint8),
        "flag_meanings": " ".join(names),
    })  # fmt: skip
