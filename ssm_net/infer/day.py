"""One day of the cube to its mosaic: bands are read ahead, tiles go through the estimator on all processors, and the
day's own observation enters once the whole domain is known.

Held meanwhile: a few bands as packed in the cube; and, in memory or beyond half a gigabyte on the disk (``scratch``),
twelve bytes a pixel of the tiles with land, and of the domain three for flags and land and eight for the mosaic itself.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from ssm_net.core import scratch
from ssm_net.cube.store import Cube
from ssm_net.estimators.interface import Estimate, Estimator
from ssm_net.formats.product import Attribute, Flag, Mosaic
from ssm_net.grid import Footprint, Window, upsample
from ssm_net.infer import quality_flags
from ssm_net.inputs.bands import Band, bands
from ssm_net.inputs.reading import CoarseDay, padded, read_coarse, read_fine, stored
from ssm_net.inputs.tiling import Tile, tiles
from ssm_net.model.network import SSM_MAX, SSM_MIN
from ssm_net.model.update import exact, increments

T = TypeVar("T")
AHEAD = 4  # tiles a processor that are under way or wait to be taken up


class _Part(NamedTuple):
    """What a tile leaves for the update: mean, shared and local variance of its pixels, (3, y, x)."""

    tile: Tile
    values: Tensor


@dataclass(frozen=True)
class Gathered:
    """A day whose tiles are all through the estimator; ``finish`` makes the mosaic of it.

    ``flags`` (y, x) uint16; ``sums`` over the footprints of mean, shared variance and land, (3, R, C), or None where
    there is no update.
    """

    cube: Cube
    coarse: CoarseDay
    land: Tensor
    how: str
    attrs: dict[str, Attribute]
    parts: list[_Part]
    flags: np.ndarray
    sums: Tensor | None

    def finish(self) -> Mosaic:
        """The update, with what the whole domain says, tile by tile; masked pixels become NaN."""
        domain, ratio, observed = self.cube.domain, self.cube.domain.ratio, self.coarse.ssm[0]
        increment, k = torch.zeros(2, *domain.coarse_shape)
        conserved: Iterator[Tensor] | None = None
        if self.sums is not None:
            mean, shared, weight = self.sums
            increment, k = increments(mean / weight, shared / weight, observed, self.coarse.sigma)
            if self.how == "exact":
                fields = [(p.tile.pixels, p.values[0], self.land[_slices(p.tile.pixels)]) for p in self.parts]
                conserved = exact(fields, observed, ratio, SSM_MIN, SSM_MAX)
        ssm, sigma = (scratch.full(domain.fine_shape, np.nan, np.float32) for _ in range(2))
        for part in self.parts:
            window, (mean, shared, local) = part.tile.pixels, part.values
            here = _slices(window)
            if self.sums is not None:
                mean = mean + upsample(increment, ratio, window) if conserved is None else next(conserved)
                shared = shared * (1 - upsample(k, ratio, window))
            masked = ~self.land[here].numpy() | (self.flags[here] & Flag.FROZEN_OR_SNOW > 0)
            for out, values in (
                (ssm, mean.clamp(SSM_MIN, SSM_MAX)),
                (sigma, torch.sqrt(shared + local).clamp(max=0.5)),
            ):
                out[here] = np.where(masked, np.float32(np.nan), values.float().numpy())
        return Mosaic(self.coarse.day, domain, ssm, sigma, self.flags, self.attrs)


def gather_day(
    estimator: Estimator, cube: Cube, day: dt.date, land: Tensor, *, how: str, side: int,
    attrs: dict[str, Attribute], ground: np.ndarray | None = None, told: Callable[[int, int], None] | None = None,
) -> Gathered:  # fmt: skip
    """The background of a day, tile by tile.

    ``land`` (y, x) bool says which pixels are produced; ``how`` is the update (gain, exact, none); ``side`` the tile's
    in coarse cells. ``ground`` (y, x) uint16 are flags that no day changes: water, towns. Outside the tiles with land
    nothing of the day is read. ``told`` is called with the tiles that are done and their number.
    """
    coarse = read_coarse(cube, day, estimator.lags, estimator.scaling)
    flags = quality_flags.on_pixels(quality_flags.coarse_flags(cube, day), land.numpy(), cube.domain.ratio)
    if ground is not None:
        flags |= ground
    updates, h = estimator.updates and how != "none", cube.footprint()

    wanted = tiles_with_land(cube, land, side)
    sizes = [math.prod(part.stop - part.start for part in _slices(tile.pixels)) for tile in wanted]
    room = np.split(scratch.empty((3 * sum(sizes),), np.float32), 3 * np.cumsum(sizes)[:-1])

    def leave(band: Band, tile: Tile, found: Estimate) -> tuple[Tile, Estimate, Tensor]:
        here = _slices(tile.pixels)
        flags[here] |= quality_flags.flags(band, day, land[here].numpy(), found.far.numpy(), tile.pixels)
        sums = _footprint_sums(h, found, land[here], tile.pixels) if updates else torch.empty(0)
        return tile, found, sums

    parts: list[_Part] = []
    total = torch.zeros(3, *cube.domain.coarse_shape) if updates else None
    for tile, found, sums in _estimates(estimator, cube, coarse, wanted, quality_flags.needed(cube),
                                 quality_flags.needed_of_cells(cube), leave):  # fmt: skip
        if total is not None:
            total += sums
        values = torch.from_numpy(room[len(parts)]).reshape(3, *found.mean.shape)
        parts.append(_Part(tile, torch.stack(found[:3], out=values)))
        if told is not None:
            told(len(parts), len(wanted))
    return Gathered(cube, coarse, land, how, attrs, parts, flags, total)


def background(estimator: Estimator, cube: Cube, coarse: CoarseDay, land: Tensor, side: int) -> Estimate:
    """The estimate before the update on the whole domain; tiles without land are skipped (NaN)."""
    shape = cube.domain.fine_shape
    mean, shared, local = (torch.full(shape, torch.nan) for _ in range(3))
    whole = Estimate(mean, shared, local, torch.zeros(shape, dtype=torch.bool))
    wanted = tiles_with_land(cube, land, side)
    for tile, found in _estimates(estimator, cube, coarse, wanted, (), (), lambda _, tile, found: (tile, found)):
        for field, part in zip(whole, found, strict=True):
            field[_slices(tile.pixels)] = part
    return whole


def tiles_with_land(cube: Cube, land: Tensor, side: int) -> list[Tile]:
    ratio = cube.domain.ratio

    def wanted(cells: Window) -> bool:
        r0, r1, c0, c1 = (n * ratio for n in cells)
        return bool(land[r0:r1, c0:c1].any())

    return tiles(cube.domain.coarse_shape, ratio, side, wanted)


def _estimates(
    estimator: Estimator, cube: Cube, coarse: CoarseDay, wanted: Sequence[Tile], also: Sequence[str],
    of_cells: Sequence[str], finish: Callable[[Band, Tile, Estimate], T],
) -> Iterator[T]:  # fmt: skip
    """``finish`` of each tile in their order, with bands that hold what the estimator needs, and the variables ``also``
    and ``of_cells``.

    The next band is read while tiles of this one are computed, each on one thread: many small operations in parallel
    are several times faster that way than one after the other on all processors, above all where other work runs too.
    """
    names = sorted({*stored(estimator.needs), *also})
    source = bands(cube, coarse.day, wanted, names, estimator.halo, of_cells)

    def job(band: Band, tile: Tile) -> T:
        inside, _ = padded(tile.pixels, estimator.halo, cube.domain.fine_shape)
        fine = read_fine(band, coarse.day, inside, estimator.needs, coarse.background)
        return finish(band, tile, estimator.estimate(context.result(), fine, tile.pixels))

    threads = torch.get_num_threads()
    waiting: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    context = pool.submit(estimator.context, coarse)
    try:
        for band in ahead(source):
            for tile in band.tiles:
                waiting.append(pool.submit(job, band, tile))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items, the next one being made in a thread while the caller works on this one; its error is raised in
    its place."""
    left: Iterator[Any] = iter(items)
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, left, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, left, None)
            yield item


def _footprint_sums(h: Footprint, found: Estimate, land: Tensor, window: Window) -> Tensor:
    weight = land.to(found.mean)
    fields = (torch.nan_to_num(found.mean) * weight, torch.nan_to_num(found.shared) * weight, weight)
    return torch.stack([h.part(field, window) for field in fields])


def _slices(window: Window) -> tuple[slice, slice]:
    y0, y1, x0, x1 = window
    return slice(y0, y1), slice(x0, x1)
