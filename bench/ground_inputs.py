"""Inputs of the networks at the stations of a cell, made by the product's own processing: as a cube would store them.

LST anomalies and their memories come from the product's gap filling, antecedent rain from its recursion, both carried
on as the cube packs them. What the table lacks is absent as in a cube without that product.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from ground_table import OPTIONAL, StationCell
from torch import Tensor

from ssm_net.config import MemoryConfig
from ssm_net.core.clock import DAY_HOUR
from ssm_net.cube.variables import API_DAYS, FINE
from ssm_net.inputs import features
from ssm_net.inputs.reading import variables
from ssm_net.inputs.scaling import Scaling
from ssm_net.lst.background import BackgroundLST
from ssm_net.lst.gap_filling import LAPSE, ClearLST, Terrain, ThermalState, fill_gaps
from ssm_net.lst.memory import Memory, sun_height
from ssm_net.prepare.store_day import OLDEST

LST_ERROR = 1.0  # K, standard error of a clear-sky observation of the best quality
BRIGHTNESS = 0.2  # mean reflectance of red and near infrared: only their index is known, and only it is used


@dataclass(frozen=True)
class StationInputs:
    """Variables at the n stations of a cell on T days.

    ``packed`` maps fine variables to (T, n) as the cube packs them, ``maps`` static ones to (n,) float32.
    ``background`` (T,) K is the background LST, ``seen`` (T,) the fraction of the stations whose LST was observed.
    ``fine`` and ``static`` name the variables, as of a ``Cube``.
    """

    days: tuple[dt.date, ...]
    packed: dict[str, np.ndarray]
    maps: dict[str, np.ndarray]
    background: np.ndarray
    seen: np.ndarray

    @property
    def fine(self) -> tuple[str, ...]:
        return tuple(self.packed)

    @property
    def static(self) -> tuple[str, ...]:
        return tuple(self.maps)

    def cell_means(self) -> dict[str, np.ndarray]:
        """Means over the stations of all fine variables, (T,) float32, NaN where no station has a value."""
        out = {"lst_day_background": self.background, "lst_day_seen": self.seen}
        for name, values in self.packed.items():
            floats = FINE[name].unpack(values)
            known = np.isfinite(floats)
            mean = np.where(known, floats, 0).sum(1) / np.maximum(known.sum(1), 1)
            out[name] = np.where(known.any(1), mean, np.nan).astype("float32")
        return out

    def cell_features(self, scaling: Scaling) -> Tensor:
        """Normalised features of the cell's means, (F, T): what the coarse branch is given."""
        given = {name: torch.from_numpy(values)[:, None] for name, values in self.cell_means().items()}
        given |= {k: torch.full((len(self.days), 1), float(np.mean(v))) for k, v in self.maps.items()}
        wanted = {v: given[v] for v in features.needed(scaling.present) if v in set(variables(self))}
        return scaling(features.stack(scaling.names, wanted))[..., 0]


def station_inputs(cell: StationCell) -> StationInputs:
    """The variables that the columns of a table allow."""
    packed, background, seen = _thermal(cell)
    if "ndvi" in cell.daily:
        packed |= _reflectance(cell.daily["ndvi"])
    if "rain" in cell.daily:
        packed |= _rain(cell.daily["rain"])
    maps = {k: (100 * cell.static[k]).astype("float32") for k in ("sand", "clay") if k in cell.static}
    maps["elevation"] = np.nan_to_num(cell.static["elevation"]).astype("float32")
    return StationInputs(cell.days, packed, maps, background, seen)


