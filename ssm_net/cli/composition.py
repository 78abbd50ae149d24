"""Composition of a verb's settings by Hydra: where configuration files are, which schema each verb has.

Files are searched in ``conf/`` of the working folder first, then in the ``conf/`` that comes with ssm_net; schemas, and
so the defaults, are the dataclasses of ``ssm_net.config``, registered here once in Hydra's ConfigStore.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf

import ssm_net
from ssm_net import config
from ssm_net.config.loading import writable

HYDRA = "1.3"  # whose defaults are asked for
SCHEMAS: dict[str, type[Any]] = {
    "download": config.DownloadConfig,
    "simulate": config.SimulateConfig,
    "prepare": config.PrepareConfig,
    "train": config.TrainConfig,
    "infer": config.InferConfig,
    "evaluate": config.EvaluateConfig,
    "extract": config.ExtractConfig,
    "climate": config.ClimateConfig,
    "produce": config.ProduceConfig,
    "pretrain": config.PretrainConfig,
}


def conf_folder() -> Path:
    """The ``conf/`` that comes with ssm_net: inside the package where it is installed, next to it in a checkout."""
    package = Path(ssm_net.__file__).parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


class UserConf(SearchPathPlugin):
    """Hydra's search path with ``conf/`` of the working folder, if there is one, before all others."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        folder = Path.cwd() / "conf"
        if folder.is_dir() and folder != conf_folder():
            search_path.prepend("user", f"file://{folder}")


def composed(verb: str, overrides: Sequence[str] = (), *, return_hydra_config: bool = False) -> DictConfig:
    """What ``ssm-net COMMAND OVERRIDES`` would work with. Raises Hydra's errors where a key or an option is unknown."""
    with initialize_config_dir(str(conf_folder()), version_base=HYDRA):
        return compose(verb, list(overrides), return_hydra_config=return_hydra_config)


def settings(verb: str, overrides: Sequence[str] = ()) -> Any:
    """The checked settings of ``ssm-net COMMAND OVERRIDES``; raises ``ConfigError``, too, where a key is not given."""
    return config.load(SCHEMAS[verb], composed(verb, overrides))


def _register() -> None:
    Plugins.instance().register(UserConf)
    store = ConfigStore.instance()
    for verb, schema in SCHEMAS.items():
        store.store(verb, writable(schema), group="schema", package="_global_", provider="ssm_net")
    store.store("model", writable(config.ModelConfig), group="schema", provider="ssm_net")
    store.store("prior_model", writable(config.PRIOR_MODEL), group="schema", provider="ssm_net")
    OmegaConf.register_new_resolver(
        "ssm_net.only_in_a_sweep", lambda mode, value: value if "MULTIRUN" in str(mode) else None, replace=True
    )


_register()
