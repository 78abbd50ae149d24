"""One day into the cube: filled, remembered, aged, packed and written, leaning on the last stored day before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssm_net.config import MemoryConfig
from ssm_net.core.clock import HOURS, OVERPASSES
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import API_DAYS, FINE
from ssm_net.grid import Domain, block_mean
from ssm_net.lst import cloud_effect
from ssm_net.lst.annual_cycle import AirMemory, Cycle
from ssm_net.lst.background import BackgroundLST
from ssm_net.lst.cloud_effect import Air
from ssm_net.lst.gap_filling import LAPSE, ClearLST, FilledLST, Terrain, ThermalState, fill_gaps
from ssm_net.prepare.intercalibration import Intercalibration
from ssm_net.prepare.read_day import Day

Field = tuple[str, np.ndarray]  # a variable and its packed values, (y, x)
OLDEST = 254  # days; a reflectance is kept until then, its age said


def store(cube: Cube, seen: Day, elevation: Tensor, land: Tensor, sensors: Intercalibration) -> list[str]:
    """Write one day; returns what it was made without (``ssm``, ``lst_day``, ``rain`` ..).

    ``elevation`` (m) and ``land`` (bool) are (y, x).
    """
    before = cube.last_done(seen.day)
    coarse: dict[str, np.ndarray] = {}
    info: dict[str, Any] = {
        "files": list(seen.files), "problems": list(seen.problems), "missing": [],
        "left_out": dict(seen.left_out), "missing_tiles": list(seen.missing_tiles),
        "revision": cube.revision(seen.day), "observed": 0,
    }  # fmt: skip
    state: dict[str, Any] = {}
    bands = [v for v in ("red", "nir", "swir1", "swir2") if v in cube.fine]
    info["missing"] += [f"lst_{k}" for k in OVERPASSES if f"lst_{k}" in cube.fine and seen.lst.get(k) is None]
    info["missing"] += ["reflectance"] * (bool(bands) and seen.reflectance is None)
    info["missing"] += ["rain"] * ("rain" in cube.fine and seen.rain is None)
    if "ssm" in cube.coarse:
        none = np.full(cube.domain.coarse_shape, np.nan, "float32")
        if seen.ssm is None:
            info["missing"].append("ssm")
            coarse |= {"ssm": none, "ssm_sigma": none, "source": none}
        else:
            ssm = sensors.apply(seen.day, seen.ssm)
            source = np.where(ssm.source > 0, ssm.source, np.nan).astype("float32")  # 0 is what marks a missing one
            coarse |= {"ssm": ssm.ssm, "ssm_sigma": ssm.sigma, "source": source}
            info["observed"] = int(np.isfinite(ssm.ssm).sum())

    def fine() -> Iterator[Field]:
        """One after the other: those of a country need not be in memory together."""
        for k in OVERPASSES:
            if f"lst_{k}" in cube.fine:
                yield from _thermal(cube, before, k, seen, elevation, land, coarse, state)
        if bands:
            yield from _reflectance(cube, before, bands, seen)
        if "rain" in cube.fine:
            yield from _rain(cube, before, seen)

    def with_cells() -> Iterator[Field]:
        for name, packed in fine():
            if name in cube.coarse:
                values = torch.from_numpy(FINE[name].unpack(packed))
                coarse[name] = block_mean(values, cube.domain.ratio, land).numpy()
            yield name, packed

    cube.write_day(seen.day, with_cells(), coarse, info, state)
    return list(info["missing"])


def thermal_state(cube: Cube, day: dt.date | None, k: str) -> ThermalState | None:
    """The state that ``day`` left, as the cube stores it; None before the first."""
    if day is None:
        return None
    state = cube.state(day)
    platform_offset, air = f"lst_{k}_platform_offset", f"lst_{k}_air"
    air_cycle = state.get(f"{air}_cycle")
    near, far = state[f"lst_{k}_error"]
    return ThermalState(
        day,
        torch.from_numpy(cube.read(f"lst_{k}_memory", day)),
        torch.from_numpy(cube.read(f"lst_{k}_weight", day)).nan_to_num(),
        BackgroundLST(
            torch.from_numpy(cube.read_coarse(f"lst_{k}_background", day)),
            torch.from_numpy(cube.read_coarse(f"lst_{k}_background_sigma", day)),
            state[f"lst_{k}_weather"],
            Cycle.from_json(state[f"lst_{k}_cycle"]),
        ),
        (near, far),
        torch.from_numpy(cube.read_coarse(platform_offset, day)) if platform_offset in cube.coarse else None,
        AirMemory(torch.from_numpy(cube.read_coarse(air, day)), Cycle.from_json(air_cycle)) if air_cycle else None,
    )


def _thermal(
    cube: Cube, before: dt.date | None, k: str, seen: Day, elevation: Tensor, land: Tensor,
    coarse: dict[str, np.ndarray], state: dict[str, Any],
) -> Iterator[Field]:  # fmt: skip
    """LST of an overpass, filled, and its memory; what goes with it into ``coarse`` and ``state``."""
    nowhere = np.full(cube.domain.fine_shape, np.nan, "float32")
    lst, sigma = seen.lst.get(k) or (nowhere, nowhere)
    other = (seen.other_lst.get(k) or (nowhere, nowhere)) if f"lst_{k}_platform_offset" in cube.coarse else None
    pair = seen.air.get(k)
    height = block_mean(elevation, cube.domain.ratio)
    air = None if pair is None else torch.from_numpy(pair[0]) + LAPSE * height
    done = fill_gaps(
        seen.day, ClearLST(torch.from_numpy(lst), torch.from_numpy(sigma)),
        Terrain(elevation, _latitude(cube.domain), cube.domain.ratio), thermal_state(cube, before, k),
        MemoryConfig(cube.attrs["memory_days"], cube.attrs["memory_background"]),
        other=None if other is None else ClearLST(torch.from_numpy(other[0]), torch.from_numpy(other[1])),
        air=air if f"lst_{k}_air" in cube.coarse else None,
    )  # fmt: skip
    seen_part = block_mean((done.lineage <= 1).float(), cube.domain.ratio, land)
    coarse[f"lst_{k}_background"] = done.state.background.lst.numpy()
    coarse[f"lst_{k}_seen"] = seen_part.numpy()
    if done.state.platform_offset is not None:
        coarse[f"lst_{k}_platform_offset"] = done.state.platform_offset.numpy()
    coarse[f"lst_{k}_background_sigma"] = done.state.background.sigma.numpy()
    state[f"lst_{k}_error"] = done.state.error
    state[f"lst_{k}_weather"] = done.state.background.weather
    state[f"lst_{k}_cycle"] = done.state.background.cycle.to_json()
    if f"lst_{k}_air" in cube.coarse:
        left = done.state.air
        coarse[f"lst_{k}_air"] = np.full(cube.domain.coarse_shape, np.nan) if left is None else left.temperature.numpy()
        state[f"lst_{k}_air_cycle"] = None if left is None else left.cycle.to_json()
    if f"lst_{k}_cloud" in cube.coarse:
        sky = None
        if pair is not None and air is not None:
            sky = Air(air, _sun(k, pair[1], cube.domain, seen.day))
        _put_cloud(cube, before, k, seen, done, sky, seen_part.nan_to_num(), coarse)
    memory = torch.where(done.state.weight > 0, done.state.memory, torch.nan)
    values = {"": done.lst, "_sigma": done.sigma, "_lineage": done.lineage.float(), "_memory": memory,
              "_weight": done.state.weight}  # fmt: skip
    for what, field in values.items():
        yield f"lst_{k}{what}", FINE[f"lst_{k}{what}"].pack(field.numpy())


def _put_cloud(
    cube: Cube, before: dt.date | None, k: str, seen: Day, done: FilledLST, air: Air | None, seen_part: Tensor,
    coarse: dict[str, np.ndarray],
) -> None:  # fmt: skip
    """What cloud does: the climate's effect, or, where a reanalysis and its memory are there, that of the day."""
    effect, error = cloud_effect.climate_effect(k, seen.day, _latitude(cube.domain))
    error = torch.sqrt(
        error**2 + done.state.background.sigma**2
    )  # the air of the day, where it is known, is not of days ago
    name = f"lst_{k}_minus_air"
    if name in cube.coarse:
        minus_air = None if before is None else torch.from_numpy(cube.read_coarse(name, before))
        if air is not None:
            days = 0 if before is None else (seen.day - before).days
            minus_air = cloud_effect.minus_air_of(
                minus_air, days, done.state.background.lst, air.temperature, seen_part
            )
            of_day, of_day_error = cloud_effect.air_effect(k, air, done.state.background.lst, minus_air, seen_part)
            known = torch.isfinite(of_day)
            effect, error = torch.where(known, of_day, effect), torch.where(known, of_day_error, error)
        coarse[name] = torch.full_like(effect, torch.nan).numpy() if minus_air is None else minus_air.numpy()
    if seen.lst.get(k) is None:
        # Nobody looked: the sky may have been clear.
        spread = effect * effect * cloud_effect.UNKNOWN * (1 - cloud_effect.UNKNOWN)
        effect, error = cloud_effect.UNKNOWN * effect, torch.sqrt(cloud_effect.UNKNOWN * error**2 + spread)
    coarse[f"lst_{k}_cloud"], coarse[f"lst_{k}_cloud_sigma"] = effect.numpy(), error.numpy()


