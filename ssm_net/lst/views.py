"""The views of a stored day: what filled LST and its lineage say of what was seen, as a memory counts it."""

from __future__ import annotations

import torch
from torch import Tensor

from ssm_net.grid import CACHE_PIXELS, as_number, block_mean, finite, row_blocks, upsample
from ssm_net.lst.gap_filling import LAPSE, OTHER_OVERPASS, OTHER_WEIGHT, SEEN
from ssm_net.lst.memory import Views


def counted_views(lst: Tensor, lineage: Tensor, elevation: Tensor, background: Tensor) -> Views:
    """The views of pixels, (y, x), from their LST (K), lineage, elevation (m, NaN where not known) and background LST
    (K)."""
    anomaly = lst + LAPSE * elevation - background
    counted = as_number(lineage == SEEN) + OTHER_WEIGHT * as_number(lineage == OTHER_OVERPASS)
    counted *= as_number(finite(anomaly))
    return Views(torch.nan_to_num(anomaly) * counted, counted)


def cell_views(lst: Tensor, lineage: Tensor, elevation: Tensor, background: Tensor, land: Tensor) -> Views:
    """The means of ``counted_views`` over the ``land`` (y, x bool) of each cell, (R, C), 0 where there is none;
    ``background`` (R, C) K is that of the cells. Some rows at a time: a country's need not be in memory."""
    ratio, columns = lst.shape[0] // background.shape[0], lst.shape[1]
    means = []
    for rows in row_blocks((lst.shape[0], columns), 4 * CACHE_PIXELS, ratio):
        up = upsample(background, ratio, (rows.start, rows.stop, 0, columns))
        views = torch.stack(counted_views(lst[rows], lineage[rows], elevation[rows], up))
        means.append(block_mean(views, ratio, land[rows]).nan_to_num())
    return Views(*torch.cat(means, 1))
