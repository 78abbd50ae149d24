"""Training samples from simulated worlds: thinned pixels of a day with their 1 km truth, and random corruptions.

Observations are hidden, features removed one by one and in groups, and static maps exchanged for those of another
world, so that the networks learn to do without each of them and to trust no map that the record does not support. Half
of the samples know the days ahead, the others do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ssm_net.grid import expand, interpolation_matrix
from ssm_net.inputs.phases import phase_of_cells
from ssm_net.inputs.reading import OLDER_DAYS, older_mean
from ssm_net.inputs.scaling import Scaling
from ssm_net.model.regional_slopes import Contrasts, SlopeEvidence
from ssm_net.pretrain.samples import AHEAD, LOOKAHEADS, NEIGHBOURHOOD, THINNING, World
from ssm_net.train.batches import CoarseWindow, TensorValue
from ssm_net.train.data_module import EpochDataset
from ssm_net.train.leave_own_out import MOST_HIDDEN

PART = 4  # cells a side of the part of a world whose pixels make one sample; the context is that of the whole world
OBSERVATION_DROPOUT = 0.1  # of the samples have no observation of the day at all: practice for orbit gaps
OUTAGE, NO_HISTORY = 0.1, 0.1  # of the samples have none for some days either, or none before the lags
FEATURE_DROPOUT, MOST_DROPPED = 0.5, 0.4  # of the samples lack features, each with a probability up to this one
PRODUCT_DROPOUT = 0.3  # of the samples lack one product, or what is made of it
PRODUCTS = (("rain", "api"), ("ndvi", "ndwi", "swir", "reflectance"), ("ndwi", "swir"), ("sand", "clay"), ("relief",),
            ("water_fraction",), ("lst_night",), ("lst_day",), ("lst_day_slow",),
            ("lst_day_today", "lst_night_today"))  # fmt: skip
SLOPES_UNKNOWN = 0.15  # of the samples know no regional slopes: a record of a day, or one cell
MAPS = (("sand", "clay"), ("relief",), ("water_fraction",))  # which are right or wrong together
EXCHANGED = 0.3  # probability that a map is another world's, in all versions of a world but the first
KNOWS_AHEAD = 0.5  # of the samples know days ahead
VERSIONS = 4  # of the maps of a world
RECORDS = 3  # parts of a world's record that slopes are learned from: all of it, and some of its cells and days


@dataclass(frozen=True)
class TruthBatch(TensorValue):
    """Thinned pixels of a day, one sample or a batch: channels ``x`` (.., F, y K, x K) of K x K pixels around each,
    ``truth`` (m3 m-3) where ``known`` (bool), and the phase 0..3 of each pixel's cell; ``slopes`` (.., F) the regional
    slopes that the record of the world says, m3 m-3."""

    SHAPES: ClassVar = {"truth": "y x", "known": "y x", "pixel_phase": "y x", "slopes": "feature"}
    x: Tensor
    truth: Tensor
    known: Tensor
    pixel_phase: Tensor
    slopes: Tensor
    coarse: CoarseWindow

    @property
    def lookahead(self) -> int:
        """The number of days ahead that the coarse branch has channels for."""
        return self.coarse.cells.shape[-3] - self.slopes.shape[-1]

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.x.shape[-2:] == tuple(NEIGHBOURHOOD * n for n in self.truth.shape[-2:]), (
            self.x.shape,
            self.truth.shape,
        )


@dataclass(frozen=True)
class _Day:
    """A world's day before a part of it is cut out: pixels ``x`` and ``truth``, cells ``cells``, ``ssm`` and ``label``
    (bool), the weights ``up_y`` and ``up_x`` from cells to pixels, and the regional ``slopes`` (F,)."""

    x: Tensor
    truth: Tensor
    cells: Tensor
    ssm: Tensor
    label: Tensor
    up_y: Tensor
    up_x: Tensor
    slopes: Tensor

    def turned(self, turn: int) -> _Day:
        """Mirrored and transposed by the bits of ``turn``, 0..7."""
        fields, up_y, up_x = [self.x, self.truth, self.cells, self.ssm, self.label], self.up_y, self.up_x
        if turn & 1:
            fields, up_x = [f.flip(-1) for f in fields], up_x.flip(0, 1)
        if turn & 2:
            fields, up_y = [f.flip(-2) for f in fields], up_y.flip(0, 1)
        if turn & 4 and self.ssm.shape[-2] == self.ssm.shape[-1]:
            fields, up_y, up_x = [f.transpose(-1, -2) for f in fields], up_x, up_y
        x, truth, cells, ssm, label = fields
        return _Day(x, truth, cells, ssm, label, up_y, up_x, self.slopes)

    def part(self, row: int, col: int, height: int, width: int) -> TruthBatch:
        """The pixels of ``height`` x ``width`` cells from ``row``, ``col`` on, with the whole world's context."""
        per = len(self.up_y) // self.ssm.shape[1]  # pixels kept of a cell, each way
        ys, xs = slice(row * per, (row + height) * per), slice(col * per, (col + width) * per)
        phase = phase_of_cells(*self.ssm.shape[1:])
        cells = (slice(row, row + height), slice(col, col + width))
        truth = self.truth[ys, xs]
        x = self.x[
            :, ys.start * NEIGHBOURHOOD : ys.stop * NEIGHBOURHOOD, xs.start * NEIGHBOURHOOD : xs.stop * NEIGHBOURHOOD
        ]
        return TruthBatch(
            x=x.nan_to_num(),
            truth=torch.nan_to_num(truth),
            known=torch.isfinite(truth) & expand(self.label[cells], per),
            pixel_phase=expand(phase[cells], per),
            slopes=self.slopes,
            coarse=CoarseWindow(
                self.ssm.contiguous(), self.cells.contiguous(), phase,
                self.up_y[ys].contiguous(), self.up_x[xs].contiguous(),
            ),
        )  # fmt: skip


