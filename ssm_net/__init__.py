"""Daily 1 km soil moisture maps from coarse passive-microwave retrievals, MODIS and weather.

    import ssm_net

    ssm_net.infer(ssm_net.InferConfig(cube="cube.zarr", run="run", mosaics="mosaics"))

Each verb takes its settings as one value and returns what it made. Names are imported when they are first used, so that
a process that reads granules does not load what trains networks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ssm_net.version import __version__

if TYPE_CHECKING:
    from ssm_net.config import (
        EvaluateConfig,
        InferConfig,
        PrepareConfig,
        PretrainConfig,
        SimulateConfig,
        TrainConfig,
    )
    from ssm_net.cube.store import open_cube
    from ssm_net.evaluate import evaluate
    from ssm_net.grid import Domain
    from ssm_net.infer import infer
    from ssm_net.prepare import prepare
    from ssm_net.pretrain import pretrain
    from ssm_net.simulate import simulate
    from ssm_net.train import train

VERBS = ("evaluate", "infer", "prepare", "pretrain", "simulate", "train")
HOMES = {
    **dict.fromkeys(
        ("EvaluateConfig", "InferConfig", "PrepareConfig", "PretrainConfig", "SimulateConfig", "TrainConfig"), "config"
    ),
    "Domain": "grid",
    "open_cube": "cube.store",
}

__all__ = [
    "Domain",
    "EvaluateConfig",
    "InferConfig",
    "PrepareConfig",
    "PretrainConfig",
    "SimulateConfig",
    "TrainConfig",
    "__version__",
    "evaluate",
    "infer",
    "open_cube",
    "prepare",
    "pretrain",
    "simulate",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in VERBS:  # a verb's package is called like its function
        return importlib.import_module(f"ssm_net.{name}")
    if name in HOMES:
        return getattr(importlib.import_module(f"ssm_net.{HOMES[name]}"), name)
    raise AttributeError(f"module 'ssm_net' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
