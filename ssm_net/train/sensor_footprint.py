"""The sensor's footprint of the observations that networks are trained on."""

from __future__ import annotations

from dataclasses import dataclass

from ssm_net.cube.store import Cube


@dataclass(frozen=True)
class SensorFootprint:
    """The sensor's footprint on a patch: its ``kind`` (gaussian or box), ``fwhm`` in pixels, and the ``ratio`` of a
    cell's side to a pixel's."""

    kind: str
    fwhm: float
    ratio: int


def footprint_of(cube: Cube) -> SensorFootprint:
    """The sensor's footprint that the cube was prepared for."""
    fwhm = cube.attrs["fwhm_km"] * 1000 / cube.domain.grid.pixel
    return SensorFootprint(cube.attrs["footprint"], fwhm, cube.domain.ratio)
