"""The settings of every verb: one frozen dataclass a verb, the only schema and the only place of a default.

Each key is explained by the docstring below it, which ``--help`` prints. ``load`` turns what Hydra composed, or a plain
dictionary, into these values. Importing them needs neither Hydra nor OmegaConf.
"""

from ssm_net.config.checks import METHODS, days_between, parse_day
from ssm_net.config.climate import CLIMATE_PRODUCTS, ClimateConfig
from ssm_net.config.download import DOWNLOADS, DownloadConfig, EarthdataConfig
from ssm_net.config.evaluate import EvaluateConfig
from ssm_net.config.extract import ExtractConfig
from ssm_net.config.infer import InferConfig
from ssm_net.config.loading import load
from ssm_net.config.prepare import PrepareConfig
from ssm_net.config.pretrain import PRIOR_MODEL, PretrainConfig
from ssm_net.config.produce import ProduceConfig
from ssm_net.config.shared import DomainConfig, EngineConfig, MemoryConfig, ModelConfig, PublisherConfig, TrainerConfig
from ssm_net.config.simulate import SimulateConfig
from ssm_net.config.train import TrainConfig

__all__ = [
    "CLIMATE_PRODUCTS",
    "DOWNLOADS",
    "METHODS",
    "PRIOR_MODEL",
    "ClimateConfig",
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
    "TrainConfig",
    "TrainerConfig",
    "days_between",
    "load",
    "parse_day",
]
