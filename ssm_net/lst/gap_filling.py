"""Gap filling of land surface temperature (LST) in every weather, and the thermal memories, one day at a time.

A clear-sky observation of a pixel is split into what weather gives to the surroundings and what the ground gives to
the pixel:

    LST(p, t) = background(p, t) - LAPSE z(p) + anomaly(p, t)

The background LST (``background``) is smooth and changes with the weather. The anomaly lasts from day to day, and its
fading mean m, the thermal memory (``memory``), is the state that still carries a signal of soil moisture under cloud. A
slow memory is carried beside it; nothing is filled with it. A gap is filled in three steps:

1. with observations of the other platforms of the day (VIIRS and Terra next to Aqua), one after the other, each
   corrected by its inter-platform offset: the mean difference to those before it in the surroundings;
2. with ``background + PERSISTS m``. A memory of few observations is partly their noise, and is drawn towards the mean
   of its neighbours;
3. with the day's observations minus step 2, inpainted into the gap (``inpainting``), each weighted by its error.

Where the elevation is not known (``LAPSE z`` cannot be added), an observation stands as it is and tells nothing of its
surroundings: it counts neither in the background nor in a memory nor in the gaps of other pixels. A gap there takes the
background as it is at sea level, with the error ``UNKNOWN_HEIGHT`` in its height.

The filled value is what a clear sky would show; ``cloud_effect`` estimates what cloud does to it. Soil moisture is
never an input. The state is carried as the cube stores it (rounded), so a record that is extended by a day equals one
that was made at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ssm_net.config import MemoryConfig
from ssm_net.grid import CACHE_PIXELS, as_number, block_mean, expand, finite, row_blocks, upsample
from ssm_net.lst.annual_cycle import AirMemory, Cycle
from ssm_net.lst.background import FIRST_WEATHER, BackgroundLST, smooth, uncertainty
from ssm_net.lst.expected import expected_lst, trust_in
from ssm_net.lst.filling_error import (
    ERROR_DECAY,
    FIRST_ERROR,
    LEAST_WITHHELD,
    at_distances,
    error_at,
    fading_mean,
    measured_error,
    relative_variance,
    tried_rows,
    withheld,
)
from ssm_net.lst.inpainting import distance_to_data, inpaint
from ssm_net.lst.memory import SLOW_DAYS, Memory

SEEN, OTHER_OVERPASS, NEIGHBOURS, CYCLE = 0, 1, 2, 3
VERSION = 2  # raised when filled LST changes: 1 filled by successive corrections at four scales, not by inpainting
LAPSE = 6.0e-3  # K m-1, mean environmental lapse rate of clear-sky LST
OTHER_ERROR = 2.0  # K: how the two platforms differ at a pixel, apart from the offset of their surroundings
OTHER_WEIGHT = 0.5  # of the other platform's observation in the memory
UNKNOWN_HEIGHT = 1000.0  # m: standard error of the height of a pixel whose elevation is not known
STALE, NO_DATA_NEAR = 0.05, 0.99  # weight of a memory and distance to data at which only the cycle is left


@dataclass(frozen=True)
class ClearLST:
    """Clear-sky LST of an overpass and its standard error, (y, x) K float32, NaN where nothing was observed."""

    lst: Tensor
    sigma: Tensor


@dataclass(frozen=True)
class Terrain:
    """``elevation`` (y, x) m of the fine pixels, NaN where it is not known, ``latitude`` (row, col) degrees of the
    coarse cells, and the ``ratio`` of the two grids."""

    elevation: Tensor
    latitude: Tensor
    ratio: int


@dataclass(frozen=True)
class ThermalState:
    """The state of one overpass that a day hands to the next.

    ``memory`` is of the last days, ``slow`` of the last year (None where none is kept, as at night). ``error`` (K) is
    the standard error of filling where the memory is fresh, at evenly spaced distances from observations of the day to
    places far from all of them.
    ``platform_offsets``, each (row, col) K, are what is added to the LST of each platform, in the order in which they
    are given, None for one that was always the first; ``air`` is that of a reanalysis, if given.
    """

    day: dt.date
    memory: Memory
    background: BackgroundLST
    error: tuple[float, ...]
    platform_offsets: tuple[Tensor | None, ...] = ()
    air: AirMemory | None = None
    slow: Memory | None = None


@dataclass(frozen=True)
class FilledLST:
    """One overpass of one day: ``lst`` and its standard error ``sigma`` (K), and ``lineage``, the source of each value
    (``SEEN``, ``OTHER_OVERPASS``, ``NEIGHBOURS``, ``CYCLE``), all (y, x); and the state for the next day."""

    lst: Tensor
    sigma: Tensor
    lineage: Tensor
    state: ThermalState


@dataclass(frozen=True)
class _Observed:
    """The day's observations and what was remembered before them, all (y, x).

    ``own`` and ``clear`` (bool): observed by the first platform of the day, by any. ``reduced`` (K): LST at sea level,
    NaN where the elevation is not known; ``comparable`` (bool): where it is. ``memory``: as in ``ThermalState``, faded
    to the day.
    """

    own: Tensor
    clear: Tensor
    reduced: Tensor
    comparable: Tensor
    memory: Memory


def fill_gaps(
    day: dt.date,
    observation: ClearLST,
    terrain: Terrain,
    before: ThermalState | None,
    settings: MemoryConfig,
    *,
    others: Sequence[ClearLST] = (),
    order: Sequence[int] | None = None,
    air: Tensor | None = None,
    sun: Tensor | None = None,
) -> FilledLST:
    """LST of one overpass without gaps, and the thermal state with the day's observations in it.

    ``others`` are the same overpass of other platforms, ``order`` the places of all platforms (0 that of
    ``observation``) as the day prefers them: the first stands as it is, or with the offset that it has, and the others
    are fitted to those before them. ``air`` (row, col) K the temperature of a reanalysis at sea
    level, ``before`` the state of the last day (None on the first). ``sun`` (row, col) is the sine of the sun's height
    at the overpass: where it is given, a slow memory is kept. Lineage is ``CYCLE`` where no observation of the
    day is near and the memory is stale. LST is NaN only before the first observation in the domain.
    """
    ratio = terrain.ratio
    views, places = (observation, *others), tuple(order or range(1 + len(others)))
    offsets = list(() if before is None else before.platform_offsets) or [None] * len(views)
    observation = _shifted(views[places[0]], offsets[places[0]], ratio)
    own = finite(observation.lst)
    for n in places[1:]:
        observation, offsets[n] = _with_other(observation, views[n], offsets[n], ratio, settings.background)
    if before is None:
        memory = Memory.empty(observation.lst)
    else:
        memory = before.memory.faded((day - before.day).days, settings.days)
    reduced = observation.lst + LAPSE * terrain.elevation
    observed = _Observed(own, finite(observation.lst), reduced, finite(reduced), memory)
    background, air_memory = _background(before, day, observed, terrain, air, settings.background)

    background_up = upsample(background.lst, ratio)
    trust = trust_in(observation.sigma, observed.comparable)
    guess = expected_lst(background_up, memory)
    error = _error(before, day, observed, guess, trust, ratio)
    distance = distance_to_data(observed.comparable, ratio)
    guess = guess.add_(inpaint(reduced - guess, trust))
    guess = guess.sub_(LAPSE * torch.nan_to_num(terrain.elevation))
    del trust
    sigma_up = upsample(background.sigma, ratio)
    lst, sigma, lineage = _assemble(observed, observation, guess, distance, sigma_up, error)
    if bool(torch.isnan(terrain.elevation).any()):
        unknown = torch.isnan(terrain.elevation) & ~observed.clear
        sigma = torch.where(unknown, torch.sqrt(sigma**2 + (LAPSE * UNKNOWN_HEIGHT) ** 2), sigma)
    del guess, distance, sigma_up
    slow = None if sun is None else _slow_memory(before, day, observed, background_up, sun)
    memory = _with_day(memory, observed, background_up)
    state = ThermalState(day, memory, background, error, tuple(offsets), air_memory, slow)
    return FilledLST(lst, sigma, lineage, state)


def _shifted(observation: ClearLST, platform_offset: Tensor | None, ratio: int) -> ClearLST:
    """The observation of the first platform of a day, with the offset that was learned of it when it was not."""
    if platform_offset is None:
        return observation
    return ClearLST(observation.lst + upsample(torch.nan_to_num(platform_offset), ratio), observation.sigma)


def _with_other(
    observation: ClearLST, other: ClearLST, platform_offset: Tensor | None, ratio: int, sigma: float
) -> tuple[ClearLST, Tensor]:
    """``observation``, with the other platform's where there is none of its own, and the inter-platform offset.

    The offset, (row, col) K, is the mean difference of the two where both observed, ``sigma`` cells wide, with that of
    the day before as its prior.
    """
    both = finite(observation.lst) & finite(other.lst)
    platform_offset, _ = smooth(observation.lst - other.lst, both, platform_offset, ratio, sigma, reference=0.0)
    corrected = other.lst + upsample(platform_offset, ratio)
    take = torch.isnan(observation.lst) & finite(corrected)
    error = torch.sqrt(other.sigma**2 + OTHER_ERROR**2)
    lst = torch.where(take, corrected, observation.lst)
    return ClearLST(lst, torch.where(take, error, observation.sigma)), platform_offset


def _background(
    before: ThermalState | None, day: dt.date, observed: _Observed, terrain: Terrain, air: Tensor | None, sigma: float
) -> tuple[BackgroundLST, AirMemory | None]:
    """The day's background, ``sigma`` cells wide, and the state of the air of a reanalysis."""
    fraction_seen = block_mean(observed.comparable.to(observed.reduced.dtype), terrain.ratio)
    if before is None:
        lst, _ = smooth(observed.reduced, observed.comparable, None, terrain.ratio, sigma)
        cycle = Cycle.prior(terrain.latitude).learn(day, lst, fraction_seen)
        first_air = None if air is None else AirMemory.first(day, air, terrain.latitude)
        return BackgroundLST(lst, torch.zeros_like(lst), FIRST_WEATHER, cycle), first_air
    old = before.background
    expected = old.lst + old.cycle.change(before.day, day, (old.lst.shape[0], old.lst.shape[1]))
    air_memory = None if air is None else AirMemory.first(day, air, terrain.latitude)
    if before.air is not None:
        weather, air_memory = before.air.follow(before.day, day, air)
        expected = expected + weather
    lst, fraction = smooth(observed.reduced, observed.comparable, expected, terrain.ratio, sigma)
    lst_sigma, moves = uncertainty(old, (day - before.day).days, lst, expected, fraction)
    return BackgroundLST(lst, lst_sigma, moves, old.cycle.learn(day, lst, fraction_seen)), air_memory


