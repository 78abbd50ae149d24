"""Large fields of a day that need not fit in memory.

Up to ``LIMIT`` bytes they are plain arrays. Beyond, they lie in a file without a name, which the system keeps in memory
as far as there is room and which is gone when the process is: a domain of a continent takes disk, not memory.
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
    """An array of that shape, whatever is in it.

    Its file, if it has one, lies in TMPDIR or /var/tmp (/tmp may itself be memory). Raises ``OSError`` where there is
    no room for it: all of it is taken at once, since a full disk found later would end the process without a word.
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
    """The same with ``value`` everywhere."""
    out = empty(shape, dtype)
    out.fill(value)
    return out
