"""Worlds of a family, thinned, and what networks make of them: the background and the map of each day, with its truth.

The road is that of the product but for files and footprints: regional slopes, the last layer's regression and the
calibration rest on the world's own coarse record, and each day's observation enters by the update. Cells are boxes of
thinned pixels here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ssm_net.estimators.calibration import Calibration, calibrate
from ssm_net.estimators.checkpoint import Trained
from ssm_net.grid import M36, block_mean, expand
from ssm_net.inputs.phases import PHASES
from ssm_net.inputs.scaling import Scaling
from ssm_net.model.network import SSM_MAX, SSM_MIN, Committee, Downscaler, bounded
from ssm_net.model.regional_slopes import PointContrasts, SlopeEvidence
from ssm_net.model.update import increments
from ssm_net.pretrain.samples import NEIGHBOURHOOD, THINNING, World
from ssm_net.pretrain.truth_samples import TruthBatch, TruthSamples
from ssm_net.pretrain.worlds import Place, make_world, samples_file
from ssm_net.train.batches import collate
from ssm_net.train.last_layer import PRIOR_WEIGHT, DesignRows, Observations, fit_last_layer
from ssm_net.train.leave_own_out import hidden, interpolated
from ssm_net.train.withheld import UNSEEN_LAWS, innovations

SEED = 99  # of the worlds that judge; those that networks were trained on have others
PER = M36.ratio // THINNING  # thinned pixels a side of a cell
POINT_ERROR = (0.03, 0.04)  # m3 m-3, of a station as a value of its pixel: constant, and of each day
LEAST_LABELLED = 0.3  # of pixels and days: a world that is frozen for longer judges nothing
SIGMA = 0.04  # m3 m-3, prepare's error of an observation where the product states none
ORACLE_RIDGE = 1e-5  # of the oracle's last layer
DRAW_BACK = 2.0  # of the variance between members, against the square of what they draw
FITTED = 2  # every second day is fitted, the others calibrate


@dataclass(frozen=True)
class DayMap:
    """A day of a world on its thinned pixels (y, x), m3 m-3: ``mean`` and variances ``shared`` and ``local`` of the
    map, its ``truth``, NaN where there is none; ``background`` is the mean before the update, ``observed`` (y, x) bool
    where the pixel's cell was observed, ``seen`` where its LST was."""

    mean: Tensor
    shared: Tensor
    local: Tensor
    truth: Tensor
    background: Tensor
    observed: Tensor
    seen: Tensor
    bilinear: Tensor
    disagreement: Tensor  # variance between members of what they draw inside the cell


@dataclass(frozen=True)
class Method:
    """How a world is mapped: with the features ``without`` missing, with or without regional ``slopes``, the
    regression of the ``last_layer`` and the ``update``; with that many ``stations``, all in one cell; by the first
    member ``alone``; after an ``outage`` of so many days without observations, or, ``unobserved``, as if there had been
    none; ``usual``: told the mean of the target's observations, as ``train`` does.

    ``weight`` is the prior deviation of a weight of the last layer; with ``pattern`` the inside of cells is drawn by a
    last layer of that deviation, under the level of the other. ``drawn_back`` draws a pixel's pattern back to its cell
    the more, the more members disagree."""

    without: tuple[str, ...] = ()
    slopes: bool = True
    last_layer: bool = True
    update: bool = True
    stations: int = 0
    alone: bool = False
    outage: int = 0
    weight: float = PRIOR_WEIGHT
    pattern: float | None = None
    drawn_back: bool = False
    ahead: int = 0
    unobserved: bool = False
    usual: bool = True


def judged_worlds(family: str, count: int, folder: Path, workers: int) -> dict[str, World]:
    """``count`` worlds of a family with enough labels, by name; made where they are not in ``folder``."""
    out: dict[str, World] = {}
    number = 0
    while len(out) < count:
        places = [Place.draw(family, n, seed=SEED, cells=8, days=32) for n in range(number, number + count - len(out))]
        number += len(places)
        if missing := [p for p in places if not samples_file(p, folder).exists()]:
            folder.mkdir(parents=True, exist_ok=True)
            with ProcessPoolExecutor(workers) as pool:
                list(pool.map(partial(make_world, folder=folder), missing))
        for place in places:
            world = World.load(samples_file(place, folder))
            if float(torch.isfinite(world.truth).float().mean()) >= LEAST_LABELLED:
                out[f"{family}{place.number}"] = world
    return out


