"""Baselines of LST gap filling: interpolation in time, in space, and an annual cycle.

Each takes (T, y, x) with NaN where not visible, and gives (T, y, x).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ssm_net.lst.gap_filling import LAPSE

HARMONIC_RIDGE = 0.2  # weight of the mean cycle of the whole scene as a prior, in observations
NEIGHBOURS = 24  # observations in an inverse-distance mean


@dataclass(frozen=True)
class Scene:
    """Days of one place: ``visible`` (T, y, x) K is the input of the methods, NaN elsewhere; ``target`` (T, y, x) K
    holds the withheld values, NaN elsewhere. ``elevation`` (y, x) m; ``latitude`` degrees; ``truth``
    (T, y, x) K where it is known; ``air`` (T, row, col) K of a reanalysis, at sea level.
    """

    days: tuple[dt.date, ...]
    visible: np.ndarray
    target: dict[str, np.ndarray]
    elevation: np.ndarray
    latitude: float
    truth: np.ndarray | None = None
    air: np.ndarray | None = None


def temporal(scene: Scene) -> np.ndarray:
    """Linear interpolation in time at each pixel, the nearest view before the first and after the last."""
    when = np.array([d.toordinal() for d in scene.days], "float32")
    seen = np.isfinite(scene.visible)
    at = np.where(seen, np.arange(len(when))[:, None, None], -1)
    before = np.maximum.accumulate(at, 0)
    after = np.minimum.accumulate(np.where(seen, at, len(when))[::-1], 0)[::-1]
    first = np.where(before < 0, after, before)
    last = np.where(after == len(when), before, after)
    never = first == len(when)
    first, last = np.where(never, 0, first), np.where(never, 0, last)
    t0, t1 = when[first], when[last]
    part = np.where(t1 > t0, (when[:, None, None] - t0) / np.maximum(t1 - t0, 1), 0)
    v0, v1 = np.take_along_axis(scene.visible, first, 0), np.take_along_axis(scene.visible, last, 0)
    return v0 + part * (v1 - v0)


def harmonic(scene: Scene) -> np.ndarray:
    """Mean and annual cycle of each pixel, by least squares, shrunk to those of the whole scene."""
    angle = 2 * np.pi * np.array([d.timetuple().tm_yday for d in scene.days]) / 365.25
    basis = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], 1)
    seen = np.isfinite(scene.visible)
    value = np.where(seen, scene.visible, 0.0).reshape(len(angle), -1).astype("float64")
    weight = seen.reshape(len(angle), -1).astype("float64")
    normal = np.einsum("ti,tp,tj->pij", basis, weight, basis)
    right = np.einsum("ti,tp->pi", basis, value)
    common = np.linalg.solve(normal.sum(0) + 1e-3 * np.eye(3), right.sum(0))
    own = HARMONIC_RIDGE * np.eye(3)
    law = np.linalg.solve(normal + own, (right + own @ common)[..., None])[..., 0]
    return (basis @ law.T).reshape(scene.visible.shape).astype("float32")


def spatial(scene: Scene) -> np.ndarray:
    """Inverse squared distance weighting of the day's nearest views, reduced to sea level; NaN on a day without."""
    out = np.full_like(scene.visible, np.nan)
    for i, lst in enumerate(scene.visible):
        seen = np.isfinite(lst)
        want = ~seen & np.any([np.isfinite(t[i]) for t in scene.target.values()], axis=0)
        if not want.any() or seen.sum() < NEIGHBOURS:
            continue
        distance, nearest = cKDTree(np.argwhere(seen)).query(np.argwhere(want), k=NEIGHBOURS)
        reduced = (lst + LAPSE * scene.elevation)[seen]
        weight = distance**-2.0
        out[i][want] = (weight * reduced[nearest]).sum(1) / weight.sum(1) - LAPSE * scene.elevation[want]
    return out
