"""Features: physically meant combinations of the cube's variables, what networks and baselines see of a pixel.

The same table serves both scales: given pixels it makes the fine branch's channels, given cell means the coarse
branch's. A feature is there when every variable it needs is there, so the products a user has define the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.cube.variables import API_DAYS
from ssm_net.lst.filling_error import SHRINK
from ssm_net.lst.gap_filling import LAPSE

VERSION = 1  # of the features' definitions: raised when networks trained on the old ones see other numbers


SLOW_SHRINK = 3.0  # views at which a slow memory is shrunk to a half
SLOW_HALF = 20.0  # views at which it is known half way


@dataclass(frozen=True)
class Feature:
    """A channel: its name, the variables it needs and how it is computed from them (NaN where they are missing)."""

    name: str
    needs: tuple[str, ...]
    make: Callable[..., Tensor]
    classics_only: bool = False  # identifies days: a network would learn a season's record by heart

    @property
    def group(self) -> str:
        """What it is measured by: features of a group are right or wrong together."""
        return GROUP_OF.get(self.needs[0].split("_")[0], "maps")


def _today(lst: Tensor, seen: Tensor, background: Tensor, elevation: Tensor) -> Tensor:
    """Today's clear-sky anomaly against the surroundings; 0 where not seen, missing where seen at unknown height."""
    anomaly = torch.nan_to_num(lst + LAPSE * elevation - background) * seen
    return anomaly.masked_fill_(torch.isnan(elevation) & (seen > 0), torch.nan)


def _memory(memory: Tensor, weight: Tensor) -> Tensor:
    """The remembered anomaly, shrunk to 0 as its views grow old."""
    w = torch.nan_to_num(weight)
    return torch.nan_to_num(memory) * w / (w + SHRINK)


def _confidence(weight: Tensor) -> Tensor:
    w = torch.nan_to_num(weight)
    return w / (w + 1)


def _slow_memory(memory: Tensor, weight: Tensor) -> Tensor:
    """The lasting anomaly, shrunk to 0 where it rests on few views of a high sun."""
    w = torch.nan_to_num(weight)
    return torch.nan_to_num(memory) * w / (w + SLOW_SHRINK)


def _slow_confidence(weight: Tensor) -> Tensor:
    w = torch.nan_to_num(weight)
    return w / (w + SLOW_HALF)


def _index(a: Tensor, b: Tensor) -> Tensor:
    """Normalised difference, in [-1, 1]."""
    return ((a - b) / (a + b).clamp(min=1e-3)).clamp(-1, 1)


def _brightness(a: Tensor, b: Tensor) -> Tensor:
    """Mean reflectance of two bands, which needs no short-wave infrared."""
    return 0.5 * (a + b)


def _as_is(x: Tensor) -> Tensor:
    return x


def _overpass(k: str) -> list[Feature]:
    lst = f"lst_{k}"
    return [
        Feature(f"{lst}_today", (lst, f"{lst}_seen", f"{lst}_background", "elevation"), _today),
        Feature(f"{lst}_seen", (f"{lst}_seen",), _as_is),
        Feature(f"{lst}_memory", (f"{lst}_memory", f"{lst}_weight"), _memory),
        Feature(f"{lst}_confidence", (f"{lst}_weight",), _confidence),
        Feature(lst, (lst,), _as_is, classics_only=True),
    ]


FEATURES = [
    *_overpass("day"),
    *_overpass("night"),
    Feature("lst_day_slow", ("lst_day_slow", "lst_day_slow_weight"), _slow_memory),
    Feature("lst_day_slow_confidence", ("lst_day_slow_weight",), _slow_confidence),
    Feature("ndvi", ("nir", "red"), _index),
    Feature("ndwi", ("nir", "swir1"), _index),
    Feature("swir_index", ("swir1", "swir2"), _index),
    Feature("swir2", ("swir2",), _as_is),
    Feature("brightness", ("red", "nir"), _brightness),
    Feature("reflectance_age", ("reflectance_age",), torch.log1p),
    *(Feature(v, (v,), torch.log1p) for v in ("rain", *API_DAYS)),
    Feature("elevation", ("elevation",), _as_is),
    Feature("relief", ("relief",), _as_is),
    Feature("sand", ("sand",), _as_is),
    Feature("clay", ("clay",), _as_is),
    Feature("water_fraction", ("water_fraction",), _as_is),
]


# The group of a feature by the first word of its first variable; all others are static maps.
GROUP_OF = {
    "lst": "heat",
    "nir": "reflectance",
    "swir1": "reflectance",
    "swir2": "reflectance",
    "reflectance": "reflectance",
    "rain": "rain",
    "api": "rain",
}
GROUPS = ("heat", "reflectance", "rain", "maps")


def group_numbers(names: Sequence[str]) -> list[int]:
    """The number of each feature's group in ``GROUPS``."""
    table = {f.name: f for f in FEATURES}
    return [GROUPS.index(table[n].group) for n in names]


def available(variables: Sequence[str], *, classics: bool = False) -> list[str]:
    """Names of the features that these variables allow, in the table's order; those for the classics if asked for."""
    have = set(variables)
    return [f.name for f in FEATURES if have.issuperset(f.needs) and (classics or not f.classics_only)]


def needed(names: Sequence[str]) -> list[str]:
    """The variables that these features are made of."""
    return sorted({n for f in FEATURES if f.name in set(names) for n in f.needs})


def stack(names: Sequence[str], variables: Mapping[str, Tensor]) -> Tensor:
    """Features in physical units, (.., len(names), y, x), NaN where missing; ``variables`` are floats of one shape,
    (.., y, x).

    A feature that ``variables`` do not allow is missing everywhere.
    """
    table = {f.name: f for f in FEATURES}
    none = torch.full_like(next(iter(variables.values())), torch.nan)
    allowed = {n for n in names if variables.keys() >= {*table[n].needs}}
    fields = [table[n].make(*(variables[v] for v in table[n].needs)) if n in allowed else none for n in names]
    return torch.stack(fields, -3)


def normalise(x: Tensor, mean: Tensor, std: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Zero mean and unit variance; NaN where missing or not between ``low`` and ``high``. ``x`` is (..., F, y, x)."""
    out = (x - mean[:, None, None]).div_(std[:, None, None])
    limits = low[:, None, None], high[:, None, None]
    if x.device.type != "cpu":
        return out.masked_fill_(~((x >= limits[0]) & (x <= limits[1])), torch.nan)
    values, (least, most) = x.detach().numpy(), (limit.numpy() for limit in limits)
    outside = ~((values >= least) & (values <= most))  # by numpy, which compares faster than torch
    return out.masked_fill_(torch.from_numpy(outside), torch.nan) if outside.any() else out
