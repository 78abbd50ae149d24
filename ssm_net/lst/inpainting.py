"""Inpainting of a field from scattered observations (a membrane prior), and each pixel's distance to data.

Clear-sky temperature differs between two places by an amount whose variance grows with the logarithm of their distance,
from 2 to 100 km: that is the prior of an elastic membrane (``membrane``), pulled towards each observation by its error.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from ssm_net.grid import as_number
from ssm_net.lst.membrane import membrane

ROUGH = 0.03  # error variance of an observation, in squared differences of the membrane between neighbouring pixels
WIDTHS = (2.0, 1 / 2, 1 / 6, 1 / 18)  # sigma of the gaussians that count observations, coarse cells
SUPPORT = 0.05  # observed fraction of a gaussian at which its term of the distance is one half


def inpaint(values: Tensor, weight: Tensor) -> Tensor:
    """The field (y, x) that passes near ``values`` where ``weight`` > 0 and is smooth elsewhere.

    ``weight`` (y, x) is 1 for an ordinary observation, less for a doubtful one, 0 for none. The field is 0 where there
    is no observation at all.
    """
    hold = weight / ROUGH
    return membrane(torch.nan_to_num(values).mul_(hold), hold)


def distance_to_data(observed: Tensor, ratio: int) -> Tensor:
    """How far each pixel is from observations: 0 among them, 1 where there are none near at any of four scales.

    ``observed`` is (y, x) bool and the result (y, x) float32; ``ratio`` pixels make the side of a coarse cell.
    """
    block = block_side(ratio, WIDTHS[-1] * ratio)
    fraction = avg_pool2d(as_number(observed)[None], block)
    out = torch.zeros_like(fraction)
    for width in WIDTHS:
        out += SUPPORT / (_gaussian(fraction, ratio // block, width * ratio / block) + SUPPORT)
    out /= len(WIDTHS)
    return (_finer(out, block) if block > 1 else out)[0]


def neighbour_mean(field: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of each pixel and its eight neighbours, 0 where there is no weight; (y, x)."""
    total = _sum_of_nine(torch.nan_to_num(field).mul_(weight))
    return total / _sum_of_nine(weight).clamp_(min=1e-6)


def _sum_of_nine(x: Tensor) -> Tensor:
    down = x.clone()
    down[1:] += x[:-1]
    down[:-1] += x[1:]
    out = down.clone()
    out[:, 1:] += down[:, :-1]
    out[:, :-1] += down[:, 1:]
    return out


def _gaussian(fields: Tensor, ratio: int, sigma: float) -> Tensor:
    """Gaussian means of fields (n, y, x), ``sigma`` pixels wide, zero beyond the edge; computed on blocks of pixels."""
    block = block_side(ratio, sigma)
    reach = math.ceil(3 * sigma / block)
    taps = [math.exp(-0.5 * (n * block / sigma) ** 2) for n in range(-reach, reach + 1)]
    means = avg_pool2d(fields, block)
    for axis in (1, 2):  # a sum of shifted copies: four times as fast on a CPU as a convolution of one channel
        padding = (0, 0, reach, reach) if axis == 1 else (reach, reach)
        padded, size = pad(means, padding), means.shape[axis]
        means = torch.zeros_like(means)
        for n, tap in enumerate(taps):
            means.add_(padded.narrow(axis, n, size), alpha=tap / sum(taps))
    return _finer(means, block) if block > 1 else means


def block_side(ratio: int, sigma: float) -> int:
    """The side of the largest block, at most ``sigma`` pixels, that divides a coarse cell of ``ratio`` pixels."""
    return max(n for n in range(1, ratio + 1) if ratio % n == 0 and n <= max(1.0, sigma))


def _finer(fields: Tensor, factor: int) -> Tensor:
    return interpolate(fields[None], scale_factor=factor, mode="bilinear")[0]
