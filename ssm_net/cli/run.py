"""One run of a verb: settings to values, logging, errors a user can act on, the objective of a sweep."""

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

from ssm_net.cli.sweep import run_point
from ssm_net.config import TrainConfig, load
from ssm_net.errors import ConfigError, SsmNetError

T = TypeVar("T")


def run_verb(verb: Callable[[T], Any], schema: type[T], cfg: DictConfig) -> float | None:
    """Check the settings and do the work; returns the objective (see ``objective``).

    Errors that a user can act on, ``SsmNetError`` and ``OSError``, end the command with their message and exit code 1,
    without a trace unless ``HYDRA_FULL_ERROR=1``; any other exception is a defect and keeps its trace. Ctrl-C exits
    with 130, ``produce`` with the code of how its record stands. In a sweep (-m) all exceptions are raised, so that
    Hydra counts the point as failed and goes on.
    """
    _log_to_terminal()

    def work() -> float | None:
        _refuse_sweep_over_devices(cfg)
        value = load(schema, cfg)
        result = verb(value)
        if (code := getattr(result, "exit_code", 0)) and not _in_sweep():  # of produce; not its class, which loads all
            sys.exit(code)
        return objective(value, result)

    if _in_sweep():
        return run_point(work)
    try:
        return work()
    except (SsmNetError, OSError) as err:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        print_error(err)
        sys.exit(1)
    except KeyboardInterrupt:
        print_interrupted()
        sys.exit(130)


def objective(settings: Any, result: Any) -> float | None:
    """What a sweeper minimises: of ``train`` the RMSE of the innovation on withheld observations, m3 m-3.

    None for the other verbs, and with ``plan=true``.
    """
    if isinstance(settings, TrainConfig) and result is not None:
        return float(result.provenance["validation"]["innovation_rmse"])
    return None


def print_error(err: BaseException | str) -> None:
    Console(stderr=True).print(f"[bold red]error:[/] {escape(str(err))}", highlight=False, soft_wrap=True)


def print_interrupted() -> None:
    Console(stderr=True).print("[yellow]interrupted[/]: what was finished is kept; the same command goes on from it")


def _in_sweep() -> bool:
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _log_to_terminal() -> None:
    """Warnings of all packages; with ``hydra.verbose=true`` also the steps of ssm_net."""
    verbose = HydraConfig.initialized() and bool(HydraConfig.get().verbose)
    handler = RichHandler(
        logging.DEBUG if verbose else logging.WARNING,
        console=Console(stderr=True), show_path=False, show_time=False, rich_tracebacks=False,
    )  # fmt: skip
    handler.addFilter(_Once())
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("ssm_net").setLevel(logging.DEBUG if verbose else logging.INFO)


class _Once(logging.Filter):
    """Lets each message through once: a granule may be read for several days, and says the same each time."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[tuple[int, str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.levelno, record.getMessage()
        if message in self.said:
            return False
        self.said.add(message)
        return True


def _refuse_sweep_over_devices(cfg: DictConfig) -> None:
    """Training on several devices starts the command line once more for each: under ``-m`` every one of them would
    start the entire sweep again.
    """
    devices = OmegaConf.select(cfg, "trainer.devices", default=1)
    if devices != 1 and _in_sweep():
        raise ConfigError(
            f"trainer.devices={devices} with -m (--multirun): each device's process would start the sweep again; "
            "sweep with trainer.devices=1, or train one setting at a time"
        )