def _latitude(domain: Domain) -> Tensor:
    """Degrees north of the coarse cells, (R, C)."""
    _, lat = domain.lonlat(coarse=True)
    return torch.from_numpy(lat).float()[:, None].expand(*domain.coarse_shape)


def _sun(k: str, radiation: np.ndarray, domain: Domain, day: dt.date) -> Tensor | None:
    """The part of the clear sky's radiation that reaches the ground, (R, C); None where none is given, and at night."""
    if k == "night" or not np.isfinite(radiation).any():
        return None
    # The radiation is the mean of the hour that ends at the overpass.
    clear = cloud_effect.clear_sky_radiation(_latitude(domain), day, HOURS[k] - 0.5)
    return (torch.from_numpy(radiation) / clear.clamp(min=50.0)).nan_to_num(0.5).clamp(0.0, 1.0)


def _reflectance(cube: Cube, before: dt.date | None, bands: Sequence[str], seen: Day) -> Iterator[Field]:
    """Today's reflectance where all bands were seen, else the last one that was, with its age."""
    shape, new = cube.domain.fine_shape, seen.reflectance or {}
    fresh = np.full(shape, set(bands) <= set(new))
    for band in bands:
        if band in new:
            fresh &= np.isfinite(new[band])

    names = dict(zip(bands, bands, strict=True))
    names |= {"reflectance_quality": "quality"} if "reflectance_quality" in cube.fine else {}
    for name, here in names.items():
        old = np.full(shape, np.nan, "float32") if before is None else cube.read(name, before)
        yield name, FINE[name].pack(np.where(fresh, new.get(here, old), old))
    age = np.full(shape, np.nan, "float32")
    if before is not None:
        age = np.minimum(cube.read("reflectance_age", before) + (seen.day - before).days, OLDEST)
    yield "reflectance_age", FINE["reflectance_age"].pack(np.where(fresh, 0, age).astype("float32"))


def _rain(cube: Cube, before: dt.date | None, seen: Day) -> Iterator[Field]:
    """The day's rain, and what the days before it left of theirs."""
    nothing = np.zeros(cube.domain.fine_shape, "float32")
    yield "rain", FINE["rain"].pack(nothing if seen.rain is None else seen.rain)
    gap = 0 if before is None else (seen.day - before).days
    for name, memory in API_DAYS.items():
        old = nothing if before is None else np.nan_to_num(cube.read(name, before))
        new = seen.antecedent.get(name, nothing)
        yield name, FINE[name].pack(old * np.float32(np.exp(-gap / memory)) + new)