@torch.inference_mode()
def maps_of(world: World, prior: Trained, method: Method) -> list[DayMap]:
    """The maps of all days of a world by the networks of ``prior``, adapted to its record."""
    scaling = replace(prior.scaling, absent=method.without)
    batches = _batches(world, scaling, prior, method)
    calibration = Calibration(inside=UNSEEN_LAWS)
    network = _copy(prior, method)
    of_training = torch.cat([batch.coarse.ssm[0, 0].flatten() for batch in batches[::FITTED]])
    if method.usual and bool(torch.isfinite(of_training).any()):
        network.take_as_usual(float(of_training.nanmean()))
    if not method.last_layer or (fitted := _observations(network, batches[::FITTED])) is None:
        return [_map(network, batch, calibration, method) for batch in batches]
    fit_last_layer(network, fitted, weight=method.weight)
    if (withheld := _observations(network, batches[1::FITTED])) is not None:
        calibration = calibrate(innovations(withheld), least=1.0, inside=UNSEEN_LAWS, level=0.0)
    maps = [_map(network, batch, calibration, method) for batch in batches]
    if method.pattern is not None:
        other = _copy(prior, method)
        fit_last_layer(other, fitted, weight=method.pattern)
        patterns = [_map(other, batch, calibration, method) for batch in batches]
        maps = [_level_of(level, pattern, b) for level, pattern, b in zip(maps, patterns, batches, strict=True)]
    return maps


def _copy(prior: Trained, method: Method) -> Committee:
    members = list(prior.network)[:1] if method.alone else prior.network
    return Committee(copy.deepcopy(m) for m in members)


def _level_of(level: DayMap, pattern: DayMap, batch: TruthBatch) -> DayMap:
    """The map ``pattern`` with its cells at the level of the map ``level``."""
    up_y, up_x = batch.coarse.up_y[0], batch.coarse.up_x[0]
    rise = block_mean(torch.where(batch.known[0], level.mean - pattern.mean, torch.nan), PER).nan_to_num()
    return replace(level, mean=pattern.mean + up_y @ rise @ up_x.T)


def _batches(world: World, scaling: Scaling, prior: Trained, method: Method) -> list[TruthBatch]:
    data = TruthSamples([world], scaling, ratio=M36.ratio, lags=prior.model.lags, lookahead=prior.model.lookahead,
                        looks=method.ahead, seed=None)  # fmt: skip
    batches = [collate([data[i]]) for i in range(len(data))]
    slopes = batches[0].slopes
    if method.stations:
        evidence = data.versions[0][0].records[0] + _of_stations(batches, method.stations)
        slopes = evidence.slopes(slopes[0] != 0)[None]
    if not method.slopes:
        slopes = torch.zeros_like(slopes)
    return [replace(batch, slopes=slopes) for batch in batches]


def _of_stations(batches: Sequence[TruthBatch], number: int) -> SlopeEvidence:
    """What stations say of the slopes, at the ``number`` pixels of the cell in the middle with the most truth: their
    contrasts on each day, with the errors of points."""
    middle = batches[0].coarse.ssm.shape[-1] // 2 * PER
    cell = (slice(middle, middle + PER), slice(middle, middle + PER))
    values = torch.stack([torch.where(b.known[0], b.truth[0], torch.nan)[cell].flatten() for b in batches])
    x = torch.stack([b.x[0, :, 1::NEIGHBOURHOOD, 1::NEIGHBOURHOOD][:, *cell].flatten(1).T for b in batches])
    at = torch.isfinite(values).sum(0).argsort(descending=True, stable=True)[: number * 2 : 2]
    g = torch.Generator().manual_seed(SEED)
    error = [
        e * torch.randn(shape, generator=g)
        for e, shape in zip(POINT_ERROR, ((len(at),), (len(x), len(at))), strict=True)
    ]
    values, x = values[:, at] + error[0] + error[1], x[:, at]
    points = []
    for y, features in zip(values, x, strict=True):
        there = torch.isfinite(y)
        if int(there.sum()) > 1:
            points.append(PointContrasts.of(features[there], y[there], torch.nonzero(there)[:, 0]))
    return SlopeEvidence.of_points(points) if points else SlopeEvidence.none(x.shape[2])