def _thermal(cell: StationCell) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """LST, its lineage and memories (T, n), background and seen fraction (T,), by the product's gap filling.

    The stations are the pixels of one coarse cell, row by row in a square; pixels that are over are never observed. The
    features rest on each pixel's own observations and on the background, not on what fills the gap between neighbours.
    """
    count, side = len(cell.sites), math.ceil(math.sqrt(len(cell.sites)))

    def square(values: np.ndarray, rest: float) -> Tensor:
        pixels = np.full(side * side, rest, "float32")
        pixels[:count] = values
        return torch.from_numpy(pixels.reshape(side, side))

    elevation = square(np.nan_to_num(cell.static["elevation"]), 0.0)
    terrain = Terrain(elevation, torch.full((1, 1), float(np.nanmean(cell.static["lat"]))), side)
    names = [f"lst_day{suffix}" for suffix in ("", "_lineage", "_memory", "_weight", "_slow", "_slow_weight")]
    packed: dict[str, list[np.ndarray]] = {name: [] for name in names}
    background, seen = [], []
    state: ThermalState | None = None
    for day, lst in zip(cell.days, cell.daily["lst_day"], strict=True):
        observed = square(lst, math.nan)
        sigma = torch.where(torch.isfinite(observed), LST_ERROR, torch.nan)
        sun = sun_height(terrain.latitude, day, DAY_HOUR)
        filled = fill_gaps(day, ClearLST(observed, sigma), terrain, state, MemoryConfig(), sun=sun)
        memories = [m for m in (filled.state.memory, filled.state.slow) if m is not None]
        fields = [filled.lst, filled.lineage.float()]
        fields += [f for m in memories for f in (torch.where(m.weight > 0, m.mean, torch.nan), m.weight)]
        stored = [FINE[name].pack(field.numpy()) for name, field in zip(names, fields, strict=True)]
        for name, values in zip(names, stored, strict=True):
            packed[name].append(values.ravel()[:count])
        memory, weight, slow, slow_weight = (
            torch.from_numpy(FINE[n].unpack(v)).nan_to_num() for n, v in zip(names[2:], stored[2:], strict=True)
        )
        state = _carried_on(filled.state, Memory(memory, weight), Memory(slow, slow_weight))
        background.append(float(state.background.lst))
        seen.append(float(np.isfinite(lst).mean()))
    return ({name: np.stack(values) for name, values in packed.items()},
            np.array(background, "float32"), np.array(seen, "float32"))  # fmt: skip


def _carried_on(state: ThermalState, memory: Memory, slow: Memory) -> ThermalState:
    """``state`` with the memories as stored: each day starts from stored values."""
    b = state.background
    background = BackgroundLST(b.lst, b.sigma, b.weather, b.cycle)
    return ThermalState(state.day, memory, background, state.error, slow=slow)


def _reflectance(ndvi: np.ndarray) -> dict[str, np.ndarray]:
    """Red and near infrared of that NDVI (T, n), the last one where there is none, and its age in days."""
    kept, age = np.full(ndvi.shape, np.nan), np.full(ndvi.shape, np.nan)
    for t, today in enumerate(ndvi):
        fresh = np.isfinite(today)
        before = (kept[t - 1], age[t - 1]) if t else (np.nan, np.nan)
        kept[t] = np.where(fresh, today, before[0])
        age[t] = np.where(fresh, 0, np.minimum(before[1] + 1, OLDEST))
    values = {"red": BRIGHTNESS * (1 - kept), "nir": BRIGHTNESS * (1 + kept), "reflectance_age": age}
    return {name: FINE[name].pack(v.astype("float32")) for name, v in values.items()}


def _rain(rain: np.ndarray) -> dict[str, np.ndarray]:
    """Rain of each UTC day, which is that of the table's next row, and the antecedent rain: (T, n), mm."""
    of_day = np.nan_to_num(np.concatenate([rain[1:], np.full((1, rain.shape[1]), np.nan)])).astype("float32")
    out = {"rain": FINE["rain"].pack(of_day)}
    for name, memory in API_DAYS.items():
        days, stored = [], np.zeros(rain.shape[1], "float32")
        for today in of_day:
            days.append(FINE[name].pack(stored * np.float32(np.exp(-1 / memory)) + today))
            stored = np.nan_to_num(FINE[name].unpack(days[-1]))
        out[name] = np.stack(days)
    return out


def reduced_lst(cell: StationCell) -> np.ndarray:
    """LST at sea level, (T, n) K."""
    return cell.daily["lst_day"] + LAPSE * np.nan_to_num(cell.static["elevation"])


def absent_columns(cells: Sequence[StationCell]) -> list[str]:
    """The optional columns that a table lacks."""
    return [name for name in OPTIONAL if name not in cells[0].daily and name not in cells[0].static]
