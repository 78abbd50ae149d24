"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def write_whole(path: Path, data: bytes | memoryview) -> Path:
    """Put ``data`` at ``path`` in one step: written beside it, flushed to the disk, renamed into place.

    A reader sees the old file or the new one, never a part. What a killed run left beside ``path`` is removed first.
    Raises ``OSError`` with the file and the remedy where the disk is full; nothing of the write is left then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.*.part"):
        left.unlink(missing_ok=True)
    # The process number keeps two writers of one file apart: the slower of them fails, neither publishes a mixture.
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as err:
        part.unlink(missing_ok=True)
        if err.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                err.errno,
                f"no room on the disk for {len(data) / 1e6:.1f} MB; nothing was written: make room and run the same "
                "command again, it goes on where it stopped",
                str(path),
            ) from err
        raise
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return path


def _sync_folder(folder: Path) -> None:
    """A rename lasts through a power cut only once the folder itself is on the disk."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
