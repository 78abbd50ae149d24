"""Storing of one day: gaps filled, memories and ages carried on from the last stored day, packed and written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssm_net.config import MemoryConfig
from ssm_net.core.clock import HOURS, OVERPASSES
from ssm_net.cube.masks import kept_pixels
from ssm_net.cube.spacing import spacing, stored_shape
from ssm_net.cube.store import Cube
from ssm_net.cube.variables import API_DAYS, FINE, REFLECTANCE_BANDS
from ssm_net.cube.writer import CubeWriter
from ssm_net.grid import Domain, as_number, block_mean
from ssm_net.lst import cloud_effect
from ssm_net.lst.cloud_effect import Air
from ssm_net.lst.gap_filling import LAPSE, ClearLST, FilledLST, Terrain, fill_gaps
from ssm_net.lst.memory import sun_height
from ssm_net.lst.views import cell_views
from ssm_net.prepare.antecedent_rain import antecedent_rain
from ssm_net.prepare.cell_means import cell_means, mean_where_seen
from ssm_net.prepare.consensus import codes_in, combine, first_of
from ssm_net.prepare.coverage import covered
from ssm_net.prepare.intercalibration import Intercalibration
from ssm_net.prepare.platform_views import in_order, is_observed, views_of
from ssm_net.prepare.products import other_places
from ssm_net.prepare.read_day import ObservedDay, Views
from ssm_net.prepare.thermal_state import PackedField, keep_thermal_state, packed_memory, thermal_state

OLDEST = 254  # days; a reflectance is kept until then, with its age


@dataclass(frozen=True)
class LandSurface:
    """The maps that each day needs: ``terrain``; ``land`` and ``kept_pixels``, both (y, x) bool.

    Without a map of elevation all pixels count as equally high; one that ends inside the domain leaves the rest
    unknown: a missing map is not sea level.
    """

    terrain: Terrain
    land: Tensor
    kept: Tensor

    @classmethod
    def of(cls, cube: Cube) -> LandSurface:
        """As the cube stores them, so that all its days rest on the same."""
        elevation = torch.zeros(cube.domain.fine_shape)
        if "elevation" in cube.static:
            elevation = torch.from_numpy(cube.read_static("elevation"))
        land = cube.land()
        terrain = Terrain(elevation, _latitude(cube.domain), cube.domain.ratio)
        return cls(terrain, land, kept_pixels(land, cube.domain.ratio))


@dataclass(frozen=True)
class _Making:
    """A day in the making: what it is made from, and what goes with its fine fields: ``coarse`` variables (R, C) and
    the ``state`` that the next day needs."""

    cube: Cube
    observed: ObservedDay
    surface: LandSurface
    before: dt.date | None  # the last stored day
    coarse: dict[str, np.ndarray] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def days_since(self) -> int:
        """Days since the last stored day, 0 where there is none."""
        return 0 if self.before is None else (self.observed.day - self.before).days


def store_day(writer: CubeWriter, observed: ObservedDay, surface: LandSurface, sensors: Intercalibration) -> list[str]:
    """Write one day; returns what it was made without (``ssm``, ``lst_day``, ``rain`` ..).

    Raises as ``CubeWriter.write_day``, and ``CubeError`` where the last stored day cannot be read.
    """
    cube = writer.cube
    day = _Making(cube, observed, surface, cube.last_done(observed.day))
    missing = [kind for kind in observed_kinds(cube) if not is_observed(cube, observed, kind)]
    if "ssm" in cube.coarse:
        day.coarse.update(_coarse_ssm(cube.domain, observed, sensors))
    info = {
        "files": list(observed.files), "problems": list(observed.problems), "missing": missing,
        "left_out": dict(observed.left_out), "missing_tiles": list(observed.missing_tiles),
        "observed": int(np.isfinite(day.coarse["ssm"]).sum()) if "ssm" in cube.coarse else 0,
    }  # fmt: skip
    if sensors.consensus is not None and (codes := codes_in(observed.all_ssm)):
        info["sensors"] = codes
    if observed.flags:
        info["flags"] = {flag: asdict(cost) for flag, cost in observed.flags.items()}
    if partly := covered(observed, surface.land.numpy()):
        info["covered"] = partly
    writer.write_day(observed.day, _with_cell_means(day), day.coarse, info, day.state)
    return missing


def observed_kinds(cube: Cube) -> list[str]:
    """The kinds of observations that each day of ``cube`` should have."""
    kinds = [f"lst_{k}" for k in OVERPASSES if f"lst_{k}" in cube.fine]
    kinds += ["reflectance"] * ("reflectance_age" in cube.fine) + ["rain"] * ("rain" in cube.fine)
    return kinds + ["ssm"] * ("ssm" in cube.coarse)


def _coarse_ssm(domain: Domain, observed: ObservedDay, sensors: Intercalibration) -> dict[str, np.ndarray]:
    """The coarse observation as the reference sensor, or the consensus, would have made it; NaN where there is none."""
    if observed.ssm is None:
        return {name: np.full(domain.coarse_shape, np.nan, "float32") for name in ("ssm", "ssm_sigma", "source")}
    each = [sensors.apply(observed.day, one) for one in observed.all_ssm]
    ssm = first_of(each) if sensors.consensus is None else combine(each, sensors.consensus.error)
    source = np.where(ssm.source > 0, ssm.source, np.nan).astype("float32")  # 0 marks a missing one
    return {"ssm": ssm.ssm, "ssm_sigma": ssm.sigma, "source": source}


def _with_cell_means(day: _Making) -> Iterator[PackedField]:
    """The fine fields, whose cell means go into ``day.coarse`` where the cube holds them."""
    outside = ~day.surface.kept.numpy()
    masked = bool(outside.any())
    for name, packed in _fine_fields(day):
        of_cells = name in day.cube.coarse
        if isinstance(packed, dt.date):
            if of_cells:
                day.coarse[name] = day.cube.read_coarse(name, packed)
            yield name, packed
            continue
        if masked and spacing(name, day.cube.domain.ratio) == 1:
            np.copyto(packed, FINE[name].fill, where=outside, casting="unsafe")
        if of_cells:
            day.coarse[name] = cell_means(day.cube.domain, name, packed, day.surface.land)
        yield name, packed


def _fine_fields(day: _Making) -> Iterator[PackedField]:
    """One after the other: those of a country need not be in memory together."""
    if bands := [band for band in REFLECTANCE_BANDS if band in day.cube.fine]:
        yield from _reflectance(day, bands)
    for k in OVERPASSES:
        if f"lst_{k}" in day.cube.fine:
            yield from _thermal(day, k)
    if "rain" in day.cube.fine:
        yield from _rain(day)


def _thermal(day: _Making, k: str) -> Iterator[PackedField]:
    """LST of an overpass, gaps filled, and its memory; its coarse variables and state go into ``day``."""
    cube, observed = day.cube, day.observed
    views = views_of(cube, observed, k)
    order = in_order(views, k, observed.day, fixed=f"lst_{k}_target_offset" not in cube.coarse)
    target, *others = (_clear(v.observed, cube.domain) for v in views)
    pair = observed.air.get(k)
    hour = day.state[f"lst_{k}_hour"] = views[order[0]].hour(k, observed.day)
    height = block_mean(day.surface.terrain.elevation, cube.domain.ratio)
    air = None if pair is None else torch.from_numpy(pair[0]) + LAPSE * height
    filled = fill_gaps(
        observed.day, target, day.surface.terrain,
        thermal_state(cube, day.before, k), MemoryConfig(cube.attrs["memory_days"], cube.attrs["memory_background"]),
        others=others, order=order,
        air=air if f"lst_{k}_air" in cube.coarse else None,
        sun=sun_height(_latitude(cube.domain), observed.day, hour) if f"lst_{k}_slow" in cube.fine else None,
    )  # fmt: skip
    seen_fraction = block_mean(as_number(filled.lineage <= 1), cube.domain.ratio, day.surface.land)
    day.coarse[f"lst_{k}_seen"] = seen_fraction.numpy()
    for place, other in zip(other_places(cube.attrs.get("other_lst", "").split()), others, strict=True):
        if f"lst_{k}_other{place}" in cube.coarse:
            day.coarse[f"lst_{k}_other{place}"] = mean_where_seen(other.lst, cube.domain.ratio, day.surface.land)
    if f"lst_{k}_anomaly" in cube.coarse:
        of_cells = cell_views(filled.lst, filled.lineage, day.surface.terrain.elevation, filled.state.background.lst,
                           day.surface.land)  # fmt: skip
        day.coarse.update({f"lst_{k}_{name}": field.numpy() for name, field in of_cells._asdict().items()})
    keep_thermal_state(cube, k, filled.state, day.coarse, day.state)
    if f"lst_{k}_cloud" in cube.coarse:
        sky = None
        if pair is not None and air is not None:
            sky = Air(air, _clear_sky_fraction(k, pair[1], cube.domain, observed.day))
        _keep_cloud_effect(day, k, filled, sky, seen_fraction.nan_to_num())
    observed.lst.pop(k, None)
    observed.other_lst.pop(k, None)
    del views, target, others
    for suffix, values_of in {"": filled.lst, "_sigma": filled.sigma, "_lineage": filled.lineage}.items():
        yield f"lst_{k}{suffix}", FINE[f"lst_{k}{suffix}"].pack(values_of.numpy())
    yield from packed_memory(filled.state.memory, f"lst_{k}_memory", f"lst_{k}_weight")
    if filled.state.slow is not None:
        yield from packed_memory(filled.state.slow, f"lst_{k}_slow", f"lst_{k}_slow_weight")


def _clear(views: Views | None, domain: Domain) -> ClearLST:
    """What a platform saw, NaN everywhere where it has no files."""
    if views is None:
        unknown = torch.full(domain.fine_shape, torch.nan)
        return ClearLST(unknown, unknown)
    return ClearLST(*map(torch.from_numpy, views))


def _keep_cloud_effect(day: _Making, k: str, filled: FilledLST, air: Air | None, seen_fraction: Tensor) -> None:
    """The effect of cloud on LST: that of the climate, or, where a reanalysis and its memory are there, of the day."""
    observed, cube = day.observed, day.cube
    effect, error = cloud_effect.climate_effect(k, observed.day, _latitude(cube.domain))
    # The background may be days old. Where the air temperature of the day is known, its error takes this one's place.
    error = torch.sqrt(error**2 + filled.state.background.sigma**2)
    name = f"lst_{k}_minus_air"
    if name in cube.coarse:
        minus_air = None if day.before is None else torch.from_numpy(cube.read_coarse(name, day.before))
        if air is not None:
            background = filled.state.background.lst
            minus_air = cloud_effect.minus_air_of(minus_air, day.days_since, background, air.temperature, seen_fraction)
            of_day, of_day_error = cloud_effect.air_effect(k, air, background, minus_air, seen_fraction)
            known = torch.isfinite(of_day)
            effect, error = torch.where(known, of_day, effect), torch.where(known, of_day_error, error)
        day.coarse[name] = torch.full_like(effect, torch.nan).numpy() if minus_air is None else minus_air.numpy()
    if not is_observed(cube, observed, f"lst_{k}"):
        # There was no view, so the sky may have been clear.
        variance = effect * effect * cloud_effect.UNKNOWN * (1 - cloud_effect.UNKNOWN)
        effect, error = cloud_effect.UNKNOWN * effect, torch.sqrt(cloud_effect.UNKNOWN * error**2 + variance)
    day.coarse[f"lst_{k}_cloud"], day.coarse[f"lst_{k}_cloud_sigma"] = effect.numpy(), error.numpy()


def _latitude(domain: Domain) -> Tensor:
    """Degrees north of the coarse cells, (R, C)."""
    lat = domain.lonlat(coarse=True)[1]
    return torch.from_numpy(lat).float()[:, None].expand(*domain.coarse_shape)


def _clear_sky_fraction(k: str, radiation: np.ndarray, domain: Domain, day: dt.date) -> Tensor | None:
    """The fraction of the clear sky's radiation that reaches the ground, (R, C); None where no ``radiation`` (W m-2) is
    given, and at night."""
    if k == "night" or not np.isfinite(radiation).any():
        return None
    # The radiation is the mean of the hour that ends at the overpass.
    clear = cloud_effect.clear_sky_radiation(_latitude(domain), day, HOURS[k] - 0.5)
    return (torch.from_numpy(radiation) / clear.clamp(min=50.0)).nan_to_num(0.5).clamp(0.0, 1.0)


def _reflectance(day: _Making, bands: Sequence[str]) -> Iterator[PackedField]:
    """The day's reflectance where all bands were observed, else the last one that was, with its age."""
    cube, before = day.cube, day.before
    shape, new = cube.domain.fine_shape, day.observed.reflectance or {}
    fresh, unseen = np.full(shape, set(bands) <= set(new)), not new
    for band in bands:
        if band in new:
            fresh &= np.isfinite(new[band])

    age = np.full(shape, np.nan, "float32")
    if before is not None:
        age = np.minimum(cube.read("reflectance_age", before) + day.days_since, OLDEST)
    seen_ago = new.get("age", np.zeros(1, "float32"))  # of composites, that of each pixel
    fresh &= ~(seen_ago > age)

    names = dict(zip(bands, bands, strict=True))
    names |= {"reflectance_quality": "quality"} if "reflectance_quality" in cube.fine else {}
    for name, layer in names.items():
        if before is not None and unseen:
            yield name, before
            continue
        old = np.full(shape, np.nan, "float32") if before is None else cube.read(name, before)
        yield name, FINE[name].pack(np.where(fresh, new.pop(layer, old), old))
    new.clear()
    yield "reflectance_age", FINE["reflectance_age"].pack(np.where(fresh, seen_ago, age).astype("float32"))


def _rain(day: _Making) -> Iterator[PackedField]:
    """The day's rain, missing where it is not known, and the antecedent rain."""
    cube, observed = day.cube, day.observed
    rain = np.full(stored_shape("rain", cube.domain), np.nan, "float32") if observed.rain is None else observed.rain
    yield "rain", FINE["rain"].pack(rain)
    for name in API_DAYS:
        yield name, FINE[name].pack(antecedent_rain(cube, observed.day, day.before, observed.antecedent, name))
