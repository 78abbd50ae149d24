"""From the cube to tensors: one day's coarse fields of the whole domain, and a window of its fine pixels.

Training and inference read through here, so that what the network learned on is what it is given.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ssm_net.core.clock import OVERPASSES
from ssm_net.cube.lookahead import ArchiveCube
from ssm_net.cube.store import Cube
from ssm_net.grid import Domain, Window, upsample
from ssm_net.inputs import features
from ssm_net.inputs.channels import LINEAGE, SEEN, PackedPixels, as_tensor
from ssm_net.inputs.scaling import Scaling
from ssm_net.lst.cloud_effect import CONTRAST, contrast_under_cloud
from ssm_net.lst.gap_filling import LAPSE

OLDER_DAYS, OLDER_FADING = 80, 30.0  # days of older observations that are read, and in which they fade to 1/e


class Pixels(Protocol):
    """What windows of a day's pixels are read from: a ``Cube``, or a ``Band`` of one in memory."""

    @property
    def domain(self) -> Domain: ...
    @property
    def fine(self) -> tuple[str, ...]: ...
    @property
    def static(self) -> tuple[str, ...]: ...
    @property
    def coarse(self) -> tuple[str, ...]: ...
    def read_packed(self, name: str, day: dt.date, window: Window) -> np.ndarray: ...
    def read(self, name: str, day: dt.date, window: Window) -> np.ndarray: ...
    def read_static(self, name: str, window: Window) -> np.ndarray: ...
    def read_coarse(self, name: str, day: dt.date) -> np.ndarray: ...


@dataclass(frozen=True)
class CoarseDay:
    """A day on the coarse grid, whole domain.

    ``ssm`` (L, R, C): the observation of the day and of the L-1 days before it (lag 0 first), m3 m-3, NaN where there
    is none; ``older`` (R, C) the fading mean of those before, NaN where there is none and with L = 1; ``ahead``
    (A, R, C) the observations of the A days after it, and ``rain_ahead`` (A, R, C) their rain, normalised, NaN where
    there is none or the cube looks back only; ``sigma`` (R, C) the standard error of the day's observation, NaN where
    there is none; ``features`` (F, R, C) cell means of the features, normalised; ``season`` (2,): sine and cosine of
    the day of year; ``land`` (R, C) fraction of the cell under the production mask; ``seen`` (R, C) fraction of the
    land whose LST was seen, by day or by night, whichever is more; ``background`` maps overpass names to (R, C)
    temperatures of the surroundings, K.
    """

    day: dt.date
    ssm: Tensor
    older: Tensor
    ahead: Tensor
    rain_ahead: Tensor
    sigma: Tensor
    features: Tensor
    season: Tensor
    land: Tensor
    seen: Tensor
    background: dict[str, Tensor]

    @property
    def observations(self) -> Tensor:
        """What networks are given, (L + 1 + A, R, C): the observations by lag, the mean of the older ones, and the
        observations of the days ahead."""
        return torch.cat([self.ssm, self.older[None], self.ahead])

    @property
    def cells(self) -> Tensor:
        """What networks are given of cells, (F + A, R, C): the features and the rain of the days ahead."""
        return torch.cat([self.features, self.rain_ahead])

    def without(self, hide: Tensor) -> CoarseDay:
        """The same day with its own observation taken away where ``hide`` (R, C) is true."""
        ssm = self.ssm.clone()
        ssm[0] = torch.where(hide, torch.nan, ssm[0])
        return replace(self, ssm=ssm)


def variables(cube: Cube) -> list[str]:
    """Names that features may need and this cube can give."""
    out = [*cube.fine, *cube.static]
    out += [f"lst_{k}_{what}" for k in OVERPASSES if f"lst_{k}" in cube.fine for what in ("seen", "background")]
    return out


def usable(cube: Cube, names: Sequence[str]) -> list[str]:
    """The variables that these features are made of, as far as the cube can give them."""
    have = set(variables(cube))
    return [v for v in features.needed(names) if v in have]


def read_cells(cube: Cube, day: dt.date, names: Sequence[str]) -> Tensor:
    """Features of the cell means, in physical units, (F, R, C), NaN where missing."""
    given = {
        v: torch.from_numpy(cube.read_static_cell(v)) if v in cube.static else _coarse(cube, v, day)
        for v in usable(cube, names)
    }
    return features.stack(names, given)


