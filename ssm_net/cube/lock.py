"""The writer's lock of a cube: one process at a time makes, extends or changes it.

The lock is an advisory ``flock`` on ``CUBE/.lock``, which the system takes back from a process that dies. What writes
into a cube asks for the ``CubeLock``, so nothing can be written without it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ssm_net.core.locks import LockFileError, open_lock
from ssm_net.core.reading_mark import MARKS
from ssm_net.cube.json_files import CubeError

LOCK_FILE = ".lock"
UNFINISHED = ".unfinished"  # stands in the folder of a cube while it is being made


@dataclass
class CubeLock:
    """Proof that this process is the only writer of the cube at ``path``; void once its ``with`` block has ended."""

    path: Path
    held: bool = field(default=True, init=False)


@contextlib.contextmanager
def write_lock(path: str | Path) -> Iterator[CubeLock]:
    """Hold the cube at ``path``, which need not be there yet, as its only writer.

    A folder that is made for the lock alone is removed again where no cube is made in it. Raises ``CubeError`` where
    another process holds the cube, where ``path`` holds something else than a cube, or where the lock file is a link;
    ``OSError`` where the folder cannot be written.
    """
    path = Path(path)
    _refuse_other_content(path)
    new_folders = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(path / LOCK_FILE)
    lock = CubeLock(path)
    try:
        yield lock
    finally:
        lock.held = False
        if not any((path / name).exists() for name in ("cube.json", UNFINISHED)):
            (path / LOCK_FILE).unlink(missing_ok=True)
            for folder in new_folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        os.close(descriptor)


def _refuse_other_content(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise CubeError(f"{path} is a file, not a cube: give another cube=PATH")
    if not path.exists() or (path / "cube.json").exists() or (path / UNFINISHED).exists():
        return
    if any(item.name != LOCK_FILE and not item.name.startswith(MARKS) for item in path.iterdir()):
        raise CubeError(f"{path} exists and is not a cube: give another cube=PATH")


def _acquire(file: Path) -> int:
    """The descriptor of the locked file. It is neither followed where it is a link, nor emptied."""
    while True:
        try:
            descriptor = open_lock(file)
        except FileNotFoundError:  # its last holder made no cube, and removed the folder just now
            file.parent.mkdir(parents=True, exist_ok=True)
            continue
        except LockFileError as err:
            raise CubeError(str(err)) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            os.close(descriptor)
            if err.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise CubeError(
                    f"{file.parent} is being written by another process: wait for it to end, then give the same "
                    "command again"
                ) from None
            raise
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # its last holder removed it between the two steps
