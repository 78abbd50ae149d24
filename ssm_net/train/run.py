"""Training of a model for a cube: networks of a prior or from scratch, last-layer regression, calibration.

What is finished is not done again; training from scratch that was cut off goes on from its last whole epoch. The cube
is only read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.markup import escape

from ssm_net.config import TrainConfig
from ssm_net.cube.lookahead import seen_from
from ssm_net.cube.store import Cube, open_cube
from ssm_net.errors import ConfigError
from ssm_net.estimators.ablation import NO_ABLATION, Ablation
from ssm_net.estimators.checkpoint import Trained, load_trained, save_trained
from ssm_net.estimators.versions import VERSIONS
from ssm_net.inputs import features
from ssm_net.inputs.reading import variables
from ssm_net.inputs.split import Split, split
from ssm_net.train.devices import console, device_of, first_process
from ssm_net.train.errors import TrainingError
from ssm_net.train.last_layer import design_rows, evenly_chosen, fit_last_layer
from ssm_net.train.run_folder import deciding_settings, held_run, warn_of_ignored
from ssm_net.train.sensor_footprint import footprint_of
from ssm_net.train.start import Start, load_prior, start_from_prior, with_usual
from ssm_net.train.target_slopes import target_slopes
from ssm_net.train.training_stations import TrainingStation, read_training_stations
from ssm_net.train.withheld import Withheld, calibrated, measure_withheld, scores
from ssm_net.version import __version__


def train(cfg: TrainConfig, ablation: Ablation = NO_ABLATION) -> Trained | None:
    """Train and return the model, which is saved in ``cfg.run``; ``None`` with ``plan=true``. ``ablation`` leaves parts
    of the method out, to measure what they are worth; the model does not remember it, so ``infer`` is given the same.

    Raises ``TrainingError`` where the cube cannot be trained on, ``ConfigError`` where settings do not fit it.
    """
    cube = seen_from(open_cube(cfg.cube), cfg.days_ahead)
    parts = split_of(cfg, cube)
    prior = load_prior(cfg, cube)
    device = device_of(cfg.trainer)
    if prior is not None:
        warn_of_ignored(cfg)
    if cfg.plan:
        _print_plan(cfg, cube, parts)
        return None
    with held_run(cfg, prior) as run:
        return _train(cfg, cube, parts, prior, device, run, ablation)


def _train(
    cfg: TrainConfig, cube: Cube, parts: Split, prior: Trained | None, device: torch.device, run: Path,
    ablation: Ablation,
) -> Trained | None:  # fmt: skip
    if (run / "model.json").exists():
        console.print(f"[green]{escape(str(run))} is trained already[/]; restart=true trains again")
        return load_trained(run)
    if prior is None:
        from ssm_net.train.from_scratch import train_from_scratch  # Lightning takes seconds to load

        start = train_from_scratch(cfg, cube, parts, run, ablation)
    else:
        start = with_usual(start_from_prior(prior, cfg, cube, ablation), cube, parts)
    if not first_process():
        return None
    start.network.eval().to(device)
    stations = read_training_stations(Path(cfg.stations), cube, parts) if cfg.stations else []
    with console.status(f"fitting the last layer to the coarse observations on {device.type}"):
        _fit_last_layer(start, cube, parts, stations)
    with console.status("measuring the error on withheld observations"):
        withheld = measure_withheld(start, cube, parts, stations)
    _save(run, cfg, cube, parts, start, withheld, [s.name for s in stations])
    numbers = scores(withheld.innovations)
    console.print(
        f"[green]trained[/]: innovation RMSE {numbers['innovation_rmse']:.4f} m3 m-3 "
        f"(bias {numbers['innovation_bias']:+.4f}) on {numbers['observations']:,} withheld observations; model in "
        f"{escape(str(run))}"
    )
    return load_trained(run)


def split_of(cfg: TrainConfig, cube: Cube) -> Split:
    """The days and cells to train on and those held out. Raises ``TrainingError`` where no day has an observation or no
    pixel is land, ``ConfigError`` where settings do not fit the cube."""
    if "ssm" not in cube.coarse:
        raise TrainingError(f"{cube.path} holds no coarse soil moisture, which networks learn from: prepare a cube "
                            "with one (NNsm, C3S, CCI or SMAP in raw/)")  # fmt: skip
    days = _observed(cube, cube.days_with_pixels())
    if not days:
        raise TrainingError(f"{cube.path}: no day with a coarse observation; was its product in raw/? See prepare.py")
    if not cube.land_fraction.any():
        raise TrainingError(
            f"{cube.path}: no pixel is land to train on: all are water, built over or outside the boundary. Check the "
            "static maps water_fraction and urban (fractions 0 .. 1) and the boundary, and prepare a new cube"
        )
    if cube.domain.ratio % cfg.stride:
        raise ConfigError(f"stride={cfg.stride} must divide the {cube.domain.ratio} pixels of a cell's side")
    have = features.available(variables(cube))
    if unknown := sorted(set(cfg.exclude) - set(have)):
        raise ConfigError(f"exclude: {', '.join(unknown)} is no feature of {cube.path}; it has {', '.join(have)}")
    return split(days, cube.domain.coarse_shape, cfg.validation_fraction, cfg.validation_days, cfg.seed)


def _observed(cube: Cube, days: Sequence[dt.date]) -> list[dt.date]:
    return [d for d in days if (cube.status(d) or {}).get("observed", 0) > 0]


def _days_of_slopes(cube: Cube, parts: Split) -> list[dt.date]:
    """The days that regional slopes are learned from. Cell means say them, which a cube keeps of all days, also where
    it keeps the pixels of a few only."""
    if cube.pixels_since == dt.date.min:
        return evenly_chosen(parts.train_days)
    return evenly_chosen(_observed(cube, [d for d in cube.done_days() if d <= parts.train_days[-1]]))


def _fit_last_layer(start: Start, cube: Cube, parts: Split, stations: list[TrainingStation]) -> None:
    days = evenly_chosen(parts.train_days)
    # Networks trained from nothing have learned without regional slopes, and keep those of 0.
    if start.prior is not None:
        of_slopes = _days_of_slopes(cube, parts)
        slopes = target_slopes(cube, start.scaling, of_slopes, ~parts.held_cells, stations)
        for member in start.network:
            member.slopes.copy_(slopes)
    observations = design_rows(
        start.network, cube, start.scaling, days, ~parts.held_cells, lags=start.model.lags, stations=stations,
        ablation=start.ablation,
    )  # fmt: skip
    if observations is None:
        raise TrainingError(f"{cube.path}: every observation is held out; lower validation_fraction")
    fit_last_layer(start.network, observations, start.ablation.sensor_bias)


def _save(
    run: Path, cfg: TrainConfig, cube: Cube, parts: Split, start: Start, withheld: Withheld, stations: list[str]
) -> None:
    prior, footprint = start.prior, footprint_of(cube)
    provenance = {
        "ssm_net": __version__, "torch": torch.__version__.split("+")[0], "versions": VERSIONS,
        "cube": cube.path.name, "domain": cube.domain.name, "inputs": dict(cube.attrs),
        "train_days": [str(d) for d in (parts.train_days[0], parts.train_days[-1])],
        "held_cells": np.argwhere(parts.held_cells).tolist(), "settings": deciding_settings(cfg, prior),
        "validation": scores(withheld.innovations), "prior": prior.provenance if prior else None, "stations": stations,
    }  # fmt: skip
    save_trained(run, Trained(
        start.network.cpu(), start.scaling, start.model, cube.domain.ratio, footprint.kind, footprint.fwhm,
        start.mean_ssm, calibrated(withheld, start, cube), provenance, lookahead=cfg.days_ahead,
        usual_ssm=start.usual_ssm,
    ))  # fmt: skip


def _print_plan(cfg: TrainConfig, cube: Cube, parts: Split) -> None:
    how = f"train {cfg.epochs} epochs from scratch" if cfg.prior == "none" else f"learn from prior={escape(cfg.prior)}"
    console.print(
        f"would {how} on {len(parts.train_days)} days of {escape(str(cube.path))} "
        f"({parts.train_days[0]} .. {parts.train_days[-1]}), holding out {len(parts.held_days)} days and "
        f"{int(parts.held_cells.sum())} of {parts.held_cells.size} cells, into {escape(cfg.run)}"
    )
