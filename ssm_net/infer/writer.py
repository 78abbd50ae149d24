"""Prediction and writing of single days with all that a run shares: estimator, mask, attributes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ssm_net.config import InferConfig
from ssm_net.core.faults import FaultPoint, reached
from ssm_net.core.files import stamp, write_whole
from ssm_net.cube.footprint import ObservationOperator
from ssm_net.cube.lookahead import ArchiveCube, seen_from
from ssm_net.cube.store import Cube, open_cube
from ssm_net.estimators.ablation import NO_ABLATION, Ablation
from ssm_net.estimators.checkpoint import Trained
from ssm_net.estimators.interface import Estimator
from ssm_net.estimators.network import NetworkEstimator
from ssm_net.estimators.precision import Precision, choose_precision
from ssm_net.estimators.registry import baseline
from ssm_net.formats.mosaic_days import provisional_file, write_day, write_quicklook
from ssm_net.formats.product import Attribute, Flag
from ssm_net.infer import quality_flags
from ssm_net.infer.credits import input_attributes, publisher_attributes
from ssm_net.infer.day import DayBackground, predict_background
from ssm_net.infer.plan import InferenceError
from ssm_net.infer.provenance import Provenance
from ssm_net.version import __version__


@dataclass(frozen=True)
class DayWriter:
    """Predicts days and writes their maps. ``h`` holds the production mask, ``static_flags`` (y, x) uint16 the flags
    that no day changes, ``attrs`` the attributes that all maps share, ``region_sigma`` the error that all pixels share
    (m3 m-3)."""

    cfg: InferConfig
    cube: Cube
    estimator: Estimator
    precision: Precision
    device: torch.device
    attrs: dict[str, Attribute]
    h: ObservationOperator
    static_flags: np.ndarray
    region_sigma: float = 0.0

    @classmethod
    def open(cls, cfg: InferConfig, trained: Trained | None, ablation: Ablation = NO_ABLATION) -> DayWriter:
        """``trained`` is None for a baseline. Raises ``SsmNetError`` where the cube lacks what the estimator needs."""
        cube = seen_from(open_cube(cfg.cube), trained.lookahead if trained else 0)
        device = choose_device(cfg.device) if trained else torch.device("cpu")
        precision = Precision(torch.float32, "baselines are in float32")
        if trained is not None:
            precision = choose_precision(cfg.precision, trained.network, device)
            estimator: Estimator = NetworkEstimator(trained, cube, device, precision.dtype, ablation)
        else:
            estimator = baseline(cfg.method, cube)
        attrs = provenance_of(cfg, trained) | _described(cfg, cube, estimator) | _computed(precision, device)
        attrs |= publisher_attributes(cfg.publisher)
        level, flags = trained.calibration.level if trained is not None else 0.0, quality_flags.static_flags(cube)
        return cls(cfg, cube, estimator, precision, device, attrs, cube.footprint(), flags, level)

    def predict(self, day: dt.date, progress: Callable[[int, int], None] | None = None) -> DayBackground:
        """``progress`` is called with the number of tiles that are done and that of all.

        Raises ``InferenceError`` where ``prepare`` makes the day again meanwhile, or one that it rests on.
        """
        before = self._made(day)
        own: dict[str, Attribute] = {
            "revision": self.cube.revision(day), "coarse_sources": quality_flags.sensor_names(self.cube, day),
            **input_attributes(self.cube, day),
        }  # fmt: skip
        background = predict_background(self.estimator, self.cube, day, self.h, self.static_flags,
                                        update=self.cfg.update, tile=self.cfg.tile, progress=progress)  # fmt: skip
        if not self.cube.done(day) or self._made(day) != before:
            raise InferenceError(
                f"{self.cube.path}: prepare.py makes {day} again, or days before it, while its map is being made; no "
                "map of it is written: give the same command again once prepare.py has ended"
            )
        if isinstance(self.cube, ArchiveCube):
            known, provisional = len(self.cube.days_ahead(day)), not self.cube.whole(day)
            own |= {"days_ahead": known, "status": "provisional" if provisional else "final"}
            if provisional:
                background.flags[self.h.land.numpy()] |= np.uint16(Flag.PROVISIONAL)
        return replace(background, own=own, region_sigma=self.region_sigma)

    def _made(self, day: dt.date) -> list[tuple[int, int]]:
        """When the status of ``day``, and of each day that it rests on, was written: a day that is made again loses its
        status before any of its fields is touched."""
        last = self.cube.index(day)
        days = [*self.cube.days[max(0, last - self.estimator.lags) : last + 1]]
        if isinstance(self.cube, ArchiveCube):
            days += self.cube.days_ahead(day)
        return [stamp(self.cube.status_file(d)) for d in days]

    def provisional(self, day: dt.date) -> bool:
        """Whether the day's map is there and provisional."""
        return provisional_file(Path(self.cfg.mosaics), self.cube.domain.name, day).exists()

    def write(self, background: DayBackground) -> Path:
        """The picture comes first: a day is done when its file is there. A provisional one is marked before, and a
        final one loses its mark after, so that no map is taken for final too early."""
        day = background.coarse.day
        mosaic, folder = background.mosaic(self.attrs), Path(self.cfg.mosaics)
        mark = provisional_file(folder, mosaic.domain.name, day)
        if self.cfg.quicklook:
            write_quicklook(mosaic, folder)
            reached(FaultPoint.QUICKLOOK_WITHOUT_MOSAIC, day)
        if provisional := background.own.get("status") == "provisional":
            write_whole(mark, b"")
        path = write_day(mosaic, folder, self.cfg.format)
        if not provisional:
            mark.unlink(missing_ok=True)
        return path


