"""Features to order one: the mean and the standard deviation of each, by name."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ssm_net.inputs import features


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each feature, by name, and the days they were computed from.

    Those ``absent`` are given to a network at their mean, whether a cube has them or not: it was trained so.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    first: str
    last: str
    absent: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Scaling:
        """From what ``dataclasses.asdict`` gave, read back."""
        names, mean, std = (tuple(stored[k]) for k in ("names", "mean", "std"))
        return cls(names, mean, std, stored["first"], stored["last"], tuple(stored.get("absent", ())))

    @property
    def present(self) -> list[str]:
        return [n for n in self.names if n not in self.absent]

    def __call__(self, x: Tensor) -> Tensor:
        """Features (..., F, y, x) in physical units to order one, what is missing at 0."""
        return features.normalise(x, *_moments(self, x.device, x.dtype))


@functools.lru_cache(16)
@torch.inference_mode(False)
def _moments(scaling: Scaling, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature, (F,); kept, since a copy to a GPU has to be waited for."""
    absent = [torch.inf if n in scaling.absent else s for n, s in zip(scaling.names, scaling.std, strict=True)]
    return torch.tensor(scaling.mean).to(device, dtype), torch.tensor(absent).to(device, dtype)


NO_FEATURES = Scaling((), (), (), "", "")  # for who asks for the observations only
