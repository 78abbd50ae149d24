"""The colours of soil moisture, in every picture and style: one scale, so that maps of any day compare by eye."""

from __future__ import annotations

import numpy as np

DRIEST, WETTEST = 0.02, 0.45  # m3 m-3 at the ends of the colour scale
# From dry to wet: brown, sand, pale green, teal, dark blue; every step is darker or lighter than the one before.
COLOURS = ((110, 66, 20), (222, 184, 110), (238, 236, 196), (90, 178, 172), (12, 60, 120))


def colours(ssm: np.ndarray) -> np.ndarray:
    """Red, green and blue (3, n) of soil moisture (n,), m3 m-3."""
    at = np.linspace(DRIEST, WETTEST, len(COLOURS))
    return np.stack([np.interp(ssm, at, [c[i] for c in COLOURS]) for i in range(3)]).round().astype(np.uint8)


def colour_steps() -> list[tuple[float, str]]:
    """The colour table: m3 m-3 and colour (#rrggbb), between which colours are interpolated."""
    at = np.linspace(DRIEST, WETTEST, len(COLOURS)).round(4).tolist()
    return [(value, "#{:02x}{:02x}{:02x}".format(*colour)) for value, colour in zip(at, COLOURS, strict=True)]
