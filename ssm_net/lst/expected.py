"""What is expected of clear-sky LST before the day's observations count, and how much each of these counts.

Some rows at a time: what is in between stays in the processor's cache.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ssm_net.grid import CACHE_PIXELS, as_number, row_blocks
from ssm_net.lst.inpainting import neighbour_mean
from ssm_net.lst.memory import Memory

PERSISTS = 0.8  # fraction of a remembered anomaly that is present today, however old it is
NOISY = 0.5  # observations in a memory at which it counts as much as the mean of its neighbours


def trust_in(sigma: Tensor, comparable: Tensor) -> Tensor:
    """The weights of the day's observations, (y, x): 1 for an error of 1 K and less, 0 where there is none."""
    out = torch.empty_like(sigma)
    for rows in row_blocks(tuple(sigma.shape), 4 * CACHE_PIXELS):
        weight = torch.nan_to_num(sigma[rows]).clamp_(min=1.0) ** -2
        torch.mul(weight, as_number(comparable[rows]), out=out[rows])
    return out


def expected_lst(background: Tensor, memory: Memory) -> Tensor:
    """The background (y, x) K with what persists of the memory, which is drawn towards the mean of its neighbours the
    more, the fewer observations it holds."""
    out = torch.empty_like(background)
    for rows in row_blocks(tuple(background.shape), 4 * CACHE_PIXELS):
        wide = slice(max(0, rows.start - 1), min(len(background), rows.stop + 1))
        inside = slice(rows.start - wide.start, rows.stop - wide.start)
        known = as_number(torch.from_numpy(memory.weight[wide].numpy() > 0))
        mean = neighbour_mean(memory.mean[wide], known)[inside]
        weight = memory.weight[rows]
        drawn = (mean + weight / (weight + NOISY) * (memory.mean[rows] - mean)).mul_(known[inside])
        torch.add(background[rows], PERSISTS * drawn, out=out[rows])
    return out
