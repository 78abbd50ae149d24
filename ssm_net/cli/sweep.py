"""The points of a sweep (-m): each logs next to its settings; those that fail are reported at the end.

A point that fails raises, as Hydra's launchers and sweepers expect, and leaves ``failed_<number>.json`` in the folder
of the sweep, since a launcher may run it in another process or on another machine.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from ssm_net.errors import SsmNetError

log = logging.getLogger(__name__)


class PointFailed(CompactHydraException):
    """A point ended with an error that a user can act on; Hydra prints its message without a trace."""


@dataclass(frozen=True)
class Failure:
    """A point of the sweep that failed: its number, what it was given and what was wrong."""

    number: int
    overrides: list[str]
    error: str


def run_point(work: Callable[[], float | None]) -> float | None:
    """Do the work of one point, with its log in the point's own folder; a failure is recorded, logged and raised."""
    hydra = HydraConfig.get()
    folder, number = Path(hydra.runtime.output_dir), int(hydra.job.num)
    overrides = [str(o) for o in OmegaConf.to_container(hydra.overrides.task) or []]
    with _log_file(folder / f"{hydra.job.name}.log"):
        log.info("point %d: %s", number, " ".join(overrides))
        try:
            value = work()
        except Exception as err:
            log.error("failed: %s", err, exc_info=err)
            failure = Failure(number, overrides, f"{err}" if _for_users(err) else f"{type(err).__name__}: {err}")
            record = Path(hydra.sweep.dir).absolute() / f"failed_{number}.json"
            record.write_text(json.dumps(vars(failure), indent=2))
            if _for_users(err):
                raise PointFailed(str(err)) from err
            raise
        log.info("done%s", "" if value is None else f": objective {value:.6g}")
    return value


class SweepFolder(Callback):
    """Hydra's callback at the start of a sweep: remembers its folder and removes the failures of an earlier one."""

    current: ClassVar[Path | None] = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir).absolute()
        for file in folder.glob("failed_*.json"):
            file.unlink()
        SweepFolder.current = folder


def failures() -> list[Failure]:
    """The points of this process's sweep that failed, by number; none where there was no sweep."""
    if SweepFolder.current is None:
        return []
    files = SweepFolder.current.glob("failed_*.json")
    return sorted((Failure(**json.loads(f.read_text())) for f in files), key=lambda failure: failure.number)


def _for_users(err: Exception) -> bool:
    return isinstance(err, SsmNetError | OSError)


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
