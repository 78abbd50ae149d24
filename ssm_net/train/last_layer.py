"""Bayesian regression of the networks' last layer on coarse innovations, in closed form.

    y(c,t) - H mu(c,t) = H J(c,t) dw + b(c) + e(c,t),    dw ~ N(0, tau^2),  b ~ N(0, bias^2),  e ~ N(0, sigma^2)

mu is the background with the own value left out, J its derivative by the last layer's weights: one Gauss-Newton step.
b is the radiometer's lasting error in a cell (vegetation, texture, interference). Days of one cell are therefore not
independent observations of its soil's level; without b the networks would fit the sensor's errors with every map that
does not change in time. The prior tau is strong: a season over a region constrains levels, hardly slopes. Stations
enter alike, with mu and J at their pixel and b the station's own bias.
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

from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.store import Cube
from ssm_net.estimators.ablation import NO_ABLATION, SENSOR_BIAS, Ablation
from ssm_net.grid import Window, interpolation_matrix
from ssm_net.inputs.channels import channels
from ssm_net.inputs.phases import PHASES, phase_of_cells
from ssm_net.inputs.reading import CoarseDay, padded, read_coarse, read_stored, usable
from ssm_net.inputs.scaling import NO_FEATURES, Scaling
from ssm_net.model.grouped_regression import grouped_normal_equations
from ssm_net.model.network import SSM_MAX, SSM_MIN, Committee, Downscaler, bounded
from ssm_net.model.regional_slopes import POINT_BIAS, POINT_ERROR
from ssm_net.train.training_stations import TrainingStation

FOOTPRINT_STRIDE = 4  # every 4th pixel each way stands for a footprint
BAND = 4  # coarse rows whose pixels are read at once: the cube's chunk
MOST_FITTED_DAYS = 90  # of the training days, evenly chosen
PRIOR_WEIGHT, PRIOR_LEVEL = (
    0.01,
    0.2,
)  # tau: prior deviation of a weight and of the intercept, in the logit of soil moisture


@dataclass(frozen=True)
class DesignRows:
    """Rows of one member's regression for n observations of cells or stations: ``slope`` (n, D) derivatives by the
    last layer's weights (intercept first), ``mean`` (n,) its estimate, m3 m-3, and the ``variance`` (n,) it states: for
    cells that of the error a cell shares, for stations that of the error inside a cell. For cells also mean and
    variance with every observation of the day hidden."""

    slope: Tensor
    mean: Tensor
    variance: Tensor
    mean_day_hidden: Tensor
    variance_day_hidden: Tensor


@dataclass(frozen=True)
class StationValues:
    """n values of stations: ``value`` (m3 m-3), number of the ``station``, number of the ``cell``, ``day`` (ordinal),
    and the ``rows`` of each member at the station's pixel."""

    value: Tensor
    station: Tensor
    cell: Tensor
    day: Tensor
    rows: tuple[DesignRows, ...]


@dataclass(frozen=True)
class Observations:
    """Observations of n cells: ``value`` and standard error ``sigma`` (m3 m-3), fraction ``seen`` of the cell's LST,
    number of the ``cell``, and the ``rows`` of each member; and the values of ``stations``, where any reports."""

    value: Tensor
    sigma: Tensor
    seen: Tensor
    cell: Tensor
    rows: tuple[DesignRows, ...]
    stations: StationValues | None = None


@dataclass(frozen=True)
class _StationRow:
    """A station's value on a day, the numbers of station and cell, the day's ordinal, and of each member the slopes
    (D,), the mean and the variance inside the cell at its pixel."""

    value: float
    number: int
    cell: int
    day: int
    members: list[tuple[Tensor, Tensor, Tensor]]