@dataclass(frozen=True)
class _Version:
    """A world as it is, or with some static maps of other worlds: ``exchanged`` maps features to these worlds;
    ``cells`` (T, F, R, C) are the normalised features of its cells, ``records`` what parts of its record say of the
    slopes."""

    exchanged: dict[int, World]
    cells: Tensor
    records: tuple[SlopeEvidence, ...]

    @classmethod
    def of(cls, world: World, scaling: Scaling, exchanged: dict[int, World], rng: np.random.Generator) -> _Version:
        cells = world.cells.clone()
        for feature, other in exchanged.items():
            cells[:, feature] = other.cells[0, feature]
        cells = scaling(cells)
        contrasts = Contrasts.of(world.ssm[world.at], cells)
        records = [SlopeEvidence.of(contrasts)]
        days, number = len(world.at), world.ssm[0].numel()
        for _ in range(RECORDS - 1):
            some_cells = torch.from_numpy(rng.random(number) < rng.uniform(0.4, 1))
            some_days = torch.from_numpy(rng.random(days) < rng.uniform(0.25, 1))
            records.append(SlopeEvidence.of(contrasts, some_cells[contrasts.cell] & some_days[contrasts.day]))
        return cls(exchanged, cells, tuple(records))


class TruthSamples(EpochDataset):
    """Days of worlds of one size; a pixel is a label where ``labels`` of its world, (T, R, C) bool, are true.

    With ``seed=None`` nothing is drawn: item i is the i-th day, the whole world, every observation visible but the own,
    and those of the ``looks`` days ahead.
    """

    def __init__(
        self,
        worlds: Sequence[World],
        scaling: Scaling,
        *,
        ratio: int,
        lags: int,
        lookahead: int = 0,
        looks: int = 0,
        labels: Sequence[Tensor] | None = None,
        seed: int | None,
    ) -> None:
        self.worlds, self.scaling, self.ratio, self.lags, self.seed = worlds, scaling, ratio, lags, seed
        self.lookahead, self.looks = lookahead, looks
        self.labels = labels or [torch.ones(w.cells[:, 0].shape, dtype=torch.bool) for w in worlds]
        self.days = [(i, t) for i, w in enumerate(worlds) for t in range(len(w.at)) if self._has_label(i, t)]
        rng = np.random.default_rng(np.random.SeedSequence([0 if seed is None else seed, 3]))
        versions = 1 if seed is None or len(worlds) == 1 else VERSIONS
        self.versions = [
            [_Version.of(w, scaling, self._exchanged(rng) if v else {}, rng) for v in range(versions)] for w in worlds
        ]

    def _has_label(self, which: int, t: int) -> bool:
        return bool(self.labels[which][t].any()) and bool(torch.isfinite(self.worlds[which].truth[t]).any())

    def _exchanged(self, rng: np.random.Generator) -> dict[int, World]:
        """The features that are taken from another world, and from which."""
        out: dict[int, World] = {}
        for maps in MAPS:
            other = self.worlds[int(rng.integers(len(self.worlds)))]
            if rng.random() < EXCHANGED:
                out |= {i: other for i, name in enumerate(self.scaling.names) if name in maps}
        return out

    def __len__(self) -> int:
        return len(self.days)

    def __getitem__(self, key: int) -> TruthBatch:
        if self.seed is None:
            day = self._day(*self.days[key], None)
            return day.part(0, 0, *day.ssm.shape[1:])
        epoch, index = divmod(key, len(self))
        order = np.random.default_rng(np.random.SeedSequence([self.seed, epoch])).permutation(len(self))
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, epoch, index]))
        day = self._day(*self.days[int(order[index])], rng)
        rows, cols = day.ssm.shape[1:]
        height, width = min(PART, rows), min(PART, cols)
        row, col = int(rng.integers(rows - height + 1)), int(rng.integers(cols - width + 1))
        # Weather comes from one side, but nothing that is learned may depend on which.
        return day.turned(int(rng.integers(8))).part(row, col, height, width)

    def _day(self, which: int, t: int, rng: np.random.Generator | None) -> _Day:
        """A day of a world; with ``rng`` with observations hidden, features removed and maps exchanged."""
        world, versions = self.worlds[which], self.versions[which]
        version = versions[0 if rng is None else int(rng.integers(len(versions)))]
        rows, cols = world.ssm.shape[1:]
        per, at = self.ratio // THINNING, int(world.at[t])
        ahead = self.looks if rng is None else self._days_ahead(world, rng)
        ssm = torch.full((self.lags + 1 + self.lookahead, rows, cols), torch.nan)
        past = world.ssm[: at + 1].flip(0)[: self.lags + OLDER_DAYS]
        ssm[: min(len(past), self.lags)] = past[: self.lags]
        ssm[self.lags] = older_mean(past[self.lags :])
        later = world.ssm[at + 1 :][: min(ahead, self.lookahead)]
        ssm[self.lags + 1 : self.lags + 1 + len(later)] = later
        up_y, up_x = (
            interpolation_matrix(range(size * self.ratio), size, self.ratio)[int(first) :: THINNING][: size * per]
            for size, first in zip((rows, cols), world.offset[t], strict=True)
        )
        x, cells = self._features(world, version, t, ahead)
        evidence = version.records[0]
        if rng is not None:
            evidence = version.records[int(rng.integers(len(version.records)))]
            self._hide_observations(ssm, rng)
            removed = self._removed(rng)
            x[removed], cells[removed] = torch.nan, torch.nan
            if "rain" in [self.scaling.names[i] for i in removed]:
                cells[len(self.scaling.names) :] = torch.nan
        present = torch.isfinite(cells[: len(self.scaling.names)]).flatten(1).any(1)
        slopes = evidence.slopes(present)
        if rng is not None and rng.random() < SLOPES_UNKNOWN:
            slopes = torch.zeros_like(slopes)
        return _Day(x, world.truth[t].float(), cells, ssm, self.labels[which][t], up_y, up_x, slopes)

    def _days_ahead(self, world: World, rng: np.random.Generator) -> int:
        """How many days a sample of a world looks ahead."""
        possible = [n for n in LOOKAHEADS[: world.ahead_x.shape[1]] if n <= self.lookahead]
        return int(rng.choice(possible)) if possible and rng.random() < KNOWS_AHEAD else 0

    def _features(self, world: World, version: _Version, t: int, ahead: int) -> tuple[Tensor, Tensor]:
        """Normalised features of pixels (F, n K, m K) and cells (F + A, R, C), the last the rain of the days ahead."""
        x, cells, names = world.x[t].float(), version.cells[t].clone(), self.scaling.names
        if ahead:
            looking, which = LOOKAHEADS.index(ahead), [i for i, name in enumerate(AHEAD) if name in names]
            memories, of_cells = [names.index(AHEAD[i]) for i in which], world.cells[t].clone()
            x[memories] = world.ahead_x[t, looking, which].float()
            of_cells[memories] = world.ahead_cells[t, looking, which]
            cells[memories] = self.scaling(of_cells)[memories]
        for feature, other in version.exchanged.items():
            x[feature] = other.x[t % len(other.x), feature].float()
        rain = torch.full((self.lookahead, *cells.shape[1:]), torch.nan)
        later = world.rain[int(world.at[t]) + 1 :][: min(ahead, self.lookahead)]
        if "rain" in names:
            rain[: len(later)] = self.scaling.of("rain", torch.log1p(later))
        return self.scaling(x), torch.cat([cells, rain])

    def _hide_observations(self, ssm: Tensor, rng: np.random.Generator) -> None:
        """Hide observations of the day at random, of the whole day, and of some days, in place."""
        hide = torch.from_numpy(rng.random(tuple(ssm.shape[1:])) < rng.uniform(0, MOST_HIDDEN))
        ssm[0] = torch.where(hide | (rng.random() < OBSERVATION_DROPOUT), torch.nan, ssm[0])
        if rng.random() < OUTAGE:
            ssm[: int(rng.integers(2, self.lags + 1))] = torch.nan
            ssm[self.lags + 1 : self.lags + 1 + int(rng.integers(self.lookahead + 1))] = torch.nan
        if rng.random() < NO_HISTORY:
            ssm[self.lags] = torch.nan

    def _removed(self, rng: np.random.Generator) -> list[int]:
        """Positions of the features that a sample lacks."""
        names, removed = self.scaling.names, set()
        if rng.random() < FEATURE_DROPOUT:
            removed |= {i for i, one in enumerate(rng.random(len(names)) < rng.uniform(0, MOST_DROPPED)) if one}
        if rng.random() < PRODUCT_DROPOUT:
            product = PRODUCTS[int(rng.integers(len(PRODUCTS)))]
            removed |= {i for i, name in enumerate(names) if name.startswith(product)}
        return sorted(removed)
