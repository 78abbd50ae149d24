"""Values seen at some pixels spread to all of them: a membrane pulled to what was seen, and how far from it a pixel is.

The field f that minimises  sum over neighbours (f - f')^2 + sum over views (f - v)^2 / ROUGH  is that of a Gaussian
process whose structure function grows with the logarithm of distance, much as those of clear-sky temperature fields do
from 2 to 100 km. It is found from coarse to fine (cascadic multigrid: Bornemann & Deuflhard 1996, Numer. Math. 75,
135): at each scale views are averaged by their weights (Knutsson & Westin 1993, normalised convolution) and the field
of the coarser scale is relaxed a few times, which leaves it a little smoother than the exact one, and nearer to what
was hidden.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

ROUGH = 0.3  # variance of a view's own error, in squared steps of the membrane between neighbouring blocks
SWEEPS, GROWTH, MOST = 3, 1.5, 200  # relaxations at the finest scale, their growth a scale, and their bound
BLOCK = 2  # pixels on a side that share a value of the field: at one, four times the work and the same error
COARSEST = 4  # blocks on a side where halving stops
WIDTHS = (2.0, 1 / 2, 1 / 6, 1 / 18)  # of the gaussians within which views are counted, coarse cells
SUPPORT = 0.05  # part of a gaussian that lies on views, at which it counts as half closed


def spread(values: Tensor, weight: Tensor, block: int = BLOCK) -> Tensor:
    """The field (y, x) that passes near ``values`` where ``weight`` > 0 (1: a plain view) and is smooth elsewhere.

    Where nothing is seen at all it is 0. Made on blocks of ``block`` pixels, of which the sides must be multiples.
    """
    fields = torch.stack([torch.where(weight > 0, values, 0.0) * weight, weight])
    if block > 1:
        fields = avg_pool2d(fields[None], block)[0] * block**2
    scales = [fields]
    while min(scales[-1].shape[1:]) > COARSEST:
        height, width = scales[-1].shape[1:]
        scales.append(avg_pool2d(pad(scales[-1][None], (0, width % 2, 0, height % 2)), 2)[0] * 4)
    pull, hold = scales.pop() / ROUGH
    f = _relax(torch.zeros_like(pull), pull, hold, MOST)
    while scales:
        pull, hold = scales.pop() / ROUGH
        f = _finer(f[None], 2)[0, : pull.shape[0], : pull.shape[1]].contiguous()
        f = _relax(f, pull, hold, min(MOST, int(SWEEPS * GROWTH ** len(scales))))
    return _finer(f[None], block)[0] if block > 1 else f


def _relax(f: Tensor, pull: Tensor, hold: Tensor, sweeps: int) -> Tensor:
    """Each value the mean of its neighbours and its views, ``sweeps`` times; nothing lies beyond the edge."""
    inverse = hold + 4.0
    inverse[0] -= 1
    inverse[-1] -= 1
    inverse[:, 0] -= 1
    inverse[:, -1] -= 1
    inverse = inverse.clamp_(min=1e-6).reciprocal_()
    out = torch.empty_like(f)
    for _ in range(sweeps):
        out.copy_(pull)
        out[1:] += f[:-1]
        out[:-1] += f[1:]
        out[:, 1:] += f[:, :-1]
        out[:, :-1] += f[:, 1:]
        out *= inverse
        f, out = out, f
    return f


def openness(seen: Tensor, ratio: int) -> Tensor:
    """How far a pixel is from views: 0 among them, 1 where none is near at any of four scales; (y, x)."""
    block = part_of(ratio, WIDTHS[-1] * ratio)
    share = avg_pool2d(seen.to(torch.float32)[None], block)
    out = torch.zeros_like(share)
    for width in WIDTHS:
        out += SUPPORT / (_gaussian(share, ratio // block, width * ratio / block) + SUPPORT)
    out /= len(WIDTHS)
    return (_finer(out, block) if block > 1 else out)[0]


def around(field: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of each pixel and its eight neighbours, 0 where there is no weight; (y, x)."""
    total = _three(torch.where(weight > 0, field, 0.0) * weight)
    return total / _three(weight).clamp_(min=1e-6)


def _three(x: Tensor) -> Tensor:
    down = x.clone()
    down[1:] += x[:-1]
    down[:-1] += x[1:]
    out = down.clone()
    out[:, 1:] += down[:, :-1]
    out[:, :-1] += down[:, 1:]
    return out


def _gaussian(fields: Tensor, ratio: int, sigma: float) -> Tensor:
    """Gaussian means of (n, y, x) fields, ``sigma`` pixels wide, nothing beyond the edge; made on blocks of pixels."""
    block = part_of(ratio, sigma)
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


def part_of(ratio: int, sigma: float) -> int:
    """The widest block, not wider than ``sigma`` pixels, of which a coarse cell is made."""
    return max(n for n in range(1, ratio + 1) if ratio % n == 0 and n <= max(1.0, sigma))


def _finer(fields: Tensor, factor: int) -> Tensor:
    return interpolate(fields[None], scale_factor=factor, mode="bilinear")[0]