def choose_device(name: str) -> torch.device:
    """``auto`` is CUDA where torch finds it. Raises ``InferenceError`` where the device asked for is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InferenceError(f"device={name}: torch finds no CUDA device here; use device=cpu or device=auto")
    return torch.device(name)


def provenance_of(cfg: InferConfig, trained: Trained | None) -> Provenance:
    """What distinguishes the maps of one model from those of another; ``trained`` is None for a baseline."""
    if trained is None:
        return {"model": cfg.method, "checkpoint": "none", "mode": mode_of(0)}
    attrs: Provenance = {
        "model": "ssm_net", "checkpoint": trained.digest, "features": " ".join(trained.scaling.names),
        "mode": mode_of(trained.lookahead),
        "trained_on": f"{trained.provenance['cube']} {' .. '.join(trained.provenance['train_days'])}",
    }  # fmt: skip
    if trained.usual_ssm is not None:  # not among the weights, of which ``checkpoint`` is the digest
        attrs["usual_ssm"] = round(trained.usual_ssm, 6)
    if stations := trained.provenance.get("stations"):
        attrs["stations_trained_on"] = "; ".join(stations)
    return attrs


def mode_of(lookahead: int) -> str:
    """What a map says of the days that it knows."""
    return f"archive: knows {lookahead} days ahead" if lookahead else "near real time: knows the days before only"


def _described(cfg: InferConfig, cube: Cube, estimator: Estimator) -> dict[str, Attribute]:
    """Global attributes that say what a mosaic was made of; nothing in them changes from run to run."""
    products = {k: v for k, v in cube.attrs.items() if k in ("ssm", "lst", "reflectance", "rain") and v}
    return {
        "update": cfg.update if estimator.updates else "none",
        "inference_tile": cfg.tile,  # coarse cells; the evaluation looks for seams there
        "inputs": ", ".join(f"{k}: {v}" for k, v in sorted(products.items())),
        "coarse_footprint": f"{cube.attrs['footprint']}, FWHM {cube.attrs['fwhm_km']} km",
        "source": f"{cube.attrs.get('ssm') or 'no'} coarse soil moisture downscaled with MODIS and weather",
        "product_version": __version__,
        "history": f"made by ssm_net {__version__} (infer.py)",
    }


def _computed(precision: Precision, device: torch.device) -> dict[str, Attribute]:
    """Global attributes: on what a mosaic was computed. Maps of two devices or precisions differ by rounding."""
    return {"compute_precision": precision.name, "compute_device": device.type,
            "torch_version": torch.__version__.split("+")[0]}  # fmt: skip
