"""Network channels from stored integers: normalised features of pixels, made on any device.

The one implementation for training, last-layer regression, fitted baselines, statistics and inference. What travels
from a loader's process or from the reader to the device is as packed in the cube, half the bytes of floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ssm_net.cube.variables import FINE
from ssm_net.grid import as_number, finite
from ssm_net.inputs import features
from ssm_net.inputs.scaling import Scaling

SPARSE, WARM = 0.6, 278.0  # NDVI below which, and K above which, heat tells of dry soil
LINEAGE, SEEN = "_lineage", "_seen"


@dataclass(frozen=True)
class PackedPixels:
    """A window of pixels, or a batch of windows, as the cube stores them.

    ``packed`` maps names of variables to (..., y, x): static maps as floats, fine variables as ``as_tensor`` gives
    them, an LST lineage for what is ``_seen``. ``background`` maps overpasses to their background LST at the pixels,
    (..., y, x) K.
    """

    packed: Mapping[str, Tensor]
    background: Mapping[str, Tensor]

    def to(self, device: torch.device) -> PackedPixels:
        """The same pixels on ``device``. To CUDA they are copied from pinned memory in the order of the current stream,
        and nothing is waited for."""
        packed, background = ({k: _copied(v, device) for k, v in given.items()}
                              for given in (self.packed, self.background))  # fmt: skip
        return PackedPixels(packed, background)

    def thinned(self, first: int, stride: int) -> PackedPixels:
        """Every ``stride``-th row from ``first`` on, and every ``stride``-th column."""
        at = (..., slice(first, None, stride), slice(None, None, stride))
        return PackedPixels({k: v[at] for k, v in self.packed.items()}, {k: v[at] for k, v in self.background.items()})

    def variables(self) -> dict[str, Tensor]:
        """The variables that features are made of, by name, (..., y, x) float32, NaN where missing."""
        out = {f"lst_{k}_background": field for k, field in self.background.items()}
        for name, packed in self.packed.items():
            if name.endswith(LINEAGE):
                out[name.removesuffix(LINEAGE) + SEEN] = as_number(packed <= 1)
            else:
                out[name] = unpack_variable(name, packed) if name in FINE else packed
        return out


def _copied(field: Tensor, device: torch.device) -> Tensor:
    if device.type != "cuda" or field.is_cuda:
        return field.to(device)
    # torch lends the pinned memory to nobody else before the copy is done.
    pinned = torch.empty(field.shape, dtype=field.dtype, pin_memory=True).copy_(field)
    return pinned.to(device, non_blocking=True)


def as_tensor(packed: np.ndarray) -> Tensor:
    """A stored variable as a tensor of the same bytes: torch hardly knows uint16, which travels as int16."""
    return torch.from_numpy(packed.view(np.int16) if packed.dtype == np.uint16 else packed)


def unpack_variable(name: str, packed: Tensor) -> Tensor:
    """A fine variable from ``as_tensor``, float32, NaN where missing; the same numbers as ``Variable.unpack``."""
    variable = FINE[name]
    if packed.device.type == "cpu":  # numpy compares and converts integers faster
        stored = packed.numpy()
        return torch.from_numpy(variable.unpack(stored.view(np.uint16) if variable.dtype == "uint16" else stored))
    if variable.dtype == "uint16":
        counts = packed.to(torch.int32) & 0xFFFF
    else:
        counts = packed
    values = counts.float().mul_(float(np.float32(variable.scale)))
    if variable.offset:
        values += float(np.float32(variable.offset))
    return values.masked_fill_(counts == int(variable.fill), torch.nan)


def channels(pixels: PackedPixels, scaling: Scaling, inside: Tensor | None = None) -> Tensor:
    """Normalised features, (..., F, y, x); 0 where missing or out of range and, where given, not ``inside`` (..., y,
    x)."""
    x = scaling(features.stack(scaling.names, pixels.variables())).nan_to_num_()
    return x if inside is None else x.mul_(inside.unsqueeze(-3))


def channels_and_extrapolated(pixels: PackedPixels, scaling: Scaling) -> tuple[Tensor, Tensor]:
    """``channels``, and where a feature is out of the range that was learned on, (..., y, x) bool."""
    given = features.stack(scaling.names, pixels.variables())
    x = scaling(given)
    present = [i for i, name in enumerate(scaling.names) if name not in scaling.absent]
    dropped = ~finite(x) & finite(given)
    if dropped.device.type == "cpu" and not dropped.any():  # on a GPU it would have to be waited for
        return x.nan_to_num_(), torch.zeros_like(dropped[..., 0, :, :])
    extrapolated = dropped[..., present, :, :].any(-3)
    return x.nan_to_num_(), extrapolated


def dry_when_hot(x: Tensor, background: Tensor | None, scaling: Scaling) -> Tensor:
    """Where heat tells of dry soil, (B, y, x) bool: seen today, sparsely grown, not near freezing.

    ``x`` (B, F, y, x) are channels, ``background`` (B, y, x) K that of the day overpass.
    """
    at = {name: i for i, name in enumerate(scaling.names)}
    if not {"lst_day_seen", "ndvi"} <= at.keys() or background is None:
        return torch.zeros(len(x), *x.shape[2:], dtype=torch.bool, device=x.device)
    std, mean = scaling.std, scaling.mean
    seen, ndvi = (x[:, at[n]] * std[at[n]] + mean[at[n]] for n in ("lst_day_seen", "ndvi"))
    return (seen > 0.5) & (ndvi < SPARSE) & (background > WARM)
