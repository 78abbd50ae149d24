"""Ablations: parts of the method that are left out, to measure what each is worth.

A value that ``train`` and ``infer`` take in Python, never a setting of the command line: no map should be made so.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SENSOR_BIAS = 0.02  # m3 m-3, standard deviation of a radiometer's lasting error in a cell: 0.02-0.03


@dataclass(frozen=True)
class Ablation:
    """What is left out; by default nothing.

    With ``own_value_shown`` networks see the observation that they are compared with, in training and in inference. The
    days withheld as a whole, of which the calibration asks, stay withheld. ``sensor_bias`` (m3 m-3) is the standard
    deviation of a radiometer's lasting error in a cell; near 0, days of one cell are independent observations of its
    soil's level.
    """

    own_value_shown: bool = False
    sensor_bias: float = SENSOR_BIAS

    def hidden_phases(self, phase: Tensor) -> Tensor:
        """The phase 0..3 in which each cell's own value is hidden; -1, which is none, where it is shown."""
        return torch.full_like(phase, -1) if self.own_value_shown else phase


NO_ABLATION = Ablation()
