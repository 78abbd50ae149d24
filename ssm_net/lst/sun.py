"""The height of the sun over a place."""

from __future__ import annotations

import datetime as dt
import math

import torch
from torch import Tensor


def sine_of_sun(latitude: Tensor, day: dt.date, hour: float) -> Tensor:
    """Sine of the sun's height at ``hour`` local solar time, negative at night; ``latitude`` in degrees.

    Source of the declination: Allen et al. (1998), FAO Irrigation and Drainage Paper 56, equation 24.
    """
    tilt = 0.409 * math.sin(2 * math.pi * day.timetuple().tm_yday / 365 - 1.39)
    phi = torch.deg2rad(latitude)
    return torch.sin(phi) * math.sin(tilt) + torch.cos(phi) * math.cos(tilt) * math.cos(math.pi * (hour - 12) / 12)
