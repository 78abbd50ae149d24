"""Pixels of training patches from integers as the cube stores them to the network's channels, for a whole batch on the
device it is on.

What travels from a loader's process to the device is little more than half the bytes, and decoding is done once.
The same numbers, to rounding, as ``inputs.read_fine``, ``features.stack`` and ``Scaling`` give one window.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ssm_net.cube.variables import FINE
from ssm_net.inputs import features
from ssm_net.inputs.scaling import Scaling

SPARSE, WARM = 0.6, 278.0  # NDVI below which, and K above which, heat tells of dry soil


def as_tensor(packed: np.ndarray) -> Tensor:
    """A stored variable as a tensor of its bytes: torch hardly knows uint16, so that it travels as int16."""
    return torch.from_numpy(packed.view(np.int16) if packed.dtype == np.uint16 else packed)


def unpacked(name: str, packed: Tensor) -> Tensor:
    """What ``as_tensor`` made of a fine variable, float32, NaN where missing."""
    variable = FINE[name]
    counts = packed.to(torch.int32)
    if variable.dtype == "uint16":
        counts &= 0xFFFF
    values = counts.float().mul_(float(np.float32(variable.scale)))
    if variable.offset:
        values += float(np.float32(variable.offset))
    return values.masked_fill_(counts == int(variable.fill), torch.nan)


def channels(
    stored: Mapping[str, Tensor], backgrounds: Mapping[str, Tensor], inside: Tensor, scaling: Scaling
) -> Tensor:
    """Normalised features, (B, F, y, x).

    ``stored`` are variables of pixels (B, y, x): static ones as floats, others as ``as_tensor`` gives them, lineages
    for what is ``_seen``. ``backgrounds`` (B, y, x) K are by overpass. Where not ``inside`` (B, y, x) every channel
    is 0.
    """
    given: dict[str, Tensor] = {f"lst_{k}_background": field for k, field in backgrounds.items()}
    for name, packed in stored.items():
        if name.endswith("_lineage"):
            given[name.removesuffix("_lineage") + "_seen"] = (packed <= 1).float()
        else:
            given[name] = unpacked(name, packed) if name in FINE else packed
    x = scaling(features.stack(scaling.names, given))
    return x.mul_(inside[:, None])


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
