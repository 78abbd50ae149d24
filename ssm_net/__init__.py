"""Daily 1 km soil moisture maps from coarse passive-microwave retrievals, MODIS, VIIRS and weather.

    import ssm_net

    ssm_net.infer(ssm_net.InferConfig(cube="cube.zarr", run="run", mosaics="mosaics"))
    series = ssm_net.open_mosaics("mosaics")  # an xarray.Dataset

Ten verbs (``download``, ``simulate``, ``prepare``, ``train``, ``infer``, ``evaluate``, ``extract``, ``climate``,
``produce``, ``pretrain``) take their settings as one value and return what they made. ``open_cube`` and
``open_mosaics`` open what they wrote; ``at_points`` and ``over_areas`` are series of maps at stations and means over
basins; ``monthly_means``, ``climatology``, ``anomalies`` and ``percentiles`` are statistics of maps over time.
Names are imported at their first use, so that a process that reads granules does not load what trains networks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ssm_net.version import __version__

if TYPE_CHECKING:
    from ssm_net.climate import climate
    from ssm_net.climate.run import anomalies, climatology, monthly_means, percentiles
    from ssm_net.config import (
        ClimateConfig,
        DomainConfig,
        DownloadConfig,
        EarthdataConfig,
        EngineConfig,
        EvaluateConfig,
        ExtractConfig,
        InferConfig,
        MemoryConfig,
        ModelConfig,
        PrepareConfig,
        PretrainConfig,
        ProduceConfig,
        PublisherConfig,
        SimulateConfig,
        TrainConfig,
        TrainerConfig,
    )
    from ssm_net.cube.store import open_cube
    from ssm_net.download import download
    from ssm_net.errors import SsmNetError
    from ssm_net.evaluate import evaluate
    from ssm_net.extract import extract
    from ssm_net.extract.series import at_points, over_areas
    from ssm_net.formats.mosaic_series import open_mosaics
    from ssm_net.grid import Domain
    from ssm_net.infer import infer
    from ssm_net.prepare import prepare
    from ssm_net.pretrain import pretrain
    from ssm_net.produce import produce
    from ssm_net.simulate import simulate
    from ssm_net.train import train

__all__ = [
    "ClimateConfig",
    "Domain",
    "DomainConfig",
    "DownloadConfig",
    "EarthdataConfig",
    "EngineConfig",
    "EvaluateConfig",
    "ExtractConfig",
    "InferConfig",
    "MemoryConfig",
    "ModelConfig",
    "PrepareConfig",
    "PretrainConfig",
    "ProduceConfig",
    "PublisherConfig",
    "SimulateConfig",
    "SsmNetError",
    "TrainConfig",
    "TrainerConfig",
    "__version__",
    "anomalies",
    "at_points",
    "climate",
    "climatology",
    "download",
    "evaluate",
    "extract",
    "infer",
    "monthly_means",
    "open_cube",
    "open_mosaics",
    "over_areas",
    "percentiles",
    "prepare",
    "pretrain",
    "produce",
    "simulate",
    "train",
]

VERBS = ("climate", "download", "evaluate", "extract", "infer", "prepare", "pretrain", "produce", "simulate", "train")
MODULES = {  # of the other names
    **{name: "config" for name in __all__ if name.endswith("Config")},
    "Domain": "grid",
    "SsmNetError": "errors",
    "open_cube": "cube.store",
    "open_mosaics": "formats.mosaic_series",
    "at_points": "extract.series",
    "over_areas": "extract.series",
    **dict.fromkeys(("monthly_means", "climatology", "anomalies", "percentiles"), "climate.run"),
}


def __getattr__(name: str) -> Any:
    if name in VERBS:  # the package of a verb can be called like its function
        return importlib.import_module(f"ssm_net.{name}")
    if name in MODULES:
        return getattr(importlib.import_module(f"ssm_net.{MODULES[name]}"), name)
    raise AttributeError(f"module 'ssm_net' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