def _error(
    before: ThermalState | None, day: dt.date, observed: _Observed, guess: Tensor, trust: Tensor, ratio: int
) -> tuple[float, ...]:
    """The standard error of filling (K) by distance to observations: that of the days before, with today's.

    ``guess`` (y, x) K at sea level is what is known without today's observations, ``trust`` (y, x) their weights.
    """
    error = FIRST_ERROR if before is None else before.error
    tried = [_tried(day, observed, guess, trust, rows, ratio) for rows in tried_rows(len(guess), day, ratio)]
    missed, weight, distance = (torch.cat(parts) for parts in zip(*tried, strict=True))
    if len(missed) < LEAST_WITHHELD:
        return error
    now = measured_error(missed, weight, distance, error, ratio)
    kept = 0.0 if before is None else ERROR_DECAY ** (day - before.day).days
    return tuple(fading_mean(a, b, kept) for a, b in zip(at_distances(error), now, strict=True))


def _tried(
    day: dt.date, observed: _Observed, guess: Tensor, trust: Tensor, rows: slice, ratio: int
) -> tuple[Tensor, Tensor, Tensor]:
    """What filling of withheld pixels of these rows misses (K), the weights of their memory, and their distances to
    the data that are left, each (n,)."""
    comparable = observed.comparable[rows]
    tried = withheld(comparable, day, ratio)
    shown, hidden = comparable & ~tried, observed.own[rows] & tried
    expected = guess[rows] - observed.reduced[rows]
    missed = (inpaint(-expected, trust[rows] * shown) + expected)[hidden]
    return missed, observed.memory.weight[rows][hidden], distance_to_data(shown, ratio)[hidden]


