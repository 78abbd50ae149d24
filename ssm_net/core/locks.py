"""Lock files: opened without following a link or emptying anything, and freed by the system when a process dies."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ssm_net.errors import SsmNetError


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