def evenly_chosen(days: Sequence[dt.date]) -> list[dt.date]:
    """At most ``MOST_FITTED_DAYS`` of them."""
    return list(days[:: max(1, -(-len(days) // MOST_FITTED_DAYS))])


@torch.inference_mode()
def design_rows(
    network: Committee,
    cube: Cube,
    scaling: Scaling,
    days: Sequence[dt.date],
    labels: np.ndarray,
    *,
    lags: int,
    stations: Sequence[TrainingStation] = (),
    ablation: Ablation = NO_ABLATION,
) -> Observations | None:
    """The observations of ``days`` in cells where ``labels`` (R, C) is true, and of stations, with the networks' rows.

    Runs on the device of the networks and returns tensors on the CPU; None where there is no observation.
    """
    phase = phase_of_cells(*cube.domain.coarse_shape)
    number = torch.arange(phase.numel()).reshape(phase.shape)
    first = next(iter(network))
    cells = scaling if first.cells else NO_FEATURES
    h = cube.footprint().thinned(FOOTPRINT_STRIDE).to(next(first.parameters()).device)
    observed: list[list[Tensor]] = []
    rows: list[list[tuple[Tensor, ...]]] = [[] for _ in network.members]
    station_rows: list[_StationRow] = []
    for day in days:
        coarse = read_coarse(cube, day, lags, cells, first.lookahead)
        label = torch.from_numpy(labels) & torch.isfinite(coarse.ssm[0]) & (coarse.land > 0.5)
        reporting = [(i, s) for i, s in enumerate(stations) if np.isfinite(s.value.get(day, np.nan))]
        if not bool(label.any()) and not reporting:
            continue
        observed.append([coarse.ssm[0][label], coarse.sigma[label], coarse.seen[label], number[label]])
        means, of_stations = _day_rows(network, cube, coarse, scaling, h, reporting, ablation)
        station_rows += of_stations
        for m, mean in enumerate(means):
            own = mean.gather(0, phase.expand(1, *mean.shape[1:]))[0][:, label]
            day_hidden = mean[PHASES][-2:, label]
            rows[m].append((own[:-2].T, own[-2], own[-1], day_hidden[0], day_hidden[1]))
    if not any(len(value) for value, *_ in observed):
        return None
    value, sigma, seen, cell = (torch.cat(column) for column in zip(*observed, strict=True))
    return Observations(
        value, sigma, seen, cell,
        tuple(DesignRows(*(torch.cat(column) for column in zip(*days_rows, strict=True))) for days_rows in rows),
        _station_values(station_rows),
    )  # fmt: skip


def _station_values(rows: Sequence[_StationRow]) -> StationValues | None:
    """The rows of stations member by member; None where no station reports."""
    if not rows:
        return None
    none = torch.empty(0)
    station, cell, day = torch.tensor([(r.number, r.cell, r.day) for r in rows]).T
    of_members = []
    for member in zip(*(r.members for r in rows), strict=True):
        slope, mean, inside = (torch.stack(column) for column in zip(*member, strict=True))
        of_members.append(DesignRows(slope, mean, inside, none, none))
    return StationValues(torch.tensor([r.value for r in rows]), station, cell, day, tuple(of_members))


def _day_rows(
    network: Committee,
    cube: Cube,
    coarse: CoarseDay,
    scaling: Scaling,
    h: ObservationOperator,
    reporting: Sequence[tuple[int, TrainingStation]],
    ablation: Ablation,
) -> tuple[list[Tensor], list[_StationRow]]:
    """A day's footprint means of slopes, mean and variance, (PHASES + 1, D + 2, R, C) of each member, last with the
    whole day hidden; and the rows of the stations that report."""
    ratio, (rows, cols) = cube.domain.ratio, cube.domain.coarse_shape
    phase = phase_of_cells(rows, cols)
    contexts = [_contexts(member, coarse, ablation.hidden_phases(phase)) for member in network]
    sums: list[Tensor] = []
    stations: list[_StationRow] = []
    device, first = h.land.device, h.sample.start
    up_x = interpolation_matrix(range(cols * ratio), cols, ratio).to(device)
    for window, on_cpu in _bands(network, cube, coarse, scaling):
        x, (y0, y1) = on_cpu.to(device), window[:2]
        up_y = interpolation_matrix(range(y0, y1), rows, ratio).to(device)
        up_y_sampled, up_x_sampled = up_y[h.sample], up_x[h.sample]
        for m, (member, context) in enumerate(zip(network, contexts, strict=True)):
            fine = member.fine(x[:, :, first:, first:], h.stride)[:, :, : len(up_y_sampled), : len(up_x_sampled)]
            up = up_y_sampled @ context @ up_x_sampled.T
            of_band = torch.stack([h.sums(_linearised(member, fine, c[None]), window) for c in up])
            if m == len(sums):
                sums.append(torch.zeros_like(of_band))
            sums[m] += of_band
        for number, station in reporting:
            if y0 <= station.row < y1:
                own = [c[int(phase[station.row // ratio, station.col // ratio])] for c in contexts]
                at_pixel = [up_y[station.row - y0] @ c @ up_x[station.col] for c in own]
                members = _station_members(network, x, at_pixel, (station.row - y0, station.col))
                cell = station.row // ratio * cols + station.col // ratio
                stations.append(_StationRow(station.value[coarse.day], number, cell, coarse.day.toordinal(), members))
    return [h.mean_of_sums(s).cpu() for s in sums], stations


def _station_members(
    network: Committee, x: Tensor, contexts: Sequence[Tensor], pixel: tuple[int, int]
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Slopes (D,), mean and variance inside the cell of each member at a pixel of a band ``x`` with its halo;
    ``contexts`` (1 + W,) each."""
    row, col = pixel
    out = []
    for member, context in zip(network, contexts, strict=True):
        size = 2 * member.halo + 1
        fine = member.fine(x[:, :, row : row + size, col : col + size])
        at_pixel = context[None, :, None, None]
        one = _linearised(member, fine, at_pixel)[:, 0, 0].cpu()
        inside = member.fuse(fine, at_pixel[:, :1], at_pixel[:, 1:])[2][0, 0, 0].exp().cpu()
        out.append((one[:-2], one[-2], inside))
    return out


def _contexts(member: Downscaler, coarse: CoarseDay, phase: Tensor) -> Tensor:
    """Contexts with each phase hidden and, last, with the whole day hidden: (PHASES + 1, 1 + W, R, C)."""
    device = member.head.weight.device
    ssm = torch.stack([coarse.without((phase == p) | (p == PHASES)).observations for p in range(PHASES + 1)])
    context = member.context(ssm.to(device), coarse.cells.to(device).expand(PHASES + 1, -1, -1, -1))
    return torch.cat([context.base, context.deep], 1)


def _bands(network: Committee, cube: Cube, coarse: CoarseDay, scaling: Scaling) -> Iterator[tuple[Window, Tensor]]:
    """Each band of rows and its channels with their halo, (1, F, y, x)."""
    ratio, (height, width) = cube.domain.ratio, cube.domain.fine_shape
    for y0 in range(0, height, BAND * ratio):
        window = (y0, min(y0 + BAND * ratio, height), 0, width)
        inside, around = padded(window, network.halo, (height, width))
        pixels = read_stored(cube, coarse.day, inside, usable(cube, scaling.present), coarse.background)
        yield window, pad(channels(pixels, scaling), around)[None]


def _linearised(member: Downscaler, fine: Tensor, context: Tensor) -> Tensor:
    """Derivative of the mean by intercept and last weights, then mean and stated variance: (D + 2, y, x)."""
    basis = member.basis(fine, context[:, 1:])
    delta, shared, _ = member.head(basis).unbind(1)
    mean = bounded(context[:, 0], delta)
    slope = (mean - SSM_MIN) * (SSM_MAX - mean) / (SSM_MAX - SSM_MIN)
    return torch.cat([slope, (basis * slope[:, None])[0], mean, shared.clamp(-12, -2).exp()])


def fit_last_layer(
    network: Committee, observations: Observations, sensor_bias: float = SENSOR_BIAS, weight: float = PRIOR_WEIGHT
) -> None:
    """Move the last layer of each member to its posterior mean given the observations, in place; ``sensor_bias``
    (m3 m-3) is the standard deviation of b, ``weight`` the prior one of a weight."""
    for m, member in enumerate(network):
        rows = observations.rows[m]
        innovation = (observations.value - rows.mean).double()
        gram, moment = grouped_normal_equations(rows.slope.double(), innovation, observations.cell, None, sensor_bias)
        if (stations := observations.stations) is not None:
            at = stations.rows[m]
            residual = (stations.value - at.mean).double()
            of_stations = grouped_normal_equations(
                at.slope.double(), residual, stations.station, POINT_ERROR, POINT_BIAS
            )
            gram, moment = gram + of_stations[0], moment + of_stations[1]
        prior = torch.full_like(moment, weight**-2)
        prior[0] = PRIOR_LEVEL**-2
        step = torch.linalg.solve(gram + torch.diag(prior), moment).to(member.head.weight)
        assert member.head.bias is not None
        with torch.no_grad():
            member.head.bias[0] += step[0]
            member.head.weight[0, :, 0, 0] += step[1:]
