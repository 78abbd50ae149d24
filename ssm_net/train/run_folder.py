"""The run folder of a training: which settings it was begun with, and whether these are given again."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import MISSING, Field, asdict, fields
from pathlib import Path
from typing import Any

from ssm_net.config import TrainConfig
from ssm_net.cube.store import write_json
from ssm_net.errors import ConfigError
from ssm_net.estimators.checkpoint import Trained

log = logging.getLogger(__name__)

# Settings of training from scratch, which do not count for the networks of a prior.
FROM_SCRATCH = ("model", "epochs", "batch_size", "patch", "stride", "lr", "weight_decay", "beta", "subgrid",
                "subgrid_std", "physics", "patience")  # fmt: skip


def open_run(cfg: TrainConfig, prior: Trained | None) -> Path:
    """The folder of ``cfg.run``, made or emptied (``restart``) where needed. Raises ``ConfigError`` where it holds
    something else, or a training with other settings."""
    run = Path(cfg.run)
    if cfg.restart:
        shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True, exist_ok=True)
    file, given = run / "settings.json", json.loads(json.dumps(deciding_settings(cfg, prior)))
    if not file.exists():
        if any(run.iterdir()):
            raise ConfigError(f"run={run} is not empty and holds no training; choose another folder")
        write_json(file, given)
        return run
    stored = json.loads(file.read_text())
    differences = [f"{k}={given[k]} (was {stored.get(k)})" for k in sorted(given) if stored.get(k) != given[k]]
    if differences:
        raise ConfigError(
            f"run={run} holds a training with other settings: {'; '.join(differences)}. "
            "Choose another run=FOLDER, or restart=true to throw it away"
        )
    return run


def deciding_settings(cfg: TrainConfig, prior: Trained | None) -> dict[str, Any]:
    """The settings that decide the result; where it runs and where it is written do not."""
    settings = asdict(cfg)
    for key in ("run", "restart", "plan", "trainer"):
        del settings[key]
    precision = cfg.trainer.precision
    if prior is not None:
        for key in FROM_SCRATCH:
            del settings[key]
        settings["prior"], precision = prior.digest, "32-true"
    return settings | {"precision": precision, "cube": str(Path(cfg.cube).resolve().name)}


def warn_of_ignored(cfg: TrainConfig) -> None:
    """Log a warning that names the settings changed from their defaults which do not count with a prior."""
    of = {f.name: f for f in fields(cfg)}
    changed = [key for key in FROM_SCRATCH if getattr(cfg, key) != _default(of[key])]
    if changed:
        log.warning(
            "%s: no effect on the networks of prior=%s; prior=none trains from scratch with these settings",
            ", ".join(f"{key}.*" if key == "model" else f"{key}={getattr(cfg, key)}" for key in changed),
            cfg.prior,
        )


def _default(of: Field[Any]) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()
