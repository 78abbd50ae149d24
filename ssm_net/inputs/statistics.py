"""Mean and spread of each feature: what networks are given is of order one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np

from ssm_net.cube.store import Cube
from ssm_net.inputs import features
from ssm_net.inputs.reading import read_coarse, read_fine, variables
from ssm_net.inputs.scaling import NO_FEATURES, Scaling

STRIDE = 7  # pixels between those that statistics are taken from


def compute_scaling(
    cube: Cube, days: Sequence[dt.date], most_days: int = 24, *, classics: bool = False, exclude: Sequence[str] = ()
) -> Scaling:
    """Mean and standard deviation of each feature but those to ``exclude`` over land pixels of (some of) ``days``,
    every 7th pixel each way."""
    names = [n for n in features.available(variables(cube), classics=classics) if n not in exclude]
    some = days[:: max(1, len(days) // most_days)]
    height, width = cube.domain.fine_shape
    total = np.zeros((3, len(names)))
    for day in some:
        coarse = read_coarse(cube, day, 1, NO_FEATURES)
        fine = read_fine(cube, day, (0, height, 0, width), features.needed(names), coarse.background)
        x = features.stack(names, {k: v[::STRIDE, ::STRIDE] for k, v in fine.items()}).double().flatten(1).numpy()
        total += np.stack([np.isfinite(x).sum(1), np.nansum(x, 1), np.nansum(x**2, 1)])
    n = np.maximum(total[0], 1)
    mean = total[1] / n
    std = np.sqrt(np.maximum(total[2] / n - mean**2, 0))
    std = np.where(std > 1e-6 * np.maximum(np.abs(mean), 1), std, 1.0)  # a constant channel stays 0
    return Scaling(tuple(names), tuple(mean.tolist()), tuple(std.tolist()), str(days[0]), str(days[-1]))