def _assemble(
    observed: _Observed, observation: ClearLST, guess: Tensor, distance: Tensor, background_sigma: Tensor,
    error: Sequence[float],
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """LST, its standard error and lineage, all (y, x).

    ``guess`` (K) is the filled value, ``background_sigma`` (K) is on the fine pixels. It is pixel-wise: some rows at a
    time, without fields of a country in between. Near observations the inpainted difference to them mends a background
    that is wrong: the nearer they are, the less its error counts.
    """
    lst, sigma = torch.empty_like(guess), torch.empty_like(guess)
    lineage = torch.empty_like(guess, dtype=torch.uint8)
    for rows in row_blocks(tuple(guess.shape), 4 * CACHE_PIXELS):
        own, clear, far = observed.own[rows], observed.clear[rows], distance[rows]
        old_weight = observed.memory.weight[rows]
        known = finite(guess[rows])
        stated = error_at(far, error) * torch.sqrt(relative_variance(old_weight))
        stated = torch.sqrt(stated**2 + (far * background_sigma[rows]) ** 2)
        if not bool(known.all()):
            stated = torch.where(known, stated, torch.nan)
        near = known.numpy() & ((old_weight.numpy() > STALE) | (far.numpy() < NO_DATA_NEAR))
        source = np.where(near, np.uint8(NEIGHBOURS), np.uint8(CYCLE))
        lst[rows] = torch.where(clear, observation.lst[rows], guess[rows])
        sigma[rows] = torch.where(clear, observation.sigma[rows], stated)
        of_day = np.where(own, np.uint8(SEEN), np.uint8(OTHER_OVERPASS))
        lineage[rows] = torch.from_numpy(np.where(clear, of_day, source))
    return lst, sigma, lineage


def _slow_memory(
    before: ThermalState | None, day: dt.date, observed: _Observed, background: Tensor, sun: Tensor
) -> Memory:
    """The slow memory with the day's observations, each weighted by the height of the ``sun`` (row, col)."""
    if before is None or before.slow is None:
        return _with_day(Memory.empty(background), observed, background, sun)
    return _with_day(before.slow.faded((day - before.day).days, SLOW_DAYS), observed, background, sun)


def _with_day(memory: Memory, observed: _Observed, background: Tensor, sun: Tensor | None = None) -> Memory:
    """A memory, faded to the day, with the day's observations in it.

    ``background`` (K) is on the fine pixels, ``sun`` (row, col) on the coarse cells. It is pixel-wise, as ``_assemble``
    is.
    """
    out = Memory(torch.empty_like(background), torch.empty_like(background))
    ratio = 1 if sun is None else background.shape[0] // sun.shape[0]
    for rows in row_blocks(tuple(background.shape), 4 * CACHE_PIXELS, ratio):
        own, comparable = observed.own[rows], observed.comparable[rows]
        counted = as_number(comparable) * (OTHER_WEIGHT + (1 - OTHER_WEIGHT) * as_number(own))
        anomaly = torch.nan_to_num(observed.reduced[rows] - background[rows])
        height = 1.0 if sun is None else expand(sun[rows.start // ratio : rows.stop // ratio], ratio)
        new = Memory(memory.mean[rows], memory.weight[rows]).with_views(anomaly, counted, height)
        out.mean[rows], out.weight[rows] = new
    return out
