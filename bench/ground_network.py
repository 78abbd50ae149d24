"""Networks at the stations of a cell: the product's estimator on an endless plain whose cells hold the others' mean.

For a station and a day all cells of the plain hold the mean of the other stations, on the days before as well; the
station's own cell is hidden as the product hides each cell's own observation. All stations are estimated under that
context, and the anomaly of one is its estimate less the mean of the others'.

Two settings of the networks are judged: the prior as it is, and after the last-layer regression of ``train.py``, whose
only observations are the coarse values. The regression is repeated for each station, without its soil moisture.
"""

from __future__ import annotations

import copy
import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from ground_inputs import StationInputs, station_inputs
from ground_table import StationCell
from torch import Tensor

from ssm_net.config import TrainConfig
from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.variables import FINE
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained
from ssm_net.estimators.network import NetworkContext, NetworkEstimator
from ssm_net.footprint import Footprint
from ssm_net.grid import M36, Domain, Grid, Window
from ssm_net.inputs.channels import PackedPixels, as_tensor
from ssm_net.inputs.phases import PHASES, phase_of_cells
from ssm_net.inputs.reading import OLDER_DAYS, CoarseDay, older_mean, stored
from ssm_net.inputs.scaling import NO_FEATURES, Scaling
from ssm_net.model.network import KERNEL, Committee
from ssm_net.train.last_layer import FOOTPRINT_STRIDE, Observations, design_rows, evenly_chosen, fit_last_layer
from ssm_net.train.start import start_from_prior
from ssm_net.train.withheld import UNSEEN_LAWS

POINT = 3  # pixels a side that stand for a station: the networks see 3 x 3 of them
PLAINS = 4  # a side, next to each other in one pass of the coarse branch
ROWS = 32  # days whose stations are estimated at once
COARSE_ERROR = 0.04  # m3 m-3, prepare's for products that state none; no score rests on it


@dataclass(frozen=True)
class Predictions:
    """Of T days and n stations, (T, n): the ``anomaly`` against the mean of the others and its standard error
    ``sigma``, and the ``level`` of the cell that the networks give, all m3 m-3, NaN where nothing is due."""

    anomaly: np.ndarray
    sigma: np.ndarray
    level: np.ndarray


@dataclass(frozen=True)
class Plain:
    """A cube in memory, all of whose cells are the same: what the product's functions read in place of a ``Cube``.

    ``number`` (ratio, ratio) is the station of each pixel of a cell, -1 for none; ``coarse_ssm`` (T,) m3 m-3 is what
    all cells observe. ``cells`` a side are as many as the networks reach from the middle one.
    """

    inputs: StationInputs
    number: np.ndarray
    coarse_ssm: np.ndarray
    cells: int
    attrs: dict[str, str]
    fwhm: float
    path: Path = Path("station table")

    @property
    def fine(self) -> tuple[str, ...]:
        return self.inputs.fine

    @property
    def static(self) -> tuple[str, ...]:
        return self.inputs.static

    @property
    def coarse(self) -> tuple[str, ...]:
        return ("ssm", "ssm_sigma", *self._cell_means)

    @cached_property
    def domain(self) -> Domain:
        n, ratio = self.cells, len(self.number)
        grid = Grid(M36.crs, M36.left, M36.top, M36.cell * ratio / M36.ratio, n, n, ratio, align=1)
        return Domain("plain", (0, n, 0, n), grid)

    @cached_property
    def _index(self) -> dict[dt.date, int]:
        return {day: t for t, day in enumerate(self.inputs.days)}

    @cached_property
    def _cell_means(self) -> dict[str, np.ndarray]:
        return self.inputs.cell_means()

    def done(self, day: dt.date) -> bool:
        return day in self._index

    def _pixels(self, of_stations: np.ndarray, window: Window) -> np.ndarray:
        y0, y1, x0, x1 = window
        rows, cols = (np.arange(a, b) % len(self.number) for a, b in ((y0, y1), (x0, x1)))
        return of_stations[self.number[rows[:, None], cols]]

    def read_packed(self, name: str, day: dt.date, window: Window) -> np.ndarray:
        return self._pixels(self.inputs.packed[name][self._index[day]], window)

    def read(self, name: str, day: dt.date, window: Window) -> np.ndarray:
        return FINE[name].unpack(self.read_packed(name, day, window))

    def read_static(self, name: str, window: Window) -> np.ndarray:
        return self._pixels(self.inputs.maps[name], window)

    def read_static_cell(self, name: str) -> np.ndarray:
        return self._same(self.inputs.maps[name].mean())

    def read_coarse(self, name: str, day: dt.date) -> np.ndarray:
        t = self._index[day]
        if name.startswith("ssm"):
            observed = self.coarse_ssm[t]
            return self._same(observed if name == "ssm" else COARSE_ERROR * observed / observed)
        return self._same(self._cell_means[name][t])

    def _same(self, value: float) -> np.ndarray:
        return np.full(self.domain.coarse_shape, value, "float32")

    @property
    def land_fraction(self) -> np.ndarray:
        return self._same(1.0)

    def footprint(self) -> ObservationOperator:
        """The mean of a cell: where all cells are the same, a wider footprint has the same mean."""
        land = np.tile(self.number >= 0, self.domain.coarse_shape)
        return ObservationOperator(Footprint.box(self.domain.coarse_shape, len(self.number)), torch.from_numpy(land))


