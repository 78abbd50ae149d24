"""Land surface temperature in every weather, and the thermal memory, one day at a time.

A clear-sky view of a pixel is split into what weather gives the whole region and what the ground gives the pixel:

    LST(p, t) = region(p, t) - LAPSE z(p) + anomaly(p, t)

``region`` is a wide normalised convolution of the clear views (sea-level reduced). It is wider than the radiometer's
footprint on purpose: anomalies against it vary between coarse cells too, which is what an aggregate loss learns from.
The anomaly persists from day to day, the weather does not, so the memory

    m(t) = (d w(t-1) m(t-1) + s a(t)) / w(t),   w(t) = d w(t-1) + s,   d = exp(-days / memory.days),  s = 1 where seen

is the state that still speaks of the soil under cloud. Gaps are filled by ``region + PERSISTS m`` and by what today's
views differ from that, spread into the gaps at ever finer scales (Barnes 1964, J. Appl. Meteor. 3, 396, successive
corrections; Knutsson & Westin 1993, normalised convolution), each by how well it was seen. Views of another overpass of
the day (Terra beside Aqua) come first: they are taken for this one's by the mean difference of the two around them.
What is filled is what a clear sky would show; ``cloud_effect`` says what is under the cloud. Soil moisture never
enters. The state is carried as the cube stores it (rounded), so that a record extended by a day is the
record made at once.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from ssm_net.annual import Cycle
from ssm_net.grid import block_mean, expand, upsample

SEEN, OTHER_OVERPASS, NEIGHBOURS, CYCLE = 0, 1, 2, 3
LAPSE = 6.0e-3  # K m-1, mean environmental lapse rate of clear-sky LST
PERSISTENCE = 0.02  # weight of yesterday's region, in parts of a full view of the surroundings
SHRINK = 0.3  # clear views of prior belief in a zero anomaly
PERSISTS = 0.8  # part of a remembered anomaly that is there today, however old it is
WIDTHS = (2.0, 1 / 2, 1 / 6, 1 / 18)  # of the gaussians that spread today's views, coarse cells
SHARES = (0.15, 0.35, 0.25, 0.15)  # of the variance of filling that views at each width explain; the rest is noise
ENOUGH = 0.005  # part of a gaussian that lies on views, at which half of what they say is believed
SUPPORT = 0.05  # the same, at which half of a width's share of the variance is explained
FIRST_ERROR = 3.0  # K, error of filling before it could be told
BORROWED_ERROR = 2.0  # K: how two overpasses of a pixel differ otherwise than their surroundings do
BORROWED_WEIGHT = 0.5  # of a borrowed view in the memory
ERROR_DECAY = 0.9  # of the running mean of filling errors, a day


@dataclass(frozen=True)
class ThermalState:
    """What one overpass leaves behind for the next day.

    ``memory`` (K) and ``weight`` are (y, x), NaN / 0 where nothing was ever seen; ``region`` (K) is (row, col), NaN
    where nothing was ever seen; ``error`` (K) is that of filling far from every view of the day where the memory is
    fresh: two thirds of the errors are smaller.
    """

    day: dt.date
    memory: Tensor
    weight: Tensor
    region: Tensor
    error: float
    cycle: Cycle
    apart: Tensor | None = None  # (row, col) K, this overpass less the other one around each cell


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
    other: tuple[Tensor, Tensor] | None = None,
) -> AllWeather:
    """Fill the gaps of one overpass and take its clear views into the memory.

    ``lst`` (K, NaN where not seen), ``sigma`` (K) and ``elevation`` (m) are (y, x) float32, and so are LST and sigma of
    the ``other`` overpass; ``region_cells`` is the standard deviation of the surroundings in coarse cells. Lineage is
    ``CYCLE`` where no view of the day is near and the memory is old. LST is NaN only before the first view of the
    domain.
    """
    own = torch.isfinite(lst)
    apart = None if before is None else before.apart
    if other is not None:
        lst, sigma, apart = _borrow(lst, sigma, *other, apart, ratio, region_cells)
    seen = torch.isfinite(lst)
    reduced = lst + LAPSE * elevation
    if before is None:
        memory, weight = torch.zeros_like(lst), torch.zeros_like(lst)
    else:
        memory = torch.nan_to_num(before.memory)
        weight = before.weight * math.exp(-(day - before.day).days / memory_days)
    remembered = torch.where(weight > 0, PERSISTS * memory, 0.0)
    doubt = 1 + SHRINK / (weight + SHRINK)

    cells = (lst.shape[0] // ratio, lst.shape[1] // ratio)
    cycle = Cycle.none(cells) if before is None else before.cycle
    yesterday = None if before is None else before.region + cycle.step(before.day, day, cells)
    error = FIRST_ERROR if before is None else before.error
    region = _region(reduced, seen, yesterday, ratio, region_cells)
    cycle = cycle.learn(day, region, block_mean(seen.to(lst.dtype), ratio))
    region_up = upsample(region, ratio)
    trust = torch.where(seen, sigma.clamp(min=1.0) ** -2, 0.0)  # of a view, beside one with an error of 1 K
    first = region_up + remembered
    # Half of the cells, in turns, are filled as if they were hidden: what was seen there tells the error of filling.
    rows, cols = (torch.arange(n // ratio, device=lst.device) for n in lst.shape)
    kept = ~expand((rows[:, None] + cols + day.toordinal()) % 2 == 0, ratio)
    hidden = own & ~kept
    if int(hidden.sum()) >= 100 and bool((seen & kept).any()):
        guess, unexplained = _correct(first, reduced, trust * kept, ratio)
        missed = _two_thirds(((guess - reduced).abs() / torch.sqrt(unexplained * doubt))[hidden])
        error = missed if before is None else ERROR_DECAY * error + (1 - ERROR_DECAY) * missed

    guess, unexplained = _correct(first, reduced, trust, ratio)
    guess = guess - LAPSE * elevation
    anomaly = reduced - region_up
    near = torch.isfinite(guess) & ((weight > 0.05) | (unexplained < 0.99))
    told = torch.where(own, 1.0, torch.where(seen, BORROWED_WEIGHT, 0.0))
    new_weight = weight + told
    new_memory = (weight * memory + told * torch.nan_to_num(anomaly)) / new_weight
    spread = error * torch.sqrt(unexplained * doubt)
    return AllWeather(
        torch.where(seen, lst, guess),
        torch.where(seen, sigma, torch.where(torch.isfinite(guess), spread, torch.nan)),
        torch.where(own, SEEN, torch.where(seen, OTHER_OVERPASS, torch.where(near, NEIGHBOURS, CYCLE))).to(torch.uint8),
        ThermalState(day, new_memory, new_weight, region, error, cycle, apart),
    )


def _borrow(
    lst: Tensor, sigma: Tensor, other: Tensor, other_sigma: Tensor, apart: Tensor | None, ratio: int,
    region_cells: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """``lst`` and ``sigma`` with the other overpass' views where there are none of their own, and the difference of the
    two, (row, col) K, leaning on ``apart`` of the day before."""
    both = torch.isfinite(lst) & torch.isfinite(other)
    apart = _region(lst - other, both, apart, ratio, region_cells, offset=0.0)
    borrowed = other + upsample(apart, ratio)
    take = torch.isnan(lst) & torch.isfinite(borrowed)
    error = torch.sqrt(other_sigma**2 + BORROWED_ERROR**2)
    return torch.where(take, borrowed, lst), torch.where(take, error, sigma), apart


def _correct(guess: Tensor, reduced: Tensor, trust: Tensor, ratio: int) -> tuple[Tensor, Tensor]:
    """``guess`` (K) nearer to the pixels that are seen, each by its ``trust`` (0..1, 0 where not seen), and the part of
    its variance that they leave open; (y, x).

    On blocks of pixels as wide as the narrowest gaussian; only what comes out is spread to pixels.
    """
    block = _block(ratio, WIDTHS[-1] * ratio)
    views = avg_pool2d(torch.stack([trust * (reduced - guess).masked_fill(trust == 0, 0.0), trust])[None], block)[0]
    left, share_seen = views
    correction, unexplained = torch.zeros_like(left), torch.full_like(left, 1 - sum(SHARES))
    for width, share in zip(WIDTHS, SHARES, strict=True):
        total, count = _spread(torch.stack([left, share_seen]), ratio // block, width * ratio / block)
        step = total / (count + ENOUGH)
        correction, left = correction + step, left - step * share_seen
        unexplained += share * SUPPORT / (count + SUPPORT)
    if block > 1:
        correction, unexplained = _finer(torch.stack([correction, unexplained]), block)
    return guess + correction, unexplained


def _spread(fields: Tensor, ratio: int, sigma: float) -> Tensor:
    """Gaussian means of (n, y, x) fields, ``sigma`` pixels wide, nothing beyond the edge; made on blocks of pixels."""
    block = _block(ratio, sigma)
    reach = math.ceil(3 * sigma / block)
    taps = [math.exp(-0.5 * (n * block / sigma) ** 2) for n in range(-reach, reach + 1)]
    means = avg_pool2d(fields, block)
    for axis in (1, 2):  # a sum of shifted copies: four times as fast on a CPU as a convolution of one channel
        padding = (0, 0, reach, reach) if axis == 1 else (reach, reach)
        wide, size = pad(means, padding), means.shape[axis]
        means = torch.zeros_like(means)
        for n, tap in enumerate(taps):
            means.add_(wide.narrow(axis, n, size), alpha=tap / sum(taps))
    return _finer(means, block) if block > 1 else means


def _block(ratio: int, sigma: float) -> int:
    """The widest block, not wider than ``sigma`` pixels, of which a coarse cell is made."""
    return max(n for n in range(1, ratio + 1) if ratio % n == 0 and n <= max(1.0, sigma))


def _finer(fields: Tensor, factor: int) -> Tensor:
    return interpolate(fields[None], scale_factor=factor, mode="bilinear")[0]


def _two_thirds(errors: Tensor) -> float:
    """The value that 68 % of them are below, from an even choice of some 100,000."""
    return float(torch.quantile(errors[:: max(1, errors.numel() // 100_000)], 0.68))


def _region(
    reduced: Tensor, seen: Tensor, before: Tensor | None, ratio: int, sigma: float, offset: float = 285.0
) -> Tensor:
    """Smooth clear-sky LST of the surroundings, (row, col), leaning on yesterday's where little is seen.

    About a fixed ``offset``, so that sums of float32 kelvins lose nothing.
    """
    height, width = reduced.shape
    cells = (height // ratio, ratio, width // ratio, ratio)
    total = torch.where(seen, reduced - offset, 0.0).reshape(cells).sum((1, 3)) / ratio**2
    count = seen.to(reduced.dtype).reshape(cells).sum((1, 3)) / ratio**2
    ky, kx = _smoother(cells[0], sigma).to(total), _smoother(cells[2], sigma).to(total)
    total, count = ky @ total @ kx.T, ky @ count @ kx.T
    if before is not None:
        known = torch.isfinite(before)
        total = total + PERSISTENCE * torch.where(known, before - offset, 0.0)
        count = count + PERSISTENCE * known.to(count)
    return torch.where(count > 0, total / count + offset, torch.nan)


def _smoother(n: int, sigma: float) -> Tensor:
    d = torch.arange(n, dtype=torch.float32)[:, None] - torch.arange(n, dtype=torch.float32)[None]
    # With a trace of all there is, so that the far side of an ocean has some value: a NaN would spread from there.
    w = torch.exp(-0.5 * (d / sigma) ** 2) + 1e-6
    return w / w.sum(1, keepdim=True)
