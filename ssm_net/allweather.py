"""Land surface temperature in every weather, and the thermal memory, one day at a time.

A clear-sky view of a pixel is split into what weather gives the whole region and what the ground gives the pixel:

    LST(p, t) = region(p, t) - LAPSE z(p) + anomaly(p, t)

``region`` is a wide normalised convolution of the clear views (sea-level reduced). It is wider than the radiometer's
footprint on purpose: anomalies against it vary between coarse cells too, which is what an aggregate loss learns from.
The anomaly persists from day to day, the weather does not, so the memory

    m(t) = (d w(t-1) m(t-1) + s a(t)) / w(t),   w(t) = d w(t-1) + s,   d = exp(-days / memory.days),  s = 1 where seen

is the state that still speaks of the soil under cloud, and what fills the gaps. Soil moisture never enters. The state
is carried as the cube stores it (rounded), so that a record extended by a day is the record made at once.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ssm_net.grid import upsample

SEEN, OTHER_OVERPASS, NEIGHBOURS, CYCLE = 0, 1, 2, 3
LAPSE = 6.0e-3  # K m-1, mean environmental lapse rate of clear-sky LST
PERSISTENCE = 0.02  # weight of yesterday's region, in parts of a full view of the surroundings
SHRINK = 0.3  # clear views of prior belief in a zero anomaly
FIRST_ERROR = 3.0  # K, error of filling before any filled pixel was seen again
ERROR_DECAY = 0.9  # of the running mean of squared filling errors, a day


@dataclass(frozen=True)
class ThermalState:
    """What one overpass leaves behind for the next day.

    ``memory`` (K) and ``weight`` are (y, x), NaN / 0 where nothing was ever seen; ``region`` (K) is (row, col), NaN
    where nothing was ever seen near; ``error`` is the RMSE (K) of filling, from pixels that were seen again.
    """

    day: dt.date
    memory: Tensor
    weight: Tensor
    region: Tensor
    error: float


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
    before: ThermalState | None,
    *,
    ratio: int,
    memory_days: float,
    region_cells: float,
) -> AllWeather:
    """Fill the gaps of one overpass and take its clear views into the memory.

    ``lst`` (K, NaN where not seen), ``sigma`` (K) and ``elevation`` (m) are (y, x) float32;
    ``region_cells`` is the standard deviation of the surroundings in coarse cells. Where nothing was ever seen near,
    LST stays NaN with lineage ``CYCLE``.
    """
    seen = torch.isfinite(lst)
    reduced = lst + LAPSE * elevation
    region = _region(reduced, seen, None if before is None else before.region, ratio, region_cells)
    region_up = upsample(region, ratio)
    anomaly = reduced - region_up

    if before is None:
        memory, weight = torch.zeros_like(lst), torch.zeros_like(lst)
        error = FIRST_ERROR
    else:
        decay = math.exp(-(day - before.day).days / memory_days)
        memory, weight = torch.nan_to_num(before.memory), before.weight * decay
        error = before.error
    believed = memory * weight / (weight + SHRINK)
    guess = region_up - LAPSE * elevation + believed

    # The filled value of a pixel that is seen today, made without today's view, tells the error of filling.
    again = seen & (weight > 0.05)
    if int(again.sum()) >= 100:
        missed = float(((guess - lst)[again] ** 2).mean())
        error = math.sqrt(ERROR_DECAY * error**2 + (1 - ERROR_DECAY) * missed)

    filled = torch.where(seen, lst, guess)
    near = torch.isfinite(guess) & ((weight > 0.05) | torch.isfinite(region_up))
    lineage = torch.where(seen, SEEN, torch.where(near, NEIGHBOURS, CYCLE)).to(torch.uint8)
    spread = error * torch.sqrt(1 + SHRINK / (weight + SHRINK))
    seen_f = seen.to(lst.dtype)
    new_weight = weight + seen_f
    new_memory = torch.where(seen, weight * memory + torch.nan_to_num(anomaly), weight * memory) / new_weight
    return AllWeather(
        filled,
        torch.where(seen, sigma, torch.where(torch.isfinite(guess), spread, torch.nan)),
        lineage,
        ThermalState(day, new_memory, new_weight, region, error),
    )


def _region(reduced: Tensor, seen: Tensor, before: Tensor | None, ratio: int, sigma: float) -> Tensor:
    """Smooth clear-sky LST of the surroundings, (row, col), leaning on yesterday's where little is seen."""
    height, width = reduced.shape
    cells = (height // ratio, ratio, width // ratio, ratio)
    # About a fixed offset, so that sums of float32 kelvins lose nothing.
    offset = 285.0
    total = torch.where(seen, reduced - offset, 0.0).reshape(cells).sum((1, 3)) / ratio**2
    count = seen.to(reduced.dtype).reshape(cells).sum((1, 3)) / ratio**2
    ky, kx = _smoother(cells[0], sigma).to(total), _smoother(cells[2], sigma).to(total)
    total, count = ky @ total @ kx.T, ky @ count @ kx.T
    if before is not None:
        known = torch.isfinite(before)
        total = total + PERSISTENCE * torch.where(known, before - offset, 0.0)
        count = count + PERSISTENCE * known.to(count)
    return torch.where(count > 1e-4, total / count + offset, torch.nan)


def _smoother(n: int, sigma: float) -> Tensor:
    d = torch.arange(n, dtype=torch.float32)[:, None] - torch.arange(n, dtype=torch.float32)[None]
    w = torch.exp(-0.5 * (d / sigma) ** 2)
    return w / w.sum(1, keepdim=True)
