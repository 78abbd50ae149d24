"""The quantities that files hold: the unit each is read in, the range it can have, and the other units it comes in."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Linear = tuple[float, float]  # factor and offset that bring a number to the unit of the quantity


@dataclass(frozen=True)
class Quantity:
    """What a layer holds.

    Values lie in ``low`` .. ``high``, in ``unit``, or beyond by no more than ``slack``, the rounding of packed and
    resampled numbers. ``units`` are the other units a file may state, ``refused`` those that cannot be converted, with
    the reason. ``zero_is_missing``: some files fill with 0, which it never is. ``often_zero``: 0 is what a sound file
    mostly holds (rain). ``optional``: a file is used without it where it is in no known unit. ``not_all_below``: where
    no value of a file is above it, the file is in another unit.
    """

    name: str
    unit: str
    low: float
    high: float
    units: Mapping[str, Linear] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    zero_is_missing: bool = False
    often_zero: bool = False
    optional: bool = False
    slack: float = 0.0
    not_all_below: float = -math.inf

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest number that is taken for a value."""
        return self.low - self.slack, self.high + self.slack

    @property
    def range(self) -> str:
        """The range in words."""
        return f"{self.low:g} .. {self.high:g} {self.unit}".rstrip()


def plain_unit(text: str) -> str:
    """A unit without differences of spelling: lower case, ``m**3``, ``m^3`` and ``m³`` as ``m3``, one space."""
    text = text.replace("³", "3").replace("²", "2").replace("⁻", "-").replace("¹", "1")
    return " ".join(re.sub(r"\*\*|\^|[()]", "", text.lower()).split())


def _all(names: str, linear: Linear) -> dict[str, Linear]:
    return dict.fromkeys((name.strip() for name in names.split(",")), linear)


_ONE, _PERCENT = (1.0, 0.0), (0.01, 0.0)
_PERCENT_NAMES = "%, percent, per cent, pct, vol%, vol.%, vol. %, vol %, % vol, %vol, volume percent, percent volume"
_FRACTIONS = _all("1, -, fraction, unitless, none, dimensionless, ratio, m2/m2, m2 m-2", _ONE)
_TEMPERATURE = {
    **_all("k, kelvin, kelvins, degk, degree_kelvin, degrees_kelvin, degrees k, degree k", _ONE),
    **_all("c, °c, degc, deg c, deg_c, celsius, degree_celsius, degrees_celsius, degree c, degrees c, degree celsius, "
           "degrees celsius, celcius", (1.0, 273.15)),
    **_all("f, °f, degf, fahrenheit, degree_fahrenheit, degrees_fahrenheit", (5 / 9, 273.15 - 32 * 5 / 9)),
}  # fmt: skip
_PER_WEIGHT = "is a mass of water, which the density of the soil would make volumetric; give soil moisture in m3 m-3"
_LAYER = "is water in a layer of unstated depth; give soil moisture in m3 m-3"

SOIL_MOISTURE = Quantity(
    "soil moisture", "m3 m-3", 0.0, 0.7,  # above any porosity of a footprint; passive CCI has 1.0 where it fails
    {**_FRACTIONS, **_all("m3 m-3, m3/m3, m3m-3, m3.m-3, cm3/cm3, cm3 cm-3, cm3cm-3, mm3/mm3, mm3 mm-3, v/v, vol/vol, "
                          "m3 / m3, cm3 / cm3, l/l, volumetric", _ONE),
     **_all(_PERCENT_NAMES + ", m3/m3*100, m3 m-3 %", _PERCENT)},
    {**dict.fromkeys(("kg m-2", "kg/m2", "mm"), _LAYER),
     **dict.fromkeys(("kg kg-1", "kg/kg", "g g-1", "g/g", "g/kg", "g kg-1"), _PER_WEIGHT)},
    zero_is_missing=True,
)  # fmt: skip
SOIL_MOISTURE_ERROR = Quantity("error of soil moisture", "m3 m-3", 0.0, 1.0, SOIL_MOISTURE.units, optional=True)
LST = Quantity("land surface temperature", "K", 150.0, 360.0, _TEMPERATURE, zero_is_missing=True)
LST_ERROR = Quantity("error of land surface temperature", "K", 0.0, 50.0, optional=True)
AIR_TEMPERATURE = Quantity("air temperature", "K", 180.0, 340.0, _TEMPERATURE, zero_is_missing=True)
RADIATION = Quantity(
    "shortwave radiation", "W m-2", 0.0, 1500.0, optional=True, slack=20.0
)  # a difference of rounded sums
# 1825 mm fell in a day on La Reunion (World Meteorological Organization).
RAIN = Quantity("rain", "mm", 0.0, 2000.0, often_zero=True, slack=0.1)
REFLECTANCE = Quantity("reflectance", "", -0.01, 1.6)
NDVI = Quantity("NDVI", "", -1.0, 1.0)
ELEVATION = Quantity(
    "elevation", "m", -500.0, 9000.0,
    {**_all("m, metre, metres, meter, meters", _ONE), **_all("ft, foot, feet, us survey foot", (0.3048, 0.0)),
     **_all("dm, decimetre, decimetres", (0.1, 0.0)), **_all("cm, centimetre, centimetres", (0.01, 0.0)),
     **_all("km, kilometre, kilometres", (1000.0, 0.0))},
)  # fmt: skip
TEXTURE = Quantity(
    "sand, clay or silt", "percent", 0.0, 100.0,
    {**_all(_PERCENT_NAMES, _ONE), **_all("g/kg, g kg-1, g.kg-1, permille, per mille, ‰", (0.1, 0.0)),
     **_all("fraction, g/g, g g-1, kg/kg, kg kg-1", (100.0, 0.0))},
    not_all_below=1.0, slack=0.5,
)  # fmt: skip
FRACTION = Quantity("pixel fraction", "", 0.0, 1.0, {**_FRACTIONS, **_all(_PERCENT_NAMES, _PERCENT)}, slack=0.01)
VIEW_TIME = Quantity("time of the view", "hours, or day of the year", 0.0, 366.0)
ANY_MAP = Quantity("value of a map", "", -math.inf, math.inf)


def of_variable(variable: str) -> Quantity:
    """The quantity of a fine variable (``lst_day``, ``red``, ``ndvi``), or of the times at which it was seen
    (``lst_day_time``)."""
    if variable.endswith("_time"):
        return VIEW_TIME
    return LST if variable.startswith("lst_") else NDVI if variable == "ndvi" else REFLECTANCE


def of_static_map(name: str) -> Quantity:
    """The quantity of a static map by its name; ``ANY_MAP`` for those that the user adds."""
    name = name.lower()
    if name in ("sand", "clay", "silt"):
        return TEXTURE
    return {"elevation": ELEVATION, "water_fraction": FRACTION, "urban": FRACTION}.get(name, ANY_MAP)
