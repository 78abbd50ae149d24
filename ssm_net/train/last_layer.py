"""What networks miss on the target, learned through the footprint by their last layer, in closed form.

    y(c,t) - H mu(c,t) = H J(c,t) dw + b(c) + e(c,t),    dw ~ N(0, tau^2),  b ~ N(0, bias^2),  e ~ N(0, sigma^2)

mu is the background with the own value left out, J its derivative by the last layer's weights: one step of Gauss and
Newton. b is what the radiometer gets wrong in a cell all the time (vegetation, texture, interference): days of one cell
are no independent witnesses of the level of the soil there, and without b the networks would learn the sensor's errors
through every map that does not change. The prior tau is strong: a season over a region tells levels, hardly slopes.
Stations enter alike, mu and J at their pixel, b the station's own bias, learned with the rest.
Sources: generalised least squares with random effects, Henderson (1975), Biometrics 31; last-layer linearisation,
Khan et al. (2019), NeurIPS 32.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ssm_net.cube.store import Cube
from ssm_net.estimators.calibration import Innovations
from ssm_net.grid import Window, interpolation_matrix
from ssm_net.inputs.channels import channels
from ssm_net.inputs.phases import PHASES, phase_of_cells
from ssm_net.inputs.reading import CoarseDay, padded, read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES, Scaling
from ssm_net.model.network import SSM_MAX, SSM_MIN, Committee, Downscaler, bounded
from ssm_net.train.aggregate_loss import BIAS

STRIDE = 4  # every 4th pixel each way stands for a footprint
BAND = 4  # coarse rows whose pixels are read at once: the cube's chunk
MOST_DAYS = 90  # of those trained on, evenly chosen
WEIGHT, LEVEL = 0.01, 0.2  # tau: prior deviation of a weight and of the intercept, in the logit of soil moisture
STATION_BIAS, STATION_ERROR = 0.045, 0.046  # m3 m-3: of a point in a pixel, constant and from day to day


@dataclass(frozen=True)
class Site:
    """A station to learn from: its pixel, and its value (m3 m-3, NaN where none) on each day asked for."""

    name: str
    row: int
    col: int
    value: dict[dt.date, float]


@dataclass(frozen=True)
class Witness:
    """What one member is told by n observations (cells' or stations'): ``slope`` (n, D), ``mean`` (n,) its estimate;
    for cells also ``stated`` (n,), the variance it states, and mean and variance with the whole day withheld."""

    slope: Tensor
    mean: Tensor
    stated: Tensor
    mean_alone: Tensor
    stated_alone: Tensor


@dataclass(frozen=True)
class Evidence:
    """Observations (n,) of cells, their standard error and part seen, the group each belongs to (its cell), and what
    each member makes of them; the same of stations, whose group is the station."""

    value: Tensor
    sigma: Tensor
    seen: Tensor
    group: Tensor
    cells: tuple[Witness, ...]
    station_value: Tensor
    station_group: Tensor
    stations: tuple[Witness, ...]


def some_of(days: Sequence[dt.date]) -> list[dt.date]:
    """At most ``MOST_DAYS`` of them."""
    return list(days[:: max(1, -(-len(days) // MOST_DAYS))])


@torch.inference_mode()
def gather(
    network: Committee,
    cube: Cube,
    scaling: Scaling,
    days: Sequence[dt.date],
    labels: np.ndarray,
    *,
    lags: int,
    sites: Sequence[Site] = (),
) -> Evidence | None:
    """What the observations of ``days`` in cells where ``labels`` (R, C) is true, and the stations, tell; None where
    there is no observation."""
    ratio, (rows, cols) = cube.domain.ratio, cube.domain.coarse_shape
    phase, at = phase_of_cells(rows, cols), torch.arange(rows * cols).reshape(rows, cols)
    observed: list[list[Tensor]] = []
    told: list[list[tuple[Tensor, ...]]] = [[] for _ in network.members]
    at_sites: list[list[tuple[Tensor, Tensor]]] = [[] for _ in network.members]
    station: list[tuple[float, int]] = []
    cells, h = scaling if next(iter(network)).cells else NO_FEATURES, cube.footprint().thinned(STRIDE)
    for day in days:
        coarse = read_coarse(cube, day, lags, cells)
        here = torch.from_numpy(labels) & torch.isfinite(coarse.ssm[0]) & (coarse.land > 0.5)
        today = [(i, s) for i, s in enumerate(sites) if np.isfinite(s.value.get(day, np.nan))]
        if not bool(here.any()) and not today:
            continue
        observed.append([coarse.ssm[0][here], coarse.sigma[here], coarse.seen[here], at[here]])
        contexts = [_contexts(member, coarse, phase) for member in network]
        sums: list[Tensor] = []
        up_x = interpolation_matrix(range(cols * ratio), cols, ratio)
        for window, x in _bands(network, cube, coarse, scaling):
            y0, y1 = window[:2]
            up_y = interpolation_matrix(range(y0, y1), rows, ratio)
            up_y_sampled, up_x_sampled = up_y[h.sample], up_x[h.sample]
            mine = [(i, s) for i, s in today if y0 <= s.row < y1]
            station += [(s.value[day], i) for i, s in mine]
            for m, (member, context) in enumerate(zip(network, contexts, strict=True)):
                fine = member.fine(x[:, :, h.sample.start :, h.sample.start :], STRIDE)
                fine = fine[:, :, : len(up_y_sampled), : len(up_x_sampled)]
                up = up_y_sampled @ context @ up_x_sampled.T
                parts = [h.sums(_linearised(member, fine, c[None]), window) for c in up]
                if m == len(sums):
                    sums.append(torch.zeros(len(parts), *parts[0].shape))
                sums[m] += torch.stack(parts)
                size = 2 * member.halo + 1
                for _, s in mine:
                    near = x[:, :, s.row - y0 : s.row - y0 + size, s.col : s.col + size]
                    own = context[int(phase[s.row // ratio, s.col // ratio])]
                    both = up_y[s.row - y0] @ own @ up_x[s.col]
                    one = _linearised(member, member.fine(near), both[None, :, None, None])[:, 0, 0]
                    at_sites[m].append((one[:-2], one[-2]))
        for m, found in enumerate(sums):
            found = h.mean_of_sums(found)  # (phase and alone, D + 2, R, C)
            own = found.gather(0, phase.expand(1, *found.shape[1:]))[0][:, here]
            alone = found[PHASES][-2:, here]
            told[m].append((own[:-2].T, own[-2], own[-1], alone[0], alone[1]))
    if not any(len(value) for value, *_ in observed):
        return None
    none = torch.empty(0)
    value, sigma, seen, group = (torch.cat(part) for part in zip(*observed, strict=True))
    return Evidence(
        value, sigma, seen, group,
        tuple(Witness(*(torch.cat(part) for part in zip(*t, strict=True))) for t in told),
        torch.tensor([v for v, _ in station]), torch.tensor([i for _, i in station], dtype=torch.long),
        tuple(Witness(torch.stack([a for a, _ in s]), torch.stack([b for _, b in s]), none, none, none)
              for s in at_sites if s),
    )  # fmt: skip


def _contexts(member: Downscaler, coarse: CoarseDay, phase: Tensor) -> Tensor:
    """Contexts with each phase hidden and, last, with the whole day hidden: (PHASES + 1, 1 + W, R, C)."""
    ssm = torch.stack([coarse.without((phase == p) | (p == PHASES)).ssm for p in range(PHASES + 1)])
    told = member.context(ssm, coarse.features.expand(PHASES + 1, -1, -1, -1))
    return torch.cat([told.base, told.deep], 1)


def _bands(network: Committee, cube: Cube, coarse: CoarseDay, scaling: Scaling) -> Iterator[tuple[Window, Tensor]]:
    """Each band of rows and its features with their halo, (1, F, y, x)."""
    ratio, (height, width) = cube.domain.ratio, cube.domain.fine_shape
    for y0 in range(0, height, BAND * ratio):
        window = (y0, min(y0 + BAND * ratio, height), 0, width)
        inside, around = padded(window, network.halo, (height, width))
        pixels = read_stored(cube, coarse.day, inside, usable(cube, scaling.present), coarse.background)
        yield window, pad(channels(pixels, scaling), around)[None]


def _linearised(member: Downscaler, fine: Tensor, both: Tensor) -> Tensor:
    """Derivative of the mean by intercept and last weights, then mean and stated variance: (D + 2, y, x)."""
    basis = member.basis(fine, both[:, 1:])
    delta, shared, _ = member.head(basis).unbind(1)
    mean = bounded(both[:, 0], delta)
    slope = (mean - SSM_MIN) * (SSM_MAX - mean) / (SSM_MAX - SSM_MIN)
    return torch.cat([slope, (basis * slope[:, None])[0], mean, shared.clamp(-12, -2).exp()])


def adapt(network: Committee, found: Evidence) -> None:
    """Move the last layer of each member by what ``found`` tells of it, in place."""
    for m, member in enumerate(network):
        told = found.cells[m]
        innovation = (found.value - told.mean).double()
        gram, moment = _normal(told.slope.double(), innovation, found.group, None, BIAS)
        if found.stations:
            at = found.stations[m]
            miss = (found.station_value - at.mean).double()
            more = _normal(at.slope.double(), miss, found.station_group, STATION_ERROR, STATION_BIAS)
            gram, moment = gram + more[0], moment + more[1]
        prior = torch.full_like(moment, WEIGHT**-2)
        prior[0] = LEVEL**-2
        step = torch.linalg.solve(gram + torch.diag(prior), moment).float()
        assert member.head.bias is not None
        with torch.no_grad():
            member.head.bias[0] += step[0]
            member.head.weight[0, :, 0, 0] += step[1:]


def _normal(slope: Tensor, miss: Tensor, group: Tensor, sigma: float | None, bias: float) -> tuple[Tensor, Tensor]:
    """Normal equations with the groups' biases eliminated. Without ``sigma`` it is what varies inside groups."""
    number = int(group.max()) + 1
    count = torch.zeros(number, dtype=torch.float64).index_add_(0, group, torch.ones_like(miss))
    total = torch.zeros(number, dtype=torch.float64).index_add_(0, group, miss)
    slopes = torch.zeros(number, slope.shape[1], dtype=torch.float64).index_add_(0, group, slope)
    if sigma is None:
        within = miss - (total / count.clamp(min=1))[group]
        sigma = float(within.square().mean().sqrt().clamp(min=1e-3))
    shrunk = 1 / (count + (sigma / bias) ** 2)
    gram = slope.T @ slope - slopes.T @ (slopes * shrunk[:, None])
    moment = slope.T @ miss - slopes.T @ (total * shrunk)
    return gram / sigma**2, moment / sigma**2


def innovations(found: Evidence) -> Innovations:
    """Observations against the committee's mean, and the variance it states."""

    def committee(mean: str, stated: str) -> tuple[Tensor, Tensor]:
        means = torch.stack([getattr(w, mean) for w in found.cells])
        variances = torch.stack([getattr(w, stated) for w in found.cells])
        return means.mean(0), variances.mean(0) + means.var(0, correction=0)

    mean, stated = committee("mean", "stated")
    alone, stated_alone = committee("mean_alone", "stated_alone")
    return Innovations(found.value - mean, found.sigma, stated, found.seen, found.value - alone, stated_alone)
