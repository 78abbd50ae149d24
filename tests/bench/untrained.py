"""A small prior with first weights, as benchmarks are given one: a network a group of families, all features."""

from __future__ import annotations

from pathlib import Path

import torch

from ssm_net.config import ModelConfig
from ssm_net.estimators.calibration import Calibration
from ssm_net.estimators.checkpoint import Trained, build, save_trained
from ssm_net.estimators.versions import VERSIONS
from ssm_net.grid import M36
from ssm_net.inputs.scaling import Scaling
from ssm_net.pretrain.worlds import FEATURE_NAMES

MEAN = {"sand": 48.0, "clay": 22.0, "api_10": 2.8, "api_30": 3.6}
STD = {"sand": 20.0, "clay": 9.0, "relief": 30.0, "lst_day_today": 3.0, "lst_day_memory": 3.0, "lst_day_slow": 3.0}
GROUPS = ("AD", "BE", "CF")


def untrained_prior(folder: Path, model: ModelConfig | None = None) -> Path:
    """``folder``, where the prior is saved."""
    model = model or ModelConfig(members=3, width=8, depth=1, coarse_width=8, coarse_depth=1, cells=True, lags=3)
    mean, std = (tuple(known.get(n, default) for n in FEATURE_NAMES) for known, default in ((MEAN, 0.0), (STD, 1.0)))
    low, high = ((sign * 1e6,) * len(FEATURE_NAMES) for sign in (-1, 1))
    scaling = Scaling(tuple(FEATURE_NAMES), mean, std, low, high, "2013-01-01", "2017-12-31")
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    save_trained(folder, Trained(
        build(model, scaling, 0.2).eval(), scaling, model, M36.ratio, "gaussian", 43.0, 0.2, Calibration(),
        {"versions": VERSIONS, "families": list(GROUPS), "worlds": 120,
         "RMSE there, m3 m-3": dict.fromkeys(GROUPS, 0.04)},
    ))  # fmt: skip
    return folder
