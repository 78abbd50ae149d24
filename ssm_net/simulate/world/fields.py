"""Gaussian random fields on the fine grid, drawn by FFT, some of them drifting from day to day.

A field of a long correlation length is drawn on a coarser grid and interpolated, so that a country costs little more
than a province. Each is drawn on a torus that is four correlation lengths wider than the domain: opposite edges are
independent, and the mean may differ from zero, as that of a day's weather does.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ssm_net.grid import interpolation_matrix

Array = NDArray[np.floating[Any]]
Hat = NDArray[np.complex64]


def stream(seed: int, purpose: str, day: int = 0) -> np.random.Generator:
    """The random numbers of one purpose on one day: independent of draws elsewhere, and the same after resuming."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), day])


@dataclass(frozen=True)
class RandomField:
    """A zero-mean, unit-variance, isotropic Gaussian field of ``shape`` (rows, cols) fine pixels.

    ``length`` is the correlation length in fine pixels. ``nu`` is the smoothness of a Matern covariance, whose
    spectrum falls as k^-(2 nu + 2): 0.5 is the exponential covariance; infinite is the Gaussian exp(-r^2 / 2 length^2).
    ``step`` is the spacing of the grid it is drawn on, fine pixels; left out, it follows from the length.
    """

    shape: tuple[int, int]
    length: float
    nu: float = math.inf
    step: int = 0

    @cached_property
    def _step(self) -> int:
        per_length = 6 if math.isinf(self.nu) else 12
        return self.step or max(1, int(self.length / per_length))

    @cached_property
    def _nodes(self) -> tuple[int, int]:
        return -(-self.shape[0] // self._step) + 1, -(-self.shape[1] // self._step) + 1

    @cached_property
    def _torus(self) -> tuple[int, int]:
        margin = math.ceil(4 * self.length / self._step)
        rows, cols = (fft.next_fast_len(n + margin, real=True) for n in self._nodes)
        return rows, cols

    @cached_property
    def _frequency(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Angular frequencies down the rows (column vector) and along the columns, radians per fine pixel."""
        rows, cols = self._torus
        ky = 2 * np.pi * fft.fftfreq(rows, self._step)[:, None]
        kx = 2 * np.pi * fft.rfftfreq(cols, self._step)[None]
        return ky, kx

    @cached_property
    def _amplitude(self) -> Array:
        ky, kx = self._frequency
        k2 = (ky**2 + kx**2) * self.length**2
        power = np.exp(-0.5 * k2) if math.isinf(self.nu) else (1 + k2) ** -(self.nu + 1)
        twice = np.full(kx.shape, 2.0)  # the half plane that rfft2 leaves out
        twice[0, 0] = 1.0
        if self._torus[1] % 2 == 0:
            twice[0, -1] = 1.0
        mean = (power * twice).sum() / (self._torus[0] * self._torus[1])
        return np.sqrt(power / mean).astype(np.float32)

    @cached_property
    def _interpolation(self) -> tuple[Array, Array]:
        """From the nodes to the fine pixels, down the rows and along the columns."""
        (rows, cols), (down, along) = self._nodes, self.shape
        up_y, up_x = (interpolation_matrix(range(n), m, self._step) for n, m in ((down, rows), (along, cols)))
        return up_y.numpy(), up_x.numpy()

    def draw(self, rng: np.random.Generator) -> Hat:
        """A new field, as its spectrum."""
        return fft.rfft2(rng.standard_normal(self._torus, dtype=np.float32)) * self._amplitude

    def follow(self, hat: Hat, rng: np.random.Generator, rho: float, drift: tuple[float, float] = (0, 0)) -> Hat:
        """The field of the next moment: correlated by ``rho`` with ``hat`` moved by ``drift`` (rows, cols) pixels."""
        ky, kx = self._frequency
        moved = hat * np.exp(-1j * (ky * drift[0] + kx * drift[1])).astype(np.complex64)
        return (rho * moved + math.sqrt(1 - rho**2) * self.draw(rng)).astype(np.complex64)

    def field(self, hat: Hat) -> Array:
        """The field of a spectrum on the fine pixels."""
        rows, cols = self._nodes
        node = fft.irfft2(hat, s=self._torus)[:rows, :cols]
        if self._step == 1:
            return np.ascontiguousarray(node[: self.shape[0], : self.shape[1]], dtype=np.float32)
        up_y, up_x = self._interpolation
        return np.asarray(up_y @ node.astype(np.float32) @ up_x.T, dtype=np.float32)

    def sample(self, rng: np.random.Generator) -> Array:
        """A new field on the fine pixels."""
        return self.field(self.draw(rng))
