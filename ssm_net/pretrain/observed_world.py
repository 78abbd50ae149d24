"""A simulated world as prepared products would show it, day by day, without writing its files.

The instruments are those of ``simulate``, the memories and ages those of ``prepare``; what is left out are file
formats, sinusoidal tiles and the filling of LST where it was not seen, on which no feature of the networks rests. Half
a minute of one processor a world of 8 x 8 cells and two years, so that networks can meet hundreds of them.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn.functional import conv2d

from ssm_net.config import MemoryConfig
from ssm_net.core.clock import DAY_HOUR, OVERPASSES
from ssm_net.core.days import ONE_DAY
from ssm_net.cube.masks import FROZEN, WATER
from ssm_net.cube.variables import API_DAYS
from ssm_net.grid import Domain, block_mean, expand, upsample
from ssm_net.lst.annual_cycle import Cycle
from ssm_net.lst.background import smooth
from ssm_net.lst.expected import PERSISTS
from ssm_net.lst.gap_filling import LAPSE
from ssm_net.lst.memory import SLOW_DAYS, Memory, Views, sun_height
from ssm_net.prepare.static_maps import RELIEF_PIXELS
from ssm_net.prepare.store_day import OLDEST
from ssm_net.simulate.native_files import REFLECTANCE_EVERY
from ssm_net.simulate.truth import OPEN_WATER
from ssm_net.simulate.world.days import simulate_days
from ssm_net.simulate.world.fields import Array, stream
from ssm_net.simulate.world.land import make_land
from ssm_net.simulate.world.laws import laws_of
from ssm_net.simulate.world.observe import QC_CLOUD, SNOW_MASK, Observer, RainGrid
from ssm_net.simulate.world.overpass import WorldDay

BANDS = {1: "red", 2: "nir", 6: "swir1", 7: "swir2"}  # of the reflectance that the cube stores
RESAMPLED = torch.tensor([1.0, 6.0, 1.0]) / 8  # weights of a pixel's neighbours in its reflectance, along one axis


@dataclass(frozen=True)
class ObservedWorldDay:
    """One day of a world: ``fine`` variables by name (y, x), their ``cells`` means (R, C), both as of a cube and NaN
    where missing; ``ssm`` as observed (R, C) and its ``truth`` (y, x), m3 m-3, NaN on snow, frozen ground and water, be
    it on the map or not; ``views`` of LST by overpass, those of pixels and their means in cells."""

    date: dt.date
    fine: Mapping[str, Tensor]
    cells: Mapping[str, Tensor]
    ssm: Tensor
    truth: Tensor
    views: Mapping[str, tuple[Views, Views]]


@dataclass
class _Thermal:
    """The memories of an overpass and its background, which each day replaces."""

    fast: Memory
    slow: Memory | None  # of the day overpass only
    background: Tensor | None = None
    cycle: Cycle | None = None
    last: dt.date | None = None


@dataclass
class _Recorder:
    """Carries from day to day what ``prepare`` carries: memories, antecedent rain, the last reflectance."""

    observer: Observer
    observed_maps: Mapping[str, Tensor]
    shift: tuple[float, float]  # pixels, of the grid that LST is delivered on
    settings: MemoryConfig = field(default_factory=MemoryConfig)
    thermal: dict[str, _Thermal] = field(default_factory=dict)
    antecedent: dict[str, Tensor] = field(default_factory=dict)
    bands: dict[str, Tensor] = field(default_factory=dict)
    views: dict[str, tuple[Views, Views]] = field(default_factory=dict)
    age: Tensor | None = None

    def __post_init__(self) -> None:
        domain = self.observer.land.domain
        none = torch.zeros(domain.fine_shape)
        self.rain_grid = RainGrid.over(domain)
        self.rain_up = tuple(torch.from_numpy(_linear(at, nodes)) for at, nodes in (
            (domain.lonlat()[1], self.rain_grid.lat), (domain.lonlat()[0], self.rain_grid.lon)))  # fmt: skip
        self.thermal = {k: _Thermal(Memory.empty(none), Memory.empty(none) if k == "day" else None) for k in OVERPASSES}
        self.antecedent = dict.fromkeys(API_DAYS, none)
        self.land = self.observed_maps["water_fraction"] < WATER
        self.map_cells = {k: block_mean(v, domain.ratio) for k, v in self.observed_maps.items()}
        lat = torch.from_numpy(domain.lonlat(coarse=True)[1]).float()
        self.latitude = lat[:, None].expand(*domain.coarse_shape)

    def lst(self, day: WorldDay, k: str) -> dict[str, Tensor]:
        true, error, qc = self.observer.lst(day, k)
        # Twice between grids, as files are: the errors of pixels are smoothed on the way back.
        on_tiles = _shifted(true, self.shift) + error
        lst = torch.from_numpy(_shifted(on_tiles, (-self.shift[0], -self.shift[1])))
        clear = torch.from_numpy(qc != QC_CLOUD)
        state, ratio = self.thermal[k], self.observer.land.domain.ratio
        height = self.observed_maps["elevation"]
        reduced = lst + LAPSE * height
        if state.background is None or state.cycle is None or state.last is None:
            expected, cycle = None, Cycle.prior(self.latitude)
        else:
            shape = (state.background.shape[0], state.background.shape[1])
            expected, cycle = state.background + state.cycle.change(state.last, day.date, shape), state.cycle
        background, _ = smooth(reduced, clear, expected, ratio, self.settings.background)
        seen = clear.float()
        up = upsample(background, ratio, (0, reduced.shape[0], 0, reduced.shape[1]))
        anomaly = torch.nan_to_num(reduced - up)
        fast = state.fast.faded(1, self.settings.days).with_views(anomaly, seen)
        slow = state.slow
        if slow is not None:
            sun = expand(sun_height(self.latitude, day.date, DAY_HOUR), ratio)
            slow = slow.faded(1, SLOW_DAYS).with_views(anomaly, seen, sun)
        views = Views(anomaly * seen, seen)
        self.views[k] = views, Views(*(block_mean(v, ratio, self.land).nan_to_num() for v in views))
        cycle = cycle.learn(day.date, background, block_mean(seen, ratio))
        # Where it was not seen, what gap filling mostly rests on; only cell means of it are used.
        filled = up + torch.where(clear, anomaly, PERSISTS * state.fast.mean) - LAPSE * height
        self.thermal[k] = _Thermal(fast, slow, background, cycle, day.date)
        names = {"": filled, "_seen": seen, "_background": up, "_memory": _seen_only(fast), "_weight": fast.weight}
        if slow is not None:
            names |= {"_slow": _seen_only(slow), "_slow_weight": slow.weight}
        return {f"lst_{k}{suffix}": values for suffix, values in names.items()}

    def reflectance(self, day: WorldDay, first: dt.date) -> None:
        if self.age is not None:
            self.age = (self.age + 1).clamp(max=OLDEST)
        if (day.date - first).days % REFLECTANCE_EVERY:
            return
        bands, _ = self.observer.reflectance(day)
        new = {name: _smoothed(torch.from_numpy(bands[number])) for number, name in BANDS.items()}
        fresh = torch.isfinite(new["red"])
        none = torch.full_like(new["red"], torch.nan)
        self.bands = {name: torch.where(fresh, b, self.bands.get(name, none)) for name, b in new.items()}
        self.age = torch.where(fresh, 0.0, none if self.age is None else self.age)

    def rain(self, observed: Array) -> dict[str, Tensor]:
        up_y, up_x = self.rain_up
        rain = up_y @ torch.from_numpy(observed) @ up_x.T
        self.antecedent = {k: v * math.exp(-1 / API_DAYS[k]) + rain for k, v in self.antecedent.items()}
        return {"rain": rain, **self.antecedent}

    def day(self, day: WorldDay, first: dt.date, rain: Array) -> ObservedWorldDay:
        domain = self.observer.land.domain
        self.reflectance(day, first)
        fine = {**self.lst(day, "day"), **self.lst(day, "night"), **self.rain(rain), **self.bands}
        if self.age is not None:
            fine["reflectance_age"] = self.age
        # As in a cube: what changes from day to day is averaged over land, a map over the whole cell, and the
        # background is that of the cell's middle.
        cells = {name: block_mean(values, domain.ratio, self.land) for name, values in fine.items()} | self.map_cells
        for k, state in self.thermal.items():
            assert state.background is not None
            cells[f"lst_{k}_background"] = state.background
        fine |= self.observed_maps
        bare = ((day.night.lst + day.noon.lst) / 2 >= FROZEN) & (self.observer.land.water <= OPEN_WATER)
        if day.snow is not None:
            bare &= day.snow <= SNOW_MASK
        truth = torch.where(self.land & torch.from_numpy(bare), torch.from_numpy(day.night.ssm), torch.nan)
        return ObservedWorldDay(day.date, fine, cells, torch.from_numpy(self.observer.coarse(day)), truth,
                                dict(self.views))  # fmt: skip


def observed_days(
    family: str, seed: int, domain: Domain, begin: dt.date, first: dt.date, last: dt.date
) -> Iterator[ObservedWorldDay]:
    """The days ``first`` to ``last`` of a world whose record begins on ``begin``: memories know nothing from before."""
    laws = laws_of(family, seed)
    land = make_land(domain, laws, seed)
    observer = Observer(land, laws, seed)
    z = land.maps.elevation
    maps = {"elevation": z, "relief": (z - ndimage.gaussian_filter(z, RELIEF_PIXELS)).astype("float32"),
            "sand": land.maps.sand, "clay": land.maps.clay, "water_fraction": land.maps.water}  # fmt: skip
    shift = stream(seed, "grid of LST").uniform(-0.5, 0.5, 2)
    recorder = _Recorder(observer, {k: torch.from_numpy(v) for k, v in maps.items()}, (shift[0], shift[1]))
    late = 0 if laws.traits is None else laws.traits.rain.days
    fallen: deque[Array] = deque(maxlen=3)  # rain of yesterday, today and tomorrow: a product may date it a day off
    for today, tomorrow in itertools.pairwise(simulate_days(land, laws, seed, begin, last + ONE_DAY)):
        if not fallen:
            fallen.extend([observer.rain(today, recorder.rain_grid)] * 2)
        fallen.append(observer.rain(tomorrow, recorder.rain_grid))
        if today.date < begin:
            recorder.rain(fallen[1 - late])  # of which an antecedent index knows, however short the record
            continue
        observed = recorder.day(today, begin, fallen[1 - late])
        if observed.date >= first:
            yield observed


def _seen_only(memory: Memory) -> Tensor:
    return torch.where(memory.weight > 0, memory.mean, torch.nan)


def _smoothed(field: Tensor) -> Tensor:
    """A field after the way to pixels of 500 m and back, (y, x); NaN stays NaN."""
    known = torch.isfinite(field)
    kernel = torch.outer(RESAMPLED, RESAMPLED)[None, None]
    total, weight = (conv2d(v[None, None], kernel, padding=1)[0, 0] for v in (torch.nan_to_num(field), known.float()))
    return torch.where(known, total / weight.clamp(min=1e-6), torch.nan)


def _shifted(field: Array, shift: tuple[float, float]) -> Array:
    """A field as a grid sees it whose pixels lie ``shift`` (rows, columns) off, linear between them."""
    rows, cols = shift
    return np.asarray(ndimage.shift(field, (-rows, -cols), np.float32, order=1, mode="nearest"))


def _linear(at: Array, nodes: Array) -> Array:
    """Weights of linear interpolation from ``nodes`` (evenly spaced) to ``at``, (len(at), len(nodes))."""
    position = np.clip((at - nodes[0]) / (nodes[1] - nodes[0]), 0, len(nodes) - 1)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(len(nodes))), 0).astype(np.float32)