def read_coarse(cube: Cube, day: dt.date, lags: int, scaling: Scaling, lookahead: int = 0) -> CoarseDay:
    """The coarse fields of ``day``, the observations of the ``lags - 1`` days before it and, where these are any, the
    mean of the older ones; and those of the ``lookahead`` days after it, as far as an ``ArchiveCube`` knows them."""
    none = torch.full(cube.domain.coarse_shape, torch.nan)

    def observed(at: dt.date) -> Tensor:
        return _coarse(cube, "ssm", at) if "ssm" in cube.coarse and cube.done(at) else none

    def before(n: int) -> Tensor:
        return observed(day - dt.timedelta(n))

    ssm = torch.stack([before(n) for n in range(lags)])
    older = older_mean(torch.stack([before(lags + n) for n in range(OLDER_DAYS)])) if lags > 1 else none
    ahead, rain_ahead = torch.full((2, lookahead, *none.shape), torch.nan)
    for known in cube.days_ahead(day) if isinstance(cube, ArchiveCube) else ():
        if (n := (known - day).days) <= lookahead:
            ahead[n - 1] = observed(known)
            if "rain" in scaling.present and "rain" in cube.coarse:
                rain_ahead[n - 1] = scaling.of("rain", torch.log1p(_coarse(cube, "rain", known)))
    background = {k: _coarse(cube, f"lst_{k}_background", day) for k in OVERPASSES if f"lst_{k}" in cube.fine}
    seen = torch.stack(
        [torch.zeros(cube.domain.coarse_shape), *(_coarse(cube, f"lst_{k}_seen", day) for k in background)]
    )
    angle = 2 * math.pi * (day.timetuple().tm_yday - 1) / 365.25
    land = torch.from_numpy(cube.land_fraction)
    return CoarseDay(
        day,
        ssm,
        older,
        ahead,
        rain_ahead,
        torch.where(torch.isfinite(ssm[0]), _coarse(cube, "ssm_sigma", day), torch.nan),
        scaling(read_cells(cube, day, scaling.names)) if scaling.names else torch.empty(0, *land.shape),
        torch.tensor([math.sin(angle), math.cos(angle)]),
        land,
        torch.nan_to_num(seen).amax(0),
        background,
    )


def older_mean(ssm: Tensor) -> Tensor:
    """The mean of observations (N, R, C), the latest first, each day of which counts less than the one after it: what a
    cell is like when nothing was observed for days. NaN where there is none."""
    known = torch.isfinite(ssm)
    weight = torch.exp(-torch.arange(len(ssm)) / OLDER_FADING)[:, None, None] * known
    return (torch.nan_to_num(ssm) * weight).sum(0) / weight.sum(0)


def stored(names: Sequence[str]) -> list[str]:
    """The variables in the cube that ``read_stored`` reads for ``names``."""
    lineage = {n.removesuffix(SEEN) + LINEAGE for n in names if n.endswith(SEEN)}
    return sorted(lineage | {n for n in names if not n.endswith((SEEN, "_background"))})


def read_stored(
    cube: Pixels, day: dt.date, window: Window, names: Sequence[str], background: Mapping[str, Tensor]
) -> PackedPixels:
    """The variables ``names`` (from ``usable``) of a window of pixels, (y, x), as stored.

    ``background`` (from ``CoarseDay``) is interpolated to the pixels.
    """
    packed = {}
    for name in stored(names):
        static = name in cube.static
        packed[name] = as_tensor(cube.read_static(name, window) if static else cube.read_packed(name, day, window))
    at_pixels = {k: upsample(field, cube.domain.ratio, window) for k, field in background.items()
                 if f"lst_{k}_background" in names}  # fmt: skip
    return PackedPixels(packed, at_pixels)


def lst_under_sky(cube: Pixels, day: dt.date, k: str, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """LST under the day's sky, clear or cloudy (K), and its lineage, of a window of pixels, (y, x).

    ``lst_<k>`` of the cube is what a clear sky would show, to which anomalies refer; where it was not seen, the effect
    of cloud is added, and the pixel's contrast to its surroundings is damped.
    """
    lst, lineage = cube.read(f"lst_{k}", day, window), cube.read_packed(f"lst_{k}_lineage", day, window)
    if f"lst_{k}_cloud" in cube.coarse:
        effect = upsample(_coarse(cube, f"lst_{k}_cloud", day), cube.domain.ratio, window).numpy()
        under = lst
        if "elevation" in cube.static:  # without it relief would pass for a contrast
            height = LAPSE * cube.read_static("elevation", window)
            background = upsample(_coarse(cube, f"lst_{k}_background", day), cube.domain.ratio, window)
            under = contrast_under_cloud(k, torch.from_numpy(lst), background - torch.from_numpy(height)).numpy()
            under = np.where(np.isnan(height), lst, under)
        lst = np.where(lineage > 1, under + effect, lst)
    return lst, lineage


def all_weather(cube: Pixels, day: dt.date, k: str, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``lst_under_sky`` with its standard error (K) between LST and lineage."""
    lst, lineage = lst_under_sky(cube, day, k, window)
    sigma = cube.read(f"lst_{k}_sigma", day, window)
    if f"lst_{k}_cloud_sigma" in cube.coarse:
        error = upsample(_coarse(cube, f"lst_{k}_cloud_sigma", day), cube.domain.ratio, window).numpy()
        kept = np.ones_like(sigma)
        if "elevation" in cube.static:
            kept[np.isfinite(cube.read_static("elevation", window))] = CONTRAST[k]
        sigma = np.where(lineage > 1, np.sqrt((kept * sigma) ** 2 + error**2), sigma)
    return lst, sigma, lineage


def padded(window: Window, halo: int, shape: tuple[int, int]) -> tuple[Window, tuple[int, int, int, int]]:
    """``window`` grown by ``halo`` pixels inside the domain, and the pixels to pad (left, right, top, bottom)."""
    y0, y1, x0, x1 = window
    a0, a1, b0, b1 = max(y0 - halo, 0), min(y1 + halo, shape[0]), max(x0 - halo, 0), min(x1 + halo, shape[1])
    return (a0, a1, b0, b1), (halo - (x0 - b0), halo - (b1 - x1), halo - (y0 - a0), halo - (a1 - y1))


def _coarse(cube: Pixels, name: str, day: dt.date) -> Tensor:
    return torch.from_numpy(cube.read_coarse(name, day))
