"""Scratch arrays: large fields of a day that need not fit in memory.

Up to ``LIMIT`` bytes they are plain arrays. Larger ones are memory-mapped to a file without a name, which the system
keeps in memory while there is room, and removes with the process: a continent takes disk, not memory.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path

import numpy as np

from ssm_net.core.files import naming_full_disk

LIMIT = 2**29  # bytes of one field; a national day's largest has a quarter of them


def empty(shape: tuple[int, ...], dtype: type[np.generic] | np.dtype) -> np.ndarray:
    """An uninitialised array.

    Its file, if it has one, is in TMPDIR or /var/tmp (/tmp may itself be memory). Raises ``OSError`` where there is no
    room for it: the space is allocated at once, since a disk that fills later kills the process without a message.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= LIMIT:
        return np.empty(shape, dtype)
    folder = Path(os.environ.get("TMPDIR") or ("/var/tmp" if Path("/var/tmp").is_dir() else tempfile.gettempdir()))
    with naming_full_disk(folder), tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "r+" if hasattr(os, "posix_fallocate") else "w+", shape=shape)


def full(shape: tuple[int, ...], value: float, dtype: type[np.generic] | np.dtype) -> np.ndarray:
    """An array with ``value`` everywhere, stored as by ``empty``."""
    out = empty(shape, dtype)
    out.fill(value)
    return out
