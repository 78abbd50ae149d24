"""Land surface temperature in every weather, and the thermal memory, one day at a time.

A clear-sky view of a pixel is split into what weather gives the whole region and what the ground gives the pixel:

    LST(p, t) = background(p, t) - LAPSE z(p) + anomaly(p, t)

``background`` is a wide normalised convolution of the clear views (sea-level reduced). It is wider than the
radiometer's footprint on purpose: anomalies against it vary between coarse cells too, which is what an aggregate loss
learns from.
The anomaly persists from day to day, the weather does not, so the memory

    m(t) = (d w(t-1) m(t-1) + s a(t)) / w(t),   w(t) = d w(t-1) + s,   d = exp(-days / memory.days),  s = 1 where seen

is the state that still speaks of the soil under cloud. Gaps are filled by ``region + PERSISTS m`` and by what today's
views differ from that, spread into the gaps from coarse to fine scales (``spreading``), each by how well it was seen; a
memory with few views behind it is partly their noise and counts together with its neighbours'. Views of another
overpass of the day (Terra beside Aqua) come first: they are taken for this one's by the mean difference of the two
around them. What is filled is what a clear sky would show; ``cloud_effect`` says what is under the cloud. Soil moisture
never enters. The state is carried as the cube stores it (rounded), so that a record extended by a day is the
record made at once.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.grid import block_mean, expand, upsample
from ssm_net.lst.annual_cycle import AirMemory, Cycle
from ssm_net.lst.inpainting import BLOCK, around, openness, part_of, spread

SEEN, OTHER_OVERPASS, NEIGHBOURS, CYCLE = 0, 1, 2, 3
VERSION = 2  # raised when filled LST changes: 1 filled by successive corrections at four scales, not by inpainting
LAPSE = 6.0e-3  # K m-1, mean environmental lapse rate of clear-sky LST
PERSISTENCE = 0.02  # weight of yesterday's region, in parts of a full view of the surroundings
SHRINK = 0.3  # clear views of prior belief in a zero anomaly
PERSISTS = 0.8  # part of a remembered anomaly that is there today, however old it is
NOISY = 0.5  # clear views behind a memory at which it counts as much as the mean of its neighbours
FIRST_ERROR = (1.0, 3.0)  # K, of filling among views and far from all of them, before it could be told
LEAST_ERROR = 0.1  # K
WEATHER = 2.4  # K a day that the region moves by, before it could be told: synoptic weather of 4 K, 0.8 of it next day
FORGETS = 0.9  # of what the region was off yesterday that it is off today: weather comes and goes
BORROWED_ERROR = 2.0  # K: how two overpasses of a pixel differ otherwise than their surroundings do
BORROWED_WEIGHT = 0.5  # of a borrowed view in the memory
WEATHER_DECAY = 0.9  # of what earlier days tell of the weather's moves, a day
PIXELS = 1 << 18  # worked on at a time where each stands for itself
ERROR_DECAY = 0.5  # of what earlier days tell of the error of filling, a day


@dataclass(frozen=True)
class ThermalState:
    """What one overpass leaves behind for the next day.

    ``memory`` (K) and ``weight`` are (y, x), NaN / 0 where nothing was ever seen; ``background`` (K) is (row, col), NaN
    where nothing was ever seen; ``error`` (K) is that of filling among views of the day and far from all of them,
    where the memory is fresh: two thirds of the errors are smaller. ``background_sigma`` (row, col) K is how far the
    background may have moved since it was seen, ``weather`` (K) by how much it moves in a day.
    """

    day: dt.date
    memory: Tensor
    weight: Tensor
    background: Tensor
    error: tuple[float, float]
    cycle: Cycle
    background_sigma: Tensor
    weather: float
    platform_offset: Tensor | None = None  # (row, col) K, this overpass less the other one around each cell
    air: AirMemory | None = None  # of a reanalysis, where one is given


@dataclass(frozen=True)
class AllWeather:
    """One overpass of one day: ``lst`` and ``sigma`` (K) and ``lineage``, all (y, x), and the state it leaves."""

    lst: Tensor
    sigma: Tensor
    lineage: Tensor
    state: ThermalState


def fill(
    day: dt.date,
    lst: Tensor,
    sigma: Tensor,
    elevation: Tensor,
    latitude: Tensor,
    before: ThermalState | None,
    *,
    ratio: int,
    memory_days: float,
    background_cells: float,
    other: tuple[Tensor, Tensor] | None = None,
    air: Tensor | None = None,
) -> AllWeather:
    """Fill the gaps of one overpass and take its clear views into the memory.

    ``lst`` (K, NaN where not seen), ``sigma`` (K) and ``elevation`` (m) are (y, x) float32, and so are LST and sigma of
    the ``other`` overpass; ``latitude`` (degrees) is (row, col), and so is ``air``, a reanalysis' temperature (K) at
    sea level; ``background_cells`` is the standard deviation of the surroundings in coarse cells. Lineage is ``CYCLE``
    where no view of the day is near and the memory is old. LST is NaN only before the first view of the domain.
    """
    own = torch.isfinite(lst)
    platform_offset = None if before is None else before.platform_offset
    if other is not None:
        lst, sigma, platform_offset = _borrow(lst, sigma, *other, platform_offset, ratio, background_cells)
    seen = torch.isfinite(lst)
    reduced = lst + LAPSE * elevation
    if before is None:
        memory, weight = torch.zeros_like(lst), torch.zeros_like(lst)
    else:
        memory = torch.nan_to_num(before.memory)
        weight = before.weight * math.exp(-(day - before.day).days / memory_days)

    cells = (lst.shape[0] // ratio, lst.shape[1] // ratio)
    cycle = Cycle.before_any(latitude) if before is None else before.cycle
    yesterday = None if before is None else before.background + cycle.step(before.day, day, cells)
    air_left = None if air is None else AirMemory.first(day, air, latitude)
    if before is not None and before.air is not None:
        moved, air_left = before.air.follow(before.day, day, air)
        yesterday = None if yesterday is None else yesterday + moved
    error = FIRST_ERROR if before is None else before.error
    background, told_part = _background(reduced, seen, yesterday, ratio, background_cells)
    background_sigma, weather = _background_error(before, day, background, yesterday, told_part)
    cycle = cycle.learn(day, background, block_mean(seen.to(lst.dtype), ratio))
    background_up = upsample(background, ratio)
    trust = torch.where(seen, sigma.clamp(min=1.0) ** -2, 0.0)  # of a view, beside one with an error of 1 K
    first = background_up + PERSISTS * _remembered(memory, weight)
    block = part_of(ratio, BLOCK)
    shown = seen & ~_held_out(lst, day, ratio)
    hidden = own & ~shown
    if int(hidden.sum()) >= 100 and bool(shown.any()):
        off = spread(reduced - first, trust * shown, block)[hidden] + (first - reduced)[hidden]
        missed = off.abs() / torch.sqrt(_doubt(weight[hidden]))
        now = _near_and_far(missed, openness(shown, ratio)[hidden])
        del off, missed
        kept = 0.0 if before is None else ERROR_DECAY ** (day - before.day).days
        error = _running(error[0], now[0], kept), _running(error[1], now[1], kept)

    open_ = openness(seen, ratio)
    guess = first.add_(spread(reduced - first, trust, block)).sub_(LAPSE * elevation)
    del trust
    background_sigma_up = upsample(background_sigma, ratio)
    filled, filled_sigma, new_memory, new_weight = (torch.empty_like(lst) for _ in range(4))
    lineage = torch.empty_like(lst, dtype=torch.uint8)
    rows = max(1, PIXELS // lst.shape[1])
    for y in range(0, len(lst), rows):
        # What of each pixel alone is left to say: some rows at a time, without fields of a country in between.
        at = slice(y, y + rows)
        found = torch.isfinite(guess[at])
        near = found & ((weight[at] > 0.05) | (open_[at] < 0.99))
        told = torch.where(own[at], 1.0, torch.where(seen[at], BORROWED_WEIGHT, 0.0))
        anomaly = torch.nan_to_num(reduced[at] - background_up[at])
        stated = (error[0] + (error[1] - error[0]) * open_[at]) * torch.sqrt(_doubt(weight[at]))
        stated = torch.where(found, torch.sqrt(stated**2 + background_sigma_up[at] ** 2), torch.nan)
        neighbours = torch.where(near, NEIGHBOURS, CYCLE)
        filled[at] = torch.where(seen[at], lst[at], guess[at])
        filled_sigma[at] = torch.where(seen[at], sigma[at], stated)
        lineage[at] = torch.where(own[at], SEEN, torch.where(seen[at], OTHER_OVERPASS, neighbours)).to(torch.uint8)
        new_weight[at] = weight[at] + told
        new_memory[at] = (weight[at] * memory[at] + told * anomaly) / new_weight[at]
    state = ThermalState(
        day, new_memory, new_weight, background, error, cycle, background_sigma, weather, platform_offset, air_left
    )
    return AllWeather(filled, filled_sigma, lineage, state)


def _doubt(weight: Tensor) -> Tensor:
    """By what the variance of filling is larger where few views are behind the memory."""
    return 1 + SHRINK / (weight + SHRINK)


def _borrow(
    lst: Tensor, sigma: Tensor, other: Tensor, other_sigma: Tensor, platform_offset: Tensor | None, ratio: int,
    background_cells: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """``lst`` and ``sigma`` with the other overpass' views where there are none of their own, and the difference of the
    two, (row, col) K, leaning on ``platform_offset`` of the day before."""
    both = torch.isfinite(lst) & torch.isfinite(other)
    platform_offset, _ = _background(lst - other, both, platform_offset, ratio, background_cells, offset=0.0)
    borrowed = other + upsample(platform_offset, ratio)
    take = torch.isnan(lst) & torch.isfinite(borrowed)
    error = torch.sqrt(other_sigma**2 + BORROWED_ERROR**2)
    return torch.where(take, borrowed, lst), torch.where(take, error, sigma), platform_offset


def _remembered(memory: Tensor, weight: Tensor) -> Tensor:
    """The memory (K), nearer to the mean of its neighbours the fewer views are behind it; 0 where there is none."""
    mean = around(memory, (weight > 0).to(memory.dtype))
    return torch.where(weight > 0, mean + weight / (weight + NOISY) * (memory - mean), 0.0)


def _held_out(like: Tensor, day: dt.date, ratio: int) -> Tensor:
    """Half of the pixels, (y, x), in turns filled as if they were hidden: what was seen there tells the error of
    filling. Of four cells one is hidden whole, two in squares of a quarter: holes of two sizes.
    """
    half = part_of(ratio, ratio / 2)
    rows, cols = (torch.arange(n // half, device=like.device) for n in like.shape)
    turn = (rows[:, None] // (ratio // half) + 2 * (cols // (ratio // half)) + day.toordinal()) % 4
    return expand((turn == 0) | ((turn % 2 == 1) & ((rows[:, None] + cols) % 2 == 0)), half)


def _near_and_far(missed: Tensor, open_: Tensor) -> tuple[float, float]:
    """The error among views and far from all of them: a straight line over ``open_`` through 68 % of ``missed`` in the
    closer and in the opener half, raised or lowered until 68 % of all lie below; from an even choice of some 100,000.
    """
    every = max(1, missed.numel() // 100_000)
    missed, open_ = missed[::every], open_[::every]
    far = open_ > open_.median()
    if not bool(far.any()):
        one = float(torch.quantile(missed, 0.68))
        return one, one
    lo, hi = (float(torch.quantile(missed[at], 0.68)) for at in (~far, far))
    at_lo, at_hi = float(open_[~far].mean()), float(open_[far].mean())
    slope = max(hi - lo, 0.0) / max(at_hi - at_lo, 0.1)
    near = max(lo - slope * at_lo, lo / 3)
    level = float(torch.quantile(missed / (near + slope * open_).clamp(min=1e-3), 0.68))
    return level * near, level * (near + slope)


def _running(before: float, now: float, kept: float) -> float:
    """A fading geometric mean: of days of large and of small errors it is the middle, where their mean is not."""
    return float(before**kept * max(now, LEAST_ERROR) ** (1 - kept))


def _background_error(
    before: ThermalState | None, day: dt.date, background: Tensor, yesterday: Tensor | None, told: Tensor
) -> tuple[Tensor, float]:
    """How far the region may be off (row, col) K, from the part that is ``told`` by views, and by how much it moves in
    a day (K): learned where it was seen after it had been expected.
    """
    if before is None or yesterday is None:
        return torch.zeros_like(background), WEATHER
    days = (day - before.day).days
    kept = FORGETS ** (2 * days)
    grown = torch.sqrt(kept * before.background_sigma**2 + (1 - kept) / (1 - FORGETS**2) * before.weather**2)
    weather, moved = before.weather, (background - yesterday).abs()[(told > 0.5) & torch.isfinite(yesterday)]
    if days == 1 and moved.numel():
        now = float(torch.quantile(moved[:: max(1, moved.numel() // 100_000)], 0.68))
        weather = _running(weather, now, WEATHER_DECAY)
    return (1 - told) * grown, weather


def _background(
    reduced: Tensor, seen: Tensor, before: Tensor | None, ratio: int, sigma: float, offset: float = 285.0
) -> tuple[Tensor, Tensor]:
    """Smooth clear-sky LST of the surroundings, (row, col), leaning on yesterday's where little is seen; and the part
    of it that today's views tell.

    About a fixed ``offset``, so that sums of float32 kelvins lose nothing.
    """
    height, width = reduced.shape
    cells = (height // ratio, ratio, width // ratio, ratio)
    total = torch.where(seen, reduced - offset, 0.0).reshape(cells).sum((1, 3)) / ratio**2
    count = seen.to(reduced.dtype).reshape(cells).sum((1, 3)) / ratio**2
    ky, kx = _smoother(cells[0], sigma).to(total), _smoother(cells[2], sigma).to(total)
    total, count = ky @ total @ kx.T, ky @ count @ kx.T
    seen_count = count
    if before is not None:
        known = torch.isfinite(before)
        total = total + PERSISTENCE * torch.where(known, before - offset, 0.0)
        count = count + PERSISTENCE * known.to(count)
    return torch.where(count > 0, total / count + offset, torch.nan), seen_count / count.clamp(min=1e-9)


def _smoother(n: int, sigma: float) -> Tensor:
    d = torch.arange(n, dtype=torch.float32)[:, None] - torch.arange(n, dtype=torch.float32)[None]
    # With a trace of all there is, so that the far side of an ocean has some value: a NaN would spread from there.
    w = torch.exp(-0.5 * (d / sigma) ** 2) + 1e-6
    return w / w.sum(1, keepdim=True)
