"""The error inside cells, measured by stations that share a cell.

A coarse observation is blind to what differs inside its cell, and so is the calibration by innovations. Stations of one
cell are not: what is left of the differences between them, once the map's own are taken away, is the error of the map
inside the cell and that of points standing for pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ssm_net.model.regional_slopes import POINT_BIAS, POINT_ERROR
from ssm_net.train.last_layer import StationValues

SPREAD = 0.6  # deviation of the factor's logarithm between worlds whose laws a prior has not seen (bench/families.py)
MOST = 4.0  # times the variance that networks state


def inside_factor(stations: StationValues, expected: float) -> float:
    """By how much the squared error inside cells exceeds what the networks state: the mean (of logarithms) of what is
    ``expected`` of networks in general and of what the stations say, each weighted by how sure it is.

    It is never less than expected: good stations do not prove that points stand for pixels as ill as is assumed here.

    Days of a station are not independent: its error lasts, so only stations are counted, less one a cell. Stations that
    are alone in their cell say nothing.
    """
    mean = torch.stack([rows.mean for rows in stations.rows]).mean(0)
    stated = torch.stack([rows.variance for rows in stations.rows]).mean(0)
    _, group = torch.unique(torch.stack([stations.cell, stations.day]), dim=1, return_inverse=True)
    residual, number = stations.value - mean, _sums(torch.ones_like(mean), group)
    contrast = residual - (_sums(residual, group) / number)[group]
    together = number[group] > 1
    if not bool(together.any()):
        return expected
    freedom = (number - 1).sum()
    found = contrast.square().sum() / freedom
    inside = stated[together].mean()
    point = POINT_BIAS**2 + POINT_ERROR**2
    independent = max(1, len(stations.station[together].unique()) - len(stations.cell[together].unique()))
    if float((found - point) / inside) <= expected:
        return expected
    unsure = 2 / independent * (found / (found - point)).square()  # variance of the logarithm of what was found
    trust = SPREAD**2 / (SPREAD**2 + unsure)
    factor = expected * ((found - point) / inside / expected) ** trust
    return float(factor.clamp(max=MOST))


def _sums(values: Tensor, group: Tensor) -> Tensor:
    """The sum of ``values`` (n,) in each group."""
    return torch.zeros(int(group.max()) + 1).index_add_(0, group, values)
