"""The run folder of a training: which settings it was begun with, and whether these are given again."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import MISSING, Field, asdict, fields
from pathlib import Path
from typing import Any

from ssm_net.config import TrainConfig
from ssm_net.core.locks import hold_alone, open_lock
from ssm_net.cube.json_files import CubeError, read_json, write_json
from ssm_net.errors import ConfigError
from ssm_net.estimators.checkpoint import Trained
from ssm_net.train.devices import first_process

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"
# Settings of training from scratch, which do not count for the networks of a prior.
FROM_SCRATCH = ("model", "epochs", "batch_size", "patch", "stride", "lr", "weight_decay", "beta", "subgrid",
                "subgrid_std", "physics", "patience")  # fmt: skip


@contextmanager
def held_run(cfg: TrainConfig, prior: Trained | None) -> Iterator[Path]:
    """The folder of ``cfg.run``, held as its only writer; made or emptied (``restart``) where needed.

    Raises ``ConfigError`` where it holds something else, or a training with other settings, or another process trains
    in it.
    """
    run = Path(cfg.run)
    if not first_process():  # the processes that train together are one writer
        yield run
        return
    new_folders = [folder for folder in (run, *run.parents) if not folder.exists()]
    run.mkdir(parents=True, exist_ok=True)
    lock = open_lock(run / LOCK_FILE)
    try:
        hold_alone(lock, f"run={run} is being trained by another process: wait for it to end, then give the same "
                   "command again")  # fmt: skip
        _open_run(run, cfg, prior)
        yield run
    finally:
        if not (run / "settings.json").exists():
            (run / LOCK_FILE).unlink(missing_ok=True)
            for folder in new_folders:
                with suppress(OSError):
                    folder.rmdir()
        os.close(lock)


def _open_run(run: Path, cfg: TrainConfig, prior: Trained | None) -> None:
    content = [item for item in run.iterdir() if item.name != LOCK_FILE]
    if cfg.restart:
        for item in content:
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
        content = []
    file, given = run / "settings.json", json.loads(json.dumps(deciding_settings(cfg, prior)))
    if not file.exists():
        if content:
            raise ConfigError(f"run={run} is not empty and holds no training; choose another folder")
        write_json(file, given)
        return
    try:
        stored = read_json(file, "restart=true throws this training away and begins again", "seed")
    except CubeError as err:
        raise ConfigError(str(err)) from err
    differences = [f"{k}={given[k]} (was {stored.get(k)})" for k in sorted(given) if stored.get(k) != given[k]]
    if differences:
        raise ConfigError(
            f"run={run} holds a training with other settings: {'; '.join(differences)}. "
            "Choose another run=FOLDER, or restart=true to throw it away"
        )


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
