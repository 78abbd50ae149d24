"""The interface of all estimators, networks and baselines: a day's coarse context, then one window of pixels after
another.

Everything downstream (tiling, update, flags, files, evaluation) treats them alike.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ssm_net.errors import SsmNetError
from ssm_net.grid import Window
from ssm_net.inputs.channels import PackedPixels
from ssm_net.inputs.reading import CoarseDay
from ssm_net.inputs.scaling import Scaling

SUBGRID_STD = 0.05  # m3 m-3, what an interpolated coarse value leaves out at 1 km


class EstimatorError(SsmNetError):
    """An estimator cannot be fitted to this cube, or lacks a variable or library; the message names it."""


class Estimate(NamedTuple):
    """Of the pixels of a window, each (y, x): the ``mean`` (m3 m-3), the variance of the error that a cell shares,
    which an observation can lessen, that of the error inside the cell, and where it is extrapolated (bool)."""

    mean: Tensor
    shared: Tensor
    local: Tensor
    far: Tensor


class Estimator(Protocol):
    """``needs`` names the variables of a window, ``halo`` the pixels around it, ``lags`` the days of coarse context and
    ``lookahead`` those after the day that it has a use for, ``scaling`` the features whose cell means it wants;
    ``updates`` says whether today's observation still has to enter (the interpolating baselines begin with it)."""

    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> list[str]: ...
    @property
    def halo(self) -> int: ...
    @property
    def lags(self) -> int: ...
    @property
    def lookahead(self) -> int: ...
    @property
    def scaling(self) -> Scaling: ...
    @property
    def updates(self) -> bool: ...

    def context(self, coarse: CoarseDay) -> Any:
        """What ``estimate`` needs of the day's coarse fields, computed once for the whole domain."""

    def estimate(self, context: Any, pixels: PackedPixels, window: Window) -> Estimate:
        """The estimate of ``window``, on the device that it was computed on; ``pixels`` holds ``needs`` on the window
        grown by ``halo`` inside the domain."""


def plain(mean: Tensor, shared: Tensor, local: float) -> Estimate:
    """An estimate whose error inside cells is ``local`` (m3 m-3) everywhere."""
    return Estimate(mean, shared, torch.full_like(mean, local**2), torch.zeros_like(mean, dtype=torch.bool))
