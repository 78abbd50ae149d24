"""The device that networks are trained on, and what the processes that train print to.

It does not load Lightning, which takes seconds and which only training from scratch needs.
"""

from __future__ import annotations

import os

import torch
from rich.console import Console

from ssm_net.config import TrainerConfig
from ssm_net.errors import ConfigError


def first_process() -> bool:
    """Whether this is the first of the processes that train together, which alone speaks and saves."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


console = Console(quiet=not first_process())


def device_of(cfg: TrainerConfig) -> torch.device:
    """The device that ``trainer.accelerator`` stands for; ``auto`` is a CUDA GPU where there is one, else the CPU.

    Raises ``ConfigError`` where torch finds no such device.
    """
    have = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    kinds = {"auto": ("cuda", "cpu"), "gpu": ("cuda", "mps")}.get(cfg.accelerator, (cfg.accelerator,))
    for kind in kinds:
        if have.get(kind, False):
            return torch.device(kind)
    raise ConfigError(f"trainer.accelerator={cfg.accelerator}: torch finds no such device; trainer=cpu needs none, "
                      "trainer.accelerator=auto takes a GPU where there is one")  # fmt: skip
