"""Lock files: opened without following a link or emptying anything, and freed by the system when a process dies."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssm_net.errors import ConfigError, SsmNetError


class LockFileError(SsmNetError):
    """What stands in the place of a lock file is none; the message names it."""


def open_lock(path: Path) -> int:
    """The descriptor of a lock file, made where there is none; ``fcntl.flock`` locks it, ``os.close`` frees it.

    Raises ``LockFileError`` where it is a link, ``OSError`` where it cannot be opened.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as err:
        if err.errno == errno.ELOOP:
            raise LockFileError(f"{path} is a link, not a lock file: remove it") from None
        raise


def hold_alone(lock: int, busy: str) -> None:
    """Lock an open lock file without waiting. Raises ``ConfigError`` with the words ``busy`` where another process
    holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(busy) from None


@contextmanager
def held_alone(path: Path, busy: str) -> Iterator[None]:
    """The lock file ``path``, held by this process alone. Raises ``LockFileError`` and ``ConfigError`` as ``open_lock``
    and ``hold_alone``."""
    lock = open_lock(path)
    try:
        hold_alone(lock, busy)
        yield
    finally:
        os.close(lock)


@contextmanager
def held_in_turn(path: Path) -> Iterator[None]:
    """The lock file ``path``, held by this process alone once all that held it before have freed it. Raises
    ``LockFileError`` as ``open_lock``."""
    lock = open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
