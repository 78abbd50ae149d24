"""The membrane solved otherwise, to judge ``ssm_net.lst.membrane`` by: exactly, and by the cascade used before it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lst_clouds import clouds, holes_of, monthly_field
from rich.table import Table
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from ssm_net.lst.inpainting import ROUGH, inpaint

EXACT_GOAL = 1.013  # RMSE of the hidden pixels, relative to that of the exact field
CASCADE_ROUGH = 0.3  # between blocks of two by two pixels
CASCADE_SWEEPS, CASCADE_GROWTH, CASCADE_MAX = 3, 1.5, 200


def exact(values: Tensor, weight: Tensor, rough: float = ROUGH) -> Tensor:
    """The field (y, x) of ``inpaint``, from its equations by a sparse factorisation in float64."""
    hold = weight.double().numpy().ravel() / rough
    place = np.arange(hold.size).reshape(values.shape)
    one = np.concatenate([place[1:].ravel(), place[:, 1:].ravel()])
    other = np.concatenate([place[:-1].ravel(), place[:, :-1].ravel()])
    links = coo_array((np.ones(one.size), (one, other)), (hold.size, hold.size))
    links = links + links.T
    equations = diags_array(links.sum(1) + hold) - links
    pull = torch.where(weight > 0, values, 0.0).double().numpy().ravel() * hold
    return torch.from_numpy(spsolve(equations.tocsc(), pull).reshape(values.shape)).to(values.dtype)


def cascade(values: Tensor, weight: Tensor) -> Tensor:
    """The field of gap filling up to version 2: on blocks of two by two pixels, each scale relaxed a few times from
    that of the next coarser one (Bornemann & Deuflhard 1996, Numer. Math. 75, 135)."""
    fields = avg_pool2d(torch.stack([torch.where(weight > 0, values, 0.0) * weight, weight])[None], 2)[0] * 4
    scales = [fields / CASCADE_ROUGH]
    while min(scales[-1].shape[1:]) > 4:
        height, width = scales[-1].shape[1:]
        scales.append(avg_pool2d(pad(scales[-1][None], (0, width % 2, 0, height % 2)), 2)[0] * 4)
    pull, hold = scales.pop()
    field = _jacobi(torch.zeros_like(pull), pull, hold, CASCADE_MAX)
    while scales:
        pull, hold = scales.pop()
        field = _twice(field)[: pull.shape[0], : pull.shape[1]].contiguous()
        field = _jacobi(field, pull, hold, min(CASCADE_MAX, int(CASCADE_SWEEPS * CASCADE_GROWTH ** len(scales))))
    return _twice(field)


def _jacobi(field: Tensor, pull: Tensor, hold: Tensor, sweeps: int) -> Tensor:
    around = torch.zeros_like(hold) + 4.0
    for edge in (around[0], around[-1], around[:, 0], around[:, -1]):
        edge -= 1
    inverse = (hold + around).clamp_(min=1e-6).reciprocal_()
    out = torch.empty_like(field)
    for _ in range(sweeps):
        out.copy_(pull)
        out[1:] += field[:-1]
        out[:-1] += field[1:]
        out[:, 1:] += field[:, :-1]
        out[:, :-1] += field[:, 1:]
        out *= inverse
        field, out = out, field
    return field


def _twice(field: Tensor) -> Tensor:
    return interpolate(field[None, None], scale_factor=2, mode="bilinear")[0, 0]


@dataclass(frozen=True)
class Solver:
    """RMSE (K) of the hidden pixels of one image under the clouds of a tile, and milliseconds on one thread."""

    clouds: str
    rmse: dict[str, float]
    milliseconds: dict[str, float]

    def missed(self) -> list[str]:
        ratio = self.rmse["membrane"] / self.rmse["exact"]
        return (
            [f"{self.clouds}: RMSE {ratio:.3f} of the exact field's, goal {EXACT_GOAL}"] if ratio > EXACT_GOAL else []
        )


def solvers(real: Path) -> Iterator[Solver]:
    """The membrane as it is solved, exactly, and by the cascade of version 2."""
    lst, threads = torch.from_numpy(monthly_field(real)), torch.get_num_threads()
    torch.set_num_threads(1)
    for name, mask in clouds(real).items():
        if not (holes := holes_of(mask, (lst.shape[0], lst.shape[1]))):
            continue
        hole = torch.from_numpy(holes[0].copy())
        weight = (torch.isfinite(lst) & ~hole).float()
        values = torch.nan_to_num(lst - lst[weight > 0].mean())
        hidden, rmse, milliseconds = hole & torch.isfinite(lst), {}, {}
        for kind, solve, times in (("cascade", cascade, 5), ("membrane", inpaint, 5), ("exact", exact, 1)):
            took = []
            for _ in range(times):
                start = time.perf_counter()
                field = solve(values, weight)
                took.append(1e3 * (time.perf_counter() - start))
            rmse[kind] = round(float((field - values)[hidden].square().mean().sqrt()), 3)
            milliseconds[kind] = round(min(took), 1)
        yield Solver(name, rmse, milliseconds)
    torch.set_num_threads(threads)


def solver_table(found: list[Solver]) -> Table:
    out = Table(title="The membrane, one image: RMSE, K, and milliseconds on one thread")
    for name in ("clouds", "cascade", "membrane", "exact", "of the exact", "ms cascade", "ms membrane", "ms exact"):
        out.add_column(name, justify="left" if name == "clouds" else "right")
    for s in found:
        of_exact = s.rmse["membrane"] / s.rmse["exact"]
        out.add_row(s.clouds, *(f"{s.rmse[k]:.2f}" for k in s.rmse), f"{of_exact:.3f}",
                    *(f"{s.milliseconds[k]:.0f}" for k in s.rmse))  # fmt: skip
    return out