def plain_of(inputs: StationInputs, number: np.ndarray, coarse_ssm: np.ndarray, trained: Trained) -> Plain:
    """A plain as wide as the networks of ``trained`` reach, for the sensor that they were trained for."""
    reach = KERNEL // 2 + trained.model.coarse_depth
    fwhm = trained.fwhm * len(number) / trained.ratio
    return Plain(inputs, number, coarse_ssm, 2 * reach + 1, {"footprint": trained.footprint}, fwhm)


def in_blocks(stations: Sequence[int]) -> np.ndarray:
    """A cell that holds each of ``stations`` on as many pixels as a footprint's mean takes one of; -1 where over."""
    side = math.ceil(math.sqrt(len(stations)))
    number = np.full(side * side, -1)
    number[: len(stations)] = stations
    return np.kron(number.reshape(side, side), np.ones((FOOTPRINT_STRIDE, FOOTPRINT_STRIDE), int))


class GroundNetworks:
    """The networks of ``prior`` at the stations of ``cell``, without the features to ``exclude``."""

    def __init__(self, cell: StationCell, prior: Trained, exclude: Sequence[str] = ()) -> None:
        self.cell, self.inputs = cell, station_inputs(cell)
        plain = plain_of(self.inputs, np.zeros((POINT, POINT), int), cell.coarse[:, 0], prior)
        start = start_from_prior(prior, TrainConfig(cube="none", run="none", exclude=list(exclude)), plain)  # type: ignore[arg-type]
        self.trained = replace(prior, scaling=start.scaling, ratio=POINT, fwhm=plain.fwhm)
        self.plain = plain

    def estimators(self, committee: Committee, calibration: Calibration) -> list[NetworkEstimator]:
        """An estimator a member, so that members can be compared; their mean is the product's estimate."""
        return [NetworkEstimator(replace(self.trained, network=Committee([copy.deepcopy(member)]),
                                         calibration=calibration), self.plain, torch.device("cpu"))
                for member in committee]  # type: ignore[arg-type] # fmt: skip

    def contexts(self, station: int, days: np.ndarray) -> list[NetworkContext]:
        """Each member's context of a station on ``days`` (D,): that of the middle cell of its plain, own phase hidden,
        on D x n cells, a row a day."""
        side, lags = self.plain.cells, self.trained.model.lags
        scaling = self.trained.scaling if self.trained.model.cells else NO_FEATURES
        cells = self._cell_features(scaling)
        ssm = np.full((lags + OLDER_DAYS, len(days)), np.nan, "float32")
        for lag in range(len(ssm)):
            known = days >= lag
            ssm[lag, known] = self.cell.coarse[days[known] - lag, station]
        older = older_mean(torch.from_numpy(ssm[lags:])[..., None])[None, :, 0]
        observations = torch.cat([torch.from_numpy(ssm[:lags]), older])
        estimators = self.estimators(self.trained.network, Calibration())
        vectors: list[list[Tensor]] = [[] for _ in estimators]
        for first in range(0, len(days), PLAINS**2):
            batch = slice(first, first + PLAINS**2)
            coarse = side_by_side(observations[:, batch], cells[:, days[batch]], side, self.trained.model.lookahead)
            middle = torch.arange(PLAINS) * side + side // 2
            at = phase_of_cells(*coarse.land.shape)[middle[:, None], middle], middle[:, None], middle
            for vector, estimator in zip(vectors, estimators, strict=True):
                by_phase = estimator.context(coarse).by_phase[0].movedim(1, -1)
                vector.append(by_phase[at].flatten(0, 1)[: len(days[batch])])
        none = torch.ones(len(days), len(self.cell.sites))
        out = []
        for vector in vectors:
            on_cells = torch.cat(vector).T[None, :, :, None].expand(PHASES, -1, -1, none.shape[1])
            out.append(NetworkContext((on_cells,), none, none < 0))
        return out

    def _cell_features(self, scaling: Scaling) -> Tensor:
        if not scaling.names:
            return torch.empty(0, len(self.cell.days))
        return self.inputs.cell_features(scaling)

    def pixels(self, days: np.ndarray, names: Sequence[str]) -> PackedPixels:
        """All stations on ``days``: a cell of ``POINT`` pixels a side each, a row of cells a day."""

        def cells(values: np.ndarray) -> np.ndarray:
            return values.repeat(POINT, 0).repeat(POINT, 1)

        shape = (len(days), len(self.cell.sites))
        packed = {n: cells(np.broadcast_to(self.inputs.maps[n], shape) if n in self.inputs.maps
                           else self.inputs.packed[n][days]) for n in stored(names)}  # fmt: skip
        background = np.broadcast_to(self.inputs.background[days][:, None], shape)
        at_pixels = {"day": torch.from_numpy(cells(background))} if "lst_day_background" in names else {}
        return PackedPixels({n: as_tensor(v) for n, v in packed.items()}, at_pixels)

    def estimate(
        self, estimators: Sequence[NetworkEstimator], contexts: Sequence[NetworkContext], days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Each member's mean, and the stated variance inside the cell, at all stations: (M, D, n), m3 m-3."""
        means, variances = np.empty((2, len(estimators), len(days), len(self.cell.sites)))
        centre = (slice(POINT // 2, None, POINT),) * 2
        for first in range(0, len(days), ROWS):
            part = slice(first, first + ROWS)
            pixels = self.pixels(days[part], estimators[0].needs)
            window = (0, POINT * len(days[part]), 0, POINT * means.shape[2])
            for m, (estimator, context) in enumerate(zip(estimators, contexts, strict=True)):
                estimator.shape = window[1], window[3]
                of_part = NetworkContext((context.by_phase[0][:, :, part],), context.scale[part], context.alone[part])
                estimate = estimator.estimate(of_part, pixels, window)
                means[m, part], variances[m, part] = estimate.mean[centre], estimate.local[centre]
        return means, variances

    def adapted(self, station: int) -> Committee:
        """The networks after the last-layer regression on the means of the stations other than ``station``, which are
        also the pixels of the cell."""
        rest = [j for j in range(len(self.cell.sites)) if j != station]
        plain = plain_of(self.inputs, in_blocks(rest), self.cell.coarse[:, station], self.trained)
        days = [day for day, value in zip(self.cell.days, plain.coarse_ssm, strict=True) if np.isfinite(value)]
        middle = np.zeros(plain.domain.coarse_shape, bool)
        middle[plain.cells // 2, plain.cells // 2] = True
        committee = copy.deepcopy(self.trained.network)
        observations: Observations | None = design_rows(
            committee, plain, self.trained.scaling, evenly_chosen(days), middle, lags=self.trained.model.lags
        )  # type: ignore[arg-type] # fmt: skip
        assert observations is not None
        fit_last_layer(committee, observations)
        return committee

    def settings(self, station: int, adapt: bool) -> Iterator[tuple[str, Committee, Calibration]]:
        """The networks that a station is judged with: the prior as it is and, with ``adapt``, those adapted without
        its soil moisture. Each with the calibration of the variance inside cells that ``train.py`` would give it."""
        yield "prior", self.trained.network, self.trained.calibration
        if adapt:
            yield "adapted", self.adapted(station), Calibration(inside=UNSEEN_LAWS)

    def predict(self, adapt: bool = True) -> dict[str, Predictions]:
        """Predictions where they are due, by the name of the setting."""
        shape = (len(self.cell.days), len(self.cell.sites))
        names = ("prior", "adapted") if adapt else ("prior",)
        out = {k: Predictions(*(np.full(shape, np.nan) for _ in range(3))) for k in names}
        for i in range(shape[1]):
            days = np.flatnonzero(self.cell.due[:, i])
            if not len(days):
                continue
            contexts = self.contexts(i, days)
            for name, committee, calibration in self.settings(i, adapt):
                mean, variance = self.estimate(self.estimators(committee, calibration), contexts, days)
                parts = anomalies(mean, variance - calibration.level**2, self.cell.others[days, i], i)
                for field, values in zip((out[name].anomaly, out[name].sigma, out[name].level), parts, strict=True):
                    field[days, i] = values
        return out


def side_by_side(ssm: Tensor, cells: Tensor, side: int, lookahead: int) -> CoarseDay:
    """Up to ``PLAINS``² plains of ``side`` cells a side as one coarse field, the rest of it unobserved: ``ssm``
    (L + 1, D) with its lags and the mean of older days, ``cells`` (F, D) normalised features; nothing
    is known of the ``lookahead`` days after.

    A plain is as wide as the networks reach, so the middle of each sees no other plain.
    """

    def laid_out(values: Tensor, rest: float) -> Tensor:
        full = torch.full((len(values), PLAINS**2), rest)
        full[:, : values.shape[1]] = values
        return full.reshape(-1, PLAINS, PLAINS).repeat_interleave(side, 1).repeat_interleave(side, 2)

    laid = laid_out(ssm, math.nan)
    none = torch.ones(laid.shape[1:])
    sigma = torch.where(torch.isfinite(laid[0]), COARSE_ERROR, torch.nan)
    unknown = torch.full((lookahead, *none.shape), torch.nan)
    return CoarseDay(dt.date.min, laid[:-1], laid[-1], unknown, unknown, sigma, laid_out(cells, 0.0), torch.zeros(2),
                     none, none, {})  # fmt: skip


def anomalies(
    mean: np.ndarray, variance: np.ndarray, others: np.ndarray, station: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Anomaly of a station, its standard error and the level of the cell, (D,) each, m3 m-3.

    ``mean`` and ``variance`` (M, D, n) are the members' at all stations under the station's context, ``others`` (D, n)
    bool whom it is compared with. The squared error is the stated variance inside the cell, of the station and of the
    others' mean, and the variance of the anomaly between members. What the cell shares cancels.
    """
    count = others.sum(1)

    def of_others(values: np.ndarray) -> np.ndarray:
        return np.where(others, values, 0.0).sum(-1) / count

    anomaly = mean[..., station] - of_others(mean)
    inside = variance.mean(0)
    squared = inside[:, station] + of_others(inside) / count + anomaly.var(0)
    return anomaly.mean(0), np.sqrt(squared), of_others(mean.mean(0))
