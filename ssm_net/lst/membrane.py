"""An elastic membrane over scattered observations: the field that minimises

    sum over neighbours (f - f')^2 + sum over observations hold (f - v)^2

where ``hold`` is the weight of the observation v of a pixel. It is the estimate under a Gaussian process whose
structure function grows with the logarithm of distance. It is solved by multigrid (Brandt 1977, Math. Comp. 31, 333):
from coarse to fine, and at each scale what is left of the equation is corrected on the coarser ones (a V-cycle). After
that, two Jacobi relaxations with the factors of a Chebyshev polynomial take away what is rough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ssm_net.grid import CACHE_PIXELS, row_blocks

COARSEST = 256  # values of a field that is solved at once
CYCLES = 2  # V-cycles at the finest scale; one at all others
ROUGHEST = (0.25, 2.0)  # eigenvalues of the relaxation that the sweeps take away; with 1/2 as their least, slower
HALO = 4  # rows beside a block that its sweeps and its interpolation reach into


def _factors(sweeps: int) -> list[float]:
    """The factors of ``sweeps`` relaxations that together leave least in the range ``ROUGHEST``."""
    middle, half = (ROUGHEST[1] + ROUGHEST[0]) / 2, (ROUGHEST[1] - ROUGHEST[0]) / 2
    return [1 / (middle + half * math.cos(math.pi * (n + 0.5) / sweeps)) for n in range(sweeps)]


SWEEPS = _factors(2)


@dataclass(frozen=True)
class _Scales:
    """``holds``, the weights of the observations from the finest scale to the coarsest, and the ``inverse`` (n, n) of
    the equations of the coarsest."""

    holds: tuple[Tensor, ...]
    inverse: Tensor

    @classmethod
    def of(cls, hold: Tensor) -> _Scales:
        holds = [hold]
        while holds[-1].numel() > COARSEST:
            holds.append(_coarser(holds[-1]))
        place = torch.arange(holds[-1].numel()).reshape(holds[-1].shape)
        equations = torch.diag(_diagonal(holds[-1], slice(0, len(place)), len(place)).flatten() + 1e-6)
        for one, other in ((place[1:], place[:-1]), (place[:, 1:], place[:, :-1])):
            equations[one, other] = equations[other, one] = -1.0
        return cls(tuple(holds), torch.linalg.inv(equations))

    def coarser(self) -> _Scales:
        return _Scales(self.holds[1:], self.inverse)


def membrane(pull: Tensor, hold: Tensor) -> Tensor:
    """The membrane (y, x) over observations with the weights ``hold`` (>= 0); ``pull`` is observation times weight.

    It is 0 where nothing holds it at all. Its error is a few hundredths of the contrast of the observations.
    """
    return _from_coarse(pull, _Scales.of(hold), CYCLES)


def _from_coarse(pull: Tensor, scales: _Scales, cycles: int) -> Tensor:
    """The field of this scale, from that of the next coarser one and ``cycles`` V-cycles."""
    hold = scales.holds[0]
    if len(scales.holds) == 1:
        return _solved(pull, scales)
    coarse = _from_coarse(_coarser(pull), scales.coarser(), 1)
    left = _left(coarse, pull, hold)
    field = _smoothed(None, coarse.add_(_cycle(None, left, scales.coarser())), pull, hold)
    for _ in range(cycles - 1):
        field = _cycle(field, pull, scales)
    return field


def _cycle(field: Tensor | None, pull: Tensor, scales: _Scales) -> Tensor:
    """A V-cycle on ``field`` (None: 0 everywhere): what is left of the equation, solved on the coarser scales."""
    if len(scales.holds) == 1:
        return _solved(pull, scales)
    hold = scales.holds[0]
    left = _coarser(pull) if field is None else _left(field, pull, hold)
    return _smoothed(field, _cycle(None, left, scales.coarser()), pull, hold)


def _solved(pull: Tensor, scales: _Scales) -> Tensor:
    return (scales.inverse @ pull.flatten()).reshape(pull.shape)


def _smoothed(field: Tensor | None, correction: Tensor, pull: Tensor, hold: Tensor) -> Tensor:
    """``field`` plus the ``correction`` of the coarser scale, relaxed; some rows at a time, in the cache."""
    out = torch.empty_like(pull)
    for rows, wide in _blocks(pull):
        finer = _finer(correction, wide, pull.shape[1])
        start = finer if field is None else finer.add_(field[wide])
        inside = slice(rows.start - wide.start, rows.stop - wide.start)
        out[rows] = _relaxed(start, pull[wide], hold[wide], SWEEPS)[inside]
    return out


def _left(field: Tensor, pull: Tensor, hold: Tensor) -> Tensor:
    """What is left of the equation at ``field``, summed over the blocks of the coarser scale."""
    height, width = pull.shape
    out = torch.empty((height + 1) // 2, (width + 1) // 2, dtype=pull.dtype, device=pull.device)
    for rows, wide in _blocks(pull):
        at = field[wide] if field.shape == pull.shape else _finer(field, wide, width)
        left = _neighbours(at, pull[wide]).addcmul_(_diagonal(hold[wide], wide, height), at, value=-1)
        out[rows.start // 2 : (rows.stop + 1) // 2] = _coarser(left[rows.start - wide.start : rows.stop - wide.start])
    return out


def _relaxed(field: Tensor, pull: Tensor, hold: Tensor, factors: Sequence[float]) -> Tensor:
    """``field`` after Jacobi relaxations: each moves a value a ``factor`` of the way to the mean of its neighbours and
    its observations. There are no neighbours beyond the edge: of rows cut from a field, those at the cut are wrong."""
    inverse = _diagonal(hold, slice(0, len(hold)), len(hold)).clamp_(min=1e-6).reciprocal_()
    for factor in factors:
        way = (inverse * (4 * (factor - 1))).add_(1)
        field = field.lerp(_neighbours(field, pull).mul_(inverse), way)
    return field


def _neighbours(field: Tensor, pull: Tensor) -> Tensor:
    """``pull`` and the sum of the four neighbours."""
    out = torch.empty_like(pull)
    out[:1] = pull[:1]
    torch.add(pull[1:], field[:-1], out=out[1:])
    out[:-1] += field[1:]
    out[:, 1:] += field[:, :-1]
    out[:, :-1] += field[:, 1:]
    return out


def _diagonal(hold: Tensor, rows: slice, height: int) -> Tensor:
    """``hold`` and the number of neighbours of each value of these ``rows`` of a field ``height`` rows high."""
    out = hold + 4.0
    if rows.start == 0:
        out[0] -= 1
    if rows.stop == height:
        out[-1] -= 1
    out[:, 0] -= 1
    out[:, -1] -= 1
    return out


def _blocks(field: Tensor) -> Iterator[tuple[slice, slice]]:
    """Blocks of rows, and the same with ``HALO`` rows beside them."""
    for rows in row_blocks(tuple(field.shape), 4 * CACHE_PIXELS, 2):
        yield rows, slice(max(0, rows.start - HALO), min(len(field), rows.stop + HALO))


def _coarser(field: Tensor) -> Tensor:
    """Sums over blocks of two by two, of fewer at the far edges."""
    height, width = field.shape
    if height % 2 or width % 2:
        field = pad(field, (0, width % 2, 0, height % 2))
    pairs = field[::2] + field[1::2]
    return pairs[:, ::2] + pairs[:, 1::2]


def _finer(field: Tensor, rows: slice, width: int) -> Tensor:
    """These ``rows`` of the scale that is twice as fine, by bilinear interpolation."""
    first, last = max(0, rows.start // 2 - 1), rows.stop // 2 + 2
    out = interpolate(field[None, None, first:last], scale_factor=2, mode="bilinear")[0, 0]
    return out[rows.start - 2 * first : rows.stop - 2 * first, :width].contiguous()
