"""Regional slopes: how soil moisture changes with each feature between neighbouring cells of a coarse record.

    y(c,t) - y~(c,t) = (x(c,t) - x~(c,t)) b + a(c) + e(c,t),    b ~ N(0, tau^2),  a ~ N(0, bias^2)

y is the observation, x the features' cell means, and ~ the mean over the neighbours without the cell itself; a is the
radiometer's lasting bias in a cell. What holds between cells need not hold inside them, and a map that is wrong shows:
its slope is near 0. The networks are given the slopes times a pixel's features, and have learned in many worlds how far
they can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ssm_net.model.grouped_regression import grouped_normal_equations

REACH = 1.5  # cells, e-folding of the weight of a neighbour
SIDE = 5  # cells a side of the neighbourhood
SLOPE = 0.007  # tau: m3 m-3 for a standard deviation of a feature
POINT_BIAS, POINT_ERROR = 0.045, 0.046  # m3 m-3: of a station in a pixel, constant and from day to day
LASTING_BIAS = 0.02  # m3 m-3, of the radiometer in a cell
FEWEST = 20  # observations, below which nothing is learned


@dataclass(frozen=True)
class SlopeEvidence:
    """What a record says of the slopes of F features: ``gram`` (F, F) and ``moment`` (F,), float64."""

    gram: Tensor
    moment: Tensor

    @classmethod
    def none(cls, features: int) -> SlopeEvidence:
        """Of a record that says nothing."""
        zero = torch.zeros(features, features, dtype=torch.float64)
        return cls(zero, zero[0])

    @classmethod
    def of_points(cls, points: Sequence[PointContrasts]) -> SlopeEvidence:
        """Of stations that share a cell, each of which has a bias of its own."""
        if not points:
            raise ValueError("no points: use SlopeEvidence.none")
        features, ssm, station = (torch.cat(column) for column in zip(*points, strict=True))
        return cls(*grouped_normal_equations(features.double(), ssm.double(), station, POINT_ERROR, POINT_BIAS))

    @classmethod
    def of(cls, contrasts: Contrasts, which: Tensor | None = None) -> SlopeEvidence:
        """Of the observations ``which`` (n,) bool, all by default."""
        features, ssm, cell = contrasts.features, contrasts.ssm, contrasts.cell
        if which is not None:
            features, ssm, cell = features[which], ssm[which], cell[which]
        if len(ssm) < FEWEST:
            return cls.none(features.shape[1])
        return cls(*grouped_normal_equations(features.double(), ssm.double(), cell, None, LASTING_BIAS))

    def __add__(self, other: SlopeEvidence) -> SlopeEvidence:
        return SlopeEvidence(self.gram + other.gram, self.moment + other.moment)

    def slopes(self, present: Tensor) -> Tensor:
        """The posterior mean of b, (F,) m3 m-3 a standard deviation; 0 of the features that are not ``present``."""
        p = present.double()
        gram = self.gram * p[:, None] * p + torch.eye(len(p), dtype=torch.float64) / SLOPE**2
        return (torch.linalg.solve(gram, self.moment * p) * p).float()


@dataclass(frozen=True)
class Contrasts:
    """Differences of n observed cells from their neighbours: ``features`` (n, F), 0 where missing, ``ssm`` (n,) m3 m-3,
    and the number of the ``cell`` and of the ``day``, (n,)."""

    features: Tensor
    ssm: Tensor
    cell: Tensor
    day: Tensor

    @classmethod
    def of(cls, ssm: Tensor, cells: Tensor) -> Contrasts:
        """Of observations ``ssm`` (T, R, C) m3 m-3 and features ``cells`` (T, F, R, C), NaN where missing."""
        contrast = ssm - neighbour_means(ssm)
        features = cells - neighbour_means(cells.flatten(0, 1)).reshape(cells.shape)
        known = torch.isfinite(contrast)
        days, rows, cols = ssm.shape
        cell = torch.arange(rows * cols).reshape(1, rows, cols).expand(ssm.shape)
        day = torch.arange(days)[:, None, None].expand(ssm.shape)
        return cls(torch.nan_to_num(features).permute(0, 2, 3, 1)[known], contrast[known], cell[known], day[known])


class PointContrasts(NamedTuple):
    """Differences of n points of a cell from the mean of the others on a day: ``features`` (n, F), ``ssm`` (n,) m3 m-3,
    and the number of each ``station`` (n,)."""

    features: Tensor
    ssm: Tensor
    station: Tensor

    @classmethod
    def of(cls, features: Tensor, ssm: Tensor, station: Tensor) -> PointContrasts:
        """Of at least two points. The mean of the others is what a point would be given without a pattern."""
        others = len(ssm) / (len(ssm) - 1)
        return cls((features - features.mean(0)) * others, (ssm - ssm.mean()) * others, station)


def neighbour_means(fields: Tensor) -> Tensor:
    """The mean of each cell's neighbours without itself, weighted by distance, of fields (N, R, C), NaN where missing;
    NaN where no neighbour has a value."""
    d = torch.arange(SIDE) - SIDE // 2
    weight = torch.exp(-torch.sqrt((d[:, None] ** 2 + d**2).float()) / REACH)
    weight[SIDE // 2, SIDE // 2] = 0
    known = torch.isfinite(fields).float()
    total, count = (
        conv2d(part[:, None], weight[None, None], padding=SIDE // 2)[:, 0] for part in (torch.nan_to_num(fields), known)
    )
    return torch.where(count > 0, total / count.clamp(min=1e-6), torch.nan)
