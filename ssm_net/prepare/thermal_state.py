"""What a day leaves of an overpass for the next one, stored and read again: thermal memories, background, offsets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ssm_net.cube.json_files import damaged
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import FINE
from ssm_net.lst.annual_cycle import AirMemory, Cycle
from ssm_net.lst.background import BackgroundLST
from ssm_net.lst.gap_filling import ThermalState
from ssm_net.lst.memory import Memory
from ssm_net.prepare.platform_views import offset_names

PackedField = tuple[str, np.ndarray | dt.date]  # a fine variable, its packed values (y, x) or the day that has the same


def thermal_state(cube: Cube, day: dt.date | None, k: str) -> ThermalState | None:
    """The state that ``day`` left, as the cube stores it; None before the first."""
    if day is None:
        return None
    state = cube.state(day)
    require_state(cube, day, k, state)
    air = f"lst_{k}_air"
    air_cycle = state.get(f"{air}_cycle")
    return ThermalState(
        day,
        _stored_memory(cube, day, f"lst_{k}_memory", f"lst_{k}_weight"),
        BackgroundLST(
            torch.from_numpy(cube.read_coarse(f"lst_{k}_background", day)),
            torch.from_numpy(cube.read_coarse(f"lst_{k}_background_sigma", day)),
            state[f"lst_{k}_weather"],
            Cycle.from_json(state[f"lst_{k}_cycle"]),
        ),
        tuple(state[f"lst_{k}_error"]),
        tuple(
            torch.from_numpy(cube.read_coarse(name, day)) if name in cube.coarse else None
            for name in offset_names(cube, k)
        ),
        AirMemory(torch.from_numpy(cube.read_coarse(air, day)), Cycle.from_json(air_cycle)) if air_cycle else None,
        _stored_memory(cube, day, f"lst_{k}_slow", f"lst_{k}_slow_weight") if f"lst_{k}_slow" in cube.fine else None,
    )


def require_state(cube: Cube, day: dt.date, k: str, state: Mapping[str, Any]) -> None:
    """Raise ``DamagedError`` where the ``state`` that ``day`` left lacks something of the overpass ``k``."""
    if missing := [key for key in (f"lst_{k}_error", f"lst_{k}_weather", f"lst_{k}_cycle") if key not in state]:
        raise damaged(str(cube.state_file(day)), day, KeyError(", ".join(missing)))


def _stored_memory(cube: Cube, day: dt.date, mean: str, weight: str) -> Memory:
    return Memory(*(torch.from_numpy(cube.read(name, day)).nan_to_num_() for name in (mean, weight)))


def packed_memory(memory: Memory, mean: str, weight: str) -> Iterator[PackedField]:
    """A thermal memory; its mean is missing where nothing was ever observed."""
    known = torch.from_numpy(memory.weight.numpy() > 0)
    of_views = memory.mean if bool(known.all()) else torch.where(known, memory.mean, torch.nan)
    yield mean, FINE[mean].pack(of_views.numpy())
    yield weight, FINE[weight].pack(memory.weight.numpy())


def keep_thermal_state(
    cube: Cube, k: str, thermal: ThermalState, coarse: dict[str, np.ndarray], state: dict[str, Any]
) -> None:
    """Put into ``coarse`` and ``state`` of a day what ``thermal_state`` reads on the next, but for the memories."""
    coarse[f"lst_{k}_background"] = thermal.background.lst.numpy()
    coarse[f"lst_{k}_background_sigma"] = thermal.background.sigma.numpy()
    for name, offset in zip(offset_names(cube, k), thermal.platform_offsets, strict=True):
        if name in cube.coarse:
            unknown = np.full(cube.domain.coarse_shape, np.nan, "float32")
            coarse[name] = unknown if offset is None else offset.numpy()
    state[f"lst_{k}_error"] = thermal.error
    state[f"lst_{k}_weather"] = thermal.background.weather
    state[f"lst_{k}_cycle"] = thermal.background.cycle.to_json()
    if f"lst_{k}_air" in cube.coarse:
        air = thermal.air
        unknown = np.full(cube.domain.coarse_shape, np.nan)
        coarse[f"lst_{k}_air"] = unknown if air is None else air.temperature.numpy()
        state[f"lst_{k}_air_cycle"] = None if air is None else air.cycle.to_json()