def own_context(member: Downscaler, batch: TruthBatch) -> Tensor:
    """Each pixel's context with the phase of its own cell hidden, (1, 1 + W, y, x)."""
    own: Tensor | None = None
    for phase in range(PHASES):
        context = interpolated(member, hidden(batch.coarse, phase), batch.coarse, batch.slopes)
        own = context if own is None else torch.where((batch.pixel_phase == phase)[:, None], context, own)
    assert own is not None
    return own


def linearised(member: Downscaler, batch: TruthBatch, context: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """At the pixels: derivative of the mean by intercept and last weights (D, y, x), the mean, and the variances that a
    cell shares and inside it, (y, x)."""
    basis = member.basis(member.fine(batch.x, NEIGHBOURHOOD, batch.slopes), context[:, 1:])
    delta, shared, local = member.head(basis).unbind(1)
    mean = bounded(context[:, 0], delta)
    slope = (mean - SSM_MIN) * (SSM_MAX - mean) / (SSM_MAX - SSM_MIN)
    rows = torch.cat([slope, (basis * slope[:, None])[0]])
    return rows, mean[0], shared[0].clamp(-12, -2).exp(), local[0].clamp(-12, -2).exp()


def _observations(network: Committee, batches: Sequence[TruthBatch]) -> Observations | None:
    """Cells as observed on these days, with the networks' rows; None where there are none."""
    columns: list[list[Tensor]] = [[] for _ in range(4)]
    rows: list[list[tuple[Tensor, ...]]] = [[] for _ in network.members]
    for batch in batches:
        known, value = batch.known[0], batch.coarse.ssm[0, 0]
        label = torch.isfinite(value) & (block_mean(known.float(), PER) > 0.5)
        if not bool(label.any()):
            continue
        day_hidden = replace(batch, coarse=replace(batch.coarse, ssm=_after_outage(batch.coarse.ssm, 1)))
        for m, member in enumerate(network):
            slope, mean, variance, _ = linearised(member, batch, own_context(member, batch))
            _, alone, alone_variance, _ = linearised(member, day_hidden, own_context(member, day_hidden))
            fields = torch.cat([slope, torch.stack([mean, variance, alone, alone_variance])])
            of_cells = block_mean(torch.where(known, fields, torch.nan), PER)[:, label]
            rows[m].append((of_cells[:-4].T, *of_cells[-4:]))
        number = torch.arange(value.numel()).reshape(value.shape)[label]
        seen = block_mean(torch.where(known, _seen(batch), torch.nan), PER)[label]
        for column, values in zip(columns, (value[label], torch.full_like(seen, SIGMA), seen, number), strict=True):
            column.append(values)
    if not columns[0]:
        return None
    value, sigma, seen, cell = (torch.cat(c) for c in columns)
    of_members = tuple(DesignRows(*(torch.cat(c) for c in zip(*days, strict=True))) for days in rows)
    return Observations(value, sigma, seen, cell, of_members)


def _after_outage(ssm: Tensor, days: int) -> Tensor:
    """Observations (B, L + 1, R, C) without those of the last ``days``; what was before the lags is kept."""
    hidden = ssm.clone()
    hidden[:, : min(days, ssm.shape[1] - 1)] = torch.nan
    return hidden


def _seen(batch: TruthBatch) -> Tensor:
    """Whether a pixel's LST was seen by day, (y, x): the second channel is above its mean."""
    return (batch.x[0, 1, 1::NEIGHBOURHOOD, 1::NEIGHBOURHOOD] > 0).float()


def _map(network: Committee, batch: TruthBatch, calibration: Calibration, method: Method) -> DayMap:
    if method.unobserved:
        none = torch.full_like(batch.coarse.ssm, torch.nan)
        batch = replace(batch, coarse=replace(batch.coarse, ssm=none))
    if method.outage:
        batch = replace(batch, coarse=replace(batch.coarse, ssm=_after_outage(batch.coarse.ssm, method.outage)))
    each = [linearised(m, batch, own_context(m, batch))[1:] for m in network]
    means, shared, local = (torch.stack(values) for values in zip(*each, strict=True))
    known, up_y, up_x = batch.known[0], batch.coarse.up_y[0], batch.coarse.up_x[0]
    seen, ssm = _seen(batch), batch.coarse.ssm[0]
    factor = calibration.cloudy + (calibration.clear - calibration.cloudy) * seen
    alone = calibration.alone if not bool(torch.isfinite(ssm[0]).any()) else 1.0
    patterns = means - expand(block_mean(torch.where(known, means, torch.nan), PER), PER)
    disagreement = patterns.var(0) if len(means) > 1 else torch.zeros_like(known, dtype=means.dtype)
    mean = means.mean(0)
    if method.drawn_back:
        pattern = patterns.mean(0).nan_to_num()
        away = pattern**2 / (pattern**2 + DRAW_BACK * disagreement.nan_to_num() + 1e-12)
        mean = mean - (1 - away) * pattern
    of_cell = (shared.mean(0) + means.var(0, correction=0)) * factor * alone
    inside = calibration.inside * local.mean(0) + calibration.level**2
    background = mean
    if method.update:
        p, variance = (block_mean(torch.where(known, v, torch.nan), PER) for v in (mean, of_cell))
        step, k = increments(p.nan_to_num(), variance.nan_to_num(), ssm[0], torch.full_like(p, SIGMA))
        mean = (mean + up_y @ step @ up_x.T).clamp(SSM_MIN, SSM_MAX)
        of_cell = of_cell * (1 - up_y @ k @ up_x.T)
    truth = torch.where(known, batch.truth[0], torch.nan)
    observed, before = expand(torch.isfinite(ssm[0]), PER), ssm[: len(ssm) - batch.lookahead]
    return DayMap(mean, of_cell, inside, truth, background, observed, seen > 0, bilinear(before, up_y, up_x),
                  disagreement)  # fmt: skip


def bilinear(ssm: Tensor, up_y: Tensor, up_x: Tensor) -> Tensor:
    """The last observation of each cell, interpolated to the pixels; the mean of all where there is none. ``ssm``
    (L, R, C) has the latest first."""
    last = ssm[0]
    for before in ssm[1:]:
        last = torch.where(torch.isnan(last), before, last)
    mean = torch.nanmean(last).nan_to_num((SSM_MIN + SSM_MAX) / 3)
    return up_y @ torch.where(torch.isnan(last), mean, last) @ up_x.T


@torch.inference_mode()
def slope_maps(world: World, prior: Trained, maps: Sequence[DayMap]) -> list[Tensor]:
    """The regional slopes alone: bilinear interpolation with the features' pattern inside each cell, (y, x)."""
    out = []
    for batch, day in zip(_batches(world, prior.scaling, prior, Method()), maps, strict=True):
        x = batch.x[0, :, 1::NEIGHBOURHOOD, 1::NEIGHBOURHOOD]
        pattern = torch.einsum("f,fyx->yx", batch.slopes[0], x)
        cell = block_mean(torch.where(batch.known[0], pattern, torch.nan), PER).nan_to_num()
        out.append((day.bilinear + pattern - expand(cell, PER)).clamp(SSM_MIN, SSM_MAX))
    return out


@torch.inference_mode()
def oracle_maps(world: World, prior: Trained) -> list[DayMap]:
    """The same networks with their last layer fitted to the truth of every second day, not to observations."""
    batches = _batches(world, prior.scaling, prior, Method())
    network = Committee([copy.deepcopy(m) for m in prior.network])
    for member in network:
        rows, left = [], []
        for batch in batches[::FITTED]:
            slope, mean, _, _ = linearised(member, batch, own_context(member, batch))
            known = batch.known[0]
            rows.append(slope[:, known].T)
            left.append((batch.truth[0] - mean)[known])
        a, t = torch.cat(rows).double(), torch.cat(left).double()
        step = torch.linalg.solve(a.T @ a / len(t) + ORACLE_RIDGE * torch.eye(a.shape[1]), a.T @ t / len(t))
        assert member.head.bias is not None
        member.head.bias[0] += step[0]
        member.head.weight[0, :, 0, 0] += step[1:]
    return [_map(network, batch, Calibration(), Method()) for batch in batches]
