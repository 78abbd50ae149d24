"""Networks that the last-layer regression starts from: those of a prior, or newly trained ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ssm_net.config import ModelConfig, TrainConfig
from ssm_net.cube.store import Cube
from ssm_net.errors import ConfigError
from ssm_net.estimators.ablation import NO_ABLATION, Ablation
from ssm_net.estimators.checkpoint import SHIPPED_PRIOR, Trained, load_trained
from ssm_net.estimators.versions import version_differences
from ssm_net.inputs import features
from ssm_net.inputs.reading import variables
from ssm_net.inputs.scaling import Scaling
from ssm_net.inputs.split import Split
from ssm_net.model.network import Committee
from ssm_net.train.devices import console


@dataclass(frozen=True)
class Start:
    """Networks with the scaling of their features, their size and the mean of the observations they were trained on,
    m3 m-3; ``prior`` is the model they come from, None where they were trained from scratch; ``ablation`` is what is
    left out of the method. ``usual_ssm`` is the mean of the target's observations, which networks of a prior are told.
    """

    network: Committee
    scaling: Scaling
    model: ModelConfig
    mean_ssm: float
    prior: Trained | None
    ablation: Ablation = NO_ABLATION
    usual_ssm: float | None = None


def load_prior(cfg: TrainConfig, cube: Cube) -> Trained | None:
    """The model of ``cfg.prior``, None for ``none``. Raises ``ConfigError`` where it does not fit the cube or the
    settings."""
    if cfg.prior == "none":
        return None
    if cfg.trainer.devices != 1:
        raise ConfigError(f"trainer.devices={cfg.trainer.devices}: networks of a prior are fitted by one process; "
                          "choose trainer=cpu or trainer=gpu, or prior=none to train from scratch")  # fmt: skip
    prior = load_trained(SHIPPED_PRIOR if cfg.prior == "shipped" else cfg.prior)
    if prior.model.lookahead < cfg.days_ahead:
        raise ConfigError(f"mode=archive lookahead={cfg.lookahead}: the networks of prior={cfg.prior} have learned to "
                          f"look {prior.model.lookahead} days ahead, and would gain nothing from more: use mode=nrt, a "
                          "prior that was pretrained with model.lookahead, or prior=none")  # fmt: skip
    if prior.ratio != cube.domain.ratio or not set(prior.scaling.names) & set(features.available(variables(cube))):
        raise ConfigError(f"prior={cfg.prior}: these networks are for another grid or other products than {cube.path}; "
                          "prior=none trains from scratch")  # fmt: skip
    return prior


def start_from_prior(prior: Trained, cfg: TrainConfig, cube: Cube, ablation: Ablation = NO_ABLATION) -> Start:
    """The prior's networks, with the features absent that the cube lacks or the user excludes. Prints what is absent
    and how the prior's processing differs from the present one."""
    have = features.available(variables(cube))
    absent = tuple(n for n in prior.scaling.names if n not in have or n in cfg.exclude)
    without = f"; without {', '.join(absent)}" if absent else ""
    console.print(f"starting from networks pretrained on {prior.provenance.get('worlds', 'unknown')} simulated worlds"
                  + without)  # fmt: skip
    if differences := version_differences(prior.provenance):
        console.print(f"their training inputs were processed by other versions: {', '.join(differences)}")
    return Start(prior.network, replace(prior.scaling, absent=absent), prior.model, prior.mean_ssm, prior, ablation)


def with_usual(start: Start, cube: Cube, parts: Split) -> Start:
    """Networks of a prior that are told the mean of the training observations of ``cube``."""
    usual, _ = mean_observation(cube, parts)
    start.network.take_as_usual(usual)
    return replace(start, usual_ssm=usual)


def mean_observation(cube: Cube, parts: Split) -> tuple[float, int]:
    """Mean of the observations of the training days, m3 m-3, and their number."""
    total, n = 0.0, 0
    for day in parts.train_days:
        y = cube.read_coarse("ssm", day)
        total, n = total + float(np.nansum(y)), n + int(np.isfinite(y).sum())
    return total / n, n
