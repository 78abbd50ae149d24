"""One day of all methods against the truth, stratum by stratum, as sums that merge over days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ssm_net.config import InferConfig
from ssm_net.cube.footprint import ObservationOperator
from ssm_net.evaluate.metrics.spatial import Blockiness, Seams, Spectrum, SubgridSpread, cell_mean, subgrid
from ssm_net.evaluate.metrics.statistics import Histogram, Intervals, Moments, Sums, merge
from ssm_net.formats.product import Flag, Mosaic

STRATA = ("all", "clear", "cloudy", "orbit gap")
PRODUCT = "ssm_net"
TRUTH = "truth"
TILE = InferConfig.tile  # what infer.py makes mosaics in unless told otherwise, coarse cells


@dataclass(frozen=True)
class Score(Sums):
    """A method in a stratum: its values, what they are inside coarse cells, and its uncertainty."""

    value: Moments
    subgrid: Moments
    intervals: Intervals


@dataclass(frozen=True)
class Texture(Sums):
    """The spatial character of a field."""

    spread: SubgridSpread
    blockiness: Blockiness
    seams: Seams


@dataclass(frozen=True)
class DayScores:
    """All that one day, or after ``+`` many days, says of the methods; the keys are method names.

    ``pixels`` holds sums a pixel over days (float32 arrays of the fine grid), for scores in time. ``counted`` and
    ``offered`` are pixels scored and pixels of the product that had a truth.
    """

    scores: dict[tuple[str, str], Score]
    texture: dict[str, Texture]
    spectrum: dict[str, Spectrum]
    histogram: dict[str, Histogram]
    pixels: dict[str, Moments]
    counted: int
    offered: int

    @classmethod
    def none(cls) -> DayScores:
        return cls({}, {}, {}, {}, {}, 0, 0)

    def __add__(self, other: DayScores) -> DayScores:
        return DayScores(
            merge(self.scores, other.scores),
            merge(self.texture, other.texture),
            merge(self.spectrum, other.spectrum),
            merge(self.histogram, other.histogram),
            merge(self.pixels, other.pixels),
            self.counted + other.counted,
            self.offered + other.offered,
        )


def strata(flags: np.ndarray) -> dict[str, np.ndarray]:
    """Masks (Ny, Nx) of ``STRATA`` from the product's flags."""
    return {
        "all": np.ones(flags.shape, bool),
        "clear": (flags & int(Flag.LST_SEEN)) > 0,
        "cloudy": (flags & int(Flag.LST_FILLED)) > 0,
        "orbit gap": (flags & int(Flag.ORBIT_GAP_FILLED)) > 0,
    }


def score_day(
    truth: np.ndarray, methods: Mapping[str, Mosaic], land: np.ndarray, ratio: int, spectrum: bool = True
) -> DayScores:
    """Scores of one day.

    ``truth`` and ``land`` (bool) are (Ny, Nx). Only pixels count where the truth and every method have a value, and
    the strata are those of the product (``methods[PRODUCT]``), so all methods are scored on the same pixels. The
    means of coarse cells are taken over all pixels that count, and the anomalies then sorted into the strata.
    ``spectrum`` also computes power spectra, which takes the longest.
    """
    product = methods[PRODUCT]
    truth_there = land & np.isfinite(truth)
    where = truth_there.copy()
    for mosaic in methods.values():
        where &= np.isfinite(mosaic.ssm)
    parts = {name: mask & where for name, mask in strata(product.flags).items()}
    offered = int(np.count_nonzero(truth_there & np.isfinite(product.ssm)))

    mean = cell_mean(truth, where, ratio)
    fields = {TRUTH: truth, **{name: mosaic.ssm for name, mosaic in methods.items()}}
    left = {name: subgrid(field, where, ratio) for name, field in fields.items()}
    scores = {
        (name, stratum): Score(
            Moments.of(truth, mosaic.ssm, part),
            Moments.of(left[TRUTH], left[name], part),
            Intervals.of(truth, mosaic.ssm, mosaic.sigma, part),
        )
        for name, mosaic in methods.items()
        for stratum, part in parts.items()
    }
    texture = {
        name: Texture(
            SubgridSpread.of(left[name], mean, where, ratio),
            Blockiness.of(field, where, ratio),
            Seams.of(field, where, ratio, TILE),
        )
        for name, field in fields.items()
    }
    spectra = {name: Spectrum.of(field, where, ratio) for name, field in fields.items()} if spectrum else {}
    return DayScores(
        scores,
        texture,
        {name: s for name, s in spectra.items() if s is not None},
        {name: Histogram.of(truth, mosaic.ssm, where) for name, mosaic in methods.items()},
        {name: Moments.per_pixel(truth, mosaic.ssm, where) for name, mosaic in methods.items()},
        int(np.count_nonzero(where)),
        offered,
    )


MIN_DAYS = 10  # fewer say nothing about a pixel's course in time


def temporal(pixels: Moments) -> dict[str, float]:
    """Means over pixels of their scores in time, of pixels with at least ``MIN_DAYS`` days."""
    enough = pixels.n >= MIN_DAYS
    if not enough.any():
        return {"temporal ubRMSE": float("nan"), "temporal R": float("nan")}
    r = pixels.r[enough]
    r = r[np.isfinite(r)]
    return {
        "temporal ubRMSE": float(pixels.ubrmse[enough].mean(dtype="float64")),
        "temporal R": float(r.mean(dtype="float64")) if r.size else float("nan"),
    }


def coarse_consistency(mosaic: Mosaic, observed: np.ndarray, footprint: ObservationOperator) -> Moments:
    """Footprint means of the mosaic against the coarse observation, (R, C) m3 m-3, where half of it has a value."""
    mean = footprint.mean(torch.from_numpy(mosaic.ssm), least=0.5).numpy()
    return Moments.of(observed, mean, np.isfinite(observed) & np.isfinite(mean))
