"""One day of the cube to its mosaic: bands are read ahead, tiles go through the estimator on all processors, and the
day's own observation enters once the whole domain is known.

Held meanwhile: a few bands as packed in the cube; and, in memory or beyond half a gigabyte on the disk (``scratch``),
twelve bytes a pixel of the tiles with land, and of the domain three for flags and land and eight for the mosaic itself.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from ssm_net.core import scratch
from ssm_net.core.ahead import prefetched, results_in_order
from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.store import Cube
from ssm_net.errors import SsmNetError
from ssm_net.estimators.interface import Estimate, Estimator
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.formats.product import Attribute, Flag, Mosaic
from ssm_net.grid import Window, upsample
from ssm_net.infer import quality_flags
from ssm_net.infer.error_parts import ErrorParts
from ssm_net.infer.streams import device_stream, tile_pixels, to_host
from ssm_net.inputs.bands import Band, bands
from ssm_net.inputs.reading import CoarseDay, padded, read_coarse, read_stored, stored
from ssm_net.inputs.tiling import Tile, joined, tiles, window_of
from ssm_net.model.network import SSM_MAX, SSM_MIN
from ssm_net.model.update import exact, increments

log = logging.getLogger(__name__)
T = TypeVar("T")
GPU_THREADS = 2  # of a day whose tiles are computed on a GPU; other days have theirs
AHEAD = 4  # tiles a processor that are under way or wait to be taken up
LARGEST_SIGMA = 0.5  # m3 m-3, what a stated standard error is bounded to


class EmptyMapError(SsmNetError):
    """A map would hold no value where it should; the message says what to look for."""


class TileBackground(NamedTuple):
    """The background of a tile: mean, shared and local variance of its pixels, (3, y, x)."""

    tile: Tile
    values: Tensor


class DayVariables(NamedTuple):
    """Names of variables of a day that are read with its pixels: ``fine`` (or static), and ``coarse``."""

    fine: Sequence[str] = ()
    coarse: Sequence[str] = ()


@dataclass(frozen=True)
class DayBackground:
    """A day before the update, its tiles all through the estimator; ``mosaic`` is the map.

    ``land`` (y, x) bool is the production mask, ``update`` gain, exact or none, ``flags`` (y, x) uint16. ``sums`` are
    those of the observation operator of mean and shared variance, (3, R, C), or None where there is no update. ``own``
    are attributes of this day's map alone. ``region_sigma`` is the error that all pixels of the domain share, a part of
    what the tiles state as local, m3 m-3. ``unobserved``: a baseline had no observation at all to begin with.
    """

    cube: Cube
    coarse: CoarseDay
    land: Tensor
    update: str
    tiles: list[TileBackground]
    flags: np.ndarray
    sums: Tensor | None
    own: dict[str, Attribute] = field(default_factory=dict)
    region_sigma: float = 0.0
    unobserved: bool = False

    def mosaic(self, attrs: dict[str, Attribute]) -> Mosaic:
        """The update, with what the whole domain says, tile by tile; masked pixels become NaN. Raises ``EmptyMapError``
        where no other pixel has a value, unless a baseline had no observation to begin with."""
        domain, ratio, observed = self.cube.domain, self.cube.domain.ratio, self.coarse.ssm[0]
        increment, k = torch.zeros(2, *domain.coarse_shape)
        conserved: Iterator[Tensor] | None = None
        if self.sums is not None:
            mean, shared = ObservationOperator.mean_of_sums(self.sums)
            increment, k = increments(mean, shared, observed, self.coarse.sigma)
            if self.update == "exact":
                fields = [(t.tile.pixels, t.values[0], self.land[_slices(t.tile.pixels)]) for t in self.tiles]
                conserved = exact(fields, observed, ratio, SSM_MIN, SSM_MAX)
        ssm, sigma = (scratch.full(domain.fine_shape, np.nan, np.float32) for _ in range(2))
        wanted = valued = 0  # pixels that are not masked, and those of them with a value
        parts = ErrorParts(self.region_sigma)
        for tile, (mean, shared, local) in self.tiles:
            window = tile.pixels
            at = _slices(window)
            if self.sums is not None:
                mean = mean + upsample(increment, ratio, window) if conserved is None else next(conserved)
                shared = shared * (1 - upsample(k, ratio, window))
            masked = ~self.land[at].numpy() | (self.flags[at] & Flag.FROZEN_OR_SNOW > 0)
            for out, values in (
                (ssm, mean.clamp(SSM_MIN, SSM_MAX)),
                (sigma, torch.sqrt(shared + local).clamp(max=LARGEST_SIGMA)),
            ):
                out[at] = np.where(masked, np.float32(np.nan), values.float().numpy())
            parts.add(shared, local, ~masked, self.flags[at])
            wanted += int(masked.size - masked.sum())
            valued += int(np.isfinite(ssm[at]).sum())
        if wanted and not valued and self.unobserved:
            log.warning("%s: the map has no value: there was no coarse observation on this day, or on the %d before it "
                        "that the baseline looks back to", self.coarse.day, len(self.coarse.ssm) - 1)  # fmt: skip
        elif wanted and not valued:
            raise EmptyMapError(
                f"{self.coarse.day}: none of the {wanted:,} pixels of {self.cube.path} that are to be mapped has a "
                "value, so no map is written: the estimate is NaN everywhere. Train the model again with restart=true"
            )
        return Mosaic(self.coarse.day, domain, ssm, sigma, self.flags, attrs | self.own | parts.attributes())


def predict_background(
    estimator: Estimator, cube: Cube, day: dt.date, h: ObservationOperator, static_flags: np.ndarray, *,
    update: str, tile: int, progress: Callable[[int, int], None] | None = None,
) -> DayBackground:  # fmt: skip
    """The background of a day, tile by tile of ``tile`` coarse cells a side.

    ``h`` holds the production mask: where a tile has no land, nothing of the day is read. ``static_flags`` (y, x)
    uint16 are those that no day changes; ``update`` is gain, exact or none. ``progress`` is called with the number of
    tiles that are done and that of all.
    """
    coarse, land = read_coarse(cube, day, estimator.lags, estimator.scaling, estimator.lookahead), h.land
    flags = quality_flags.expand_flags(quality_flags.coarse_flags(cube, day), land.numpy(), cube.domain.ratio)
    flags |= static_flags
    updates = estimator.updates and update != "none"

    wanted = tiles_with_land(cube, land, tile)
    sizes = [math.prod(part.stop - part.start for part in _slices(t.pixels)) for t in wanted]
    room = np.split(scratch.empty((3 * sum(sizes),), np.float32), 3 * np.cumsum(sizes)[:-1])

    def finish(band: Band, tile: Tile, estimate: Estimate) -> tuple[Tile, Estimate]:
        at = _slices(tile.pixels)
        flags[at] |= quality_flags.pixel_flags(band, day, land[at].numpy(), estimate.far.numpy(), tile.pixels)
        return tile, estimate

    done: list[TileBackground] = []
    total = torch.zeros(3, *cube.domain.coarse_shape) if updates else None
    names = DayVariables(quality_flags.flag_variables(cube), quality_flags.flag_cell_variables(cube))
    for together, sums in _estimates(estimator, cube, coarse, wanted, names, h if updates else None, finish):
        if total is not None:
            total += sums
        for each, estimate in together:
            values = torch.from_numpy(room[len(done)]).reshape(3, *estimate.mean.shape)
            done.append(TileBackground(each, torch.stack(estimate[:3], out=values)))
            if progress is not None:
                progress(len(done), len(wanted))
    learned = isinstance(estimator, NetworkEstimator)  # and has a value without observations, too
    unobserved = not learned and not bool(torch.isfinite(coarse.ssm).any())
    return DayBackground(cube, coarse, land, update, done, flags, total, unobserved=unobserved)


def background(estimator: Estimator, cube: Cube, coarse: CoarseDay, land: Tensor, side: int) -> Estimate:
    """The estimate before the update on the whole domain; tiles without land are skipped (NaN)."""
    shape = cube.domain.fine_shape
    mean, shared, local = (torch.full(shape, torch.nan) for _ in range(3))
    out = Estimate(mean, shared, local, torch.zeros(shape, dtype=torch.bool))
    wanted = tiles_with_land(cube, land, side)
    for together, _ in _estimates(estimator, cube, coarse, wanted, DayVariables(), None, lambda _, *result: result):
        for tile, estimate in together:
            for whole, part in zip(out, estimate, strict=True):
                whole[_slices(tile.pixels)] = part
    return out


def tiles_with_land(cube: Cube, land: Tensor, side: int) -> list[Tile]:
    """Tiles of ``side`` coarse cells that hold a pixel of the production mask."""
    ratio = cube.domain.ratio

    def wanted(cells: Window) -> bool:
        r0, r1, c0, c1 = (n * ratio for n in cells)
        return bool(land[r0:r1, c0:c1].any())

    return tiles(cube.domain.coarse_shape, ratio, side, wanted)


def _estimates(
    estimator: Estimator, cube: Cube, coarse: CoarseDay, wanted: Sequence[Tile], names: DayVariables,
    h: ObservationOperator | None, finish: Callable[[Band, Tile, Estimate], T],
) -> Iterator[tuple[list[T], Tensor]]:  # fmt: skip
    """``finish`` of each tile in their order, for each that is computed at once, and the sums of ``h`` of its mean and
    shared variance, (3, R, C), where ``h`` is given. Bands hold ``names`` and what the estimator needs.

    The next band is read while tiles of this one are computed, each on one thread: many small operations in parallel
    are several times faster that way than one after the other on all processors, above all where other work runs too.
    On a GPU a few threads copy and launch, each tile on a stream of its own, and tiles beside each other are one.
    """
    device = estimator.device if isinstance(estimator, NetworkEstimator) else torch.device("cpu")
    stored_names = sorted({*stored(estimator.needs), *names.fine})
    source = bands(cube, coarse.day, wanted, stored_names, estimator.halo, names.coarse)
    fields = {k: field.to(device) for k, field in coarse.background.items()}
    operator = h.to(device) if h is not None else None
    threads = torch.get_num_threads() if device.type == "cpu" else GPU_THREADS

    def context() -> Any:
        with device_stream(device):
            return estimator.context(coarse)

    def job(band: Band, together: tuple[Tile, ...]) -> tuple[list[T], Tensor]:
        window = window_of(together)
        inside, _ = padded(window, estimator.halo, cube.domain.fine_shape)
        day_context = ready.result()
        with device_stream(device):
            pixels = read_stored(band, coarse.day, inside, estimator.needs, fields)
            estimate = estimator.estimate(day_context, pixels, window)
            sums = torch.empty(0) if operator is None else operator.sums(torch.stack(estimate[:2]), window)
            *parts, sums = to_host([*estimate, sums])
        estimate = Estimate(*parts)
        return [finish(band, tile, _cut(estimate, window, tile)) for tile in together], sums

    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    ready = pool.submit(context)
    try:
        jobs = (functools.partial(job, band, together) for band in prefetched(source)
                for together in joined(band.tiles, tile_pixels(device)))  # fmt: skip
        yield from results_in_order(pool, jobs, AHEAD * threads)
    finally:
        pool.shutdown(cancel_futures=True)


def _cut(estimate: Estimate, window: Window, tile: Tile) -> Estimate:
    """The part of a tile of the estimate of ``window``."""
    (y0, _, x0, _), (top, bottom, left, right) = window, tile.pixels
    return Estimate(*(field[top - y0 : bottom - y0, left - x0 : right - x0] for field in estimate))


def _slices(window: Window) -> tuple[slice, slice]:
    y0, y1, x0, x1 = window
    return slice(y0, y1), slice(x0, x1)
