"""The downscaling network: a fine branch on 1 km predictors, a coarse branch on the 36 km grid, a head that fuses both.

Four principles are built in, because they cannot be added later:

* **The own value is left out.** The estimate inside a cell must not depend on the cell's own observation of that day,
  or the network learns the identity and no sub-grid signal. Cells fall into the four phases of a 2 x 2 pattern. The
  coarse branch runs once a phase with that phase's observations hidden, and the pixels of a cell are fused only with
  the context of their own phase. Hiding the whole phase also closes the path through a neighbour's interpolated
  context.
* **Exact tiles.** Normalisation is over channels only, the fine branch has a receptive field of ``2 * halo + 1``
  pixels and no padding of its own: a tile read with its halo gives the same numbers as the whole domain.
* **A footprint's mean needs a sample of its pixels.** All spatial mixing sits in the fine branch's first convolution;
  all later layers are pixel-wise. Training can therefore evaluate every third pixel each way (at a random offset) at a
  ninth of the cost, and estimate the footprint's mean to a tenth of the observation's error.
* **Two scales.** The coarse branch sees the whole domain at once; its context is interpolated bilinearly to the pixels
  after its last linear map, which commutes with the interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SSM_MIN, SSM_MAX = 0.01, 0.60  # m3 m-3: residual water of any soil; porosity of all but organic soils (Cosby 1984)
SSM_SCALE = 0.1  # m3 m-3, scales observations to order one
KERNEL = 5  # cells a side of the leave-own-out mean
PATTERN_SCALE = 0.03  # m3 m-3, scales what regional slopes say of a pixel to order one
UNRESOLVED = 0.04  # m3 m-3; what no predictor explains inside a cell is 0.02-0.04; aggregates cannot constrain it


@dataclass(frozen=True)
class NetworkSize:
    """Size of a ``Downscaler``: ``features`` of a pixel, of which each is in one of ``groups``, ``lags`` days of
    observations (the last may stand for all older ones) and ``lookahead`` days after the day that is mapped, ``kernel``
    of the first convolution (pixels a side), channels (``width``) and blocks (``depth``) of the fine branch, the same
    of the coarse branch; ``cells``: whether the coarse branch is given the features' cell means; ``dropout``, a
    probability."""

    features: int
    groups: int
    lags: int
    lookahead: int
    kernel: int
    width: int
    depth: int
    coarse_width: int
    coarse_depth: int
    cells: bool
    dropout: float


@dataclass(frozen=True)
class CoarseContext:
    """Output of the coarse branch: ``base`` (B, 1, R, C) mean of the visible observations, m3 m-3; ``deep``
    (B, W, R, C), which is added to the fine branch's channels."""

    base: Tensor
    deep: Tensor


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of (B, C, y, x), pixel by pixel, so that tiles and the whole domain agree."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PixelBlock(nn.Module):
    """A residual pixel-wise map."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ChannelNorm(width),
            nn.Conv2d(width, 2 * width, 1),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Conv2d(2 * width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class CoarseBlock(nn.Module):
    """A residual block with a 3 x 3 convolution on the coarse grid."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ChannelNorm(width),
            nn.Conv2d(width, width, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(width, width, 1),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class LeaveOwnOutMean(nn.Module):
    """Normalised convolutions of the visible observations in space and time, with learned positive weights.

    Similar to kriging: w = exp(logits) over (kernel, lag, dy, dx), plus a small weight of the climatological mean.
    The caller leaves the own value out by hiding it in ``visible``. The kernels start with different reaches in space
    (cells) and time (days); the mean of the first kernel is the base of the estimate.
    """

    REACH = ((1.5, 2.5), (0.8, 1.0), (3.0, 0.7), (0.7, 6.0), (0.4, 30.0))

    def __init__(self, lags: int, lookahead: int, mean: float) -> None:
        super().__init__()
        d = torch.arange(KERNEL) - KERNEL // 2
        distance = torch.sqrt((d[:, None] ** 2 + d[None] ** 2).float())
        lag = torch.cat([torch.arange(lags), torch.arange(lookahead) + 1]).float()[:, None, None]
        self.logits = nn.Parameter(torch.stack([-distance / space - lag / time for space, time in self.REACH]))
        self.prior = nn.Parameter(torch.full((len(self.REACH),), -3.0))
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(mean))

    def forward(self, ssm: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """``ssm`` (m3 m-3; the day's, those before it, those after it) and ``visible`` (0 or 1), both (B, L, R, C), to
        the means (B, K, R, C), m3 m-3, and the weight of each."""
        w = self.logits.exp()
        total = F.conv2d((ssm - self.mean) * visible, w, padding=KERNEL // 2)
        weight = F.conv2d(visible, w, padding=KERNEL // 2) + self.prior.exp()[:, None, None]
        return self.mean + total / weight, weight


class Downscaler(nn.Module):
    """Mean and variance of soil moisture at the pixels of a window.

    ``mean_ssm`` is the climatological mean of the training observations, m3 m-3. Beside its features a pixel has a
    channel for each group of them: their sum, weighted by the regional slopes (``regional_slopes``). ``group_of`` is
    the number of each feature's group; ``slopes`` (F,) m3 m-3 are those of the target, 0 before they are known.
    ``usual_ssm`` is the mean of the target's observations, m3 m-3: a cell without any observation in reach, in space
    and time, is taken to have been like that before the last days. None: it is taken to have been like the worlds.

    With ``size.cells`` the coarse branch is given the features' cell means as well as the observations. A network
    pretrained on many worlds can use them; one trained on the few thousand labels of a season fits their noise instead
    of the pixels' signal (measured: docs/results.md).
    """

    def __init__(self, size: NetworkSize, mean_ssm: float, group_of: Sequence[int]) -> None:
        super().__init__()
        width, dropout = size.width, size.dropout
        self.halo, self.cells, self.lookahead = size.kernel // 2, size.cells, size.lookahead
        self.before = size.lags - 1  # the channel of what was observed before the last days
        self.usual_ssm: float | None = None
        self.groups: Tensor
        self.slopes: Tensor
        self.register_buffer("groups", F.one_hot(torch.tensor(group_of), size.groups).T.float())
        self.register_buffer("slopes", torch.zeros(size.features))
        channels = size.features + size.groups
        self.stem = nn.Conv2d(channels, width, size.kernel)
        self.own_out = LeaveOwnOutMean(size.lags, size.lookahead, mean_ssm)
        of_cells = channels + size.features + 2 + 2 * size.lookahead if size.cells else 0
        coarse_inputs = 2 * len(LeaveOwnOutMean.REACH) + of_cells
        self.coarse = nn.Sequential(
            nn.Conv2d(coarse_inputs, size.coarse_width, 1),
            *(CoarseBlock(size.coarse_width, dropout) for _ in range(size.coarse_depth)),
            nn.Conv2d(size.coarse_width, width, 1),
        )
        self.blocks = nn.Sequential(*(PixelBlock(width, dropout) for _ in range(size.depth)))
        self.last = nn.Sequential(ChannelNorm(width), nn.GELU(), nn.Dropout(dropout))
        # A pixel's features also reach the head directly, past the blocks.
        self.head = nn.Conv2d(width + channels, 3, 1)
        assert self.head.bias is not None
        nn.init.normal_(self.head.weight, std=1e-2)
        nn.init.zeros_(self.head.weight[2])  # the variance inside a cell stays constant where no label constrains it
        with torch.no_grad():
            # Typical size of an innovation, and what no predictor explains inside a cell, m3 m-3.
            self.head.bias.copy_(torch.tensor([0.0, 2 * math.log(0.03), 2 * math.log(UNRESOLVED)]))

    def with_regional(self, x: Tensor, slopes: Tensor | None = None) -> Tensor:
        """Features (B, F, y, x), 0 where missing, and the channel of each group, (B, F + G, y, x); ``slopes`` (B, F)
        are those of the network where they are not given."""
        weight = self.groups * (self.slopes[None] if slopes is None else slopes)[:, None] / PATTERN_SCALE
        return torch.cat([x, torch.einsum("bgf,bfyx->bgyx", weight.expand(len(x), -1, -1), x)], 1)

    def fine(self, x: Tensor, stride: int = 1, slopes: Tensor | None = None) -> Tensor:
        """Normalised features with their halo, (B, F, y + 2 halo, x + 2 halo), to (B, W + F + G, y, x).

        With ``stride`` only every ``stride``-th pixel each way, from the first on.
        """
        x, h = self.with_regional(x, slopes), self.halo
        x = x.contiguous(memory_format=torch.channels_last)
        centre = x[:, :, h : x.shape[2] - h : stride, h : x.shape[3] - h : stride]
        return torch.cat([F.conv2d(x, self.stem.weight, self.stem.bias, stride), centre], 1)

    def warmer(self, fine: Tensor, features: Sequence[int]) -> Tensor:
        """``fine`` with those features a standard deviation higher everywhere."""
        hot = fine.new_zeros(1, self.groups.shape[1], 1, 1)
        hot[:, list(features)] = 1
        rise = self.with_regional(hot)[0, :, 0, 0]
        more = torch.cat([torch.einsum("wcij,c->w", self.stem.weight, rise), rise])
        return fine + more[:, None, None]

    def context(self, ssm: Tensor, cells: Tensor, slopes: Tensor | None = None) -> CoarseContext:
        """The coarse branch on the visible observations: ``ssm`` (B, L + A, R, C) m3 m-3, NaN where hidden or not
        observed, of the day, those before it and the A days after it; ``cells`` (B, F + A, R, C) cell means of the
        normalised features and, last, of the rain of these A days, NaN where missing."""
        known = self._context(ssm, cells, slopes)
        if self.usual_ssm is None:
            return known
        anywhere = torch.isfinite(ssm).any(1, keepdim=True).to(known.base)
        unknown = F.max_pool2d(anywhere, KERNEL, stride=1, padding=KERNEL // 2) == 0
        if not bool(unknown.any()):
            return known
        as_usual = ssm.clone()
        as_usual[:, self.before] = torch.where(unknown[:, 0], self.usual_ssm, ssm[:, self.before])
        usual = self._context(as_usual, cells, slopes)
        return CoarseContext(torch.where(unknown, usual.base, known.base), torch.where(unknown, usual.deep, known.deep))

    def _context(self, ssm: Tensor, cells: Tensor, slopes: Tensor | None) -> CoarseContext:
        visible = torch.isfinite(ssm).to(self.own_out.mean)
        observed = torch.nan_to_num(ssm).to(visible)
        means, weight = self.own_out(observed, visible)
        inputs = [(means - self.own_out.mean) / SSM_SCALE, weight.log()]
        if self.cells:
            # Next to the features, the day's own visible observations: their relation may differ by region.
            anomaly = (observed[:, :1] - self.own_out.mean) / SSM_SCALE * visible[:, :1]
            # What is missing is told apart from what is at its mean.
            inputs += [anomaly, visible[:, :1]]
            known, features = torch.nan_to_num(cells), self.groups.shape[1]
            inputs += [self.with_regional(known[:, :features], slopes), known[:, features:]]
            inputs += [torch.isfinite(cells).to(cells)]
        return CoarseContext(means[:, :1], self.coarse(torch.cat(inputs, 1)))

    def basis(self, fine: Tensor, deep: Tensor) -> Tensor:
        """Inputs of the head, which is linear in them, (B, W + F + G, y, x)."""
        width = deep.shape[1]
        return torch.cat([self.last(self.blocks(fine[:, :width] + deep)), fine[:, width:]], 1)

    def fuse(self, fine: Tensor, base: Tensor, deep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Fine branch and interpolated context at the same pixels to the mean, the log-variance of the error that a
        cell shares, and that of the error inside it, each (B, y, x).

        The mean lies in (SSM_MIN, SSM_MAX): the head moves the base's logit.
        """
        delta, shared, local = self.head(self.basis(fine, deep)).float().unbind(1)
        return bounded(base[:, 0], delta), shared.clamp(-12, -2), local.clamp(-12, -2)


class Committee(nn.Module):
    """An ensemble of networks that differ in their initial weights. Their mean is the estimate; the variance between
    them is added to the part of the error that a cell shares."""

    def __init__(self, members: Iterable[Downscaler]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def __iter__(self) -> Iterator[Downscaler]:
        return iter(self.members)  # type: ignore[arg-type]

    def take_as_usual(self, ssm: float | None) -> None:
        """``ssm`` is what a cell without any observation in reach is taken to have been like (m3 m-3)."""
        for member in self:
            member.usual_ssm = ssm

    @property
    def halo(self) -> int:
        return int(next(iter(self)).halo)


def bounded(base: Tensor, delta: Tensor) -> Tensor:
    """Soil moisture whose logit between the bounds is that of ``base`` (m3 m-3) moved by ``delta``."""
    start = ((base.float() - SSM_MIN) / (SSM_MAX - SSM_MIN)).clamp(1e-3, 1 - 1e-3)
    return SSM_MIN + (SSM_MAX - SSM_MIN) * torch.sigmoid(torch.logit(start) + delta)
