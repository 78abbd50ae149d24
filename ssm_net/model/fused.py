"""The committee's forward pass over pixels as matrix products: the numbers of ``Downscaler.fine`` and ``fuse``, faster.

For inference only. All layers but the first convolution are pixel-wise, so with channels last each is a product of
(pixels, channels) with a matrix. The first convolutions of all members are one convolution; a LayerNorm's weights are
folded into the product that follows, and the regional slopes into the weights of the features; the context is
interpolated along the columns by the product that adds it. All that is added to a pixel's channels has a mean of 0 over
them, which the weights see to, so that a LayerNorm is a division by their root mean square. In bfloat16 only the
factors of products are rounded: sums, residuals and heads stay in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ssm_net.grid import row_blocks
from ssm_net.model.network import PATTERN_SCALE, Committee, Downscaler, bounded

NORM_EPS = torch.nn.LayerNorm(1).eps
PIXELS_AT_ONCE = 3000  # on a CPU: the activations between two products stay in its cache


class HalfUpsampled(NamedTuple):
    """Coarse context interpolated along the rows: at column x of row y it is ``columns[x] @ base[y]`` (or ``deep``).

    ``columns`` (x, K); ``base`` (y, K, M) and ``deep`` (M, y, K, W) of M members, see ``network.CoarseContext``.
    """

    columns: Tensor
    base: Tensor
    deep: Tensor


class MemberWeights(NamedTuple):
    """Weights of a member after its first convolution: of each block and of the head, (out, in) and (out,)."""

    blocks: list[tuple[Tensor, Tensor, Tensor, Tensor]]
    norm: tuple[Tensor, Tensor]
    of_blocks: Tensor
    of_features: Tensor
    head: Tensor


class Fused:
    """``committee`` in ``precision`` (float32 or bfloat16) on the device it is on."""

    def __init__(self, committee: Committee, precision: torch.dtype) -> None:
        members = list(committee)
        self.precision, self.halo = precision, committee.halo
        self.width = members[0].stem.out_channels
        stem = torch.cat([_centred(_folded(m, m.stem.weight)) for m in members]).to(precision)
        self.stem = stem.contiguous(memory_format=torch.channels_last)
        self.bias = torch.cat([_centred(_bias(m.stem)) for m in members]).to(precision)
        self.members = [self._member(m) for m in members]

    def _member(self, m: Downscaler) -> MemberWeights:
        def cast(tensor: Tensor) -> Tensor:
            return tensor.detach().to(self.precision).contiguous()

        blocks = []
        block: Any
        for block in m.blocks:
            norm, widen, _, _, narrow = block.body
            into, out = widen.weight[:, :, 0, 0], narrow.weight[:, :, 0, 0]
            with_norm = into * norm.norm.weight, widen.bias + into @ norm.norm.bias
            blocks.append((cast(with_norm[0]), cast(with_norm[1]), cast(_centred(out)), cast(_centred(narrow.bias))))
        last: Any = m.last[0]
        head = m.head.weight.detach()[:, : self.width, 0, 0]
        of_features = _folded(m, m.head.weight[:, self.width :])[:, :, 0, 0]
        norm = (last.norm.weight.detach(), last.norm.bias.detach())
        return MemberWeights(blocks, norm, head, of_features, _bias(m.head))

    def __call__(self, x: Tensor, context: HalfUpsampled) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised features with their halo, (F, y + 2 halo, x + 2 halo), to the mean of each member, the variance
        of the error that a cell shares and that of the error inside it, each (M, y, x) float32."""
        height, width = len(context.base), len(context.columns)
        wide = x.to(self.precision)[None].contiguous(memory_format=torch.channels_last)
        h = self.halo
        centre = x[:, h : h + height, h : h + width].permute(1, 2, 0)
        strips = []
        for strip in row_blocks((height, width), height * width if x.is_cuda else PIXELS_AT_ONCE):
            stem = F.conv2d(wide[:, :, strip.start : strip.stop + 2 * h], self.stem, self.bias)[0].permute(1, 2, 0)
            of_strip = HalfUpsampled(context.columns, context.base[strip], context.deep[:, strip])
            strips.append(self._pixels(stem, centre[strip], of_strip))
        mean, shared, local = (torch.cat(s, 1) for s in zip(*strips, strict=True))
        return mean, shared, local

    def _pixels(self, stem: Tensor, centre: Tensor, context: HalfUpsampled) -> tuple[Tensor, Tensor, Tensor]:
        """The members at a strip of rows: ``stem`` (y, x, M * W) and ``centre`` (y, x, F)."""
        shape, w = centre.shape[:2], self.width
        columns = context.columns.expand(shape[0], -1, -1)
        base = torch.bmm(columns, context.base).permute(2, 0, 1)
        features = centre.reshape(-1, centre.shape[2])
        deep = context.deep - context.deep.mean(-1, keepdim=True)
        out = []
        for i, member in enumerate(self.members):
            r = torch.baddbmm(stem[:, :, i * w : i * w + w].float(), columns, deep[i]).reshape(-1, w)
            for widen, b1, narrow, b2 in member.blocks:
                n = torch.mul(r, _scale(r), out=r.new_empty(r.shape, dtype=self.precision))
                r += F.linear(torch.ops.aten.gelu_(F.linear(n, widen, b1)), narrow, b2)
            scale, shift = member.norm
            z = torch.ops.aten.gelu_(torch.addcmul(shift, r.mul_(_scale(r)), scale))
            out.append(F.linear(z, member.of_blocks, member.head) + F.linear(features, member.of_features))
        delta, shared, local = torch.stack(out).reshape(len(out), *shape, 3).unbind(3)
        return bounded(base, delta), shared.clamp(-12, -2).exp(), local.clamp(-12, -2).exp()


def _scale(x: Tensor) -> Tensor:
    """What a LayerNorm without weights multiplies (pixels, channels) with, (pixels, 1); their mean over the channels is
    0."""
    power = torch.linalg.vector_norm(x, dim=1, keepdim=True).square() / x.shape[1]
    return torch.rsqrt(power + NORM_EPS)


def _centred(weight: Tensor) -> Tensor:
    """Weights (out, ..) less their mean over the outputs, whose mean is then 0."""
    return weight - weight.mean(0)


def _folded(member: Downscaler, weight: Tensor) -> Tensor:
    """Weights (out, F + G, ..) of features and of their groups as weights (out, F, ..) of the features alone."""
    of_features = member.groups.shape[1]
    by_group = torch.einsum("og...,gf,f->of...", weight[:, of_features:], member.groups, member.slopes) / PATTERN_SCALE
    return (weight[:, :of_features] + by_group).detach()


def _bias(layer: torch.nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias.detach()
