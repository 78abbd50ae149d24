"""Fields of their own spacing: rain, which no product sees at 1 km, is stored at every fourth pixel each way.

A stored value stands in the middle of its square of pixels. Between the middles it is interpolated, beyond the last
ones it is held. Where values are missing, a pixel takes those around it that are there, if these have half of the
weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import interpolate

from ssm_net.cube.variables import FINE, Variable
from ssm_net.grid import Domain, Window

ENOUGH = 0.5  # of the weights of the values around a pixel


def spacing(name: str, ratio: int) -> int:
    """Pixels from one stored value of the fine variable ``name`` to the next, where a cell has ``ratio`` pixels."""
    return math.gcd(FINE[name].spacing, ratio)


def stored_shape(name: str, domain: Domain) -> tuple[int, int]:
    """Rows and columns in which a fine variable is stored."""
    step = spacing(name, domain.ratio)
    return domain.fine_shape[0] // step, domain.fine_shape[1] // step


def values_around(window: Window, step: int, shape: tuple[int, int]) -> Window:
    """The window of stored values, of ``shape`` in all, that the pixels of ``window`` lie between."""
    y0, y1, x0, x1 = window
    return (max(y0 // step - 1, 0), min(-(-y1 // step) + 1, shape[0]),
            max(x0 // step - 1, 0), min(-(-x1 // step) + 1, shape[1]))  # fmt: skip


def at_pixels(packed: np.ndarray, around: Window, window: Window, step: int, variable: Variable) -> np.ndarray:
    """Packed values at the pixels of ``window``, (y, x), from the packed values of ``around``."""
    field = torch.from_numpy(packed.astype(np.float32))[None, None]
    missing = field == variable.fill
    if some_missing := bool(missing.any()):
        field = field.masked_fill(missing, 0.0)
    out = _between(field, around, window, step)
    if some_missing:
        weight = _between((~missing).float(), around, window, step)
        known = weight >= ENOUGH
        out = torch.where(known, out / weight.clamp(min=ENOUGH), float(variable.fill))
    return out.round_().numpy().astype(packed.dtype)


def read_at_pixels(
    read: Callable[[Window | None], np.ndarray], name: str, domain: Domain, window: Window | None = None
) -> np.ndarray:
    """A fine variable at the pixels of ``window`` (None: all), packed, (y, x); ``read`` gives a window of it as it is
    stored."""
    step, (height, width) = spacing(name, domain.ratio), domain.fine_shape
    if step == 1:
        return read(window)
    window = window or (0, height, 0, width)
    around = values_around(window, step, stored_shape(name, domain))
    return at_pixels(read(around), around, window, step, FINE[name])


def _between(field: torch.Tensor, around: Window, window: Window, step: int) -> torch.Tensor:
    fine = interpolate(field, scale_factor=step, mode="bilinear", align_corners=False)[0, 0]
    (y0, y1, x0, x1), top, left = window, around[0] * step, around[2] * step
    return fine[y0 - top : y1 - top, x0 - left : x1 - left]
