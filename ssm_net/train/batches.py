"""Samples and batches of training as typed values whose shapes are checked where they are made.

A value serves one sample and, with a leading dimension B in every field, a batch of them (``collate``). All know
``to(device)``, which is all that Lightning asks of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor
from torch.utils.data import default_collate

T = TypeVar("T")


@dataclass(frozen=True)
class TensorValue:
    """A value of tensors, of mappings of tensors and of other such values.

    ``SHAPES`` names the last dimensions of each field: a name stands for one size, and all fields share the dimensions
    before. Raises ``ValueError``, naming field and shape, where they do not fit.
    """

    SHAPES: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        size: dict[str, int] = {}
        leading: torch.Size | None = None
        for name, dimensions in self.SHAPES.items():
            last = dimensions.split()
            for tensor in _tensors(getattr(self, name)):
                first = tensor.shape[: tensor.ndim - len(last)]
                leading = first if leading is None else leading
                fits = tensor.ndim >= len(last) and first == leading
                for key, n in zip(last, tensor.shape[len(first) :], strict=False):
                    fits = fits and size.setdefault(key, n) == n
                if not fits:
                    wanted = f"(.., {dimensions.replace(' ', ', ')}) with {size} after {list(leading)}"
                    raise ValueError(f"{type(self).__name__}.{name} is {list(tensor.shape)}, not {wanted}")

    def to(self, device: torch.device | str, **kwargs: Any) -> Self:
        """The same value with its tensors on ``device``."""
        return self.mapped(lambda tensor: tensor.to(device, **kwargs))

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same value with ``change`` done to each of its tensors."""
        return type(self)(**{f.name: _mapped(getattr(self, f.name), change) for f in fields(self)})


@dataclass(frozen=True)
class CoarseWindow(TensorValue):
    """What the coarse branch is given, and how its output reaches the pixels of a window.

    ``ssm`` observations of the day, of those before it (lag 0 first), the mean of older ones, and those of the days
    after it, if any, m3 m-3, NaN where hidden or none; ``cells`` cell means of the normalised features and, last, of
    the rain of the days after it; ``phase`` 0..3 of each cell; ``up_y`` and ``up_x`` bilinear weights of the rows and
    columns of pixels.
    """

    SHAPES: ClassVar = {
        "ssm": "lag row col",
        "cells": "channel row col",
        "phase": "row col",
        "up_y": "y row",
        "up_x": "x col",
    }
    ssm: Tensor
    cells: Tensor
    phase: Tensor
    up_y: Tensor
    up_x: Tensor


@dataclass(frozen=True)
class CellTargets(TensorValue):
    """The observed cells of a patch: ``value`` and its standard error ``sigma`` (m3 m-3), ``phase`` 0..3, ``place`` the
    cell's number in the domain, ``score``: whether the cell is a label (bool)."""

    SHAPES: ClassVar = dict.fromkeys(("value", "sigma", "phase", "place", "score"), "row col")
    value: Tensor
    sigma: Tensor
    phase: Tensor
    place: Tensor
    score: Tensor


@dataclass(frozen=True)
class StoredPixels(TensorValue):
    """Pixels of a patch and its halo as the cube stores them: ``variables`` by name (packed integers, static maps as
    floats), ``inside``: whether a pixel lies in the domain (bool), ``background`` LST by overpass, K, on the cells of
    the patch's ``CoarseWindow``."""

    SHAPES: ClassVar = {"variables": "y x", "inside": "y x"}
    variables: Mapping[str, Tensor]
    inside: Tensor
    background: Mapping[str, Tensor]


@dataclass(frozen=True)
class PatchSample(TensorValue):
    """A patch of a day before its channels are made; ``coarse`` reaches the pixels of the halo, ``land`` (y, x) bool
    is without it."""

    SHAPES: ClassVar = {"land": "y x"}
    pixels: StoredPixels
    coarse: CoarseWindow
    land: Tensor
    target: CellTargets


@dataclass(frozen=True)
class PatchBatch(TensorValue):
    """Patches with their channels: ``x`` normalised features with their halo; ``land`` bool; ``gate``: where heat
    indicates dry soil (bool)."""

    SHAPES: ClassVar = {"land": "y x", "gate": "y x"}
    x: Tensor
    gate: Tensor
    land: Tensor
    coarse: CoarseWindow
    target: CellTargets

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.x.ndim == 4 and len(self.x) == len(self.land), (self.x.shape, self.land.shape)


def collate(samples: Sequence[T]) -> T:
    """Samples of one kind as a batch: each tensor with a leading dimension, those of mappings name by name."""
    first = samples[0]
    if is_dataclass(first):
        kind: Any = type(first)
        batch: T = kind(**{f.name: collate([getattr(s, f.name) for s in samples]) for f in fields(first)})
        return batch
    if isinstance(first, Mapping):
        return {k: collate([s[k] for s in samples]) for k in first}  # type: ignore[index,return-value]
    batch_of_tensors: T = default_collate(list(samples))  # in a loader's process it fills shared memory
    return batch_of_tensors


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Mapping):
        yield from value.values()
    else:
        yield value


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, TensorValue):
        return value.mapped(change)
    if isinstance(value, Mapping):
        return {k: change(v) for k, v in value.items()}
    return change(value)
