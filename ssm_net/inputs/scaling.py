"""Features to order one: the mean, the standard deviation and the range of each, by name.

A value far outside the range that was learned on is no information that a network can use: it is dropped, as if it were
missing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ssm_net.inputs import features

MARGIN = 1.0  # standard deviations beyond the range of what was learned on, up to which a feature is used


@dataclass(frozen=True)
class Scaling:
    """Mean, standard deviation and range (``low``, ``high``) of each feature, by name, and the days they were computed
    from.

    Those ``absent`` are missing to a network, whether a cube has them or not: it was trained so.
    """

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    first: str
    last: str
    absent: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Scaling:
        """From what ``dataclasses.asdict`` gave, read back."""
        names, mean, std, low, high = (tuple(stored[k]) for k in ("names", "mean", "std", "low", "high"))
        return cls(names, mean, std, low, high, stored["first"], stored["last"], tuple(stored.get("absent", ())))

    @property
    def present(self) -> list[str]:
        return [n for n in self.names if n not in self.absent]

    def __call__(self, x: Tensor) -> Tensor:
        """Features (..., F, y, x) in physical units to order one, NaN where missing, absent, or more than ``MARGIN``
        standard deviations outside the range."""
        return features.normalise(x, *_moments(self, x.device, x.dtype))

    def of(self, name: str, x: Tensor) -> Tensor:
        """One feature, of any shape, as ``__call__`` scales it."""
        i = slice(at := self.names.index(name), at + 1)
        alone = Scaling(self.names[i], self.mean[i], self.std[i], self.low[i], self.high[i], self.first, self.last,
                        tuple({name} & set(self.absent)))  # fmt: skip
        return alone(x.unsqueeze(-3)).squeeze(-3)


@functools.lru_cache(16)
@torch.inference_mode(False)
def _moments(scaling: Scaling, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean, standard deviation and the limits of each feature, (F,); kept, since a copy to a GPU has to be waited
    for."""
    mean, std, low, high = (
        torch.tensor(values).to(device, dtype) for values in (scaling.mean, scaling.std, scaling.low, scaling.high)
    )
    absent = torch.tensor([n in scaling.absent for n in scaling.names], dtype=torch.bool, device=device)
    low = torch.where(absent, torch.inf, low - MARGIN * std)
    return mean, std, low, high + MARGIN * std


def unscaled(names: Sequence[str]) -> Scaling:
    """Features as they are, of any size."""
    nothing, one, limit = ((value,) * len(names) for value in (0.0, 1.0, math.inf))
    return Scaling(tuple(names), nothing, one, tuple(-v for v in limit), limit, "", "")


NO_FEATURES = unscaled(())  # for who asks for the observations only
