"""What every script does around its verb: settings once to values, logging, errors a user can act on."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from ssm_net.config import load
from ssm_net.errors import ConfigError

T = TypeVar("T")


def run_verb(verb: Callable[[T], Any], schema: type[T], cfg: DictConfig) -> Any:
    """Check the settings and do the work; returns what the verb made.

    An error of ours (they are ``ValueError`` or ``OSError`` and say what to do) ends the script with its message and
    exit code 1, without a trace unless ``HYDRA_FULL_ERROR=1``. Ctrl-C says how to go on and exits with 130.
    """
    level = logging.DEBUG if HydraConfig.initialized() and HydraConfig.get().verbose else logging.INFO
    quiet = RichHandler(console=Console(stderr=True), show_path=False, show_time=False, rich_tracebacks=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[quiet], force=True)
    logging.getLogger("ssm_net").setLevel(level if level == logging.DEBUG else logging.WARNING)
    try:
        _refuse_sweep_over_devices(cfg)
        return verb(load(schema, cfg))
    except (ConfigError, ValueError, OSError) as err:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        Console(stderr=True).print(f"[bold red]error:[/] {escape(str(err))}", highlight=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        Console(stderr=True).print(
            "[yellow]interrupted[/]: what was finished is kept; the same command goes on from it"
        )
        sys.exit(130)


def _refuse_sweep_over_devices(cfg: DictConfig) -> None:
    """Training on several devices starts the script's own command line once more for each: under ``-m`` every one of
    them would start the whole sweep again.
    """
    devices = OmegaConf.select(cfg, "trainer.devices", default=1)
    if devices != 1 and HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ConfigError(
            f"trainer.devices={devices} with -m (--multirun): each device's process would start the sweep again; "
            "sweep with trainer.devices=1, or train one setting at a time"
        )
